"""What the demo prints."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from plan import (
    COMPLIANCE,
    DEFAULT_LIMIT,
    OFFSITE,
    OPS,
    RATE_LIMITS,
    SPONSOR,
    Event,
    Expected,
    Storm,
    severity_of,
)
from rich.console import Console
from rich.markup import escape
from sinks import Mail, MailSink, Post, WebhookSink

from ibs_notify.settings import SERVICES, Settings

SEVERITIES = ("info", "notice", "warning", "error", "critical")
_COLOURS = dict(zip(SEVERITIES, ("dim", "blue", "yellow", "red", "bold red"), strict=True))
_SAMPLES = 3


def title(console: Console, text: str) -> None:
    """A heading."""
    console.print()
    console.rule(f"[bold]{text}", align="left", style="dim")


def started(console: Console, settings: Settings, seconds: float) -> None:
    """The services run."""
    for name in SERVICES:
        address, peer = settings.address(name), settings.peer_address(name)
        console.print(
            f"  {name.capitalize():9} {address} by TLS, {peer} for its peers  [green]serving[/]"
        )
    console.print(f"  [dim]started in {seconds:.1f} s[/]")


def ran(console: Console, line: str) -> None:
    """Another command."""
    console.print(f"  {line}")


def command(console: Console, who: str, arguments: Sequence[str], home: str) -> None:
    """A command that somebody gave, with short paths."""
    line = shlex.join(arguments).replace(f"{home}files/", "").replace(home, "")
    _say(console, f"{who}: {line}", hanging="      ")


def refused(console: Console, output: str) -> None:
    """What somebody was told who may not."""
    for line in output.strip().splitlines():
        console.print(f"      [yellow]{escape(line)}[/]", no_wrap=True, overflow="ellipsis")


def tested(console: Console, output: str, post: Post) -> None:
    """What ``target test`` said, and what its one real attempt brought."""
    for line in output.splitlines():
        console.print(f"    {escape(line)}", highlight=False, no_wrap=True, overflow="ellipsis")
    console.print(f"    the gateway received: {escape(str(post.fields['text']))}")


def night(console: Console, events: Sequence[Event]) -> None:
    """What is about to be emitted."""
    sources = Counter(event["type"].partition(".")[0] for event in events)
    told = ", ".join(f"{count} {source}" for source, count in sources.most_common())
    _say(console, f"{len(events)} events: {told}")
    console.print(f"  {_by_severity(severity_of(event) for event in events)}")


def limits(console: Console) -> None:
    """Why not every group has the default."""
    for group, limit in RATE_LIMITS.items():
        _say(
            console,
            f"{group} may tell {limit} events a minute, since eight hours pass in seconds here. "
            f"The others keep the default of {DEFAULT_LIMIT}.",
        )


def storm(console: Console, wind: Storm) -> None:
    """What is about to be emitted."""
    others = len(wind.events) - len(wind.untold)
    _say(
        console,
        f"{len(wind.events)} events: a failure and {len(wind.repeats)} repeats of it, "
        f"{len(wind.silenced)} of a datastore that is silenced, {others - 1} others",
    )


def held(console: Console, wind: Storm, waiting: int) -> None:
    """What became of them so far."""
    _say(
        console,
        f"{len(wind.repeats)} repeats were told once, {len(wind.silenced)} events were silenced, "
        f"and {waiting} wait for their turn on the phone, worst first. None is lost, and whoever "
        "has the phone asks for all of them:",
    )


def status(console: Console, output: str) -> None:
    """What ``group status`` printed."""
    console.print(textwrap.indent(output.rstrip(), "    "), markup=False)


def emitted(console: Console, name: str, count: int, duplicates: int, seconds: float) -> None:
    """One run of ``emit``."""
    console.print(f"  emit --stdin < {name}")
    new = f"{count - duplicates} acknowledged, each on disk"
    what = f"{duplicates} known before, nothing new" if duplicates else new
    console.print(f"    {what} [dim]({seconds:.1f} s)[/]")


def arrivals(console: Console, mail: MailSink, web: WebhookSink, expected: Expected) -> None:
    """What each sink received, in numbers and by example."""
    inboxes = [
        (address, [_mail(each) for each in mail.of(address)], "mail")
        for address in (OPS, COMPLIANCE, SPONSOR, OFFSITE)
    ]
    chat = [(str(each.fields["severity"]), str(each.fields["subject"])) for each in web.chat]
    sms = [_sms(str(each.fields["text"])) for each in web.sms]
    due = Counter(recipient for recipient, _ in expected.mails)
    due |= Counter({"chat": expected.chat.total(), "SMS": expected.sms.total()})
    for name, messages, kind in [*inboxes, ("chat", chat, "webhook"), ("SMS", sms, "webhook")]:
        right = len(messages) == due[name]
        mark = "[green]✓[/]" if right else f"[red]✗ expected {due[name]}[/]"
        console.print(f"\n  {mark} [bold]{name}[/] [dim]({kind})[/]  {len(messages)} messages")
        console.print(f"      {_by_severity(severity for severity, _ in messages)}")
        for severity, subject in _samples(messages):
            console.print(
                f"      [{_COLOURS[severity]}]{severity:8}[/] {escape(subject)}",
                no_wrap=True,
                overflow="ellipsis",
            )
    console.print()
    _say(
        console,
        f"The chat server answered 503 to the first {web.turned_away} requests, and the mail "
        f"server 451 to {mail.turned_away} mails: they were tried again, and arrived once. "
        f"{expected.coalesced} times two groups led to the same place: it was told once. "
        f"{expected.closed} times nobody was told: a repeat within five minutes, or a silence.",
    )


def _mail(mail: Mail) -> tuple[str, str]:
    return mail.severity, mail.subject.strip().removeprefix(f"[IBS {mail.severity}] ")


def _sms(text: str) -> tuple[str, str]:
    severity, _, subject = text.partition(": ")
    return severity.lower(), subject


def _samples(messages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The worst, each severity in turn."""
    worst = sorted(messages, key=lambda each: -SEVERITIES.index(each[0]))
    seen: Counter[str] = Counter()
    turns = []
    for message in worst:
        seen[message[0]] += 1
        turns.append((seen[message[0]], message))
    return [message for _, message in sorted(turns, key=lambda each: each[0])][:_SAMPLES]


def harmless(console: Console, web: WebhookSink) -> None:
    """The event that tries to change what its message says."""
    for post in web.chat:
        if '","severity":"info"' in str(post.fields["summary"]):
            console.print(
                "\n  One event's summary tried to rewrite its own message. Chat received:"
            )
            for name in ("severity", "summary"):
                told = escape(str(post.fields[name]))
                console.print(f"      [dim]{name:8}[/] {told}", no_wrap=True, overflow="ellipsis")


def counted(console: Console, web: WebhookSink, expected: Expected) -> None:
    """The points that the metric server keeps."""
    right = len(web.points) == expected.recorded
    mark = "[green]✓[/]" if right else f"[red]✗ expected {expected.recorded}[/]"
    console.print(f"  {mark} [bold]metrics-influx[/] [dim](InfluxDB)[/]  {len(web.points)} points")
    console.print(f"      {_by_severity(each['severity'] for each in web.points.values())}")
    _say(
        console,
        "A metric server records: it has every event that matches once, repeats and silenced ones "
        "too, so that its counts are true.",
    )


def books(console: Console, text: str) -> None:
    """What ``ledger verify`` or ``audit verify`` printed."""
    console.print(textwrap.indent(text.rstrip(), "  "), markup=False, soft_wrap=True)


def verdict(console: Console, wrong: Sequence[str], seconds: float) -> None:
    """The last word."""
    console.print()
    if wrong:
        console.print("[bold red]Not as it must be:[/]")
        for each in wrong:
            console.print(f"  {escape(each)}")
    else:
        console.print(
            "[bold green]Every event is accounted for[/], and everybody was told exactly once. "
            f"[dim]{seconds:.0f} s[/]"
        )


def _say(console: Console, text: str, hanging: str = "  ") -> None:
    """Plain text, indented and wrapped between words."""
    wrapped = textwrap.fill(
        text,
        console.width,
        initial_indent="  ",
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print(wrapped, markup=False)


def _by_severity(severities: Iterable[str]) -> str:
    counts = Counter(severities)
    return "  ".join(
        f"[{_COLOURS[each]}]{counts[each]} {each}[/]" for each in SEVERITIES if counts[each]
    )
