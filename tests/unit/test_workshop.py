"""The workshop: what the Makefile promises, and what the locks must and must not hold."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
TARGETS = [
    "help",
    "install",
    "protos",
    "lint",
    "test-fast",
    "test",
    "run",
    "demo",
    "bench",
    "chaos",
    "storm",
    "fuzz",
    "abuse",
    "vulnerabilities",
    "sbom",
    "assets",
    "screenshots",
    "peers",
    "check",
    "lock",
    "clean",
]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def pinned(lock: str) -> dict[str, str]:
    """Name to version."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", make().stdout, re.MULTILINE))
    assert sorted(listed) == sorted(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_recipe(target: str) -> None:
    assert make("--dry-run", "--always-make", target).returncode == 0


def test_an_old_python_is_refused_with_a_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = make("install", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert result.returncode != 0
    assert f"{old} is not Python 3.11 or newer" in result.stderr


def test_a_machine_without_a_new_python_is_told_how_to_name_one(tmp_path: Path) -> None:
    result = make("install", "PYTHON=", f"VENV={tmp_path / 'venv'}")
    assert result.returncode != 0
    assert "make PYTHON=/path/to/python3 install" in result.stderr


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    blocks = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pinned(lock)) > 10
    assert all("--hash=sha256:" in block for block in blocks)


def test_what_is_tested_is_what_is_deployed() -> None:
    deployed, tested = (pinned(lock) for lock in LOCKS)
    assert deployed.items() <= tested.items()


def test_the_locks_hold_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = (project["project"]["dependencies"], project["dependency-groups"]["dev"])
    for lock, declared in zip(LOCKS, groups, strict=True):
        names = {re.split(r"[\[<>=~ ]", each)[0] for each in declared}
        assert names <= pinned(lock).keys()


def test_ci_runs_what_the_readme_says_and_names_no_registry() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in text
    assert text.splitlines()[-2:] == ["make lint", "make test"]
    assert "://" not in text
