"""Records to Arrow and back, exactly."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields
from operator import attrgetter, index
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from memplug.backends.lancedb.columns import NUMBERS, TEXTS, TIMES, UNSET, joined_tags, micros, moment, schema
from memplug.backends.lancedb.where import storable
from memplug.exceptions import MalformedInput
from memplug.values.item import MediaRef, MemoryItem, Record
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

#: Fields of an item that JSON does not know as they are.
_MOMENTS = (*TIMES, "valid_to")
#: Texts of a record beside its item.
_BESIDE = ("terms", "identity", "context")
_OF_SOURCE = frozenset({"role", "speaker", "position"})
#: Of a number beside its sign, in a column.
_BITS = 63


def _path(name: str) -> str:
    """Where an item has what a column is named after."""
    return f"source.{name}" if name in _OF_SOURCE else name


_OF_TEXTS, _OF_NUMBERS = (attrgetter(*map(_path, names)) for names in (TEXTS, NUMBERS))


def row_id(record: Record) -> str:
    """Names one version of one memory; the last ``@`` separates, so that no two can share a name."""
    return f"{record.id}@{record.version}"


def encoded(records: Sequence[Record], dimension: int) -> pa.Table:
    """The records as a table of `columns.schema`.

    Raises:
        MalformedInput: A text is not valid Unicode, or the metadata is no JSON.
    """
    form = schema(dimension)
    try:
        columns = _columns(records)
        arrays = [
            _vectors(records, dimension) if field.name == "vector" else pa.array(columns[field.name], field.type)
            for field in form
        ]
        return pa.Table.from_arrays(arrays, schema=form)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        raise MalformedInput(f"a memory cannot be stored: {error}") from error


def packed(records: Sequence[Record]) -> list[bytes]:
    """The records without their vectors, each as JSON; whatever `encoded` would refuse is refused.

    Raises:
        MalformedInput: A text is not valid Unicode, or the metadata is no JSON.
    """
    try:
        for record in records:
            _check(record)
        return [_body(record).encode() for record in records]
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError) as error:
        raise MalformedInput(f"a memory cannot be stored: {error}") from error


def _check(record: Record) -> None:
    """Makes sure of what is not looked at before it becomes a column."""
    item, media = record.item, record.item.media
    texts = [value or "" for value in _OF_TEXTS(item)]
    named = (media.digest, media.thumbnail or "") if media is not None else ()
    "".join((*texts, *item.tags, record.terms, *named)).encode()
    numbers = [index(value) for value in _OF_NUMBERS(item) if value is not None]
    if not isinstance(item.deleted, bool) or any(number.bit_length() > _BITS for number in numbers):
        raise ValueError(f"a version of {numbers} or a deletion of {item.deleted!r} means nothing")


def _columns(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Everything but the vectors, column by column: row by row took three times as long."""
    items = [record.item for record in records]
    media = [item.media for item in items]

    def values(name: str) -> Iterable[Any]:
        return map(attrgetter(_path(name)), items)

    columns = {name: [value or "" for value in values(name)] for name in TEXTS}
    columns |= {name: [micros(value) for value in values(name)] for name in _MOMENTS}
    columns |= {name: [UNSET if value is None else value for value in values(name)] for name in NUMBERS}
    return columns | {
        "row_id": [row_id(record) for record in records],
        "deleted": [item.deleted for item in items],
        "tags": [joined_tags(item.tags) for item in items],
        "terms": [record.terms for record in records],
        "digest": [one.digest if one else "" for one in media],
        "thumbnail": [(one.thumbnail or "") if one else "" for one in media],
        "body": [_body(record) for record in records],
    }


def _body(record: Record) -> str:
    """The record without its vector; what is as it would be by default is left out."""
    item = record.item
    held = _set(_ITEM, _OF_ITEM(item))
    for name in _MOMENTS:
        if name in held:
            held[name] = micros(held[name])
    if "metadata" in held:
        held["metadata"] = dict(item.metadata)
    if item.media is not None:
        held["media"] = asdict(item.media)
    if "source" in held:
        held["source"] = _set(_SOURCE, _IN_SOURCE(item.source))
    held |= {name: text for name in _BESIDE if (text := getattr(record, name))}
    return _json(held, record)


def _set(defaults: Sequence[tuple[str, Any]], values: Sequence[Any]) -> dict[str, Any]:
    """What differs from its default, by name."""
    return {name: value for (name, default), value in zip(defaults, values, strict=True) if value != default}


def _json(held: dict[str, Any], record: Record) -> str:
    """UTF-8, which is shorter; metadata may hold half a character, as JSON does, and then all is escaped.

    Raises:
        UnicodeEncodeError: A text of the record itself holds one, which has no words to be found by.
    """
    body = _UTF8(held)
    if not storable(body):
        for text in (record.item.text, record.terms, record.identity, record.context):
            text.encode()
        body = _ASCII(held)
    return body


def _defaults(kind: type) -> tuple[tuple[str, Any], ...]:
    """The fields of a dataclass with what they hold by default; `MISSING` equals nothing that one can hold."""
    found = []
    for one in fields(kind):
        made = one.default_factory() if one.default_factory is not MISSING else one.default
        found.append((one.name, made))
    return tuple(found)


_ITEM, _SOURCE = _defaults(MemoryItem), _defaults(Provenance)
_OF_ITEM, _IN_SOURCE = (attrgetter(*(name for name, _ in found)) for found in (_ITEM, _SOURCE))
#: Made once: `json.dumps` makes an encoder for each call.
_UTF8 = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_ASCII = json.JSONEncoder(separators=(",", ":")).encode


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
    """The records of a table that has at least the columns `columns.READ`; without vectors where it has none."""
    bodies = table.column("body").to_pylist()
    vectors = _vectors_of(table.column("vector")) if "vector" in table.column_names else [None] * len(bodies)
    return [record_of(json.loads(body), vector) for body, vector in zip(bodies, vectors, strict=True)]


def matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """A column of vectors as float32 of shape ``(rows, dimension)``, of its own memory; zeros where there is none."""
    found = np.zeros((len(column), column.type.list_size), dtype=np.float32)
    place = 0
    for chunk in column.chunks:
        # `flatten` leaves out what is null.
        dense = chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
        here = chunk.is_valid().to_numpy(zero_copy_only=False)
        found[place : place + len(chunk)][here] = dense
        place += len(chunk)
    return found


def _vectors_of(column: pa.ChunkedArray) -> Iterable[Any]:
    """One array of its own for each row: a view would keep all others in memory, too."""
    rows = matrix(column)
    return [row.copy() if held else None for row, held in zip(rows, column.is_valid().to_pylist(), strict=True)]


def record_of(held: dict[str, Any], vector: Any) -> Record:
    """The record that a body holds; ``held`` is used up."""
    beside = {name: held.pop(name) for name in _BESIDE if name in held}
    for name in _MOMENTS:
        if name in held:
            held[name] = moment(held[name])
    if "tags" in held:
        held["tags"] = tuple(held["tags"])
    if "media" in held:
        held["media"] = MediaRef(**held["media"])
    if "source" in held:
        source = held["source"]
        for name in ("derived_from", "supersedes"):
            if name in source:
                source[name] = tuple(source[name])
        held["source"] = Provenance(**source)
    return Record(item=MemoryItem(**held), vector=vector, **beside)
