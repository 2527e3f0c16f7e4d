"""Memories as an archive brings them. A memory is all its lines: where one of them is wrong, so is the memory.

Otherwise a version that was corrected or deleted later would become the current one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput, MemplugError
from memplug.pipelines.codec import ID_PATTERN, from_json
from memplug.pipelines.reports import Rejection, rejection
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memplug.pipelines.lines import RawLine
    from memplug.values.item import Record
    from memplug.values.limits import Limits

#: Versions of one memory, and bytes of their lines, which are in memory together.
MAX_VERSIONS = 10_000
MAX_BYTES = 256 * MIB
_ID = re.compile(ID_PATTERN)
#: Where a line that is no JSON, or too long, says whose it is: memplug writes the id first.
_ID_IN_LINE = re.compile(rf'"id"\s*:\s*"({ID_PATTERN})"'.encode())


@dataclass(slots=True, kw_only=True)
class Arrival:
    """One memory.

    Args:
        id: As the archive says; None for a line that does not say whose it is.
        line: Number of its first line.
        records: Its versions in the order of their lines; none where something is wrong with it.
        size: Bytes of its lines.
        rejection: What is wrong with it.
    """

    id: str | None
    line: int
    records: list[Record] = field(default_factory=list)
    size: int = 0
    rejection: Rejection | None = None

    def take(self, line: RawLine, found: Record | MemplugError) -> None:
        """Adds a line."""
        self.size += len(line.data)
        if self.rejection is not None:
            return
        if isinstance(found, MemplugError):
            self.refuse(line.number, found)
        elif len(self.records) >= MAX_VERSIONS or self.size > MAX_BYTES:
            self.refuse(
                line.number,
                InputTooLarge(f"memory {self.id!r} has more than {MAX_VERSIONS} versions or {MAX_BYTES} bytes"),
            )
        else:
            self.records.append(found)

    def refuse(self, line: int, error: MemplugError) -> None:
        """Rejects the memory as a whole."""
        self.rejection = rejection(line, error)
        self.records.clear()


def arrivals(lines: Iterable[RawLine], limits: Limits) -> Iterator[Arrival]:
    """The memories of an archive; a line that does not say whose it is comes as one of its own, in between."""
    seen: set[str] = set()
    current: Arrival | None = None
    for line in lines:
        id_, found = _read(line, limits)
        if id_ is None:
            yield _alone(line, found)
            continue
        if current is None or current.id != id_:
            if current is not None:
                yield current
            current = _begun(id_, line, seen)
        current.take(line, found)
    if current is not None:
        yield current


def _begun(id_: str, line: RawLine, seen: set[str]) -> Arrival:
    arrival = Arrival(id=id_, line=line.number)
    if id_ in seen:
        arrival.refuse(line.number, MalformedInput(f"the archive holds memory {id_!r} at two places"))
    elif _ID.fullmatch(id_):
        seen.add(id_)
    return arrival


def _alone(line: RawLine, found: Record | MemplugError) -> Arrival:
    arrival = Arrival(id=None, line=line.number)
    arrival.take(line, found)
    return arrival


def _read(line: RawLine, limits: Limits) -> tuple[str | None, Record | MemplugError]:
    """Whose line it is, and the version that it holds, or what is wrong with it."""
    try:
        value = line.value()
    except MemplugError as error:
        named = _ID_IN_LINE.search(line.data[:1_024])
        return (named[1].decode() if named else None), error
    id_ = value.get("id") if isinstance(value, dict) else None
    owner = id_ if isinstance(id_, str) else None
    try:
        return owner, from_json(value, limits)
    except MemplugError as error:
        return owner, error
