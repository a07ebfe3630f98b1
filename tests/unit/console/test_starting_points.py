"""What the editor offers to begin with can be saved as it is."""

from __future__ import annotations

import pytest

from ibs_notify.console.message_templates.owner import DIGEST, MAIL_PARTS, WEBHOOK_PARTS
from ibs_notify.console.message_templates.starting_points import Point, starting_points
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.mail import MailTemplates

PARTS = (*MAIL_PARTS, *WEBHOOK_PARTS)
OFFERED = [
    (field, point)
    for field in (*PARTS, *(f"{DIGEST}{part}" for part in PARTS))
    for point in starting_points(field)
]


@pytest.mark.parametrize(("field", "point"), OFFERED)
def test_a_starting_point_can_be_saved(field: str, point: Point) -> None:
    part = field.removeprefix(DIGEST)
    if part == "body":
        compile_body(point.text)
    else:
        MailTemplates.compile(**{part: point.text})


def test_every_part_of_an_event_has_one_and_what_is_built_in_is_the_first() -> None:
    for part in PARTS:
        assert starting_points(part)
        first, *others = starting_points(part, "what is built in")
        assert first.text == "what is built in"
        assert tuple(others) == starting_points(part)
