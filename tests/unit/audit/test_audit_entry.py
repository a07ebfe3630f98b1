"""The hash of an entry is what docs/audit.md says, and covers everything in it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ibs_notify.audit.entry import GENESIS, Act, Entry, Flaw, Head, flaw_of, hash_of, seal

NOON = datetime(2026, 5, 21, 12, 0, 0, 250, tzinfo=UTC)
ACT = Act("target.update", "target/ops-smtp", '{"description":"old"}', '{"description":"Küche"}')
FIRST = seal("config", Head(), "alice", ACT, NOON)
SECOND = seal("config", Head(1, FIRST.hash), "bob", Act("settings.update", "settings"), NOON)


def test_the_hash_of_an_entry_is_a_fixed_one() -> None:
    """Of what was written once, no release may compute another hash."""
    assert FIRST.hash.hex() == "1f05e01a5665e3cbab5217a68abf8ab135513e5b55eaf0b27adcf39c70fa356a"
    assert SECOND.hash.hex() == "79685e21aca4caae142f1815855f01286107e15fc5cd225aa4670fac5b61707f"


def test_the_hash_is_computed_as_the_documentation_says() -> None:
    written = (
        b"18:ibs-notify-audit-1,6:config,1:1,16:1779364800000250,5:alice,13:target.update,"
        b'15:target/ops-smtp,21:{"description":"old"},24:{"description":"K\xc3\xbcche"},'
        b"64:" + b"0" * 64 + b","
    )
    assert FIRST.hash == hashlib.sha256(written).digest()


def test_the_first_entry_follows_nothing_and_each_other_one_the_one_before() -> None:
    assert (FIRST.sequence, FIRST.previous_hash) == (1, GENESIS)
    assert (SECOND.sequence, SECOND.previous_hash) == (2, FIRST.hash)
    assert flaw_of("config", FIRST, Head()) is None
    assert flaw_of("config", SECOND, Head(1, FIRST.hash)) is None


@pytest.mark.parametrize(
    "changed",
    [
        replace(FIRST, moment=NOON + timedelta(microseconds=1)),
        replace(FIRST, actor="mallory"),
        replace(FIRST, act=replace(ACT, action="target.delete")),
        replace(FIRST, act=replace(ACT, subject="target/ops-smtq")),
        replace(FIRST, act=replace(ACT, before="")),
        replace(FIRST, act=replace(ACT, after="")),
        replace(FIRST, act=replace(ACT, before=ACT.after, after=ACT.before)),
        replace(FIRST, actor="alicet", act=replace(ACT, action="arget.update")),
        replace(FIRST, hash=bytes(32)),
    ],
)
def test_no_part_of_an_entry_can_change_without_its_hash(changed: Entry) -> None:
    assert flaw_of("config", changed, Head()) is Flaw.CHANGED


def test_an_entry_that_was_sealed_anew_breaks_the_one_after_it() -> None:
    forged = seal("config", Head(), "mallory", ACT, NOON)
    assert flaw_of("config", forged, Head()) is None
    assert flaw_of("config", SECOND, Head(1, forged.hash)) is Flaw.UNLINKED


def test_an_entry_of_one_service_is_none_of_another() -> None:
    assert flaw_of("router", FIRST, Head()) is Flaw.CHANGED


def test_a_gap_is_a_missing_entry() -> None:
    assert flaw_of("config", SECOND, Head()) is Flaw.MISSING


def test_names_are_bounded_and_have_no_nul_which_a_database_would_refuse() -> None:
    entry = seal("config", Head(), "a\0" + "x" * 500, Act("target.test", "target/\0"), NOON)
    assert entry.actor == "a\N{REPLACEMENT CHARACTER}" + "x" * 254
    assert entry.act.subject == "target/\N{REPLACEMENT CHARACTER}"
    assert flaw_of("config", entry, Head()) is None


def test_the_hash_is_of_the_time_to_a_microsecond() -> None:
    later = replace(FIRST, moment=NOON + timedelta(microseconds=1))
    assert hash_of("config", later) != FIRST.hash
