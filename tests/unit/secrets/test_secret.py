"""A Secret tells its text only when asked."""

from __future__ import annotations

import pickle

import pytest

from ibs_notify.secrets.secret import Secret

SECRET = Secret("canary")


def test_a_secret_prints_as_stars() -> None:
    shown = (str(SECRET), repr(SECRET), f"{SECRET:>10}", "%s" % SECRET, repr([SECRET]))  # noqa: UP031
    assert shown == ("****", "****", "****", "****", "[****]")


def test_a_secret_is_revealed_on_request() -> None:
    assert SECRET.reveal() == "canary"


def test_secrets_compare_by_their_text() -> None:
    assert Secret("canary") == SECRET
    assert Secret("other") != SECRET
    assert SECRET != "canary"
    assert len({Secret("canary"), SECRET}) == 1


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert SECRET


def test_a_secret_is_not_serialised() -> None:
    with pytest.raises(TypeError, match="seal it"):
        pickle.dumps(SECRET)
