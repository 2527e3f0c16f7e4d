"""The same document once more: what was read before is not forgotten, and what nobody could read may be read now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.inputs.document import READ_METADATA, scanned_pages, without_scanned
from memplug.pipelines.editions import is_unread

if TYPE_CHECKING:
    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem, Record


def read_again(draft: Draft, record: Record, previous: Record) -> Record:
    """The next version of a document whose very bytes are there already.

    Args:
        draft: What was handed in.
        record: What it would be without a look at how it was read before.
        previous: The version that is there.
    """
    if not draft.named:
        # Under another file name it is the same document still.
        record = replace(record, identity=previous.identity, context=previous.context)
        record = _read_on(draft, record, previous)
    if is_unread(draft) and not _was_read(draft):
        return _as_known(record, previous)
    if not draft.named and draft.pending and scanned_pages(record.item.metadata):
        # There was nobody then who could read these pages.
        record = replace(record, item=replace(record.item, status="pending"))
    return record


def _was_read(document: Draft | MemoryItem) -> bool:
    """Whether a document in pages was read. A large one is not at first."""
    return "pages" in document.metadata


def _read_on(draft: Draft, record: Record, previous: Record) -> Record:
    """A page that has words stays one that has, also where nobody read it this time."""
    if not (_was_read(previous.item) and _was_read(draft)):
        return record
    before, now = scanned_pages(previous.item.metadata), scanned_pages(draft.metadata)
    read = [page for page in (*before, *now) if page not in before or page not in now]
    return replace(record, item=replace(record.item, metadata=without_scanned(record.item.metadata, read)))


def _as_known(record: Record, previous: Record) -> Record:
    """A document that is still to be read, with what is known of it since the same bytes were read before."""
    old = previous.item
    if old.status != "ready":
        return record
    known = {name: value for name, value in old.metadata.items() if name in READ_METADATA}
    item = replace(record.item, text=old.text, status="ready", error=None, metadata={**known, **record.item.metadata})
    return replace(record, item=item, identity=previous.identity)
