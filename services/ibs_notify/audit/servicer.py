"""AuditService on the wire: the log of the service that it runs in."""

from __future__ import annotations

from typing import Any

import grpc

from ibs_notify.audit.entry import Entry, Head
from ibs_notify.audit.reading import Query, Verdict, page, verify
from ibs_notify.audit.tables import AuditTables
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.rpc.convert import is_moment, moment_from_proto, moment_to_proto
from ibs_notify.rpc.paging import page_size, page_token, read_page_number
from ibs_notify.store.database import Database
from ironcore.notification.v1 import audit_service_pb2 as pb
from ironcore.notification.v1.audit_service_pb2_grpc import AuditServiceServicer

HASH_BYTES = 32
_LISTING = "audit"
_Context = grpc.aio.ServicerContext[Any, Any]


class AuditServicer(AuditServiceServicer):
    """Reads; entries are written by the changes that they tell of."""

    def __init__(self, database: Database, log: AuditTables) -> None:
        self._database = database
        self._log = log

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: _Context
    ) -> pb.ListAuditEntriesResponse:
        size, query = page_size(request.page_size), _query(request)
        found = await self._database.read(lambda c: page(c, self._log, query, size))
        return pb.ListAuditEntriesResponse(
            entries=[_entry(each) for each in found.entries],
            next_page_token=page_token(_LISTING, found.entries[-1].sequence) if found.more else "",
        )

    async def VerifyAuditLog(
        self, request: pb.VerifyAuditLogRequest, context: _Context
    ) -> pb.VerifyAuditLogResponse:
        return _verdict(await verify(self._database, self._log, _known(request)))


def _query(request: pb.ListAuditEntriesRequest) -> Query:
    faults = [
        FieldViolation(name, "is not between the years 1 and 9999")
        for name in ("since", "until")
        if not is_moment(getattr(request, name))
    ]
    faults += [
        FieldViolation(name, "has a NUL character")
        for name in ("actor", "action_prefix", "subject")
        if "\0" in getattr(request, name)
    ]
    if faults:
        raise InvalidArgument.of(faults)
    return Query(
        before=read_page_number(_LISTING, request.page_token),
        actor=request.actor,
        action_prefix=request.action_prefix,
        subject=request.subject,
        since=moment_from_proto(request.since) if request.HasField("since") else None,
        until=moment_from_proto(request.until) if request.HasField("until") else None,
    )


def _known(request: pb.VerifyAuditLogRequest) -> Head | None:
    if not request.known_sequence and not request.known_hash:
        return None
    faults = []
    if request.known_sequence < 1:
        faults.append(FieldViolation("known_sequence", "is no number of an entry: 1 is the first"))
    if len(request.known_hash) != HASH_BYTES:
        faults.append(FieldViolation("known_hash", f"is not of {HASH_BYTES} bytes"))
    if faults:
        raise InvalidArgument.of(faults)
    return Head(request.known_sequence, request.known_hash)


def _entry(entry: Entry) -> pb.AuditEntry:
    return pb.AuditEntry(
        sequence=entry.sequence,
        time=moment_to_proto(entry.moment),
        actor=entry.actor,
        action=entry.act.action,
        subject=entry.act.subject,
        before=entry.act.before,
        after=entry.act.after,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


def _verdict(verdict: Verdict) -> pb.VerifyAuditLogResponse:
    return pb.VerifyAuditLogResponse(
        intact=verdict.flaw is None,
        count=verdict.end.sequence,
        last_hash=verdict.end.hash,
        broken_sequence=verdict.broken,
        fault="" if verdict.flaw is None else verdict.flaw.value,
    )
