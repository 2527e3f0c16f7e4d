"""The benchmark of documents still runs, and memplug's readers find every word that was written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.documents_data import MAKERS
from pdfs import pdf

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "documents.py"


def test_every_word_of_every_format_is_found(tmp_path: Path) -> None:
    """One line for each format that can be made up, and for each document of a folder that is given."""
    (tmp_path / "given.pdf").write_bytes(pdf([(72, 700, 12, "one more")]))
    (tmp_path / "given.bin").write_bytes(bytes(range(256)))
    command = [sys.executable, str(PROGRAM), "--runs", "1", "--work", str(tmp_path / "work"), "--files", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.split("|")[1:]] for line in done.stdout.splitlines() if "ms" in line]
    assert [line[0] for line in lines] == [*(f"made.{name}" for name in MAKERS), "given.pdf"]
    assert {line[3] for line in lines} == {"1.0000"}
    assert all(int(line[2].replace(",", "")) > 1_000 for line in lines[:-1])
