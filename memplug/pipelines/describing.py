"""Gives words to media, at once or later."""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.exceptions import NotFound, PluginError
from memplug.pipelines.guarding import guarded
from memplug.pipelines.indexing import index
from memplug.pipelines.versions import following
from memplug.values.draft import Media

if TYPE_CHECKING:
    from memplug.pipelines.versions import Contention
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem, Record

log = logging.getLogger("memplug.ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing:
    """The step between parsing and extracting. The user's own words always stay and come first."""

    store: Store
    plugins: PluginManager
    embedder: Embedder
    contention: Contention

    def described(self, draft: Draft) -> Draft:
        """The draft with what describers see in its media."""
        if draft.media is None:
            return draft
        words, error = self._words(draft.media, draft.text)
        return replace(draft, described=words, error=error or draft.error)

    def postponed(self, draft: Draft) -> Draft:
        """The draft, marked as one that `finish` will be called for, if any describer has something to say of it."""
        media = draft.media
        wanted = media is not None and any(describer.accepts(media) for describer in self.plugins.describers())
        return replace(draft, pending=wanted)

    def finish(self, id_: str, *, last: bool = True) -> None:
        """Describes a stored memory that is pending, as a new version; one that is not pending is left as it is.

        Args:
            id_: The memory's.
            last: Whether a describer that fails now makes the memory ``failed``, with what the others say.

        Raises:
            PluginError: A describer failed, and another try is to come.
            MemplugError: The memory is gone, or the store or a guard failed.
        """
        item = self.store.get(id_, None).item
        if item.status != "pending":
            return
        words, error = self._words(self._media(item), item.text)
        if error and not last:
            raise PluginError(error, plugin="describer", hook="describe")

        def attempt() -> Record | None:
            current = self.store.get(id_, None)
            if current.item.status != "pending":
                return None  # another process was faster
            text = "\n".join(part for part in (current.item.text, words) if part)
            done = replace(current.item, text=text, status="failed" if error else "ready", error=error)
            record = guarded(following(replace(current, item=done), current, self.store.clock()), self.plugins)
            [record] = index([record], self.embedder)
            self.store.commit([record], {})
            return record

        if (record := self.contention.settled(attempt)) is not None:
            self.plugins.notify("after_add", items=[record.item.handed_out()])

    def give_up(self, id_: str, reason: str) -> None:
        """Marks a memory that is pending as failed, with the reason; it keeps the words that it has."""

        def attempt() -> None:
            current = self.store.get(id_, None)
            if current.item.status == "pending":
                done = replace(current.item, status="failed", error=reason)
                self.store.commit([following(replace(current, item=done), current, self.store.clock())], {})

        with suppress(NotFound):
            self.contention.settled(attempt)

    def _media(self, item: MemoryItem) -> Media:
        if item.media is None:
            raise NotFound(f"memory {item.id!r} has no original to describe")
        with closing(self.store.backend.open_media(item.media.digest)) as file:
            return Media(data=file.read(), content_type=item.media.content_type, name=item.media.name)

    def _words(self, media: Media, text: str) -> tuple[str, str | None]:
        """What all describers say, and why some could not."""
        words, errors = [], []
        for describer in self.plugins.describers():
            try:
                found = describer.describe(media, context=text).strip() if describer.accepts(media) else ""
            except Exception as error:  # noqa: BLE001 - the picture is kept, and its status carries the reason
                log.warning("describer %s failed on %d bytes", describer.name, len(media.data))
                errors.append(f"{describer.name}: {error}")
            else:
                words += [found] if found else []
        return "\n".join(words), "; ".join(errors) or None
