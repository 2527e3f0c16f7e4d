"""Which memory a document that has no key is another edition of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.pipelines.identity import media_digest, piece_id
from memplug.store import View
from memplug.values.filters import All, Compare
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.item import Record

#: The kind of documents.
DOCUMENT = "document"
#: Share of the passages, of the document that has fewer, that two editions must have in common. Two scans that a
#: telephone calls ``scan.pdf`` have none.
_COMMON = 0.5


def is_whole(draft: Draft) -> bool:
    """Whether a draft has pieces, or is a document that will have them once it is read."""
    return bool(draft.pieces) or is_unread(draft)


def is_unread(draft: Draft) -> bool:
    """Whether a draft is a document whose words are still to come: it is large, or has pages to be read by OCR."""
    return draft.pending and draft.kind == DOCUMENT and draft.media is not None and not draft.pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Editions:
    """Looks for what a whole was before.

    Args:
        store: Where to look.
    """

    store: Store

    def earlier(self, draft: Draft, scope: Scope, *, apart_from: str | None = None) -> str | None:
        """The id of the memory of exactly this scope that holds the same bytes, or an earlier edition of them.

        An earlier edition has the same file name, no key, and at least half of its passages in common; where a document
        was not read yet, nobody can say so.

        Args:
            draft: The document.
            scope: Whose.
            apart_from: The id of the document itself, where it is stored already.
        """
        media = draft.media
        if media is None or draft.named or not is_whole(draft):
            return None
        digest, alike = media_digest(media.data), None
        for record in self._wholes(draft.kind, scope):
            held = record.item.media
            if held is None or record.id == apart_from:
                continue
            if held.digest == digest:
                return record.id
            if alike is None and media.name and held.name == media.name and self._is_edition(record, draft):
                alike = record.id
        return alike

    def _wholes(self, kind: str, scope: Scope) -> Iterator[Record]:
        wholes = All((Compare("kind", "eq", kind), Compare("part_of", "set", value=False)))
        view = View(scope=scope, filter=wholes, trusted=True)
        return (record for record in self.store.each(view) if Scope(**record.item.ids) == scope)

    def _is_edition(self, record: Record, draft: Draft) -> bool:
        if record.item.key is not None or not draft.pieces:
            return False
        view = View(scope=Scope(**record.item.ids), filter=Compare("part_of", "eq", record.id), trusted=True)
        held = self.store.count(view)
        ids = sorted({piece_id(record.id, piece, 0) for piece in draft.pieces})
        latest = self.store.backend.latest(ids)
        common = sum(not found.item.deleted for found in latest.values())
        return common > 0 and common >= _COMMON * min(held, len(ids))
