"""A table in an object store: it stays at the version that it was opened at until it is told to catch up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from memplug.backends.lancedb.columns import READ
from memplug.backends.lancedb.loop import run
from memplug.backends.lancedb.steady import steadily
from memplug.backends.lancedb.tier import EVERY, Tier
from memplug.backends.lancedb.trouble import lance_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

_AT_ONCE = timedelta(milliseconds=1)


class RemoteTier(Tier):
    """See `Tier`; what was acknowledged is durable, so `sync` has nothing to do.

    Args:
        table: As LanceDB opened it, without a consistency interval.
    """

    def __init__(self, table: Any) -> None:
        super().__init__(table, cast("Path", PurePosixPath(f"{table.name}.lance")), durable=False)

    def version(self, *, certain: bool = False) -> int:
        """The version that it is at; no request. `catch_up` is what looks for a newer one."""
        del certain
        with lance_errors("look for changes"):
            return int(run(self.table.version()))

    def catch_up(self) -> None:
        """Goes on to the newest version; one request where it is at it."""
        with lance_errors("look for changes"):
            run(self.table.checkout_latest())

    def merge(self, column: str, rows: pa.Table) -> None:
        """See `Tier.merge`; but a newer row stays, which who lost the upkeep lease could not know of."""
        with lance_errors("write"):
            builder = self.table.merge_insert(column)
            builder = builder.when_matched_update_all(where="target.version <= source.version")
            builder = builder.when_not_matched_insert_all()
            steadily(lambda: run(builder.execute(rows, on_bad_vectors="null")))

    def placed(self, expr: Any) -> pa.Table:
        """The rows that an expression finds, with ``_rowid``: where each lies now, and only now."""
        with lance_errors("read"):
            query = self.table.query().where(expr).with_row_id().select([*READ, "_rowid"]).limit(EVERY)
            return run(query.to_arrow())

    def delete_places(self, places: Sequence[int]) -> None:
        """Removes rows by what `placed` said of them."""
        with lance_errors("delete"):
            steadily(lambda: run(self.table.delete(f"_rowid IN ({', '.join(map(str, places))})")))

    def _settled(self, ask: Callable[[], pa.Table]) -> pa.Table:
        """Asks once: the version would be the same again, so `Session.read` has everything looked at anew."""
        with lance_errors("read"):
            return ask()

    def compact(self, *, alone: bool) -> None:
        """See `Tier.compact`; files that no version names stay for some days.

        One of them may belong to a commit under way, of a writer that was paused; it would name a file that is gone.
        """
        del alone
        with lance_errors("compact"):
            steadily(lambda: run(self.table.optimize(cleanup_older_than=_AT_ONCE, delete_unverified=False)))
