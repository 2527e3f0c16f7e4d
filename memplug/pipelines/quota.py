"""How many documents one request may bring, and how large they may be together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge

if TYPE_CHECKING:
    from memplug.plugins.protocols import InputType
    from memplug.values.draft import Part
    from memplug.values.limits import Limits

_DOCUMENT = "document"


#: Documents that are read for each one that may be stored: what is refused takes time, too.
_TRIES = 2


class Quota:
    """What is left of both for one request. A document that is refused takes no other one's place.

    Args:
        limits: ``documents`` and ``documents_bytes``.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._number = 0
        self._bytes = 0
        self._tried = 0

    def take(self, part: Part, input_type: InputType) -> None:
        """Counts a part that is a document, before it is read.

        Raises:
            InputTooLarge: There were as many before it, or as much; those stand.
        """
        if input_type.name != _DOCUMENT:
            return
        size = _size(part)
        if self._number >= self._limits.documents or self._tried >= _TRIES * self._limits.documents:
            raise InputTooLarge(
                f"one add takes at most {self._limits.documents:,} documents", hint="add the others in the next one"
            )
        if self._bytes + size > self._limits.documents_bytes:
            raise InputTooLarge(
                f"the documents of one add may have {self._limits.documents_bytes:,} bytes together",
                hint="add this one by itself",
            )
        self._number += 1
        self._tried += 1
        self._bytes += size

    def give_back(self, part: Part, input_type: InputType) -> None:
        """Lets go of what was taken for a part that is refused once it is read."""
        if input_type.name == _DOCUMENT:
            self._number -= 1
            self._bytes -= _size(part)


def _size(part: Part) -> int:
    return len(part.source.data or b"") if part.source is not None else 0
