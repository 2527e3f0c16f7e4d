"""Several processes write to one store at once, on new and on hot keys; counts what went wrong: nothing, or it fails.

    python tests/benchmarks/processes.py [--processes 4] [--calls 250] [--seed 1] [--folder FOLDER]

Of each process's calls, two fifths add a text of its own, one fifth adds one that the others add too, one fifth
upserts under one of a few hot keys, one fifth under keys that all of them make new at the same time.
"""

from __future__ import annotations

# ruff: noqa: T201 - it prints its table, and its children what they have done
import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from memplug import Memory
from memplug.exceptions import MemplugError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER = "wang"
EMBEDDER = "hashing:64"
_HOT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One add.

    Args:
        text: What.
        key: Under which key, if any.
    """

    text: str
    key: str | None = None


def calls(name: int, count: int, seed: int) -> Iterator[Call]:
    """What one process does."""
    chance = random.Random(f"{seed} {name}")  # noqa: S311 - a seed must give the same each time
    for number in range(count):
        match number % 5:
            case 0 | 1:
                yield Call(text=f"own {name} {number}")
            case 2:
                yield Call(text=f"shared {number}")
            case 3:
                yield Call(text=f"hot {name} {number}", key=f"hot{chance.randrange(_HOT)}")
            case _:
                yield Call(text=f"new {name} {number}", key=f"new{number}")


def child(folder: Path, name: int, count: int, seed: int) -> None:
    """Makes the calls once it is told to, and prints what became of each."""
    memory = Memory(folder, embedder=EMBEDDER)
    print("ready", flush=True)
    sys.stdin.readline()
    for call in calls(name, count, seed):
        start = time.perf_counter()
        try:
            [outcome] = memory.add(call.text, key=call.key, user_id=USER).outcomes
            event = str(outcome.event)
        except MemplugError as error:
            event = f"{error.code}: {error}"
        print(json.dumps([call.key or call.text, event, time.perf_counter() - start]), flush=True)
    memory.close()


@dataclass(slots=True, kw_only=True)
class Count:
    """What came of it.

    Args:
        calls: How many were made.
        written: How many say that they wrote a version.
        errors: What reached a caller.
        lost, double: Memories and versions that should be there and are not, and that are there twice.
        seconds: How long each call took.
        wall: How long all took together.
    """

    calls: int = 0
    written: int = 0
    errors: list[str] = field(default_factory=list)
    lost: int = 0
    double: int = 0
    seconds: list[float] = field(default_factory=list)
    wall: float = 0.0


def race(folder: Path, *, processes: int, count: int, seed: int) -> Count:
    """Lets the processes loose, and looks at the store afterwards."""
    Memory(folder, embedder=EMBEDDER).close()
    found = Count()
    command = [sys.executable, __file__, "--folder", str(folder), "--calls", str(count), "--seed", str(seed)]
    children = [
        subprocess.Popen([*command, "--child", str(name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in range(processes)
    ]
    for one in children:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n", "a child could not open the store"
    start = time.monotonic()
    for one in children:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    events = [json.loads(line) for one in children for line in one.communicate()[0].splitlines()]
    found.wall = time.monotonic() - start
    assert all(one.returncode == 0 for one in children)
    _count(found, events)
    with Memory(folder) as memory:
        _compare(found, memory, [one for name in range(processes) for one in calls(name, count, seed)], events)
    return found


def _count(found: Count, events: Sequence[tuple[str, str, float]]) -> None:
    for _, event, seconds in events:
        found.calls += 1
        found.seconds.append(seconds)
        found.written += event in {"added", "updated"}
        if event not in {"added", "updated", "duplicate"}:
            found.errors.append(event)


def _compare(found: Count, memory: Memory, made: Sequence[Call], events: Sequence[tuple[str, str, float]]) -> None:
    """One memory per key and text; of a keyed one, a version per call, each with its own text."""
    wrote = Counter(name for name, event, _ in events if event in {"added", "updated"})
    held: Counter[str] = Counter()
    cursor = None
    while True:
        page = memory.get_all(user_id=USER, limit=100, cursor=cursor)
        for item in page:
            held[item.key or item.text] += 1
            versions = memory.history(item.id, user_id=USER)
            assert [one.version for one in versions] == list(range(1, len(versions) + 1))
            texts = [one.text for one in versions]
            wanted = {call.text for call in made if item.key is not None and call.key == item.key} or {item.text}
            found.lost += len(wanted - set(texts))
            found.double += len(texts) - len(set(texts)) + max(0, len(texts) - wrote[item.key or item.text])
        if (cursor := page.cursor) is None:
            break
    found.lost += len({call.key or call.text for call in made} - held.keys())
    found.double += sum(number - 1 for number in held.values())


def report(found: Count) -> str:
    """The table."""
    ordered = sorted(found.seconds)
    rows = {
        "calls": found.calls,
        "that wrote a version": found.written,
        "errors that reached a caller": len(found.errors),
        "lost": found.lost,
        "double": found.double,
        "calls per second": round(found.calls / found.wall, 1),
        "median of a call, ms": round(statistics.median(ordered) * 1e3, 1),
        "99th of 100, ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 1),
        "longest, ms": round(ordered[-1] * 1e3, 1),
    }
    return "\n".join(["| what | count |", "|---|---|", *(f"| {name} | {number} |" for name, number in rows.items())])


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--calls", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        child(asked.folder, asked.child, asked.calls, asked.seed)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = asked.folder or Path(folder) / "store"
        found = race(place, processes=asked.processes, count=asked.calls, seed=asked.seed)
    print("\n".join([report(found), *found.errors[:10]]))
    if found.errors or found.lost or found.double:
        sys.exit(1)


if __name__ == "__main__":
    main()
