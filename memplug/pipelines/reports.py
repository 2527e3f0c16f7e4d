"""What became of an export or an import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
        line: Number of the line that is wrong, else of the memory's first one, counted from 1.
        error: Why.
    """

    line: int
    error: MemplugError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of the memories of an import; every one of them is counted once."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: tuple[Rejection, ...] = ()


def rejection(line: int, error: MemplugError) -> Rejection:
    """A rejection whose error holds on to nothing else.

    A traceback keeps its frames alive, and with each of them megabytes of the line that was wrong.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return Rejection(line=line, error=error)
