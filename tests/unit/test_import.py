"""Importing memplug costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: What must not be loaded before it is used, as the beginning of a module's name.
HEAVY = (
    "PIL",
    "click",
    "httpx",
    "lance",
    "langchain",
    "langgraph",
    "llama_index",
    "numpy",
    "openai",
    "pyarrow",
    "pydantic",
    "rich",
    "safetensors",
    "sentence_transformers",
    "snowballstemmer",
    "stamina",
    "tenacity",
    "tokenizers",
    "torch",
    "wordllama",
    "yaml",
)


def output_of(program: str) -> str:
    """What a program prints in a process of its own, after it ended well."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def loaded_by(program: str) -> set[str]:
    """The heavy packages that a program has loaded when it ends."""
    shown = output_of(f"import sys\n{program}\nprint(*sys.modules)")
    roots = {name.partition(".")[0] for name in shown.split()}
    return {root for root in roots if root.startswith(HEAVY)}


@pytest.mark.parametrize(
    "program",
    [
        "import memplug",
        "import memplug; dir(memplug); memplug.__all__; memplug.__version__",
        "import memplug.exceptions",
        "from memplug import hookimpl",
        "from memplug import Draft, Limits, MemoryItem, Part, Scope, SearchResult",
        "from memplug.plugins.manager import PluginManager; PluginManager(discover=False)",
        "import memplug.plugins.protocols, memplug.values.filters",
    ],
)
def test_nothing_heavy_is_loaded(program: str) -> None:
    """A plugin, a command line and a program that only names memplug stay light."""
    assert loaded_by(program) == set()


def test_the_test_can_fail() -> None:
    """Heavy packages are seen where they are loaded."""
    assert loaded_by("import numpy") == {"numpy"}


def test_every_public_name_is_there() -> None:
    """`__all__`, `dir()` and what can be imported are the same names."""
    program = """
import memplug
missing = [name for name in memplug.__all__ if getattr(memplug, name, None) is None or name not in dir(memplug)]
print(missing)
try:
    memplug.no_such_name
except AttributeError as error:
    print(error)
"""
    assert output_of(program) == "[]\nmodule 'memplug' has no attribute 'no_such_name'\n"


def test_a_star_import_works() -> None:
    """`from memplug import *` brings the client and the decorator."""
    program = "from memplug import *\nprint(Memory.__name__, callable(hookimpl))"
    assert output_of(program) == "Memory True\n"
