"""Kills a writing process again and again, and counts what that cost: nothing, or this ends with an error.

    python tests/benchmarks/kill.py [--rounds 50] [--seed 1] [--sync normal|full] [--folder FOLDER]

Each round is a process that opens the store and works through a list of operations that the seed gives: adds of two
parts, upserts, pictures, updates, deletions, erasures, maintenance; with its bounds lowered, so that it compacts and
moves rows on all the time. It says when an operation has returned, and is killed (SIGKILL) at a moment that the seed
gives. Its successor begins with the operation that was under way, just as a client tries again.

After each kill the store must be exactly as after the operations that were acknowledged, or as after one more.
"""

from __future__ import annotations

# ruff: noqa: T201 - it prints its table, and its child what it has done
import argparse
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from memplug import Memory
from memplug.backends.lancedb import upkeep
from memplug.exceptions import NotFound

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import png

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.values.item import MemoryItem

Kind = Literal["pair", "upsert", "picture", "update", "delete", "erase", "maintain"]
Sync = Literal["normal", "full"]

USER = "wang"
EMBEDDER = "hashing:64"
_WEIGHTS: dict[Kind, int] = {
    "pair": 35,
    "upsert": 25,
    "picture": 12,
    "update": 12,
    "delete": 8,
    "erase": 5,
    "maintain": 3,
}
_KEYS = 20
#: Longest time between a child's first operation and its end, in seconds.
_LONGEST = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call that a child makes; doing it twice is the same as doing it once."""

    number: int
    kind: Kind
    key: str = ""

    @property
    def text(self) -> str:
        """What it writes."""
        return f"{self.kind} number {self.number}"

    @property
    def parts(self) -> tuple[str, str]:
        """What a pair writes."""
        return f"{self.text} left", f"{self.text} right"

    @property
    def picture(self) -> bytes:
        """The original that it brings, another one each time."""
        # Far apart: thumbnails of two colours that are alike would be one.
        return png(f"#{self.number * 2_654_435_761 % 2**24:06x}", (20, 20))


@dataclass(slots=True, kw_only=True)
class Model:
    """What the store must hold.

    Args:
        texts: How often each text without a key is there.
        keyed: By key, the texts of all versions; None is a deletion.
        pictures: By key, the original.
    """

    texts: Counter[str] = field(default_factory=Counter)
    keyed: dict[str, list[str | None]] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)

    def alive(self) -> list[str]:
        """The keys with a memory."""
        return [key for key, versions in self.keyed.items() if versions[-1] is not None]

    def apply(self, operation: Operation) -> None:
        """Does what the store has to do."""
        key = operation.key
        match operation.kind:
            case "pair":
                self.texts.update(operation.parts)
            case "upsert" | "update":
                self.keyed.setdefault(key, []).append(operation.text)
            case "picture":
                self.keyed.setdefault(key, []).append(operation.text)
                self.pictures[key] = operation.picture
            case "delete":
                self.keyed[key].append(None)
            case "erase":
                del self.keyed[key]
                self.pictures.pop(key, None)


def operations(seed: int) -> Iterator[tuple[Operation, Model]]:
    """The operations that a seed gives, each with the model as it is before it (one object, changed in place)."""
    chance = random.Random(seed)  # noqa: S311 - a seed must give the same each time
    model = Model()
    for number in itertools.count():
        [kind] = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        alive = model.alive()
        if kind in {"update", "delete", "erase"}:
            operation = Operation(number=number, kind=kind, key=chance.choice(alive)) if alive else None
        else:
            keys = {"upsert": f"key{chance.randrange(_KEYS)}", "picture": f"picture{number}"}
            operation = Operation(number=number, kind=kind, key=keys.get(kind, ""))
        operation = operation or Operation(number=number, kind="pair")
        yield operation, model
        model.apply(operation)


def model_after(seed: int, count: int) -> Model:
    """What the store holds after so many operations."""
    return next(model for operation, model in operations(seed) if operation.number == count)


def perform(memory: Memory, operation: Operation) -> None:
    """Makes the call, as a client does that may have made it before."""
    key = operation.key
    match operation.kind:
        case "pair":
            left, right = operation.parts
            turns = [{"role": "user", "content": left}, {"role": "assistant", "content": right}]
            memory.add(turns, user_id=USER)
        case "upsert":
            memory.add(operation.text, key=key, user_id=USER)
        case "picture":
            memory.add(operation.picture, key=key, description=operation.text, user_id=USER)
        case "maintain":
            memory.maintain()
        case _:
            _edit(memory, operation)


def _edit(memory: Memory, operation: Operation) -> None:
    item = _found(memory, operation.key)
    if operation.kind == "update" and item is not None and item.text != operation.text:
        memory.update(item.id, operation.text, version=item.version, user_id=USER)
    if operation.kind in {"delete", "erase"} and item is not None:
        memory.delete(item.id, version=item.version, erase=operation.kind == "erase", user_id=USER)


def _found(memory: Memory, key: str) -> MemoryItem | None:
    try:
        return memory.get(key=key, user_id=USER)
    except NotFound:
        return None


def child(folder: Path, seed: int, sync: Sync, most: int | None = None) -> None:
    """Works from the operation on that it is told, until it is killed or has done so many."""
    upkeep.FOLD_ROWS, upkeep.COMPACT_COMMITS = 25, 8
    first = int(sys.stdin.readline())
    memory = Memory(folder, embedder=EMBEDDER, sync=sync)
    print("open", flush=True)
    for operation, _ in itertools.islice(operations(seed), first, most):
        perform(memory, operation)
        print(operation.number, flush=True)
    memory.close()


@dataclass(slots=True, kw_only=True)
class Count:
    """What the kills cost.

    Args:
        acknowledged: Operations that returned.
        finished: Operations that a kill cut off, and that were there all the same.
        kills: How many.
        lost, double, half: Memories or versions that were acknowledged and are gone; are there twice; commits of
            which only a part is there.
        left: Originals and thumbnails on the disk that nothing needs, at the end.
        faults: Every difference from the model, in words.
    """

    acknowledged: int = 0
    finished: int = 0
    kills: int = 0
    lost: int = 0
    double: int = 0
    half: int = 0
    left: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether a kill cost anything."""
        return bool(self.lost or self.double or self.half or self.left or self.faults)


def held(memory: Memory, keys: set[str]) -> Model:
    """What the store says that it holds."""
    found = Model()
    cursor = None
    while True:
        page = memory.get_all(user_id=USER, limit=100, cursor=cursor)
        for item in page:
            if item.key is None:
                found.texts[item.text] += 1
            elif item.key in found.pictures:
                found.texts[f"twice: {item.key}"] += 1
            else:
                found.pictures[item.key] = memory.media(item.id) if item.media else b""
                versions = memory.history(item.id, user_id=USER)
                found.keyed[item.key] = [None if one.deleted else one.text for one in versions]
        if (cursor := page.cursor) is None:
            break
    for key in sorted(keys - found.keyed.keys()):
        if buried := _buried(memory, key):
            found.keyed[key] = buried
    found.pictures = {key: data for key, data in found.pictures.items() if data}
    return found


def _buried(memory: Memory, key: str) -> list[str | None]:
    """The versions of a deleted memory."""
    from memplug.pipelines.identity import keyed_id
    from memplug.values.scope import Scope

    try:
        versions = memory.history(keyed_id(Scope(user_id=USER), key), user_id=USER)
    except NotFound:
        return []
    return [None if one.deleted else one.text for one in versions]


def compare(count: Count, seed: int, folder: Path, done: int) -> None:
    """Opens the store as the kill left it, without writing to it, and counts what is wrong."""
    before, after = model_after(seed, done), model_after(seed, done + 1)
    with Memory(folder, read_only=True) as memory:
        found = held(memory, {*before.keyed, *after.keyed})
    count.finished += visible(found) == visible(after) != visible(before)
    if visible(found) in (visible(before), visible(after)):
        return
    count.lost += (before.texts - found.texts).total()
    count.double += sum(number > 1 for number in found.texts.values())
    pairs = Counter(text.rpartition(" ")[0] for text in found.texts)
    count.half += sum(number != 2 for number in pairs.values())
    for key in before.keyed.keys() | found.keyed.keys():
        if found.keyed.get(key) not in (before.keyed.get(key), after.keyed.get(key)):
            count.faults.append(f"{done}: {key}: {found.keyed.get(key)}, not {after.keyed.get(key)}")
            seen, wanted = found.keyed.get(key, []), before.keyed.get(key, [])
            count.lost += sum(version not in seen for version in wanted)
            count.double += len(seen) > len(set(seen) | {None})
    gone = {key for key, data in before.pictures.items() if after.pictures.get(key) == data != found.pictures.get(key)}
    count.lost += len(gone)
    count.faults.append(f"{done}: the store differs from the model; originals gone: {sorted(gone)}")


def visible(model: Model) -> object:
    """What a reader can see of a model: of the pictures, those whose memory is there."""
    alive = set(model.alive())
    return model.texts, model.keyed, {key: data for key, data in model.pictures.items() if key in alive}


def attack(folder: Path, *, seed: int, rounds: int, sync: Sync = "normal") -> Count:
    """Kills so many children, and looks at the store after each."""
    chance = random.Random(f"kills {seed}")  # noqa: S311 - a seed must give the same each time
    count = Count()
    with ExitStack() as started:
        waiting = started.enter_context(_begun(folder, seed, sync))
        for _ in range(rounds):
            # The next one imports its modules meanwhile, which takes the longest.
            process, waiting = waiting, started.enter_context(_begun(folder, seed, sync))
            count.acknowledged += _killed(process, count.acknowledged, chance.uniform(0, _LONGEST))
            compare(count, seed, folder, count.acknowledged)
        count.kills = rounds
        waiting.kill()
    _finish(count, seed, folder)
    return count


def _begun(folder: Path, seed: int, sync: Sync) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--child", "--seed", str(seed), "--folder", str(folder), "--sync", sync]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _killed(process: subprocess.Popen[str], first: int, seconds: float) -> int:
    """Lets a child work for some time, and returns how many operations it acknowledged."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{first}\n")
    process.stdin.flush()
    opened = process.stdout.readline()
    assert opened == "open\n", "the child could not open the store"
    time.sleep(seconds)
    assert process.poll() is None, "the child ended by itself"
    process.kill()
    lines = [line for line in process.stdout if line.endswith("\n")]
    assert [int(line) for line in lines] == list(range(first, first + len(lines)))
    return len(lines)


def _finish(count: Count, seed: int, folder: Path) -> None:
    """One more run to its end: then nothing may be left that only takes room, and the doctor must be content."""
    with Memory(folder) as memory:
        operation = next(one for one, _ in operations(seed) if one.number == count.acknowledged)
        perform(memory, operation)
        memory.maintain()
        model = model_after(seed, count.acknowledged + 1)
        found = held(memory, set(model.keyed))
        count.left = len(list(memory.engine.store.backend.list_media())) - _media(model)
        report = memory.doctor()
        count.faults += [f"doctor: {check.name}: {check.detail}" for check in report.checks if not check.ok]
    if visible(found) != visible(model):
        count.faults.append("after the last operation was tried again the store differs from the model")


def _media(model: Model) -> int:
    """How many originals and thumbnails a store has to keep, also for deleted memories: they can be restored."""
    return sum(key in model.keyed for key in model.pictures) * 2


def report(count: Count, seconds: float) -> str:
    """The table."""
    rows = {
        "kills": count.kills,
        "operations acknowledged": count.acknowledged,
        "cut off, and whole all the same": count.finished,
        "acknowledged and lost": count.lost,
        "double": count.double,
        "half visible": count.half,
        "media left behind": count.left,
        "other faults": len(count.faults),
        "seconds": round(seconds),
    }
    lines = [f"| {name} | {number} |" for name, number in rows.items()]
    return "\n".join(["| what | count |", "|---|---|", *lines, *count.faults[:20]])


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sync", choices=["normal", "full"], default="normal")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--most", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sync = cast("Sync", asked.sync)
    if asked.child:
        child(asked.folder, asked.seed, sync, asked.most)
        return
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        count = attack(asked.folder or Path(folder) / "store", seed=asked.seed, rounds=asked.rounds, sync=sync)
    print(report(count, time.monotonic() - start))
    if count.wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
