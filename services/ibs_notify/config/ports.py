"""What Config's use cases need from outside, as contracts.

The resources are the API's messages: Config keeps, checks and streams them as they are. Messages
that a port returns are the caller's own to change.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from ibs_notify.audit.entry import Act
from ironcore.notification.v1.config_service_pb2 import WatchedTarget, WatchedToken
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import SealedSecret, Target, TestProgress, TestStage
from ironcore.notification.v1.token_pb2 import Token

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Saved(Generic[T]):
    """What a change left behind, and what its caller should know."""

    resource: T
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log of revisions: of which log, and after which revision."""

    log_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Deleted:
    """A resource that is no more, and the revision that deleted it."""

    uid: str
    revision: int


@dataclass(frozen=True, slots=True)
class Delta:
    """The current state of everything that changed up to ``place``; ``settings`` None: unchanged.

    What changed several times is here once, as it is now: a stored secret is never combined with
    an address that it was not stored for.
    """

    place: Place
    targets: tuple[WatchedTarget, ...] = ()
    groups: tuple[Group, ...] = ()
    deleted_targets: tuple[Deleted, ...] = ()
    deleted_groups: tuple[Deleted, ...] = ()
    settings: Settings | None = None
    tokens: tuple[WatchedToken, ...] = ()


class View(Protocol):
    """The configuration within one transaction; every answer is of the same moment."""

    def target(self, name: str) -> Target | None:
        """The target of that name, without secrets, ``*_set`` filled."""
        ...

    def targets(self, after: str = "", limit: int | None = None) -> list[Target]:
        """Targets in order of name (by code point), those after ``after``; like ``target``."""
        ...

    def sealed(self, target_uid: str) -> dict[str, bytes]:
        """The ciphertexts of a target's secrets, by field."""
        ...

    def key_counts(self) -> Mapping[str, int]:
        """How many stored secrets each key seals, by its id; keys that seal none are not there."""
        ...

    def sealed_with_others(
        self, key_id: str, after: str = "", limit: int | None = None
    ) -> dict[str, dict[str, bytes]]:
        """The ciphertexts that this key did not seal, or in an earlier way, by uid and field.

        Those of at most ``limit`` targets in order of uid, whose uids are after ``after``.
        """
        ...

    def group(self, name: str) -> Group | None:
        """The group of that name."""
        ...

    def groups(self, after: str = "", limit: int | None = None) -> list[Group]:
        """Groups in order of name (by code point), those after ``after``."""
        ...

    def settings(self) -> Settings:
        """The settings; before their first change with revision 0."""
        ...

    def token(self, name: str) -> Token | None:
        """The token of that name, revoked or not, with its last use."""
        ...

    def tokens(
        self, after: str = "", limit: int | None = None, *, include_revoked: bool = False
    ) -> list[Token]:
        """Tokens in order of name (by code point), those after ``after``; like ``token``."""
        ...

    def token_count(self) -> int:
        """How many tokens are not revoked."""
        ...


class Change(View, Protocol):
    """A change under way: what is written gets ``revision``, the time and the author.

    All of it becomes visible at once when the transaction commits, or not at all. Nobody else
    writes meanwhile, on any replica, so what was read here still holds at the commit.
    """

    @property
    def revision(self) -> int:
        """The revision that this change makes."""
        ...

    def put_target(self, target: Target, sealed: Mapping[str, bytes]) -> Target:
        """Store a target (new where its revision is 0) with exactly these secrets.

        Secrets and output-only fields of the message are not stored. Returns it as ``target`` does.
        """
        ...

    def reseal(self, target_uid: str, sealed: Mapping[str, bytes]) -> None:
        """Replace the ciphertexts of these fields by ones of the same secrets.

        Whoever watches gets the target again. It is as it was, its etag, time and author included.
        """
        ...

    def delete_target(self, target: Target) -> None:
        """Delete a target and its secrets."""
        ...

    def put_group(self, group: Group) -> Group:
        """Store a group (new where its revision is 0). Returns it as stored."""
        ...

    def delete_group(self, group: Group) -> None:
        """Delete a group."""
        ...

    def put_settings(self, settings: Settings) -> Settings:
        """Store the settings. Returns them as stored."""
        ...

    def add_token(self, token: Token, secret_hash: bytes) -> Token:
        """Store a new token. Returns it as stored."""
        ...

    def revoke_token(self, token: Token) -> Token:
        """Mark a stored token as revoked, for good. Returns it as stored."""
        ...

    def audit(self, act: Act) -> None:
        """Write an act of the author into the audit log, with the change or not at all.

        What the methods above store is written by themselves.
        """
        ...


class Repository(Protocol):
    """Where the configuration is kept."""

    async def read(self, look: Callable[[View], T]) -> T:
        """Run ``look`` on a consistent view. ``Unavailable`` where the database cannot answer."""
        ...

    async def change(self, author: str, work: Callable[[Change], T]) -> T:
        """Run ``work`` in one durable transaction and return its answer once that is committed.

        One change is one revision, and revisions are in order of commit, without gaps but where one
        was lost (see ``step_over``); work that writes nothing makes none. An exception of ``work``
        undoes everything and is raised. ``work`` may run more than once and must do nothing but use
        its ``Change``.
        """
        ...

    async def revision(self) -> int:
        """The newest committed revision, of any replica."""
        ...

    async def begin_log(self) -> None:
        """Refuse the places of before from now on: the database may be a restored one, whose
        revisions name other contents than they did."""
        ...

    async def step_over(self, seen: int) -> None:
        """Go on above ``seen`` where the revision in force is below: somebody had that revision.

        The log begins anew. Whatever was done by a revision that is lost is then older than what
        is in force, and not a change that is still to come.
        """
        ...

    async def note_token_uses(self, uses: Mapping[str, datetime]) -> None:
        """Keep the last use of tokens, by their ids: an earlier one changes nothing, nor does that
        of a token that there is not. No revision is made.
        """
        ...

    async def changes_since(
        self, place: Place | None, *, include_secrets: bool, include_tokens: bool = False
    ) -> Delta:
        """What changed after ``place``; with ``None`` everything, but no token that is revoked.

        ``OutOfRange`` where the place is of another log, in the future, or older than what the log
        still holds.
        """
        ...


@dataclass(frozen=True, slots=True)
class TestResult:
    """What a test of a target saw."""

    __test__ = False  # its name is the API's; it is no test of ours

    ok: bool
    stages: Sequence[TestStage]
    summary: str


class DeliveryPort(Protocol):
    """The Delivery service, as far as Config needs it."""

    async def open_count(self, target_uid: str) -> int:
        """How many deliveries wait for a target; 0 for one that Delivery does not know.

        ``Unavailable`` where Delivery cannot be reached.
        """
        ...

    async def test_target(
        self, target: Target, secrets: Sequence[SealedSecret], recipients: Sequence[str]
    ) -> TestResult:
        """Make one real attempt now. ``secrets`` are sealed for the target's uid.

        ``Unavailable`` where Delivery cannot be reached; a peer that refuses is a result.
        """
        ...

    def stream_target_test(
        self, target: Target, secrets: Sequence[SealedSecret], recipients: Sequence[str]
    ) -> AsyncGenerator[TestProgress]:
        """As ``test_target``, told as it goes; ``aclose`` ends the attempt."""
        ...

    async def keys_held(self, revision: int) -> frozenset[str]:
        """The ids of the keys that seal what Delivery keeps, on disk too, once it applies
        ``revision``.

        ``Unavailable`` where it cannot be reached, or does not apply the revision in time.
        """
        ...
