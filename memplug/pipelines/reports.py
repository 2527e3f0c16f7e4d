"""What became of an export or an import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.exceptions import MemplugError

#: Told what is done, what there is altogether, and what is being done.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an export wrote.

    Args:
        memories, versions, media: How many.
        path: The archive.
        missing: Ids of memories with an original or thumbnail that the store has lost. Their lines are in the
            archive all the same; an import elsewhere rejects them, since it cannot tell a loss from a forgery.
    """

    memories: int
    versions: int
    media: int
    path: Path
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Something that was not imported: a memory with all its lines, or a line that belongs to none.

    Args:
        line: Number of the line that is wrong, else of the memory's first one; in exports of other systems the number
            of the conversation or memory. Counted from 1.
        error: Why.
        place: Where it stands, in words for people, where a number does not say it.
    """

    line: int
    error: MemplugError
    place: str = ""

    @property
    def where(self) -> str:
        """Where it stands, in words for people."""
        return self.place or f"line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of the memories of an import; every one of them is counted once.

    Args:
        added, updated, unchanged: How many.
        rejected: What could not be taken in, each with its reason.
        left_out: What was not taken in on purpose, in words, and how many of it.
        format: What the file was (`memplug.pipelines.foreign.formats.FORMATS`).
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: tuple[Rejection, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    format: str = "memplug"


def rejection(line: int, error: MemplugError, place: str = "") -> Rejection:
    """A rejection whose error holds on to nothing else.

    A traceback keeps its frames alive, and with each of them megabytes of the line that was wrong.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return Rejection(line=line, error=error, place=place)
