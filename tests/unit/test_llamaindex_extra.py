"""What LlamaIndex is needed for says so."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["llama_index"] = None  # as where it is not installed
from memplug.exceptions import MissingExtra
try:
    import memplug.llamaindex
except MissingExtra as error:
    print(error.code, error)
"""


def test_a_missing_extra_is_named() -> None:
    """The error says what to install, and is an `ImportError` like any other."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    expected = "memplug.llamaindex needs llama-index-core (pip install 'memplug[llamaindex]')"
    assert done.stdout.strip() == f"config.missing_extra {expected}"
