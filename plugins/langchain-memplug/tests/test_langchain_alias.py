"""The alias is memplug's own integration, all of it, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROGRAM = """
import langchain_memplug, memplug.langchain
print(sorted(langchain_memplug.__all__) == sorted(memplug.langchain.__all__))
print(all(getattr(langchain_memplug, name) is getattr(memplug.langchain, name) for name in langchain_memplug.__all__))
"""


def test_it_names_memplugs_integration() -> None:
    """A program with both packages on its path gets the same objects from both."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_the_package_is_typed_and_bounded() -> None:
    """It says that it has types, and takes no next major version of LangChain."""
    assert (ROOT / "langchain_memplug" / "py.typed").is_file()
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {"langchain>=1.4,<2", "langchain-core>=1.7,<2"} <= set(dependencies)
