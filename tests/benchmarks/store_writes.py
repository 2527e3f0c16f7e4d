"""Adding: batches and single items, against LanceDB's own `add`."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.store_build import built, make_raw, open_ours, raw_row
from benchmarks.store_data import DIMENSION, corpus
from benchmarks.store_search import Known
from benchmarks.store_timing import Row, Subject, Times, compared, interleaved, rotated, tell, timed
from memplug import Memory
from memplug.backends.lancedb.columns import schema
from memplug.backends.lancedb.rows import encoded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.store_data import Corpus
    from memplug.plugins.protocols import Backend
    from memplug.values.item import Record

#: Items in a batch, and how many batches of each are added.
BATCHES = {1_000: 30, 10_000: 8}
#: Single items that are added one after the other to a store that is empty at first.
SINGLES = 10_000
#: So many where the stores are so small that nothing can be learned but that the program runs.
FEW = 40
#: So many are added in a turn, and then so many to a new table of LanceDB's.
TURN, RAW_TURN = 100, 30
#: By how much two halves of the same run may differ on a machine that others use.
GROWTH = 1.25
#: The series of items that are added to something, which must not be those that are there.
_BATCHED, _SINGLE, _TOLD = 2, 3, 4


@dataclass(slots=True)
class BatchTimes:
    """What a batch takes."""

    ours: Times = field(default_factory=Times)
    encoding: Times = field(default_factory=Times)
    raw: Times = field(default_factory=Times)
    dicts: Times = field(default_factory=Times)


def batch_rows(work: Path, sizes: Sequence[int]) -> Iterator[Row]:
    """The lines about batches: into an empty store, and into the largest of at most 100,000."""
    largest = max(sizes)
    if largest < SINGLES:
        yield from _batches(work, largest, 2, None)
        return
    for size, times in BATCHES.items():
        yield from _batches(work, size, times, None)
        yield from _batches(work, size, times, base_size(sizes))


def base_size(sizes: Sequence[int]) -> int:
    """The size of the store that items are added to: 100,000, or what comes next to it."""
    fitting = [size for size in sizes if size <= 10 * SINGLES]
    return max(fitting) if fitting else min(sizes)


@contextmanager
def scratch(work: Path) -> Iterator[Path]:
    """An empty folder for what is not kept."""
    folder = work / f"scratch-{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _batches(work: Path, size: int, repeats: int, base: int | None) -> Iterator[Row]:
    tell(f"batches of {size:,}{'' if base is None else f' onto {base:,}'}")
    items = corpus(work, size * repeats, series=_BATCHED)
    with scratch(work) as folder:
        if base is not None:
            shutil.copytree(built(work, base).ours, folder / "ours")
        with closing(open_ours(folder / "ours")) as backend:
            times = _timed_batches(items, size, backend, folder)
    yield from _batch_lines(size, base, times)


def _timed_batches(items: Corpus, size: int, backend: Backend, folder: Path) -> BatchTimes:
    arrow, dicts = make_raw(folder / "arrow", schema(DIMENSION)), make_raw(folder / "dicts")
    times = BatchTimes()
    for number, batch in enumerate(items.batches(size)):
        if number == 1:
            times = BatchTimes()  # the first adds of a process and of a table have more to do
        timed(times.encoding, partial(encoded, batch, DIMENSION))
        rows = encoded(batch, DIMENSION)
        lists = [raw_row(record) | {"vector": record.vector} for record in batch]
        tasks = [
            (times.ours, partial(backend.commit, batch)),
            (times.raw, partial(arrow.add, rows)),
            (times.dicts, partial(dicts.add, lists)),
        ]
        for into, run in rotated(tasks, number):
            timed(into, run)
    return times


def _batch_lines(size: int, base: int | None, times: BatchTimes) -> Iterator[Row]:
    what = f"batch of {size:,}"
    yield compared(what, base or 0, times.ours, times.raw, named="raw `add` of the same Arrow table", bound=1.3)
    if base is None:
        together = Times(
            seconds=[one + two for one, two in zip(times.raw.seconds, times.encoding.seconds, strict=True)]
        )
        yield compared(what, 0, times.ours, together, named="the same with our encoding", bound=1.3)
        yield compared(what, 0, times.ours, times.dicts, named="raw `add` of Python dicts", bound=1.3)


def single_rows(work: Path, sizes: Sequence[int]) -> Iterator[Row]:
    """The lines about single items."""
    count = SINGLES if max(sizes) >= SINGLES else FEW
    direct, told = corpus(work, count, series=_SINGLE), corpus(work, count, series=_TOLD)
    known = Known(vectors={told.text(row): told.vectors[row] for row in range(count)})
    ours, whole, raw = Times(), Times(), Times()
    with (
        scratch(work) as folder,
        closing(open_ours(folder / "ours")) as backend,
        Memory(folder / "memory", embedder=known) as memory,
    ):
        for turn, start in enumerate(range(0, count, TURN)):
            if turn % 10 == 0:
                tell(f"single items: {start:,} of {count:,}")
            stop = min(start + TURN, count)
            records = direct.records(start, stop)
            interleaved([Subject(run=lambda record: backend.commit([record]), times=ours)], records)
            interleaved([Subject(run=lambda row: _tell(memory, told, row), times=whole)], range(start, stop))
            _raw_turn(folder / f"raw-{turn}", records[:RAW_TURN], raw)
            shutil.rmtree(folder / f"raw-{turn}")
    for name, times, bound in (("backend", ours, 2.5), ("Memory.add", whole, None)):
        yield compared(f"single add ({name})", count, times, raw, named="raw, onto a fresh table", bound=bound)
    for name, times in (("backend", ours), ("Memory.add", whole)):
        yield _growth(f"p99 of a single add ({name})", times, raw)


def _tell(memory: Memory, items: Corpus, row: int) -> None:
    memory.add(items.text(row), user_id=items.user(row), infer=False)


def _raw_turn(folder: Path, records: list[Record], into: Times) -> None:
    table = make_raw(folder, schema(DIMENSION))
    rows = [encoded([record], DIMENSION) for record in records]
    table.add(rows[0])  # the first add to a new table has more to do
    interleaved([Subject(run=table.add, times=into)], rows[1:])


def _tails(times: Times) -> list[float]:
    """The 99th percentile of each tenth, in milliseconds."""
    tenth = len(times.seconds) // 10
    parts = (times.seconds[start : start + tenth] for start in range(0, 10 * tenth, tenth))
    return [Times(seconds=part).at(99) for part in parts]


def _growth(what: str, times: Times, raw: Times) -> Row:
    """Whether the slowest hundredth becomes slower: the median of the last five tenths' p99 over the first five's.

    What LanceDB's own first adds to new tables take meanwhile tells how much of it was the machine.
    """
    tails, others = _tails(times), _tails(raw)
    first, last = statistics.median(tails[:5]), statistics.median(tails[5:])
    told = " ".join(f"{tail:.0f}" for tail in tails)
    machine = " ".join(f"{tail:.0f}" for tail in others)
    return Row(
        what=what,
        items=len(times.seconds),
        ours=f"second half {last:.1f} ms (by tenths {told})",
        other=f"first half {first:.1f} ms (raw on fresh tables meanwhile {machine})",
        ratio=last / first,
        bound=GROWTH,
    )
