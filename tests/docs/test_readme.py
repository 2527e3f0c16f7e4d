"""The README tells the truth: its programs run and print what it says, and what it lists exists."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import types
from itertools import pairwise
from pathlib import Path

import pytest

from memplug import Memory
from memplug.plugins import hookspecs
from support import png

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
#: Python programs with the output that stands right behind them.
PROGRAMS = [
    (code, printed)
    for (language, code), (following, printed) in pairwise(BLOCKS)
    if (language, following) == ("python", "text")
]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_programs_print_what_is_said(number: int, tmp_path: Path) -> None:
    """Each program runs as it stands, offline, and prints exactly the text below it."""
    program, printed = PROGRAMS[number]
    (tmp_path / "receipt.png").write_bytes(png())
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    environment = os.environ | {
        "PYTHONIOENCODING": "utf-8",
        "PYTHONWARNINGS": "error",
        "https_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed


def test_there_are_programs() -> None:
    """The README has at least two programs with output; the first is no longer than twelve lines."""
    assert len(PROGRAMS) >= 2
    assert len(PROGRAMS[0][0].splitlines()) <= 12


def test_exactly_two_commands() -> None:
    """Exactly two commands do all the set-up, and CI runs the second to the letter."""
    commands = [code.strip() for language, code in BLOCKS if language == "bash"]
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_plugin_in_ten_lines_works() -> None:
    """The plugin in the README is a plugin, and its ranker takes part in a search."""
    [code] = [code for _, code in BLOCKS if code.startswith("# memplug_recent.py")]
    module = types.ModuleType("memplug_recent")
    exec(code, vars(module))  # noqa: S102 - the README's own code is what is tested
    with Memory("memory://", plugins=[module], embedder="hashing:64") as memory:
        memory.add("tea", user_id="u")
        [hit] = memory.search("tea", user_id="u", explain=True)
        assert hit.shares["recent"] > 0
    assert len([line for line in code.splitlines()[1:] if line.strip()]) <= 10


def test_every_hook_is_listed() -> None:
    """Every hook stands in the README with its arguments, and no other does."""
    table = set(re.findall(r"`((?:register|before|after|on)_\w+\([^)]*\))`", README))
    specs = {
        f"{name}({', '.join(inspect.signature(spec).parameters)})"
        for name, spec in vars(hookspecs).items()
        if hasattr(spec, "memplug_spec")
    }
    assert table == specs


def test_every_setting_is_listed() -> None:
    """Every argument of `Memory` stands in the README."""
    settings = README.partition("## Settings")[2].partition("## ")[0]
    for name in list(inspect.signature(Memory).parameters):
        assert f"`{name}`" in settings


def test_every_error_is_listed() -> None:
    """Every error stands in the README with its code, and no other does."""
    from memplug import exceptions

    section = README.partition("## Errors")[2].partition("\n## ")[0]
    table = dict(re.findall(r"^\| `([a-z_.]+)` \| `(\w+)` \|", section, re.MULTILINE))
    real = {getattr(exceptions, name).code: name for name in exceptions.__all__ if name != "MemplugError"}
    assert table == real


def test_every_command_is_real() -> None:
    """Commands that the README names exist."""
    from memplug.cli.app import cli

    for name in set(re.findall(r"`memplug (\w+)", README)):
        assert name in cli.commands
