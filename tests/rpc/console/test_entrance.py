"""Who gets in, for how long, and from where: the console as in production."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from tests.support.console import Browser, SecuredConsole

from ibs_notify.console.login.sessions import IDLE, LONGEST

pytestmark = pytest.mark.asyncio(loop_scope="module")

COOKIE = "__Host-ibs-notify"
WRONG = f"ibsn_{'0' * 16}_{'0' * 64}"


@pytest.fixture(autouse=True)
def _time_goes_back(secured: SecuredConsole) -> Iterator[None]:
    yield
    secured.services.clock.ahead = timedelta(0)


def session_of(browser: Browser) -> str:
    """The secret that the browser keeps; empty where it keeps none."""
    return next((each.value for each in browser.cookies if each.key == COOKIE), "")


async def is_in(browser: Browser) -> bool:
    return await browser.status("GET", "/settings") == 200


async def logged_in(secured: SecuredConsole, role: str = "viewer") -> Browser:
    """Another browser of the holder of that token."""
    browser = await secured.stranger()
    await browser.post("/login", {"token": await secured.token(role)})
    assert session_of(browser)
    return browser


async def test_a_token_opens_the_page_that_was_asked_for(secured: SecuredConsole) -> None:
    browser = await secured.stranger()
    asked = await browser.get("/settings?x=1")
    assert asked.url.endswith("/login?next=/settings?x%3D1")
    assert asked.says("Log in")
    page = await browser.post(
        "/login", {"token": await secured.token("viewer"), "next": "/settings?x=1"}
    )
    assert page.url == f"{secured.base}/settings?x=1"
    assert page.says("viewer")


async def test_the_session_is_a_cookie_that_goes_to_this_host_alone_by_tls(
    secured: SecuredConsole,
) -> None:
    browser = await secured.stranger()
    fields = {"token": await secured.token("viewer")}
    answer = await browser.ask(
        "POST",
        "/login",
        data=fields,
        headers={"Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
    )
    cookie = SimpleCookie(answer.headers["Set-Cookie"])[COOKIE]
    assert cookie["secure"] is True
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert (cookie["path"], cookie["domain"], cookie["max-age"]) == ("/", "", "")
    assert fields["token"] not in cookie.value


@pytest.mark.parametrize(
    "token", ["", "no-token", WRONG, f"{WRONG}\r\nX: y", "ü" * 86, "a" * 10_000]
)
async def test_what_is_no_token_opens_nothing(secured: SecuredConsole, token: str) -> None:
    browser = await secured.stranger()
    page = await browser.post("/login", {"token": token})
    assert page.status == 401
    assert not session_of(browser)
    assert not token or token not in page.text


async def test_an_emitter_has_nothing_to_look_at(secured: SecuredConsole) -> None:
    browser = await secured.stranger()
    page = await browser.post("/login", {"token": await secured.token("emitter")})
    assert page.status == 403
    assert page.says("may emit events and look at nothing")
    assert not session_of(browser)


async def test_every_login_begins_a_session_of_its_own_and_ends_the_one_before(
    secured: SecuredConsole,
) -> None:
    browser = await logged_in(secured)
    first = session_of(browser)
    await browser.post("/login", {"token": await secured.token("operator")})
    assert session_of(browser) != first
    old = {"Cookie": f"{COOKIE}={first}"}
    thief = await secured.stranger()
    assert await thief.status("GET", "/settings", headers=old) == 303


async def test_a_cookie_that_was_planted_is_no_session(secured: SecuredConsole) -> None:
    planted = {"Cookie": f"{COOKIE}={'A' * 43}"}
    browser = await secured.stranger()
    assert await browser.status("GET", "/settings", headers=planted) == 303


async def test_a_session_that_nobody_uses_ends(secured: SecuredConsole) -> None:
    browser = await logged_in(secured)
    secured.services.clock.ahead = IDLE - timedelta(minutes=1)
    assert await is_in(browser)
    secured.services.clock.ahead += IDLE + timedelta(minutes=1)
    assert not await is_in(browser)


async def test_a_session_in_use_ends_as_well(secured: SecuredConsole) -> None:
    browser = await logged_in(secured)
    while secured.services.clock.ahead < LONGEST - IDLE:
        secured.services.clock.ahead += IDLE - timedelta(minutes=1)
        assert await is_in(browser)
    secured.services.clock.ahead = LONGEST + timedelta(minutes=1)
    assert not await is_in(browser)


async def test_a_revoked_token_ends_its_session_with_the_next_page(
    secured: SecuredConsole,
) -> None:
    browser = await secured.stranger()
    token = await secured.services.make("leaver", "viewer")
    await browser.post("/login", {"token": token})
    assert await is_in(browser)
    await secured.services.revoke("leaver")
    page = await browser.get("/settings")
    assert page.says("Log in")
    assert page.url.endswith("/login?next=/settings")


async def test_an_expired_token_ends_its_session(secured: SecuredConsole) -> None:
    browser = await secured.stranger()
    token = await secured.services.make("guest", "viewer", lives=timedelta(hours=1))
    await browser.post("/login", {"token": token})
    assert await is_in(browser)
    secured.services.clock.ahead = timedelta(hours=1, minutes=1)
    assert not await is_in(browser)


async def test_who_logs_out_is_out_and_leaves_nothing_behind(secured: SecuredConsole) -> None:
    browser, other = await logged_in(secured), await logged_in(secured)
    secret = session_of(browser)
    page = await browser.post("/logout")
    assert page.says("Log in")
    assert not session_of(browser)
    stolen = {"Cookie": f"{COOKIE}={secret}"}
    assert await browser.status("GET", "/settings", headers=stolen) == 303
    assert await is_in(other)


async def test_who_logs_out_everywhere_ends_the_sessions_of_this_token_alone(
    secured: SecuredConsole,
) -> None:
    browsers = [await logged_in(secured) for _ in range(3)]
    other = await logged_in(secured, "operator")
    await browsers[0].post("/logout", {"everywhere": "on"})
    assert not any([await is_in(each) for each in browsers])
    assert await is_in(other)


async def test_a_part_of_a_page_sends_who_is_out_to_the_login(secured: SecuredConsole) -> None:
    browser = await secured.stranger()
    part = await browser.get("/settings", **{"HX-Request": "true"})
    assert part.status == 401
    assert part.headers["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    "there",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a\\b",
        "/\t/evil.example",
        "/\r\nLocation: https://evil.example",
        "evil.example",
        "/login?next=/login",
        "/logout",
        "/ü",
        "",
    ],
)
async def test_a_login_leads_to_pages_of_the_console_only(
    secured: SecuredConsole, there: str
) -> None:
    browser = await secured.stranger()
    answer = await browser.ask(
        "POST",
        "/login",
        data={"token": await secured.token("viewer"), "next": there},
        headers={"Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    shown = await browser.ask("GET", "/login", params={"next": there})
    assert 'name="next" value="/"' in shown.text


async def test_no_other_site_logs_anybody_in(secured: SecuredConsole) -> None:
    browser = await secured.stranger()
    form = {"token": await secured.token("viewer")}
    for said, status in [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": secured.base}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
        ({"Origin": secured.base}, 303),
    ]:
        assert await browser.status("POST", "/login", data=form, headers=said) == status, said
        assert bool(session_of(browser)) == (status == 303)


async def test_nobody_is_kept_out_by_those_who_try(secured: SecuredConsole) -> None:
    stranger, browser = await secured.stranger(), await secured.stranger()
    token = await secured.token("viewer")
    tries = [asyncio.create_task(stranger.post("/login", {"token": WRONG})) for _ in range(40)]
    mine = asyncio.create_task(browser.post("/login", {"token": token}))
    done, _ = await asyncio.wait([*tries, mine], return_when=asyncio.FIRST_COMPLETED)
    assert done == {mine}
    assert session_of(browser)
    assert {each.status for each in await asyncio.gather(*tries)} == {401}


async def test_who_is_not_known_sends_no_more_than_a_token(secured: SecuredConsole) -> None:
    browser = await secured.stranger()
    page = await browser.post("/login", {"token": "x" * 20_000})
    assert page.status == 413


async def test_light_or_dark_is_kept_without_scripts(secured: SecuredConsole) -> None:
    browser = await logged_in(secured)
    page = await browser.post("/theme", {"theme": "dark", "next": "/settings"})
    assert page.url == f"{secured.base}/settings"
    assert 'data-theme="dark"' in page.text
    page = await browser.post("/theme", {"theme": '"><script>', "next": "//evil.example"})
    assert page.url == f"{secured.base}/"
    assert 'data-theme="auto"' in page.text
