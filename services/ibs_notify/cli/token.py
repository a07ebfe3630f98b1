"""``notification token …``: who may call the services, and what they may do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ibs_notify.cli.complete import token_names
from ibs_notify.cli.output import document, output_option, print_document, warn, warn_all
from ibs_notify.cli.params import Slot, names, no_wait_option, number_or_off, time_ahead
from ibs_notify.cli.session import Session
from ibs_notify.cli.token_view import role_and_expiry, show_token, show_tokens
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import NotFound, Reason
from ibs_notify.domain.token import parse
from ibs_notify.rpc.client_credentials import token_presented
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import token_pb2

_NAME = Slot("name", ["--name"], token_names, of="token")
_NEW = Slot("name", ["--name"], lambda *_: [], of="token")
_ROLES = ("emitter", "viewer", "operator", "administrator")


def _expiry(text: str) -> datetime | None:
    return None if text.lower() == "never" else time_ahead(text)


@click.group("token")
def token() -> None:
    """API tokens: who may call the services, and what they may do.

    \b
    Example:
      ironcore-backup notification token list
    """


@token.command("create")
@names(_NEW)
@click.option("--role", required=True, type=click.Choice(_ROLES), help="What it may do.")
@click.option(
    "--expires",
    type=_expiry,
    default="90d",
    show_default=True,
    metavar="TIME",
    help="Valid until then: a span, a date, or never.",
)
@click.option("--source", "sources", multiple=True, metavar="S", help="Of an emitter: only these.")
@click.option(
    "--resource", "resources", multiple=True, metavar="R", help="Of an emitter: and what is below."
)
@click.option(
    "--quota", type=number_or_off, default="off", metavar="N", help="Calls a minute; default: off."
)
@click.option("--description", default="", help="What it is for.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.")
@click.option("-q", "--quiet", is_flag=True, help="Print the token and nothing else.")
@no_wait_option
@output_option
def create(
    name: str,
    role: str,
    expires: datetime | None,
    out: Path | None,
    quiet: bool,
    no_wait: bool,
    output: str,
    **bounds: Any,
) -> None:
    """Make a token. It is shown this once, and kept nowhere.

    A --source is the first part of a type, such as backup. An emitter that is bound to a --resource
    cannot emit events without one. Both flags may be repeated.

    \b
    Examples:
      ironcore-backup notification token create nightly --role emitter \\
        --source backup --resource /datastore/ibs-primary --out /etc/ibs/emit.token
      ironcore-backup notification token create alice --role operator --expires 2027-01-01
    """
    if quiet and output != "table":
        raise click.UsageError("--quiet and --output exclude each other")
    message = token_pb2.Token(name=name, role=_number(role), **_fields(**bounds))
    if expires is not None:
        message.expire_time.FromDatetime(expires)
    with Session() as session, _Place(out) as place:
        request = pb.CreateTokenRequest(token=message)
        made = session.call(session.config.CreateToken, request)
        place.write(made.secret)
        if out is not None:
            made.ClearField("secret")
        _print_made(made, out, output, quiet=quiet)
        warn_all(made.warnings)
        if not session.settings.secured:
            warn("nobody is asked for a token here; it is valid once tls_directory is set")
        if not no_wait:
            session.await_revision(made.token.revision)


@token.command("list")
@click.option("--all", "all_", is_flag=True, help="Also those that were revoked.")
@output_option
def list_tokens(all_: bool, output: str) -> None:
    """List the tokens, and when each was last used.

    \b
    Example:
      ironcore-backup notification token list --all
    """
    with Session() as session:
        found = list(_tokens(session, include_revoked=all_))
    if output == "table":
        show_tokens(found, SystemClock().now())
    else:
        print_document([document(each) for each in found], output)


@token.command("show")
@names(_NAME)
@output_option
def show(name: str, output: str) -> None:
    """Show a token, also one that was revoked. Its secret is shown by nothing.

    \b
    Example:
      ironcore-backup notification token show nightly
    """
    with Session() as session:
        wanted = next((t for t in _tokens(session, include_revoked=True) if t.name == name), None)
    if wanted is None:
        raise NotFound(
            Reason.TOKEN_NOT_FOUND,
            f"there is no token {name!r}",
            advice="token list --all shows every one",
        )
    if output == "table":
        show_token(wanted, SystemClock().now())
    else:
        print_document(document(wanted), output)


@token.command("revoke")
@names(_NAME)
@no_wait_option
def revoke(name: str, no_wait: bool) -> None:
    """Make a token invalid, for good. Streams that it opened end within seconds.

    \b
    Example:
      ironcore-backup notification token revoke nightly
    """
    with Session() as session:
        request = pb.RevokeTokenRequest(name=name)
        revoked = session.call(session.config.RevokeToken, request).token
        click.echo(f"revoked token {name}")
        if _presents(session, revoked.id):
            warn("this is the token that this command presented; the next one needs another")
        elif not no_wait:
            session.await_revision(revoked.revision)


def _tokens(session: Session, *, include_revoked: bool) -> Iterator[token_pb2.Token]:
    request = pb.ListTokensRequest(page_size=1000, include_revoked=include_revoked)
    while True:
        answer = session.call(session.config.ListTokens, request)
        yield from answer.tokens
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def _presents(session: Session, token_id: str) -> bool:
    """Whether the calls of this command are made with that token."""
    token = parse(token_presented(session.settings))
    return token is not None and token[0] == token_id


def _number(role: str) -> token_pb2.Role.ValueType:
    return token_pb2.Role.Value(f"ROLE_{role.upper()}")


def _fields(*, quota: int, **given: Any) -> dict[str, Any]:
    return {"quota_per_minute": quota, **given}


def _print_made(
    made: pb.CreateTokenResponse, out: Path | None, output: str, *, quiet: bool
) -> None:
    if output != "table":
        print_document(document(made), output)
    elif quiet:
        if out is None:
            click.echo(made.secret)
    else:
        click.echo(f"created token {made.token.name}: {role_and_expiry(made.token)}")
        if out is not None:
            click.echo(f"written to {out}")
        else:
            click.echo(f"\n{made.secret}\n\nIt is shown this once: keep it as you keep a password.")


class _Place:
    """The file for a token: made before the token is, so that no token is lost for want of it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._written = False

    def __enter__(self) -> _Place:
        if self._path is not None:
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                self._descriptor = os.open(self._path, flags, 0o600)
            except OSError as error:
                raise click.UsageError(f"--out: {self._path}: {error.strerror}") from None
        return self

    def write(self, secret: str) -> None:
        if self._path is not None:
            os.write(self._descriptor, f"{secret}\n".encode())
            os.fsync(self._descriptor)
        self._written = True

    def __exit__(self, *_: object) -> None:
        if self._path is None:
            return
        os.close(self._descriptor)
        if not self._written:
            self._path.unlink(missing_ok=True)
