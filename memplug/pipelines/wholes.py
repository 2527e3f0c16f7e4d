"""Whether wholes and pieces of a store still belong together: a document and its passages."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.exceptions import InputRejected, NotFound
from memplug.inputs.document import DocumentInput, scanned_pages
from memplug.plugins.protocols import ParseContext
from memplug.values.draft import Part
from memplug.values.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.store import Store
    from memplug.values.item import MemoryItem, Record
    from memplug.values.limits import Limits


_BATCH = 1_000


@dataclass(slots=True, kw_only=True)
class Wholes:
    """Collects them from all current memories of a store, and tells what has lost the other.

    Args:
        store: Where they are.
        limits: With which documents are read again.
    """

    store: Store
    limits: Limits
    _pieces: dict[str, str] = field(default_factory=dict)
    _documents: set[str] = field(default_factory=set)

    def look(self, record: Record) -> None:
        """Notes one memory."""
        item = record.item
        if item.part_of is not None:
            self._pieces.setdefault(item.part_of, item.id)
        elif item.kind == DocumentInput.name and item.media is not None and item.status == "ready":
            self._documents.add(item.id)

    def lone_pieces(self) -> Iterator[str]:
        """A piece of each whole that is not there any more. Nobody would find its document, or delete it with that."""
        named = list(self._pieces)
        for start in range(0, len(named), _BATCH):
            there = self.store.backend.latest(some := named[start : start + _BATCH])
            for whole in some:
                if (whole not in there or there[whole].item.deleted) and self._is_there(self._pieces[whole]):
                    yield self._pieces[whole]

    def hollow(self) -> Iterator[str]:
        """Documents with words in them of which no passage was ever there, so that nobody finds these words.

        Passages that somebody deleted leave their deletions, so that those of a document which never had any are told
        apart. Whether one should have some, only its file says.
        """
        for id_ in sorted(self._documents - self._pieces.keys()):
            item = self.store.backend.latest([id_])[id_].item
            if not item.deleted and not self._had_pieces(id_) and self._has_words(item):
                yield id_

    def _is_there(self, id_: str) -> bool:
        """Whether it still is: somebody may have deleted both since they were noted."""
        found = self.store.backend.latest([id_]).get(id_)
        return found is not None and not found.item.deleted

    def _had_pieces(self, id_: str) -> bool:
        return bool(self.store.pieces([id_]))

    def _has_words(self, item: MemoryItem) -> bool:
        pages = item.metadata.get("pages")
        scanned = isinstance(pages, int) and 0 < pages <= len(scanned_pages(item.metadata))
        if item.media is None or scanned:
            return False
        try:
            with closing(self.store.backend.open_media(item.media.digest)) as file:
                source = Source(data=file.read(), media_type=item.media.content_type, name=item.media.name)
            part = Part(index=0, source=source, kind=DocumentInput.name)
            return any(draft.pieces for draft in DocumentInput().parse(part, ParseContext(limits=self.limits)))
        except (NotFound, InputRejected):
            return False  # other checks tell of an original that is gone or damaged
