"""The programs under `examples/` run as they stand, offline."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_six_inputs(tmp_path: Path) -> None:
    """One request with every kind of input: an outcome for each part, the broken one alone rejected, all found."""
    program = [sys.executable, str(EXAMPLES / "six_inputs.py"), str(tmp_path / "store")]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = done.stdout.splitlines()
    told = [line.split()[:3] for line in lines[:9]]
    assert told == [
        ["0", "added", "text"],
        ["1", "added", "image"],
        ["2", "added", "document"],
        ["3", "added", "tool_call"],
        ["4", "added", "tool_call"],
        ["5", "added", "skill"],
        ["6", "rejected", "-"],
        ["7", "updated", "document"],
        ["0", "added", "blob"],
    ]
    assert sum("is 600 yuan.  [handbook.md, § Returns" in line for line in lines) == 2
    assert done.stdout.count("800") == 0
    assert lines[-1] == "Dear customer, your refund is on its way."
    assert done.stderr == ""


def test_llamaindex_agent(tmp_path: Path) -> None:
    """Another conversation is shown the old picture and what was saved; somebody else is shown nothing."""
    program = [sys.executable, str(EXAMPLES / "llamaindex_agent.py"), "memory://"]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    told = [line.strip() for line in done.stdout.splitlines() if "agent:" in line]
    assert told == [
        "agent: That is new to me. Pictures that I see: 1.",
        "agent: Done. Remembered.",
        "agent: I remember: This is what dinner with Li did cost.. Pictures that I see: 1.",
        "agent: I remember: Remember that Wang never eats peanuts.. Pictures that I see: 0.",
        "agent: That is new to me. Pictures that I see: 0.",
    ]
    assert done.stderr == ""


def test_llamaindex_documents(tmp_path: Path) -> None:
    """A query engine answers from a document and a picture, a smaller copy finds a picture, all becomes documents."""
    program = [sys.executable, str(EXAMPLES / "llamaindex_documents.py")]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[1].strip() == "Refunds take ten working days. The purchase limit for office software is 600 yuan."
    assert "handbook.md" in lines[2]
    assert lines[6].strip() == "from r3.png"
    assert lines[9].strip() == "receipt from Golden Dragon, 2026-03-01, total 128.00"
    assert lines[-2:] == [
        "8 documents for any index of LlamaIndex, 3 of them pictures",
        "3 documents from two files themselves, with nothing stored",
    ]
    assert done.stderr == ""


def test_langchain_agent(tmp_path: Path) -> None:
    """Another conversation is shown the old picture and what was said; somebody else is shown nothing."""
    program = [sys.executable, str(EXAMPLES / "langchain_agent.py"), "memory://"]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    told = [line.strip() for line in done.stdout.splitlines() if "agent:" in line]
    assert told == [
        "agent: That is new to me. Pictures that I see: 1.",
        "agent: Done. Remembered.",
        "agent: I remember: This is what dinner with Li did cost.. Pictures that I see: 1.",
        "agent: I remember: Remember that Wang never eats peanuts.. Pictures that I see: 0.",
        "agent: That is new to me. Pictures that I see: 0.",
    ]
    assert done.stderr == ""


def test_langgraph_store_agent(tmp_path: Path) -> None:
    """Each user's agent finds what langmem's tools kept; where there is no langmem, it says what to install."""
    program = [sys.executable, str(EXAMPLES / "langgraph_store_agent.py"), "memory://"]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    if importlib.util.find_spec("langmem") is None:
        assert done.stdout == "This example needs langmem: pip install langmem\n"
        return
    told = [line.strip() for line in done.stdout.splitlines() if line.startswith((" ", "The same"))]
    assert told == [
        "I will remember that.",
        "I will remember that.",
        "I remember: Wang never eats peanuts.",
        "That is new to me.",
        "The same by memplug itself: dinner with Li cost 128 yuan.",
    ]


def test_from_mem0(tmp_path: Path) -> None:
    """An export of mem0 comes in once, and mem0's calls go on."""
    program = [sys.executable, str(EXAMPLES / "from_mem0.py"), "memory://"]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "mem0: 2 added, 0 unchanged, 0 rejected",
        "mem0: 0 added, 2 unchanged, 0 rejected",
        "['ADD', 'ADD', 'ADD']",
    ]
    assert lines[-2:] == ["['Is allergic to peanuts', 'Is allergic to peanuts and hazelnuts']", "0 memories left"]
    assert done.stderr == ""
