"""Fixtures that several test modules use."""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

#: These tests are about memplug alone. Plugins that are installed beside it, such as those of this repository, have
#: tests of their own; a describer among them would have a say in every picture here.
os.environ.setdefault("MEMPLUG_DISABLE_PLUGINS", "all")


class Install(Protocol):
    """Installs a package with one plugin."""

    def __call__(self, name: str, code: str, *, distribution: str = "", version: str = "1.0") -> Path:
        """Writes module and metadata; returns the folder of the metadata."""


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data: conversations, receipts, tool calls."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MEMPLUG_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; set MEMPLUG_TEST_DATA")
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for installed packages, on this process's path; what is imported from it is forgotten again."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    for variable in [name for name in os.environ if name.startswith("MEMPLUG_")]:
        monkeypatch.delenv(variable)
    yield folder
    for name in [name for name, module in sys.modules.items() if _lies_in(folder, module)]:
        del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Install:
    """Really installs plugins, the way pip leaves them: a module, and a ``.dist-info`` with its entry point."""

    def install(name: str, code: str, *, distribution: str = "", version: str = "1.0") -> Path:
        package = distribution or f"memplug-{name}"
        module = package.replace("-", "_")
        info = site / f"{module}-{version}.dist-info"
        info.mkdir()
        (site / f"{module}.py").write_text(textwrap.dedent(code))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[memplug]\n{name} = {module}\n")
        importlib.invalidate_caches()
        return info

    return install


def _lies_in(folder: Path, module: object) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(str(folder))
