"""Skills and blobs on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from memplug.cli.app import cli as program
from memplug.cli.files import save_all
from memplug.exceptions import UnsafeInput
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
    assert refused.stderr.startswith("error[input.unsafe]: bad.zip: the ZIP file's '../evil'")
    assert json.loads(run("--json", "add", "--file", "bad.zip").stdout)["error"]["code"] == "input.unsafe"


def test_what_is_in_a_skill(run: Run) -> None:
    """`skill` lists the files, shows one as text, and writes one or all of them byte for byte."""
    files: dict[str, bytes | str] = {
        "SKILL.md": PDF_FORMS,
        "references/fields.md": "# Fields\n\x1b[31mred",
        "assets/logo.bin": bytes(range(256)),
    }
    Path("skill.zip").write_bytes(skill_zip(files, folder="pdf-forms"))
    run("add", "--file", "skill.zip")
    shown = run("skill", "pdf-forms").stdout
    assert [line.split()[-1] for line in shown.splitlines()[-3:]] == [
        "SKILL.md",
        "assets/logo.bin",
        "references/fields.md",
    ]
    found = json.loads(run("--json", "skill", "pdf-forms").stdout)["skill"]
    assert [(one["path"], one["size"]) for one in found["files"]][1] == ("assets/logo.bin", 256)
    assert found["body"].startswith("# PDF forms")
    text = run("skill", "pdf-forms", "references/fields.md").stdout
    assert text.startswith("# Fields\n")
    assert "\x1b" not in text
    assert json.loads(run("--json", "skill", "pdf-forms", "assets/logo.bin").stdout)["file"]["base64"].startswith(
        "AAEC"
    )
    assert run("skill", "pdf-forms", "assets/logo.bin").exit_code == 2
    assert run("skill", "pdf-forms", "assets/logo.bin", "--save", "logo.bin").exit_code == 0
    assert Path("logo.bin").read_bytes() == bytes(range(256))
    assert run("skill", "pdf-forms", "SKILL.md", "--save", "logo.bin").exit_code == 4
    assert run("skill", "pdf-forms", "SKILL.md", "--save", "logo.bin", "--force").exit_code == 0
    assert run("skill", "pdf-forms", "../fields.md").exit_code == 1
    assert run("skill", "forms").exit_code == 1


def test_a_skill_is_saved_whole_and_safely(run: Run) -> None:
    """All files stand in a new folder, none of them can be run, and what is there already is left alone."""
    files = {"SKILL.md": RETURNS, "scripts/go.sh": "#!/bin/sh\nexit 1\n", "references/a/b.md": "deep"}
    Path("skill.zip").write_bytes(skill_zip(files))
    run("add", "--file", "skill.zip")
    command = [sys.executable, "-m", "memplug", "skill", "Customer Return Processing", "--save", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "saved     out" in done.stdout
    saved = {path.relative_to("out").as_posix(): path for path in Path("out").rglob("*") if path.is_file()}
    assert {name: path.read_text(encoding="utf-8") for name, path in saved.items()} == files
    assert not any(path.stat().st_mode & 0o111 for path in saved.values())
    Path("link").symlink_to("elsewhere")
    for taken in ("out", "link"):
        refused = run("skill", "Customer Return Processing", "--save", taken)
        assert (refused.exit_code, "exists already" in refused.stderr) == (4, True)
    assert not Path("elsewhere").exists()
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//b", "a\\b", "C:x", "a/\x00", "", "."])
def test_no_file_is_saved_elsewhere(tmp_path: Path, path: str) -> None:
    """Where an archive's names were not judged before, what writes them would still not leave the folder."""
    with pytest.raises(UnsafeInput):
        save_all([("fine", b"1"), (path, b"2")], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_edition_of_a_skill(run: Run) -> None:
    """`--version` shows what it was."""
    for text in (RELEASE_NOTES, RELEASE_NOTES + "\nmore\n"):
        Path("SKILL.md").write_text(text, encoding="utf-8")
        run("add", "--file", "SKILL.md")
    assert json.loads(run("--json", "skill", "release-notes").stdout)["skill"]["body"].endswith("more\n")
    first = json.loads(run("--json", "skill", "release-notes", "--version", "1").stdout)["skill"]
    assert (first["version"], first["body"].endswith("more\n")) == (1, False)


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
