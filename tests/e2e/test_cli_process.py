"""The command line as a process: pipes, signals, terminals, plugins that are really installed, and the demo."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FAST = {"MEMPLUG_EMBEDDER": "hashing:64"}
_START = [sys.executable, "-m", "memplug"]
_GREETER = """
    import click
    from memplug import hookimpl

    @hookimpl
    def register_commands(cli):
        @cli.command("greet")
        @click.argument("name")
        @click.pass_obj
        def greet(invocation, name):
            "Greet somebody."
            with invocation.open() as memory:
                memory.add(f"I greeted {name}", user_id="greeter")
                known = [item.text for item in memory.get_all(user_id="greeter")]
            invocation.answer({"greetings": known}, lambda screen: screen.line("hello ", name))
"""
_THIEF = """
    from memplug import hookimpl

    @hookimpl
    def register_commands(cli):
        @cli.command("search")
        def search():
            "Steal the questions."
        @cli.command("left-over")
        def left_over():
            "Must not stay."
"""
_IMPORTS = """
    import sys
    from memplug.cli import main
    try:
        main()
    finally:
        print(sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
#: What takes long to load, and what `--help` has no use for.
_HEAVY = {"lancedb", "pyarrow", "numpy", "PIL", "pydantic", "httpx", "wordllama", "rich"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program with an environment of its own.

    Args:
        folder: Where it runs.
    """

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of ours, the store in the folder, and the plugins that are installed in ``site`` only."""
        foreign = {"COLUMNS", "NO_COLOR", "FORCE_COLOR", "LINES", "TERM"}
        kept = {name: value for name, value in os.environ.items() if name not in foreign and name[:8] != "MEMPLUG_"}
        path = os.pathsep.join(filter(None, (str(self.folder / "site"), os.environ.get("PYTHONPATH"))))
        return kept | {"MEMPLUG_STORE": str(self.folder / "store"), "PYTHONPATH": path}

    def start(self, *args: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Starts it; the caller waits."""
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        options["env"] = self.environment | options.pop("environ", FAST)
        process: Any = subprocess.Popen([*_START, *map(str, args)], cwd=self.folder, **options)
        started: subprocess.Popen[bytes] = process
        return started

    def run(self, *args: str | Path, stdin: bytes = b"", **environ: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        with self.start(*args, environ=FAST | environ) as process:
            out, err = process.communicate(stdin, timeout=120)
        return process.returncode, out.decode(), err.decode()

    def install(self, name: str, code: str) -> None:
        """Installs a plugin the way pip leaves one."""
        info = self.folder / "site" / f"memplug_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info.parent / f"memplug_{name}.py").write_text(textwrap.dedent(code))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: memplug-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[memplug]\n{name} = memplug_{name}\n")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program in an empty folder."""
    return Program(folder=tmp_path)


def test_a_store_lives_from_process_to_process(program: Program) -> None:
    """What one process adds, the next one finds; a terminal that knows no Chinese gets escapes, not a crash."""
    code, out, err = program.run("add", "-", "--user", "王", "--json", stdin="我喜欢吃辣".encode())
    assert (code, err) == (0, "")
    assert json.loads(out)["outcomes"][0]["text"] == "我喜欢吃辣"
    code, out, err = program.run("search", "辣", "--user", "王", "--json", PYTHONIOENCODING="ascii")
    assert json.loads(out)["hits"][0]["text"] == "我喜欢吃辣"
    assert out.isascii()
    code, out, err = program.run("search", "辣", "--user", "王", PYTHONIOENCODING="ascii")
    assert (code, err) == (0, "")
    assert "\\u6211\\u559c\\u6b22\\u5403\\u8fa3" in out


def test_help_version_and_plugins_load_nothing_heavy(program: Program) -> None:
    """The help page appears before anybody waits, and no store is opened for it."""
    code = textwrap.dedent(_IMPORTS)
    for args in (["--help"], ["--version"], ["search", "--help"], ["plugins", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *args], env=program.environment, capture_output=True, check=True, timeout=60
        )
        loaded = {name.strip("' []\n") for name in done.stderr.decode().split(",")}
        assert "click" in loaded
        assert not loaded & _HEAVY, args
    assert not (program.folder / "store").exists()


def test_a_plugin_adds_a_command(program: Program) -> None:
    """It stands on the help page, takes the global options, and works on the store."""
    program.install("greeter", _GREETER)
    code, out, err = program.run("--help")
    assert (code, err) == (0, "")
    assert "From plugins:\n  greet  Greet somebody." in out
    code, out, err = program.run("greet", "Li", "--json")
    assert (code, json.loads(out), err) == (0, {"ok": True, "greetings": ["I greeted Li"]}, "")


def test_broken_plugins_break_nothing(program: Program) -> None:
    """One that cannot be imported and one that steals a command are told, and everything else works as before."""
    program.install("broken", "import a_module_that_is_not_there")
    program.install("quitter", "raise SystemExit('bye')")
    program.install("thief", _THIEF)
    code, out, err = program.run("--help")
    assert code == 0
    assert err.count("\n") == 3
    assert all(line.startswith("warning: plugin ") for line in err.splitlines())
    assert "Steal the questions" not in out
    assert "left-over" not in out
    assert program.run("--help", "--quiet")[0] == 0
    code, out, _ = program.run("plugins", "--json")
    states = {row["name"]: row["state"] for row in json.loads(out)["plugins"]}
    assert code == 0
    assert states | dict.fromkeys(("broken", "quitter", "thief"), "failed") == states
    assert states["memplug.inputs"] == "ok"
    reason = next(line for line in program.run("plugins")[1].splitlines() if "a_module_that_is_not_there" in line)
    assert "ModuleNotFoundError" in reason
    assert program.run("plugins", MEMPLUG_STRICT_PLUGINS="1")[0] == 5


def test_an_interrupt_is_130_and_quiet(program: Program) -> None:
    """Ctrl-C ends a waiting command without a traceback."""
    with program.start("delete", "--all", "--user", "me") as process:
        assert process.stderr is not None
        assert b"[y/N]" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize("args", [("plugins", "--json"), ("plugins",), ("--help",)])
def test_a_closed_pipe_is_quiet(program: Program, args: tuple[str, ...]) -> None:
    """`memplug … | head -1` leaves no complaint behind."""
    with program.start(*args) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) != 0


def test_a_full_disk_for_the_answer_is_an_error(program: Program) -> None:
    """An answer that cannot be written is told in one line."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full, program.start("plugins", stdout=full) as process:
        _, told = process.communicate(timeout=30)
    assert process.returncode == 5
    assert told.startswith(b"error[cli.file]: ")
    assert told.count(b"\n") == 1


def test_long_work_shows_a_bar_on_a_terminal_only(program: Program) -> None:
    """Progress goes to a terminal on stderr; stdout stays one document, and a log file gets no bar."""
    lines = program.folder / "talk.jsonl"
    lines.write_text("".join(f'{{"content": "note {number}", "user_id": "me"}}\n' for number in range(600)))
    shown, answer, code = _on_terminal(program, "import", lines, "--json")
    assert (code, json.loads(answer)["added"]) == (0, 600)
    assert "importing" in shown or "adding" in shown
    code, out, err = program.run("import", lines, "--json")
    assert (code, json.loads(out)["unchanged"], err) == (0, 600, "")


def _on_terminal(program: Program, *args: str | Path) -> tuple[str, bytes, int]:
    """What a terminal on stderr is shown, stdout, and the exit code."""
    ours, theirs = pty.openpty()
    environ = {**FAST, "TERM": "xterm", "COLUMNS": "100"}
    with program.start(*args, stderr=theirs, environ=environ) as process:
        os.close(theirs)
        shown, deadline = b"", time.monotonic() + 60
        while time.monotonic() < deadline:
            ready, _, _ = select.select([ours], [], [], 0.2)
            try:
                read = os.read(ours, 65536) if ready else b""
            except OSError:
                break
            shown += read
            if not ready and process.poll() is not None:
                break
        out, _ = process.communicate(timeout=30)
    os.close(ours)
    return shown.decode(), out, process.returncode


def test_the_demo_finds_what_it_says(program: Program, tmp_path: Path) -> None:
    """Offline, with the default embedder: each question's right memory comes first, and another user finds nothing."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    code, out, err = program.run("demo", "--json", MEMPLUG_EMBEDDER="", TMPDIR=str(temporary))
    assert (code, err) == (0, "")
    story = json.loads(out)
    assert [outcome["event"] for outcome in story["added"]] == ["added"] * 9
    first = [question["hits"][0] for question in story["questions"]]
    assert [hit["kind"] for hit in first] == ["image", "text", "text", "text"]
    for hit, word in zip(first, ("receipt", "knee", "花生", "11:15"), strict=True):
        assert word in hit["text"]
        assert sum(hit["shares"].values()) == pytest.approx(hit["score"], abs=1e-6)
    assert [item["version"] for item in story["corrected"]] == [1, 2]
    assert story["another_user"]["found"] == 0
    assert story["store"] is None
    assert list(temporary.iterdir()) == []
    assert not (program.folder / "store").exists()
