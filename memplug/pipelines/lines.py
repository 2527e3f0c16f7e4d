"""Lines of JSON from a file that may be damaged or hostile: numbered, bounded, each wrong one wrong alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes that are kept of a line over the limit: enough to see what it was about.
_HEAD = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLine:
    """One line.

    Args:
        number: Counted from 1.
        data: Its bytes; of a line over the limit only the beginning.
        limit: Most bytes that a line may have, without its line end.
        whole: Whether it keeps to the limit.
    """

    number: int
    data: bytes
    limit: int
    whole: bool = True

    def value(self) -> object:
        """The JSON value.

        Raises:
            InputTooLarge: The line is over the limit.
            MalformedInput: It is no JSON.
        """
        from pydantic_core import from_json

        if not self.whole:
            raise InputTooLarge(f"line {self.number} is over {self.limit} bytes")
        try:
            return from_json(self.data, allow_inf_nan=False)
        except ValueError as error:
            raise MalformedInput(f"line {self.number} is not JSON: {error}") from error


def raw_lines(file: IO[bytes], limit: int) -> Iterator[RawLine]:
    """The lines of a file. One that is over the limit is read to its end, so that its tail never passes for a line."""
    number = 0
    while data := file.readline(limit + 1):
        number += 1
        whole = data.endswith(b"\n") or len(data) <= limit
        if not whole:
            data = data[:_HEAD]
            _drain(file)
        yield RawLine(number=number, data=data, limit=limit, whole=whole)


def count_lines(file: IO[bytes]) -> int:
    """How many lines a file has, whatever their length."""
    lines, last = 0, b"\n"
    while block := file.read(MIB):
        lines += block.count(b"\n")
        last = block[-1:]
    return lines + (last != b"\n")


def _drain(file: IO[bytes]) -> None:
    while (rest := file.readline(MIB)) and not rest.endswith(b"\n"):
        pass
