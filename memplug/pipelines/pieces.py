"""Wholes and their pieces: a document and its passages, each a memory of its own.

The id of a piece comes from its whole's id and its own words. So another edition of a document finds the passages that
did not change, and one commit brings the new ones, takes away those that are gone, and leaves the others alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.inputs.document import scanned_pages
from memplug.pipelines.composing import record_of
from memplug.pipelines.identity import piece_id
from memplug.pipelines.versions import TICK, following, tombstone
from memplug.store import View
from memplug.values.filters import Compare
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem, Record
    from memplug.values.request import AddRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of the pieces of one whole.

    Args:
        written: New pieces and new versions of old ones, still without vectors and terms.
        gone: The deletions of those that the new edition has no more.
    """

    written: tuple[Record, ...] = ()
    gone: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A whole as it will be, with what was there before.

    Args:
        draft: It, with its pieces.
        item: Its memory from now on.
        previous: The version before, where there is one.
        merged: Whether it is the same content again, so that what is said about it adds to what was said before.
        ended: Whether the one before was deleted or had expired.
    """

    draft: Draft
    item: MemoryItem
    previous: Record | None
    merged: bool
    ended: bool


def pieces_of(store: Store, whole: MemoryItem, *, as_of: datetime | None = None) -> list[Record]:
    """The current pieces of a memory, or those of a moment, newest first."""
    view = View(scope=Scope(**whole.ids), filter=Compare("part_of", "eq", whole.id), as_of=as_of, trusted=True)
    return [*store.each(view)]


def fate(store: Store, edition: Edition, request: AddRequest, moment: datetime) -> Fate:
    """What is to be written for the pieces of a whole that is written itself.

    Args:
        store: Where the earlier ones are.
        edition: The whole.
        request: What it was handed in with.
        moment: The first piece's, later than the whole's, so that what was before an edition can be asked for by the
            moment when that began; the other pieces follow it.
    """
    fresh = dict(_fresh(edition, request, moment))
    # Pieces that lost their whole are there all the same, and would keep it from ever being added again.
    if edition.previous is None and not store.backend.latest(list(fresh)):
        return Fate(written=tuple(fresh.values()))
    current = {record.id: record for record in pieces_of(store, edition.item)}
    both = {id_: record for id_, record in fresh.items() if id_ in current}
    kept = [carried for id_, record in both.items() if (carried := _carried(current[id_], record, edition, moment))]
    before = store.backend.latest([id_ for id_ in fresh if id_ not in current])

    def again(record: Record) -> Record:
        old = before.get(record.id)
        return following(record, old, record.item.created_at, reborn=True) if old else record

    if edition.merged and not edition.ended and edition.previous is not None:
        # The same bytes: a passage that is missing was taken away on purpose, unless it never was there.
        late = [
            record for id_, record in fresh.items() if id_ not in current and not _removed(before.get(id_), edition)
        ]
        new = [again(record) for record in late if _was_unread(record, edition.previous, current)]
        others = [led for id_, record in current.items() if id_ not in fresh and (led := _led(record, edition, moment))]
        return Fate(written=(*new, *kept, *others))
    new = [again(record) for id_, record in fresh.items() if id_ not in current]
    gone = [following(tombstone(record), record, moment) for id_, record in current.items() if id_ not in fresh]
    return Fate(written=(*new, *kept), gone=tuple(gone))


def _fresh(edition: Edition, request: AddRequest, moment: datetime) -> Iterator[tuple[str, Record]]:
    """The pieces as they would be first versions, by id."""
    occurrences: Counter[tuple[str, str]] = Counter()
    for number, draft in enumerate(edition.draft.pieces):
        words = (draft.kind, draft.text)
        id_ = piece_id(edition.item.id, draft, occurrences[words])
        occurrences[words] += 1
        record = record_of(draft, id_, request, moment + number * TICK)
        # A place in a conversation is the whole's alone.
        source = replace(record.item.source, position=None)
        whole = edition.item
        item = replace(record.item, key=None, part_of=whole.id, source=source, tags=whole.tags)
        # As `_carried` has it, so that passages of one edition say the same.
        item = replace(item, occurred_at=whole.occurred_at, expires_at=whole.expires_at)
        yield id_, replace(record, item=item)


def _carried(old: Record, fresh: Record, edition: Edition, moment: datetime) -> Record | None:
    """The next version of a piece that both editions have; None where nothing about it changed.

    Its words stay, also where somebody corrected them since.
    """
    was, now = old.item, fresh.item
    item = replace(
        was,
        source=replace(now.source, message=was.source.message),
        tags=edition.item.tags,
        metadata={**was.metadata, **now.metadata} if edition.merged else now.metadata,
        occurred_at=edition.item.occurred_at,
        expires_at=edition.item.expires_at,
        valid_to=None,
    )
    if item == replace(was, valid_to=None) and old.context == fresh.context:
        return None
    return following(replace(old, item=item, context=fresh.context), old, moment)


def _led(old: Record, edition: Edition, moment: datetime) -> Record | None:
    """The next version of a piece that this reading of the same bytes does not have: a page that OCR read before."""
    whole = edition.item
    item = replace(old.item, tags=whole.tags, occurred_at=whole.occurred_at, expires_at=whole.expires_at)
    return None if item == old.item else following(replace(old, item=item), old, moment)


def _removed(latest: Record | None, edition: Edition) -> bool:
    """Whether somebody took away a piece of the whole as it is now, and not of one that was deleted since."""
    whole = edition.previous
    return latest is not None and whole is not None and latest.item.updated_at >= whole.item.created_at


def _was_unread(piece: Record, previous: Record, current: Collection[str]) -> bool:
    """Whether nobody had read what a piece holds, when the version of its whole that is there was written."""
    if previous.item.status != "ready" and not current:
        return True
    return piece.item.source.page in scanned_pages(previous.item.metadata)


def returning(store: Store, wanted: Record, latest: Record, now: datetime) -> tuple[list[Record], list[Record]]:
    """What brings the pieces back that a whole had at an earlier version: their next versions, and deletions.

    Args:
        store: Where they are.
        wanted: The version of the whole that is to come back.
        latest: Its highest one.
        now: The present moment.
    """
    end = wanted.item.valid_to
    then = pieces_of(store, wanted.item, as_of=end - TICK if end else None)
    held = store.backend.latest([record.id for record in then])
    current = {} if latest.item.deleted else {record.id: record for record in pieces_of(store, latest.item)}
    back = [following(record, held[record.id], now) for record in then if held[record.id].version != record.version]
    kept = {record.id for record in then}
    gone = [following(tombstone(record), record, now) for id_, record in current.items() if id_ not in kept]
    return back, gone


def spread(drafts: Sequence[Draft]) -> list[Draft]:
    """Wholes and pieces side by side, each knowing its place: as guards see them."""
    found: list[Draft] = []
    for number, draft in enumerate(drafts):
        if not draft.pieces:
            found.append(draft)
            continue
        found.append(replace(draft, pieces=(), place=(number, 0)))
        found += [replace(piece, part=draft.part, place=(number, at + 1)) for at, piece in enumerate(draft.pieces)]
    return found


def gathered(drafts: Sequence[Draft]) -> list[Draft]:
    """The other way round. Pieces whose whole is gone are gone with it."""
    pieces: dict[int, list[Draft]] = {}
    for draft in drafts:
        if draft.place is not None and draft.place[1]:
            pieces.setdefault(draft.place[0], []).append(replace(draft, place=None))
    found = []
    for draft in drafts:
        if draft.place is None:
            found.append(draft)
        elif not draft.place[1]:
            found.append(replace(draft, pieces=tuple(pieces.get(draft.place[0], ())), place=None))
    return found
