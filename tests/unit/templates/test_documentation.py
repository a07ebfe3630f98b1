"""docs/templates.md tells the truth: its examples give the results it prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.context import event_context
from ibs_notify.templates.filters import FILTERS
from ibs_notify.templates.mail import MailTemplates
from ibs_notify.templates.report_shapes import REPORTS
from ibs_notify.templates.shapes import EVENT, Shape
from ibs_notify.templates.variables import VARIABLES

EventOf = Callable[..., Event]

PAGE = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = {title: text for title, text in BLOCKS if title != "error" and "digest-" not in title}
"""Those of events; a digest's is tested with the digests."""
ERRORS = [text for title, text in BLOCKS if title == "error"]


def result_of(title: str, event: Event) -> str:
    context, text = event_context(event), EXAMPLES[title]
    match title.rpartition(".")[0], title.rpartition(".")[2]:
        case "mail-subject", _:
            return MailTemplates.compile(subject=text).render(context).subject
        case "mail-text", _:
            return MailTemplates.compile(text=text).render(context).text
        case _, "form":
            return compile_body(text, "application/x-www-form-urlencoded").render(context).decode()
        case _:
            return compile_body(text).render(context).decode()


@pytest.mark.parametrize("title", [each for each in EXAMPLES if not each.startswith("result of")])
def test_an_example_gives_the_result_that_is_printed(event_of: EventOf, title: str) -> None:
    event = event_of(labels={"phone": "+49 170 1234567", "vm-id": "12345"})
    assert result_of(title, event).rstrip("\n") == EXAMPLES[f"result of {title}"].rstrip("\n")


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_reads_as_it_is_printed(error: str) -> None:
    template, message = error.splitlines()
    with pytest.raises(InvalidArgument) as caught:
        compile_body(template)
    assert str(caught.value) == message


def names_in(shape: Shape) -> set[str]:
    """The names of the fields of a record, and of what is inside."""
    inner = {name for field in shape.fields.values() for name in names_in(field)}
    return {*shape.fields, *inner, *(names_in(shape.items) if shape.items else ())}


@pytest.mark.parametrize("report", REPORTS)
def test_every_field_of_a_report_is_documented(report: str) -> None:
    assert [name for name in names_in(REPORTS[report]) if f"`{name}`" not in PAGE] == []


def test_every_variable_and_filter_is_documented() -> None:
    names = {f"event.{name}" for name in EVENT.fields} | set(VARIABLES) | set(FILTERS)
    assert [name for name in names if f"`{name}" not in PAGE] == []
