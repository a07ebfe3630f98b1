"""Where a spool was acknowledged up to."""

from __future__ import annotations

from pathlib import Path

import pytest

from ibs_notify.client.buffer import START, Mark
from ibs_notify.client.position import Position


def saved(path: Path) -> Mark:
    position = Position(path)
    position.close()
    return position.mark


def test_a_new_position_is_the_start(tmp_path: Path) -> None:
    assert saved(tmp_path / "position") == START


def test_the_newest_position_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "position"
    position = Position(path)
    for offset in range(5):
        position.save(Mark(7, offset))
        assert saved(path) == Mark(7, offset)
    position.close()


@pytest.mark.parametrize("written", range(0, 513, 4))
def test_a_torn_write_leaves_the_new_position_or_the_one_before(
    tmp_path: Path, written: int
) -> None:
    path = tmp_path / "position"
    position = Position(path)
    position.save(Mark(1, 10))
    position.save(Mark(2, 20))
    before = path.read_bytes()
    position.save(Mark(3, 30))
    after = path.read_bytes()
    position.close()
    # The third went to the slot of the first.
    assert before[:512] == after[:512]
    path.write_bytes(after[: 512 + written] + before[512 + written :])
    assert saved(path) == (Mark(3, 30) if written >= 28 else Mark(2, 20))


def test_a_slot_that_the_disk_changed_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "position"
    position = Position(path)
    position.save(Mark(1, 10))
    position.save(Mark(2, 20))
    position.close()
    data = bytearray(path.read_bytes())
    data[8] ^= 1
    path.write_bytes(data)
    assert saved(path) == Mark(1, 10)
