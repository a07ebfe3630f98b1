"""A message in its templates, whatever they make of it: what goes wrong is an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ibs_notify.delivery.transports.base import Message, OutcomeReason
from ibs_notify.delivery.transports.stages import refused, retry
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.time_zone import zone_of
from ibs_notify.templates.context import event_context

Rendered_co = TypeVar("Rendered_co", covariant=True)


class Template(Protocol[Rendered_co]):
    """What is compiled: of a body, or of a whole mail."""

    def render(self, context: Mapping[str, Any]) -> Rendered_co:
        """Raises InvalidArgument where the result is too large."""
        ...


def render(
    message: Message,
    template: Callable[[], Template[Rendered_co]],
    preset: Mapping[str, str] | None = None,
) -> Rendered_co:
    """``message`` in the ``template`` of its group or target; ``preset`` are variables of its own.

    Raises AttemptFailed: MISCONFIGURED, to be tried again, where the template cannot be used, and
    TEMPLATE_FAILED where the result is too large.
    """
    try:
        compiled = template()
    except InvalidArgument as error:
        raise retry(OutcomeReason.MISCONFIGURED, f"a template of the group: {error}") from error
    context = event_context(
        message.event,
        suppressed=message.suppressed_count,
        rows=message.rows,
        preset=preset or {},
        sent=message.sent,
        reports=message.reports,
        zone=zone_of(message.settings.time_zone),
    )
    try:
        return compiled.render(context)
    except InvalidArgument as error:
        raise refused(OutcomeReason.TEMPLATE_FAILED, str(error)) from error
