"""Finds scanned receipts by what stands on them: read by ``memplug-ocr``, offline, and ranked as memplug ranks.

    pip install -e plugins/memplug-ocr
    python tests/benchmarks/receipts.py [--embedder wordllama] [--wrong] [--texts receipts.json]

Each receipt is added as a bare picture: no file name, no word of a user. ``--wrong`` lists what was not read or not
found; ``--texts`` writes what was read for ``recall.py --receipts``, which shows each way of ranking side by side.
Then some of them are added with a few words of a user beside a LoCoMo conversation, and asked for by these.
"""

from __future__ import annotations

# ruff: noqa: T201 - it prints its table
import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import memplug_ocr
from memplug import Memory
from memplug_ocr.workers import shared

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.corpora import data_folder, locomo

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What is told of each receipt, and the questions that are asked for it.
FIELDS = ("total", "date", "company")
QUESTIONS = ("receipt from {company} {date}", "{total} {company}")
_USER = "wang"
#: What users say of a picture, and how they ask for it later.
SAID = (
    ("dinner with my sister at the harbour", "What did the dinner with my sister cost?"),
    ("new chair for the office", "how much was the office chair?"),
    ("birthday present for Tom", "what did I buy Tom for his birthday?"),
    ("parking at the airport before Lisbon", "how expensive was parking at the airport?"),
    ("groceries for the barbecue", "what did the food for the barbecue cost?"),
    ("medicine when I had the flu", "what did I pay for medicine when I was ill?"),
    ("paint for the bedroom wall", "how much did we spend on painting the bedroom?"),
    ("lunch with the new colleagues", "where did we have lunch with the new colleagues?"),
    ("school books for Anna", "what did Anna's school books cost?"),
    ("repair of the kitchen tap", "what did fixing the tap in the kitchen cost?"),
    ("coffee with grandma on Sunday", "when did I have coffee with grandma?"),
    ("toys for the cat", "how much did the toys for our cat cost?"),
    ("printer paper for the tax return", "when did I buy paper for the printer?"),
    ("ice cream for the children", "what did the ice cream for the kids cost?"),
    ("farewell party of my boss", "what did we spend on the farewell party for the boss?"),
    ("lamp that Mei wants to give back", "which lamp does Mei want to return?"),
)


@dataclass(slots=True)
class Result:
    """What was read and found.

    Args:
        ids: Each receipt's memory.
        texts: What was read on each.
        seconds: How long each took to add, the first of them with loading the models.
        peak, kept: Bytes of memory that the process that reads had at most, and at last; 0 where that is not told.
        unread: For each field the receipts on which it was not read.
        missed: For each question the receipts where another came first of which the question is not just as true.
        alike: For each question the receipts where another came first of which it is.
    """

    ids: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    peak: int = 0
    kept: int = 0
    unread: dict[str, list[str]] = field(default_factory=dict)
    missed: dict[str, list[str]] = field(default_factory=dict)
    alike: dict[str, list[str]] = field(default_factory=dict)


def measured(folder: Path, store: str, embedder: str) -> Result:
    """Adds all receipts, and asks for each of them."""
    truth = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
    result = Result()
    with Memory(store, embedder=embedder, plugins=[memplug_ocr]) as memory:
        for name in truth:
            started = time.perf_counter()
            [result.ids[name]] = memory.add((folder / f"{name}.jpg").read_bytes(), user_id=_USER).ids
            result.seconds.append(time.perf_counter() - started)
            result.peak = max(result.peak, _memory("VmHWM"))
            result.texts[name] = memory.get(result.ids[name]).text
        result.kept = _memory("VmRSS")
        for name in FIELDS:
            result.unread[name] = [id_ for id_, keys in truth.items() if not stands(keys[name], result.texts[id_])]
        for question in QUESTIONS:
            asked = {id_: question.format(**keys) for id_, keys in truth.items()}
            first = {id_: _first(memory, words, result.ids) for id_, words in asked.items()}
            others = [id_ for id_ in asked if first[id_] != id_]
            result.alike[question] = [id_ for id_ in others if asked.get(first[id_]) == asked[id_]]
            result.missed[question] = [id_ for id_ in others if id_ not in result.alike[question]]
    return result


def said(folder: Path, store: str, embedder: str) -> list[int]:
    """At which place each receipt comes, counted from 1, that is asked for by what its user said; 0 for none of 100."""
    conversation = [{"role": "user", "name": turn.speaker, "content": turn.text} for turn in locomo(folder)[0].turns]
    files = sorted((folder / "receipts").glob("*.jpg"))[: len(SAID)]
    with Memory(store, embedder=embedder, plugins=[memplug_ocr]) as memory:
        memory.add(conversation, user_id=_USER, run_id="a conversation")
        ids = [
            memory.add(file.read_bytes(), user_id=_USER, description=words).ids[0]
            for file, (words, _) in zip(files, SAID, strict=True)
        ]
        found = [[hit.id for hit in memory.search(question, user_id=_USER, top_k=100)] for _, question in SAID]
    return [hits.index(id_) + 1 if id_ in hits else 0 for id_, hits in zip(ids, found, strict=True)]


def stands(words: str, text: str) -> bool:
    """Whether words stand in a text, whatever its case, white space, punctuation and currency."""
    return _plain(words.removeprefix("RM")) in _plain(text)


def _plain(text: str) -> str:
    # The point stays between digits: 60.30 is not 6030.
    return re.sub(r"[^a-z0-9.]|(?<!\d)\.|\.(?!\d)", "", text.lower())


def _first(memory: Memory, words: str, ids: Mapping[str, str]) -> str:
    """The receipt that comes first for a question; empty where none does."""
    found = [hit.id for hit in memory.search(words, user_id=_USER, top_k=1)]
    return next((name for name, id_ in ids.items() if id_ in found), "")


def _memory(name: str) -> int:
    """A line of what Linux tells of the process that reads, in bytes; 0 elsewhere."""
    found = 0
    for pid in shared(memplug_ocr.Settings.from_environ().workers).pids:
        status = Path(f"/proc/{pid}/status")
        if status.exists() and (told := re.search(rf"^{name}:\s+(\d+) kB", status.read_text(), re.MULTILINE)):
            found += int(told[1]) * 1_024
    return found


def report(result: Result, *, wrong: bool) -> None:
    """Prints the table."""
    number = len(result.ids)
    print(f"{number} receipts, as bare pictures")
    for name, missing in result.unread.items():
        print(f"  {name} read: {number - len(missing)}")
    for question, missing in result.missed.items():
        alike = len(result.alike[question])
        beside = f", of {alike} another with the very same" if alike else ""
        print(f"  first for {question!r}: {number - len(missing)} ({1 - len(missing) / number:.3f}){beside}")
    print(
        f"  seconds per picture: {statistics.median(result.seconds[1:]):.2f} (median), {max(result.seconds[1:]):.2f} "
        f"(longest), {result.seconds[0]:.2f} (the first, with the models)"
    )
    print(
        f"  memory of the process that reads: {result.peak / 1e6:,.0f} MB at most, {result.kept / 1e6:,.0f} MB at last"
    )
    if wrong:
        print(json.dumps({"not read": result.unread, "not first": result.missed, "alike": result.alike}, indent=1))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--wrong", action="store_true", help="also list what was not read or not found")
    parser.add_argument("--texts", type=Path, help="where to write what was read, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as store:
        result = measured(data_folder() / "receipts", store, options.embedder)
    report(result, wrong=options.wrong)
    with tempfile.TemporaryDirectory() as store:
        places = said(data_folder(), store, options.embedder)
    print(f"{len(places)} receipts, asked for by what their user said of them, beside a conversation")
    print(f"  first: {places.count(1)}, among three: {sum(0 < place <= 3 for place in places)}")
    if options.texts:
        options.texts.write_text(json.dumps(result.texts, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
