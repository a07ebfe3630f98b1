"""Coverage on the overview, the list of datastores and the page of each say the same of each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from tests.rpc.console.test_overview_page import emit
from tests.support.console import Console
from tests.support.console_work import add_group, add_webhook
from tests.support.http_server import HttpServer
from tests.support.writes import PATIENCE_SECONDS

from ibs_notify.domain.catalogue import ABOUT_DATASTORES
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import config_service_pb2 as config
from ironcore.notification.v1 import delivery_service_pb2 as delivery
from ironcore.notification.v1 import router_service_pb2 as router
from ironcore.notification.v1.event_pb2 import SEVERITY_CRITICAL
from ironcore.notification.v1.group_pb2 import GROUP_SCOPE_ATTACHED
from ironcore.notification.v1.target_pb2 import PushgatewayTarget, SmtpTarget, Target

ERRORS = {each.name for each in ABOUT_DATASTORES if each.severity >= Severity.ERROR}
CRITICAL = {each.name for each in ABOUT_DATASTORES if each.severity is Severity.CRITICAL}
UNHEARD: Mapping[str, Collection[str]] = {
    "heard": (),
    "silenced": (),
    "verified": {each for each in ERRORS if not each.startswith("verify.")},
    "nearly": {"sync.integrity-error"},
    "in-part": ERRORS,
    "counted": ERRORS,
    "disabled": ERRORS,
    "unaddressed": ERRORS,
    "failing": (),
    "half": (),
    "partly": (),
}
"""By datastore, the errors and worse that nobody is told of by the rules."""
WAITING: Mapping[str, Collection[str]] = {"failing": ERRORS, "partly": ERRORS - CRITICAL}
"""The same of what nobody is told of until a target works again."""
RULES = {
    "heard": {"chat": "*"},
    "silenced": {"chat": "severity >= warning"},
    "verified": {"chat": "type starts-with verify."},
    "nearly": {"chat": "severity >= error and type != sync.integrity-error"},
    "in-part": {"chat": "*"},
    "disabled": {"off": "*"},
    "unaddressed": {"mail": "*"},
    "failing": {"down": "*", "off": "*"},
    "half": {"down": "*", "chat": "*"},
    "partly": {"down": "severity >= error", "chat": "severity = critical"},
}


@pytest.fixture(autouse=True)
async def installed(console: Console) -> AsyncIterator[None]:
    async with HttpServer() as peer:
        await install(console, peer.url())
        yield


async def install(console: Console, url: str) -> None:
    """``chat`` works, ``down`` fails."""
    api = console.api
    await add_webhook(api, "chat", url)
    down = await add_webhook(api, "down", "http://127.0.0.1:9/")
    await add_webhook(api, "off", "http://127.0.0.1:9/", disabled=True)
    for target in (
        Target(name="mail", smtp=SmtpTarget(server="127.0.0.1", port=9)),
        Target(name="gauge", pushgateway=PushgatewayTarget(url="http://127.0.0.1:9/")),
    ):
        await api.call(api.config.CreateTarget, config.CreateTargetRequest(target=target))
    await add_group(api, "counters", {"gauge": "*"})
    for name, rules in RULES.items():
        place = "/datastore/in-part/production" if name == "in-part" else f"/datastore/{name}"
        attached = {"scope": GROUP_SCOPE_ATTACHED, "attachments": [place]}
        await add_group(api, f"on-{name}", rules, **attached)
    silence = router.Silence(rule="resource under /datastore/silenced", comment="disks are changed")
    silence.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    await api.call(api.router.CreateSilence, router.CreateSilenceRequest(silence=silence))
    for name in UNHEARD:
        await emit(api, resource=f"{name}:production/vm/1")
    request = delivery.GetTargetStatusRequest(target_uid=down.uid)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status = await api.call(api.delivery.GetTargetStatus, request)
            if status.HasField("failing_since"):
                return


def by_coverage(answer: router.GetCoverageResponse, name: str) -> set[str]:
    """What coverage finds that nobody hears of about the datastore."""
    place, found = f"/datastore/{name}", set()
    for each in answer.findings:
        if each.kind == router.COVERAGE_KIND_UNHEARD_RESOURCE and each.subject == place:
            return ERRORS
        if each.kind == router.COVERAGE_KIND_UNHEARD_PROBLEM and each.subject == place:
            found |= {error for error in ERRORS if error in each.sentence}
        if each.kind == router.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE and (
            "whatever" in each.sentence or re.search(rf"{place}\b(?!-)", each.sentence)
        ):
            found.add(each.subject)
    return found


def waiting_by_coverage(answer: router.GetCoverageResponse, name: str) -> set[str]:
    """What it finds that nobody hears of about the datastore until a target works again."""
    found: set[str] = set()
    for each in answer.findings:
        if each.kind == router.COVERAGE_KIND_WAITING_ERROR:
            assert each.subject == "down"
            for part in each.sentence.split(", nor "):
                if re.search(rf"/datastore/{name}\b(?!-)", part):
                    found |= ERRORS if "any error" in part else {it for it in ERRORS if it in part}
    return found


def types_in(text: str) -> list[str]:
    return re.findall(r"<code>(.*?)</code>", text)


async def test_the_three_say_the_same_of_every_datastore(console: Console) -> None:
    answer = await console.api.call(console.api.router.GetCoverage, router.GetCoverageRequest())
    overview = await console.browser.get("/overview/coverage")
    gaps, _, silences = overview.words.partition("Silences that hide errors")
    assert "sil-1 hides until" in silences
    listed = (await console.browser.get("/datastore-list")).text
    for name, unheard in UNHEARD.items():
        assert by_coverage(answer, name) == set(unheard), name
        waiting = set(WAITING.get(name, ()))
        assert waiting_by_coverage(answer, name) == waiting, name
        assert (f"/datastore/{name}" in gaps) is bool(unheard or waiting), name
        (row,) = re.findall(rf'<tr data-row.*?href="/datastores/{name}".*?</tr>', listed, re.DOTALL)
        row = row[row.rindex("<tr data-row") :]
        page = (await console.browser.get(f"/datastores/{name}/listeners")).text
        for text in (row, page):
            assert ("down</a>" in text) is (name in ("failing", "half", "partly")), name
        wait = "".join(re.findall(r"<b>Nobody hears now of (.*?)\.</b>", page, re.DOTALL))
        named = ERRORS if "any problem" in wait else ERRORS.intersection(types_in(wait))
        assert named == waiting, name
        assert ("nobody hears now of</span> any problem<" in row) is (waiting == ERRORS), name
        of_row = "".join(re.findall(r">nobody hears now of</span>(.*?)</div>", row, re.DOTALL))
        assert waiting == ERRORS or set(types_in(of_row)) == waiting, name
        of_page = re.findall(r"<b>Nobody hears of (.*?)\.</b>", page, re.DOTALL)
        assert {each for text in of_page for each in types_in(text)} & ERRORS == set(unheard), name
        if set(unheard) == ERRORS:
            assert "nobody hears of any problem<" in row, name
            continue
        # The gravest first, of many only some, and how many more.
        line = "".join(re.findall(r">nobody hears of</span>(.*?)</div>", row, re.DOTALL))
        shown = types_in(line)
        more = sum(int(each) for each in re.findall(r"and (\d+) more", line))
        every = [each for text in of_page for each in types_in(text)]
        assert shown == every[: len(shown)], name
        assert len(shown) + more == len(every), name


async def test_a_silence_is_said_first_and_is_no_gap(console: Console) -> None:
    page = await console.browser.get("/datastores/silenced/listeners")
    assert page.says("It is silenced until")
    assert page.says(
        "(alice: disks are changed). Of what comes meanwhile, nobody is told of anything"
    )
    assert not page.says("Nobody hears of backup")
    assert 'class="banner failed"' not in page.text
    assert 'href="/silences#sil-1"' in page.text
    assert (await console.browser.get("/datastore-list")).says("silenced until")
    assert (await console.browser.get("/overview/silences")).says("sil-1 until")


async def test_what_hears_of_a_part_is_named(console: Console) -> None:
    listed = await console.browser.get("/datastore-list")
    assert listed.says("of a part of it: on-in-part")
    page = await console.browser.get("/datastores/in-part/listeners")
    assert page.says("Of a part of it that is attached, on-in-part hears.")


async def test_a_disabled_target_is_marked_in_its_group(console: Console) -> None:
    assert (await console.browser.get("/groups/on-disabled")).says("off disabled")
    assert not (await console.browser.get("/groups/on-heard")).says("chat disabled")


async def test_who_hears_of_a_datastore_says_of_what(console: Console) -> None:
    page = await console.browser.get("/groups?resource=verified:")
    assert page.says("tells of verify.corrupt , verify.failed , verify.stale , verify.completed")
    assert page.says("of 14 types not")
    assert page.says("tells nobody of it")  # the counters
    page = await console.browser.get("/groups?resource=failing:")
    assert page.says("/datastore/failing tells nobody of it")
    await add_group(console.api, "corrupt", {"chat": "type = verify.corrupt"})
    listed = await console.browser.get("/groups")
    assert listed.says("anything that a rule of it matches")


async def test_an_event_that_was_told_is_not_called_unheard(console: Console) -> None:
    """Its emitter called it critical; about another datastore nobody would be told."""
    api = console.api
    for name in ("heard", "verified"):
        request = router.EmitRequest()
        request.event.type, request.event.resource = "backup.failed", f"{name}:vm/1"
        request.event.severity = SEVERITY_CRITICAL
        await api.call(api.router.Emit, request)
    answer = await api.call(api.router.GetCoverage, router.GetCoverageRequest())
    kind = router.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE
    (found,) = [
        each for each in answer.findings if (each.kind, each.subject) == (kind, "backup.failed")
    ]
    assert found.sentence == "about /datastore/verified it would reach only the inbox"
    assert found.event_count == 1
    assert (await console.browser.get("/overview/coverage")).says("1 event reached only the inbox")


async def test_a_target_that_fails_is_marked_where_others_tell_all_the_same(
    console: Console,
) -> None:
    page = await console.browser.get("/datastores/half/listeners")
    assert page.says("on-half → down fails since")
    assert page.says("(last answer: ")
    assert page.says("what is meant for it waits.")
    assert not page.says("Nobody hears now of")
    assert "down </a>" not in (await console.browser.get("/datastores/heard/listeners")).text


async def test_without_delivery_nothing_is_said_to_be_well(console: Console) -> None:
    await console.stop("delivery")
    assert (await console.browser.get("/datastore-list")).says("How targets fare is not known now")
    page = await console.browser.get("/datastores/failing/listeners")
    assert page.says("How targets fare is not known now: what is here is by the rules alone.")
    assert not page.says("fails since")


async def test_what_waits_is_not_said_to_be_in_the_inbox_only(console: Console) -> None:
    for name, target in (("disabled", "off"), ("unaddressed", "mail")):
        page = await console.browser.get(f"/datastores/{name}/listeners")
        assert page.says(f"Such events are in the inbox, and wait for {target} .")
        assert not page.says("in the inbox only")
    page = await console.browser.get("/datastores/verified/listeners")
    assert page.says("Such events are in the inbox only.")
