"""How many of a document's words memplug's readers find, how fast, and in how much memory; beside markitdown.

    python tests/benchmarks/documents.py [--rivals] [--files FOLDER] [--runs 7] [--work FOLDER]

The documents are made up, so their words are known. ``--files`` reads a folder as well, such as the test files of
markitdown (``packages/markitdown/tests/test_files``): there, the words are those of ``expected_outputs/<name>.md``, or
where there is none, those that any reader found. ``--rivals`` installs markitdown into an environment of its own. Both
read in turns, each in a process that is warm; "first" is the first document of a new process.
"""

# ruff: noqa: T201 - it prints its table
from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.documents_data import MAKERS, Words
from memplug.exceptions import InputRejected, UnsupportedInput
from memplug.inputs.documents.formats import find_format
from memplug.inputs.documents.reading import Reading
from memplug.safety.worker import Pool
from memplug.values.limits import Limits

PINS = ("markitdown[docx,pdf,pptx,xlsx]==0.1.8",)
LIMITS = Limits()
_WORD = re.compile(r"[^\W_]+")


@dataclass(slots=True)
class Result:
    """What a reader made of a document.

    Args:
        words: Those that it found.
        first: Seconds in a new process, with its start.
        seconds: Those of each run in a warm one.
        peak: Megabytes of the process at most.
        error: What it raised instead.
    """

    words: set[str] = field(default_factory=set)
    first: float = 0.0
    seconds: list[float] = field(default_factory=list)
    peak: float = 0.0
    error: str = ""

    def cells(self, wanted: set[str]) -> str:
        """Recall and times, as cells of a table."""
        if self.error:
            return f"{self.error} | | | "
        recall = len(wanted & self.words) / len(wanted) if wanted else 1.0
        warm = f"{statistics.median(self.seconds) * 1_000:,.1f} ms" if self.seconds else ""
        return f"{recall:.4f} | {self.first * 1_000:,.0f} ms | {warm} | {self.peak:,.0f} MB"


def words_of(text: str) -> set[str]:
    """The words of a text, without their case."""
    return {word.lower() for word in _WORD.findall(text)}


def peak_of(pid: int | None) -> float:
    """Megabytes that a process had at most; nothing where the system does not tell."""
    try:
        told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except FileNotFoundError:
        return 0.0
    return int(told[1]) / 1_000 if told else 0.0


class Ours:
    """memplug's readers, in their process."""

    def __init__(self) -> None:
        self._pool = Pool()

    def restart(self) -> None:
        """Makes the next document the first one."""
        self._pool.close()

    def read(self, path: Path, result: Result) -> float:
        """Reads a document, and gives how long that took, with all that is done in this process."""
        data = path.read_bytes()
        started = time.perf_counter()
        try:
            found = find_format(data, name=path.name).format
            answer = self._pool.run(found.reader, data, limits=LIMITS, options=found.options)
            reading = Reading.of_json(answer)
        except InputRejected as error:
            result.error = type(error).__name__
            return 0.0
        seconds = time.perf_counter() - started
        told = (text for block in reading.blocks for text in (block.text, block.section))
        result.words = words_of(" ".join([reading.title, *told]))
        result.peak = peak_of(self._pool.pid)
        return seconds


class Theirs:
    """markitdown, in its process.

    Args:
        python: That of its environment.
    """

    def __init__(self, python: Path) -> None:
        self._command = [str(python), str(Path(__file__).with_name("documents_rival.py"))]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.restart()

    def restart(self) -> None:
        """Makes the next document the first one."""
        if self._process is not None:
            self._process.communicate()
        self._process = None

    def read(self, path: Path, result: Result) -> float:
        """Reads a document, and gives how long that took there; with the start, where there was one."""
        started = time.perf_counter()
        fresh = self._process is None
        if self._process is None:
            pipe, none = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=none, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(str(path)) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        result.words, result.error = words_of(answer["text"]), answer["error"]
        result.peak = peak_of(self._process.pid)
        return time.perf_counter() - started if fresh else float(answer["seconds"])


def measured(readers: Sequence[Ours | Theirs], path: Path, runs: int) -> list[Result]:
    """What each reader makes of a document, in turns."""
    results = [Result() for _ in readers]
    for reader, result in zip(readers, results, strict=True):
        reader.restart()
        result.first = reader.read(path, result)
    for turn in range(runs):
        pairs = [*zip(readers, results, strict=True)]
        for reader, result in pairs[turn % len(pairs) :] + pairs[: turn % len(pairs)]:
            result.seconds.append(reader.read(path, result))
    return results


def environment(work: Path) -> Path:
    """The Python of an environment with markitdown, which is made once."""
    folder = work / f"rivals-{hashlib.sha256(' '.join(PINS).encode()).hexdigest()[:8]}"
    if not folder.exists():
        unfinished = work / f"unfinished-{os.getpid()}"
        subprocess.run([sys.executable, "-m", "venv", str(unfinished)], check=True)
        pip = [str(unfinished / "bin" / "python"), "-m", "pip", "install", "-q", *PINS]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        unfinished.rename(folder)
    return folder / "bin" / "python"


def made(folder: Path) -> dict[Path, set[str]]:
    """Documents that are made up, each with its words."""
    found = {}
    for seed, (name, make) in enumerate(MAKERS.items()):
        words = Words(seed)
        path = folder / f"made.{name}"
        path.write_bytes(make(words))
        found[path] = set(words.written)
    return found


def given(folder: Path) -> dict[Path, set[str] | None]:
    """The documents of a folder, each with its words where they are known."""
    found: dict[Path, set[str] | None] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file():
            continue
        try:
            find_format(path.read_bytes(), name=path.name)
        except UnsupportedInput:
            continue
        told = folder / "expected_outputs" / f"{path.stem}.md"
        known = told.exists() and path.suffix == ".pdf"
        found[path] = words_of(told.read_text(encoding="utf-8")) if known else None
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", action="store_true", help="also measure markitdown")
    parser.add_argument("--files", type=Path, help="a folder of further documents")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "memplug-benchmark")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    readers: list[Ours | Theirs] = [Ours()]
    if options.rivals:
        readers.append(Theirs(environment(options.work)))
    titles = " | ".join(f"{name}: recall | first | warm | peak" for name in ("memplug", "markitdown")[: len(readers)])
    print(f"| document | bytes | words | {titles} |\n|{'---|' * (3 + 4 * len(readers))}")
    with tempfile.TemporaryDirectory() as folder:
        for path, known in (made(Path(folder)) | (given(options.files) if options.files else {})).items():
            results = measured(readers, path, options.runs)
            wanted = set().union(*(result.words for result in results)) if known is None else known
            cells = " | ".join(result.cells(wanted) for result in results)
            print(f"| {path.name} | {path.stat().st_size:,} | {len(wanted):,} | {cells} |", flush=True)
        for reader in readers:
            reader.restart()
    print(f"\n{os.cpu_count()} cores; load at the end: {', '.join(f'{value:.1f}' for value in os.getloadavg())}")


if __name__ == "__main__":
    main()
