"""A process that carries out operations and is killed meanwhile: ``python child.py <location>``.

Reads the moment and the operations from standard input, and writes a line for each that was acknowledged.
"""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

from memplug import Memory
from memplug.backends.lancedb import upkeep
from property.wiring import plugin
from support import Clock

if TYPE_CHECKING:
    from property.operations import Operation


def main() -> None:
    """Does one after the other, as fast as it can."""
    upkeep.FOLD_ROWS, upkeep.COMPACT_COMMITS = 9, 4
    clock = Clock()
    with Memory(sys.argv[1], plugins=[plugin()], clock=clock) as memory:
        print("open", flush=True)  # noqa: T201 - what the parent waits for
        asked: tuple[object, list[Operation]] = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the test itself
        clock.moment, operations = asked  # type: ignore[assignment] # a moment
        for operation in operations:
            operation.told(memory)
            print("done", flush=True)  # noqa: T201 - the acknowledgement


if __name__ == "__main__":
    main()
