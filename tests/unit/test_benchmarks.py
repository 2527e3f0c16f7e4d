"""The benchmark of the store still runs, and says what it promises to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.store import main
from benchmarks.store_data import ASKED_ITEMS, HEAVY, asked_users, corpus, vocabulary
from benchmarks.store_timing import Row
from memplug.lexical.analyzer import analyze

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "store.py"


def test_one_command_prints_every_figure_of_the_store(tmp_path: Path) -> None:
    """One table with the machine named, with a line for each kind of figure, and the exact ones exact."""
    command = [sys.executable, str(PROGRAM), "--sizes", "500", "--work", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    machine, _, *table = done.stdout.splitlines()
    assert "cores" in machine
    assert "lancedb" in machine
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line.startswith("| ")]
    assert {len(line) for line in lines} == {7}
    told = "\n".join(line[0] for line in lines)
    for what in ("search, user of 100 items", "`Memory.search`", "batch of", "single add (backend)", "p99 of a single"):
        assert what in told
    for what in ("search, first asked", "disk", "recall@10"):
        assert what in told
    assert [line[-1] for line in lines if line[0].startswith("recall@10")] == ["yes"]
    assert not list(tmp_path.glob("scratch-*"))


def test_made_up_words_are_terms_already() -> None:
    """What the benchmark stores as terms is what `Memory.search` makes of a question."""
    words = vocabulary()[::50]
    assert analyze(" ".join(words)) == words


def test_some_users_have_as_much_in_stores_of_any_size(tmp_path: Path) -> None:
    """So that a search in a large store can be compared with the same in a small one."""
    for size in (2_000, 5_000):
        items = corpus(tmp_path, size)
        assert {len(items.of(user)) for user in asked_users(2_000)} == {ASKED_ITEMS}
        assert len(items.of(HEAVY)) == size // 20


def test_an_unknown_section_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is measured in vain by a slip of the pen."""
    with pytest.raises(SystemExit, match="2"):
        main(["--only", "serach", "--work", str(tmp_path)])
    assert "no such section: serach" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ratio", "bound", "at_least", "met"),
    [(1.3, 1.3, False, "yes"), (1.31, 1.3, False, "**no**"), (5.0, 5.0, True, "yes"), (4.9, 5.0, True, "**no**")],
)
def test_a_line_says_whether_its_bound_is_kept(ratio: float, bound: float, at_least: bool, met: str) -> None:
    """Slower by at most, or faster by at least."""
    row = Row(what="search", items=10, ours="1 ms", other="2 ms", ratio=ratio, bound=bound, at_least=at_least)
    assert row.line().endswith(f" {met} |")
