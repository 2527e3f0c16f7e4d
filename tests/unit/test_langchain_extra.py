"""What parts of LangChain are needed for says so."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
for name in {missing!r}.split():
    sys.modules[name] = None  # as where it is not installed
from memplug.exceptions import MissingExtra
for name in {wanted!r}.split():
    try:
        exec(f"from memplug.langchain import {{name}}")
        print(name, "is there")
    except MissingExtra as error:
        assert isinstance(error, ImportError)
        print(error.code, error)
"""


def _told(missing: str, wanted: str) -> list[str]:
    program = PROGRAM.format(missing=missing, wanted=wanted)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_a_missing_extra_is_named() -> None:
    """The error says what to install, and is an `ImportError` like any other."""
    assert _told("langchain_core", "MemplugRetriever") == [
        "config.missing_extra memplug.langchain needs langchain-core (pip install 'memplug[langchain]')"
    ]


def test_all_but_agents_needs_langchain_core_alone() -> None:
    """Each name that needs more says so, each time."""
    there = (
        "LangChainChatModel LangChainEmbedder MemplugBlobParser MemplugChatMessageHistory MemplugLoader "
        "MemplugRetriever inputs_of"
    )
    told = _told("langchain langgraph", f"{there} MemplugMiddleware memory_tools memory_tools MemplugStore")
    assert told[:-4] == [f"{name} is there" for name in there.split()]
    assert told[-4:-1] == [
        f"config.missing_extra {name} needs langchain (pip install 'memplug[langchain]')"
        for name in ("MemplugMiddleware", "memory_tools", "memory_tools")
    ]
    assert told[-1].startswith("config.missing_extra")
    assert "pip install 'memplug[langgraph]'" in told[-1]
