"""The rpcs of silences: made, listed, ended."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ibs_notify.audit.document import Document, difference, written
from ibs_notify.audit.entry import Act
from ibs_notify.audit.journal import append
from ibs_notify.audit.message import document_of
from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, NotFound, Reason
from ibs_notify.domain.text_search import check_sought
from ibs_notify.router import silences
from ibs_notify.router.in_force import InForce, required
from ibs_notify.router.silence import Silence, faults_of, is_active, next_change, schedule_of
from ibs_notify.router.tables import AUDIT
from ibs_notify.rpc.convert import is_moment, moment_from_proto, moment_to_proto
from ibs_notify.rpc.paging import bad_page_token, page_size, page_token, read_page_token
from ibs_notify.store.database import Database
from ironcore.notification.v1 import router_service_pb2 as pb

_LISTING = "silences"
_RULE = "silence.rule"


class SilenceCalls:
    """What administrators ask of silences."""

    def __init__(self, database: Database, in_force: InForce, clock: Clock) -> None:
        self._database = database
        self._in_force = in_force
        self._clock = clock

    async def create(
        self, request: pb.CreateSilenceRequest, author: str
    ) -> pb.CreateSilenceResponse:
        """``InvalidArgument`` with every fault at once."""
        now = self._clock.now()
        zone = required(self._in_force.table).time_zone
        wanted = _requested(request.silence, zone, author, now)

        def work(connection: sa.Connection) -> Silence:
            made = silences.insert_silence(connection, wanted)
            _audit(connection, "silence.create", None, made, author, now)
            return made

        made = await self._database.write(work)
        return pb.CreateSilenceResponse(silence=silence_view(made, now))

    async def list(self, request: pb.ListSilencesRequest) -> pb.ListSilencesResponse:
        """A page, newest first; ``InvalidArgument`` where the text is too long."""
        check_sought(request.text)
        now, size = self._clock.now(), page_size(request.page_size)
        before = _position(request.page_token)
        found = await self._database.read(
            lambda c: silences.list_silences(
                c,
                now,
                include_expired=request.include_expired,
                before=before,
                limit=size + 1,
                text=request.text,
            )
        )
        page = found[:size]
        token = ""
        if len(found) > size:
            token = page_token(_LISTING, to_micros(page[-1].created_at), page[-1].silence_id)
        return pb.ListSilencesResponse(
            silences=[silence_view(each, now) for each in page], next_page_token=token
        )

    async def expire(
        self, request: pb.ExpireSilenceRequest, author: str
    ) -> pb.ExpireSilenceResponse:
        """One that has ended stays as it is."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> Silence | None:
            expired = silences.expire_silence(connection, request.silence_id, now)
            if expired is None:
                return None
            former, ended = expired
            if ended != former:
                _audit(connection, "silence.expire", former, ended, author, now)
            return ended

        ended = await self._database.write(work)
        if ended is None:
            raise NotFound(
                Reason.SILENCE_NOT_FOUND,
                f"there is no silence {request.silence_id!r}",
                advice="list those that there are with: silence list --all",
            )
        return pb.ExpireSilenceResponse(silence=silence_view(ended, now))


def _audit(
    connection: sa.Connection,
    action: str,
    before: Silence | None,
    after: Silence,
    actor: str,
    now: datetime,
) -> None:
    former, latter = (None if each is None else _document(each) for each in (before, after))
    if former is not None and latter is not None:
        former, latter = difference(former, latter)
    act = Act(action, f"silence/{after.silence_id}", written(former), written(latter))
    append(connection, AUDIT, actor, act, now)


def _document(silence: Silence) -> Document:
    return document_of(_message(silence), without=("author", "create_time"))


def _requested(message: pb.Silence, zone: str, author: str, now: datetime) -> Silence:
    """The silence of a request; from now on where it gives no start."""
    faults = [
        FieldViolation(f"silence.{name}", "is not between the years 1 and 9999")
        for name, stamp in (("start_time", message.start_time), ("end_time", message.end_time))
        if not is_moment(stamp)
    ]
    if "\0" in message.rule:
        faults.append(FieldViolation(_RULE, "has a NUL character"))
    if faults:
        raise InvalidArgument.of(faults)
    wanted = Silence(
        silence_id="",
        rule=message.rule,
        start=moment_from_proto(message.start_time) if message.HasField("start_time") else now,
        end=moment_from_proto(message.end_time) if message.HasField("end_time") else None,
        weekly=message.weekly,
        time_zone=message.time_zone or (zone if message.weekly else ""),
        comment=message.comment.replace("\0", "\N{REPLACEMENT CHARACTER}"),
        author=author.replace("\0", "\N{REPLACEMENT CHARACTER}"),
        created_at=now,
    )
    faults = faults_of(wanted, now)
    if faults:
        of_rule = all(each.path == _RULE for each in faults)
        raise InvalidArgument.of(faults, Reason.RULE_INVALID if of_rule else Reason.FIELD_INVALID)
    return wanted


def _position(token: str) -> tuple[int, str] | None:
    match read_page_token(_LISTING, token):
        case None:
            return None
        case (int(created_at), str(silence_id)) if abs(created_at) < 2**63:
            return created_at, silence_id
        case _:
            raise bad_page_token()


def silence_view(silence: Silence, now: datetime) -> pb.Silence:
    """As the API shows it at ``now``."""
    view = _message(silence)
    view.active, change = _times(silence, now)
    if change is not None:
        view.next_change_time.FromDatetime(change)
    return view


def _message(silence: Silence) -> pb.Silence:
    """What is stored of it."""
    return pb.Silence(
        silence_id=silence.silence_id,
        rule=silence.rule,
        start_time=moment_to_proto(silence.start),
        end_time=moment_to_proto(silence.end),
        weekly=silence.weekly,
        time_zone=silence.time_zone,
        comment=silence.comment,
        author=silence.author,
        create_time=moment_to_proto(silence.created_at),
    )


def _times(silence: Silence, now: datetime) -> tuple[bool, datetime | None]:
    """Whether it holds, and when that changes next."""
    try:
        schedule = schedule_of(silence)
    except (ValueError, LookupError, OSError):
        # Of a later release, or its zone is gone from this machine: it silences nothing.
        return False, None
    return is_active(schedule, now), next_change(schedule, now)
