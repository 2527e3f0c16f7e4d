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

#: Share of the passages, of the document that has fewer, that two editions must have in common. Two scans that a
#: telephone calls ``scan.pdf`` have none.
_COMMON = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Editions:
    """Looks for what a whole was before.

    Args:
        store: Where to look.
    """

    store: Store

    def earlier(self, draft: Draft, scope: Scope) -> str | None:
        """The id of the memory of exactly this scope that holds the same bytes, or an earlier edition of them.

        An earlier edition has the same file name, no key, and at least half of its passages in common.
        """
        media = draft.media
        if media is None or draft.named or not draft.pieces:
            return None
        digest, alike = media_digest(media.data), None
        for record in self._wholes(draft.kind, scope):
            held = record.item.media
            if held is None:
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
        if record.item.key is not None:
            return False
        view = View(scope=Scope(**record.item.ids), filter=Compare("part_of", "eq", record.id), trusted=True)
        held = self.store.count(view)
        ids = sorted({piece_id(record.id, piece, 0) for piece in draft.pieces})
        latest = self.store.backend.latest(ids)
        common = sum(not found.item.deleted for found in latest.values())
        return common > 0 and common >= _COMMON * min(held, len(ids))
