"""What a token looks like, and whether one that is presented counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.domain.principal import Principal, Role
from ibs_notify.domain.token import KnownToken, Standing, hash_of, judge, parse, spell

NOW = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
ID, SECRET = "0123456789abcdef", "5a" * 32
KNOWN = KnownToken(Principal("ci", Role.EMITTER, ID), hash_of(SECRET), expires_at=NOW)


def test_a_token_is_read_as_it_is_spelled() -> None:
    assert parse(spell(ID, SECRET)) == (ID, SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ibsn_",
        SECRET,
        spell(ID, SECRET).upper(),
        spell(ID, SECRET) + "\n",
        spell(ID, SECRET) + "0",
        spell(ID[:-1], SECRET),
        spell(ID, SECRET[:-1]),
        " " + spell(ID, SECRET),
        spell(ID, SECRET).replace("_", "-"),
        spell("٣" * 16, SECRET),
    ],
)
def test_what_is_not_spelled_exactly_so_is_no_token(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("known", "secret", "after", "standing"),
    [
        (KNOWN, SECRET, -1, Standing.VALID),
        (KNOWN, SECRET, 0, Standing.EXPIRED),
        (KNOWN, "00" * 32, -1, Standing.WRONG_SECRET),
        # Whoever has not the secret learns nothing of its end.
        (KNOWN, "00" * 32, 1, Standing.WRONG_SECRET),
        (None, SECRET, 0, Standing.UNKNOWN),
    ],
)
def test_a_token_counts_with_its_secret_until_it_expires(
    known: KnownToken | None, secret: str, after: int, standing: Standing
) -> None:
    assert judge(known, secret, NOW + timedelta(seconds=after)) is standing


def test_a_hash_of_zeros_is_no_way_in_for_a_token_that_nobody_made() -> None:
    assert judge(None, "00" * 32, NOW) is Standing.UNKNOWN
