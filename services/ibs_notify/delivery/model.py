"""What Delivery keeps of a message on its way, and the words for where it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from ibs_notify.delivery.targets.breaker import Breaker, Sign, Turning

LIFETIME = timedelta(days=5)
"""How long a delivery is tried before it is given up (RFC 5321 section 4.5.4.1: 4 to 5 days)."""
MAX_UNFINISHED = 3
"""So many workers may die with a delivery in hand; then the delivery is held to be the cause."""


DELIVERY_ID_SYNTAX = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""What the Router and this service make; nothing else is looked for in the database."""


class State(IntEnum):
    """Where a delivery stands. Values equal those of the protobuf enum."""

    QUEUED = 1
    LEASED = 2
    RETRY_WAIT = 3
    WAITING = 4
    DIGEST_OPEN = 5
    DELIVERED = 6
    DIGESTED = 7
    DEAD = 8
    CANCELLED = 9

    @property
    def is_open(self) -> bool:
        return self <= State.DIGEST_OPEN

    @property
    def is_undelivered(self) -> bool:
        """Closed without having gone out: what the Router is told of."""
        return self in (State.DEAD, State.CANCELLED)


class Kind(IntEnum):
    """What a delivery carries. Values equal those of the protobuf enum."""

    EVENT = 1
    DIGEST = 2
    SUMMARY = 3
    TEST = 4

    @property
    def gathers(self) -> bool:
        """Whether it stands for many events, and says so in its own templates."""
        return self in (Kind.DIGEST, Kind.SUMMARY)


class QueueReason(StrEnum):
    """Why a delivery stands where it stands, beside ``OutcomeReason`` and ``Admission``."""

    EXPIRED = "EXPIRED"
    """Dead: tried for its whole life."""
    POISON = "POISON"
    """Dead: worker after worker died with it in hand."""
    BY_REQUEST = "BY_REQUEST"
    """Cancelled by somebody."""
    WORKER_DIED = "WORKER_DIED"
    """Queued again: nobody knows how the last attempt ended."""
    HELD = "HELD"
    """Queued, and the whole queue is held until it is released. Never stored."""
    TARGET_FAILING = "TARGET_FAILING"
    """Queued, and its target fails: it is sent when the target works again. Never stored."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a mail: QUEUED while open, DELIVERED or DEAD; what the server said last."""

    address: str
    state: State = State.QUEUED
    code: int = 0
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Handoff:
    """An obligation as it is stored. ``body`` is the event's protobuf; texts are sanitised."""

    delivery_id: str
    obligation_id: str
    event_id: str
    event_type: str
    severity: int
    subject: str
    target_uid: str
    target: str
    group: str
    kind: Kind
    recipients: tuple[str, ...]
    revision: int
    digest: bool
    suppressed_count: int
    suppressed_since: datetime | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of handed over obligations; ``targets`` have something new to send."""

    accepted: int
    known: int
    targets: frozenset[str]


@dataclass(frozen=True, slots=True)
class Work:
    """A delivery that this process holds the lease of.

    ``attempt`` is the number of the attempt that begins now; ``failures`` how many failed since its
    life began, which is what backs off; ``unfinished`` how many claims in a row, this one included,
    have no outcome. ``maybe_duplicate``: an earlier attempt may have reached the peer. ``epoch`` is
    the breaker's when it was claimed; a ``is_trial`` shows whether the target works again.
    """

    seq: int
    delivery_id: str
    target_uid: str
    group: str
    kind: Kind
    recipients: tuple[Recipient, ...]
    suppressed_count: int
    revision: int
    created_at: datetime
    expires_at: datetime
    attempt: int
    failures: int
    unfinished: int
    maybe_duplicate: bool
    fence: int
    body: bytes
    epoch: int = 0
    is_trial: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether one more worker that dies with it makes it poison."""
        return self.unfinished >= MAX_UNFINISHED


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where a delivery stands after an attempt. ``failures`` replaces the one of the work."""

    state: State
    reason: str
    detail: str
    recipients: tuple[Recipient, ...]
    failures: int
    due_at: datetime | None = None
    maybe_duplicate: bool = False
    pause: bool = False


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended, as it is kept: ``outcome`` is delivered, retry, refused or unknown.

    What it tells of the target beyond that: ``sign``, the peer's wish ``retry_after``, and until
    when its certificate is good.
    """

    outcome: str
    reason: str
    code: int
    reply: str
    duration: timedelta
    sign: Sign = Sign.SAYS_NOTHING
    retry_after: timedelta | None = None
    certificate_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a worker says of its work. Without an ``end`` the attempt was not begun, and is not
    counted. ``target_revision`` is that of the target it was sent to."""

    work: Work
    settlement: Settlement
    end: AttemptEnd | None
    ended_at: datetime
    target_revision: int = 0


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt, as it is listed."""

    number: int
    started_at: datetime
    duration: timedelta | None
    outcome: str
    reason: str
    code: int
    reply: str
    maybe_duplicate: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """The digest that an entry belongs to, whose fate it shares.

    ``closes_at`` is of a window that is open. ``delivery_id`` is empty until the digest is made;
    ``state`` and ``reason`` are of that delivery.
    """

    digest_id: str
    closes_at: datetime | None = None
    delivery_id: str = ""
    state: State | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery, as it is listed."""

    seq: int
    delivery_id: str
    obligation_id: str
    event_id: str
    event_type: str
    severity: int
    subject: str
    target: str
    target_uid: str
    group: str
    kind: Kind
    state: State
    reason: str
    detail: str
    recipients: tuple[Recipient, ...]
    attempt_count: int
    created_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    revision: int
    attempts: tuple[AttemptRecord, ...] = ()
    window_seq: int | None = None
    """Of an entry of a digest: its window."""
    digest: Membership | None = None
    """The same in full, where it was asked for."""
    last_code: int = 0
    """Of the peer in the last attempt; 0 where there was none, and of what is delivered."""
    body: bytes = b""
    """The event's protobuf, where it was asked for."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries: every field that is not empty must hold."""

    targets: Sequence[str] = ()
    groups: Sequence[str] = ()
    states: Sequence[State] = ()
    reasons: Sequence[str] = ()
    event_ids: Sequence[str] = ()
    delivery_ids: Sequence[str] = ()
    after: datetime | None = None
    before: datetime | None = None
    target_uids: Sequence[str] = ()
    """As ``targets``, but of what is deleted none that had the same name."""
    troubled: bool = False
    """Only what does not get on: ended dead, failed lately, or kept back by something."""

    @property
    def is_empty(self) -> bool:
        return self == Filter()


@dataclass(frozen=True, slots=True)
class Alike:
    """What deliveries that are counted together have in common."""

    target: str
    target_uid: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """How a target fares."""

    open_count: int = 0
    dead_count: int = 0
    delivered_count: int = 0
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_failure: str = ""
    failing_since: datetime | None = None
    last_code: int = 0
    certificate_until: datetime | None = None
    breaker: Breaker = field(default_factory=Breaker)


@dataclass(frozen=True, slots=True)
class TargetTurn:
    """A target that began to fail, recovered or was paused ``at`` a moment: news.

    ``since`` is when the trouble began that it tells of; ``reason`` and ``detail`` are of the last
    attempt that failed.
    """

    target_uid: str
    turning: Turning
    at: datetime
    since: datetime
    reason: str
    detail: str
