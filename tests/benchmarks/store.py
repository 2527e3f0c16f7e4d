"""The store's figures: each a ratio to LanceDB alone, or to a rival, measured side by side in the same run.

    python tests/benchmarks/store.py [--sizes 10000,100000,1000000] [--only search,batches,singles,upkeep,written]
                                     [--rivals] [--work FOLDER] [--fresh]

Made-up items of 1,000 users; vectors are given, so embedding costs nothing. Stores that were made are kept in the work
folder for the next run. Times are medians. ``--rivals`` installs chromadb and mem0 into an environment of their own.
"""

# ruff: noqa: T201 - it prints its table
from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import store_rivals, store_search, store_upkeep, store_writes
from benchmarks.store_timing import HEAD, Row, machine

SECTIONS: dict[str, Callable[[Path, Sequence[int]], Iterator[Row]]] = {
    "search": store_search.rows,
    "batches": store_writes.batch_rows,
    "singles": store_writes.single_rows,
    "upkeep": store_upkeep.worn_rows,
    "written": store_upkeep.written_rows,
    "rivals": store_rivals.rows,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table, line by line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="items in a store, separated by commas")
    parser.add_argument("--only", default="", help="the sections to run; all but the rivals where left out")
    parser.add_argument("--rivals", action="store_true", help="also measure chromadb and mem0")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "memplug-benchmark")
    parser.add_argument("--fresh", action="store_true", help="make the stores anew; removes all that were kept")
    options = parser.parse_args(arguments)
    sizes = [int(size) for size in options.sizes.split(",")]
    only = options.only.split(",") if options.only else [name for name in SECTIONS if name != "rivals"]
    if unknown := set(only) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    for name in [name for name in os.environ if name.startswith("MEMPLUG_")]:
        del os.environ[name]
    options.work.mkdir(parents=True, exist_ok=True)
    for kept in options.work.glob("stores-*") if options.fresh else ():
        shutil.rmtree(kept)
    print(f"{machine()}\n\n{HEAD}", flush=True)
    for name in [*only, *["rivals"] * options.rivals]:
        for row in SECTIONS[name](options.work, sizes):
            print(row.line(), flush=True)
    print(f"\nat the end: load {', '.join(f'{value:.1f}' for value in os.getloadavg())}")


if __name__ == "__main__":
    main()
