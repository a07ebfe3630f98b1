"""The manual's rules are rules, and its errors and warnings are what users really see."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.parse import parse
from ibs_notify.rules.warn import warnings

MANUAL = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    found = re.findall(rf"^```{kind}\n(.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE)
    assert found
    return [line for block in found for line in block.splitlines()]


def pairs(kind: str) -> list[tuple[str, str]]:
    lines = blocks(kind)
    return [(rule, said.strip()) for rule, said in zip(lines[::2], lines[1::2], strict=True)]


def table_rules() -> list[str]:
    section = MANUAL.partition("## Operators")[2].partition("\n- ")[0]
    found = re.findall(r"\| `([^`]+)` \|$", section, re.MULTILINE)
    assert len(found) == 10
    return found


@pytest.mark.parametrize("rule", blocks("rule") + table_rules())
def test_a_rule_of_the_manual_is_right_and_needs_no_warning(rule: str) -> None:
    assert warnings(parse(rule)) == ()


@pytest.mark.parametrize(("rule", "said"), pairs("errors"))
def test_an_error_of_the_manual_is_the_real_one(rule: str, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(rule)
    assert str(caught.value) == said


@pytest.mark.parametrize(("rule", "said"), pairs("warnings"))
def test_a_warning_of_the_manual_is_the_real_one(rule: str, said: str) -> None:
    assert warnings(parse(rule)) == (said,)
