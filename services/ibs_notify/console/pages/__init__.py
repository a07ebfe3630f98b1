"""All pages: each is a function from a visit to a response, in the file of its area."""

from __future__ import annotations

from ibs_notify.console.pages import audit, keys, settings, tokens
from ibs_notify.console.pages.route import Route

ROUTES: tuple[Route, ...] = (
    *settings.ROUTES,
    *tokens.ROUTES,
    *keys.ROUTES,
    *audit.ROUTES,
)
