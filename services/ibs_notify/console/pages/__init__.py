"""All pages: each is a function from a visit to a response, in the file of its area."""

from __future__ import annotations

from ibs_notify.console.pages import datastores, overview, settings, start
from ibs_notify.console.pages.route import Route

ROUTES: tuple[Route, ...] = (*datastores.ROUTES, *overview.ROUTES, *settings.ROUTES, *start.ROUTES)
