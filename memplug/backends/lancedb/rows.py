"""Records to Arrow and back, exactly."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from memplug.backends.lancedb.columns import (
    FAR,
    NUMBERS,
    READ,
    TEXTS,
    TIMES,
    UNSET,
    joined_tags,
    micros,
    moment_of,
    schema,
)
from memplug.exceptions import MalformedInput
from memplug.values.item import MediaRef, MemoryItem, Record
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What of a source has no column of its own.
_SOURCE = ("message", "file", "page", "section", "url", "tool_call", "derived_from")


def row_id(record: Record) -> str:
    """Names one version of one memory; the last ``@`` separates, so that no two can share a name."""
    return f"{record.id}@{record.version}"


def encoded(records: Sequence[Record], dimension: int) -> pa.Table:
    """The records as a table of `columns.schema`.

    Raises:
        MalformedInput: A text is not valid Unicode, or the metadata is no JSON.
    """
    try:
        columns: dict[str, list[Any]] = {name: [] for name in READ}
        for record in records:
            for name, value in _row(record).items():
                columns[name].append(value)
        arrays = [
            _vectors(records, dimension) if name == "vector" else columns[name] for name in schema(dimension).names
        ]
        return pa.Table.from_arrays(
            [pa.array(array, field.type) for array, field in zip(arrays, schema(dimension), strict=True)],
            schema=schema(dimension),
        )
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        raise MalformedInput(f"a memory cannot be stored: {error}") from error


def _row(record: Record) -> dict[str, Any]:
    item = record.item
    held = {name: _value(item, name) for name in (*TEXTS, *TIMES, *NUMBERS)}
    blank = [name for name, nullable in TEXTS.items() if nullable and held[name] == ""]
    row = {name: held[name] or "" for name in TEXTS}
    row |= {name: micros(held[name]) for name in TIMES}
    row |= {name: UNSET if held[name] is None else held[name] for name in NUMBERS}
    return row | {
        "row_id": row_id(record),
        "deleted": item.deleted,
        "valid_to": micros(item.valid_to),
        "tags": joined_tags(item.tags),
        "terms": record.terms,
        "identity": record.identity,
        "context": record.context,
        "digest": item.media.digest if item.media else "",
        "thumbnail": (item.media.thumbnail or "") if item.media else "",
        "rest": _rest(item, blank),
    }


def _value(item: MemoryItem, name: str) -> Any:
    return getattr(item.source if name in {"role", "speaker", "position"} else item, name)


def _rest(item: MemoryItem, blank: list[str]) -> str:
    """What no column holds, with everything left out that is not set."""
    source = {name: value for name in _SOURCE if (value := getattr(item.source, name)) not in (None, ())}
    rest = {
        "tags": list(item.tags),
        "metadata": dict(item.metadata),
        "media": asdict(item.media) if item.media else None,
        "error": item.error,
        "source": source,
        "blank": blank,
    }
    kept = {name: value for name, value in rest.items() if value or name == "error"}
    if item.error is None:
        del kept["error"]
    return json.dumps(kept, separators=(",", ":")) if kept else ""


def _vectors(records: Sequence[Record], dimension: int) -> pa.Array:
    """One array without a Python number in between; a vector that is missing is null."""
    missing = np.array([record.vector is None for record in records], dtype=bool)
    matrix = np.zeros((len(records), dimension), dtype=np.float32)
    for place, record in enumerate(records):
        if record.vector is not None:
            matrix[place] = record.vector
    flat = pa.array(matrix.ravel(), pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, dimension, mask=pa.array(missing))


def decoded(table: pa.Table) -> list[Record]:
    """The records of a table that has at least the columns `columns.READ`."""
    lists = {name: table.column(name).to_pylist() for name in READ}
    vectors = _matrix(table.column("vector")) if "vector" in table.column_names else [None] * table.num_rows
    rows = zip(*lists.values(), strict=True)
    return [_record(dict(zip(lists, row, strict=True)), vector) for row, vector in zip(rows, vectors, strict=True)]


def _matrix(column: Any) -> Iterable[Any]:
    """The vectors as float32 arrays that own their memory, None where there is none."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    valid = array.is_valid().to_pylist()
    dense = array.filter(array.is_valid()).flatten().to_numpy(zero_copy_only=False)
    rows = iter(dense.reshape(-1, column.type.list_size))
    return [next(rows).copy() if held else None for held in valid]


def _record(row: dict[str, Any], vector: Any) -> Record:
    rest = json.loads(row["rest"]) if row["rest"] else {}
    blank = rest.get("blank", ())
    for name, nullable in TEXTS.items():
        if nullable and not row[name] and name not in blank:
            row[name] = None
    source: dict[str, Any] = rest.get("source", {})
    if "derived_from" in source:
        source["derived_from"] = tuple(source["derived_from"])
    position = None if row["position"] == UNSET else row["position"]
    item = MemoryItem(
        **{name: row[name] for name in _PLAIN},
        created_at=_set(row["created_at"]),
        updated_at=_set(row["updated_at"]),
        occurred_at=moment_of(row["occurred_at"]),
        expires_at=moment_of(row["expires_at"]),
        valid_to=None if row["valid_to"] == FAR else moment_of(row["valid_to"]),
        media=MediaRef(**rest["media"]) if "media" in rest else None,
        tags=tuple(rest.get("tags", ())),
        metadata=rest.get("metadata", {}),
        error=rest.get("error"),
        source=Provenance(role=row["role"], speaker=row["speaker"], position=position, **source),
    )
    return Record(item=item, terms=row["terms"], vector=vector, identity=row["identity"], context=row["context"])


#: Item fields that a column holds as they are.
_PLAIN = (*(name for name in TEXTS if name not in {"role", "speaker"}), "version", "deleted")


def _set(number: int) -> Any:
    return moment_of(number)
