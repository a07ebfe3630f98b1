"""All pages: each is a function from a visit to a response, in the file of its area."""

from __future__ import annotations

from ibs_notify.console.pages import group_form, groups, overview, rules, settings
from ibs_notify.console.pages.route import Route

ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *groups.ROUTES,
    *group_form.ROUTES,
    *rules.ROUTES,
    *settings.ROUTES,
)
