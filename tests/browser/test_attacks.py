"""What other sites try with the browser of somebody who is logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from aiohttp import web
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.axe import violations
from tests.browser.chromium import REBOUND
from tests.browser.secured import Secured
from tests.support.in_thread import in_thread

EVIL_ZONE = "Pacific/Chatham"
COOKIE = "__Host-ibs-notify"
OURS = "Ironcore"
"""In every page of the console."""


@dataclass(slots=True)
class Attacker:
    """Serves ``html`` on a port of its own: another origin, and as ``localhost`` another site."""

    html: str = ""
    port: int = 0

    def url(self, host: str) -> str:
        return f"http://{host}:{self.port}/"


@pytest.fixture(scope="module")
def attacker() -> Iterator[Attacker]:
    attacker = Attacker()

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        async def answer(request: web.BaseRequest) -> web.Response:
            return web.Response(text=attacker.html, content_type="text/html")

        runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        attacker.port = runner.addresses[0][1]
        yield
        await runner.cleanup()

    with in_thread(serve):
        yield attacker


def log_in(page: Page, secured: Secured, there: str = "/settings") -> None:
    page.goto(f"{secured.console.base}/login?next={quote(there, safe='')}")
    page.get_by_label("API token").fill(secured.secret)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state("load")


def test_a_session_is_kept_where_no_script_and_no_neighbour_can_take_it(
    page: Page, context: BrowserContext, secured: Secured
) -> None:
    log_in(page, secured)
    assert page.get_by_role("heading", level=1).inner_text() == "Settings"
    (cookie,) = (each for each in context.cookies() if each["name"] == COOKIE)
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] in ("Lax", "Strict")
    assert cookie["path"] == "/"
    assert secured.secret not in cookie["value"]


def test_who_logged_out_is_asked_again(
    page: Page, context: BrowserContext, secured: Secured
) -> None:
    log_in(page, secured)
    (copied,) = (each["value"] for each in context.cookies() if each["name"] == COOKIE)
    page.get_by_role("button", name="Log out", exact=True).click()
    page.wait_for_url("**/login")
    # A cookie that somebody copied before is worth nothing after.
    answer = context.request.get(
        f"{secured.console.base}/settings",
        headers={"Cookie": f"{COOKIE}={copied}"},
        max_redirects=0,
    )
    assert answer.status == 303
    assert answer.headers["location"].startswith("/login")


# 127.0.0.1 with another port is the same site, so its cookies come along.
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_form_of_another_origin_changes_nothing(
    host: str, page: Page, secured: Secured, attacker: Attacker
) -> None:
    log_in(page, secured)
    attacker.html = f"""<form method="post" action="{secured.console.base}/settings">
        <input name="time_zone" value="{EVIL_ZONE}"><button>Win a prize</button></form>"""
    page.goto(attacker.url(host))
    with page.expect_response("**/settings") as answered:
        page.get_by_role("button").click()
    # Another site's form comes without a cookie, and is sent to the login.
    assert answered.value.status in (303, 403)
    assert secured.zone() != EVIL_ZONE


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize(
    "headers", [{}, {"X-CSRF-Token": "x"}, {"Content-Type": "text/plain"}, {"HX-Request": "true"}]
)
def test_a_script_of_another_origin_changes_and_reads_nothing(
    host: str, headers: dict[str, str], page: Page, secured: Secured, attacker: Attacker
) -> None:
    log_in(page, secured)
    attacker.html = "<p>Hello</p>"
    page.goto(attacker.url(host))
    read = page.evaluate(
        """async ([url, zone, headers]) => {
          const read = [];
          for (const method of ["POST", "GET"]) {
            const body = method === "POST" ? new URLSearchParams({ time_zone: zone }) : undefined;
            for (const mode of ["cors", "no-cors"]) {
              try {
                const asked = { method, body, mode, headers, credentials: "include" };
                read.push(await (await fetch(url, asked)).text());
              } catch { }
            }
          }
          return read.join("");
        }""",
        [f"{secured.console.base}/settings", EVIL_ZONE, headers],
    )
    assert read == ""
    assert secured.zone() != EVIL_ZONE


@pytest.mark.parametrize("token", ["", "00", "x" * 64, "0" * 96])
def test_a_browser_that_says_not_where_from_needs_the_token_of_the_page(
    token: str, page: Page, context: BrowserContext, secured: Secured
) -> None:
    log_in(page, secured)
    # Playwright's own requests have the cookies of the context, and no Sec-Fetch-Site.
    form: dict[str, str | float | bool] = {"time_zone": EVIL_ZONE, "csrf_token": token}
    answer = context.request.post(f"{secured.console.base}/settings", form=form)
    assert answer.status == 403
    assert secured.zone() != EVIL_ZONE
    given = page.locator("form.card input[name=csrf_token]").input_value()
    answer = context.request.post(
        f"{secured.console.base}/settings",
        form={"time_zone": "Europe/Vienna", "csrf_token": given},
        max_redirects=0,
    )
    assert answer.status == 303
    assert secured.zone() == "Europe/Vienna"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("path", ["/settings", "/login"])
def test_a_page_is_in_no_frame_of_another_origin(
    host: str, path: str, page: Page, secured: Secured, attacker: Attacker
) -> None:
    log_in(page, secured)
    assert OURS in page.content()
    attacker.html = f'<iframe src="{secured.console.base}{path}"></iframe>'
    page.goto(attacker.url(host))
    (frame,) = (each for each in page.frames if each.parent_frame is not None)
    # Chromium shows a page of its own there, under whatever address.
    assert OURS not in frame.content()


WAYS_OUT = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "/\n/evil.example",
    "/%09/evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/..//evil.example/",
    "/./\\evil.example/",
    " //evil.example/",
    "\u2044/evil.example/",
    "/@evil.example/",
    "/login?next=//evil.example",
    "/logout",
)


@pytest.mark.parametrize("there", WAYS_OUT)
def test_a_login_leads_to_no_other_site(there: str, page: Page, secured: Secured) -> None:
    base = secured.console.base
    form: dict[str, str | float | bool] = {"token": secured.secret, "next": there}
    answer = page.context.request.post(
        f"{base}/login", form=form, headers={"Origin": base}, max_redirects=0
    )
    assert answer.status == 303
    # Where it leads to is for a browser to say.
    leads_to = page.evaluate("url => new URL(...url).origin", [answer.headers["location"], base])
    assert leads_to == base


def test_a_token_that_is_none_is_refused_on_a_page_for_everybody(
    page: Page, secured: Secured
) -> None:
    page.goto(f"{secured.console.base}/login")
    page.get_by_label("API token").fill("ibsn_something-else")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert not violations(page)


def test_a_login_leads_back_to_the_page_that_was_asked_for(page: Page, secured: Secured) -> None:
    page.goto(f"{secured.console.base}/settings?from=elsewhere")
    page.get_by_label("API token").fill(secured.secret)
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings?from=elsewhere")


def test_another_name_for_this_address_gets_nothing(page: Page, secured: Secured) -> None:
    # As after DNS rebinding: the attacker's own name leads to the console.
    for path in ("/settings", "/login", "/"):
        answer = page.goto(f"http://{REBOUND}:{secured.console.port}{path}")
        assert answer is not None
        assert answer.status == 421
        assert not page.locator("form").count()


def test_a_token_is_in_no_log(page: Page, secured: Secured) -> None:
    log_in(page, secured)
    assert secured.secret not in secured.console.said
