"""`memplug worker`: what was left to do, from the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support import png

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Install

EYES = """
from memplug import hookimpl

class Eyes:
    name = "eyes"
    def accepts(self, media):
        return True
    def describe(self, media, *, context):
        return "a red square"

@hookimpl
def register_describers(register):
    register("eyes", Eyes)
"""


def test_the_worker_goes_on_with_what_was_left(tmp_path: Path, install: Install) -> None:
    """A picture that another process left pending has its words afterwards."""
    from click.testing import CliRunner

    from memplug import Memory
    from memplug.cli.app import cli

    install("eyes", EYES)
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        memory.engine.worker.close()
        [id_] = memory.add(png(), user_id="u", wait=False).ids
    runner = CliRunner()
    outcome = runner.invoke(cli, ["--store", str(tmp_path / "store"), "--json", "worker", "--once"])
    assert (outcome.exit_code, json.loads(outcome.stdout)) == (0, {"ok": True, "due_in": None})
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        assert memory.get(id_).text == "a red square"
