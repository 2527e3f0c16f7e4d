"""The tests that LangGraph's SQLite store brings along, run against `MemplugStore`.

    pytest -m slow tests/unit/test_langgraph_sdist.py

They are downloaded with pip each time and kept nowhere. Of the 67 tests in ``tests/test_store.py`` 62 are about any
store: 40 of them without vectors, 21 with, and one about dotted paths in filters. The other five are about SQLite: its
migrations, its patterns and plans, and that it refuses a filter's key which could break its SQL.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("langgraph.store.base")

PACKAGE, VERSION = "langgraph-checkpoint-sqlite", "3.1.2"
ABOUT_SQLITE = (
    "test_sql_injection_vulnerability",
    "test_nonnull_migrations",
    "test_escape_glob_literal",
    "test_namespace_match_pattern",
    "test_list_namespaces_prefix_uses_indexable_condition",
)
#: Stands for the SQLite store: in memory where that would be, else in a folder.
STAND_IN = """
from memplug.langchain.store import MemplugStore


class SqliteStore:
    @staticmethod
    @contextmanager
    def from_conn_string(conn, *, index=None):
        fields = (index or {}).get("text_fields")
        config = {**index, "fields": fields} if index else None
        with tempfile.TemporaryDirectory() as folder:
            location = "memory://" if conn == ":memory:" else folder
            with MemplugStore.open(location, index=config) as store:
                store.setup = lambda: None
                yield store
"""


def _downloaded(folder: Path) -> str:
    """The test module out of the source distribution."""
    command = ["pip", "download", "-q", "--no-deps", "--no-binary", PACKAGE]
    ended = subprocess.run(
        [sys.executable, "-m", *command, "-d", str(folder), f"{PACKAGE}=={VERSION}"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = next(folder.glob("*.tar.gz"), None)
    if found is None:
        pytest.skip(f"pip cannot get the source distribution of {PACKAGE} {VERSION}: {ended.stderr[-300:]}")
    with tarfile.open(found) as archive:
        [name] = [name for name in archive.getnames() if name.endswith("/tests/test_store.py")]
        file = archive.extractfile(name)
        assert file is not None
        return file.read().decode()


def _neutral(source: str) -> str:
    """The module with our store in the place of theirs, and without a look at SQLite's tables."""
    source, imports = re.subn(r"from langgraph\.store\.sqlite import .*\n", STAND_IN, source)
    source, inner = re.subn(r"from langgraph\.store\.sqlite\.base import \([^)]*\)\n", "", source)
    source, looks = re.subn(r"    # Ensure store setup properly(?:.*\n)+?(?=\n\n)", "", source)
    assert (imports, inner, looks) == (1, 1, 1), "the module is not what it was when this was written"
    return source


@pytest.mark.slow
def test_what_the_sqlite_store_is_tested_for_holds_here(tmp_path: Path) -> None:
    """All of their tests that are about any store pass: 40 of 40 without vectors, 21 of 21 with them."""
    module = tmp_path / "test_store.py"
    module.write_text(_neutral(_downloaded(tmp_path)), encoding="utf-8")
    left_out = [word for name in ABOUT_SQLITE for word in ("--deselect", f"test_store.py::{name}")]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *left_out, module.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = ended.stdout[-3_000:]
    assert ended.returncode == 0, said
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", said.splitlines()[-1])}
    # Their fixture makes 35 of those without vectors run twice, in memory and on disk.
    assert counts["passed"] == 62 + 35, said
    assert not counts.keys() & {"failed", "errors", "skipped", "xfailed"}, said
