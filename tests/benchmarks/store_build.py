"""The stores to measure: memplug's, and a table that somebody would make with LanceDB alone, of the same rows."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import FTS, BTree
from lancedb.query import MatchQuery

from benchmarks.store_data import DIMENSION, PROFILE, Asked, Corpus, corpus
from benchmarks.store_timing import tell
from memplug.backends.lancedb import open_lancedb
from memplug.backends.lancedb.rows import encoded
from memplug.backends.lancedb.tier import Tier
from memplug.plugins.protocols import BackendRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Backend
    from memplug.values.item import Record

_TEXTS = ("id", "user_id", "agent_id", "run_id", "bucket", "key", "kind", "text", "role", "metadata", "terms")
#: The columns that somebody would make of an item with LanceDB alone, without the vector.
COLUMNS = (*_TEXTS, "created_at", "updated_at", "occurred_at", "expires_at", "version", "position")
#: What of a hit he would ask for: who and what, the metadata, and when.
HIT = ("id", "text", "metadata", "user_id", "created_at", "updated_at")
_INDEXED = ("id", "user_id", "agent_id", "run_id", "bucket", "key")
_WORDS = FTS(
    base_tokenizer="whitespace",
    max_token_length=None,
    stem=False,
    lower_case=False,
    remove_stop_words=False,
    ascii_folding=False,
    with_position=False,
)
_TABLE = "memories"
#: To be raised when what goes into the stores changes: those that were kept are then made anew.
_CONTENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Two finished stores of one corpus, both compacted and indexed.

    Args:
        corpus: What is in them.
        ours: Folder of memplug's.
        raw: Folder of the LanceDB database.
    """

    corpus: Corpus
    ours: Path
    raw: Path


def built(work: Path, size: int) -> Built:
    """The stores of a size, from the folder where they were made before."""
    items = corpus(work, size)
    folder = work / f"stores-{size}-{_layout(items)}"
    if not folder.exists():
        tell(f"making two stores of {size:,} items")
        unfinished = work / f"unfinished-{os.getpid()}"
        _fill(unfinished, items)
        unfinished.rename(folder)
    return Built(corpus=items, ours=folder / "ours", raw=folder / "raw")


def _layout(items: Corpus) -> str:
    """Names how memplug lays these items down. For what it does not see, `--fresh`."""
    rows = encoded(items.records(0, 1), DIMENSION)
    parts = [
        _CONTENT,
        rows.schema.to_string(),
        rows.to_pylist(),
        inspect.getsource(Tier.index),
        raw_schema().to_string(),
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


def _fill(folder: Path, items: Corpus) -> None:
    backend, table = open_ours(folder / "ours"), make_raw(folder / "raw")
    for number, batch in enumerate(items.batches()):
        backend.commit(batch)
        table.add(raw_rows(batch))
        if number % 10 == 9:
            tell(f"{number + 1:,} batches")
    backend.maintain()
    backend.close()
    index_raw(table)


def open_ours(folder: Path) -> Backend:
    """Opens memplug's backend on a folder."""
    return open_lancedb(BackendRequest(location=str(folder), profile=PROFILE))


def raw_schema() -> pa.Schema:
    """The table that somebody would make with LanceDB alone."""
    texts = [pa.field(name, pa.string()) for name in _TEXTS]
    numbers = [pa.field(name, pa.int64()) for name in COLUMNS[len(_TEXTS) :]]
    return pa.schema([*texts, *numbers, pa.field("vector", pa.list_(pa.float32(), DIMENSION))])


def raw_row(record: Record) -> dict[str, Any]:
    """A record as a row of that table, without the vector."""
    item = record.item
    row: dict[str, Any] = {name: getattr(item, name, None) for name in COLUMNS}
    moments = {name: None if row[name] is None else int(row[name].timestamp() * 1e6) for name in COLUMNS[-6:-2]}
    source = {"role": item.source.role, "position": item.source.position}
    return row | moments | source | {"terms": record.terms, "metadata": json.dumps(item.metadata)}


def raw_rows(records: Sequence[Record]) -> pa.Table:
    """Records as rows of that table."""
    rows = pa.Table.from_pylist([raw_row(record) for record in records], raw_schema().remove(len(COLUMNS)))
    vectors = pa.array(np.concatenate([record.vector for record in records if record.vector is not None]))
    return rows.append_column(raw_schema().field("vector"), pa.FixedSizeListArray.from_arrays(vectors, DIMENSION))


def make_raw(folder: Path, schema: pa.Schema | None = None) -> Any:
    """An empty table."""
    return lancedb.connect(str(folder)).create_table(_TABLE, schema=schema or raw_schema())


def open_raw(folder: Path) -> Any:
    """A table that was made before."""
    return lancedb.connect(str(folder)).open_table(_TABLE)


def index_raw(table: Any) -> None:
    """Gives a table the indexes that memplug's has, and compacts it."""
    for name in _INDEXED:
        table.create_index(name, config=BTree())
    table.create_index("terms", config=_WORDS)
    table.optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True)


def ask_raw(table: Any, asked: Asked, limit: int, columns: Sequence[str] = HIT) -> tuple[list[Any], list[Any]]:
    """The two queries: by meaning and by words, exactly, inside one user's rows."""
    mine = f"user_id = '{asked.user}'"
    near = table.search(asked.vector, vector_column_name="vector").distance_type("cosine").bypass_vector_index()
    found = table.search(MatchQuery(" ".join(asked.terms), "terms"), query_type="fts")
    return (
        near.where(mine).select([*columns, "_distance"]).limit(limit).to_list(),
        found.where(mine).select([*columns, "_score"]).limit(limit).to_list(),
    )
