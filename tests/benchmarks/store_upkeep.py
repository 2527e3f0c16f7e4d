"""What a store is like after many single adds: how fast, how large, and how much was written to get there.

As a program it is the child whose written bytes are counted: ``store_upkeep.py ours|raw FOLDER WORK ITEMS``.
"""

# ruff: noqa: T201 - the child prints its count
from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.store_build import built, open_ours, open_raw, raw_rows
from benchmarks.store_data import DIMENSION, USERS, Asked, asked_users, corpus
from benchmarks.store_search import WARMING, search_ours
from benchmarks.store_timing import Row, Subject, Times, compared, disk_bytes, interleaved, tell
from benchmarks.store_writes import FEW, SINGLES, base_size, scratch
from memplug.backends.lancedb.rows import encoded
from memplug.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.store_build import Built
    from benchmarks.store_data import Corpus
    from memplug.plugins.protocols import Backend
    from memplug.values.item import Record

#: Single items that are added while the bytes written are counted.
WRITTEN = 5_000
#: Adds between two looks at the disk.
_LOOK = 250
_SERIES = 5
_MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """An open store after many single adds; beside it in the folder another of the same items, freshly compacted."""

    worn: Backend
    folder: Path
    base: Built
    count: int

    def search(self) -> Iterator[tuple[str, Times, Times]]:
        """How long searches take in both: of users who are asked for the first time, and again."""
        corpus = self.base.corpus
        with closing(open_ours(self.folder / "fresh")) as fresh:  # anew each time, so that it knows no user yet
            stores = [Store(backend=backend) for backend in (self.worn, fresh)]
            for case, seeds in (("", [399]), ("first asked", [400]), ("asked again", [401, 402, 403])):
                times = [Times(), Times()]
                subjects: list[Subject[Asked]] = [
                    Subject(run=partial(search_ours, store), times=into)
                    for store, into in zip(stores, times, strict=True)
                ]
                users = asked_users(corpus.size) if case else range(USERS - WARMING, USERS)
                for seed in seeds:
                    interleaved(subjects, corpus.questions(users, seed=seed))
                if case:
                    yield case, times[0], times[1]

    def line(self, what: str, used: int, bound: float | None = None) -> Row:
        """How much room it takes, over what the other takes."""
        live = disk_bytes(self.folder / "fresh")
        return Row(
            what=what,
            items=self.base.corpus.size + self.count,
            ours=f"{used / _MB:.0f} MB",
            other=f"freshly compacted: {live / _MB:.0f} MB (LanceDB alone: 276 times, see DESIGN)",
            ratio=used / live,
            bound=bound,
        )


def worn_rows(work: Path, sizes: Sequence[int]) -> Iterator[Row]:
    """The lines about a store that was added to one by one."""
    base, count = built(work, base_size(sizes)), added(sizes, SINGLES)
    items = corpus(work, count, series=_SERIES)
    with scratch(work) as folder:
        for name in ("worn", "fresh"):
            shutil.copytree(base.ours, folder / name)
        with closing(open_ours(folder / "fresh")) as fresh:
            fresh.commit(items.records(0, count))
            fresh.maintain()
        with closing(open_ours(folder / "worn")) as worn:
            both = Worn(worn=worn, folder=folder, base=base, count=count)
            fullest = _wear(worn, items, folder / "worn")
            yield from _state(both, f"after {count:,} single adds", fullest)
            worn.maintain()
            yield from _state(both, "then `maintain()`", 0)


def _state(both: Worn, when: str, fullest: int) -> Iterator[Row]:
    items = both.base.corpus.size + both.count
    used = disk_bytes(both.folder / "worn")
    for case, worn, fresh in both.search():
        yield compared(f"{when}: search, {case}", items, worn, fresh, named="freshly compacted", bound=1.5)
    yield both.line(f"{when}: disk", used, bound=2)
    if fullest:
        yield both.line("disk at its fullest meanwhile", max(fullest, used))


def _wear(backend: Backend, items: Corpus, folder: Path) -> int:
    """Adds all items one by one, and tells how large the folder was at most."""
    fullest = 0
    for start in range(0, items.size, _LOOK):
        if start % (4 * _LOOK) == 0:
            tell(f"wearing a store: {start:,} of {items.size:,}")
        for record in items.records(start, start + _LOOK):
            backend.commit([record])
        fullest = max(fullest, disk_bytes(folder))
    return fullest


def added(sizes: Sequence[int], count: int) -> int:
    """How many items to add: fewer to a smaller store."""
    return min(count, max(base_size(sizes) * count // (10 * SINGLES), FEW))


def written_rows(work: Path, sizes: Sequence[int]) -> Iterator[Row]:
    """The lines about the bytes that single adds write, in the background as well."""
    if not Path("/proc/self/io").exists():
        tell("left out: only Linux says how much a process wrote")
        return
    base, count = built(work, base_size(sizes)), added(sizes, WRITTEN)
    weight = encoded(corpus(work, count, series=_SERIES).records(0, count), DIMENSION).nbytes
    with scratch(work) as folder:
        children = {kind: _child(kind, base, folder, [str(work), str(count)]) for kind in ("ours", "raw")}
        wrote = {kind: _counted(child) for kind, child in children.items()}
    for name, bound in (("wchar", 25.0), ("write_bytes", None)):
        ours, raw = wrote["ours"][name], wrote["raw"][name]
        yield Row(
            what=f"{name} of {count:,} single adds over bytes added",
            items=base.corpus.size,
            ours=f"{ours / _MB:.0f} MB",
            other=f"added: {weight / _MB:.1f} MB (raw, without upkeep: {raw / weight:.1f} times)",
            ratio=ours / weight,
            bound=bound,
        )


def _child(kind: str, base: Built, folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    """Starts adding to a copy; nothing is timed, so that both kinds may run at once."""
    tell(f"counting what single adds write: {kind}")
    shutil.copytree(getattr(base, kind), folder / kind)
    command = [sys.executable, __file__, kind, str(folder / kind), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _counted(child: subprocess.Popen[str]) -> dict[str, int]:
    told, _ = child.communicate()
    if child.returncode:
        raise RuntimeError(f"a child failed: {child.args!r}")
    found: dict[str, int] = json.loads(told)
    return found


def _io() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}


def _adding(kind: str, folder: Path) -> tuple[Callable[[list[Record]], object], Callable[[], None]]:
    """What adds items, and what ends it."""
    if kind == "ours":
        backend = open_ours(folder)
        return backend.commit, backend.close
    table = open_raw(folder)
    return lambda records: table.add(raw_rows(records)), lambda: None


def main(kind: str, folder: Path, work: Path, count: int) -> None:
    """Adds, waits for upkeep to end, and prints the bytes that this process wrote meanwhile as JSON."""
    items = corpus(work, count, series=_SERIES)
    add, end = _adding(kind, folder)
    before = _io()
    for record in items.records(0, count):
        add([record])
    end()
    after = _io()
    print(json.dumps({name: after[name] - before[name] for name in ("wchar", "write_bytes")}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
