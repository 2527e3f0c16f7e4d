"""Import of JSON Lines: one message per line, with the words that `Memory.add` takes.

    {"content": "I am Wang, and I like spicy food.", "user_id": "wang", "run_id": "0910", "name": "Wang"}
    {"role": "assistant", "content": "Noted!", "user_id": "wang", "run_id": "0910", "occurred_at": "2026-11-20"}

Neighbouring lines of one scope become one commit, so that a long conversation takes a moment, not minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputTooLarge, MalformedInput, MemplugError
from memplug.pipelines.transfer import ImportReport, Rejection
from memplug.values.limits import MIB
from memplug.values.request import AddRequest
from memplug.values.scope import SCOPE_FIELDS, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from memplug.pipelines.ingest import Ingest
    from memplug.pipelines.transfer import Progress
    from memplug.values.outcome import AddResult

#: Messages and characters of one commit. The characters keep a group under the token limit of a request in
#: every script (one token per Chinese character).
_GROUP_MESSAGES = 500
_GROUP_CHARACTERS = 30_000
_LINE_BYTES = 16 * MIB

_MESSAGE = frozenset({"role", "content", "name", "occurred_at", "chat_time", "timestamp", "tool_calls", "tool_call_id"})
_LABELS = frozenset({"key", "kind", "tags", "metadata", "description", "content_type", "expires_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    number: int
    message: dict[str, Any]
    scope: Scope
    labels: dict[str, Any]

    @property
    def alone(self) -> bool:
        """Whether it must be an `add` of its own: a key names one memory, and only a text is surely one part."""
        named = {"key", "description", "kind", "content_type"} & set(self.labels)
        return bool(named) or not isinstance(self.message.get("content"), str)

    @property
    def size(self) -> int:
        return len(str(self.message.get("content", "")))


@dataclass(slots=True)
class LineImporter:
    """Adds the messages of a JSON Lines file."""

    ingest: Ingest
    counts: dict[str, int] = field(default_factory=lambda: {"added": 0, "updated": 0, "unchanged": 0})
    rejected: list[Rejection] = field(default_factory=list)

    def load(self, path: Path, scope: Scope | None, progress: Progress | None) -> ImportReport:
        """Adds each line; one that is wrong is rejected alone.

        Args:
            path: The file, UTF-8.
            scope: Ids for lines that name none themselves.
            progress: Told lines done and lines altogether.

        Raises:
            MalformedInput: There is no such file.
        """
        total = self._count(path)
        for group in _groups(self._lines(path, scope)):
            self._add(group)
            if progress:
                progress(group[-1].number, total, "importing")
        return ImportReport(
            added=self.counts["added"],
            updated=self.counts["updated"],
            unchanged=self.counts["unchanged"],
            rejected=tuple(self.rejected),
        )

    def _count(self, path: Path) -> int:
        try:
            with path.open("rb") as file:
                return sum(1 for _ in file)
        except OSError as error:
            raise MalformedInput(f"cannot read {path.name!r}: {error.strerror}") from error

    def _lines(self, path: Path, scope: Scope | None) -> Iterator[_Line]:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(_LINE_BYTES):
                number += 1
                if not raw.strip():
                    continue
                try:
                    yield _line(number, raw, scope)
                except MemplugError as error:
                    self.rejected.append(Rejection(line=number, error=error))

    def _add(self, group: list[_Line]) -> None:
        first = group[0]
        request = AddRequest(content=[line.message for line in group], scope=first.scope, **first.labels)
        try:
            self._tally(self.ingest.add(request), group)
        except MemplugError as error:
            result: AddResult | None = getattr(error, "result", None)
            if result is not None:
                self._tally(result, group)
            elif len(group) > 1:
                for line in group:
                    self._add([line])
            else:
                self.rejected.append(Rejection(line=first.number, error=error))

    def _tally(self, result: AddResult, group: list[_Line]) -> None:
        """Counts outcomes. In a group each line is one part; a line that is several stands alone."""
        for outcome in result.outcomes:
            if outcome.error is not None:
                line = group[min(outcome.part, len(group) - 1)]
                self.rejected.append(Rejection(line=line.number, error=outcome.error))
            elif outcome.event in ("added", "pending"):
                self.counts["added"] += 1
            else:
                self.counts["updated" if outcome.event == "updated" else "unchanged"] += 1


def _groups(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    """Neighbouring lines with the same scope and labels, up to the size of one commit."""
    for _, run in groupby(lines, key=lambda line: (line.scope, repr(line.labels), line.number if line.alone else 0)):
        group: list[_Line] = []
        characters = 0
        for line in run:
            if group and (len(group) >= _GROUP_MESSAGES or characters + line.size > _GROUP_CHARACTERS):
                yield group
                group, characters = [], 0
            group.append(line)
            characters += line.size
        if group:
            yield group


def _line(number: int, raw: bytes, scope: Scope | None) -> _Line:
    from pydantic_core import from_json

    if len(raw) >= _LINE_BYTES:
        raise InputTooLarge(f"line {number} is over {_LINE_BYTES} bytes")
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedInput(f"line {number} is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise MalformedInput(f"line {number} must be a JSON object")
    unknown = sorted(set(value) - _MESSAGE - _LABELS - set(SCOPE_FIELDS))
    if unknown:
        raise MalformedInput(f"line {number} has unknown fields: {', '.join(unknown)}")
    ids = {name: value[name] for name in SCOPE_FIELDS if value.get(name) is not None}
    return _Line(
        number=number,
        message={"role": "user"} | {name: value[name] for name in _MESSAGE if name in value},
        scope=Scope(**((scope.ids if scope else {}) | ids)),
        labels={name: value[name] for name in _LABELS if name in value},
    )
