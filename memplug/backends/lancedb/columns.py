"""The columns of every table.

``body`` holds a record whole, as JSON, and is all that a read takes beside the vector: LanceDB fetches each column of
each row by itself, so 28 columns of 100 rows took four times as long as three. The other columns are there to be
filtered by and, ``terms``, to be indexed. They are always filled: an empty text or a far number stands for what is
missing, so no filter needs ``IS NULL``, and every expression has an exact complement.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

#: Stands for a moment that is not set. Later than any moment that Python knows, so "before" never finds it.
FAR = 2**62
#: Stands for a number that is not set.
UNSET = -(2**62)

#: Texts, by whether the item may hold None there.
TEXTS: dict[str, bool] = {
    "id": False,
    "kind": False,
    "content_type": False,
    "status": False,
    "key": True,
    "user_id": True,
    "agent_id": True,
    "run_id": True,
    "bucket": True,
    "part_of": True,
    "role": True,
    "speaker": True,
}
#: Moments, in microseconds since 1970, by whether the item may hold None there.
TIMES: dict[str, bool] = {"created_at": False, "updated_at": False, "occurred_at": True, "expires_at": True}
NUMBERS: dict[str, bool] = {"version": False, "position": True}
#: ``row_id`` names one version; ``tags`` are joined (`joined_tags`); ``digest`` and ``thumbnail`` name media, for
#: `reads.references`. ``valid_to`` is set in `history` only.
OTHERS = ("row_id", "tags", "terms", "digest", "thumbnail", "body")

#: What every read selects; the vector is most of the bytes and comes only when asked for.
READ = ("body",)
#: What tells versions apart.
KEYS = ("id", "version")
#: Scalar indexes of the two larger tables. Without the last one every read fetches that column of all rows of its
#: scope, a quarter of its time among a million; an index on ``expires_at`` costs more than it saves.
INDEXED = ("id", "user_id", "agent_id", "run_id", "bucket", "key", "part_of", "deleted")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_START, _ESCAPE, _END = "\x1f", "\x1e", "\x1d"


def schema(dimension: int) -> pa.Schema:
    """The Arrow schema for vectors of a dimension."""
    fields = [pa.field(name, pa.string(), nullable=False) for name in (*TEXTS, *OTHERS)]
    fields += [pa.field(name, pa.int64(), nullable=False) for name in (*TIMES, *NUMBERS, "valid_to")]
    fields += [pa.field("deleted", pa.bool_(), nullable=False)]
    return pa.schema([*fields, pa.field("vector", pa.list_(pa.float32(), dimension))])


def micros(when: datetime | None) -> int:
    """Microseconds since 1970; `FAR` for None."""
    return FAR if when is None else (when - _EPOCH) // _MICROSECOND


def moment(number: int) -> datetime:
    """The moment that `micros` made the number of."""
    return _EPOCH + timedelta(microseconds=number)


def joined_tags(tags: tuple[str, ...]) -> str:
    """The tags in one text, in which `marked_tag` of each of them is found and of no other."""
    return "".join(map(marked_tag, tags))


def marked_tag(tag: str) -> str:
    """What a tag looks like inside `joined_tags`; start and end differ, so that an empty tag is found as well."""
    for place, mark in enumerate((_ESCAPE, _START, _END)):
        tag = tag.replace(mark, f"{_ESCAPE}{place}")
    return _START + tag + _END
