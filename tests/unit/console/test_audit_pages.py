"""Three logs as one list: in order, in pages, with nothing twice and nothing left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.console.audit_pages import Place, Places, merged, read, spell
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1.audit_service_pb2 import AuditEntry, ListAuditEntriesResponse

LOG = st.lists(st.integers(0, 30), max_size=25)


def answered(log: list[AuditEntry], token: str, size: int) -> ListAuditEntriesResponse:
    start = int(token or 0)
    end = start + size
    return ListAuditEntriesResponse(
        entries=log[start:end], next_page_token=f"{end}" if end < len(log) else ""
    )


def entries(times: list[int]) -> list[AuditEntry]:
    found = []
    for sequence, seconds in enumerate(sorted(times), 1):
        entry = AuditEntry(sequence=sequence)
        entry.time.FromSeconds(seconds)
        found.append(entry)
    return found[::-1]


@given(st.fixed_dictionaries(dict.fromkeys(SERVICES, LOG)), st.integers(1, 7))
def test_every_entry_is_on_one_page_and_in_order(
    times: dict[ServiceName, list[int]], size: int
) -> None:
    logs = {service: entries(each) for service, each in times.items()}
    places: Places = read([], SERVICES)
    seen = []
    for _ in range(100):
        answers = {
            service: answered(logs[service], place.page_token, size)
            for service, place in places.items()
        }
        found, following = merged(places, answers, size)
        seen += [(each.service, each.entry.sequence, each.entry.time.seconds) for each in found]
        if not following:
            break
        assert read(spell(following), SERVICES) == following
        places = following
    assert len(seen) == len(set(seen)) == sum(map(len, logs.values()))
    moments = [each[2] for each in seen]
    assert moments == sorted(moments, reverse=True)


def test_a_service_that_does_not_answer_stays_where_it_was() -> None:
    log = entries(list(range(9)))
    places = {"config": Place(), "router": Place("5", 2)}
    _, following = merged(places, {"config": answered(log, "", 4)}, 4)  # type: ignore[arg-type]  # names of services
    assert following == {"config": Place("4"), "router": Place("5", 2)}


def test_an_address_that_somebody_made_up_is_no_place() -> None:
    assert read(["x", "config", "config~-1~", "nobody~1~", "config~x~"], SERVICES) == {}
