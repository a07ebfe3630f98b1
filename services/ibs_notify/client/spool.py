"""Where events wait on disk: a directory that outlives the process, and the Router's absence.

lock                      held by the one process that uses the spool
0000000000000001.events   records in the order they were emitted (see ``segment``); read-only
0000000000000002.events   but for the newest, and removed when all of a file is acknowledged
position                  up to where that is (see ``position``)
aside/                    what could not be sent: events that the Router refused, as JSON for
                          ``emit --file``, and bytes that the disk had damaged
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
from pathlib import Path
from threading import Lock

from ibs_notify.client.buffer import Entry, Mark, within
from ibs_notify.client.position import Position
from ibs_notify.client.segment import Record, frame, read
from ibs_notify.domain.errors import FailedPrecondition, Reason, ResourceExhausted, Unavailable
from ibs_notify.rpc.event_json import event_to_document
from ironcore.notification.v1 import router_service_pb2 as pb

log = logging.getLogger(__name__)

DEFAULT_BYTES = 256 * 1024 * 1024
LEAST_BYTES = 4 * 1024 * 1024
LARGEST_SEGMENT_BYTES = 4 * 1024 * 1024
MOST_ASIDE = 1000
"""Beyond that many files only the log says what was put aside."""
_SUFFIX = ".events"


class Spool:
    """Bounded: the files together have ``max_bytes`` at most. An event in it is on disk.

    ``FailedPrecondition`` where another process uses the directory, ``Unavailable`` where it cannot
    be used at all.
    """

    def __init__(self, directory: Path, max_bytes: int = DEFAULT_BYTES) -> None:
        self._directory = directory
        self._max_bytes = max(max_bytes, LEAST_BYTES)
        self._segment_bytes = min(self._max_bytes // 8, LARGEST_SEGMENT_BYTES)
        try:
            self._directory_file = _made(directory)
            self._lock_file = _locked(directory)
            self._position = Position(directory / "position")
            self._sizes = self._existing()
        except OSError as error:
            raise _unusable(directory, error) from error
        self._used = sum(self._sizes.values())
        self._last = max([*self._sizes, self._position.mark.segment])
        self._active: int | None = None
        """The file of segment ``_last``, while this process writes to it."""
        self._written = self._synced = (
            Mark(self._last, self._sizes[self._last]) if self._sizes else self._position.mark
        )
        self._broken = False
        self._lock, self._sync_lock = Lock(), Lock()
        self.head = self._position.mark

    @property
    def tail(self) -> Mark:
        return self._synced

    def append(self, record: bytes, now: float) -> Mark:  # noqa: ARG002  # a spool is patient
        framed = frame(record)
        with self._lock:
            self._require_room(len(framed))
            try:
                return self._write(framed)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise _full(f"the disk of the spool {self._directory} is full") from error
                raise _unusable(self._directory, error) from error

    def sync(self, mark: Mark) -> None:
        """Whoever comes while another one syncs finds that its event was synced along."""
        with self._sync_lock:
            with self._lock:
                self._require_unbroken()
                if self._synced >= mark or self._active is None:
                    return
                # Another thread may begin the next segment and close this one's file meanwhile.
                file, written = os.dup(self._active), self._written
            try:
                self._to_disk(file)
            except OSError as error:
                raise _unusable(self._directory, error) from error
            finally:
                os.close(file)
            with self._lock:
                self._synced = max(self._synced, written)

    def peek(self, most: int, most_bytes: int) -> list[Entry]:
        while (segment := self._first_segment()) is not None:
            if entries := self._read(segment, most):
                return within(entries, most_bytes)
            if not self._leave(segment):
                break
        return []

    def advance(self, mark: Mark) -> None:
        self.head = mark
        try:
            self._position.save(mark)
        except OSError as error:
            log.error("spool %s: what was acknowledged is not noted: %s", self._directory, error)

    def set_aside(self, entry: Entry, why: str) -> None:
        event = pb.EmitBatchRequest.FromString(entry.record).events[0]
        text = json.dumps(event_to_document(event), ensure_ascii=False, indent=2)
        self._keep_aside(f"{entry.mark.segment}-{entry.mark.offset}.json", text.encode(), why)

    def close(self) -> None:
        with self._lock:
            self._broken = True
            if self._active is not None:
                os.close(self._active)
                self._active = None
        self._position.close()
        os.close(self._lock_file)
        os.close(self._directory_file)

    def _to_disk(self, file: int) -> None:
        try:
            os.fdatasync(file)
        except OSError:
            # What the disk has is unknown from now on; another sync would say that all is well.
            self._broken = True
            raise

    # What follows to ``_begin_segment`` holds the lock.

    def _require_unbroken(self) -> None:
        if self._broken:
            raise Unavailable(
                Reason.STORAGE_UNAVAILABLE,
                f"the spool {self._directory} failed or was closed",
                advice="see that its disk works, then start the program again",
            )

    def _require_room(self, size: int) -> None:
        self._require_unbroken()
        if self._used + size > self._max_bytes:
            raise _full(f"the spool {self._directory} has no room: {self._used} bytes wait")

    def _write(self, framed: bytes) -> Mark:
        active = self._active
        if active is None or self._written.offset + len(framed) > self._segment_bytes:
            active = self._begin_segment()
        offset = self._written.offset
        try:
            done = 0
            while done < len(framed):
                done += os.pwrite(active, framed[done:], offset + done)
        except OSError:
            # Half a record is no harm, the next one is written over it; but it takes space.
            os.ftruncate(active, offset)
            raise
        self._written = Mark(self._last, offset + len(framed))
        self._sizes[self._last] = self._written.offset
        self._used += len(framed)
        return self._written

    def _begin_segment(self) -> int:
        """Never go on with a file of before: its end may be torn."""
        if self._active is not None:
            self._to_disk(self._active)
            self._synced = self._written
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(self._path(self._last + 1), flags, 0o600)
        self._to_disk(self._directory_file)
        if self._active is not None:
            os.close(self._active)
        self._active = file
        self._last += 1
        self._written = Mark(self._last, 0)
        self._sizes[self._last] = 0
        return file

    # What follows is the sender's.

    def _first_segment(self) -> int | None:
        with self._lock:
            first = min(self._sizes, default=None)
        if first is not None and self.head.segment < first:
            self.head = Mark(first, 0)
        return first

    def _read(self, segment: int, most: int) -> list[Entry]:
        """Up to ``most`` events of ``segment`` from the head on, before the next damage in it."""
        with self._lock:
            end, synced = self._sizes[segment], self._synced
        if segment >= synced.segment:
            end = synced.offset if segment == synced.segment else 0
        start = self.head.offset
        if start >= end:
            return []
        with self._path(segment).open("rb") as file:
            file.seek(start)
            data = file.read(end - start)
        entries: list[Entry] = []
        at = 0
        while len(entries) < most and (found := read(data, at)) is not None:
            if isinstance(found, Record):
                entries.append(Entry(Mark(segment, start + found.end), found.payload))
            elif entries:
                break
            else:
                self._keep_damaged(segment, start + at, data[at : found.end])
                self.head = Mark(segment, start + found.end)
            at = found.end
        return entries

    def _leave(self, segment: int) -> bool:
        """Remove a segment whose events all have their answers; not the one that is written to."""
        with self._lock:
            if self._active is not None and segment == self._last:
                return False
            self._used -= self._sizes.pop(segment)
        self.head = Mark(segment + 1, 0)
        self._path(segment).unlink(missing_ok=True)
        return True

    def _keep_damaged(self, segment: int, offset: int, content: bytes) -> None:
        # Some file systems leave zeros where a power cut kept the data from the disk.
        if content.strip(b"\0"):
            why = f"{len(content)} bytes of segment {segment} are damaged or not written whole"
            self._keep_aside(f"{segment}-{offset}.damaged", content, why)

    def _keep_aside(self, name: str, content: bytes, why: str) -> None:
        aside = self._directory / "aside"
        if sum(1 for _ in aside.iterdir()) >= MOST_ASIDE:
            log.error("spool %s: %s; %s is full, so it is not kept", self._directory, why, aside)
            return
        path = aside / name
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        log.error("spool %s: %s; kept as %s", self._directory, why, path)

    def _existing(self) -> dict[int, int]:
        """The segments with their sizes; those that were acknowledged whole are removed."""
        sizes = {}
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            if not path.stem.isdigit():
                continue
            number = int(path.stem)
            if number < self._position.mark.segment:
                path.unlink()
            else:
                sizes[number] = path.stat().st_size
        return sizes

    def _path(self, segment: int) -> Path:
        return self._directory / f"{segment:016d}{_SUFFIX}"


def _made(directory: Path) -> int:
    """The directory, opened; on disk is also that it is there."""
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True)
        parent = os.open(directory.parent, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(parent)
        os.close(parent)
    (directory / "aside").mkdir(mode=0o700, exist_ok=True)
    return os.open(directory, os.O_RDONLY | os.O_CLOEXEC)


def _locked(directory: Path) -> int:
    file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"another process uses the spool {directory}",
            advice="give each process a spool of its own",
        ) from None
    return file


def _full(message: str) -> ResourceExhausted:
    return ResourceExhausted(
        Reason.STORAGE_FULL,
        message,
        advice="is the Router running? Nothing was dropped; this event was not taken",
    )


def _unusable(directory: Path, error: OSError) -> Unavailable:
    return Unavailable(Reason.STORAGE_UNAVAILABLE, f"the spool {directory} cannot be used: {error}")
