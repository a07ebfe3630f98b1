"""Who is refused, and what the hook for the audit log is told of it; uses that wait for Config."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.certificates import naming

from ibs_notify.domain.errors import Reason, Unauthenticated, Unavailable
from ibs_notify.domain.principal import Principal, Role, Service
from ibs_notify.domain.token import KnownToken, hash_of, spell
from ibs_notify.launcher.authority import Authority
from ibs_notify.rpc.authentication import Authenticator, Refusal
from ibs_notify.rpc.token_uses import TokenUses

NOW = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
ID, SECRET = "0123456789abcdef", "5a" * 32
ALICE = Principal("alice", Role.VIEWER, ID)
AUTHORITY = Authority.new(datetime.now(UTC))
VIEWERS = frozenset({Role.VIEWER})


class StillClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class Call:
    """A call's context, as far as it says who calls."""

    def __init__(self, *values: str, certificate: str = "") -> None:
        self._values = values
        self._certificate = certificate

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return [("user-agent", "x"), *(("authorization", each) for each in self._values)]

    def auth_context(self) -> Mapping[str, list[bytes]]:
        if not self._certificate:
            return {}
        name = f"spiffe://ibs-notify/{self._certificate}"
        return {"x509_pem_cert": [naming(AUTHORITY, name).certificate]}

    def peer(self) -> str:
        return "ipv4:192.0.2.7:4711"


class Desk:
    def __init__(self, expires_at: datetime | None = None) -> None:
        self.uses = TokenUses()
        self.refused: list[tuple[Refusal, str, str]] = []
        self.authenticator = Authenticator(StillClock(), self.uses, self._note)
        self.authenticator.set_tokens({ID: KnownToken(ALICE, hash_of(SECRET), 0, expires_at)})

    def _note(self, why: Refusal, token_id: str, peer: str) -> None:
        self.refused.append((why, token_id, peer))

    def admit(self, call: Any) -> Principal:
        return self.authenticator.admit(call, VIEWERS | frozenset({Service.ROUTER}))


@pytest.mark.parametrize(
    ("call", "why", "token_id"),
    [
        (Call(), Refusal.NOTHING_PRESENTED, ""),
        (Call(certificate="somebody"), Refusal.NOTHING_PRESENTED, ""),
        (Call(""), Refusal.MALFORMED, ""),
        (Call(spell(ID, SECRET)), Refusal.MALFORMED, ""),
        (Call(f"Basic {spell(ID, SECRET)}"), Refusal.MALFORMED, ""),
        (Call(f"Bearer  {spell(ID, SECRET)}"), Refusal.MALFORMED, ""),
        (Call(f"Bearer {spell(ID, SECRET)} "), Refusal.MALFORMED, ""),
        (Call(*[f"Bearer {spell(ID, SECRET)}"] * 2), Refusal.MALFORMED, ""),
        (Call(f"Bearer {spell(ID, '0' * 64)}"), Refusal.WRONG_SECRET, ID),
        (Call(f"Bearer {spell('0' * 16, SECRET)}"), Refusal.UNKNOWN_TOKEN, "0" * 16),
        (Call("Bearer x", certificate="router"), Refusal.MALFORMED, ""),
    ],
)
def test_the_hook_is_told_why_and_of_which_token_and_the_secret_is_not(
    call: Call, why: Refusal, token_id: str
) -> None:
    desk = Desk()
    with pytest.raises(Unauthenticated) as caught:
        desk.admit(call)
    assert desk.refused == [(why, token_id, "ipv4:192.0.2.7:4711")]
    for text in (str(caught.value), repr(desk.refused)):
        assert SECRET not in text


def test_who_has_the_secret_is_told_that_the_token_has_expired() -> None:
    desk = Desk(expires_at=NOW)
    with pytest.raises(Unauthenticated, match="has expired"):
        desk.admit(Call(f"Bearer {spell(ID, SECRET)}"))
    with pytest.raises(Unauthenticated, match="not valid"):
        desk.admit(Call(f"Bearer {spell(ID, '0' * 64)}"))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert Desk().admit(Call(f"{scheme} {spell(ID, SECRET)}")) is ALICE


def test_without_a_token_the_certificate_counts() -> None:
    assert Desk().admit(Call(certificate="router")) == Principal("service:router", Service.ROUTER)


async def test_uses_that_config_did_not_take_are_told_again_with_what_came_since() -> None:
    uses, told = TokenUses(), []
    later = NOW.replace(hour=3)

    async def fail(_: Mapping[str, datetime]) -> None:
        uses.note("a", later)
        raise Unavailable(Reason.SERVICE_UNREACHABLE, "away")

    async def take(reported: Mapping[str, datetime]) -> None:
        told.append(dict(reported))

    uses.note("a", NOW)
    uses.note("b", NOW)
    await uses.report(fail)
    await uses.report(take)
    await uses.report(take)
    assert told == [{"a": later, "b": NOW}]


def test_only_who_was_let_in_has_used_a_token() -> None:
    desk = Desk(expires_at=NOW)
    for secret in (SECRET, "0" * 64):
        with pytest.raises(Unauthenticated):
            desk.admit(Call(f"Bearer {spell(ID, secret)}"))
    assert desk.uses._last == {}
