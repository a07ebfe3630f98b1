"""One open transport for each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support import keys
from tests.support.delivery import FakeClock

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.ports import CannotOpen
from ibs_notify.delivery.transports.base import (
    Message,
    Outcome,
    OutcomeReason,
    Stage,
    Tell,
    Verdict,
    untold,
)
from ibs_notify.delivery.transports.cache import SecretOpener, TransportCache
from ibs_notify.domain.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotificationError,
    Reason,
    Unimplemented,
)
from ibs_notify.domain.target import Target, WebhookSpec
from ibs_notify.secrets.envelope import Keyring
from ibs_notify.secrets.key_file import Key
from ibs_notify.secrets.key_source import FileSource
from ibs_notify.snapshot.model import Snapshot

TARGET = Target("chat", "t1", WebhookSpec("http://127.0.0.1/"))
SNAPSHOT = Snapshot(revision=1, targets={"t1": TARGET})


class FakeTransport:
    concurrency = 3
    certificate_until: datetime | None = None

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.secrets = dict(secrets)
        self.closed = False

    async def attempt(self, message: Message) -> Outcome:
        return Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED)

    async def test(self, message: Message, tell: Tell = untold) -> tuple[Stage, ...]:
        return ()

    async def close(self) -> None:
        self.closed = True


class Workshop:
    """Builds transports, or fails to."""

    def __init__(self) -> None:
        self.built: list[FakeTransport] = []
        self.error: NotificationError | None = None

    def build(
        self, _target: Target, secrets: Mapping[str, str], _settings: Any, _clock: Any
    ) -> FakeTransport:
        if self.error is not None:
            raise self.error
        self.built.append(FakeTransport(secrets))
        return self.built[-1]


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def cache(workshop: Workshop, tmp_path: Path) -> TransportCache:
    return TransportCache(
        workshop.build, SecretOpener(keys.keys_of(tmp_path / "secret.key")), FakeClock()
    )


async def test_a_transport_is_built_once_and_kept(
    cache: TransportCache, workshop: Workshop
) -> None:
    assert cache.concurrency(TARGET, SNAPSHOT) == 3
    with cache.use(TARGET, SNAPSHOT) as first, cache.use(TARGET, SNAPSHOT) as second:
        assert first is second
    assert len(workshop.built) == 1
    await cache.close()
    assert workshop.built[0].closed


async def test_an_unchanged_target_keeps_its_transport_over_a_new_configuration(
    cache: TransportCache, workshop: Workshop
) -> None:
    cache.concurrency(TARGET, SNAPSHOT)
    cache.retire(Snapshot(revision=2, targets={"t1": replace(TARGET)}))
    cache.concurrency(TARGET, SNAPSHOT)
    assert len(workshop.built) == 1


async def test_a_changed_target_gets_a_new_transport_and_the_old_one_ends_when_idle(
    cache: TransportCache, workshop: Workshop
) -> None:
    moved = replace(TARGET, spec=WebhookSpec("http://127.0.0.1/new"), revision=2)
    after = Snapshot(revision=2, targets={"t1": moved})
    with cache.use(TARGET, SNAPSHOT):
        cache.retire(after)
        with cache.use(moved, after) as current:
            assert current is workshop.built[1]
        assert not workshop.built[0].closed
    await cache.close()
    assert [each.closed for each in workshop.built] == [True, True]


async def test_new_secrets_and_a_deletion_retire_a_transport(
    cache: TransportCache, workshop: Workshop, tmp_path: Path
) -> None:
    keyring = keys.load_or_create(tmp_path / "secret.key")
    sealed = {"smtp.password": keyring.seal("hunter2", target_uid="t1", field="smtp.password")}
    with_secret = replace(SNAPSHOT, sealed={"t1": sealed})
    cache.concurrency(TARGET, SNAPSHOT)
    cache.retire(with_secret)
    cache.concurrency(TARGET, with_secret)
    assert [each.secrets for each in workshop.built] == [{}, {"smtp.password": "hunter2"}]
    cache.retire(Snapshot(revision=3))
    await cache.close()
    assert [each.closed for each in workshop.built] == [True, True]


async def test_another_key_for_the_same_secret_disturbs_no_transport(
    cache: TransportCache, workshop: Workshop, tmp_path: Path
) -> None:
    file = FileSource(tmp_path / "secret.key")
    file.create(Key("k-1", bytes(32)))
    sealed = Keyring(file.read()).seal("hunter2", target_uid="t1", field="f")
    cache.concurrency(TARGET, replace(SNAPSHOT, sealed={"t1": {"f": sealed}}))
    file.change(lambda before: (Key("k-2", bytes([2]) * 32), *before))
    anew = Keyring(file.read()).rewrap(sealed, target_uid="t1", field="f")
    assert anew != sealed
    after = replace(SNAPSHOT, revision=2, sealed={"t1": {"f": anew}})
    cache.retire(after)
    cache.concurrency(TARGET, after)
    assert len(workshop.built) == 1
    assert not workshop.built[0].closed


async def test_a_key_that_is_newer_than_the_process_is_found(
    cache: TransportCache, workshop: Workshop, tmp_path: Path
) -> None:
    file = FileSource(tmp_path / "secret.key")
    file.create(Key("k-1", bytes(32)))
    first = {"f": Keyring(file.read()).seal("one", target_uid="t1", field="f")}
    cache.concurrency(TARGET, replace(SNAPSHOT, sealed={"t1": first}))
    file.change(lambda before: (Key("k-2", bytes([2]) * 32), *before))
    second = {"f": Keyring(file.read()).seal("two", target_uid="t1", field="f")}
    after = replace(SNAPSHOT, revision=2, sealed={"t1": second})
    cache.retire(after)
    cache.concurrency(TARGET, after)
    assert [each.secrets for each in workshop.built] == [{"f": "one"}, {"f": "two"}]
    await cache.close()


async def test_a_secret_that_cannot_be_opened_says_so_until_the_key_file_is_right(
    cache: TransportCache, workshop: Workshop, tmp_path: Path
) -> None:
    keyring = keys.load_or_create(tmp_path / "elsewhere.key")
    sealed = {"f": keyring.seal("hunter2", target_uid="t1", field="f")}
    snapshot = replace(SNAPSHOT, sealed={"t1": sealed})
    for _ in range(2):
        with pytest.raises(CannotOpen) as caught:
            cache.concurrency(TARGET, snapshot)
        assert caught.value.reason is Admission.SECRET_UNREADABLE
        assert "hunter2" not in caught.value.detail
        keys.load_or_create(tmp_path / "secret.key")
    (tmp_path / "elsewhere.key").rename(tmp_path / "secret.key")
    cache.concurrency(TARGET, snapshot)
    assert workshop.built[0].secrets == {"f": "hunter2"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidArgument(Reason.FIELD_INVALID, "bad CA"), Admission.MISCONFIGURED),
        (FailedPrecondition(Reason.SECRET_REQUIRED, "no password"), Admission.SECRET_REQUIRED),
        (
            Unimplemented(Reason.NOT_IMPLEMENTED, "not yet"),
            Admission.TRANSPORT_NOT_AVAILABLE,
        ),
    ],
)
async def test_a_transport_that_cannot_be_built_names_what_its_deliveries_wait_for(
    cache: TransportCache, workshop: Workshop, error: NotificationError, reason: Admission
) -> None:
    workshop.error = error
    with pytest.raises(CannotOpen) as caught:
        cache.concurrency(TARGET, SNAPSHOT)
    assert caught.value.reason is reason
