"""Records for backend tests, and what to compare them with."""

# ruff: noqa: S101 - tests assert, and numbers are their point
from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from memplug.plugins.protocols import Backend, Selection, StoreProfile
from memplug.values.filters import All, Compare, Filter, matches
from memplug.values.item import MediaRef, MemoryItem, Record
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DIMENSION = 8
#: What the contract's stores are made with.
PROFILE = StoreProfile(embedder="contract", dimension=DIMENSION)
START = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING: Filter = All(())


def at(seconds: float) -> datetime:
    """A moment of the contract's calendar."""
    return START + timedelta(seconds=seconds)


def direction(*numbers: float) -> NDArray[np.float32]:
    """A unit vector that begins with these numbers."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[: len(numbers)] = numbers
    return vector / np.linalg.norm(vector)


def record(
    id_: str,
    *,
    version: int = 1,
    seconds: float = 0,
    text: str = "",
    vector: NDArray[np.float32] | None = None,
    **fields: Any,
) -> Record:
    """A record of user ``wang`` whose terms are its text, committed ``seconds`` after the start."""
    base: dict[str, Any] = {"kind": "text", "user_id": "wang", "created_at": START, "updated_at": at(seconds)}
    item = MemoryItem(id=id_, text=text, version=version, **(base | fields))
    return Record(item=item, terms=text, vector=vector)


def changed(before: Record, *, seconds: float = 1, **fields: Any) -> Record:
    """The next version of a record."""
    version = before.version + 1
    item = replace(
        before.item, version=version, updated_at=before.item.updated_at + timedelta(seconds=seconds), **fields
    )
    return replace(before, item=item, terms=item.text)


def deletion(before: Record, *, seconds: float = 1) -> Record:
    """The tombstone after a record."""
    return replace(changed(before, seconds=seconds, text="", deleted=True), vector=None)


def chosen(where: Filter = EVERYTHING, *, limit: int = 1_000, **fields: Any) -> Selection:
    """A selection of everything, or of what a filter says."""
    return Selection(where=where, limit=limit, **fields)


def of_user(user: str, *more: Filter) -> Filter:
    """The filter for a user's records."""
    return All((Compare("user_id", "eq", user), *more))


def ids(found: Sequence[Any]) -> list[str]:
    """The ids of records or matches, in order."""
    return [getattr(one, "record", one).id for one in found]


def full_record() -> Record:
    """A record with every field set, to values that are easily lost on the way."""
    item = MemoryItem(
        id="full",
        kind="image",
        text="Dinner, 晚饭",
        created_at=at(0.000001),
        updated_at=at(1),
        key="receipt/1",
        content_type="image/png",
        media=MediaRef(
            digest="0" * 64,
            size=5,
            content_type="image/png",
            name="a.png",
            width=3,
            height=2,
            thumbnail="1" * 64,
            phash="f" * 16,
        ),
        user_id="wang",
        agent_id="helper",
        run_id="monday",
        bucket="food",
        tags=("a", "b\x1fc", ""),
        metadata={"price": 12.5, "deep": {"list": [1, None, True, "x\ud800"]}, "n": 10**30},
        status="failed",
        error="no model",
        part_of="whole",
        source=Provenance(
            role="user",
            speaker="Wang",
            message="m1",
            position=3,
            file="a.pdf",
            page=2,
            section="1 > 2",
            url="https://example.org/a",
            tool_call="t",
            derived_from=("x", "y"),
            supersedes=("z",),
            reason="moved house",
        ),
        occurred_at=at(-5),
        expires_at=at(10**8),
    )
    return Record(item=item, terms="dinner 晚饭", vector=direction(1, 2, 3), identity="digest", context="in the mail")


def history(user: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[list[Record]]:
    """Two commits: new records, then their next versions (a deletion where ``after`` says so) and new ones."""
    first = [_drawn(user, n, 1, fields) for n, fields in enumerate(before)]
    second = [_drawn(user, n, 2 if n < len(before) else 1, fields) for n, fields in enumerate(after)]
    return [first, second]


def _drawn(user: str, number: int, version: int, fields: dict[str, Any]) -> Record:
    fields = dict(fields)
    seconds = fields.pop("seconds", 0) + 4 * version
    vector = fields.pop("vector", None)
    held = record(f"{user}-{number}", version=version, seconds=seconds, user_id=user, **fields)
    return replace(held, vector=None if vector is None else direction(*vector))


def compare(backend: Backend, user: str, written: list[Record], where: Filter, moment: int | None, limit: int) -> None:
    """Holds every read of a user's records against what the filter means, whole and up to a limit."""
    as_of = None if moment is None else at(moment)
    held = sorted(written, key=lambda one: one.version)
    tops = {one.id: one for one in held if as_of is None or one.item.updated_at <= as_of}
    meant = [one for one in tops.values() if not one.item.deleted and matches(where, one.item)]
    selection = chosen(of_user(user, where), as_of=as_of)
    listed = backend.select(selection)
    assert ids(listed) == ids(sorted(meant, key=lambda one: (one.item.created_at, one.id), reverse=True))
    assert [one.version for one in listed] == [tops[one.id].version for one in listed]
    assert backend.count(of_user(user, where), as_of=as_of) == len(meant)
    near = {one.id for one in meant if one.vector is not None}
    assert set(ids(backend.nearest(direction(1, 1), selection))) == near
    said = {one.id for one in meant if {"red", "世界"} & set(one.terms.split())}
    assert set(ids(backend.match(["red", "世界"], selection))) == said
    page = replace(selection, limit=limit)
    assert ids(backend.select(page)) == ids(listed)[:limit]
    assert len(backend.nearest(direction(1, 1), page)) == min(limit, len(near))
    assert len(backend.match(["red", "世界"], page)) == min(limit, len(said))


def snapshot(backend: Backend) -> list[Any]:
    """What all reads answer, to be compared before and after upkeep."""
    selections = [chosen(), chosen(as_of=at(0))]
    return [
        [[(one.id, one.version, one.item) for one in backend.select(selection)] for selection in selections],
        [[(match.record.id, round(match.score, 4)) for match in backend.nearest(direction(1), s)] for s in selections],
        [sorted(ids(backend.match(["one", "two", "three"], selection))) for selection in selections],
        [[(one.version, one.item.valid_to) for one in backend.versions(id_)] for id_ in ("a", "b")],
    ]


def together(work: Any, *, threads: int) -> None:
    """Runs ``work(number)`` in several threads at once, and fails where one of them did."""
    barrier = threading.Barrier(threads)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except Exception as error:  # noqa: BLE001 - raised again below, in the test's own thread
            failures.append(error)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]
