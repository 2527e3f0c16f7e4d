"""The programs under `examples/` run as they stand, offline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_six_inputs(tmp_path: Path) -> None:
    """One request with every kind of input: an outcome for each part, the broken one alone rejected, all found."""
    program = [sys.executable, str(EXAMPLES / "six_inputs.py"), str(tmp_path / "store")]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = done.stdout.splitlines()
    told = [line.split()[:3] for line in lines[:9]]
    assert told == [
        ["0", "added", "text"],
        ["1", "added", "image"],
        ["2", "added", "document"],
        ["3", "added", "tool_call"],
        ["4", "added", "tool_call"],
        ["5", "added", "skill"],
        ["6", "rejected", "-"],
        ["7", "updated", "document"],
        ["0", "added", "blob"],
    ]
    assert sum("is 600 yuan.  [handbook.md, § Returns" in line for line in lines) == 2
    assert done.stdout.count("800") == 0
    assert lines[-1] == "Dear customer, your refund is on its way."
    assert done.stderr == ""
