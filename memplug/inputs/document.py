"""Documents: the original byte for byte, and its text in passages that know where they stand."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.inputs.documents.chunking import STEP, passages
from memplug.inputs.documents.formats import find_format, is_document
from memplug.inputs.documents.reading import Block, Reading
from memplug.inputs.provenance import provenance_of
from memplug.safety.text import clean
from memplug.values.draft import Draft, Media
from memplug.values.source import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from memplug.inputs.documents.chunking import Passage
    from memplug.inputs.documents.formats import Found
    from memplug.plugins.protocols import ParseContext
    from memplug.values.draft import Part
    from memplug.values.limits import Limits
    from memplug.values.source import Provenance, Role

_NOT_WORDS = re.compile(r"[\W_]+")
#: Characters of the headings that a document is recognised by, and of its first words where it has neither.
_OUTLINE, _FIRST_WORDS = 500, 200
#: Characters of a title and of a name that stand with each passage, and of a warning; and how many warnings do.
_TITLE, _WARNING, _WARNINGS = 200, 300, 20
#: Who else may have said what a document holds; everybody else only handed it in.
_QUOTED: frozenset[Role] = frozenset({"tool", "web", "document"})
_SCANNED = "scanned_pages"
#: What reading a document puts into its metadata.
READ_METADATA = frozenset({"title", "pages", _SCANNED, "warnings", "declared_type"})


class DocumentInput:
    """Takes PDF, Office and text files; old Office files and the like too, so as to refuse them with an advice."""

    name = "document"

    def accepts(self, part: Part) -> bool:
        """Whether it is to be a document, or its bytes are one."""
        if part.kind is not None:
            return part.kind == self.name
        return part.source is not None and part.source.data is not None and is_document(part.source.data)

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:
        """One draft with the file, and its passages as `Draft.pieces`.

        Its words are its title or name and its headings, by which people know it; what was sent along with it helps to
        find it. The passages are the document's own words, each with its page and section. A document without text
        (a scan) has none.

        Where it may be done later, a document over ``limits.parse_later_bytes`` is not read here: the draft is pending,
        has no passages, and is known by its name and the user's description.

        Raises:
            UnsupportedInput: Bytes that are no document, or one of a format that is not read.
            InputTooLarge: More bytes, pages, characters or cells than are taken, or too much to read in time.
            MalformedInput: Damaged, empty, or without bytes.
            EncryptedInput: It only opens with a password.
            UnsafeInput: Made to do harm to whoever reads it.
        """
        source = _source(part)
        data = cast("bytes", source.data)
        if len(data) > context.limits.document_bytes:
            raise InputTooLarge(
                f"the document has {len(data):,} bytes; at most {context.limits.document_bytes:,} are taken"
            )
        name = clean(source.label)
        found = find_format(data, media_type=source.media_type, name=name)
        media = Media(data=data, content_type=found.format.content_type, name=name)
        if context.later and len(data) > context.limits.parse_later_bytes:
            yield _unread(part, media, found)
            return
        reading = _reading(found, data, context.limits)
        if found.format.text and not reading.blocks:
            raise MalformedInput("there is no text in the document", hint="there is nothing to find it by")
        yield _draft(part, media, found, reading)


def _source(part: Part) -> Source:
    """The bytes of a part; of a text that is to be a document, those of the text."""
    if part.source is not None and part.source.data is not None:
        return part.source
    if part.text is not None:
        return Source(data=clean(part.text).encode())
    raise MalformedInput("a document needs its bytes", hint="a path, bytes, a URL or a data URL")


def _reading(found: Found, data: bytes, limits: Limits) -> Reading:
    """What the worker's process finds in the document, checked again here against the limits on text and pages."""
    from memplug.safety.worker import run

    reading = Reading.of_json(run(found.format.reader, data, limits=limits, options=found.format.options))
    if reading.pages > limits.document_pages:
        raise InputTooLarge(f"the document has {reading.pages:,} pages; at most {limits.document_pages:,} are taken")
    if sum(len(block.text) for block in reading.blocks) > limits.document_characters:
        raise InputTooLarge(f"the document has more than {limits.document_characters:,} characters of text")
    return reading


def _unread(part: Part, media: Media, found: Found) -> Draft:
    """A document that is still to be read, known by its name and the user's own words."""
    said = (_brief(media.name, _TITLE), clean(part.description or "").strip())
    return Draft(
        part=part.index,
        kind=DocumentInput.name,
        text="\n".join(one for one in said if one) or found.format.label,
        context=_sent_along(part, media),
        media=media,
        content_type=media.content_type,
        metadata={"declared_type": found.declared_type} if found.declared_type else {},
        occurred_at=part.occurred_at,
        source=provenance_of(part),
        pending=True,
    )


def _draft(part: Part, media: Media, found: Found, reading: Reading) -> Draft:
    reading = replace(reading, title=_brief(reading.title, _TITLE))
    provenance = provenance_of(part)
    return Draft(
        part=part.index,
        kind=DocumentInput.name,
        text=_known_by(media, found, reading),
        context=_sent_along(part, media),
        media=media,
        content_type=media.content_type,
        metadata=_metadata(found, reading),
        occurred_at=part.occurred_at,
        source=provenance,
        pieces=tuple(_pieces(part.index, reading, provenance, _name_words(media))),
    )


def _sent_along(part: Part, media: Media) -> str:
    sent = (clean(part.description or ""), clean(part.context), _name_words(media))
    return "\n".join(one for one in sent if one.strip())


def _name_words(media: Media) -> str:
    return _brief(_NOT_WORDS.sub(" ", _stem(media.name)).strip(), _TITLE)


def scanned_pages(metadata: Mapping[str, Any]) -> tuple[int, ...]:
    """The pages of a document that show something and have no words, by its metadata; rising."""
    held = metadata.get(_SCANNED)
    numbers = held if isinstance(held, list | tuple) else ()
    return tuple(sorted({one for one in numbers if type(one) is int and one > 0}))


def with_pages(draft: Draft, words: Mapping[int, str], *, read_by: str) -> Draft:
    """A document with the words of pages that had none, as passages of these pages, in the place where these stand.

    Args:
        draft: The document.
        words: What stands on which page.
        read_by: Who says so; the passages' metadata has it.
    """
    blocks = [
        Block(kind="paragraph", text=paragraph.strip(), page=page)
        for page in sorted(words)
        for paragraph in words[page].split("\n\n")
        if paragraph.strip()
    ]
    title = draft.metadata.get("title")
    reading = Reading(blocks=tuple(blocks), title=title if isinstance(title, str) else "")
    source = replace(draft.source, message=None, position=None)
    own = draft.pieces[0].metadata if draft.pieces else _without(draft.metadata, READ_METADATA)
    fresh = [
        replace(piece, tags=draft.tags, metadata={**own, "read_by": read_by}, expires_at=draft.expires_at)
        for piece in _pieces(draft.part, reading, source, _name_words(cast("Media", draft.media)))
    ]
    pieces = sorted([*draft.pieces, *fresh], key=lambda piece: piece.source.page or 0)
    placed = (replace(one, source=replace(one.source, position=place)) for place, one in enumerate(pieces))
    return replace(draft, pieces=tuple(placed))


def without_scanned(metadata: Mapping[str, Any], pages: Collection[int]) -> dict[str, Any]:
    """The metadata of a document that does not list these pages as scanned any more."""
    if not pages:
        return dict(metadata)
    left = [page for page in scanned_pages(metadata) if page not in pages]
    return _without(metadata, {_SCANNED}) | ({_SCANNED: left} if left else {})


def _without(metadata: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in names}


def _known_by(media: Media, found: Found, reading: Reading) -> str:
    """The words that people know a document by: its title or name, and its headings as far as they are short."""
    title = reading.title or _brief(media.name, _TITLE)
    headings = list(dict.fromkeys(block.text for block in reading.blocks if block.kind == "heading"))
    outline = _shortened([heading for heading in headings if heading != title])
    if not outline and not title and reading.blocks:
        outline = " ".join(reading.blocks[0].text[:_FIRST_WORDS].split())
    pages = f", {reading.pages:,} pages" if reading.pages > 1 else ""
    return "\n".join(line for line in (title, outline) if line) or f"{found.format.label}{pages}"


def _shortened(headings: Sequence[str]) -> str:
    kept, size = list[str](), 0
    for heading in headings:
        size += len(heading) + 3
        if size > _OUTLINE:
            return " · ".join([*kept, "…"])
        kept.append(heading)
    return " · ".join(kept)


def _pieces(part: int, reading: Reading, provenance: Provenance, name: str) -> Iterator[Draft]:
    for passage in passages(reading):
        yield Draft(
            part=part,
            kind=DocumentInput.name,
            text=passage.text,
            context=_context(passage, reading.title, name),
            source=_cited(passage, provenance),
        )


def _context(passage: Passage, title: str, name: str) -> str:
    """The words that stand over a passage: it is found by them too, though they are not its own."""
    headings = STEP.join(passage.headings)
    return "\n".join(dict.fromkeys(words for words in (headings, title, name) if words and words != passage.text))


def _cited(passage: Passage, provenance: Provenance) -> Provenance:
    """Whose words they are: the document's, and not those of whoever handed it in."""
    role = provenance.role if provenance.role in _QUOTED else "document"
    return replace(
        provenance,
        role=role,
        speaker=None,
        page=passage.page,
        section=passage.path or None,
        position=passage.position,
    )


def _brief(words: str, length: int) -> str:
    """Words from a file, which may be endless, cut to what people read."""
    return words if len(words) <= length else f"{words[:length]}…"


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _metadata(found: Found, reading: Reading) -> dict[str, Any]:
    known: dict[str, Any] = {
        "title": reading.title,
        "pages": reading.pages,
        _SCANNED: list(reading.scanned),
        "warnings": [_brief(warning, _WARNING) for warning in reading.warnings[:_WARNINGS]],
        "declared_type": found.declared_type,
    }
    return {name: value for name, value in known.items() if value}
