"""A group as a form has it: what was typed, right or wrong, and the group that it means."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from google.protobuf.duration_pb2 import Duration

from ibs_notify.console.forms import Form
from ibs_notify.console.overtaken import carried
from ibs_notify.console.wording.durations import read_duration
from ibs_notify.domain.duration import show_duration
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.group import (
    DEFAULT_DEDUP_WINDOW,
    DEFAULT_RATE_LIMIT,
    WEEKDAYS,
    Frequency,
    Scope,
)
from ibs_notify.domain.resource import meant
from ironcore.notification.v1 import group_pb2 as pb
from ironcore.notification.v1.router_service_pb2 import EventScope

OFF = "off"
MOST_ROWS = 100

_SCOPES = {each.value: pb.GroupScope.Value(f"GROUP_SCOPE_{each.name}") for each in Scope}
_FREQUENCIES = {
    each.value: pb.DigestFrequency.Value(f"DIGEST_FREQUENCY_{each.name}") for each in Frequency
}
_WEEKDAYS = {each: pb.Weekday.Value(f"WEEKDAY_{each.upper()}") for each in WEEKDAYS}

NAMES = {
    "group.name": "name",
    "group.description": "description",
    "group.scope": "scope",
    "group.attachments": "attachments",
    "group.rate_limit_per_minute": "rate_limit",
    "group.dedup_window": "dedup_window",
    "group.digest": "digest_rule",
    "group.digest.time": "digest_time",
    "group.digest.frequency": "digest_frequency",
    "group.digest.weekday": "digest_weekday",
    "group.digest.time_zone": "digest_time_zone",
    "resource": "attachments",
}
"""From the API's paths to the form's fields; those of the rows are ``row_names``."""


@dataclass(frozen=True, slots=True)
class Row:
    """A target and its rule; a row without either counts for nothing."""

    target: str = ""
    rule: str = ""
    recipients: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the fields."""

    name: str = ""
    description: str = ""
    scope: str = Scope.EVERYTHING
    attachments: str = ""
    rate_limit: str = str(DEFAULT_RATE_LIMIT)
    dedup_window: str = show_duration(DEFAULT_DEDUP_WINDOW)
    has_digest: bool = False
    digest_rule: str = "severity in (info, notice)"
    digest_frequency: str = Frequency.DAILY
    digest_time: str = "09:00"
    digest_weekday: str = WEEKDAYS[0]
    digest_time_zone: str = ""
    digest_send_empty: bool = False
    weekly_summary: bool = False
    rows: tuple[Row, ...] = ()
    etag: str = ""
    opened: str = ""
    """What the form was opened with, as ``overtaken`` carries it."""
    differs: tuple[str, ...] = ()
    """Keys of what somebody else changed too, and that is still to be chosen."""
    asked: tuple[str, ...] = ()
    """Rules that the form has asked about once."""

    def understood(self, kept: Collection[str] = ()) -> dict[str, str]:
        """Each attached resource as it was written, and the one that is meant, in their order.

        Those that are ``kept`` as they are have been attached before, by whoever knew the spelling.
        """
        given = [each.strip() for each in self.attachments.splitlines() if each.strip()]
        return {each: each if each in kept else meant(each) for each in given}

    def rules(self) -> dict[str, str]:
        """What stands in each field of a rule that counts."""
        found = {f"rule-{n}": row.rule for n, row in enumerate(self.rows) if row.target}
        return found | ({"digest_rule": self.digest_rule} if self.has_digest else {})

    def new_rules(self, before: Draft | None = None) -> list[str]:
        """Its rules, each once, but for those of ``before`` and those that were asked about."""
        known = {*self.asked, *(before.rules().values() if before else ())}
        return [each for each in dict.fromkeys(self.rules().values()) if each not in known]


def draft_about(resource: str, rule: str, target: str = "") -> Draft:
    """A new group that hears of ``resource`` alone, its first ``target`` by ``rule``; any empty."""
    return Draft(
        scope=Scope.ATTACHED if resource else Scope.EVERYTHING,
        attachments=resource,
        rows=(Row(target, rule),) if rule or target else (),
    )


def draft_of_form(form: Form, name: str = "") -> Draft:
    """What was sent; ``name`` where the form cannot change it."""
    rows = []
    for index in range(MOST_ROWS):
        if f"target-{index}" not in form.values:
            break
        rows.append(
            Row(
                form.text(f"target-{index}"),
                form.text(f"rule-{index}"),
                form.raw(f"recipients-{index}"),
            )
        )
    return Draft(
        name=name or form.text("name"),
        description=form.text("description"),
        scope=form.text("scope"),
        attachments="\n".join(filter(None, map(form.raw, ("attachments", "attach_more")))),
        rate_limit=form.text("rate_limit"),
        dedup_window=form.text("dedup_window"),
        has_digest=form.is_on("digest"),
        digest_rule=form.text("digest_rule"),
        digest_frequency=form.text("digest_frequency"),
        digest_time=form.text("digest_time"),
        digest_weekday=form.text("digest_weekday"),
        digest_time_zone=form.text("digest_time_zone"),
        digest_send_empty=form.is_on("digest_send_empty"),
        weekly_summary=form.is_on("weekly_summary"),
        rows=tuple(rows),
        etag=form.text("etag"),
        opened=form.text("opened"),
        differs=tuple(form.texts("differs")),
        asked=tuple(form.texts("asked")),
    )


def draft_of_group(group: pb.Group) -> Draft:
    """The fields of a group that there is."""
    limit = group.rate_limit_per_minute
    window = group.dedup_window.ToTimedelta()
    draft = Draft(
        name=group.name,
        description=group.description,
        scope=_word(pb.GroupScope.Name(group.scope)),
        attachments="\n".join(group.attachments),
        rate_limit=str(limit) if limit else OFF,
        dedup_window=show_duration(window) if window else OFF,
        weekly_summary=group.weekly_summary,
        rows=tuple(
            Row(each.target, each.rule, "\n".join(each.recipients)) for each in group.subscriptions
        ),
        etag=group.etag,
        opened=carried(_shown(group)),
    )
    if not group.HasField("digest"):
        return draft
    digest = group.digest
    return replace(
        draft,
        has_digest=True,
        digest_rule=digest.rule,
        digest_frequency=_word(pb.DigestFrequency.Name(digest.frequency)),
        digest_time=digest.time,
        digest_weekday=_word(pb.Weekday.Name(digest.weekday)),
        digest_time_zone=digest.time_zone,
        digest_send_empty=digest.send_empty,
    )


def _shown(group: pb.Group) -> pb.Group:
    """Without its templates, which have their own page, and may be long."""
    shown = pb.Group()
    shown.CopyFrom(group)
    shown.ClearField("templates")
    return shown


def group_of(draft: Draft, kept: Collection[str] = ()) -> pb.Group:
    """The group that is meant; ``kept`` are resources that it has already.

    ``InvalidArgument`` names, by the API's paths, what is none.
    """
    faults: list[FieldViolation] = []
    group = pb.Group(
        name=draft.name,
        description=draft.description,
        scope=_SCOPES.get(draft.scope, pb.GROUP_SCOPE_EVERYTHING),
        attachments=dict.fromkeys(draft.understood(kept).values()),
        subscriptions=[
            pb.Subscription(target=each.target, rule=each.rule, recipients=_words(each.recipients))
            for each in draft.rows
            if each.target
        ],
        rate_limit_per_minute=_rate_limit(draft.rate_limit, faults),
        dedup_window=_window(draft.dedup_window, faults),
        weekly_summary=draft.weekly_summary,
        etag=draft.etag,
    )
    group.dedup_window.SetInParent()
    if draft.has_digest:
        group.digest.CopyFrom(_digest(draft))
    faults += _twice(group) + _for_nobody(draft)
    if faults:
        raise InvalidArgument.of(faults)
    return group


def scope_of(draft: Draft) -> EventScope:
    """Which events the group that is meant would hear of, whatever its rules."""
    return EventScope(
        scope=_SCOPES.get(draft.scope, pb.GROUP_SCOPE_EVERYTHING),
        attachments=dict.fromkeys(draft.understood().values()),
        group=draft.name,
    )


def _twice(group: pb.Group) -> list[FieldViolation]:
    """An edit is several calls, none of which would see it."""
    names = [each.target for each in group.subscriptions]
    return [
        FieldViolation(
            f"group.subscriptions[{number}].target",
            "is there twice; a group holds a target once: join the rules with or",
        )
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def _for_nobody(draft: Draft) -> list[FieldViolation]:
    """A rule that was written is not thrown away unsaid; an edit takes a target out like that."""
    if draft.etag:
        return []
    return [
        FieldViolation(f"rows[{index}]", "choose who receives these events, or clear the rule")
        for index, each in enumerate(draft.rows)
        if each.rule and not each.target
    ]


def row_names(draft: Draft) -> dict[str, str]:
    """From the API's paths of a new group's subscriptions, and ``rows``, to the rows' fields."""
    places = [index for index, each in enumerate(draft.rows) if each.target]
    return {f"rows[{index}]": f"target-{index}" for index in range(len(draft.rows))} | {
        f"group.subscriptions[{number}].{part}": f"{part}-{index}"
        for number, index in enumerate(places)
        for part in ("target", "rule", "recipients")
    }


def _digest(draft: Draft) -> pb.Digest:
    return pb.Digest(
        rule=draft.digest_rule,
        frequency=_FREQUENCIES.get(draft.digest_frequency, pb.DIGEST_FREQUENCY_DAILY),
        time=draft.digest_time,
        weekday=_WEEKDAYS.get(draft.digest_weekday, pb.WEEKDAY_MONDAY),
        time_zone=draft.digest_time_zone,
        send_empty=draft.digest_send_empty,
    )


def _rate_limit(text: str, faults: list[FieldViolation]) -> int:
    if text.lower() in (OFF, "0"):
        return 0
    if not text:
        return DEFAULT_RATE_LIMIT
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    problem = "is no number of events a minute; off for no limit"
    faults.append(FieldViolation("group.rate_limit_per_minute", problem))
    return 0


def _window(text: str, faults: list[FieldViolation]) -> Duration:
    window = Duration()
    try:
        window.FromTimedelta(read_duration(text) if text else DEFAULT_DEDUP_WINDOW)
    except ValueError as error:
        faults.append(FieldViolation("group.dedup_window", str(error)))
    return window


def _words(text: str) -> list[str]:
    return [each.strip() for each in text.replace("\n", ",").split(",") if each.strip()]


def _word(name: str) -> str:
    """``attached`` of ``GROUP_SCOPE_ATTACHED``."""
    return name.rpartition("_")[2].lower()
