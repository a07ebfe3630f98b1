"""Tokens: who may call the services, and what they may do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiohttp import web

from ibs_notify.console.commands import tokens as command
from ibs_notify.console.forms import (
    NO_FAULTS,
    REFUSED,
    SHOWN_AGAIN,
    Faults,
    Form,
    faults_of,
    read_form,
)
from ibs_notify.console.pages import command_line
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import moment_of, query, segment
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, NotFound, Reason
from ironcore.notification.v1.config_service_pb2 import (
    CreateTokenRequest,
    ListTokensRequest,
    RevokeTokenRequest,
)
from ironcore.notification.v1.token_pb2 import Role, Token

PATH = "/tokens"
NEW = "/new-token"
SOON = timedelta(days=14)
ROLES = {
    word: Role.Value(f"ROLE_{word.upper()}")
    for word in ("viewer", "operator", "administrator", "emitter")
}
SPANS = {"30d": timedelta(days=30), "90d": timedelta(days=90), "365d": timedelta(days=365)}
NEVER, ON_DATE = "never", "date"
NAMES = {
    "token.name": "name",
    "token.role": "role",
    "token.sources": "sources",
    "token.resources": "resources",
    "token.quota_per_minute": "quota",
    "quota": "quota",
    "token.expire_time": "expires_on",
    "token.description": "description",
}


async def show_all(visit: Visit) -> web.StreamResponse:
    """The tokens by name, and when each was last used."""
    asked = visit.request.query
    revoked, page = "revoked" in asked, asked.get("page_token", "")
    answer = await visit.api.call(
        visit.api.config.ListTokens,
        ListTokensRequest(page_token=page, include_revoked=revoked),
    )
    shown = "1" if revoked else ""
    following = answer.next_page_token
    return visit.render(
        "pages/tokens.html",
        tokens=answer.tokens,
        standing=lambda token: standing(token, visit.now()),
        revoked=revoked,
        next_url=query(PATH, revoked=shown, page_token=following) if following else "",
        first_url=query(PATH, revoked=shown) if page else "",
    )


async def show(visit: Visit) -> web.StreamResponse:
    """One, with what it may do and who made it."""
    token = await _token(visit)
    return visit.render(
        "pages/token.html",
        token=token,
        standing=standing(token, visit.now()),
        command=command.revoke(token.name),
    )


async def revoke(visit: Visit) -> web.StreamResponse:
    """Make it invalid, for good."""
    request = RevokeTokenRequest(name=visit.request.match_info["name"])
    token = (await visit.api.call(visit.api.config.RevokeToken, request)).token
    if token.name != visit.session.name:  # with that nothing more can be asked
        await visit.applied(token.revision, f"The token {token.name} is revoked.", ())
    raise web.HTTPSeeOther(f"{PATH}/{segment(token.name)}")


async def show_form(visit: Visit) -> web.StreamResponse:
    """An empty one, for a person who watches: what is given most, and may do least."""
    visit.require("ConfigService/CreateToken")
    return _form(visit, Form({"role": ["viewer"], "expires": ["90d"]}))


async def create(visit: Visit) -> web.StreamResponse:
    """Make a token. Its secret is in this answer, and nowhere after that."""
    form = await read_form(visit.request)
    try:
        request = CreateTokenRequest(token=wanted(form, visit.now()))
        made = await visit.api.call(visit.api.config.CreateToken, request)
    except SHOWN_AGAIN as error:
        return _form(visit, form, faults_of(error, NAMES))
    await visit.applied(made.token.revision, f"The token {made.token.name} is made.", made.warnings)
    return visit.render("pages/token_made.html", status=201, token=made.token, secret=made.secret)


async def show_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line, while the form is being filled."""
    form = await read_form(visit.request)
    return command_line.show(
        visit, lambda: command.create(wanted(form, visit.now()), command_expiry(form))
    )


def standing(token: Token, now: datetime) -> str:
    """``valid``, ``ends soon``, ``expired`` or ``revoked``."""
    if token.HasField("revoke_time"):
        return "revoked"
    ends = moment_of(token.expire_time) if token.HasField("expire_time") else None
    if ends is None or ends > now + SOON:
        return "valid"
    return "ends soon" if ends > now else "expired"


def command_expiry(form: Form) -> str:
    """What the form says of the end, as the command line takes it."""
    expires = form.text("expires") or NEVER
    return f"{form.text('expires_on')}T00:00:00Z" if expires == ON_DATE else expires


def wanted(form: Form, now: datetime) -> Token:
    """The token that the form asks for. ``InvalidArgument`` where a field is no number, no date."""
    token = Token(
        name=form.text("name"),
        role=ROLES.get(form.text("role"), Role.ROLE_UNSPECIFIED),
        sources=form.words("sources"),
        resources=form.words("resources"),
        quota_per_minute=form.number("quota"),
        description=form.text("description"),
    )
    ends = _end(form, now)
    if ends is not None:
        token.expire_time.FromDatetime(ends)
    return token


def _end(form: Form, now: datetime) -> datetime | None:
    chosen = form.text("expires")
    if chosen in SPANS:
        return now + SPANS[chosen]
    if chosen != ON_DATE:
        return None
    try:
        return datetime.strptime(form.text("expires_on"), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        fault = FieldViolation("token.expire_time", "is no date, such as 2027-01-31")
        raise InvalidArgument.of([fault]) from None


def _form(visit: Visit, form: Form, faults: Faults = NO_FAULTS) -> web.Response:
    return visit.render(
        "pages/new_token.html",
        status=REFUSED if faults.any else 200,
        form=form,
        faults=faults,
        today=visit.now(),
    )


async def _token(visit: Visit) -> Token:
    name = visit.request.match_info["name"]
    request = ListTokensRequest(page_size=1000, include_revoked=True)
    async for answer in visit.api.pages(visit.api.config.ListTokens, request):
        for token in answer.tokens:
            if token.name == name:
                return token
    raise NotFound(Reason.TOKEN_NOT_FOUND, f"there is no token {name!r}")


ROUTES = (
    Route("GET", PATH, show_all),
    Route("GET", f"{PATH}/{{name}}", show),
    Route("POST", f"{PATH}/{{name}}/revoke", revoke),
    Route("GET", NEW, show_form),
    Route("POST", NEW, create),
    Route("POST", f"{NEW}/command", show_command),
)
