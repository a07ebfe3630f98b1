"""Every page of the console, for the checks that hold for each and for the screenshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.browser.night import Night


@dataclass(frozen=True, slots=True)
class Page:
    """``name`` is that of its screenshots; ``url`` finds it in an installation."""

    name: str
    url: Callable[[Night], str]
    status: int = 200


def _at(name: str, path: str, status: int = 200) -> Page:
    return Page(name, lambda night: night.console.base + path, status)


PAGES: tuple[Page, ...] = (
    _at("overview", "/"),
    _at("start", "/start"),
    _at("inbox", "/inbox"),
    _at("inbox-filtered", "/inbox?severity=error&source=backup"),
    _at("inbox-empty", "/inbox?text=nothing+says+this"),
    _at("not-arrived", "/inbox/not-arrived?severity=error"),
    _at("event", "/events/evt-2026-05-21-001"),
    _at("tasks", "/tasks"),
    Page("task", lambda night: f"{night.console.base}/tasks/{night.dead_delivery()}"),
    _at("queue", "/queue"),
    _at("queue-group", "/queue/branch-west"),
    _at("digests", "/digests"),
    Page("digest", lambda night: f"{night.console.base}/digests/{night.digest()}"),
    _at("datastores", "/datastores"),
    _at("coverage", "/coverage"),
    _at("datastore", "/datastores/ibs-primary"),
    _at("datastore-unheard", "/datastores/ibs-lab"),
    _at("targets", "/targets"),
    _at("target", "/targets/sms-gateway"),
    _at("target-edit", "/targets/ops-smtp/edit"),
    _at("target-delete", "/targets/ops-smtp/delete"),
    _at("target-disable", "/targets/ops-smtp/disable"),
    _at("target-new-smtp", "/targets/new/smtp"),
    _at("target-new-webhook", "/targets/new/webhook"),
    _at("target-new-metric-server", "/targets/new/metric-server"),
    _at("groups", "/groups"),
    _at("groups-found", "/groups?text=severity"),
    _at("group", "/groups/ops-team"),
    _at("group-edit", "/groups/ops-team/edit"),
    _at("group-gather", "/groups/ops-team/edit?gather=evt-2026-05-21-001#gather"),
    _at("group-without", "/groups/ops-team/without"),
    _at("group-new", "/new-group"),
    _at("rules", "/rules?rule=severity+%3E%3D+error"),
    _at("silences", "/silences"),
    _at("silence-new", "/new-silence"),
    _at("templates", "/templates"),
    _at("template-edit", "/templates/edit?target=ops-smtp"),
    _at("settings", "/settings"),
    _at("tokens", "/tokens"),
    _at("token-new", "/new-token"),
    _at("keys", "/keys"),
    _at("audit", "/audit"),
    Page("login", lambda night: f"{night.locked.base}/login"),
    _at("no-such-page", "/nothing", status=404),
    _at("no-such-target", "/targets/nobody", status=404),
    _at("no-such-group", "/groups/nobody", status=404),
)
