"""What the product is made of: the bill of materials, and what is known of its parts."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
SUPPLY = ROOT / "deploy" / "supply"
PINS = set(
    re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
)
BROWSER = json.loads((ROOT / "deploy" / "console" / "package-lock.json").read_text())["packages"]
SERVED = {
    f"pkg:npm/{path.removeprefix('node_modules/')}@{each['version']}"
    for path, each in BROWSER.items()
    if path and not each.get("dev")
}
ASKED = {"name": "lark", "version": "1.3.1", "vulns": []}
SKIPPED = {"name": "rich", "skip_reason": "Dependency not found"}
FAULT = {
    "name": "jinja2",
    "version": "3.1.5",
    "vulns": [{"id": "GHSA-cpwx-vrp4-4pq7", "fix_versions": ["3.1.6"]}],
}


def program(name: str) -> ModuleType:
    """A program of ``deploy/supply``, which is no package."""
    spec = importlib.util.spec_from_file_location(name, SUPPLY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The bill of materials, made twice."""
    directory = tmp_path_factory.mktemp("bills")
    files = [directory / "once.json", directory / "again.json"]
    for file in files:
        subprocess.run([sys.executable, SUPPLY / "sbom.py", file], check=True, timeout=100)
    return [file.read_text(encoding="utf-8") for file in files]


def test_the_bill_of_materials_is_valid_and_says_what_the_lock_says(bills: list[str]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bills[0]) is None
    bill = json.loads(bills[0])
    purls = {each["purl"] for each in bill["components"]}
    assert purls == {f"pkg:pypi/{name}@{version}" for name, version in PINS} | SERVED
    assert bill["metadata"]["component"]["name"] == "ibs-notify"


def test_every_part_has_a_licence(bills: list[str]) -> None:
    bill = json.loads(bills[0])
    assert [each["name"] for each in bill["components"] if not each.get("licenses")] == []


def test_what_browsers_are_served_is_named_with_its_hash(bills: list[str]) -> None:
    served = [each for each in json.loads(bills[0])["components"] if each["purl"] in SERVED]
    assert {each["name"] for each in served} == {"htmx.org", "htmx-ext-sse", "uplot"}
    for each in served:
        integrity = BROWSER[f"node_modules/{each['name']}"]["integrity"]
        digest = bytes.fromhex(each["hashes"][0]["content"])
        assert integrity == f"sha512-{base64.b64encode(digest).decode()}"


@pytest.mark.slow
def test_a_built_package_holds_all_that_the_console_serves(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "services", source / "services", ignore=leave_out)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*build, "--wheel-dir", tmp_path, source], check=True, timeout=100)
    (wheel,) = tmp_path.glob("*.whl")
    held = {each for each in ZipFile(wheel).namelist() if not each.endswith("/")}
    console = ROOT / "services" / "ibs_notify" / "console"
    served = [each for name in ("static", "templates") for each in (console / name).rglob("*.*")]
    wanted = {str(each.relative_to(ROOT / "services")) for each in served if each.is_file()}
    assert wanted <= held
    for name in ("htmx.min.js", "sse.min.js", "uplot.min.js", "uplot.min.css"):
        assert f"ibs_notify/console/static/vendor/{name}" in held, "first: make assets"
        assert f"ibs_notify/console/static/vendor/{name.split('.')[0]}.LICENSE" in held


def test_the_product_needs_every_part_directly_or_not(bills: list[str]) -> None:
    bill = json.loads(bills[0])
    needs = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    reached: set[str] = set()
    ahead = [bill["metadata"]["component"]["bom-ref"]]
    while ahead:
        ref = ahead.pop()
        if ref not in reached:
            reached.add(ref)
            ahead += needs[ref]
    assert {each["bom-ref"] for each in bill["components"]} <= reached


def test_the_same_lock_gives_the_same_bytes_without_time_or_place(bills: list[str]) -> None:
    assert bills[0] == bills[1]
    assert "serialNumber" not in json.loads(bills[0])
    assert "timestamp" not in bills[0]
    assert str(ROOT) not in bills[0]


@pytest.mark.parametrize("pins", [{"lark": "1.0"}, {"lark": "1.3.1", "not-there": "1"}])
def test_an_environment_that_is_not_the_lock_makes_no_bill(pins: dict[str, str]) -> None:
    document = {
        "components": [{"name": "lark", "version": "1.3.1", "bom-ref": "lark"}],
        "metadata": {"component": {"bom-ref": "root"}},
        "dependencies": [],
    }
    with pytest.raises(ValueError, match="not what the lock says"):
        program("sbom").only(document, pins)


@pytest.mark.parametrize(
    ("answers", "code", "told"),
    [
        ([ASKED], 0, "1 packages, no fault known of any"),
        ([ASKED, FAULT], 1, "jinja2 3.1.5: GHSA-cpwx-vrp4-4pq7, fixed in 3.1.6"),
        ([SKIPPED, FAULT], 1, "jinja2 3.1.5: GHSA-cpwx-vrp4-4pq7, fixed in 3.1.6"),
        ([ASKED, SKIPPED], 75, "skipped: nothing is known of 1 packages of the locks"),
        ([], 75, "skipped: nothing is known of 0 packages of the locks"),
    ],
)
def test_only_an_answer_for_every_package_is_a_pass(
    answers: list[dict[str, object]], code: int, told: str
) -> None:
    output = json.dumps({"dependencies": answers, "fixes": []})
    assert program("vulnerabilities").verdict(output, "") == (code, [told])


def test_a_database_that_does_not_answer_is_told_from_a_fault() -> None:
    code, lines = program("vulnerabilities").verdict("", "Traceback…\nConnectionError: no route\n")
    assert (code, lines) == (
        75,
        ["skipped: the database of vulnerabilities does not answer (ConnectionError: no route)"],
    )
