"""`recent` as a journal on a local disk: a folder of files that are only ever appended to.

    tables/recent-1.journal/000001.log    frames (`frames`), one for each commit
    tables/recent-1.journal/000002.log    the newest one is appended to; a lower one is being moved on
    tables/recent-1.journal/000001.torn   one with damage, when all that can be read of it was moved on

An append is one write, under the write lock. What a killed writer left of a frame is cut off by the next one. Bytes
that are damaged stay where they are: nothing is appended behind them any more, every frame in that file whose sum is
right still counts, also one behind the damage, and when those are moved on the file is kept as ``.torn``. It goes when
somebody removes it, or with an erasure, which leaves nothing of the whole folder.

Readers look at the size of the newest file, and whether there is another one, at each read; times are never relied on.
Numbers only rise within a folder. Files go in their order, so that no version of a memory is left without later ones.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from memplug.backends.lancedb.durability import sync_data, sync_file, sync_folder
from memplug.backends.lancedb.frames import frame
from memplug.backends.lancedb.overlay import Overlay
from memplug.backends.lancedb.recent import Taken
from memplug.backends.lancedb.rows import row_id
from memplug.backends.lancedb.segment import ASIDE, Segment, number_of
from memplug.backends.lancedb.trouble import lance_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from memplug.backends.lancedb.place import Lock
    from memplug.backends.lancedb.recent import Batch
    from memplug.backends.lancedb.session import Session
    from memplug.values.item import Record

_log = logging.getLogger("memplug.backends.lancedb")

#: Records in a frame of what is rewritten.
_FRAME = 500
_APPENDING = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Journal:
    """See `recent.Recent`. Safe to use from several threads.

    Args:
        folder: Its folder.
        dimension: Length of a vector.
        durable: Whether a commit survives a power cut.
    """

    scatters = False

    def __init__(self, folder: Path, dimension: int, *, durable: bool) -> None:
        self.overlay = Overlay(self.refresh)
        self._folder = folder
        self._dimension = dimension
        self._durable = durable
        self._segments: dict[int, Segment] = {}
        self._named = 0
        self._lock = threading.RLock()

    def commits(self) -> int:
        """See `Recent.commits`."""
        return 0

    def make(self) -> None:
        """Makes the folder, with nothing in it."""
        with lance_errors("make a journal"):
            self._folder.mkdir()
            self._begin(1)

    # -- reading

    def refresh(self) -> None:
        """Takes in what was committed since the last time, and lets go of what was moved on."""
        with self._lock, lance_errors("look for changes"):
            if self._changed():
                self._look()

    def _newest(self) -> Segment | None:
        return self._segments[max(self._segments)] if self._segments else None

    def _changed(self) -> bool:
        if not self._segments:
            return True
        first, newest = self._segments[min(self._segments)], self._segments[max(self._segments)]
        return (
            newest.grown()
            or os.path.exists(self._next)  # noqa: PTH110 - the hot path of every read
            or (first is not newest and not os.path.exists(first.path))  # noqa: PTH110
        )

    def _look(self) -> None:
        """Reads every file on from where it was left. What is new comes before anything goes."""
        numbers = sorted(number for name in os.listdir(self._folder) if (number := number_of(name)) is not None)  # noqa: PTH208
        for number in numbers:
            segment = self._segments.get(number) or Segment(self._folder, number)
            if not segment.final and not self._read(segment, final=number != numbers[-1]):
                numbers = [other for other in numbers if other != number]
        for number in sorted(self._segments.keys() - set(numbers)):
            self._lose(number)
        self._next = Segment(self._folder, max(self._segments, default=0) + 1).path

    def _read(self, segment: Segment, *, final: bool) -> bool:
        """Takes in what is new in a file; tells whether it is still there."""
        try:
            records, gone = segment.news(), list[str]()
            if records is None:
                gone, segment = segment.rows, Segment(self._folder, segment.number)
                records = segment.news() or []
        except FileNotFoundError:
            return False
        self.overlay.change(gone, records)
        self._segments[segment.number] = segment
        segment.final = final
        if final and segment.damaged:
            _log.warning("a journal is damaged: of %s only what can be read counts", segment.path)
        return True

    def _lose(self, number: int) -> None:
        """Lets go of what only one file had."""
        if (segment := self._segments.pop(number, None)) is not None:
            self.overlay.forget(set(segment.rows).difference(*(other.rows for other in self._segments.values())))

    # -- appending

    def packed(self, records: Sequence[Record]) -> bytes:
        """See `Recent.packed`."""
        return frame(records, self._dimension)

    def append(self, session: Session, batches: Sequence[Batch]) -> None:
        """See `Recent.append`."""
        del session  # who holds a file lock keeps it
        data = b"".join(batch.form for batch in batches)
        self._append(data, len(batches[0].form), [record for batch in batches for record in batch.records])

    def _append(self, data: bytes, first: int, records: list[Record]) -> None:
        """Writes frames, the first of which has so many bytes, and takes their records in."""
        handle = -1
        try:
            with lance_errors("write"):
                with self._lock:
                    segment = self._writable()
                    handle = os.open(segment.path, _APPENDING)
                    self._write(handle, segment, data, first)
                    segment.note(records)
                    segment.end += len(data)
                    self.overlay.take(records)
                if self._durable:
                    self._keep(handle, segment, len(data), len(records))
        finally:
            if handle >= 0:
                os.close(handle)

    def _writable(self) -> Segment:
        """The newest file, behind whose last frame there is nothing."""
        if not self._changed():
            return self._segments[max(self._segments)]
        self._look()
        newest = self._newest()
        if newest is None or newest.damaged:
            return self._begin(newest.number + 1 if newest is not None else 1)
        if newest.grown():
            os.truncate(newest.path, newest.end)
        return newest

    def _begin(self, number: int) -> Segment:
        """Makes another file; all below it get nothing any more."""
        segment = Segment(self._folder, number)
        os.close(os.open(segment.path, _APPENDING | os.O_CREAT, 0o666))
        self._look()
        return self._segments[number]

    def _write(self, handle: int, segment: Segment, data: bytes, first: int) -> None:
        view, written = memoryview(data), 0
        try:
            while written < len(data):
                written += os.write(handle, view[written:])
        except BaseException:
            self._take_back(handle, segment, whole=written >= first)
            raise

    def _take_back(self, handle: int, segment: Segment, *, whole: bool) -> None:
        """Removes what was written in vain.

        Where others may have read a frame already, nothing may ever come to lie in its place: they would take that
        for what they know. From another file being there they learn that they have to look (`Segment.news`).
        """
        with suppress(OSError):  # the caller raises why it failed in the first place
            os.ftruncate(handle, segment.end)
            if whole:
                self._begin(segment.number + 1)

    def _keep(self, handle: int, segment: Segment, size: int, count: int) -> None:
        """Makes what was just written survive a power cut, with the names that lead to it."""
        try:
            sync_data(handle)
            if self._named != segment.number:
                sync_folder(self._folder)
                sync_folder(self._folder.parent)
                self._named = segment.number
        except OSError:
            with self._lock:
                segment.end -= size
                gone = segment.rows[-count:]
                del segment.rows[-count:]
                self._take_back(handle, segment, whole=True)
                self.overlay.forget(gone)
            raise

    # -- moving on

    def take(self, session: Session, patience: float | None = None) -> Taken:
        """See `Recent.take`; commits go on in another file."""
        with session.writing.held(patience), self._lock:
            self.refresh()
            newest = self._newest()
            if newest is None or newest.rows or newest.damaged:
                with lance_errors("begin a journal"):
                    newest = self._begin(newest.number + 1 if newest is not None else 1)
            rows = {row for segment in self._segments.values() if segment is not newest for row in segment.rows}
            records = [record for record in self.overlay.everything() if row_id(record) in rows]
            return Taken(records=records, mark=newest.number)

    def clear(self, session: Session, taken: Taken, patience: float | None = None) -> None:
        """See `Recent.clear`; commits go on meanwhile, and so do readers: what goes is where it was moved to."""
        del patience
        session.upkeep.check()
        with self._lock, lance_errors("clear a journal"):
            for number in sorted(number for number in self._segments if number < taken.mark):
                self._remove(self._segments[number])
                self._lose(number)

    def _remove(self, segment: Segment) -> None:
        """Removes a file, for good before a later one goes."""
        with suppress(FileNotFoundError):
            if segment.damaged:
                _log.warning("what is damaged in a journal was set aside: %s", segment.set_aside())
            else:
                os.unlink(segment.path)  # noqa: PTH108 - a text
        if self._durable:
            sync_folder(self._folder)

    # -- one that nobody uses yet

    def write(self, records: Sequence[Record]) -> None:
        """See `Recent.write`."""
        for start in range(0, len(records), _FRAME):
            some = list(records[start : start + _FRAME])
            data = frame(some, self._dimension)
            self._append(data, len(data), some)

    def drop(self, rows: Collection[str]) -> None:
        """See `Recent.drop`: the others are written anew first."""
        kept = [record for record in self.overlay.everything() if row_id(record) not in set(rows)]
        with self._lock, lance_errors("write"):
            before = list(self._segments.values())
            self._begin(max(self._segments, default=0) + 1)
            self.write(kept)
            for segment in before:
                self._remove(segment)
                self._lose(segment.number)

    def finish(self) -> None:
        """See `Recent.finish`; whatever else the store promises of power cuts: the one before it goes."""
        with self._lock, lance_errors("sync"):
            self.refresh()
            for segment in self._segments.values():
                sync_file(self._folder / segment.path)
            sync_folder(self._folder)
            sync_folder(self._folder.parent)

    # -- upkeep

    def compact(self) -> None:
        """See `Recent.compact`: there is nothing to do."""

    def doubles(self) -> list[str]:
        """See `Recent.doubles`."""
        self.refresh()
        with self._lock:
            held = Counter(row for segment in self._segments.values() for row in segment.rows)
        return [row for row, count in held.items() if count > 1]

    def damage(self) -> list[str]:
        """See `Recent.damage`."""
        self.refresh()
        with self._lock, lance_errors("look for damage"):
            names = {segment.path for segment in self._segments.values() if segment.damaged}
            names |= {name for name in os.listdir(self._folder) if name.endswith(ASIDE)}  # noqa: PTH208
        return sorted(os.path.basename(name) for name in names)  # noqa: PTH119

    def mend(self, lock: Lock) -> None:
        """See `Recent.mend`; moving on sets aside."""
        self.refresh()
        newest = self._newest()
        if newest is not None and newest.damaged:
            with lock.held(), lance_errors("mend a journal"), self._lock:
                self._writable()
