"""A mail target that nobody receives from is said to be one wherever it is spoken of."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.rpc.console.test_overview_page import emit
from tests.rpc.console.test_start_page import SEND, done
from tests.support.console import Console
from tests.support.console_work import add_group, in_force

from ironcore.notification.v1 import config_service_pb2 as config
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import SmtpTarget, Target

ADVICE = "set Default recipients or the target's own"


async def bare_mail(console: Console) -> None:
    """``ops-smtp``, which nobody is to receive from, in ``ops-team``."""
    target = Target(name="ops-smtp", smtp=SmtpTarget(server="127.0.0.1", port=9))
    await console.api.call(
        console.api.config.CreateTarget, config.CreateTargetRequest(target=target)
    )
    await add_group(console.api, "ops-team", {"ops-smtp": "*"})


async def set_defaults(console: Console) -> None:
    request = config.UpdateSettingsRequest(settings=Settings(default_recipients=["a@example.com"]))
    request.update_mask.paths.append("default_recipients")
    answer = await console.api.call(console.api.config.UpdateSettings, request)
    await in_force(console.api, answer.settings.revision)


async def test_the_first_steps_are_not_done_before_somebody_receives(console: Console) -> None:
    await bare_mail(console)
    page = await console.browser.get("/start")
    assert done(page) == 1
    assert page.says(f"ops-smtp has no recipient: {ADVICE}")
    assert (await console.browser.get("/")).says("Next: Who receives the mails?")
    await set_defaults(console)
    page = await console.browser.get("/start")
    assert done(page) == 2
    assert not page.says("has no recipient")


async def test_an_event_that_waits_for_a_recipient_says_so(console: Console) -> None:
    await bare_mail(console)
    page = await console.browser.post("/start", SEND)
    event_id = parse_qs(urlsplit(page.url).query)["event"][0]
    sent = await console.browser.get(f"/start/sent?event={event_id}")
    while not sent.says("waiting"):
        sent = await console.browser.get(f"/start/sent?event={event_id}")
    assert sent.says(f"no recipient, {ADVICE}")
    event = await console.browser.get(f"/events/{event_id}")
    assert 'href="/settings#f-default_recipients">Default recipients' in event.text


async def test_every_page_of_the_target_and_its_group_says_it(console: Console) -> None:
    await bare_mail(console)
    await emit(console.api, resource="tank:vm/1")
    addresses = ("/targets", "/targets/ops-smtp", "/groups/ops-team", "/overview/trouble")
    for address in addresses:
        page = await console.browser.get(address)
        assert page.says("no recipient"), address
        assert 'href="/settings#f-default_recipients"' in page.text, address
        assert not page.says("no delivery yet"), address
        assert not page.says("Nothing was delivered yet"), address
    assert (await console.browser.get("/targets/ops-smtp")).says("Default recipients is empty, too")
    for address in ("/datastore-list", "/datastores/tank/listeners"):
        page = await console.browser.get(address)
        assert page.says("obody hears of"), address
        assert page.says("no recipient"), address
    coverage = await console.browser.get("/overview/coverage")
    assert coverage.says("nobody is told even if a backup of it fails")
    await set_defaults(console)
    for address in (*addresses, "/datastore-list", "/datastores/tank/listeners"):
        assert not (await console.browser.get(address)).says("no recipient"), address
    assert (await console.browser.get("/groups/ops-team")).says(
        "a@example.com (Default recipients)"
    )
