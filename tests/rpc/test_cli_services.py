"""The command line against the three real services and a real HTTP endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue

import pytest
from click.testing import CliRunner, Result
from tests.system.installation import running_installation

from ibs_notify.cli.tree import root

pytestmark = pytest.mark.system

Received = Queue[tuple[str, bytes]]


@pytest.fixture
def endpoint() -> Iterator[tuple[str, Received]]:
    """An address, and the authorisation and body of each request that came there."""
    received: Received = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((self.headers.get("Authorization", ""), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", received
        server.shutdown()
        thread.join()


def test_what_is_configured_by_commands_is_told_and_accounted_for(
    tmp_path: Path, endpoint: tuple[str, Received], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, received = endpoint
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer first\n")
    template = tmp_path / "template.json"
    template.write_text('{"text": "{{event.summary}}"}')

    def run(*arguments: str, code: int = 0, **extra: str) -> Result:
        result = CliRunner().invoke(root, ["notification", *arguments], **extra)  # type: ignore[arg-type]  # input is text
        assert result.exit_code == code, result.output
        return result

    with running_installation(tmp_path / "home") as installation:
        for name, value in installation.environment.items():
            if name.startswith("IBS_NOTIFY_"):
                monkeypatch.setenv(name, value)

        run(
            "target", "create", "chat-ops", "--type", "webhook", "--url", url,
            "--header-file", str(headers), "--body-template", str(template),
        )  # fmt: skip
        run("group", "create", "on-call")
        run("group", "target", "add", "on-call", "chat-ops", "--rule", "severity >= error")
        run("target", "update", "chat-ops", "--header", "Authorization: Bearer second")
        run("target", "test", "chat-ops")
        assert received.get(timeout=10)[0] == "Bearer second"

        answer = run(
            "emit",
            "--type",
            "backup.failed",
            "--summary",
            '"quoted"\n',
            "--event-id",
            "e1",
            "--wait",
        )
        assert "chat-ops via on-call: delivered" in answer.stdout
        assert json.loads(received.get(timeout=10)[1]) == {"text": '"quoted"\n'}

        run("emit", "--stdin", input='{"type": "backup.completed"}\n{"type": ""}\n', code=4)
        run("emit", "--type", "backup.failed", "--event-id", "e1", code=4)
        assert "delivered" in run("event", "show", "e1").stdout
        run("event", "show", "nothing", code=3)
        run("rule", "check", "severity in (eror)", code=4)
        run("target", "delete", "chat-ops", code=4)
        books = json.loads(run("ledger", "verify", "-o", "json").stdout)
        assert (books["balanced"], books["accepted_events"]) == (True, "2")
        run("status")

        installation.stop("delivery")
        run("status", code=5)
        warned = run("settings", "update", "--sender", "ibs@example.com")
        assert "warning: the change is saved, but Delivery" in warned.stderr
        assert "unknown" in run("event", "show", "e1").stdout
