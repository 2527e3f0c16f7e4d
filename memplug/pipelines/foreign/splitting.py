"""Takes large JSON files apart: the members of their arrays, numbered, bounded, each wrong one wrong alone.

`ijson` would be the library for this. Of its 3.6.0 was measured: 200 kB of ``[`` eat all memory of the machine; a
number over 64 bits or a NaN anywhere ends the whole file; half a surrogate pair silently becomes a question mark.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of one conversation or memory, which are in memory at once; ten thousand turns come to about 30 MB.
ELEMENT_BYTES = 64 * MIB
#: Nesting of one. ChatGPT's reach about 20; Python's own parser recurses.
MAX_DEPTH = 200
_BLOCK = MIB
#: Bytes that are kept of what is too large, and of what stands around the arrays.
_HEAD = 1_024
_AROUND = 64 * 1_024
_QUOTE, _OPEN, _CLOSE = ord('"'), frozenset(b"[{"), frozenset(b"]}")
#: Everything up to the next bracket that is not inside a text, or up to a text that does not end here. Possessive,
#: since nothing that was read is ever read again.
_PLAIN = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_BETWEEN = re.compile(rb"[ \t\r\n]*+,?+[ \t\r\n]*+")
_BLANKS = re.compile(rb"[ \t\r\n]*+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: The name that stands before a value.
_NAME = re.compile(rb'"((?:[^"\\]|\\.){1,200})"[ \t\r\n]*:[ \t\r\n]*\Z', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One member of an array.

    Args:
        number: Its place in the array, counted from 1.
        member: What the array is called in the object around it; empty where there is none.
        data: Its bytes; of one with a problem perhaps only the beginning.
        problem: What is wrong with it, as far as that is known already.
        too_large: Whether the problem is its size.
    """

    number: int
    member: str = ""
    data: bytes = b""
    problem: str = ""
    too_large: bool = False

    def value(self) -> Any:
        """The JSON value.

        Raises:
            InputTooLarge: It is too large or nested too deeply.
            MalformedInput: It is no JSON, or names something twice.
        """
        if self.problem:
            raise (InputTooLarge if self.too_large else MalformedInput)(self.problem)
        return parsed(self.data)


def parsed(data: bytes) -> Any:
    """JSON that was checked for its nesting. Half a surrogate pair stays one, so that it spoils only its own text.

    Raises:
        MalformedInput: It is no JSON, not UTF-8, or names something twice, of which one would be lost.
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise MalformedInput(f"this is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"it names {twice!r:.80} twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


class Splitter:
    """Reads a file of arrays, or of objects that hold arrays, or of both one behind the other.

    Args:
        file: Open for reading.
        whole: Whether an object at the top is itself what is looked for; else its arrays are.
    """

    def __init__(self, file: IO[bytes], *, whole: bool = False) -> None:
        self._file = file
        self._whole = whole
        self._buffer = b""
        self._start = self._place = 0
        self._inside = False
        self._head: bytes | None = None
        self._number = 0
        #: What stands in an object beside its arrays, such as ``"count": 250``; only the beginning where it is long.
        self.around = b""
        #: Bytes that were read.
        self.read = 0

    def __iter__(self) -> Iterator[Element]:
        while (first := self._first()) is not None:
            if first == ord("["):
                self._place += 1
                yield from self._array("")
            elif first == ord("{") and not self._whole:
                self._place += 1
                yield from self._object()
            elif first == ord("{"):
                yield self._value("")
            else:
                yield self._wrong("something that is neither an array nor an object stands here")
                return

    def _first(self) -> int | None:
        """Moves to the first byte that is no blank."""
        while True:
            if self._number == 0 and self._buffer.startswith(_BYTE_ORDER_MARK, self._place):
                self._place += len(_BYTE_ORDER_MARK)
            found = _BLANKS.match(self._buffer, self._place)
            self._start = self._place = found.end() if found else self._place
            if self._place < len(self._buffer):
                return self._buffer[self._place]
            if not self._fill():
                return None

    def _object(self) -> Iterator[Element]:
        """The arrays of an object that has just begun."""
        while (bracket := self._next()) is not None:
            before = self._taken()
            self.around = (self.around + before)[:_AROUND]
            name = _NAME.search(before[-_HEAD:])
            if bracket == ord("["):
                self._place += 1
                self._number = 0
                yield from self._array(_decoded(name[1]) if name else "")
            elif bracket == ord("{"):
                self._value("")
            else:
                self._place += 1
                return
            self._start = self._place
        yield self._wrong("the file ends in the middle")

    def _array(self, member: str) -> Iterator[Element]:
        """The members of an array that has just begun."""
        while True:
            self._start = self._place
            bracket = self._next()
            between = self._taken()
            if bracket is None:
                yield self._wrong("the file ends in the middle", member)
                return
            if not _BETWEEN.fullmatch(between):
                yield self._wrong("something that is neither an array nor an object stands here", member)
            if bracket in _CLOSE:
                self._place += 1
                self._start = self._place
                return
            element = self._value(member)
            yield element
            if element.problem and not element.too_large:
                return  # It was cut off by the end of the file, and so is the array.

    def _value(self, member: str) -> Element:
        """The array or object that begins here."""
        self._start = self._place
        depth = deepest = 0
        while (bracket := self._next()) is not None:
            self._place += 1
            depth += 1 if bracket in _OPEN else -1
            deepest = max(deepest, depth)
            if depth == 0:
                break
        self._number += 1
        data, self._start = self._taken(), self._place
        over = len(data) > ELEMENT_BYTES or self._head is not None
        if over:
            data, self._head = (self._head or data)[:_HEAD], None
        problem = (
            f"it is over {ELEMENT_BYTES} bytes"
            if over
            else "the file ends in the middle of it"
            if depth
            else f"it is nested over {MAX_DEPTH} levels deep"
            if deepest > MAX_DEPTH
            else ""
        )
        large = over or (deepest > MAX_DEPTH and not depth)
        return Element(number=self._number, member=member, data=data, problem=problem, too_large=large)

    def _wrong(self, problem: str, member: str = "") -> Element:
        self._number += 1
        return Element(number=self._number, member=member, problem=problem)

    def _taken(self) -> bytes:
        return self._buffer[self._start : self._place]

    def _next(self) -> int | None:
        """Moves to the next bracket outside texts and gives its byte; None at the end of the file."""
        while True:
            found = (_INSIDE if self._inside else _PLAIN).match(self._buffer, self._place)
            self._place = found.end() if found else self._place
            byte = self._buffer[self._place] if self._place < len(self._buffer) else None
            if self._inside and byte == _QUOTE:
                self._inside = False
                self._place += 1
            elif self._inside or byte is None:
                if not self._fill():
                    self._place = len(self._buffer)
                    return None
            elif byte == _QUOTE:
                self._inside = True
                self._place += 1
            else:
                return byte

    def _fill(self) -> bool:
        """Reads on. What is over the limit is let go of, but for its beginning."""
        block = self._file.read(_BLOCK)
        if self._place - self._start > ELEMENT_BYTES:
            self._head = self._head or self._buffer[self._start : self._start + _HEAD]
            self._start = self._place
        self._buffer = self._buffer[self._start :] + block
        self._place -= self._start
        self._start = 0
        self.read += len(block)
        return bool(block)


def _decoded(name: bytes) -> str:
    return name.decode(errors="replace")
