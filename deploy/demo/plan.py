"""The demo's targets, groups and storm, as commands, and what each sink must then receive.

The groups are those that the product page recommends, and one that is attached to a datastore.
Beside each rule stands the same condition in Python, so that what arrives is compared with
something that the rule language did not make.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ibs_notify.domain.catalogue import default_severity

Event = Mapping[str, str]
"""A line of night.jsonl."""

OPS, COMPLIANCE, SPONSOR = "ops@example.com", "compliance@example.com", "sponsor@example.com"
OFFSITE = "offsite@example.com"
ATTACHED = "ibs-offsite:"
"""The datastore that is attached to ``offsite-team``, which hears of nothing else."""
PHONE = "+49 170 0000000"
TARGET_TEST = ("target", "test", "sms-gateway")
"""Is the way to the gateway right? One real attempt."""
CHAT_AUTHORIZATION = "Bearer demo-chat"
PUBLIC_URL = "https://ibs.example.com"

ADMINISTRATOR, OPERATOR, VIEWER, JOBS = "alice", "bob", "auditor", "night-jobs"
LEAVER, BACKUPS, STRANGER = "mallory", "backup-jobs", "stranger"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever gets a token, and what it may do; an emitter of some ``sources`` only."""

    name: str
    role: str
    sources: tuple[str, ...] = ()

    def command(self) -> list[str]:
        bound = [word for source in self.sources for word in ("--source", source)]
        return ["token", "create", self.name, "--role", self.role, "--expires", "30d", *bound]


TOKENS = (
    Holder(ADMINISTRATOR, "administrator"),
    Holder(OPERATOR, "operator"),
    Holder(LEAVER, "operator"),
    Holder(VIEWER, "viewer"),
    Holder(JOBS, "emitter"),
    Holder(BACKUPS, "emitter", ("backup",)),
)
INVENTED = f"ibsn_{'0' * 16}_{'0' * 64}\n"
"""It looks like a token."""
NOT_VALID = "nobody made it, or it was revoked"
REFUSED = (
    (STRANGER, ("inbox", "list"), NOT_VALID),
    (JOBS, ("inbox", "list"), "it needs the role viewer"),
    (
        BACKUPS,
        ("emit", "--type", "auth.login-failed", "--subject", "Login failed for root"),
        "the token may emit of backup only",
    ),
    (
        VIEWER,
        ("silence", "create", "--rule", "*", "--for", "8h", "--comment", "Good night"),
        "it needs the role operator",
    ),
    (OPERATOR, ("target", "delete", "ops-smtp"), "it needs the role administrator"),
)
"""Who tries what, and what the refusal says."""
REVOKE = ("token", "revoke", LEAVER)
LEFT = (LEAVER, ("inbox", "list"), NOT_VALID)
AUDIT = ("audit", "verify")
"""Every change, in a chain of hashes for each service: is it whole?"""

RATE_LIMITS = {"ops-team": 600}
"""Events a minute. The demo replays eight hours in seconds; all others keep the default of 60."""
SILENCE = (
    *("silence", "create", "--rule", "resource under /datastore/ibs-archive"),
    *("--for", "2h", "--comment", "The archive moves to new disks"),
)
STATUS = ("group", "status", "on-call")
UNLIMITED = ("group", "update", "on-call", "--rate-limit", "off")
"""What whoever has the phone does who wants to see the rest of a storm now."""
DEFAULT_LIMIT = 60

CHAT_FIELDS = ("type", "severity", "subject", "summary", "task_id", "actor", "timestamp")
CHAT_TEMPLATE = (
    "{\n" + ",\n".join(f'  "{name}": "{{{{event.{name}}}}}"' for name in CHAT_FIELDS) + "\n}\n"
)
"""The product page's body template, as it is printed there."""
SMS_TEMPLATE = f"to={PHONE}\n&text={{{{ event.severity|upper }}}}: {{{{ event.subject }}}}\n"


@dataclass(frozen=True, slots=True)
class Files:
    """What the commands read: templates and secrets."""

    chat_template: Path
    sms_template: Path
    chat_header: Path
    influx_token: Path

    @classmethod
    def write(cls, directory: Path) -> Files:
        directory.mkdir(parents=True)
        files = cls(*(directory / name for name in ("chat-ops.json", "sms.form", "chat", "influx")))
        files.chat_template.write_text(CHAT_TEMPLATE)
        files.sms_template.write_text(SMS_TEMPLATE)
        files.chat_header.write_text(f"Authorization: {CHAT_AUTHORIZATION}\n")
        files.influx_token.write_text("demo-influx\n")
        for secret in (files.chat_header, files.influx_token):
            secret.chmod(0o600)
        return files


@dataclass(frozen=True, slots=True)
class Subscription:
    """A target of a group; ``hears`` says in Python what ``rule`` says."""

    group: str
    target: str
    rule: str
    hears: Callable[[Event], bool]
    recipient: str = ""


METRICS = "metrics-influx"
GROUPS = {
    "ops-team": "Daily operations team",
    "on-call": "Whoever has the phone tonight",
    "compliance": "Permissions, keys and verification results",
    "executive-sponsor": "Only what endangers the service",
    "offsite-team": "Keepers of the second datastore",
}

_OPERATIONS = ("backup", "restore", "sync", "verify", "datastore", "system")


def severity_of(event: Event) -> str:
    """What the emitter gave, else the type's default."""
    return event.get("severity") or default_severity(event["type"]).label


def _operational(event: Event) -> bool:
    return event["type"].split(".")[0] in _OPERATIONS


def _urgent(event: Event) -> bool:
    return severity_of(event) in ("error", "critical")


def _audited(event: Event) -> bool:
    return event["type"].split(".")[0] in ("config", "verify")


def _critical(event: Event) -> bool:
    return severity_of(event) == "critical"


def _urgent_offsite(event: Event) -> bool:
    return _urgent(event) and event.get("resource", "").startswith(ATTACHED)


_OPERATIONAL = f"source in ({', '.join(_OPERATIONS)})"
_AUDITED = "source in (config, verify)"
SUBSCRIPTIONS: Sequence[Subscription] = (
    Subscription("ops-team", "ops-smtp", _OPERATIONAL, _operational),
    Subscription("ops-team", "chat-ops", _OPERATIONAL, _operational),
    Subscription("ops-team", "metrics-influx", _OPERATIONAL, _operational),
    Subscription("on-call", "sms-gateway", "severity >= error", _urgent),
    Subscription("on-call", "chat-ops", "severity >= error", _urgent),
    Subscription("compliance", "ops-smtp", _AUDITED, _audited, COMPLIANCE),
    Subscription("compliance", "metrics-influx", _AUDITED, _audited),
    Subscription("executive-sponsor", "ops-smtp", "severity = critical", _critical, SPONSOR),
    Subscription("offsite-team", "ops-smtp", "severity >= error", _urgent_offsite, OFFSITE),
)


def commands(smtp_port: int, http_url: str, files: Files) -> list[list[str]]:
    """What an administrator types, after ``ironcore-backup notification``."""
    smtp = ["--type", "smtp", "--server", "127.0.0.1", "--port", str(smtp_port), "--tls", "none"]
    hook = ["--type", "webhook", "--url"]
    influx = ["--type", "metric-server", "--protocol", "influxdb-v2", "--url", http_url]
    chat = ["--header-file", str(files.chat_header), "--body-template", str(files.chat_template)]
    form = ["--body-template", str(files.sms_template)]
    form += ["--content-type", "application/x-www-form-urlencoded"]
    bucket = ["--org", "polystack", "--bucket", "ibs-events"]
    token = ["--token-file", str(files.influx_token)]
    targets = {
        "ops-smtp": [*smtp, "--from", "ironcore-backup@example.com", "--to", OPS],
        "chat-ops": [*hook, f"{http_url}/chat", *chat],
        "sms-gateway": [*hook, f"{http_url}/sms", *form],
        "metrics-influx": [*influx, *bucket, *token],
    }
    return [
        ["settings", "update", "--public-url", PUBLIC_URL],
        *(["target", "create", "--name", name, *flags] for name, flags in targets.items()),
        *(_create(name, description) for name, description in GROUPS.items()),
        *(_add(each) for each in SUBSCRIPTIONS),
        ["group", "attach", "--group", "offsite-team", "--resource", ATTACHED],
    ]


def _create(name: str, description: str) -> list[str]:
    limit = ["--rate-limit", str(RATE_LIMITS[name])] if name in RATE_LIMITS else []
    return ["group", "create", "--name", name, "--description", description, *limit]


def _add(each: Subscription) -> list[str]:
    to = ["--recipient", each.recipient] if each.recipient else []
    what = ["--group", each.group, "--target", each.target, "--rule", each.rule]
    return ["group", "target", "add", *what, *to]


@dataclass(frozen=True, slots=True)
class Storm:
    """Events in the order in which they are emitted, and the ids of those that are not told:

    ``repeats`` say what was just said, ``silenced`` are of the datastore that is silenced.
    """

    events: Sequence[Event]
    repeats: frozenset[str]
    silenced: frozenset[str]

    @property
    def untold(self) -> frozenset[str]:
        return self.repeats | self.silenced


def storm() -> Storm:
    """A second site is gone: 90 syncs fail, a job fails in a loop, the archive's disks are out."""
    fails = [_failed(number) for number in range(1, 13)]
    recovers = _event(13, "backup.completed", "Backup of vm/1007 (mail-01) completed", JOB)
    again = _failed(14)
    syncs = [
        _event(20 + n, "sync.failed", f"Sync of ns/{n} to site B failed", f"ibs-primary:ns/{n}")
        for n in range(1, 91)
    ]
    archive = [
        _event(200 + n, "verify.failed", f"Verification of ct/{n} failed", f"ibs-archive:ct/{n}")
        for n in range(1, 6)
    ]
    return Storm(
        (*fails, recovers, again, *syncs, *archive),
        frozenset(each["event_id"] for each in fails[1:]),
        frozenset(each["event_id"] for each in archive),
    )


JOB = "ibs-primary:production/vm/1007"


def _failed(number: int) -> Event:
    """Each time the same, but for how long it took."""
    subject = "Backup of vm/1007 (mail-01) failed"
    summary = f"Connection refused after {number}.{number} s"
    return {**_event(number, "backup.failed", subject, JOB), "summary": summary}


def _event(number: int, kind: str, subject: str, resource: str) -> Event:
    return {
        "event_id": f"evt-2026-05-21-storm-{number:03}",
        "type": kind,
        "subject": subject,
        "resource": resource,
        "timestamp": "2026-05-21T06:30:00Z",
    }


@dataclass(frozen=True, slots=True)
class Notice:
    """An event by which the services tell of themselves, such as that a target was changed.

    ``routes`` are the groups and targets that heard of it: it is of any time, so perhaps of before
    there was a group to hear of it.
    """

    event: Event
    routes: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of events: what arrives, as multisets, and how the books must stand.

    An event reaches one destination once, however many groups route it there: the further routes
    are ``coalesced``. What is not told is ``closed`` at once on each route to people. ``recorded``
    are for the metric server, which is told of every event that matches.
    """

    mails: Counter[tuple[str, str]]
    chat: Counter[str]
    sms: Counter[str]
    events: int
    recorded: int
    coalesced: int
    closed: int

    @classmethod
    def of(
        cls, events: Sequence[Event], untold: frozenset[str], notices: Sequence[Notice]
    ) -> Expected:
        heard = [(each, event) for event in events for each in SUBSCRIPTIONS if each.hears(event)]
        heard += [
            (each, notice.event)
            for notice in notices
            for each in SUBSCRIPTIONS
            if (each.group, each.target) in notice.routes
        ]
        routes = [
            (each.target, each.recipient or OPS, event)
            for each, event in heard
            if each.target == METRICS or event["event_id"] not in untold
        ]
        places = {(target, to, event["event_id"]): event for target, to, event in routes}
        by_target: dict[str, list[Event]] = {each.target: [] for each in SUBSCRIPTIONS}
        for (target, _, _), event in places.items():
            by_target[target].append(event)
        return cls(
            mails=Counter((to, event) for target, to, event in places if target == "ops-smtp"),
            chat=Counter(chat_key(_chat(event)) for event in by_target["chat-ops"]),
            sms=Counter(_sms(event) for event in by_target["sms-gateway"]),
            events=len(events) + len(notices),
            recorded=len(by_target[METRICS]),
            coalesced=len(routes) - len(places),
            closed=len(heard) - len(routes),
        )

    @property
    def delivered(self) -> int:
        """How many deliveries must end as delivered."""
        return self.mails.total() + self.chat.total() + self.sms.total() + self.recorded


def chat_key(fields: Mapping[str, str]) -> str:
    """A chat message as something that can be counted."""
    return json.dumps(dict(fields), sort_keys=True)


def _chat(event: Event) -> dict[str, str]:
    return {name: event.get(name, "") for name in CHAT_FIELDS} | {"severity": severity_of(event)}


def _sms(event: Event) -> str:
    return f"{severity_of(event).upper()}: {event['subject']}"
