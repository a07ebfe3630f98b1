"""The audit log says what was changed as a person would."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ibs_notify.console.wording.audit_words import Said, said
from ibs_notify.domain.document_changes import changes


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    lines = said(changes(json.dumps(before), json.dumps(after)))
    return [(each.label, each.old, each.new) for each in lines]


def subscription(target: str, rule: str, **more: Any) -> dict[str, Any]:
    return {"target": target, "rule": rule, "uid": "30578b7f22054f57a97a9ee3ba7497da", **more}


def test_the_targets_of_a_group_are_named_with_what_changed_of_each() -> None:
    before = {"subscriptions": [subscription("chat-ops", "*"), subscription("pager", "*")]}
    after = {
        "subscriptions": [
            subscription("chat-ops", "severity >= error"),
            subscription("ops-smtp", "*", recipients=["a@example.com", "b@example.com"]),
        ]
    }
    assert told(before, after) == [
        ("Rule of chat-ops", "*", "severity >= error"),
        ("Rule of pager", "*", None),
        ("Rule of ops-smtp", None, "*"),
        ("Recipients of ops-smtp", None, "a@example.com, b@example.com"),
    ]


@pytest.mark.parametrize(
    ("path", "old", "new", "line"),
    [
        ("rate_limit_per_minute", 60, 10, ("Events a minute", "60", "10")),
        (
            "scope",
            "GROUP_SCOPE_EVERYTHING",
            "GROUP_SCOPE_ATTACHED",
            ("Scope", "everything", "attached"),
        ),
        ("attachments", ["/a", "/b"], ["/a"], ("Attached resources", "/a, /b", "/a")),
        ("weekly_summary", False, True, ("Weekly summary", "no", "yes")),
        ("description", "NOC", "OPS", ("Description", "NOC", "OPS")),
    ],
)
def test_a_field_is_called_as_its_form_calls_it(
    path: str, old: object, new: object, line: tuple[str, str, str]
) -> None:
    assert told({path: old}, {path: new}) == [line]


def test_what_is_inside_something_is_said_with_it() -> None:
    before = {"webhook": {"headers": {"X-Team": "(set)"}}, "digest": {"time": "09:00"}}
    after = {"webhook": {"headers": {}}, "digest": {"time": "10:00"}}
    assert told(before, after) == [
        ("Digest: Time", "09:00", "10:00"),
        ("Header X-Team", "(set)", None),
    ]


def test_names_and_uids_are_left_to_the_raw_entry() -> None:
    assert told({}, {"name": "ops-team", "uid": "27803c898eda49fc9fcecc6c7aa2d94d"}) == []


def test_a_secret_that_replaced_another_stays_one() -> None:
    document = json.dumps({"smtp": {"password": "(set)"}})
    assert said(changes(document, document)) == [Said("Password", "(set)", "(set)", True)]
