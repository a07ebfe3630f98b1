"""All pages: each is a function from a visit to a response, in the file of its area."""

from __future__ import annotations

from ibs_notify.console.pages import (
    overview,
    queue,
    settings,
    silences,
    task,
    task_changes,
    tasks,
)
from ibs_notify.console.pages.route import Route

ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *tasks.ROUTES,
    *task_changes.ROUTES,
    *task.ROUTES,
    *queue.ROUTES,
    *silences.ROUTES,
    *settings.ROUTES,
)
