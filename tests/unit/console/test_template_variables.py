"""The variables that the editor offers are those that templates have."""

from __future__ import annotations

import pytest

from ibs_notify.console.message_templates.variables import VARIABLES, Variable
from ibs_notify.templates.mail import MailTemplates
from ibs_notify.templates.shapes import EVENT
from ibs_notify.templates.variables import VARIABLES as CONTRACT

OFFERED = [each for family in VARIABLES for each in family.variables]


@pytest.mark.parametrize("variable", OFFERED, ids=lambda each: str(each.text))
def test_what_is_offered_can_be_saved(variable: Variable) -> None:
    MailTemplates.compile(text=f"{{% if {variable.text} %}}yes{{% endif %}}")


def test_nothing_that_an_event_has_is_kept_back() -> None:
    texts = [each.text for each in OFFERED]
    named = {text.split(".")[1].split("[")[0] for text in texts if text.startswith("event.")}
    assert named == set(EVENT.fields)
    assert {text.split(".")[0] for text in texts} == set(CONTRACT)
