"""Keys come from a file, a variable or a credential, and only a file is changed."""

from __future__ import annotations

import base64
import errno
import os
import stat
from pathlib import Path

import pytest
from tests.support.config import START

from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, Unavailable
from ibs_notify.secrets import key_file
from ibs_notify.secrets.key_file import Key, made_at
from ibs_notify.secrets.key_source import FileSource, SourceKind, key_source
from ibs_notify.secrets.keys import Keys

OLD, NEW = Key("k-1", bytes(32)), Key("k-2", bytes([7]) * 32)
CONTENT = f"ibs-notify-keys v1\nk-1 {base64.b64encode(OLD.material).decode()}\n"


@pytest.fixture
def file(tmp_path: Path) -> FileSource:
    source = FileSource(tmp_path / "secret.key")
    source.create(OLD)
    return source


def test_a_path_names_a_file(tmp_path: Path) -> None:
    source = key_source(str(tmp_path / "secret.key"))
    assert source.kind is SourceKind.FILE
    assert str(tmp_path) in str(source)


@pytest.mark.parametrize("content", [CONTENT, base64.b64encode(CONTENT.encode()).decode()])
def test_a_variable_holds_the_file_or_its_base64_and_is_taken_away(
    monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("SOME_KEYS", content)
    source = key_source("env:SOME_KEYS")
    assert source.kind is SourceKind.ENVIRONMENT
    assert source.read() == (OLD,)
    assert "SOME_KEYS" not in os.environ
    assert source.read() == (OLD,)


def test_a_variable_that_is_not_set_is_said() -> None:
    with pytest.raises(FailedPrecondition, match="NOT_SET is not set"):
        key_source("env:NOT_SET").read()


def test_a_variable_with_something_else_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_KEYS", "canary-hunter2")
    with pytest.raises(FailedPrecondition, match="does not begin") as caught:
        key_source("env:SOME_KEYS").read()
    assert "canary" not in str(caught.value)


def test_a_credential_is_read_where_systemd_puts_it_with_its_access_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "keys").write_text(CONTENT)
    (tmp_path / "keys").chmod(0o440)
    source = key_source("credential:keys")
    assert source.kind is SourceKind.CREDENTIAL
    assert source.read() == (OLD,)
    (tmp_path / "keys").chmod(0o444)
    with pytest.raises(FailedPrecondition, match="0444"):
        source.read()


def test_a_credential_outside_of_systemd_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(FailedPrecondition, match="CREDENTIALS_DIRECTORY"):
        key_source("credential:keys").read()


@pytest.mark.parametrize("name", ["env:", "env:A B", "env:A=B", "credential:", "credential:../x"])
def test_a_name_that_names_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        key_source(name)


def test_a_changed_file_has_the_new_keys_and_is_as_private(
    file: FileSource, tmp_path: Path
) -> None:
    file.change(lambda keys: (NEW, *keys))
    assert file.read() == (NEW, OLD)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    file.change(lambda _: (NEW,))
    assert file.read() == (NEW,)
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]


def test_what_a_killed_process_left_beside_the_file_is_removed(
    file: FileSource, tmp_path: Path
) -> None:
    draft = tmp_path / f".secret.key.{'0' * 16}"
    draft.write_text(CONTENT)
    file.change(lambda keys: keys)
    assert not draft.exists()


def test_a_link_to_the_file_stays_a_link(file: FileSource, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    link = tmp_path / "here" / "keys"
    link.symlink_to(tmp_path / "secret.key")
    FileSource(link).change(lambda keys: (NEW, *keys))
    assert link.is_symlink()
    assert file.read() == (NEW, OLD)


def test_a_file_that_cannot_be_changed_says_why(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        FileSource(tmp_path / "nowhere" / "keys").change(lambda keys: keys)


def test_a_file_that_cannot_be_made_says_why() -> None:
    with pytest.raises(Unavailable, match=r"the key file /proc/nowhere/keys cannot be made: No"):
        FileSource(Path("/proc/nowhere/keys")).create(NEW)


def test_whoever_locks_the_directory_holds_nobody_up(
    file: FileSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "LOCK_SECONDS", 0.05)
    with (
        key_file.locked(tmp_path / "secret.key"),
        pytest.raises(Unavailable, match="another process has locked its directory"),
    ):
        file.change(lambda before: (NEW, *before))
    file.change(lambda before: (NEW, *before))
    assert file.read() == (NEW, OLD)


def test_keys_follow_their_file_without_a_restart(file: FileSource) -> None:
    keys = Keys(file)
    assert keys.current.key_id == "k-1"
    file.change(lambda before: (NEW, *before))
    assert keys.current.key_id == "k-2"


def test_keys_survive_a_file_that_goes_bad(
    file: FileSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(file)
    before = keys.current
    path = tmp_path / "secret.key"
    path.write_text("nonsense")
    assert (keys.current, keys.current) == (before, before)
    path.unlink()
    assert keys.current == before
    assert len(caplog.records) == 2, "once for each state of the file"
    file.create(NEW)
    assert keys.current.key_id == "k-2"


def test_the_id_of_a_new_key_says_when_it_was_made() -> None:
    key = Key.generate(START)
    assert made_at(key.key_id) == "20260521T021435Z"
    assert made_at("k-3f9a01c2") == ""


def test_keys_are_read_again_when_only_the_moment_was_bad(
    file: FileSource, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(file)
    assert keys.current.key_id == "k-1"
    file.change(lambda before: (NEW, *before))
    with monkeypatch.context() as starved:
        starved.setattr(os, "open", _no_more_files)
        assert [keys.current.key_id for _ in range(3)] == ["k-1"] * 3
    assert keys.current.key_id == "k-2"
    assert caplog.text.count("stay in use") == 1


def test_a_file_does_not_get_more_keys_than_can_be_read(file: FileSource) -> None:
    many = tuple(Key(f"k-{number:060}", bytes(32)) for number in range(700))
    with pytest.raises(FailedPrecondition, match="no room for 701 keys"):
        file.change(lambda before: (*many, *before))
    assert len(file.read()) == 1


def _no_more_files(*_given: object) -> int:
    raise OSError(errno.EMFILE, "Too many open files")
