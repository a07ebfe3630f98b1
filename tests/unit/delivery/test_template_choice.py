"""Whose template it is: the group's, else the target's, else the built-in one."""

from __future__ import annotations

import pytest

from ibs_notify.delivery.transports.template_choice import body_template, mail_templates
from ibs_notify.domain.templates import NO_TEMPLATE_SET, Templates, TemplateSet

GROUP = TemplateSet(event=Templates(subject="gs", text="gt"), digest=Templates(subject="gds"))
TARGET = TemplateSet(
    event=Templates("ts", "tt", "th", "tb"), digest=Templates("tds", "tdt", "tdh", "tdb")
)


@pytest.mark.parametrize(
    ("group", "target", "gathers", "chosen"),
    [
        (NO_TEMPLATE_SET, NO_TEMPLATE_SET, False, Templates()),
        (NO_TEMPLATE_SET, TARGET, False, Templates("ts", "tt", "th")),
        (GROUP, NO_TEMPLATE_SET, False, Templates("gs", "gt")),
        # The target's HTML would say something else than the group's text.
        (GROUP, TARGET, False, Templates("gs", "gt")),
        (GROUP, TARGET, True, Templates("gds", "tdt", "tdh")),
        (GROUP, TemplateSet(event=TARGET.event), True, Templates("gds")),
    ],
)
def test_a_mail_has_the_most_specific_templates_and_text_and_html_of_one_owner(
    group: TemplateSet, target: TemplateSet, gathers: bool, chosen: Templates
) -> None:
    assert mail_templates(group, target, gathers=gathers) == chosen


@pytest.mark.parametrize(
    ("group", "target", "gathers", "chosen"),
    [
        (Templates(), Templates(), False, ""),
        (Templates(), Templates(body="t"), False, "t"),
        (Templates(body="g"), Templates(body="t"), False, "g"),
    ],
)
def test_a_body_is_the_groups_else_the_targets(
    group: Templates, target: Templates, gathers: bool, chosen: str
) -> None:
    assert body_template(TemplateSet(group), TemplateSet(target), gathers=gathers) == chosen


def test_a_digest_without_a_body_of_its_own_has_the_one_of_events() -> None:
    events = TemplateSet(event=Templates(body="t"))
    assert body_template(NO_TEMPLATE_SET, events, gathers=True) == "t"
    both = TemplateSet(event=Templates(body="t"), digest=Templates(body="d"))
    assert body_template(NO_TEMPLATE_SET, both, gathers=True) == "d"
    group = TemplateSet(event=Templates(body="g"))
    assert body_template(group, both, gathers=True) == "d"
