"""What a new token may be: every bad field is named at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ibs_notify.config.faults import Faults
from ibs_notify.config.validate_token import checked_token, warnings_of
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1.token_pb2 import ROLE_ADMINISTRATOR, ROLE_EMITTER, ROLE_VIEWER, Token

NOW = datetime(2026, 5, 21, 2, 14, 35, 500_000, tzinfo=UTC)


def checked(**fields: Any) -> Token:
    faults = Faults()
    given: dict[str, Any] = {"name": "ci", "role": ROLE_EMITTER} | fields
    token = checked_token(Token(**given), NOW, faults)
    faults.raise_any()
    return token


def bad_fields(**fields: Any) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        checked(**fields)
    return [each.path for each in caught.value.violations]


def test_bounds_are_kept_in_canonical_form_once_and_in_order() -> None:
    token = checked(
        sources=["verify", "backup", "verify"], resources=["ibs:b//x/", "/datastore/ibs/b/x", "/a"]
    )
    assert list(token.sources) == ["backup", "verify"]
    assert list(token.resources) == ["/a", "/datastore/ibs/b/x"]


def test_what_only_the_service_says_is_not_taken_over() -> None:
    given = Token(name="ci", role=ROLE_VIEWER, id="x", created_by="me", revision=7)
    given.revoke_time.GetCurrentTime()
    assert checked_token(given, NOW, Faults()) == Token(name="ci", role=ROLE_VIEWER)


@pytest.mark.parametrize(
    "name", ["", "a_b", "A", "-a", "a.", "a" * 64, "service:router", "administrator", "unknown"]
)
def test_a_name_is_of_lower_case_letters_digits_dashes_and_dots(name: str) -> None:
    assert bad_fields(name=name) == ["token.name"]


def test_every_bad_field_is_named() -> None:
    found = bad_fields(
        name="",
        role=9,
        sources=["Backup"],
        resources=[" "],
        quota_per_minute=-1,
        description="x" * 1001,
        expire_time=moment_to_proto(NOW),
    )
    assert {each.partition("[")[0] for each in found} == {
        f"token.{each}"
        for each in (
            "name",
            "role",
            "sources",
            "resources",
            "quota_per_minute",
            "description",
            "expire_time",
        )
    }


def test_no_emitter_is_bound_to_what_the_system_itself_tells_of() -> None:
    assert bad_fields(sources=["backup", "notification"]) == ["token.sources[1]"]


def test_a_role_is_required_and_only_an_emitter_is_bound() -> None:
    assert bad_fields(role=0) == ["token.role"]
    assert bad_fields(role=ROLE_VIEWER, sources=["backup"], resources=["/a"]) == [
        "token.sources",
        "token.resources",
    ]


@pytest.mark.parametrize("expires", [NOW, NOW - timedelta(days=1)])
def test_an_end_in_the_past_is_refused(expires: datetime) -> None:
    assert bad_fields(expire_time=moment_to_proto(expires)) == ["token.expire_time"]


def test_an_administrator_for_ever_comes_with_a_warning() -> None:
    assert warnings_of(Token(role=ROLE_ADMINISTRATOR))
    ends = Token(role=ROLE_ADMINISTRATOR, expire_time=moment_to_proto(NOW))
    assert not warnings_of(ends)
    assert not warnings_of(Token(role=ROLE_VIEWER))
