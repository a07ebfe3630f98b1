"""Where a group has a text, and where in its form that can be changed."""

from __future__ import annotations

import pytest

from ibs_notify.console.groups.found import MOST_SHOWN, found_in, other_spelling
from ironcore.notification.v1.group_pb2 import (
    GROUP_SCOPE_ATTACHED,
    GROUP_SCOPE_EVERYTHING,
    Digest,
    Group,
    Subscription,
)


def test_each_place_names_its_field_and_the_row_of_its_target() -> None:
    group = Group(
        name="x-team",
        description="x",
        digest=Digest(rule="subject = x"),
        subscriptions=[
            Subscription(target="a", rule="*"),
            Subscription(target="x", rule="task_id = X", recipients=["x@y.test", "z@y.test"]),
        ],
        scope=GROUP_SCOPE_ATTACHED,
        attachments=["/datastore/x"],
    )
    found = found_in(group, "x")
    assert [(each.title, each.field, each.row, each.is_code) for each in found.lines] == [
        ("target", "f-target-1", "target-1", False),
        ("rule of x", "f-rule-1", "target-1", True),
        ("recipient of x", "f-recipients-1", "target-1", False),
        ("digest rule", "f-digest_rule", "facts-title", True),
        ("attached resource", "f-attachments", "facts-title", False),
    ]
    assert [each.text for each in found.name if each.is_found] == ["x"]
    assert [each.text for each in found.description if each.is_found] == ["x"]


def test_attached_resources_that_do_not_count_are_changed_by_the_scope() -> None:
    group = Group(name="g", scope=GROUP_SCOPE_EVERYTHING, attachments=["/datastore/x"])
    assert [each.field for each in found_in(group, "x").lines] == ["f-scope"]


def test_of_many_places_some_are_shown_and_the_others_counted() -> None:
    group = Group(name="g", attachments=[f"/datastore/x{n}" for n in range(MOST_SHOWN + 7)])
    found = found_in(group, "x")
    assert (len(found.lines), found.more) == (MOST_SHOWN, 7)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("tank:vm/100", "/datastore/tank/vm/100"),
        ("/datastore/tank/vm/100", "tank:vm/100"),
        ("/datastore/tank", "tank:"),
        ("tank:", "/datastore/tank"),
        ("tank", ""),
        ("/var/log", ""),
        ("/datastore", ""),
        ("/datastore/", ""),
        ("subject = a:b", ""),
        ("", ""),
    ],
)
def test_a_resource_has_another_spelling_and_other_texts_have_none(text: str, other: str) -> None:
    assert other_spelling(text) == other
