"""What docs/audit.md tells auditors to do works, on what the command line prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ibs_notify.audit.document import MAX_JSON, MAX_TEXT
from ibs_notify.audit.entry import Act, Entry, Head, seal
from ibs_notify.cli.output import document, json_text
from ibs_notify.config.announcement import MOST_OF_A_TYPE
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.rpc.login_failures import MOST_KINDS
from ironcore.notification.v1.audit_service_pb2 import AuditEntry

MANUAL = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
NOON = datetime(2026, 5, 21, 12, tzinfo=UTC)
ACTS = (
    Act(
        "target.create", "target/ops-smtp", "", '{"description":"Küche \\u0000 \\u2028","on":true}'
    ),
    Act("target.update", "target/ops-smtp", '{"a":"\u202e"}', '{"a":"5:alice,"}'),
    Act("settings.update", "settings"),
)


def chain() -> list[Entry]:
    entries: list[Entry] = []
    head = Head()
    for number, act in enumerate(ACTS):
        entries.append(
            seal("config", head, "al\x1bice", act, NOON + timedelta(microseconds=number))
        )
        head = Head(entries[-1].sequence, entries[-1].hash)
    return entries


def printed(entries: list[Entry]) -> str:
    """As ``audit list -o json`` does."""
    messages = [
        AuditEntry(
            sequence=each.sequence,
            time=moment_to_proto(each.moment),
            actor=each.actor,
            action=each.act.action,
            subject=each.act.subject,
            before=each.act.before,
            after=each.act.after,
            previous_hash=each.previous_hash,
            hash=each.hash,
        )
        for each in reversed(entries)
    ]
    return json_text([{"service": "config", **document(each)} for each in messages], indent=2)


def checked(text: str) -> subprocess.CompletedProcess[str]:
    (program,) = re.findall(r"```python\n(.*?)```", MANUAL, re.DOTALL)
    return subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, text=True, check=False
    )


def test_an_auditor_s_own_program_finds_an_untouched_log_intact() -> None:
    entries = chain()
    done = checked(printed(entries))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"intact up to {entries[-1].hash.hex()}\n"


@pytest.mark.parametrize("name", ["actor", "action", "subject", "before", "after", "time"])
def test_it_finds_an_entry_that_was_changed(name: str) -> None:
    entries = json.loads(printed(chain()))
    entries[1][name] = "2026-05-21T12:00:01Z" if name == "time" else "other"
    assert checked(json.dumps(entries)).stderr == "entry 2 is not as it was written\n"


def test_the_manual_tells_the_bounds_that_hold() -> None:
    assert MAX_TEXT == 1_000
    assert "more than 1,000 characters" in MANUAL
    assert f"more than {MAX_JSON:,} characters" in MANUAL
    assert MOST_OF_A_TYPE == 10
    assert "never more than ten of a type" in MANUAL
    assert f"At most {MOST_KINDS} different ones" in MANUAL
