"""What a template may name, as the editor lists it; a test holds it equal to the contract."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """``text`` is what is inserted, without its braces."""

    text: str
    says: str


@dataclass(frozen=True, slots=True)
class Family:
    """Variables that belong together."""

    title: str
    variables: tuple[Variable, ...]


VARIABLES = (
    Family(
        "The event",
        (
            Variable("event.subject", "one line"),
            Variable("event.summary", "the details"),
            Variable("event.severity", "info, notice, warning, error or critical"),
            Variable("event.type", "backup.failed"),
            Variable("event.source", "backup"),
            Variable("event.outcome", "ok, problem or neutral"),
            Variable("event.resource", "what it happened to"),
            Variable("event.actor", "who did it"),
            Variable("event.when", "when, in the installation's time zone"),
            Variable("event.timestamp", "the same in UTC, for programs"),
            Variable("event.task_id", "the task"),
            Variable("event.task_url", "a page about the task; in HTML with |link"),
            Variable("event.links.task_log", "the task's log; other links by their names"),
            Variable("event.labels['NAME']", "a label"),
            Variable("event.groups", "the groups that the emitter selected"),
            Variable("event.event_id", "its id"),
            Variable("event.topic", "the same for a failure and its recovery"),
        ),
    ),
    Family(
        "The message",
        (
            Variable("sent.group", "the group that routes it"),
            Variable("sent.target", "where it is sent to"),
            Variable("sent.url", "the event in the console, if its address is known"),
            Variable("suppressed", "how many identical events were held back before"),
            Variable("rows", "other events that it stands for, for loops"),
            Variable("more", "how many more of them there are"),
            Variable("preset.topic", "of a preset: also account, sender, recipient"),
        ),
    ),
    Family(
        "A digest",
        (
            Variable("digest.headline", "3 failed, 2 warned, 214 others"),
            Variable("digest.group", "whose it is; also digest.target"),
            Variable("digest.period", "hourly, daily or weekly"),
            Variable("digest.window", "its span, for people"),
            Variable("digest.total", "how many; also failed, warned, succeeded, other"),
            Variable("digest.worst", "the worst severity"),
            Variable("digest.lines", "like events in one line, for loops: text, severity, when"),
            Variable("digest.failing", "what still fails, for loops: resource, subject"),
        ),
    ),
    Family(
        "A weekly summary",
        (
            Variable("weekly.text", "12 failed, 1,223 succeeded"),
            Variable("weekly.success_rate", "99.1 %"),
            Variable("weekly.datastores", "the worst first, for loops"),
            Variable("weekly.offenders", "the resources with the worst problems, for loops"),
            Variable("weekly.delivery.text", "how the notifications fared"),
        ),
    ),
)
