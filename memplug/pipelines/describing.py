"""Gives words to media, at once or later."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from memplug.exceptions import (
    ConfigError,
    MalformedInput,
    MemplugError,
    ModelUnavailable,
    NotFound,
    PluginError,
    VersionConflict,
)
from memplug.inputs.document import scanned_pages
from memplug.pipelines.editions import DOCUMENT
from memplug.pipelines.guarding import guarded
from memplug.pipelines.indexing import index
from memplug.pipelines.looking import Look, look
from memplug.pipelines.pages import reads_pages, with_pages_read
from memplug.pipelines.steps import mark_failed
from memplug.pipelines.tasks import Task, new_task
from memplug.pipelines.versions import following
from memplug.pipelines.wording import joined, mark_of, own_words
from memplug.plugins.metering import metered
from memplug.values.draft import Media
from memplug.values.outcome import AddResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.pipelines.versions import Contention
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Describer, Embedder
    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem, Record, Status
    from memplug.values.outcome import Event
    from memplug.values.prompt import Usage
    from memplug.values.scope import Scope

log = logging.getLogger("memplug.ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing:
    """The step between parsing and extracting. The user's own words always stay and come first."""

    store: Store
    plugins: PluginManager
    embedder: Embedder
    contention: Contention
    name: ClassVar[str] = "describe"
    together: ClassVar[bool] = False

    def described(self, draft: Draft) -> Draft:
        """The draft with what describers see in its media, and read on its scanned pages."""
        return self.looked_at(draft)[0]

    def looked_at(self, draft: Draft) -> tuple[Draft, Look]:
        """The same, and what they saw."""
        media = draft.media
        if media is None:
            return draft, Look(words="")
        seen = self._seen(media, draft.text, draft.context)
        if draft.kind == DOCUMENT and scanned_pages(draft.metadata):
            describers = [one for one in self.plugins.describers() if _accepts(one, media)]
            draft, errors = with_pages_read(draft, media, describers)
            seen = replace(seen, errors=(*seen.errors, *errors))
        # A server that has too much to do, or is away, is asked again in the background.
        pending = draft.pending or seen.later
        return replace(draft, described=seen.words, error=seen.reason or draft.error, pending=pending), seen

    def postponed(self, draft: Draft) -> Draft:
        """The draft, marked as one that `finish` will be called for, if any describer has something to say of it."""
        if draft.media is None or draft.pending:
            return draft
        scanned = draft.kind == DOCUMENT and bool(scanned_pages(draft.metadata))
        return replace(draft, pending=self._offered(draft.media, scanned=scanned))

    def wants(self, item: MemoryItem) -> bool:
        """Whether any describer here has something to say of a memory that is pending."""
        if item.kind == DOCUMENT or item.media is None or not self.plugins.describers():
            return False  # a document's own step has it described
        try:
            return self._offered(self._media(item))
        except NotFound:
            return True  # its original is lost, and `finish` will say so

    def finish(self, ids: Sequence[str], *, last: bool = True) -> Usage | None:
        """Describes a stored memory that is pending, as a new version; one that is not pending is left as it is.

        Args:
            ids: The memory's.
            last: Whether a describer that fails now makes the memory ``failed``, with what the others say.

        Returns:
            What models took for it.

        Raises:
            ModelUnavailable: A describer's server could not answer, and another try is to come.
            PluginError: A describer failed, and another try is to come.
            MemplugError: The memory is gone, or the store or a guard failed.
        """
        [id_] = ids
        record = self.store.get(id_, None)
        if record.item.status != "pending":
            return None
        with metered() as meter:
            seen = self._look(record)
        if seen.reason and not last and not seen.in_vain:
            raise failure(seen)

        def attempt() -> Record | None:
            current = self.store.get(id_, None)
            if current.item.status != "pending" or current.item.media != record.item.media:
                return None  # another process was faster; or another picture came under its key
            status: Status = "failed" if seen.errors else "ready"
            done = self._with(seen, current, status)
            self.store.commit([done], {})
            return done

        self._written(self.contention.settled(attempt))
        return meter.usage

    def again(self, id_: str, scope: Scope | None, *, wait: bool) -> AddResult:
        """Describes a memory once more, as a new version; see `Memory.describe`.

        Raises:
            NotFound: There is no such memory inside the scope.
            AccessDenied: It lies in a shared bucket, where the user may only read it.
            MalformedInput: It has no original.
            ConfigError: No describer takes originals of its type.
            ModelError, PluginError: A describer failed, and ``wait`` is True; the memory is as it was.
            VersionConflict: Another picture came under its key meanwhile.
        """
        if not wait:
            return self.contention.settled(lambda: self._postpone(id_, scope))
        record = self._describable(id_, scope)
        with metered() as meter:
            seen = self._look(record)
        if seen.errors:
            raised = seen.errors[0][1]
            raise raised if isinstance(raised, MemplugError) else failure(seen)

        def attempt() -> Record | None:
            current = self.store.get(id_, scope, change=True)
            if current.item.media != record.item.media:
                return None
            # Where another step is still to come, it stays to come.
            done = self._with(seen, current, "pending" if current.item.status == "pending" else "ready")
            self.store.commit([done], {})
            return done

        if (done := self._written(self.contention.settled(attempt))) is None:
            raise VersionConflict(f"memory {id_!r} has another picture now", current={}, hint="describe it again")
        return AddResult(outcomes=(_outcome("updated", done.item),), usage=meter.usage)

    def _postpone(self, id_: str, scope: Scope | None) -> AddResult:
        """Leaves it to the background; what describers said before is found until they said something else."""
        record, now = self._describable(id_, scope), self.store.clock()
        pending = replace(record.item, status="pending", error=None)
        record, task = following(replace(record, item=pending), record, now), new_task([id_], now)
        self.store.commit([record, task], {})
        return AddResult(outcomes=(_outcome("pending", record.item),), task_id=Task.of(task).id)

    def _describable(self, id_: str, scope: Scope | None) -> Record:
        """A memory that somebody wants described; raises what `again` does."""
        record = self.store.get(id_, scope, change=True)
        if record.item.media is None:
            raise MalformedInput(f"memory {id_!r} has no picture to describe")
        if not self._offered(self._media(record.item)):
            raise ConfigError(
                f"nothing here can describe a memory of type {record.item.content_type}",
                hint="name a model that can see, as Memory(vision_model=...), or install a plugin that describes",
            )
        return record

    def _with(self, seen: Look, current: Record, status: Status) -> Record:
        """The next version of a memory, with what was seen in place of what describers said before.

        Raises:
            MemplugError: A guard refused it or failed, or the embedder did.
        """
        own = own_words(current.item)
        # Where nothing new is known, what was said before stays.
        text = joined(own, seen.words) if seen.words or not seen.errors else current.item.text
        done = replace(current.item, text=text, status=status, error=seen.reason)
        record = guarded(following(replace(current, item=done), current, self.store.clock()), self.plugins)
        source = replace(record.item.source, described=mark_of(own, record.item.text))
        [record] = index([replace(record, item=replace(record.item, source=source))], self.embedder)
        return record

    def _written(self, record: Record | None) -> Record | None:
        """Tells the observers."""
        if record is not None:
            self.plugins.notify("after_add", items=[record.item.handed_out()])
        return record

    def give_up(self, ids: Sequence[str], reason: str) -> None:
        """Marks a memory that is pending as failed, with the reason; it keeps the words that it has."""
        mark_failed(self.store, self.contention, ids, reason)

    def _media(self, item: MemoryItem) -> Media:
        if item.media is None:
            raise NotFound(f"memory {item.id!r} has no original to describe")
        with closing(self.store.backend.open_media(item.media.digest)) as file:
            return Media(
                data=file.read(),
                content_type=item.media.content_type,
                name=item.media.name,
                width=item.media.width,
                height=item.media.height,
            )

    def _offered(self, media: Media, *, scanned: bool = False) -> bool:
        found = [one for one in self.plugins.describers() if scanned or not reads_pages(one, media)]
        return any(_accepts(describer, media) for describer in found)

    def _look(self, record: Record) -> Look:
        return self._seen(self._media(record.item), own_words(record.item), record.context)

    def _seen(self, media: Media, own: str, beside: str) -> Look:
        """What describers say, knowing the user's description and the words that were sent along with it."""
        asked = [one for one in self.plugins.describers() if not reads_pages(one, media)]
        return look(asked, media, "\n".join(words for words in (own, beside) if words))


def _outcome(event: Event, item: MemoryItem) -> Outcome:
    return Outcome(event=event, id=item.id, kind=item.kind, text=item.text, key=item.key, version=item.version)


def failure(seen: Look) -> MemplugError:
    """Why describers could not say all that they might."""
    if seen.later:
        return ModelUnavailable(str(seen.reason), retry_after=seen.retry_after)
    return PluginError(str(seen.reason), plugin="describer", hook="describe")


def _accepts(describer: Describer, media: Media) -> bool:
    try:
        return describer.accepts(media)
    except Exception:
        # It had its chance; the other describers still have theirs.
        log.exception("describer %s failed to look at %d bytes", describer.name, len(media.data))
        return False
