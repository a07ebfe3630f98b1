"""The key file is private from its first moment, and is never replaced."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support import keys

from ibs_notify.domain.errors import FailedPrecondition

LINE = f"k-1 {base64.b64encode(bytes(32)).decode()}"


def written(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


def test_a_new_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "home" / "keys"
    before = os.umask(0)
    try:
        keys.load_or_create(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["keys"]


def test_a_directory_that_is_made_for_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    keys.load_or_create(tmp_path / "new" / "secret.key")

    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_key_file_is_created_once_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first = keys.load_or_create(path)
    content = path.read_bytes()
    assert keys.load_or_create(path) == first == keys.load(path)
    assert path.read_bytes() == content


def test_processes_that_start_together_get_the_same_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: keys.load_or_create(path), range(8)))
    assert len({ring.keys for ring in rings}) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "keys", f"ibs-notify-keys v1\n{LINE}\n", mode)
    with pytest.raises(FailedPrecondition, match=f"mode {mode:04o}") as caught:
        keys.load(path)
    assert "chmod 600" in caught.value.advice


def test_several_keys_are_read_newest_first(tmp_path: Path) -> None:
    newer = f"k-2 {base64.b64encode(bytes([7]) * 32).decode()}"
    path = written(tmp_path / "keys", f"ibs-notify-keys v1\n# rotated\n{newer}\n\n{LINE}\n", 0o400)
    assert [key.key_id for key in keys.load(path).keys] == ["k-2", "k-1"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "does not begin"),
        ("ibs-notify-keys v2\n" + LINE, "does not begin"),
        ("ibs-notify-keys v1\n", "holds no key"),
        ("ibs-notify-keys v1\nk-1 c2hvcnQ=\n", "line 2"),
        ("ibs-notify-keys v1\nk-1 not base64!\n", "line 2"),
        (f"ibs-notify-keys v1\n{LINE}\n{LINE}\n", "line 3"),
    ],
)
def test_a_damaged_key_file_is_refused_and_not_shown(
    tmp_path: Path, content: str, fault: str
) -> None:
    path = written(tmp_path / "keys", content)
    with pytest.raises(FailedPrecondition, match=fault) as caught:
        keys.load(path)
    assert LINE.split()[1] not in str(caught.value)


def test_a_missing_key_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="does not exist"):
        keys.load(tmp_path / "keys")


def test_a_directory_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition):
        keys.load(tmp_path)
