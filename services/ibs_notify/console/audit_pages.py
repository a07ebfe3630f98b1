"""One list of the logs of three services: the newest first, a page at a time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1.audit_service_pb2 import AuditEntry, ListAuditEntriesResponse

_BETWEEN = "~"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page goes on in the log of a service: behind ``skip`` entries of its own page."""

    page_token: str = ""
    skip: int = 0


Places = Mapping[ServiceName, Place]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, and the service of whose log it is."""

    service: ServiceName
    entry: AuditEntry


def merged(
    places: Places, answers: Mapping[ServiceName, ListAuditEntriesResponse], most: int
) -> tuple[Sequence[Found], Places]:
    """At most ``most`` entries, and where the next page goes on; nowhere: this was the last.

    It may be fewer, but some as long as any are left.
    A service that did not answer stays where it was, unless nothing else is left to show.
    """
    ahead = [
        Found(service, entry)
        for service, answer in answers.items()
        for entry in answer.entries[places[service].skip :]
    ]
    ahead.sort(key=_newest_first)
    shown: list[Found] = []
    for each in ahead[:most]:
        shown.append(each)
        answer = answers[each.service]
        if answer.next_page_token and each.entry.sequence == answer.entries[-1].sequence:
            break  # what follows it there is not known yet, and may be newer than the rest
    taken = {service: sum(each.service == service for each in shown) for service in answers}
    following: dict[ServiceName, Place] = {}
    for service, answer in answers.items():
        place = places[service]
        skip = place.skip + taken[service]
        if skip < len(answer.entries):
            following[service] = Place(place.page_token, skip)
        elif answer.next_page_token:
            following[service] = Place(answer.next_page_token)
    if following:
        following |= {each: place for each, place in places.items() if each not in answers}
    return shown, following


def _newest_first(found: Found) -> tuple[int, int, str]:
    time = found.entry.time
    return -time.seconds, -time.nanos, found.service


def spell(places: Places) -> list[str]:
    """As the address of a page has it; ``read`` is the way back."""
    return [_BETWEEN.join((each, f"{at.skip}", at.page_token)) for each, at in places.items()]


def read(texts: Sequence[str], asked: Sequence[ServiceName]) -> Places:
    """What does not look like a place is none; no places at all are the beginning."""
    if not texts:
        return dict.fromkeys(asked, Place())
    places: dict[ServiceName, Place] = {}
    for text in texts:
        name, _, rest = text.partition(_BETWEEN)
        skip, _, page_token = rest.partition(_BETWEEN)
        for service in SERVICES:
            if service == name and service in asked and skip.isascii() and skip.isdigit():
                places[service] = Place(page_token, int(skip[:4]))
    return places
