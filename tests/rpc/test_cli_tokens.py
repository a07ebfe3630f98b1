"""The command line against secured services: the first token, an emitter's, and the way back in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.support.secured import Secured, secured

from ibs_notify.cli.tree import root


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Secured]:
    async with secured(tmp_path) as services:
        for each in fields(services.settings):
            if each.name.endswith("address") or each.name in ("home", "tls_directory"):
                value = str(getattr(services.settings, each.name))
                monkeypatch.setenv(f"IBS_NOTIFY_{each.name.upper()}", value)
        yield services


async def run(*arguments: str, code: int = 0, token: str = "") -> Result:
    """The command as it runs in a process of its own, but for the process."""
    environment = {"IBS_NOTIFY_TOKEN": token}
    result = await asyncio.to_thread(
        CliRunner().invoke, root, ["notification", *arguments], env=environment
    )
    assert result.exit_code == code, result.output
    return result


async def test_from_the_certificate_to_an_emitters_token_and_its_end(
    running: Secured, tmp_path: Path
) -> None:
    admin = (await run("token", "create", "alice", "--role", "administrator", "-q")).stdout.strip()
    await run("group", "create", "ops", token=admin)
    path = tmp_path / "ci.token"
    await run(
        *("token", "create", "ci", "--role", "emitter", "--source", "backup", "--out", str(path)),
        token=admin,
    )
    emitter = path.read_text().strip()
    await run("emit", "--type", "backup.failed", "--subject", "x", token=emitter)
    refused = await run("emit", "--type", "sync.failed", "--subject", "x", code=4, token=emitter)
    assert "may emit of backup only" in refused.stderr
    assert "ops" in (await run("group", "list", "--names", token=emitter)).stdout
    denied = await run("inbox", "list", code=4, token=emitter)
    assert "it needs the role viewer" in denied.stderr
    await run("token", "revoke", "ci", token=admin)
    unknown = await run("emit", "--type", "backup.failed", "--subject", "x", code=4, token=emitter)
    assert "the token is not valid" in unknown.stderr
    own = await run("token", "revoke", "alice", token=admin)
    assert "this command presented" in own.stderr
    await run("token", "list", code=4, token=admin)
    # The certificate is still there.
    listed = (await run("token", "list", "--all")).stdout
    assert listed.count("revoked") == 2


async def test_events_go_on_from_a_stream_with_a_quota(running: Secured) -> None:
    token = await running.make("ci", "emitter", quota_per_minute=6000)
    lines = '{"type": "backup.failed"}\n' * 6200

    def emit() -> Result:
        return CliRunner().invoke(
            root,
            ["notification", "emit", "--stdin", "--timeout", "60s"],
            input=lines,
            env={"IBS_NOTIFY_TOKEN": token},
        )

    result = await asyncio.to_thread(emit)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 6200
