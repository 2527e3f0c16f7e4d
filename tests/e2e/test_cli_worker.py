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


def test_the_worker_takes_up_what_has_failed(tmp_path: Path) -> None:
    """Only when it is asked to: a model refused the key, and now it is right."""
    from click.testing import CliRunner

    from memplug import Memory
    from memplug.cli.app import cli
    from memplug.testing.endpoint import ModelServer

    with ModelServer(api_key="right") as server:
        server.on("", {"memories": [{"action": "add", "text": "The user likes tea.", "turns": ["t1"]}]})
        wrong = server.model(api_key="wrong")
        with Memory(tmp_path / "store", embedder="hashing:64", model=wrong) as memory:
            [id_] = memory.add("I like tea.", user_id="u").ids
            assert memory.get(id_).status == "failed"
        assert server.requests
        environment = {"MEMPLUG_MODEL": "openai:test", "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "right"}
        for more, kinds in (([], ["text"]), (["--again"], ["fact", "text"])):
            worker = ["--store", str(tmp_path / "store"), "--json", "worker", "--once", *more]
            assert CliRunner(env=environment).invoke(cli, worker).exit_code == 0
            with Memory(tmp_path / "store", embedder="hashing:64", model="none") as memory:
                assert [item.kind for item in memory.get_all(user_id="u")] == kinds
                assert memory.get(id_).status == ("ready" if more else "failed")
