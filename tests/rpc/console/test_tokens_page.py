"""Tokens: made, shown once, revoked."""

from __future__ import annotations

import re

import pytest
from tests.support.console import Console, SecuredConsole

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = re.compile(r"ibsn_[0-9a-f]{16}_[0-9a-f]{64}")


async def test_a_token_is_shown_once_and_lets_its_holder_in(secured: SecuredConsole) -> None:
    browser = await secured.as_("administrator")
    made = await browser.post(
        "/new-token",
        {"name": "bob", "role": "operator", "expires": "30d", "description": "on duty"},
    )
    assert made.status == 201
    assert made.headers["Cache-Control"] == "no-store"
    (secret,) = set(SECRET.findall(made.text))
    assert secret not in made.url
    for path in ("/tokens", "/tokens/bob", "/audit"):
        assert not SECRET.search((await browser.get(path)).text)
    holder = await secured.stranger()
    await holder.post("/login", {"token": secret})
    assert (await holder.get("/settings")).says("bob operator")


async def test_a_revoked_token_is_refused_at_once(secured: SecuredConsole) -> None:
    browser = await secured.as_("administrator")
    made = await browser.post("/new-token", {"name": "carol", "role": "viewer", "expires": "90d"})
    (secret,) = set(SECRET.findall(made.text))
    page = await browser.post("/tokens/carol/revoke")
    assert page.says("The token carol is revoked.")
    assert page.says("revoked")
    assert 'action="/tokens/carol/revoke"' not in page.text
    assert (await (await secured.stranger()).post("/login", {"token": secret})).status == 401
    assert not (await browser.get("/tokens")).says("carol")
    assert (await browser.get("/tokens?revoked=1")).says("carol")


async def test_who_revokes_the_token_in_hand_is_told_before_and_out_after(
    secured: SecuredConsole,
) -> None:
    token = await secured.services.make("dave", "administrator")
    browser = await secured.stranger()
    await browser.post("/login", {"token": token})
    assert (await browser.get("/tokens/dave")).says("the token that you are logged in with")
    page = await browser.post("/tokens/dave/revoke")
    assert page.says("Log in")


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"name": "Bob", "role": "viewer", "expires": "90d"}, "name"),
        ({"name": "", "role": "viewer", "expires": "90d"}, "name"),
        ({"name": "b", "role": "king", "expires": "90d"}, "role"),
        ({"name": "b", "role": "viewer", "expires": "date", "expires_on": ""}, "expires_on"),
        (
            {"name": "b", "role": "viewer", "expires": "date", "expires_on": "2001-01-01"},
            "expires_on",
        ),
        ({"name": "b", "role": "viewer", "expires": "90d", "sources": "backup"}, "sources"),
        ({"name": "b", "role": "emitter", "expires": "90d", "quota": "-1"}, "quota"),
        ({"name": "b", "role": "emitter", "expires": "90d", "sources": "notification"}, "sources"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    secured: SecuredConsole, fields: dict[str, str], at: str
) -> None:
    browser = await secured.as_("administrator")
    page = await browser.post("/new-token", fields)
    assert page.status == 422
    assert f'id="e-{at}"' in page.text
    assert f'value="{fields["name"]}"' in page.text


async def test_an_emitter_is_bound_as_the_form_says(secured: SecuredConsole) -> None:
    browser = await secured.as_("administrator")
    await browser.post(
        "/new-token",
        {
            "name": "nightly",
            "role": "emitter",
            "expires": "never",
            "sources": "backup\nrestore",
            "resources": "/datastore/ibs-primary",
            "quota": "600",
        },
    )
    page = await browser.get("/tokens/nightly")
    assert page.says("Sources backup, restore Resources /datastore/ibs-primary")
    assert page.says("600 calls a minute")
    assert page.says("Expires never")


@pytest.mark.asyncio(loop_scope="function")
async def test_where_nobody_is_asked_the_page_warns_of_it(console: Console) -> None:
    page = await console.browser.get("/tokens")
    assert page.says("Here anybody who reaches this page can make tokens")
    assert page.says("No tokens yet")
