"""The pages in the sidebar, in their order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """``needs`` is a call that a visitor must be allowed to make for the page to be of use."""

    title: str
    path: str
    icon: str
    needs: str


@dataclass(frozen=True, slots=True)
class Section:
    """Entries below a heading."""

    title: str
    entries: tuple[Entry, ...]


NAVIGATION: tuple[Section, ...] = (
    Section(
        "Watch",
        (
            Entry("Overview", "/", "overview", "RouterService/CountEvents"),
            Entry("Inbox", "/inbox", "inbox", "RouterService/ListEvents"),
            Entry("Tasks", "/tasks", "tasks", "DeliveryService/ListDeliveries"),
            Entry("Queue", "/queue", "queue", "RouterService/ListGroupStatuses"),
            Entry("Digests", "/digests", "digests", "DeliveryService/ListDigests"),
            Entry("Datastores", "/datastores", "datastores", "RouterService/GetCoverage"),
        ),
    ),
    Section(
        "Notifications",
        (
            Entry("Targets", "/targets", "targets", "ConfigService/ListTargets"),
            Entry("Groups", "/groups", "groups", "ConfigService/ListGroups"),
            Entry("Silences", "/silences", "silences", "RouterService/ListSilences"),
            Entry("Templates", "/templates", "templates", "DeliveryService/ListTemplates"),
        ),
    ),
    Section(
        "Administration",
        (
            Entry("Settings", "/settings", "settings", "ConfigService/GetSettings"),
            Entry("Tokens", "/tokens", "tokens", "ConfigService/ListTokens"),
            Entry("Keys", "/keys", "keys", "ConfigService/ListKeys"),
            Entry("Audit", "/audit", "audit", "AuditService/ListAuditEntries"),
        ),
    ),
)
