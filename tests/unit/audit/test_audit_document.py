"""What an entry says of a thing: only what differs, no secret, and never much."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ibs_notify.audit.document import MAX_JSON, Document, Sealed, difference, written

CHAT = {"target": "chat", "rule": "*"}
MAIL = {"target": "mail", "rule": "severity >= error"}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ({"b": 2}, {"b": 3})),
        ({"a": 1}, {"b": 1}, ({"a": 1}, {"b": 1})),
        ({"a": 1}, {"a": 1}, ({}, {})),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ({"a": {"c": 2}}, {"a": {"c": 3}})),
        ({"to": ["x", "y"]}, {"to": ["x"]}, ({"to": ["x", "y"]}, {"to": ["x"]})),
        ({"of": [CHAT, MAIL]}, {"of": [CHAT]}, ({"of": [MAIL]}, {"of": []})),
        ({"of": [CHAT]}, {"of": [CHAT, MAIL]}, ({"of": []}, {"of": [MAIL]})),
        ({"of": [CHAT]}, {}, ({"of": [CHAT]}, {})),
        ({"of": [CHAT, MAIL]}, {"of": [MAIL, CHAT]}, ({"of": [CHAT, MAIL]}, {"of": [MAIL, CHAT]})),
    ],
)
def test_only_what_differs_is_told(
    before: Document, after: Document, told: tuple[Document, Document]
) -> None:
    assert difference(before, after) == told


def test_a_secret_is_set_and_told_on_both_sides_where_it_was_replaced() -> None:
    former, same, latter = (
        {"smtp": {"password": Sealed(each), "port": 25}} for each in (b"one", b"one", b"two")
    )
    assert difference(former, same) == ({}, {})
    told = [written(side) for side in difference(former, latter)]
    assert told == ['{"smtp":{"password":"(set)"}}'] * 2
    assert "one" not in repr(Sealed(b"one"))


def test_documents_are_written_in_one_way() -> None:
    assert written({"b": "Küche", "a": [True, 1]}) == '{"a":[true,1],"b":"Küche"}'
    assert written({}) == "{}"
    assert written(None) == ""


def test_nul_is_escaped_so_that_every_database_can_keep_it() -> None:
    assert written({"a": "x\0y"}) == '{"a":"x\\u0000y"}'


def test_of_a_long_text_are_kept_the_beginning_the_length_and_a_hash() -> None:
    body = "x" * 5000
    told = json.loads(written({"webhook": {"body_template": body}}))["webhook"]["body_template"]
    assert told.startswith("x" * 200 + "… (5000 characters, SHA-256 ")
    assert len(told) < 400
    assert written({"a": body}) != written({"a": body + "x"})


def test_no_document_is_larger_than_its_bound() -> None:
    many: dict[str, Any] = {f"field-{number:05}": "y" * 900 for number in range(10_000)}
    text = written(many)
    assert len(text) <= MAX_JSON
    told = json.loads(text)
    assert told["(fields)"][:2] == ["field-00000", "field-00001"]
    assert "SHA-256" in told["(too long)"]
