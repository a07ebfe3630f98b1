"""The kinds of values that commands take, and names given as arguments or by flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, cast

import click
from click.shell_completion import CompletionItem

from ibs_notify.cli.complete import Completer
from ibs_notify.cli.options import Command
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.duration import parse_duration


def duration(text: str) -> timedelta:
    """A span of time, as the type of an option."""
    try:
        return parse_duration(text)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error)) from None


def moment_before(now: datetime, text: str) -> datetime:
    """A time: ISO 8601 (in the local zone where it names none), or a span back from ``now``."""
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    return _iso_moment(text, "2h for two hours ago")


def time(text: str) -> datetime:
    """A time, as the type of an option."""
    return moment_before(SystemClock().now(), text)


def moment_after(now: datetime, text: str) -> datetime:
    """A time: ISO 8601 (in the local zone where it names none), or a span ahead of ``now``."""
    try:
        return now + parse_duration(text)
    except (ValueError, OverflowError):
        pass
    return _iso_moment(text, "2h for in two hours")


def time_ahead(text: str) -> datetime:
    """A time to come, as the type of an option."""
    return moment_after(SystemClock().now(), text)


def _iso_moment(text: str, span: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time: such as 2026-05-21T02:14:35Z, or {span}"
        ) from None


def number_or_off(text: str) -> int:
    """A number a minute, or ``off``, which the API writes as 0."""
    if text.lower() == "off":
        return 0
    if text.isascii() and text.isdigit() and 0 < int(text[:11]) < 2**32:
        return int(text)
    raise click.BadParameter(f"{text!r} is neither a number of at least 1 nor 'off'")


def pair(text: str) -> tuple[str, str]:
    """``key=value``."""
    key, equals, rest = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not of the form key=value")
    return key, rest


@dataclass(frozen=True, slots=True)
class Slot:
    """A name that a command takes as an argument or by any of ``flags``; ``of`` what it is one."""

    parameter: str
    flags: Sequence[str]
    completer: Completer
    of: str = ""
    required: bool = True

    @property
    def whose(self) -> str:
        return f"{self.of or self.parameter}'s"

    @property
    def metavar(self) -> str:
        return f"[{self.parameter.upper()}]"


def names(*slots: Slot) -> Callable[[Command], Command]:
    """Gives the command each slot's name: flags first, arguments fill the others in order."""

    def complete(
        ctx: click.Context, param: click.Parameter, text: str
    ) -> list[CompletionItem[str]]:
        given = len(ctx.params.get("arguments") or ())
        open_slots = [slot for slot in slots if not ctx.params.get(f"{slot.parameter}_flag")]
        return open_slots[given].completer(ctx, param, text) if given < len(open_slots) else []

    def decorate(command: Command) -> Command:
        @wraps(command)
        def resolved(*, arguments: tuple[str, ...], **given: Any) -> Any:
            return command(**_fill(slots, arguments, given))

        wrapped: Any = resolved
        for slot in reversed(slots):
            wrapped = click.option(
                *slot.flags,
                f"{slot.parameter}_flag",
                metavar="NAME",
                shell_complete=slot.completer,
                help=f"The {slot.whose} name; it may also be given as an argument.",
            )(wrapped)
        metavar = " ".join(slot.metavar for slot in slots)
        wrapped = click.argument("arguments", nargs=-1, metavar=metavar, shell_complete=complete)(
            wrapped
        )
        return cast("Command", wrapped)

    return decorate


def _fill(
    slots: Sequence[Slot], arguments: tuple[str, ...], given: dict[str, Any]
) -> dict[str, Any]:
    left = list(arguments)
    for slot in slots:
        name = given.pop(f"{slot.parameter}_flag")
        if name is None and left:
            name = left.pop(0)
        if not name and slot.required:
            raise click.UsageError(
                f"the {slot.parameter} is missing: give it as an argument or with {slot.flags[0]}",
                click.get_current_context(),
            )
        given[slot.parameter] = name or ""
    if left:
        raise click.UsageError(f"unexpected argument {left[0]!r}", click.get_current_context())
    return given


def no_wait_option(command: Command) -> Command:
    """Adds ``--no-wait``."""
    return click.option(
        "--no-wait",
        is_flag=True,
        help="Do not wait until Router and Delivery apply the change.",
    )(command)
