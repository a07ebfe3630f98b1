"""Audit: who changed what, and the proof that nobody rewrote it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from aiohttp import web

from ibs_notify.console.audit_pages import merged, read, spell
from ibs_notify.console.commands import audit as command
from ibs_notify.console.forms import NO_FAULTS, REFUSED, faults_of, read_form
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import query
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.audit_words import said
from ibs_notify.console.wording.local_time import read_moment
from ibs_notify.domain.document_changes import changes
from ibs_notify.domain.errors import InvalidArgument, NotificationError
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1.audit_service_pb2 import (
    ListAuditEntriesRequest,
    ListAuditEntriesResponse,
    VerifyAuditLogRequest,
    VerifyAuditLogResponse,
)

PATH = "/audit"
ON_A_PAGE = 50
VERIFY_SECONDS = 120.0
_KNOWN = re.compile(r"(config|router|delivery):([1-9][0-9]{0,17}):([0-9a-f]{64})")
_FIELDS = ("service", "actor", "action", "subject", "after", "before")

Answer = TypeVar("Answer")


async def show(visit: Visit) -> web.StreamResponse:
    """The entries of all three logs, or of one, the newest first."""
    asked = visit.request.query
    filters = {name: asked.get(name, "").strip() for name in _FIELDS}
    services = [each for each in SERVICES if filters["service"] in ("", each)]
    request, faults = ListAuditEntriesRequest(), NO_FAULTS
    try:
        request = _request(filters, visit.time_zone)
    except InvalidArgument as error:
        faults = faults_of(error, {name: name for name in _FIELDS})
    places = read(asked.getall("at", []), services)
    # What comes in while somebody reads moves no page.
    pinned = asked.get("as_of", "") or f"{visit.now():%Y-%m-%dT%H:%M:%S.%f}Z"
    bounded = _bounded(request, pinned)

    def ask(service: ServiceName) -> Awaitable[ListAuditEntriesResponse]:
        page = ListAuditEntriesRequest()
        page.CopyFrom(bounded)
        page.page_token = places[service].page_token
        return visit.api.call(visit.api.audit(service).ListAuditEntries, page)

    answers, absent = await _each([] if faults.any else [*places], ask)
    found, following = merged(places, answers, ON_A_PAGE)
    return visit.render(
        "pages/audit.html",
        status=REFUSED if faults.any else 200,
        filters=filters,
        faults=faults,
        found=found,
        changes=changes,
        said=said,
        absent=absent,
        services=SERVICES,
        zone=visit.time_zone,
        next_url=query(PATH, **filters, as_of=pinned, at=spell(following)) if following else "",
        first_url=query(PATH, **filters) if asked.getall("at", []) else "",
        command=command.listed(filters["service"], request),
    )


async def verify(visit: Visit) -> web.StreamResponse:
    """Compute the hashes of each log anew."""
    noted = (await read_form(visit.request)).words("known")
    known = {found[1]: found for each in noted if (found := _KNOWN.fullmatch(each.lower()))}
    bad = [each for each in noted if not _KNOWN.fullmatch(each.lower())]

    def ask(service: ServiceName) -> Awaitable[VerifyAuditLogResponse]:
        request = VerifyAuditLogRequest()
        if service in known:
            request.known_sequence = int(known[service][2])
            request.known_hash = bytes.fromhex(known[service][3])
        method = visit.api.audit(service).VerifyAuditLog
        return visit.api.call(method, request, timeout=VERIFY_SECONDS)

    verdicts, absent = await _each([] if bad else [*SERVICES], ask)
    return visit.render(
        "pages/audit_verified.html",
        status=REFUSED if bad else 200,
        bad=bad,
        noted="\n".join(noted),
        verdicts=verdicts,
        absent=absent,
        to_note={
            service: f"{service}:{each.count}:{each.last_hash.hex()}"
            for service, each in verdicts.items()
            if each.intact and each.count
        },
        command=command.verify([] if bad else noted),
    )


async def _each(
    services: Sequence[ServiceName], ask: Callable[[ServiceName], Awaitable[Answer]]
) -> tuple[Mapping[ServiceName, Answer], Mapping[ServiceName, str]]:
    """The answers, and of those that gave none why; what may not be asked at all is raised."""
    ends = await asyncio.gather(*map(ask, services), return_exceptions=True)
    answers: dict[ServiceName, Answer] = {}
    absent: dict[ServiceName, str] = {}
    refusals = []
    for service, end in zip(services, ends, strict=True):
        if isinstance(end, NotificationError):
            absent[service] = end.message
            refusals.append(end)
        elif isinstance(end, BaseException):
            raise end
        else:
            answers[service] = end
    if refusals and not answers:
        raise refusals[0]
    return answers, absent


def _request(filters: Mapping[str, str], zone: str) -> ListAuditEntriesRequest:
    """``InvalidArgument`` names the field whose time cannot be read."""
    return ListAuditEntriesRequest(
        page_size=ON_A_PAGE,
        actor=filters["actor"],
        action_prefix=filters["action"],
        subject=filters["subject"],
        since=moment_to_proto(read_moment(filters["after"], zone, "after")),
        until=moment_to_proto(read_moment(filters["before"], zone, "before")),
    )


def _bounded(request: ListAuditEntriesRequest, pinned: str) -> ListAuditEntriesRequest:
    """``request`` until the moment that the first page was made, where it has no end of its own."""
    bounded = ListAuditEntriesRequest()
    bounded.CopyFrom(request)
    if not bounded.HasField("until"):
        try:
            bounded.until.FromDatetime(datetime.fromisoformat(pinned))
        except (ValueError, OverflowError):
            bounded.ClearField("until")
    return bounded


ROUTES = (Route("GET", PATH, show), Route("POST", f"{PATH}/verify", verify))
