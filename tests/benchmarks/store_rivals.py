"""chromadb and mem0 on the same items and vectors, each in a process of its own that takes turns with memplug."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from benchmarks.store_build import open_ours
from benchmarks.store_data import Asked, Corpus, asked_users, corpus
from benchmarks.store_search import TOP, Known, search_ours
from benchmarks.store_timing import Row, Times, rotated, tell, timed
from benchmarks.store_writes import scratch
from memplug import Memory
from memplug.store import Store, View
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memplug.plugins.protocols import Backend

Run = Callable[[], object]
PINS = ("chromadb==1.5.9", "mem0ai==2.2.1", "qdrant-client==1.20.0", "numpy==2.4.6")
#: Items in the stores, items in a batch, and single items that are added to what is there.
ITEMS, BATCH, SINGLES = 10_000, 1_000, 200
FASTER = 5.0
_SERIES = 6
#: Nothing is told to anybody, and no request leaves the machine.
_QUIET = {
    "MEM0_TELEMETRY": "False",
    "ANONYMIZED_TELEMETRY": "False",
    "HF_HUB_OFFLINE": "1",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
}


@dataclass(slots=True)
class Process:
    """A rival that waits for lines (see `store_rival`)."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, name: str, python: Path, folder: Path) -> Self:
        """Starts it with an empty store."""
        store = folder / name
        store.mkdir()
        command = [str(python), str(Path(__file__).with_name("store_rival.py")), name, str(folder), str(store)]
        log = (folder / f"{name}.log").open("w")
        environment = os.environ | _QUIET | {"MEM0_DIR": str(store)}
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, env=environment)
        started = cls(process)
        started._answer()
        return started

    def ask(self, into: Times, verb: str, *arguments: object) -> int:
        """Lets it do something, notes how long that took there, and gives how many it found."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([verb, *arguments]) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        into.seconds.append(answer["seconds"])
        return int(answer["found"])

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the rival ended: {self.process.args!r}; see its log beside its store")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends it."""
        self.process.communicate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What memplug and its rivals go through."""

    items: Corpus
    questions: list[Asked]
    python: Path
    folder: Path

    @property
    def stored(self) -> int:
        """Items in the stores before single ones are added."""
        return self.items.size - SINGLES

    def rival(self, name: str) -> Process:
        """A rival with an empty store."""
        return Process.start(name, self.python, self.folder)


def rows(work: Path, sizes: Sequence[int]) -> Iterator[Row]:
    """The lines about rivals."""
    python, size = environment(work), min(ITEMS, max(sizes))
    items, users = corpus(work, size + SINGLES, series=_SERIES), asked_users(size)
    questions = [*items.questions(users, seed=600), *items.questions(users, seed=601)]
    with scratch(work) as folder:
        course = Course(items=items, questions=questions, python=python, folder=folder)
        write(course)
        tell("chromadb")
        yield from _beside_chroma(course)
        tell("mem0")
        yield from _beside_mem0(course)


def environment(work: Path) -> Path:
    """The Python of an environment with the rivals, which is made once."""
    folder = work / f"rivals-{hashlib.sha256(' '.join(PINS).encode()).hexdigest()[:8]}"
    python = folder / "bin" / "python"
    if not folder.exists():
        tell(f"installing {', '.join(PINS)}")
        unfinished = work / f"unfinished-{os.getpid()}"
        subprocess.run([sys.executable, "-m", "venv", str(unfinished)], check=True)
        pip = [str(unfinished / "bin" / "python"), "-m", "pip", "install", "-q", *PINS]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        unfinished.rename(folder)
    return python


def write(course: Course) -> None:
    """Writes items and questions to where the rivals read them."""
    items = [
        {
            "id": record.id,
            "user": record.item.user_id,
            "text": record.item.text,
            "metadata": dict(record.item.metadata),
        }
        for record in course.items.records(0, course.items.size)
    ]
    asked = [{"user": asked.user, "text": asked.text} for asked in course.questions]
    (course.folder / "items.json").write_text(json.dumps(items), encoding="utf-8")
    (course.folder / "questions.json").write_text(json.dumps(asked), encoding="utf-8")
    np.save(course.folder / "vectors.npy", np.asarray(course.items.vectors))
    np.save(course.folder / "asked.npy", np.stack([asked.vector for asked in course.questions]))


def _in_turn(turn: int, ours: Run, theirs: Run, into: Times) -> None:
    """Does both, in an order that changes; the rival's time is taken where it works."""
    both: list[Run] = [partial(timed, into, ours), theirs]
    for run in rotated(both, turn):
        run()


def _beside_chroma(course: Course) -> Iterator[Row]:
    times: defaultdict[str, Times] = defaultdict(Times)
    with ExitStack() as stack:
        rival = stack.enter_context(closing(course.rival("chromadb")))
        backend = stack.enter_context(closing(open_ours(course.folder / "ours")))
        for turn, start in enumerate(range(0, course.stored, BATCH)):
            stop = min(start + BATCH, course.stored)
            batch = course.items.records(start, stop)
            theirs = partial(rival.ask, times["their batch"], "batch", start, stop)
            _in_turn(turn, partial(backend.commit, batch), theirs, times["our batch"])
        for row in range(course.stored, course.items.size):
            theirs = partial(rival.ask, times["their single"], "single", row)
            _in_turn(row, partial(backend.commit, course.items.records(row, row + 1)), theirs, times["our single"])
        _search_chroma(course, rival, backend, times)
    size = min(BATCH, course.stored)
    yield _row(f"batch of {size:,}", course, times["our batch"], times["their batch"], "chromadb", items=size)
    yield _row("single add", course, times["our single"], times["their single"], "chromadb", items=1)
    for case in ("first asked", "asked again"):
        theirs_found = times[f"theirs, {case}"]
        yield _row(f"filtered search by meaning, {case}", course, times[f"near, {case}"], theirs_found, "chromadb")
        yield _row(
            f"by meaning and by words, {case}", course, times[f"both, {case}"], theirs_found, "chromadb, meaning only"
        )


def _search_chroma(course: Course, rival: Process, backend: Backend, times: defaultdict[str, Times]) -> None:
    """Each question to both; memplug answers it from two openings, so that the second does not know the user."""
    with closing(open_ours(course.folder / "ours")) as other:
        near, both = Store(backend=backend), Store(backend=other)
        rival.ask(Times(), "search", 0)
        for turn, asked in enumerate(course.questions):
            case = _case(course, turn)
            view = View(scope=Scope(user_id=asked.user))
            theirs = partial(rival.ask, times[f"theirs, {case}"], "search", turn)
            _in_turn(turn, partial(near.nearest, asked.vector, view, limit=TOP), theirs, times[f"near, {case}"])
            timed(times[f"both, {case}"], partial(search_ours, both, asked))


def _case(course: Course, turn: int) -> str:
    return "first asked" if turn < len(course.questions) // 2 else "asked again"


def _beside_mem0(course: Course) -> Iterator[Row]:
    times: defaultdict[str, Times] = defaultdict(Times)
    items = course.items
    told = _turns(course)
    known = Known(vectors={items.text(row): items.vectors[row] for row in range(items.size)})
    with ExitStack() as stack:
        rival = stack.enter_context(closing(course.rival("mem0")))
        memory = stack.enter_context(Memory(course.folder / "memory", embedder=known))
        for turn, user in enumerate(sorted(told)):
            theirs = partial(rival.ask, times["their told"], "told", user, course.stored)
            ours = partial(memory.add, told[user], user_id=user, infer=False)
            _in_turn(turn, ours, theirs, times["our told"])
        for turn, row in enumerate(range(course.stored, items.size)):
            theirs = partial(rival.ask, times["their single"], "single", row)
            ours = partial(memory.add, items.text(row), user_id=items.user(row), infer=False)
            _in_turn(turn, ours, theirs, times["our single"])
        rival.ask(Times(), "search", 0)
        for turn, asked in enumerate(course.questions):
            known.question = asked.vector
            theirs = partial(rival.ask, times[f"theirs, {_case(course, turn)}"], "search", turn)
            search = partial(memory.search, asked.text, user_id=asked.user, top_k=TOP)
            _in_turn(turn, search, theirs, times[f"ours, {_case(course, turn)}"])
    ours_told, their_told = (Times(seconds=[sum(times[name].seconds)]) for name in ("our told", "their told"))
    yield _row("`Memory.add` of all, user by user", course, ours_told, their_told, "mem0", items=course.stored)
    yield _row("`Memory.add` of one text", course, times["our single"], times["their single"], "mem0", items=1)
    for case in ("first asked", "asked again"):
        yield _row(f"`Memory.search`, {case}", course, times[f"ours, {case}"], times[f"theirs, {case}"], "mem0")


def _turns(course: Course) -> dict[str, list[dict[str, str]]]:
    """The messages of each user, without those that are added one by one."""
    turns: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in range(course.stored):
        turns[course.items.user(row)].append({"role": "user", "content": course.items.text(row)})
    return turns


def _row(what: str, course: Course, ours: Times, theirs: Times, named: str, *, items: int = 0) -> Row:
    """A line about how much faster memplug is; with what it comes to per second where items are added."""

    def told(times: Times) -> str:
        return f"{times}, {1000 * items / times.median:,.0f}/s" if items else str(times)

    return Row(
        what=what,
        items=course.stored,
        ours=told(ours),
        other=f"{named}: {told(theirs)}",
        ratio=theirs.median / ours.median,
        bound=FASTER,
        at_least=True,
    )
