"""Nothing that an event, a peer or a description holds becomes markup, script or a way out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, Request

from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.browser.hostile import Hostile, running_hostile
from tests.browser.vectors import CALL, FAMILIES, VECTORS

EVENT_PAGES = 3
"""Of each so many events the own page is opened."""

LISTENING = """
window.__heard = new Promise(heard =>
  document.addEventListener("securitypolicyviolation", breach =>
    __breach(`${breach.violatedDirective} ${breach.blockedURI} ${breach.sample}`).then(heard)));
"""

# What is no element, no attribute and no address that a page of ours would have. Styles are left to
# the policy, which reports those of markup and lets our scripts set theirs.
STRANGE = """async () => {
  await new Promise(requestAnimationFrame);  // what runs at once has run
  const strange = [];
  const safe = url => /^https?:$/.test(new URL(url, location.href).protocol);
  const local = url => new URL(url, location.href).origin === location.origin;
  for (const each of document.querySelectorAll("*")) {
    const say = what => strange.push(`${what}: ${each.outerHTML.slice(0, 160)}`);
    if (/pwned/i.test(each.tagName)) say("an element of theirs");
    for (const { name, value } of each.attributes) {
      if (/^(on|hx-on|data-hx)/i.test(name)) say(`the attribute ${name}`);
      if (/pwned/i.test(name)) say("an attribute of theirs");
      if (/^(href|xlink:href|src|action|formaction|data|poster|background)$/i.test(name)
          && !value.startsWith("#") && !safe(value)) say(`an address in ${name}`);
      if (/^(hx-get|hx-post|hx-delete|sse-connect|action|formaction|src)$/i.test(name)
          && !local(value)) say(`another origin in ${name}`);
    }
    if (each.matches("a[href]") && !local(each.href) && !/noopener/.test(each.rel))
      say("a link that hands over the opener");
    if (each.matches("base, object, embed, marquee, meta[http-equiv]")) say("no element of ours");
  }
  return strange;
}"""


@dataclass
class Alarm:
    """What rang on the pages of a context. Without slots: Playwright keeps notes on it."""

    rung: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        context.expose_function("__pwned", lambda *_: self.rung.append("a script ran"))
        context.expose_function("__breach", lambda what: self.rung.append(f"reported: {what}"))
        context.add_init_script(LISTENING)
        context.on("dialog", self._dismiss)
        context.on("request", self._notice)

    def _dismiss(self, dialog: Dialog) -> None:
        self.rung.append("a dialog")
        dialog.dismiss()

    def _notice(self, request: Request) -> None:
        if request.url.endswith("/csp-report"):
            self.rung.append("reported by the browser")


@pytest.fixture
def alarm(context: BrowserContext) -> Alarm:
    alarm = Alarm()
    alarm.watch(context)
    return alarm


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    with running_hostile(tmp_path_factory.mktemp("hostile") / "home") as running:
        yield running


def test_the_corpus_has_vectors_of_every_kind() -> None:
    assert len(VECTORS) >= 150
    assert len(set(VECTORS.values())) == len(VECTORS)
    assert all(FAMILIES.values())


@pytest.mark.parametrize(
    "harm",
    [
        f"<img src=x onerror={CALL}>",
        "<pwned></pwned>",
        "<p data-pwned></p>",
        "<a href='javascript:1'>x</a>",
        "<a href='https://example.com/'>x</a>",
        "<div hx-get='//example.com/'></div>",
    ],
)
def test_the_alarm_rings_where_a_text_is_markup(
    harm: str, alarm: Alarm, page: Page, hostile: Hostile
) -> None:
    page.route("**/harm", lambda route: route.fulfill(body=harm, content_type="text/html"))
    page.goto(f"{hostile.console.base}/harm")
    if CALL in harm:
        page.evaluate("() => document.querySelector('img').decode().catch(() => 0)")
    assert page.evaluate(STRANGE) or alarm.rung


def test_the_alarm_hears_a_breach_of_the_policy(alarm: Alarm, page: Page, hostile: Hostile) -> None:
    page.goto(f"{hostile.console.base}/settings")
    harm = f"<img src=x onerror={CALL}>"
    with page.expect_request("**/csp-report"):
        page.evaluate("harm => document.body.insertAdjacentHTML('beforeend', harm)", harm)
    page.evaluate("() => __heard")
    assert alarm.rung
    assert "a script ran" not in alarm.rung


PATHS = {
    "overview": ("/",),
    "inbox": (
        "/inbox",
        "/inbox?source=backup&text=%3Cimg%20data-pwned%20src=x%20onerror=__pwned(1)%3E",
        "/inbox?actor=%22%3E%3Cb%20data-pwned%3E&resource=%27%3E%3Cb%20data-pwned%3E",
        "/inbox?task=javascript:__pwned(1)&group=%3Cb%20data-pwned%3E",
    ),
    "tasks": (
        "/tasks",
        "/tasks?reason=%22%3E%3Cb%20data-pwned%3E&event=%22%3E%3Cb%20data-pwned%3E",
    ),
    "queue": ("/queue",),
    "digests": ("/digests",),
    "datastores": ("/datastores",),
    "coverage": ("/coverage",),
    "targets": ("/targets",),
    "target": ("/targets/t1",),
    "target-edit": ("/targets/t1/edit",),
    "groups": ("/groups",),
    "group": ("/groups/g1",),
    "group-edit": ("/groups/g1/edit",),
    "silences": ("/silences",),
    "silence-new": ("/new-silence?rule=%22%3E%3Cimg%20data-pwned%20src=x%20onerror=__pwned(1)%3E",),
    "templates": ("/templates",),
    "settings": ("/settings",),
    "tokens": ("/tokens",),
    "audit": ("/audit",),
}
"""Where texts of others are shown, by the name of the page."""


@pytest.mark.parametrize(
    "path",
    [path for paths in PATHS.values() for path in paths],
)
def test_nothing_runs_on_a_page(path: str, alarm: Alarm, page: Page, hostile: Hostile) -> None:
    _visit(page, hostile.console, path)
    # A list goes on for pages.
    for _ in range(9):
        following = page.locator("nav.pages a[rel=next]")
        if not following.count():
            break
        following.click()
        settle(page)
        _inspect(page)
    assert not alarm.rung


def test_nothing_runs_on_the_page_of_a_delivery(alarm: Alarm, page: Page, hostile: Hostile) -> None:
    # With what a peer replied.
    for delivery_id in hostile.dead_deliveries()[:5]:
        _visit(page, hostile.console, f"/tasks/{delivery_id}")
    assert not alarm.rung


@pytest.mark.parametrize("first", range(EVENT_PAGES))
def test_nothing_runs_on_the_page_of_an_event(
    first: int, alarm: Alarm, page: Page, hostile: Hostile
) -> None:
    # Of nine events; together with the lists every vector is seen in several fields.
    for event_id in hostile.event_ids[first :: len(hostile.event_ids) // 9]:
        _visit(page, hostile.console, f"/events/{quote(event_id, safe='')}")
    assert not alarm.rung


def test_nothing_runs_where_a_digest_is_to_gather_such_events(
    alarm: Alarm, page: Page, hostile: Hostile
) -> None:
    for event_id in hostile.event_ids[:: len(hostile.event_ids) // 5]:
        for like in ("resource", "type"):
            asked = f"gather={quote(event_id, safe='')}&like={like}"
            _visit(page, hostile.console, f"/groups/g1/edit?{asked}")
            assert page.locator("#gather").count()
    assert not alarm.rung


def test_an_address_is_no_markup_either(alarm: Alarm, page: Page, hostile: Hostile) -> None:
    # Pages that are not there, and parameters that nobody knows.
    for vector in tuple(VECTORS.values())[::12]:
        for path in (f"/{quote(vector, safe='')}", f"/settings?x={quote(vector, safe='')}"):
            answer = page.goto(hostile.console.base + path)
            # Chromium shows a bare text in a page of its own.
            if answer is not None and "html" in answer.headers["content-type"]:
                _inspect(page)
    assert not alarm.rung


def _visit(page: Page, console: Console, path: str) -> None:
    answer = page.goto(console.base + path)
    assert answer is not None
    assert answer.status == 200, f"{path}: {answer.status}"
    settle(page)
    _inspect(page)


def _inspect(page: Page) -> None:
    strange = page.evaluate(STRANGE)
    assert not strange, "\n".join([page.url, *strange])
