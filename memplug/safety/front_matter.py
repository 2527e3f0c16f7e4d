"""The YAML that stands before a Markdown text, read as words only and within bounds.

`yaml.safe_load` is not enough for a file from anywhere: a few aliases of aliases explode when they are written out,
``name: no`` becomes False and ``1.10`` becomes 1.1, of two equal keys the second wins in silence, and ten thousand
brackets end in a RecursionError.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from memplug.exceptions import MalformedInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

#: What a front matter holds: texts, and lists and dicts of these. Nothing is taken for a number or a date.
Value: TypeAlias = "str | list[Value] | dict[str, Value]"

#: Characters of a front matter, its values and keys together, and their nesting.
MAX_LENGTH = 64_000
MAX_NODES = 500
MAX_DEPTH = 8
# Anchored to whole lines: a value may hold "---".
_FRONT = re.compile(r"\ufeff?---[ \t]*\n(.*?)(?:^---|^\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def split_front_matter(text: str) -> tuple[str | None, str]:
    """The YAML before a text, and the text; None where it has none.

    Args:
        text: With line feeds for line ends.
    """
    found = _FRONT.match(text[: MAX_LENGTH + 16]) if text.startswith(("---", "\ufeff---")) else None
    return (found[1], text[found.end() :]) if found else (None, text)


def read_front_matter(front: str) -> dict[str, Value]:
    """What a front matter says.

    Raises:
        MalformedInput: It is no YAML, no mapping of distinct texts, has aliases, or is over one of the bounds.
    """
    import yaml

    if len(front) > MAX_LENGTH:
        raise MalformedInput(f"the front matter has more than {MAX_LENGTH:,} characters")
    try:
        found = _Composer().document(front)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter: an escape of no character (\UFFFFFFFF)
        raise MalformedInput(f"the front matter is no YAML: {_words(error)}") from error
    if not isinstance(found, dict):
        raise MalformedInput("the front matter is no list of names and values", hint="name: value")
    return found


def _words(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be read"
    return f"{problem} (line {mark.line + 1})" if mark else str(problem)


class _Composer:
    """Makes values of YAML's events, and nothing of its tags."""

    def __init__(self) -> None:
        self._nodes = 0

    def document(self, text: str) -> Value:
        import yaml

        openings = yaml.StreamStartEvent | yaml.DocumentStartEvent
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        self._events = (event for event in events if not isinstance(event, openings))
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            return {}
        found = self._value(first, 1)
        if isinstance(next(self._events), yaml.DocumentEndEvent) and isinstance(
            next(self._events), yaml.StreamEndEvent
        ):
            return found
        raise MalformedInput("the front matter holds several documents")

    def _value(self, event: yaml.Event, depth: int) -> Value:
        import yaml

        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise MalformedInput(f"the front matter has more than {MAX_NODES} values or {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._sequence(depth))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        raise MalformedInput("the front matter refers to its own parts (aliases), which is not taken")

    def _sequence(self, depth: int) -> Iterator[Value]:
        import yaml

        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._value(event, depth + 1)

    def _mapping(self, depth: int) -> dict[str, Value]:
        import yaml

        found: dict[str, Value] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            if not isinstance(key, str) or key in found:
                raise MalformedInput("a name in the front matter is there twice, or is no text")
            found[key] = self._value(next(self._events), depth + 1)
        return found
