"""What the Router writes into its own inbox, and what each notice says. Pure.

A notice is an event of type ``notification.*``. Its id follows from what it is about, so the same
notice is never written twice; and a storm makes few of them: ends are told per target and hour, at
the 1st, 10th, 100th … of them, troubles of a target ``MOST_TROUBLES`` times an hour, everything
else once a day. Notices of targets are routed like any event, the others are only in the inbox.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from shlex import quote
from typing import assert_never

from ibs_notify.domain import catalogue
from ibs_notify.domain.event import NOTHING, Event
from ibs_notify.domain.naming import is_name
from ibs_notify.domain.reason_words import reason
from ibs_notify.router.match import Route
from ibs_notify.router.ports import End, Ended, TargetTurned, Turn

DELIVERY_DEAD = catalogue.DELIVERY_DEAD_TYPE
DELIVERY_CANCELLED = "notification.delivery-cancelled"
NO_RECIPIENTS = "notification.no-recipients"
UNKNOWN_GROUP = "notification.unknown-group"
TARGET_FAILING = "notification.target-failing"
TARGET_RECOVERED = "notification.target-recovered"
TARGET_PAUSED = "notification.target-paused"
TROUBLES = (TARGET_FAILING, TARGET_PAUSED)
NOTICES = frozenset(
    {
        DELIVERY_DEAD,
        DELIVERY_CANCELLED,
        NO_RECIPIENTS,
        UNKNOWN_GROUP,
        TARGET_RECOVERED,
        *TROUBLES,
    }
)
"""No notice is made of a notice: one that dies would make the next, for ever."""
MOST_TROUBLES = 4
"""So often an hour it is told that a target is in trouble; a recovery only where that was told."""

_TURNS = {
    Turn.FAILING: TARGET_FAILING,
    Turn.RECOVERED: TARGET_RECOVERED,
    Turn.PAUSED: TARGET_PAUSED,
}
_TYPES = {End.DEAD: DELIVERY_DEAD, End.CANCELLED: DELIVERY_CANCELLED}
_VERBS = {End.DEAD: "given up", End.CANCELLED: "cancelled"}
_COMMAND = "ironcore-backup notification"
_EXPLAINED = {
    "EXPIRED": "It was tried again and again for as long as a delivery lives.",
    "POISON": "Delivery died several times with it in hand: read Delivery's log before you retry.",
    "TARGET_DELETED": "Its target is deleted, so it cannot be sent again.",
    "BY_REQUEST": "Somebody cancelled it.",
}


@dataclass(frozen=True, slots=True)
class Hour:
    """What is told together: the ends of one kind at one target in the hour from ``start``."""

    target_uid: str
    state: End
    start: datetime


def by_hour(ended: Sequence[Ended]) -> Mapping[Hour, Sequence[Ended]]:
    """What is worth a notice, by what is told together, each in the order given."""
    found: dict[Hour, list[Ended]] = {}
    for each in ended:
        if each.event_type not in NOTICES:
            start = each.closed_at.replace(minute=0, second=0, microsecond=0)
            found.setdefault(Hour(each.target_uid, each.state, start), []).append(each)
    return found


def notices_of_ends(
    hours: Mapping[Hour, Sequence[Ended]], before: Mapping[Hour, int]
) -> list[Event]:
    """The notices that ``hours`` are worth. ``before``: how many of each were known already."""
    return [
        _notice_of_ends(hour, ended, count, step)
        for hour, ended in hours.items()
        for count in [before.get(hour, 0) + len(ended)]
        for step in [_largest_power_of_ten(count)]
        if before.get(hour, 0) < step
    ]


def notice_of_target(turned: TargetTurned) -> Event:
    """That a target fails, recovered or is paused. It is never told to that target: see ``scope``.

    Of one trouble there is one notice of each kind, however often it is asked for.
    """
    target = turned.target
    what, why, then, commands = _about_target(turned)
    return _notice(
        _TURNS[turned.turn],
        _trouble(turned),
        turned.at,
        subject=_SUBJECTS[turned.turn].format(target=target, reason=reason(turned.reason)),
        summary=_text(what, why, then, commands),
        resource=resource_of_target(target),
        labels={"target": target, "target_uid": turned.target_uid, "reason": turned.reason},
    )


def ids_of_trouble(turned: TargetTurned) -> Sequence[str]:
    """The ids of the notices of the trouble that ended: one of them was told, or none."""
    return [_notice_id(type_, _trouble(turned), turned.since) for type_ in TROUBLES]


def _trouble(turned: TargetTurned) -> Sequence[str]:
    return turned.target_uid, turned.since.isoformat()


_SUBJECTS = {
    Turn.FAILING: "Target {target} does not accept notifications: {reason}",
    Turn.RECOVERED: "Target {target} accepts notifications again",
    Turn.PAUSED: "Target {target} wants no more notifications, and is paused",
}


def _about_target(turned: TargetTurned) -> tuple[str, str, str, Sequence[str]]:
    """What happened, why, what is to be done, and the commands for it."""
    target, at = quote(turned.target), f"{turned.at:%Y-%m-%d %H:%M:%S} UTC"
    said = f": {turned.detail}" if turned.detail else ""
    because = f"The reason is {turned.reason}{said}."
    show, test = f"target show {target}", f"target test {target}"
    match turned.turn:
        case Turn.FAILING:
            return (
                f"Target {turned.target} has failed again and again, the last time at {at}.",
                f"{because} Nothing is lost: what is meant for it waits, and now and then one "
                "of it is tried.",
                "To see how it fares, what is wrong, and to try it at once when it is mended:",
                (show, test, f"target resume {target}"),
            )
        case Turn.RECOVERED:
            # Seconds of a long outage help nobody.
            lasted = timedelta(seconds=int((turned.at - turned.since).total_seconds()))
            return (
                f"Target {turned.target} accepts notifications again since {at}.",
                f"The trouble had lasted for {lasted} (h:mm:ss). What had waited is sent.",
                "To see how it fares, and what was given up meanwhile:",
                (show, f"delivery list --target {target} --state dead"),
            )
        case Turn.PAUSED:
            return (
                f"Target {turned.target} said at {at} that it is gone, and is paused.",
                f"{because} Nothing is lost: what is meant for it waits.",
                "It waits until the target is changed, resumed or deleted:",
                (show, f"target resume {target}", f"target delete {target}"),
            )
        case _:
            assert_never(turned.turn)


def notice_of_no_recipients(route: Route, event: Event, now: datetime) -> Event | None:
    """Where ``route`` hands ``event`` to a mail target that has nobody to write to."""
    if not route.lacks_recipients or event.type in NOTICES:
        return None
    group, target = route.group, route.target
    return _notice(
        NO_RECIPIENTS,
        (route.target_uid, group),
        now,
        subject=f"Mail of group {group} by target {target} has no recipient",
        summary=_text(
            f"Event {event.event_id} ({event.type}) is to be mailed by target {target} for group "
            f"{group}, and nobody is configured to receive it.",
            "Nothing is lost: it waits, as all mail like it does, until somebody is named. This is "
            "said once a day.",
            "Name somebody for this group, for all groups of the target, or for all mail:",
            (
                f"group target update {quote(group)} {quote(target)} --recipient ADDRESS",
                f"target update {quote(target)} --to ADDRESS",
                "settings update --default-recipient ADDRESS",
            ),
        ),
        resource=resource_of_target(target),
        labels={"target": target, "group": group, "event_id": event.event_id},
    )


def notice_of_unknown_groups(known: Collection[str], event: Event, now: datetime) -> Event | None:
    """Where ``event`` names groups that are not ``known``."""
    unknown = sorted({name for name in event.groups if name not in known})
    if not unknown or event.type in NOTICES:
        return None
    first, *others = map(repr, unknown)
    more = f" and {len(others)} more" if others else ""
    things = "a group that does" if not others else "groups that do"
    return _notice(
        UNKNOWN_GROUP,
        unknown,
        now,
        subject=f"An event of type {event.type} names {things} not exist: {first}{more}",
        summary=_text(
            f"Event {event.event_id} ({event.type}) names {things} not exist: "
            f"{', '.join((first, *others))}.",
            "It is kept, and the groups attached to its resource were told instead, as were those "
            "that hear everything. This is said once a day.",
            "Correct the emitter, choose one of these groups, or make the one it names:",
            ("group list", *_creations(unknown)),
        ),
        resource=event.resource,
        canonical_resource=event.canonical_resource,
        labels={"event_id": event.event_id},
    )


def _creations(names: Sequence[str]) -> list[str]:
    """The commands that make those of ``names`` that a group may have."""
    return [f"group create --name {name} --scope selected" for name in names if is_name(name)]


def _notice_of_ends(hour: Hour, ended: Sequence[Ended], count: int, step: int) -> Event:
    last = ended[-1]
    verb, target = _VERBS[hour.state], last.target
    if count == 1:
        subject = f"A delivery to {target} was {verb}: {reason(last.reason)}"
        first = ""
    else:
        subject = f"{count:,} deliveries to {target} were {verb} within an hour"
        first = f"{count:,} so far in the hour from {hour.start:%Y-%m-%d %H:%M} UTC; the latest: "
    return _notice(
        _TYPES[hour.state],
        (hour.target_uid, hour.start.isoformat(), str(step)),
        last.closed_at,
        subject=subject,
        summary=_text(
            f"{first}delivery {last.delivery_id} of event {last.event_id} ({last.event_type}) to "
            f"target {target} for group {last.group} was {verb} at {last.closed_at:%H:%M:%S} UTC.",
            " ".join(filter(None, (_reason(last), _EXPLAINED.get(last.reason)))),
            "What to do:",
            _after_end(hour.state, last, count),
        ),
        resource=resource_of_target(target),
        labels={
            "target": target,
            "group": last.group,
            "reason": last.reason,
            "count": str(count),
            "event_id": last.event_id,
            "delivery_id": last.delivery_id,
        },
    )


def _after_end(state: End, last: Ended, count: int) -> Sequence[str]:
    """The commands that show what ended, and mend it."""
    target = quote(last.target)
    all_of_it = f"--target {target} --state {state.value}"
    look = f"delivery show {last.delivery_id}" if count == 1 else f"delivery list {all_of_it}"
    if last.reason == "TARGET_DELETED":
        return look, f"group show {quote(last.group)}"
    again = f"delivery retry {last.delivery_id if count == 1 else all_of_it}"
    return (look, f"target test {target}", again) if state is End.DEAD else (look, again)


def _reason(ended: Ended) -> str:
    said = f": {ended.detail}" if ended.detail else ""
    return f"The reason is {ended.reason}{said}."


def _text(what: str, why: str, then: str, commands: Sequence[str]) -> str:
    """What happened, why, and the exact commands that help."""
    lines = [f"  {_COMMAND} {command}" for command in commands]
    return "\n".join((what[:1].upper() + what[1:], why, then, *lines))


def _notice(
    type_: str,
    about: Sequence[str],
    at: datetime,
    *,
    subject: str,
    summary: str,
    resource: str,
    canonical_resource: str | None = None,
    labels: Mapping[str, str] = NOTHING,
) -> Event:
    """The event; its id is the same for what is the same type, day and ``about``."""
    return Event(
        event_id=_notice_id(type_, about, at),
        type=type_,
        severity=catalogue.default_severity(type_),
        timestamp=at,
        subject=subject,
        summary=summary,
        resource=resource,
        canonical_resource=resource if canonical_resource is None else canonical_resource,
        labels=labels,
    )


def _notice_id(type_: str, about: Sequence[str], at: datetime) -> str:
    digest = hashlib.blake2b("\0".join(about).encode(), digest_size=8).hexdigest()
    return f"notice-{type_.removeprefix('notification.')}-{digest}-{at:%Y-%m-%d}"


def resource_of_target(target: str) -> str:
    """Of its own, so that the notices of one target have nothing to do with those of another."""
    return f"/notification/target/{target}"


def _largest_power_of_ten(count: int) -> int:
    """Up to ``count``, which is at least 1."""
    step: int = 10 ** (len(str(count)) - 1)
    return step
