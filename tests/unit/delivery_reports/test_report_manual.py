"""docs/templates.md tells the truth about digests: its example gives the result it prints."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.reports import context_of, event, report_of

from ibs_notify.delivery.reports.digest_report import to_bytes
from ibs_notify.templates.body import compile_body

PAGE = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'^```json title="([^"]+)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL))


def test_the_example_of_a_digest_gives_the_result_that_is_printed() -> None:
    failed = [event("backup.failed", hour) for hour in (17, 18, 19)]
    sound = [event("backup.completed", n / 10, "ibs-primary:vm/1") for n in range(37)]
    context = context_of(to_bytes(report_of(*failed, *sound)))
    told = compile_body(BLOCKS["digest-chat.json"]).render(context).decode()
    assert told == BLOCKS["result of digest-chat.json"].rstrip("\n")
