"""The alias is memplug's own readers, and leaves the namespace that it shares with LlamaIndex alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROGRAM = """
import llama_index.core  # from where it is installed, beside ours
from llama_index.readers.memplug import MemplugFileReader, MemplugReader
from llama_index.core.readers.base import BasePydanticReader, BaseReader
import memplug.llamaindex
print(MemplugReader is memplug.llamaindex.MemplugReader, MemplugFileReader is memplug.llamaindex.MemplugFileReader)
print(BasePydanticReader in MemplugReader.__mro__, BaseReader in MemplugFileReader.__mro__)
"""


def test_it_names_memplugs_readers() -> None:
    """A program with both packages on its path imports both."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 4


def test_the_namespace_stays_one() -> None:
    """No `__init__.py` above the package, and a build that takes nothing but the package."""
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "llama_index").rglob("*.py")}
    assert found == {"llama_index/readers/memplug/__init__.py"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"] == ["llama_index/"]
    assert project["tool"]["llamahub"]["import_path"] == "llama_index.readers.memplug"
