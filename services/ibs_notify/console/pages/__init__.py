"""All pages: each is a function from a visit to a response, in the file of its area."""

from __future__ import annotations

from ibs_notify.console.pages import event, inbox, marks, overview, settings
from ibs_notify.console.pages.route import Route

ROUTES: tuple[Route, ...] = (
    *inbox.ROUTES,
    *marks.ROUTES,
    *event.ROUTES,
    *overview.ROUTES,
    *settings.ROUTES,
)
