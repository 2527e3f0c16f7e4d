"""Text: what was said or written, kept in its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput
from memplug.inputs.provenance import provenance_of
from memplug.safety.text import clean
from memplug.values.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.plugins.protocols import ParseContext
    from memplug.values.draft import Part


class TextInput:
    """Takes texts whose kind nobody asked for otherwise, and gives one memory for each."""

    name = "text"

    def accepts(self, part: Part) -> bool:
        """Whether the part is a text."""
        return part.text is not None and part.kind in {None, self.name}

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:  # noqa: ARG002 - the Protocol's shape
        """One draft of the text as the user wrote it; their description, if any, helps to find it.

        Raises:
            MalformedInput: The text is empty or blank, or not valid Unicode.
        """
        text = clean(part.text or "")
        if not text.strip():
            raise MalformedInput("empty text", hint="there is nothing to remember in it")
        yield Draft(
            part=part.index,
            kind=self.name,
            text=text,
            context=clean(part.description or ""),
            occurred_at=part.occurred_at,
            source=provenance_of(part),
        )
