"""Feedback that could not be applied: kept in its own words, until somebody or a model knows what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.inputs.text import TextInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.plugins.protocols import ParseContext
    from memplug.values.draft import Draft, Part


class FeedbackInput:
    """Takes texts that are said to be feedback."""

    name = "feedback"

    def accepts(self, part: Part) -> bool:
        """Whether it is a text that is asked to be feedback."""
        return part.text is not None and part.kind == self.name

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:
        """One draft of the text.

        Raises:
            MalformedInput: The text is empty or blank, or not valid Unicode.
        """
        for draft in TextInput().parse(part, context):
            yield replace(draft, kind=self.name)
