"""Words for the pages of a document that show something and have no text: scans, and pictures on slides."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.inputs.document import scanned_pages, with_pages, without_scanned
from memplug.plugins.protocols import PageDescriber
from memplug.safety.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memplug.plugins.protocols import Describer
    from memplug.values.draft import Draft, Media

log = logging.getLogger("memplug.ingest")


def reads_pages(describer: Describer, media: Media) -> bool:
    """Whether a describer is asked for single pages of media of this type, and not for the whole."""
    return isinstance(describer, PageDescriber) and not media.content_type.startswith("image/")


def with_pages_read(
    draft: Draft, media: Media, describers: Sequence[Describer]
) -> tuple[Draft, list[tuple[str, Exception]]]:
    """The document with what describers read on its scanned pages, and why some could not, by the describer's name.

    What one describer finds no words on is shown to the next. A page that was looked at is not scanned any more, also
    where nobody found words on it; one that nobody could look at stays listed, and the same document again offers it
    again.

    Args:
        draft: The document.
        media: Its original.
        describers: Those that take media of its type.
    """
    left, seen = scanned_pages(draft.metadata), set[int]()
    errors: list[tuple[str, Exception]] = []
    for describer in describers:
        if not left or not isinstance(describer, PageDescriber):
            continue
        words = _words(describer, media, left, draft.text)
        if isinstance(words, Exception):
            errors.append((describer.name, words))
            continue
        seen.update(words)
        draft = with_pages(draft, {page: text for page, text in words.items() if text}, read_by=describer.name)
        left = tuple(page for page in left if not words.get(page))
    return replace(draft, metadata=without_scanned(draft.metadata, seen)), errors


def _words(describer: PageDescriber, media: Media, pages: Sequence[int], context: str) -> Mapping[int, str] | Exception:
    """The words of the pages that the describer could look at, or what it raised."""
    try:
        found = describer.pages(media, pages, context=context)
        return {page: clean(found[page]).strip() for page in pages if page in found}
    except Exception as error:  # noqa: BLE001 - the document is kept, and its status carries the reason
        log.warning("describer %s failed on %d pages", describer.name, len(pages))
        return error
