"""Documents that were stored before all of their words were known: large ones, and scans that OCR is to read."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from memplug.exceptions import InputRejected, NotFound
from memplug.inputs.document import DocumentInput
from memplug.pipelines.describing import failure
from memplug.pipelines.editions import DOCUMENT, Editions
from memplug.pipelines.indexing import index
from memplug.pipelines.pieces import gathered, pieces_of, spread
from memplug.pipelines.planning import Planner
from memplug.pipelines.steps import mark_failed
from memplug.pipelines.tasks import Task, waiting
from memplug.pipelines.versions import following, same_original, tombstone
from memplug.pipelines.wording import own_words
from memplug.plugins.metering import metered
from memplug.values.draft import Part
from memplug.values.request import AddRequest
from memplug.values.scope import Scope
from memplug.values.source import Provenance, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.pipelines.describing import Describing
    from memplug.plugins.protocols import ParseContext
    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem, Record
    from memplug.values.prompt import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The step that reads a document and has it described, as `add` does where it waits.

    A document is read anew at each try, since that takes seconds, and what its pages say is known only then. Its
    passages are stored before describers are asked, who may take minutes.

    Args:
        describing: Who asks describers, and works on the same store.
        context: How documents are read.
    """

    describing: Describing
    context: ParseContext
    name: ClassVar[str] = "parse"
    together: ClassVar[bool] = False

    @property
    def store(self) -> Store:
        """Where the documents are."""
        return self.describing.store

    def wants(self, item: MemoryItem) -> bool:
        """Whether it is a document; where nobody here describes it, it is only read."""
        return item.kind == DOCUMENT and item.media is not None and item.part_of is None

    def finish(self, ids: Sequence[str], *, last: bool) -> Usage | None:
        """Makes passages of a document that is pending; one that cannot be read becomes ``failed``, with the reason.

        Args:
            ids: The document's.
            last: Whether a describer that fails now makes the document ``failed``, with what the others say.

        Returns:
            What models took for it.

        Raises:
            ModelUnavailable: A describer's server could not answer, and another try is to come.
            PluginError: A describer failed, and another try is to come; or a guard failed.
            MemplugError: The document is gone, or the store failed.
        """
        [id_] = ids
        record = self.store.get(id_, None)
        if record.item.status != "pending":
            return None
        try:
            with metered() as meter:
                self._finish(record, last=last)
        except InputRejected as error:  # another try would end in the same way
            self.give_up(ids, f"{error.code}: {error}")
        return meter.usage

    def _finish(self, record: Record, *, last: bool) -> None:
        draft = self._read(record.item)
        earlier = self._earlier(record, draft)
        if earlier is None and self.describing.postponed(draft).pending:
            self._settle(record.id, replace(draft, pending=True), None)
        described, seen = self.describing.looked_at(draft)
        if seen.reason and not last and not seen.in_vain:
            raise failure(seen)
        self._settle(record.id, replace(described, pending=False), earlier)

    def give_up(self, ids: Sequence[str], reason: str) -> None:
        """Marks a document that is pending as failed, with the reason; it keeps its original and its name."""
        mark_failed(self.store, self.describing.contention, ids, reason)

    def _read(self, item: MemoryItem) -> Draft:
        """What `add` would have made of the document, without what its caller said about it."""
        if item.media is None:
            raise NotFound(f"memory {item.id!r} has no original to read")
        with closing(self.store.backend.open_media(item.media.digest)) as file:
            data = file.read()
        declared = item.metadata.get("declared_type")
        source = Source(
            data=data,
            name=item.media.name or None,
            media_type=declared if isinstance(declared, str) else item.content_type,
            origin=item.source.url,
        )
        part = Part(index=0, source=source, kind=DOCUMENT, role=item.source.role or "user", speaker=item.source.speaker)
        [draft] = DocumentInput().parse(part, replace(self.context, later=False))
        return draft

    def _earlier(self, record: Record, draft: Draft) -> str | None:
        """The memory that the document turns out to be a new edition of, now that it is read for the first time."""
        item = record.item
        if item.key is not None or "pages" in item.metadata or pieces_of(self.store, item):
            return None
        found = Editions(store=self.store).earlier(draft, Scope(**item.ids), apart_from=item.id)
        return found if found is not None and self._came_before(found, item) else None

    def _came_before(self, id_: str, item: MemoryItem) -> bool:
        """Whether a memory held what it holds now before a document was added, and not with the same `add`.

        Documents are not read in the order in which they came; an old edition must not take a newer one's place.
        """
        versions = self.store.backend.versions(id_)
        before = [version for version in versions if version.item.updated_at < item.created_at]
        if not before or not same_original(before[-1], versions[-1]):
            return False
        tasks = (Task.of(record).ids for record in waiting(self.store))
        return not any(id_ in ids and item.id in ids for ids in tasks)

    def _settle(self, id_: str, draft: Draft, earlier: str | None) -> None:
        """Commits a new version of the document with its passages, unless somebody else was faster.

        Args:
            id_: The document.
            draft: What was read of it.
            earlier: The memory that gets the new version instead; then the document itself goes.
        """

        def attempt() -> tuple[list[Record], list[Record]] | None:
            current = self.store.get(id_, None)
            if current.item.status != "pending":
                return None
            written, gone = self._planned(current, draft, earlier)
            written = index(written, self.describing.embedder)
            self.store.commit([*written, *gone], {})
            return written, gone

        if (done := self.describing.contention.settled(attempt)) is None:
            return
        self.describing.plugins.notify("after_add", items=[record.item.handed_out() for record in done[0]])
        if done[1]:
            self.describing.plugins.notify("on_delete", items=[record.item.handed_out() for record in done[1]])

    def _planned(self, current: Record, draft: Draft, earlier: str | None) -> tuple[list[Record], list[Record]]:
        """What is to be written, and the deletions.

        Raises:
            InputRejected: A guard refused it, or it breaks a limit together with what was said before.
        """
        scope = Scope(**current.item.ids)
        labelled = replace(_labelled(draft, current), text=self._given(current) or draft.text)
        kept = gathered(self.describing.plugins.guard(spread([labelled]), scope))
        if len(kept) != 1:
            raise InputRejected("left out by a plugin's before_add")
        planner = Planner(store=self.store, limits=self.context.limits)
        [[plan]] = planner.plan([(kept, AddRequest(content=None, scope=scope))], at={0: earlier or current.id})
        if plan.error is not None:
            raise plan.error
        gone = [*plan.pieces.gone]
        if earlier is not None:
            gone.append(_moved(current, earlier, self.store))
        return plan.written(), gone

    def _given(self, current: Record) -> str | None:
        """The words that the document is known by already, and goes on with: those that somebody changed since.

        None where these are still the ones that it was stored with unread.
        """
        words, unread = own_words(current.item), None
        for record in reversed(self.store.backend.versions(current.id)):
            if not same_original(record, current):
                break
            if record.item.status == "ready":
                return words  # it was read before
            unread = own_words(record.item)
        return None if words == unread else words


def _labelled(draft: Draft, record: Record) -> Draft:
    """The draft with everything that was said about the document when it was stored, or since."""
    item = record.item
    own: dict[str, Any] = {
        name: value
        for name, value in item.metadata.items()
        if name != "scanned_pages" and draft.metadata.get(name) != value
    }
    pieces = (
        replace(piece, tags=item.tags, metadata={**own, **piece.metadata}, expires_at=item.expires_at)
        for piece in draft.pieces
    )
    return replace(
        draft,
        key=item.key,
        context=record.context,
        tags=item.tags,
        metadata={**draft.metadata, **own},
        occurred_at=item.occurred_at,
        expires_at=item.expires_at,
        source=replace(item.source, described=None),
        pieces=tuple(pieces),
    )


def _moved(current: Record, to: str, store: Store) -> Record:
    """The deletion of a document that became a new version of another one, which it names."""
    gone = tombstone(current)
    return following(
        replace(gone, item=replace(gone.item, source=Provenance(derived_from=(to,)))), current, store.clock()
    )
