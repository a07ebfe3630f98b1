"""The inbox: every event, found by filters, marked, and never out of reach."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.support.console import Console, Page

from ibs_notify.console.pages import event_tally
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


async def emit(console: Console, **fields: Any) -> str:
    event = event_pb2.Event(**{"type": "backup.failed", "subject": "A backup failed", **fields})
    answer = await console.api.call(console.api.router.Emit, pb.EmitRequest(event=event))
    return answer.event_id


async def state_of(console: Console, event_id: str) -> str:
    request = pb.GetEventRequest(event_id=event_id)
    found = await console.api.call(console.api.router.GetEvent, request)
    return pb.InboxState.Name(found.event.inbox_state).removeprefix("INBOX_STATE_").lower()


def rows(page: Page) -> list[str]:
    return re.findall(r'href="/events/([^"/]+)"', page.text)


async def test_an_empty_inbox_says_how_to_fill_it(console: Console) -> None:
    page = await console.browser.get("/inbox")
    assert page.says("No event yet")
    assert page.says("ironcore-backup notification emit")


async def test_filters_live_in_the_address(console: Console) -> None:
    failed = await emit(console, event_id="evt-failed", resource="tank:vm/1")
    done = await emit(console, event_id="evt-done", type="backup.completed", subject="Done")
    everything = await console.browser.get("/inbox")
    assert rows(everything) == [done, failed]
    assert rows(await console.browser.get("/inbox?severity=error")) == [failed]
    assert rows(await console.browser.get("/inbox?type=backup.completed,sync.failed")) == [done]
    assert rows(await console.browser.get("/inbox?text=VM/1&rule=severity+>%3D+error")) == [failed]
    page = await console.browser.get("/inbox?resource=tank:vm&severity=error&text=")
    assert page.url.endswith("/inbox?severity=error&resource=tank:vm")
    assert 'href="/inbox?severity=error" title="Remove this filter"' in page.text
    assert page.says("inbox list --all")


async def test_a_filter_that_there_is_not_is_passed_over_and_named(console: Console) -> None:
    page = await console.browser.get("/inbox?q=nightly&severity=error")
    assert page.says("The inbox has no filter “q”: passed over.")
    assert page.url.endswith("/inbox?severity=error")
    assert not (await console.browser.get(page.url.removeprefix(console.browser.base))).says("“q”")


async def test_a_fault_of_a_filter_is_shown_at_its_field(console: Console) -> None:
    page = await console.browser.get("/inbox?rule=severity+is+bad&severity=error")
    assert page.status == 422
    assert 'id="e-rule"' in page.text
    assert "severity is bad" in page.text
    # Whatever else the filter asks for, the place is that of what was written.
    page = await console.browser.get(
        "/inbox?rule=type+%3D+a.b+and%0Aseverity+is+bad&severity=only-error"
    )
    assert page.status == 422
    assert page.says("line 2, column 10: unknown operator `is`")
    page = await console.browser.get("/inbox?rule=type+%3D+a)+or+(type+%3D+b&severity=only-error")
    assert page.says("line 1, column 9: `)` closes nothing")
    page = await console.browser.get("/inbox?after=soon")
    assert page.status == 422
    assert 'id="e-after"' in page.text


@pytest.mark.parametrize(
    "bounds",
    [
        "before=0001-01-01T00:00:00",
        "after=9999-12-31T23:59:59",
        "after=0001-01-01&before=8999-12-31",
    ],
)
async def test_a_time_beyond_all_calendars_is_a_fault_or_an_answer(
    console: Console, bounds: str
) -> None:
    assert (await console.browser.get(f"/inbox?{bounds}")).status == 422
    for part in ("chart", "counts"):
        assert (await console.browser.get(f"/inbox/{part}?{bounds}")).says("is no time")
    widest = "after=1970-01-01&before=8999-12-31"
    assert (await console.browser.get(f"/inbox/chart?{widest}")).status == 200


async def test_pages_stay_as_they_were_while_events_arrive(console: Console) -> None:
    first = [await emit(console, event_id=f"evt-{number:03}") for number in range(60)]
    page = await console.browser.get("/inbox")
    assert rows(page) == first[:9:-1]
    following = re.search(r'href="([^"]*page_token=[^"]+)"', page.text)
    assert following is not None
    await emit(console, event_id="evt-later")
    second = await console.browser.get(following[1])
    assert rows(second) == first[9::-1]
    assert "data-live" not in second.text
    assert second.says("First page")


async def test_a_row_is_marked_and_the_mark_taken_back(console: Console) -> None:
    event_id = await emit(console)
    marked = {"one": f"archived unread {event_id}", "back": "/inbox?severity=error"}
    page = await console.browser.post("/inbox/mark", marked)
    assert page.url.endswith("/inbox?severity=error")
    assert page.says("1 event marked archived.")
    assert not rows(page)
    assert await state_of(console, event_id) == "archived"
    assert rows(await console.browser.get("/inbox?state=archived")) == [event_id]
    undo = {"undo": f"unread {event_id}", "back": "/inbox"}
    assert rows(await console.browser.post("/inbox/mark", undo)) == [event_id]
    assert await state_of(console, event_id) == "unread"


async def test_a_script_is_answered_with_the_row_alone(console: Console) -> None:
    event_id = await emit(console)
    fields = {"one": f"read unread {event_id}", "back": "/inbox", "shown": "unread,read"}
    page = await console.browser.post("/inbox/mark", fields, **{"HX-Request": "true"})
    assert page.text.strip().startswith("<tr")
    assert rows(page) == [event_id]
    fields = {"one": f"archived read {event_id}", "back": "/inbox", "shown": "unread,read"}
    page = await console.browser.post("/inbox/mark", fields, **{"HX-Request": "true"})
    assert "<tr" not in page.text
    assert page.says("Undo")


async def test_ticked_rows_are_marked_together(console: Console) -> None:
    ids = [await emit(console, event_id=f"evt-{number}") for number in range(3)]
    ticked = [("event", f"unread {each}") for each in ids[:2]]
    page = await console.browser.post("/inbox/mark", [*ticked, ("state", "read")])
    assert page.status == 200
    assert [await state_of(console, each) for each in ids] == ["read", "read", "unread"]


async def test_all_that_match_are_counted_first_and_later_ones_stay(console: Console) -> None:
    early = await emit(console, event_id="evt-early")
    other = await emit(console, event_id="evt-other", type="backup.completed")
    page = await console.browser.get("/inbox/mark-all?severity=error&mark=archived")
    assert page.says("1 event will be marked archived")
    up_to = re.search(r'name="up_to" value="(\d+)"', page.text)
    assert up_to is not None
    later = await emit(console, event_id="evt-later")
    done = await console.browser.post(
        "/inbox/mark-all?severity=error", {"mark": "archived", "up_to": up_to[1]}
    )
    assert done.says("1 event marked archived.")
    assert [await state_of(console, each) for each in (early, other, later)] == [
        "archived",
        "unread",
        "unread",
    ]


async def test_today_stays_today_when_the_filters_are_shown_again(console: Console) -> None:
    page = await console.browser.get("/inbox?after=today&severity=error")
    assert '<input type="hidden" name="after" value="today">' in page.text
    field = page.text.partition('id="f-after"')[2].partition(">")[0]
    assert 'value=""' in field
    assert page.says("Empty: today.")
    assert 'aria-current="true" title="Whenever">Today' in page.text
    # What Show sends: the hidden one and the empty field; a date that is written goes first.
    page = await console.browser.get("/inbox?after=today&after=&severity=error")
    assert page.says("after: today")
    page = await console.browser.get("/inbox?after=today&after=2026-11-27T00:00")
    assert page.says("after: 2026-11-27T00:00")


async def test_counts_are_of_what_is_in_the_view(console: Console) -> None:
    for word in ("INFO", "WARNING", "ERROR", "CRITICAL"):
        await emit(console, type="backup.failed", severity=f"SEVERITY_{word}")
    page = await console.browser.get("/inbox/counts?severity=error")
    assert page.says("critical 1 , 1 unread")
    assert page.says("error 1 , 1 unread")
    assert not page.says("warning 1")
    assert not page.says("info 1")


async def test_counts_lead_to_each_severity(console: Console) -> None:
    for number in range(3):
        await emit(console, event_id=f"evt-{number}")
    await emit(console, event_id="evt-done", type="backup.completed")
    page = await console.browser.get("/inbox/counts?source=backup")
    assert page.says("error 3 , 3 unread info 1 , 1 unread")
    assert 'href="/inbox?source=backup&amp;severity=only-error"' in page.text
    page = await console.browser.get("/inbox/counts?text=evt-1")
    assert page.says("error 1")
    assert not page.says("info 1")


async def test_the_chart_is_a_way_to_each_hour(console: Console) -> None:
    await emit(console)
    page = await console.browser.get("/inbox/chart?severity=error")
    assert page.status == 200
    assert re.search(r'href="/inbox\?severity=error&amp;after=[^"]+&amp;before=', page.text)


async def test_no_text_of_an_event_is_ever_markup(console: Console) -> None:
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    await emit(console, subject=evil, resource=evil, actor=evil, task_id=evil, labels={"k": evil})
    for path in ("/inbox", "/inbox?text=alert"):
        page = await console.browser.get(path)
        assert len(rows(page)) == 1
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text


async def test_a_severity_alone_is_shown_counted_and_archived(console: Console) -> None:
    error = await emit(console, event_id="evt-error")
    info = [
        await emit(console, event_id=f"evt-{n}", type="backup.completed", severity="SEVERITY_INFO")
        for n in range(2)
    ]
    assert rows(await console.browser.get("/inbox?severity=only-info")) == info[::-1]
    page = await console.browser.get("/inbox/mark-all?severity=only-info&mark=archived")
    assert page.says("2 events will be marked archived")
    assert page.says("severity: info only")
    sent = {"mark": "archived", "up_to": "9"}
    done = await console.browser.post("/inbox/mark-all?severity=only-info", sent)
    assert done.says("2 events marked archived.")
    assert rows(await console.browser.get("/inbox")) == [error]


async def test_what_a_rule_matches_is_counted_before_it_is_marked_and_can_be_undone(
    console: Console,
) -> None:
    ids = [await emit(console, event_id=f"evt-{n}", actor=f"a{n % 2}") for n in range(4)]
    address = "/inbox/mark-all?rule=actor+%3D+a1"
    page = await console.browser.get(f"{address}&mark=archived")
    assert page.says("2 events will be marked archived")
    done = await console.browser.post(address, {"mark": "archived", "up_to": "9"})
    undo = re.search(r'name="undo" value="([^"]+)"', done.text)
    assert undo is not None
    back = await console.browser.post("/inbox/mark", {"undo": undo[1], "back": "/inbox"})
    assert rows(back) == ids[::-1]
    assert [await state_of(console, each) for each in ids] == ["unread"] * 4


async def test_of_too_many_so_many_are_told_and_where_they_went(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tally, "MOST", 2)
    monkeypatch.setattr(event_tally, "_AT_ONCE", 2)
    for n in range(3):
        await emit(console, event_id=f"evt-{n}")
    address = "/inbox/mark-all?text=evt"
    page = await console.browser.get(f"{address}&mark=archived")
    assert page.says("At least 2 events will be marked archived")
    done = await console.browser.post(address, {"mark": "archived", "up_to": "9"})
    assert done.says("3 events marked archived. Look at them")
    assert 'href="/inbox?text=evt&amp;state=archived"' in done.text


async def test_the_id_of_an_archived_event_leads_to_it(console: Console) -> None:
    event_id = await emit(console, event_id="evt-archived", subject="Out of the way")
    archived = {"one": f"archived unread {event_id}"}
    await console.browser.post("/inbox/mark", archived)
    page = await console.browser.get(f"/inbox?text={event_id}")
    assert page.url.endswith(f"/events/{event_id}")
    page = await console.browser.get("/inbox?text=way")
    assert page.says("1 event in Everything")
    part = await console.browser.get("/inbox?text=way", **{"HX-Request": "true"})
    assert part.says("1 event in Everything")
    page = await console.browser.get("/inbox?text=nowhere")
    assert page.says("No event is like that.")


async def test_a_bare_name_is_understood_as_the_datastore(console: Console) -> None:
    below = await emit(console, event_id="evt-below", resource="ibs-primary:vm/1")
    page = await console.browser.get("/inbox?resource=ibs-primary")
    assert rows(page) == [below]
    assert page.url.endswith("/inbox?resource=ibs-primary:")
    itself = await emit(console, event_id="evt-itself", resource="ibs-primary")
    page = await console.browser.get("/inbox?resource=ibs-primary")
    assert rows(page) == [itself]
    assert page.says("The datastore is ibs-primary:")


async def test_days_are_links(console: Console) -> None:
    event_id = await emit(console)
    page = await console.browser.get("/inbox")
    assert 'href="/inbox?after=today"' in page.text
    assert rows(await console.browser.get("/inbox?after=1+h+ago")) == [event_id]
    assert not rows(await console.browser.get("/inbox?after=yesterday&before=today"))
