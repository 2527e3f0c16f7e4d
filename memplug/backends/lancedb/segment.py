"""One file of a journal, as far as this process has read it."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from memplug.backends.lancedb.frames import records_in, scanned
from memplug.backends.lancedb.rows import row_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memplug.values.item import Record

_SUFFIX = ".log"
#: What a file is called that holds something damaged, and of which all else was moved on.
ASIDE = ".torn"


class Segment:
    """A file of frames.

    Args:
        folder: The journal's folder.
        number: Its own number; later ones are higher.

    Attributes:
        end: So many bytes from its beginning are sound frames that were read.
        rows: Their row ids, and of those that could be read behind damage.
        damaged: Whether there is something that is neither a frame nor the beginning of one.
        final: Whether it was read to its end after a later one was there, so that nothing can come.
    """

    __slots__ = ("_tail", "damaged", "end", "final", "number", "path", "rows")

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.path = str(folder / f"{number:06}{_SUFFIX}")
        self.end = 0
        self.rows: list[str] = []
        self.damaged = False
        self.final = False
        self._tail = 0

    def grown(self) -> bool:
        """Whether it is not as it was left; also where it is gone. One system call."""
        try:
            return os.stat(self.path).st_size != self.end  # noqa: PTH116 - the hot path of every read
        except FileNotFoundError:
            return True

    def news(self) -> list[Record] | None:
        """Reads what is new; a frame that is not whole yet is looked at again later.

        Returns:
            The records; None where bytes that were read before are gone, so that all has to be read anew: a commit
            that failed was taken back.

        Raises:
            FileNotFoundError: It is not there any more.
        """
        with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            if os.fstat(file.fileno()).st_size < self.end:
                return None
            file.seek(self.end)
            data = file.read()
        if zlib.crc32(data) == self._tail:
            return []
        scan = scanned(data)
        known = set(self.rows) if self.damaged else set()
        records = [record for begin, end in scan.payloads for record in records_in(data[begin:end])]
        self.note(record for record in records if row_id(record) not in known)
        self.end += scan.sound
        self.damaged = scan.damaged
        self._tail = zlib.crc32(data[scan.sound :])
        return records

    def note(self, records: Iterable[Record]) -> None:
        """Counts records as being in it."""
        self.rows += map(row_id, records)

    def set_aside(self) -> str:
        """Keeps it under another name, under which nothing reads it, and returns that."""
        aside = Path(self.path).with_suffix(ASIDE)
        Path(self.path).rename(aside)
        return aside.name


def number_of(name: str) -> int | None:
    """The number of the segment of a name; None where it is none."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, many times
    return int(stem) if suffix == _SUFFIX and stem.isdecimal() else None
