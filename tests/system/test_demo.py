"""`make demo`, as a visitor runs it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "deploy" / "demo" / "demo.py"

pytestmark = [pytest.mark.system, pytest.mark.slow]


async def run(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(DEMO),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"COLUMNS": "120", "PATH": "/usr/bin:/bin"},
    )
    try:
        async with asyncio.timeout(110):
            output, _ = await process.communicate()
    except TimeoutError:
        process.terminate()
        await process.wait()
        raise
    return process.returncode, output.decode()


async def test_the_demo_tells_everybody_once_and_ends_with_books_that_balance(
    tmp_path: Path,
) -> None:
    code, output = await run("--home", str(tmp_path / "demo"))
    assert code == 0, output
    assert "Every event is accounted for" in output
    assert "offsite@example.com" in output
    told = " ".join(output.split())
    for refusal in (
        "the token is not valid",
        "it needs the role viewer",
        "the token may emit of backup only",
        "it needs the role operator",
        "it needs the role administrator",
    ):
        assert refusal in told
    assert output.count("intact") == 3, "an audit log of each service"
    assert "ibsn_" not in output, "a token is in its file alone"
    assert "the gateway received: INFO: Test of the notification target sms-gateway" in output
    assert output.count("✓") == 10, "six inboxes, three stages of a test, the points"
    assert "Last minute:   60 of 60" in output
    assert "11 repeats were told once, 5 events were silenced, and" in told
    assert "wait for their turn on the phone" in told
    assert "group update on-call --rate-limit off" in output


async def test_the_demo_does_not_wipe_a_directory_of_somebody_else(tmp_path: Path) -> None:
    kept = tmp_path / "letter.txt"
    kept.write_text("dear")
    code, output = await run("--home", str(tmp_path))
    assert code == 1
    assert "not a demo's home" in output
    assert kept.read_text() == "dear"
