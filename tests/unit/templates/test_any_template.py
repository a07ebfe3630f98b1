"""Whatever the checks let through renders, for any event: saving is the only place to fail."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.templates.context import event_context
from ibs_notify.templates.filters import FILTERS
from ibs_notify.templates.mail import MailTemplates
from ibs_notify.templates.shapes import EVENT

EventOf = Callable[..., Event]

ATOMS = st.sampled_from(
    [f"event.{name}" for name in EVENT.fields]
    + ["event", "rows", "suppressed", "more", "event.labels.n", "event.links.x", "(rows|first)"]
    + ["'error'", "'x'", "''", "5", "-1", "2.5", "true", "['error', 'x']", "(rows|last).severity"]
)
USAGES = [each.usage for each in FILTERS.values()] + ["default('x')", "default(1)", "int", "indent"]


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ["==", "!=", "<", ">=", "in", "not in", "and", "or", "~"]
    return st.one_of(
        st.builds("({}|{})".format, inner, st.sampled_from(USAGES)),
        st.builds("({} {} {})".format, inner, st.sampled_from(operators), inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
    )


EXPRESSIONS = st.recursive(ATOMS, compound, max_leaves=6)
SHAPES = st.sampled_from(
    [
        "{{{{ {} }}}}",
        "{{% if {} %}}yes{{% endif %}}",
        "{{% for x in {} %}}{{{{ x }}}}{{% endfor %}}",
        "{{% for k, v in {} %}}{{{{ v }}}}{{% endfor %}}",
    ]
)


@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(st.builds(str.format, SHAPES, EXPRESSIONS), st.text(), st.booleans())
def test_a_template_that_was_saved_renders_any_event(
    event_of: EventOf, template: str, text: str, with_rows: bool
) -> None:
    try:
        templates = MailTemplates.compile(text=template)
    except InvalidArgument:
        return
    event = event_of(subject=text, summary=text, actor=text, labels={"n": text}, groups=(text,))
    context = event_context(event, rows=[event] if with_rows else [])
    assert isinstance(templates.render(context).text, str)
