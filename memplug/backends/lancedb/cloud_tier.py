"""A table at LanceDB Cloud or Enterprise: as `RemoteTier`, but over a service that maintains it by itself.

What the client of LanceDB 0.40 cannot do there is never asked of it: to compact (`optimize`), to bring a table whole
(`to_arrow` of the table), tags, merges by several columns. Filters go as SQL (`where.literal`).

The service may compact at any moment, which changes no row but the version, and moves rows.
"""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pyarrow as pa
from lancedb.expr import col
from lancedb.query import ColumnOrdering

from memplug.backends.lancedb.cloud_trouble import TurnedAway, Unanswered, service_errors
from memplug.backends.lancedb.columns import INDEXED, READ
from memplug.backends.lancedb.loop import run
from memplug.backends.lancedb.steady import steadily
from memplug.backends.lancedb.tier import Tier, index_of
from memplug.backends.lancedb.trouble import Vanished
from memplug.backends.lancedb.where import among, both, literal
from memplug.exceptions import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from pathlib import Path

    from memplug.backends.lancedb.cloud_database import CloudTable

T = TypeVar("T")

#: Seconds before each further attempt of what the service turned away.
_PAUSES = (0.25, 0.5, 1.0)
#: Seconds that an index may take to be there. The service may leave one over no rows until there are some.
_INDEXED, _EMPTY = 600.0, 10.0
_POLL, _LONGEST_POLL = 0.02, 2.0
#: Rows that are taken back at once: each is named by all that it holds.
_CHUNK = 50
_BY_ROW = [ColumnOrdering(column_name="row_id", ascending=True, nulls_first=False)]


class CloudTier(Tier):
    """See `Tier`; what was acknowledged is durable, so `sync` has nothing to do.

    It is read at the version that `catch_up` found, or that this process wrote since, so that a read over several
    tables sees what it would see in an object store.

    Args:
        table: The table.
        doubted: Is told when a write may still be done after its error.
    """

    def __init__(self, table: CloudTable, doubted: Callable[[], None]) -> None:
        super().__init__(table.reading, cast("Path", PurePosixPath(table.name)), durable=False)
        self._access = table.access
        self._writing = table.writing
        self._doubted = doubted
        self._newest = 0
        self._pinned = 0
        self._counting, self._pinning = threading.Lock(), threading.Lock()
        self.catch_up()

    def version(self, *, certain: bool = False) -> int:
        """The version that it is at; no request. `catch_up` is what looks for a newer one."""
        del certain
        return self._newest

    def catch_up(self) -> None:
        """Goes on to the newest version; one request."""
        self._reached(int(self._looked("look for changes", lambda: run(self._writing.version()))))

    def _reached(self, version: int) -> None:
        """Never goes back, whichever of two threads was answered last."""
        with self._counting:
            self._newest = max(self._newest, version)

    def _went_on(self, made: int) -> int:
        """Goes on to the version that a write made, and returns it.

        Where it is not the next one the service was at the table, too, or does not tell. Nobody else can have been,
        so it is looked for: whoever writes has a lock.
        """
        if made == self._newest + 1:
            self._reached(made)
            return made
        try:
            self.catch_up()
        except BackendError:
            self._doubted()  # it is written, which is what was asked for; every read looks anew
        return self._newest

    def _looked(self, action: str, ask: Callable[[], T]) -> T:
        """Asks what changes nothing, again where no answer came."""
        for pause in _PAUSES:
            try:
                with service_errors(self._access, action):
                    return ask()
            except (TurnedAway, Unanswered):
                time.sleep(pause)
        with service_errors(self._access, action):
            return ask()

    def _written(self, action: str, write: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Writes, again only where the service has not begun with it.

        Raises:
            Unanswered: It may still be done.
        """
        try:
            for pause in _PAUSES:
                try:
                    with service_errors(self._access, action):
                        return steadily(lambda: run(write()))
                except TurnedAway:
                    time.sleep(pause)
            with service_errors(self._access, action):
                return steadily(lambda: run(write()))
        except Unanswered as error:
            error.hint = "it may still be done; the same call again finds out"
            self._doubted()
            raise

    def add(self, rows: pa.Table) -> int:
        """See `Tier.add`. Where no answer comes, it is looked for whether the rows are there: all are, or none."""
        try:
            # In one request: several would be written in one step only by newer services.
            made = self._written("write", lambda: self._writing.add(rows, write_parallelism=1))
        except (Unanswered, Vanished):
            if not self._holds(rows):
                raise
            return self._newest
        return self._went_on(int(made.version))

    def _holds(self, rows: pa.Table) -> bool:
        """Whether rows are there, as far as can be found out."""
        try:
            self.catch_up()
            first = rows.column("row_id").slice(0, 1).to_pylist()
            return bool(self.scan(among("row_id", first), ["version"], 1).num_rows)
        except BackendError:
            return False

    def merge(self, column: str, rows: pa.Table) -> None:
        """See `Tier.merge`; but a newer row stays, which who lost the upkeep lease could not know of."""

        async def merged() -> Any:
            builder = self._writing.merge_insert(column)
            builder = builder.when_matched_update_all(where="target.version <= source.version")
            return await builder.when_not_matched_insert_all().execute(rows, on_bad_vectors="null")

        self._went_on(int(self._written("write", merged).version))

    def delete(self, expr: Any) -> None:
        """See `Tier.delete`."""
        self._delete(expr.to_sql())

    def _delete(self, text: str) -> None:
        self._went_on(int(self._written("delete", lambda: self._writing.delete(text)).version))

    def placed(self, expr: Any) -> pa.Table:
        """The rows that an expression finds, with what names each: all that it holds, since its place may change."""
        rows = self.scan(expr, ["row_id", *READ])
        names = [
            ((col("row_id") == literal(row)) & (col("body") == literal(body))).to_sql()
            for row, body in zip(rows.column("row_id").to_pylist(), rows.column("body").to_pylist(), strict=True)
        ]
        return rows.append_column("_rowid", pa.array(names, pa.string()))

    def delete_places(self, places: Sequence[str]) -> None:
        """Removes rows by what `placed` said of them."""
        for start in range(0, len(places), _CHUNK):
            self._delete(" OR ".join(places[start : start + _CHUNK]))

    def count(self, expr: Any = None) -> int:
        """See `Tier.count`."""
        text = None if expr is None else expr.to_sql()
        return int(self._settled(lambda: run(self.table.count_rows(text))))

    def _settled(self, ask: Callable[[], T]) -> T:
        """Asks at the version that the table is at."""

        def pinned() -> T:
            self._pin()
            return ask()

        return self._looked("read", pinned)

    def _pin(self) -> None:
        with self._pinning:
            if self._pinned != (wanted := self._newest):
                run(self.table.checkout(wanted))
                self._pinned = wanted

    def newest(self, expr: Any, columns: Sequence[str], limit: int) -> pa.Table:
        """See `Tier.newest`."""
        rows = super().newest(expr, columns, limit)
        self._check_order([*zip(*(rows.column(name).to_pylist() for name in ("created_at", "id")), strict=True)][::-1])
        return rows

    def batches(self, expr: Any, size: int) -> Iterator[pa.RecordBatch]:
        """See `Tier.batches`; in the order of ``row_id``, since a query brings all of its rows at once.

        Of rows that are there twice, one may be left out.
        """
        names = self._settled(lambda: run(self.table.schema())).names
        last: str | None = None
        while True:
            behind = None if last is None else col("row_id") > literal(last)
            rows = self._rows(self.table.query().order_by(_BY_ROW), both(expr, behind), names, size)
            order = rows.column("row_id").to_pylist()
            self._check_order(order)
            yield from rows.combine_chunks().to_batches()
            if len(order) < size:
                return
            last = order[-1]

    def _check_order(self, keys: Sequence[Any]) -> None:
        """Makes sure that the service sorted; one that does not know how to would pass it over, and rows be missing.

        Raises:
            BackendError: It did not.
        """
        if any(later < earlier for earlier, later in itertools.pairwise(keys)):
            raise BackendError(f"{self._access.url} does not sort", hint="memplug needs a newer version of the service")

    def index(self, columns: Sequence[str] = (*INDEXED, "terms")) -> None:
        """See `Tier.index`; the service makes them after its answer, which is waited for: words need theirs."""
        for name in columns:
            self._ask_for_index(name)
        patience = _INDEXED if self.count() else _EMPTY
        deadline, pause = time.monotonic() + patience, _POLL
        for name in columns:
            while not self._has_index(name):
                if time.monotonic() > deadline:
                    if patience == _EMPTY:
                        return
                    raise Unanswered(f"{self._access.url} has not made an index within {patience:g} seconds")
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_POLL)
        self.catch_up()

    def _ask_for_index(self, column: str) -> None:
        self._written("index", lambda: self._writing.create_index(column, config=index_of(column)))

    def _has_index(self, column: str) -> bool:
        return self._looked("look at an index", lambda: run(self._writing.index_stats(f"{column}_idx"))) is not None

    def indexes(self) -> set[str]:
        """See `Tier.indexes`."""
        found = self._looked("look at the indexes", lambda: run(self._writing.list_indices()))
        return {column for index in found for column in index.columns}

    def unindexed(self, column: str = "terms") -> int:
        """None: the service extends its indexes by itself."""
        del column
        return 0

    def small_files(self) -> int:
        """None: the service merges files by itself."""
        return 0

    def compact(self, *, alone: bool) -> None:
        """Nothing: the service does so by itself, and cannot be asked to."""
