"""Timing side by side, and the table of what came out."""

# ruff: noqa: T201 - it prints the table
from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

Q = TypeVar("Q")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Args:
        what: What was measured.
        items: How many items the store held.
        ours: memplug's figure, with its unit.
        other: The figure that it is compared with.
        ratio: Of the two; None where there is none to give.
        bound: What the ratio must keep to; None where it is told for information only.
        at_least: Whether the ratio must be at least the bound, not at most.
    """

    what: str
    items: int
    ours: str
    other: str = ""
    ratio: float | None = None
    bound: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        if self.bound is None or self.ratio is None:
            return None
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound

    def line(self) -> str:
        """As Markdown."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}" if self.ratio < 100 else f"{self.ratio:.0f}"
        bound = "" if self.bound is None else f"{'≥' if self.at_least else '≤'} {self.bound:g}"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return f"| {self.what} | {self.items:,} | {self.ours} | {self.other} | {ratio} | {bound} | {met} |"


HEAD = "| what | items | memplug | against | ratio | bound | met |\n|---|---|---|---|---|---|---|"


@dataclass(slots=True)
class Times:
    """How long something took, in seconds, each time it was done."""

    seconds: list[float] = field(default_factory=list)

    def at(self, percent: float) -> float:
        """The percentile in milliseconds."""
        return float(np.percentile(self.seconds, percent)) * 1000

    @property
    def median(self) -> float:
        """In milliseconds."""
        return self.at(50)

    def __str__(self) -> str:
        return f"{self.median:.2f} ms (p99 {self.at(99):.1f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Generic[Q]):
    """Something that is done for each question, and where its times go."""

    run: Callable[[Q], object]
    times: Times


def timed(into: Times, run: Callable[[], object]) -> None:
    """Does it and notes how long that took."""
    started = time.perf_counter()
    run()
    into.seconds.append(time.perf_counter() - started)


def rotated(things: Sequence[T], turn: int) -> list[T]:
    """All of them, beginning with another one each turn."""
    first = turn % len(things)
    return [*things[first:], *things[:first]]


def interleaved(subjects: Sequence[Subject[Q]], questions: Iterable[Q]) -> None:
    """Gives each question to each subject, in turns and in changing order, so that other load hits all alike."""
    for turn, question in enumerate(questions):
        for subject in rotated(subjects, turn):
            timed(subject.times, partial(subject.run, question))


def compared(what: str, items: int, ours: Times, other: Times, *, named: str, bound: float | None = None) -> Row:
    """A line about two medians."""
    ratio = ours.median / other.median
    return Row(what=what, items=items, ours=str(ours), other=f"{named}: {other}", ratio=ratio, bound=bound)


def disk_bytes(folder: Path) -> int:
    """What the files of a folder hold."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size  # noqa: PTH116, PTH118 - thousands of files
            except FileNotFoundError:  # cleaned up while we look
                continue
    return total


def machine() -> str:
    """What it runs on, and how busy that is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, lancedb {version('lancedb')}, pyarrow {version('pyarrow')}, "
        f"numpy {version('numpy')}; load {load}"
    )


def tell(words: str) -> None:
    """Says on the error stream what is being done."""
    print(f"  … {words}", file=sys.stderr, flush=True)
