"""Skills and blobs on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from memplug.cli.app import cli as program
from skills import PDF_FORMS, RELEASE_NOTES, RETURNS, manifest, skill_zip

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the program in an empty folder on a store of its own."""
    monkeypatch.chdir(tmp_path)
    settings = {"STORE": str(tmp_path / "store"), "EMBEDDER": "hashing:64", "USER": "wang", "DISABLE_PLUGINS": "all"}
    for name, value in settings.items():
        monkeypatch.setenv(f"MEMPLUG_{name}", value)
    return lambda *args: CliRunner().invoke(program, [str(arg) for arg in args])


def only(run: Run) -> dict[str, Any]:
    """The only memory there is."""
    [found] = json.loads(run("--json", "list").stdout)["memories"]
    return dict(found)


def test_a_skill_is_added_shown_and_saved(run: Run) -> None:
    """`add` takes the ZIP, `search` shows name and description, `get` the files, `--save` the ZIP byte for byte."""
    data = skill_zip({"SKILL.md": PDF_FORMS, **{f"references/{n:02}.md": "x" for n in range(12)}}, folder="forms")
    Path("skill.zip").write_bytes(data)
    added = run("add", "--file", "skill.zip")
    assert (added.exit_code, added.stdout.split()[2:4]) == (0, ["skill", "pdf-forms:"])
    assert "pdf-forms: Fill in PDF forms" in run("search", "fill in a form").stdout
    id_ = only(run)["id"]
    shown = run("get", id_, "--save", "copy.zip").stdout.splitlines()
    lines = dict(line.split(None, 1) for line in shown if len(line.split(None, 1)) > 1)
    assert lines["license"] == "Apache-2.0"
    assert lines["files"].startswith("13 (")
    assert lines["files"].endswith("SKILL.md, " + ", ".join(f"references/{n:02}.md" for n in range(7)) + ", and 5 more")
    assert lines["warning"] == "the name is not that of its folder, 'forms'"
    assert "metadata" not in lines
    assert Path("copy.zip").read_bytes() == data


def test_a_folder_and_a_file_of_another_name(run: Run) -> None:
    """A folder is a skill where it holds a SKILL.md; a Markdown file where its kind says so."""
    Path("notes").mkdir()
    Path("notes/SKILL.md").write_text(RELEASE_NOTES, encoding="utf-8")
    Path("return_process.md").write_text(RETURNS, encoding="utf-8")
    assert "release-notes" in run("add", "--file", "notes").stdout
    assert "Customer Return Processing" in run("add", "--file", "return_process.md", "--kind", "skill").stdout
    assert run("add", "--file", "notes").stdout.startswith("unchanged")


def test_a_hostile_skill_is_one_line(run: Run) -> None:
    """The error says what is wrong with which file; with ``--json`` under its code."""
    Path("bad.zip").write_bytes(skill_zip({"SKILL.md": manifest(), "../evil": "x"}))
    refused = run("add", "--file", "bad.zip")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr.startswith("error[input.unsafe]: the ZIP file's '../evil'")
    assert json.loads(run("--json", "add", "--file", "bad.zip").stdout)["error"]["code"] == "input.unsafe"


def test_metadata_that_only_looks_like_a_skills_is_shown(run: Run) -> None:
    """The caller's own metadata in that place is shown as it is."""
    Path("SKILL.md").write_text(manifest(), encoding="utf-8")
    run("add", "--file", "SKILL.md", "--metadata", '{"skill": {"file_count": "x", "files": 7}}')
    assert '{"skill": {"file_count": "x", "files": 7}}' in run("get", only(run)["id"]).stdout


def test_a_blob_is_added_and_saved(run: Run) -> None:
    """Bytes that nobody reads need a key, which the error says; then they come back byte for byte."""
    Path("x.bin").write_bytes(bytes(range(256)))
    refused = run("add", "--file", "x.bin")
    assert refused.exit_code == 3
    assert refused.stderr.startswith("error[input.unsupported]: no input type takes x.bin (with a key, or")
    assert run("add", "--file", "x.bin", "--key", "data/x").exit_code == 0
    shown = run("get", "--key", "data/x", "--save", "copy.bin").stdout
    assert "original  x.bin, application/octet-stream, 256 bytes" in shown
    assert Path("copy.bin").read_bytes() == bytes(range(256))
