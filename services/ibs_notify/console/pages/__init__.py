"""All pages: each is a function from a visit to a response, in the file of its area."""

from __future__ import annotations

from ibs_notify.console.pages import (
    datastores,
    digests,
    event,
    group_form,
    groups,
    inbox,
    marks,
    overview,
    queue,
    rules,
    settings,
    silences,
    start,
    target_form,
    target_test,
    targets,
    task,
    task_changes,
    tasks,
    template_preview,
    templates,
)
from ibs_notify.console.pages.route import Route

ROUTES: tuple[Route, ...] = (
    *target_form.ROUTES,
    *target_test.ROUTES,
    *targets.ROUTES,
    *settings.ROUTES,
    *digests.ROUTES,
    *templates.ROUTES,
    *template_preview.ROUTES,
    *overview.ROUTES,
    *groups.ROUTES,
    *group_form.ROUTES,
    *rules.ROUTES,
    *inbox.ROUTES,
    *marks.ROUTES,
    *event.ROUTES,
    *tasks.ROUTES,
    *task_changes.ROUTES,
    *task.ROUTES,
    *queue.ROUTES,
    *silences.ROUTES,
    *datastores.ROUTES,
    *start.ROUTES,
)
