"""One LanceDB table, with the few calls that memplug makes of it."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lancedb.index import FTS, Bitmap, BTree
from lancedb.query import ColumnOrdering, MatchQuery

from memplug.backends.lancedb.columns import INDEXED, READ
from memplug.backends.lancedb.durability import TableSync
from memplug.backends.lancedb.loop import run
from memplug.backends.lancedb.steady import steadily
from memplug.backends.lancedb.trouble import Vanished, lance_errors
from memplug.backends.lancedb.where import among

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

#: How often a query is begun.
_ATTEMPTS = 4
#: A plain query has no limit of its own in LanceDB; this stands for "all rows".
EVERY = 2**31 - 1
#: Two commits may fall into one tick of the file system's clock, so a folder's time is trusted only when it is
#: older than this, in nanoseconds. Kernel ticks are at most 10 ms, but some file systems keep whole seconds or two.
_SETTLED = 2_500_000_000
#: The terms are analysed by memplug: LanceDB must take them as they are. Its default would drop words over 40
#: characters and fold, stem and stop the rest.
_TERMS = FTS(
    base_tokenizer="whitespace",
    max_token_length=None,
    stem=False,
    lower_case=False,
    remove_stop_words=False,
    ascii_folding=False,
    with_position=False,
)
#: Indexes that are no B-trees.
_CONFIGS = {"terms": _TERMS, "deleted": Bitmap()}
#: How old a version must be to be cleaned up. LanceDB warns of 0, since readers of an older version then fail;
#: ours ask again (`session.Session.read`).
_AT_ONCE = timedelta(milliseconds=1)
#: Most passes of a compaction until it finds nothing to do: seen were two.
_PASSES = 5
#: A manifest is named by how far its version is from this one, in so many digits.
_LAST, _DIGITS, _MANIFEST = 2**64 - 1, 20, ".manifest"
_SORTED = ("created_at", "id")
_NEWEST = [ColumnOrdering(column_name=name, ascending=False, nulls_first=False) for name in _SORTED]


def index_of(column: str) -> Any:
    """How LanceDB is to index a column."""
    return _CONFIGS.get(column, BTree())


def newest_version(names: Iterable[str]) -> int | None:
    """The newest version of a table by the names in its ``_versions``; None where these are not what is known.

    LanceDB itself looks there too, and takes ten times as long: it goes through two other threads.
    """
    first = min((name for name in names if name.endswith(_MANIFEST)), default="")
    number = first.removesuffix(_MANIFEST)
    # Names are so that the newest comes first; those of another scheme, or of a version beside, are not.
    return _LAST - int(number) if len(number) == _DIGITS and number.isdecimal() else None


class Tier:
    """A table.

    Args:
        table: As LanceDB opened it, with its asynchronous interface.
        path: Its folder.
        durable: Whether `sync` does something.
    """

    def __init__(self, table: Any, path: Path, *, durable: bool) -> None:
        self.table = table
        self.path = path
        self._sync = TableSync(path) if durable else None
        self._seen: tuple[int, int] | None = None
        self._versions = str(path / "_versions")

    def version(self, *, certain: bool = False) -> int:
        """The newest version, whoever committed it; one system call where nothing changed lately.

        Args:
            certain: Never to go by the folder's time, which is wrong where a clock was set back.
        """
        with lance_errors("look for changes"):
            changed = 0 if certain else os.stat(self._versions).st_mtime_ns  # noqa: PTH116 - the hot path of every read
            if not certain and self._seen is not None and self._seen[0] == changed:
                return self._seen[1]
            version = newest_version(os.listdir(self._versions))  # noqa: PTH208 - as above
            if version is None:
                version = int(run(self.table.version()))
        if not certain:
            self._seen = (changed, version) if time.time_ns() - changed > _SETTLED else None
        return version

    def add(self, rows: pa.Table) -> int:
        """Appends rows in one commit, and returns the version that it made."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._added(rows)
            except Vanished:
                # Another process's compaction removed the manifest that this began with: once in 200 adds.
                if self.scan(among("row_id", rows.column("row_id").slice(0, 1).to_pylist()), ["version"], 1).num_rows:
                    return self.version(certain=True)
        return self._added(rows)

    def _added(self, rows: pa.Table) -> int:
        with lance_errors("write"):
            return int(steadily(lambda: run(self.table.add(rows))).version)

    def merge(self, column: str, rows: pa.Table) -> None:
        """Replaces the rows with the same value in a column, whole, and adds the others."""
        with lance_errors("write"):
            builder = self.table.merge_insert(column)
            builder = builder.when_matched_update_all().when_not_matched_insert_all()
            steadily(lambda: run(builder.execute(rows, on_bad_vectors="null")))

    def delete(self, expr: Any) -> None:
        """Hides rows; their bytes stay until the table is compacted or replaced."""
        with lance_errors("delete"):
            steadily(lambda: run(self.table.delete(expr)))

    def sync(self) -> None:
        """Makes everything committed so far survive a power cut, where the store was opened for that."""
        if self._sync is not None:
            with lance_errors("sync"):
                self._sync.sync()

    def count(self, expr: Any = None) -> int:
        """How many rows an expression finds; LanceDB counts by SQL text only (`where.literal`)."""
        with lance_errors("count"):
            return int(run(self.table.count_rows(None if expr is None else expr.to_sql())))

    def scan(self, expr: Any, columns: Sequence[str] = READ, limit: int = EVERY) -> pa.Table:
        """Every row that an expression finds, or so many of them, in no order."""
        return self._rows(self.table.query(), expr, columns, limit)

    def newest(self, expr: Any, columns: Sequence[str], limit: int) -> pa.Table:
        """The rows with the highest ``(created_at, id)``."""
        # Where indexes answer the whole filter, LanceDB 0.40 cannot sort by what is not selected.
        return self._rows(self.table.query().order_by(_NEWEST), expr, [*columns, *_SORTED], limit)

    def near(self, vector: NDArray[np.float32], expr: Any, columns: Sequence[str], limit: int) -> pa.Table:
        """The rows nearest by cosine, exactly, with ``_distance``."""
        query = self.table.query().nearest_to(vector).column("vector").distance_type("cosine").bypass_vector_index()
        return self._rows(query, expr, [*columns, "_distance"], limit)

    def words(self, terms: Sequence[str], expr: Any, columns: Sequence[str], limit: int) -> pa.Table:
        """The rows that hold a term, by BM25, with ``_score``."""
        query = self.table.query().nearest_to_text(MatchQuery(" ".join(terms), "terms"))
        return self._rows(query, expr, [*columns, "_score"], limit)

    def _rows(self, query: Any, expr: Any, columns: Sequence[str], limit: int) -> pa.Table:
        with lance_errors("read"):
            if expr is not None:
                query = query.where(expr)
            query = query.select(list(columns)).limit(limit)
        return self._settled(lambda: run(query.to_arrow()))

    def _settled(self, ask: Callable[[], pa.Table]) -> pa.Table:
        """Asks again where a compaction removed the files of the version that the query had begun with.

        A query is of one version whole. Where the table itself is gone, the error stays.
        """
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(Vanished), lance_errors("read"):
                return ask()
        with lance_errors("read"):
            return ask()

    def batches(self, expr: Any, size: int) -> Iterator[pa.RecordBatch]:
        """Every row that an expression finds, whole, without holding all of them."""
        with lance_errors("read"):
            query = self.table.query().select(run(self.table.schema()).names).limit(EVERY)
            reader = run((query if expr is None else query.where(expr)).to_batches(max_batch_length=size))
            while (batch := run(anext(reader, None))) is not None:
                yield batch

    def index(self, columns: Sequence[str] = (*INDEXED, "terms")) -> None:
        """Makes the indexes of these columns, over what is there."""
        for name in columns:
            with lance_errors("index"):
                steadily(lambda: run(self.table.create_index(name, config=index_of(name))))  # noqa: B023 - called at once

    def indexes(self) -> set[str]:
        """The columns that have an index."""
        with lance_errors("look at the indexes"):
            return {column for index in run(self.table.list_indices()) for column in index.columns}

    def unindexed(self, column: str = "terms") -> int:
        """How many rows a column's index leaves out, which then are looked at one by one; all without an index."""
        with lance_errors("look at an index"):
            stats = run(self.table.index_stats(f"{column}_idx"))
            return self.count() if stats is None else int(stats.num_unindexed_rows)

    def small_files(self) -> int:
        """How many files hold so few rows (under 100,000) that LanceDB would merge them."""
        with lance_errors("look at a table"):
            return int(run(self.table.stats())["fragment_stats"]["num_small_fragments"])

    def compact(self, *, alone: bool) -> None:
        """Merges files, extends indexes, and removes old versions.

        Args:
            alone: Whether no other process can be writing, so that what a killed one left behind can go too.
        """
        with lance_errors("compact"):
            if self._sync is not None:
                # The old files may go only when the new ones are on the disk. One pass may leave work for another,
                # which must not be the one that cleans up.
                before = -1
                for _ in range(_PASSES):
                    if before == (before := int(run(self.table.version()))):
                        break
                    steadily(lambda: run(self.table.optimize(cleanup_older_than=timedelta(days=7))))
                self._sync.sync()
            steadily(lambda: run(self.table.optimize(cleanup_older_than=_AT_ONCE, delete_unverified=alone)))
