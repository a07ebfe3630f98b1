"""README and docs tell the truth: links lead somewhere, tables and commands are the code's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import grpc
import pytest

from ibs_notify.cli.tree import root
from ibs_notify.delivery.admission import Admission
from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.domain.errors import Reason
from ironcore.notification.v1 import event_pb2, router_service_pb2
from ironcore.notification.v1.router_service_pb2_grpc import (
    RouterServiceServicer,
    add_RouterServiceServicer_to_server,
)

ROOT = Path(__file__).parents[2]
THREATS = ROOT / "SECURITY.md"
PAGES = [ROOT / "README.md", THREATS, *sorted((ROOT / "docs").rglob("*.md"))]
ENTRY = "ironcore-backup notification "
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def table_below(page: str, heading: str) -> list[list[str]]:
    """The cells, without code marks, of the first table whose heading row begins so."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = text[text.index(heading) :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        prose = _CODE.sub("", page.read_text(encoding="utf-8"))
        for link in re.findall(r"\]\(([^)\s]+)\)|^\[\w+\]: (\S+)$", prose, re.MULTILINE):
            yield page, link[0] or link[1]


def anchors(page: Path) -> set[str]:
    """The fragments that headings get on the usual forges."""
    headings = re.findall(
        r"^#+ (.+)$", _CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def shown_commands() -> Iterator[tuple[str, str]]:
    """The page, and the command after its common beginning, of every command that a page shows."""
    for page in PAGES:
        for block in re.findall(
            r"^```(?:bash|sh|console)?\n(.*?)^```$",
            page.read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        ):
            for line in block.replace("\\\n", " ").splitlines():
                if (command := line.strip().removeprefix("$ ")).startswith(ENTRY):
                    yield name_of(page), command.removeprefix(ENTRY)


def parse(command: click.Command, arguments: list[str], above: click.Context | None) -> None:
    """Parse as the command line would: options, choices, names; nothing is run, no file read."""
    here = click.Context(command, info_name=command.name, parent=above)
    values, rest, _ = command.make_parser(here).parse_args(list(arguments))
    if isinstance(command, click.Group):
        _, found, rest = command.resolve_command(here, rest)
        assert found is not None
        parse(found, rest, here)
        return
    assert rest == []
    for each in command.params:
        if isinstance(each.type, click.Choice) and each.name in values:
            each.type_cast_value(here, values[each.name])


@pytest.mark.parametrize(("page", "link"), list(links()), ids=lambda each: str(each)[-60:])
def test_a_link_leads_somewhere(page: Path, link: str) -> None:
    if link.startswith("https://"):
        return
    path, _, fragment = link.partition("#")
    place = (page.parent / path).resolve() if path else page
    assert place.exists()
    if fragment:
        assert fragment in anchors(place)


@pytest.mark.parametrize(("page", "command"), list(shown_commands()))
def test_a_command_that_is_shown_exists(page: str, command: str) -> None:
    words = shlex.split(command.partition(" < ")[0].partition(" | ")[0], comments=True)
    parse(root, ["notification", *words], None)


def test_the_pages_show_commands() -> None:
    assert {page for page, _ in shown_commands()} >= {"README.md"}


class Recorder(RouterServiceServicer):
    """A Router that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[event_pb2.Event] = []

    def Emit(  # the rpc's name
        self, request: router_service_pb2.EmitRequest, context: grpc.ServicerContext
    ) -> router_service_pb2.EmitResponse:
        self.events.append(request.event)
        return router_service_pb2.EmitResponse(event_id=request.event.event_id)

    def EmitBatch(  # the rpc's name
        self, request: router_service_pb2.EmitBatchRequest, context: grpc.ServicerContext
    ) -> router_service_pb2.EmitBatchResponse:
        self.events.extend(request.events)
        answers = [
            router_service_pb2.EmitResponse(event_id=each.event_id) for each in request.events
        ]
        return router_service_pb2.EmitBatchResponse(
            results=[router_service_pb2.EmitResult(accepted=each) for each in answers]
        )


@pytest.mark.parametrize(("number", "printed"), [(0, "evt-2026-05-21-001 []\n"), (1, "False []\n")])
def test_an_example_of_the_api_page_emits_an_event(
    number: int,
    printed: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    example = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[number]
    router = Recorder()  # type: ignore[abstract]  # the other rpcs answer UNIMPLEMENTED
    server = grpc.server(ThreadPoolExecutor(1))
    add_RouterServiceServicer_to_server(router, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.chdir(tmp_path)
    try:
        exec(example.replace("127.0.0.1:50052", f"127.0.0.1:{port}"), {})
    finally:
        server.stop(None).wait()
    assert [each.type for each in router.events] == ["backup.failed"]
    assert capsys.readouterr().out == printed


def test_every_error_reason_is_listed_with_the_words_of_the_api() -> None:
    proto = (ROOT / "protos/ironcore/notification/v1/error_reason.proto").read_text()
    promised = {
        name: " ".join(re.findall(r"// (.*)", comment)).rstrip(".")
        for comment, name in re.findall(r"((?:  //.*\n)+)  ERROR_REASON_(\w+) =", proto)
        if name != "UNSPECIFIED"
    }
    listed = {row[0]: row[2] for row in table_below("docs/api.md", "| Reason | Code")}
    assert listed == promised
    assert set(listed) == {each.value for each in Reason}


def test_every_event_type_is_listed_as_in_the_catalogue() -> None:
    assert table_below("docs/concepts.md", "| Type | Severity | Outcome") == [
        [each.name, each.severity.label, each.outcome.value, each.meaning]
        for each in CATALOGUE.values()
    ]


def test_every_reason_to_wait_is_listed() -> None:
    listed = {row[0] for row in table_below("docs/concepts.md", "| Reason | It goes on when")}
    reasons = {each for each in Admission if each is not Admission.SENDABLE and not each.cancels}
    assert listed == {each.value for each in reasons}


def test_every_page_and_decision_is_in_the_index() -> None:
    docs = ROOT / "docs"
    linked = {link for page, link in links() if page == docs / "index.md"}
    pages = {str(each.relative_to(docs)) for each in docs.rglob("*.md")}
    assert pages - linked == {"index.md"}


def test_every_control_of_the_threat_model_has_a_proof_that_exists() -> None:
    proofs = {row[0]: row[2] for row in table_below("SECURITY.md", "| Against | What")}
    assert len(proofs) > 15
    named = {against: re.findall(r"tests/[\w/]+\.py", proof) for against, proof in proofs.items()}
    assert [against for against, files in named.items() if not files] == []
    assert [each for files in named.values() for each in files if not (ROOT / each).exists()] == []


def test_the_readme_names_the_command_that_runs_the_tests() -> None:
    assert "```bash\nmake test\n```" in (ROOT / "README.md").read_text(encoding="utf-8")
