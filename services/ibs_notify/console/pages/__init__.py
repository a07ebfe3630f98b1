"""All pages: each is a function from a visit to a response, in the file of its area."""

from __future__ import annotations

from ibs_notify.console.pages import digests, settings, template_preview, templates
from ibs_notify.console.pages.route import Route

ROUTES: tuple[Route, ...] = (
    *digests.ROUTES,
    *settings.ROUTES,
    *templates.ROUTES,
    *template_preview.ROUTES,
)
