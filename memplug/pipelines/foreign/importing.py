"""Import of what other systems exported: as a stream, conversation by conversation, and the same each time.

A memory's id is made from what it is called where it comes from. So an import that was cut off is taken up by running
it again, and a later export of the same account brings only what is new or was changed there. What was changed or
deleted here meanwhile stays so: only content that this memory never had is news.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from memplug.exceptions import BackendError, InputRejected, InputTooLarge, MemplugError, ScopeError
from memplug.inputs.parts import Refused
from memplug.pipelines.foreign.assets import assets_of
from memplug.pipelines.foreign.chatgpt import ChatGPT
from memplug.pipelines.foreign.claude import Claude
from memplug.pipelines.foreign.entries import Entry, LeftOut, Piece, Wrong
from memplug.pipelines.foreign.formats import CHATGPT, MEM0
from memplug.pipelines.foreign.mem0 import Mem0
from memplug.pipelines.foreign.splitting import Splitter
from memplug.pipelines.identity import draft_identity, imported_id
from memplug.pipelines.parsing import Parsed
from memplug.pipelines.reports import ImportReport, Rejection, rejection
from memplug.safety.labels import Labels, check_metadata, check_tags
from memplug.safety.text import more_tokens_than
from memplug.values.draft import Draft, Part
from memplug.values.limits import MIB
from memplug.values.request import AddRequest
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from memplug.pipelines.foreign.bundle import Bundle
    from memplug.pipelines.foreign.entries import Finding
    from memplug.pipelines.foreign.recognising import Recognised, Shape
    from memplug.pipelines.foreign.splitting import Element
    from memplug.pipelines.ingest import Ingest
    from memplug.pipelines.reports import Progress
    from memplug.values.item import Record
    from memplug.values.limits import Limits
    from memplug.values.outcome import Outcome

#: What reads one conversation or memory.
Reader = ChatGPT | Claude | Mem0

#: Pieces of one commit, and bytes of their files.
_BATCH = 1_000
_BATCH_BYTES = 32 * MIB
#: Rejections that are told one by one. A file of nothing else would fill the memory with them.
_TOLD = 10_000
_UNTOLD = "more that could not be taken in either"
#: Kinds of what is left out that are told apart, since their names come from the export.
_KINDS = 100
_OTHERS = "parts of still other types"
#: How mem0's platform says that a list goes on, and how long it is.
_NEXT = re.compile(rb'"next"\s*:\s*"')
_COUNT = re.compile(rb'"count"\s*:\s*(\d{1,12})\b')
_RESULTS = "results"
_OTHER_PAGES = "memories on the other pages of the list; import those too"
_DELETED = "memories that were imported before and deleted here"


@dataclass(slots=True)
class _Tally:
    """What became of everything, kept in the order of the export."""

    counts: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, number: int, place: str, error: MemplugError) -> None:
        if len(self.rejected) < _TOLD:
            self.rejected.append(rejection(number, error, place))
        else:
            self.leave(_UNTOLD)

    def leave(self, what: str, count: int = 1) -> None:
        known = what in self.left_out or len(self.left_out) < _KINDS
        self.left_out[what if known else _OTHERS] += count

    def count(self, outcome: Outcome) -> None:
        event = outcome.event
        self.counts["added" if event in ("added", "pending") else "updated" if event == "updated" else "unchanged"] += 1

    def report(self, format_: str) -> ImportReport:
        return ImportReport(
            added=self.counts["added"],
            updated=self.counts["updated"],
            unchanged=self.counts["unchanged"],
            rejected=tuple(self.rejected),
            left_out=dict(self.left_out),
            format=format_,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrived:
    """An entry with the number of the conversation or memory that it is from, and whose it becomes."""

    number: int
    entry: Entry
    scope: Scope


@dataclass(slots=True)
class _Batch:
    """Entries of one commit."""

    entries: list[_Arrived] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)
    pieces: int = 0
    size: int = 0

    def takes(self, entry: Entry) -> bool:
        """Whether the entry fits; one that stands twice in an export waits for the first to be stored."""
        return self.pieces < _BATCH and self.size < _BATCH_BYTES and entry.origin not in self.origins

    def take(self, arrived: _Arrived) -> None:
        self.entries.append(arrived)
        self.origins.add(arrived.entry.origin)
        self.pieces += len(arrived.entry.pieces)
        self.size += sum(piece.size for piece in arrived.entry.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignImporter:
    """Brings in exports of other systems."""

    ingest: Ingest
    limits: Limits

    def load(
        self, bundle: Bundle, found: Recognised, scope: Scope | None, progress: Progress | None, *, all_branches: bool
    ) -> ImportReport:
        """Brings in what an export holds; what is wrong is rejected alone.

        Args:
            bundle: Its files.
            found: What it is.
            scope: Whose it becomes. Conversations need one, and are its runs; of mem0's memories it replaces ids.
            progress: Told bytes done and bytes altogether.
            all_branches: Whether messages that were edited away are taken too.

        Raises:
            ScopeError: There is none for conversations, or one that names a run.
            BackendError: The store failed; what came before is in.
        """
        _check_scope(found.format, scope)
        load = _Load(self, bundle, self._reader(bundle, found.format, all_branches=all_branches), scope)
        total = sum(bundle.sizes[name] for name, _ in found.files)
        done = 0
        for name, shape in found.files:
            for read in load.file(name, shape):
                if progress:
                    progress(min(done + read, total), total, "importing")
            done += bundle.sizes[name]
        self.ingest.turns.forget()
        return load.tally.report(found.format)

    def _reader(self, bundle: Bundle, format_: str, *, all_branches: bool) -> Reader:
        if format_ == MEM0:
            return Mem0()
        assets = assets_of(bundle, self.limits)
        reader = ChatGPT if format_ == CHATGPT else Claude
        return reader(assets=assets, all_branches=all_branches)


def _check_scope(format_: str, scope: Scope | None) -> None:
    if format_ == MEM0:
        return
    if scope is None:
        raise ScopeError("conversations of another system do not say whose they are here", hint="user_id=… or --user")
    if scope.run_id is not None:
        raise ScopeError("each conversation becomes a run of its own, so the import cannot name one")


class _Load:
    """One run of an import."""

    def __init__(self, importer: ForeignImporter, bundle: Bundle, reader: Reader, scope: Scope | None) -> None:
        self._ingest = importer.ingest
        self._limits = importer.limits
        self._bundle = bundle
        self._reader = reader
        self._scope = scope
        self._batch = _Batch()
        self.tally = _Tally()

    def file(self, name: str, shape: Shape) -> Iterator[int]:
        """Brings in one file; gives the bytes that were read of it after each of its elements."""
        try:
            for element, read in self._elements(name, shape):
                for found in self._findings(element):
                    self._take(element.number, found)
                yield read
        except InputRejected as error:
            self.tally.reject(0, name, error)
        self._store()

    def _elements(self, name: str, shape: Shape) -> Iterator[tuple[Element, int]]:
        """The members of a file. Nothing but reading happens while it is open, so that only reading can break it."""
        with self._bundle.opened(name) as file:
            splitter = Splitter(file, whole=shape.whole)
            count = 0
            for element in splitter:
                count += element.member == _RESULTS
                yield element, splitter.read
        if _NEXT.search(splitter.around):
            total = _COUNT.search(splitter.around)
            self.tally.leave(_OTHER_PAGES, max(int(total[1]) - count if total else 0, 1))

    def _findings(self, element: Element) -> Iterator[Finding]:
        if element.member not in ("", _RESULTS):
            yield LeftOut(what=f"{element.member!r:.60} beside the memories")
            return
        try:
            yield from self._reader.read(element.value(), element.number)
        except InputRejected as error:
            yield Wrong(number=element.number, place=f"number {element.number}", error=error)

    def _take(self, number: int, found: Finding) -> None:
        match found:
            case LeftOut():
                self.tally.leave(found.what, found.count)
            case Wrong():
                self.tally.reject(found.number, found.place, found.error)
            case Entry():
                self._enter(number, found)

    def _enter(self, number: int, entry: Entry) -> None:
        try:
            scope = Scope(**{**entry.ids, **(self._scope.ids if self._scope else {})})
        except ScopeError as error:
            self.tally.reject(number, entry.place, error)
            return
        if not self._batch.takes(entry):
            self._store()
        self._batch.take(_Arrived(number=number, entry=entry, scope=scope))

    def _store(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if batch.entries:
            self._add(batch.entries)

    def _add(self, entries: Sequence[_Arrived]) -> None:
        parsing = _Parsing(self._ingest, self._limits, self.tally)
        read = [(arrived, parsing.drafts(arrived)) for arrived in entries]
        news = self._news(read)
        fresh = [(arrived, kept) for arrived, drafts in read if (kept := [one for one in drafts if id(one) in news])]
        if fresh:
            self._commit(fresh, parsing)

    def _commit(self, fresh: Sequence[tuple[_Arrived, list[Draft]]], parsing: _Parsing) -> None:
        """Stores drafts in one commit; where something is wrong with all together, entry by entry."""
        by_scope: dict[Scope, list[Draft]] = {}
        for arrived, drafts in fresh:
            by_scope.setdefault(arrived.scope, []).extend(drafts)
        inputs = [
            (Parsed(drafts=drafts, rejected=[], messages=parsing.messages), AddRequest(content=None, scope=scope))
            for scope, drafts in by_scope.items()
        ]
        try:
            results = self._ingest.take(inputs)
        except BackendError:
            # A full disk is not the entries' fault, nor would the next ones fare better.
            raise
        except MemplugError as error:
            if len(fresh) > 1:
                for one in fresh:
                    self._commit([one], parsing)
                return
            arrived = fresh[0][0]
            result = error.result if isinstance(error, InputRejected) else None
            if result is None:
                self.tally.reject(arrived.number, arrived.entry.place, error)
            results = [result] if result is not None else []
        for result in results:
            parsing.refuse(result.rejected)
            for outcome in result.outcomes:
                if outcome.error is None:
                    self.tally.count(outcome)

    def _news(self, read: Sequence[tuple[_Arrived, list[Draft]]]) -> set[int]:
        """The drafts (their `id`) that the store does not have, and never had in this form."""
        backend = self._ingest.store.backend
        drafts = [(imported_id(arrived.scope, one.origin or ""), one) for arrived, found in read for one in found]
        latest = backend.latest([id_ for id_, _ in drafts])
        fresh = set()
        for id_, draft in drafts:
            there = latest.get(id_)
            if there is None:
                fresh.add(id(draft))
            elif there.item.deleted:
                self.tally.leave(_DELETED)
            elif _same(there, draft) or (there.version > 1 and any(_same(one, draft) for one in backend.versions(id_))):
                self.tally.counts["unchanged"] += 1
            else:
                fresh.add(id(draft))
        return fresh


def _same(record: Record, draft: Draft) -> bool:
    """Whether a version holds what a draft says. What describers saw in a picture may differ each time."""
    item = record.item
    said = (record.identity, item.tags, item.expires_at, record.context, _json(item.metadata))
    return said == (draft_identity(draft), draft.tags, draft.expires_at, draft.context, _json(draft.metadata))


def _json(metadata: Mapping[str, Any]) -> str:
    return json.dumps(dict(metadata), sort_keys=True)


class _Parsing:
    """The entries of one commit on their way to drafts, with the parts of all of them numbered through."""

    def __init__(self, ingest: Ingest, limits: Limits, tally: _Tally) -> None:
        self._parser = ingest.parser
        self._limits = limits
        self._tally = tally
        self._entries = 0
        self._places: list[tuple[int, str]] = []
        #: Of each part the number of its entry.
        self.messages: dict[int, int] = {}

    def refuse(self, rejected: Sequence[Outcome]) -> None:
        """Counts what was refused, by the places of its parts."""
        for outcome in rejected:
            number, place = self._places[outcome.part] if 0 <= outcome.part < len(self._places) else (0, "")
            if outcome.error is not None:
                self._tally.reject(number, place, outcome.error)

    def drafts(self, arrived: _Arrived) -> list[Draft]:
        """The drafts of an entry. What gives none is rejected."""
        entry, pieces = arrived.entry, dict(enumerate(arrived.entry.pieces, start=len(self._places)))
        self._places += [(arrived.number, _place(entry, piece)) for piece in entry.pieces]
        self._entries += 1
        try:
            labels = Labels(
                key=None,
                tags=check_tags(entry.tags, self._limits),
                metadata=check_metadata(entry.metadata, self._limits),
                occurred_at=None,
                expires_at=entry.expires_at,
            )
        except InputRejected as error:
            self._tally.reject(arrived.number, entry.place, error)
            return []
        found = self._parser.parsed([self._part(index, piece, entry) for index, piece in pieces.items()], labels)
        self.refuse(found.rejected)
        self.messages.update(found.messages)
        names: Counter[str] = Counter()
        drafts = []
        for draft in found.drafts:
            origin = f"{entry.origin}/{pieces[draft.part].name}"
            names[origin] += 1
            again = f"#{names[origin]}" if names[origin] > 1 else ""
            drafts.append(_sourced(draft, pieces[draft.part], entry, origin + again))
        return drafts

    def _part(self, index: int, piece: Piece, entry: Entry) -> Part | Refused:
        common: dict[str, Any] = {
            "index": index,
            "role": piece.role or "user",
            "speaker": entry.speaker,
            "occurred_at": entry.occurred_at,
            "message": self._entries,
        }
        if isinstance(piece.content, str):
            if more_tokens_than(piece.content, self._limits.text_tokens):
                error = InputTooLarge(f"one text may have {self._limits.text_tokens:,} tokens; this one has more")
                return Refused(index=index, error=error)
            return Part(text=piece.content, description=entry.context, **common)
        try:
            source = piece.content()
        except InputRejected as error:
            return Refused(index=index, error=error)
        context = "\n".join(one.content for one in entry.pieces if isinstance(one.content, str))
        return Part(source=source, description=piece.description, context=context, **common)


def _place(entry: Entry, piece: Piece) -> str:
    return entry.place if piece.name == "text" else f"{entry.place}, {piece.name}"


def _sourced(draft: Draft, piece: Piece, entry: Entry, origin: str) -> Draft:
    source = replace(
        draft.source,
        role=piece.role,
        position=entry.position,
        file=piece.file or draft.source.file,
        url=piece.url or draft.source.url,
        tool_call=piece.tool_call or draft.source.tool_call,
    )
    return replace(draft, origin=origin, source=source)
