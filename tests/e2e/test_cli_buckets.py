"""`memplug buckets`: shared buckets from the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from memplug import Memory
from memplug.cli.app import cli as program
from memplug.exceptions import AccessDenied

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., Result]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and a store of its own."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MEMPLUG_")]:
        monkeypatch.delenv(name)
    settings = {"STORE": str(tmp_path / "store"), "EMBEDDER": "hashing:64", "DISABLE_PLUGINS": "all"}
    for name, value in settings.items():
        monkeypatch.setenv(f"MEMPLUG_{name}", value)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def run(environment: None) -> Run:  # noqa: ARG001 - for what it sets
    """Runs the program in this process."""
    return lambda *args, **more: CliRunner().invoke(program, [str(arg) for arg in args], **more)


def _process(*args: str) -> tuple[int, dict[str, Any]]:
    """Runs the program as a process of its own; its exit code and its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "memplug", *args, "--json"], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


def test_a_bucket_from_its_beginning_to_its_end(run: Run, tmp_path: Path) -> None:
    """Processes make, share and delete it, and what each role may is what `Memory` lets users do."""
    code, made = _process("buckets", "create", "team", "-u", "olga", "--title", "The team", "--description", "for all")
    assert (code, made["bucket"]["title"], made["bucket"]["roles"]) == (0, "The team", {"olga": "owner"})
    assert _process("buckets", "share", "team", "wang", "viewer", "-u", "olga")[0] == 0
    with Memory(tmp_path / "store") as memory:
        memory.add("The door code is 4711.", user_id="olga", bucket="team")
        assert memory.search("door code", user_id="wang", buckets=["team"])[0].text == "The door code is 4711."
        with pytest.raises(AccessDenied):
            memory.add("The door code is 0815.", user_id="wang", bucket="team")
    left = json.loads(run("--json", "buckets", "unshare", "team", "wang", "-u", "wang").stdout)
    assert left["bucket"]["roles"] == {"olga": "owner"}
    assert _process("buckets", "delete", "team", "-u", "olga", "--yes", "--erase") == (0, {"ok": True, "erased": 1})
    assert json.loads(run("--json", "buckets", "list", "-u", "olga").stdout) == {"ok": True, "buckets": []}


def test_lists_are_for_people_and_programs(run: Run) -> None:
    """A table with one's role, its owner and how many people; the same as JSON, with everybody's role."""
    run("buckets", "create", "team", "-u", "olga", "--title", "The [bold]team[/]\x1b[31m")
    run("buckets", "share", "team", "wang", "contributor", "-u", "olga")
    shown = run("buckets", "list", "-u", "wang").stdout
    assert shown.splitlines()[0].split() == ["bucket", "title", "role", "owner", "people", "since"]
    assert "team    The [bold]team[/]" in shown
    assert "\x1b" not in shown
    assert shown.splitlines()[1].split()[-5:-2] == ["contributor", "olga", "2"]
    [bucket] = json.loads(run("--json", "buckets", "list", "-u", "wang").stdout)["buckets"]
    assert set(bucket) == {"id", "owner", "title", "description", "roles", "created_at"}
    assert bucket["roles"] == {"olga": "owner", "wang": "contributor"}
    shared = run("buckets", "share", "team", "eve", "viewer", "-u", "olga").stdout.splitlines()
    assert shared[-1] == "people    eve (viewer), olga (owner), wang (contributor)"


def test_who_acts_must_be_named(run: Run) -> None:
    """By --user or in the environment; without, it is a usage error, and nobody is everybody."""
    assert run("buckets", "create", "team").exit_code == 2
    assert run("buckets", "create", "team", env={"MEMPLUG_USER": "olga"}).exit_code == 0
    assert run("buckets", "list").exit_code == 2


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("share", "team", "eve", "viewer", "-u", "wang"), 4, "scope.denied"),
        (("share", "team", "eve", "viewer", "-u", "mallory"), 1, "item.not_found"),
        (("share", "other", "eve", "viewer", "-u", "olga"), 1, "item.not_found"),
        (("unshare", "team", "olga", "-u", "olga"), 3, "input.malformed"),
        (("create", "team", "-u", "eve"), 4, "scope.invalid"),
        (("delete", "team", "-u", "wang", "--yes"), 4, "scope.denied"),
        (("share", "team", "eve", "owner", "-u", "olga"), 2, None),
        (("delete", "team", "-u", "olga"), 2, None),
    ],
)
def test_what_is_refused(run: Run, words: tuple[str, ...], code: int, error: str | None) -> None:
    """Each refusal has the code of its error, as everywhere, and changes nothing."""
    run("buckets", "create", "team", "-u", "olga")
    run("buckets", "share", "team", "wang", "viewer", "-u", "olga")
    done = run("--json", "buckets", *words)
    assert done.exit_code == code
    if error is not None:
        assert json.loads(done.stdout)["error"]["code"] == error
    [bucket] = json.loads(run("--json", "buckets", "list", "-u", "olga").stdout)["buckets"]
    assert bucket["roles"] == {"olga": "owner", "wang": "viewer"}


@pytest.mark.parametrize(("said", "code", "left"), [("n\n", 1, 1), ("", 2, 1), ("y\n", 0, 0)])
def test_deleting_asks_first(run: Run, said: str, code: int, left: int) -> None:
    """Only a yes deletes; nobody there to answer is no yes."""
    run("buckets", "create", "team", "-u", "olga")
    assert run("buckets", "delete", "team", "-u", "olga", input=said).exit_code == code
    assert len(json.loads(run("--json", "buckets", "list", "-u", "olga").stdout)["buckets"]) == left


def test_others_memories_are_only_adopted_when_asked_for(run: Run) -> None:
    """A name under which others have memories is refused, unless --adopt says that they are meant."""
    run("add", "an old note", "-u", "wang", "--bucket", "team")
    assert run("buckets", "create", "team", "-u", "olga").exit_code == 4
    assert run("buckets", "create", "team", "-u", "olga", "--adopt").exit_code == 0
    assert "an old note" in run("search", "note", "-u", "olga", "--bucket", "team").stdout
    assert "an old note" not in run("search", "note", "-u", "wang", "--bucket", "team").stdout
