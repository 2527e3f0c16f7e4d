"""Import of JSON Lines: one message per line, with the words that `Memory.add` takes.

    {"content": "I am Wang, and I like spicy food.", "user_id": "wang", "run_id": "0910", "name": "Wang"}
    {"role": "assistant", "content": "Noted!", "user_id": "wang", "run_id": "0910", "occurred_at": "2026-11-20"}

Neighbouring lines of one scope become one commit, so that a long conversation takes a moment, not minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from memplug.exceptions import BackendError, InputRejected, MalformedInput, MemplugError
from memplug.pipelines.fields import Reader, either, mapping, optional, read_object, text, texts
from memplug.pipelines.lines import RawLine, count_lines, raw_lines
from memplug.pipelines.reports import ImportReport, Rejection, rejection
from memplug.values.limits import MIB
from memplug.values.request import AddRequest
from memplug.values.scope import SCOPE_FIELDS, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from memplug.pipelines.ingest import Ingest
    from memplug.pipelines.reports import Progress
    from memplug.values.outcome import AddResult

#: Messages and characters of one commit. The characters keep a group under the token limit of a request in
#: every script (one token per Chinese character).
_GROUP_MESSAGES = 500
_GROUP_CHARACTERS = 30_000
_LINE_BYTES = 16 * MIB
#: Some editors begin a file with it.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_moment = either(str, int, float)
_MESSAGE: Mapping[str, Reader] = {
    **dict.fromkeys(("role", "name", "tool_call_id"), optional(text)),
    **dict.fromkeys(("occurred_at", "chat_time", "timestamp"), optional(_moment)),
    "content": optional(either(str, list, dict)),
    "tool_calls": optional(either(list)),
}
_LABELS: Mapping[str, Reader] = {
    **dict.fromkeys(("key", "kind", "description", "content_type"), optional(text)),
    "tags": optional(texts),
    "metadata": optional(mapping),
    "expires_at": optional(_moment),
}
_LINE: Mapping[str, Reader] = {**_MESSAGE, **_LABELS, **dict.fromkeys(SCOPE_FIELDS, optional(text))}
#: What makes a line an `add` of its own: these name or describe one memory.
_OF_ONE = frozenset({"key", "description", "kind", "content_type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    number: int
    message: dict[str, Any]
    scope: Scope
    labels: dict[str, Any]

    @property
    def alone(self) -> bool:
        """Whether it must be an `add` of its own: only a text without tool calls is surely one part."""
        one = isinstance(self.message.get("content"), str) and not self.message.get("tool_calls")
        return not one or not _OF_ONE.isdisjoint(self.labels)

    @property
    def size(self) -> int:
        return len(str(self.message.get("content", "")))


@dataclass(slots=True)
class _Tally:
    counts: dict[str, int] = field(default_factory=lambda: {"added": 0, "updated": 0, "unchanged": 0})
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, number: int, error: MemplugError) -> None:
        self.rejected.append(rejection(number, error))

    def count(self, result: AddResult, group: list[_Line]) -> None:
        """Counts outcomes. In a group each line is one part; a line that is several stands alone."""
        for outcome in result.outcomes:
            if outcome.error is not None:
                line = group[outcome.part] if 0 <= outcome.part < len(group) else group[0]
                self.reject(line.number, outcome.error)
            elif outcome.event in ("added", "pending"):
                self.counts["added"] += 1
            else:
                self.counts["updated" if outcome.event == "updated" else "unchanged"] += 1

    def report(self) -> ImportReport:
        rejected = tuple(sorted(self.rejected, key=lambda one: one.line))
        return ImportReport(
            added=self.counts["added"],
            updated=self.counts["updated"],
            unchanged=self.counts["unchanged"],
            rejected=rejected,
            format="jsonl",
        )


@dataclass(frozen=True, slots=True)
class LineImporter:
    """Adds the messages of a JSON Lines file."""

    ingest: Ingest

    def load(self, path: Path, scope: Scope | None, progress: Progress | None) -> ImportReport:
        """Adds each line; one that is wrong is rejected alone.

        Args:
            path: The file, UTF-8.
            scope: Ids that every line gets. A line may add ids, and is rejected where it names another one.
            progress: Told lines done and lines altogether.

        Raises:
            MalformedInput: There is no such file.
            BackendError: The store failed; what came before is in.
        """
        total = _count(path)
        tally = _Tally()
        for group in _groups(_lines(path, scope, tally)):
            self._add(group, tally)
            if progress:
                progress(group[-1].number, total, "importing")
        return tally.report()

    def _add(self, group: list[_Line], tally: _Tally) -> None:
        first = group[0]
        request = AddRequest(content=[line.message for line in group], scope=first.scope, **first.labels)
        try:
            tally.count(self.ingest.add(request, asking=False), group)
        except BackendError:
            # A full disk is not the line's fault, nor would the next line fare better.
            raise
        except MemplugError as error:
            result = error.result if isinstance(error, InputRejected) else None
            if result is not None:
                tally.count(result, group)
            elif len(group) > 1:
                for line in group:
                    self._add([line], tally)
            else:
                tally.reject(first.number, error)


def _count(path: Path) -> int:
    try:
        if path.exists() and not path.is_file():
            raise MalformedInput(f"{path.name!r} is not a file", hint="a pipe can be read only once; save it first")
        with path.open("rb") as file:
            return count_lines(file)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> MalformedInput:
    return MalformedInput(f"cannot read {path.name!r}: {getattr(error, 'strerror', None) or error}")


def _lines(path: Path, scope: Scope | None, tally: _Tally) -> Iterator[_Line]:
    for raw in _raw(path):
        if raw.whole and not raw.data.strip():
            continue
        try:
            yield _line(raw, scope)
        except MemplugError as error:
            tally.reject(raw.number, error)


def _raw(path: Path) -> Iterator[RawLine]:
    try:
        with path.open("rb") as file:
            for raw in raw_lines(file, _LINE_BYTES):
                yield replace(raw, data=raw.data.removeprefix(_BYTE_ORDER_MARK)) if raw.number == 1 else raw
    except OSError as error:
        raise _unreadable(path, error) from error


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


def _line(raw: RawLine, scope: Scope | None) -> _Line:
    found = read_object(raw.value(), f"line {raw.number}", _LINE, frozenset())
    given = {name: value for name, value in found.items() if value is not None}
    ids = {name: value for name, value in given.items() if name in SCOPE_FIELDS}
    return _Line(
        number=raw.number,
        message={"role": "user"} | {name: value for name, value in given.items() if name in _MESSAGE},
        scope=Scope(**ids) if scope is None else scope.narrowed(**ids),
        labels={name: value for name, value in given.items() if name in _LABELS},
    )
