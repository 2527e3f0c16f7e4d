"""The command line, `memplug`: a door onto `Memory` for people and scripts."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Runs the program on this process's arguments and ends the process."""
    try:
        from memplug.cli.app import cli

        cli(prog_name="memplug")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
