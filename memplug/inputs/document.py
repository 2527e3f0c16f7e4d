"""Documents: the original byte for byte, and its text in passages that know where they stand."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.inputs.documents.chunking import STEP, passages
from memplug.inputs.documents.formats import find_format, is_document
from memplug.inputs.documents.reading import Reading
from memplug.inputs.provenance import provenance_of
from memplug.safety.text import clean
from memplug.values.draft import Draft, Media
from memplug.values.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        reading = _reading(found, data, context.limits)
        if found.format.text and not reading.blocks:
            raise MalformedInput("there is no text in the document", hint="there is nothing to find it by")
        yield _draft(part, Media(data=data, content_type=found.format.content_type, name=name), found, reading)


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


def _draft(part: Part, media: Media, found: Found, reading: Reading) -> Draft:
    reading = replace(reading, title=_brief(reading.title, _TITLE))
    provenance = provenance_of(part)
    words = _brief(_NOT_WORDS.sub(" ", _stem(media.name)).strip(), _TITLE)
    sent = (clean(part.description or ""), clean(part.context), words)
    return Draft(
        part=part.index,
        kind=DocumentInput.name,
        text=_known_by(media, found, reading),
        context="\n".join(one for one in sent if one.strip()),
        media=media,
        content_type=media.content_type,
        metadata=_metadata(found, reading),
        occurred_at=part.occurred_at,
        source=provenance,
        pieces=tuple(_pieces(part, reading, provenance, words)),
    )


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


def _pieces(part: Part, reading: Reading, provenance: Provenance, name: str) -> Iterator[Draft]:
    for passage in passages(reading):
        yield Draft(
            part=part.index,
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
        "scanned_pages": list(reading.scanned),
        "warnings": [_brief(warning, _WARNING) for warning in reading.warnings[:_WARNINGS]],
        "declared_type": found.declared_type,
    }
    return {name: value for name, value in known.items() if value}
