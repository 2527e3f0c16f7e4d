"""Finds items: by a prefix and a filter, and by a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from memplug.langchain.store_filters import checked_filter, pushed, satisfies
from memplug.langchain.store_items import FOUND, ITEMS, JSON, PIECE, hit_of, value_of
from memplug.langchain.store_namespaces import under
from memplug.pipelines.candidates import NEAREST
from memplug.store import View
from memplug.values.filters import AnyOf, Compare
from memplug.values.hit import Hit
from memplug.values.scoping import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langgraph.store.base import SearchItem, SearchOp

    from memplug.engine import Engine
    from memplug.values.filters import Filter
    from memplug.values.item import MemoryItem
    from memplug.values.scope import Scope

    Scored = tuple[MemoryItem, float | None]

#: How questions are answered: by memplug's recall, or by the cosine of the nearest text.
Ranking = Literal["recall", "cosine"]
#: Items of a page that is looked through with a filter, and the nearest that are asked for at first.
_PAGE, _FIRST = 1_000, 64
#: By how much the nearest asked for grow where too few of them count.
_GROWTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """What one op asks for.

    Args:
        query: The question; may be blank.
        within: Where.
        filter: What must hold of the value.
    """

    query: str
    within: Filter | None
    filter: Mapping[str, Any]

    @property
    def pushed(self) -> Filter | None:
        """What a backend can be asked for of it; values that are not in the metadata cannot be judged there."""
        found = pushed(self.filter)
        elsewhere = (Compare("content_type", "eq", JSON), Compare("kind", "eq", PIECE))
        return None if found is None else AnyOf((found, *elsewhere))


@dataclass(frozen=True, slots=True, kw_only=True)
class Searcher:
    """The reads of a store.

    Args:
        engine: The opened memory.
        scope: Where all items of the store lie.
        ranking: How questions are answered; None leaves them out, as where nothing is indexed.
    """

    engine: Engine
    scope: Scope
    ranking: Ranking | None

    def search(self, op: SearchOp) -> list[tuple[MemoryItem, SearchItem]]:
        """The items that an op asks for, each with its memory; the best first, without a question the newest."""
        wanted = op.offset + op.limit
        if not op.limit:
            return []
        ask = _Ask(query=op.query or "", within=under(op.namespace_prefix), filter=checked_filter(op.filter))
        if self.ranking is None or not ask.query.strip():
            found = self._listed(ask, wanted)
        else:
            found = self._recalled(ask, wanted) if self.ranking == "recall" else self._nearest(ask, wanted)
        store = self.engine.store
        return [(item, hit_of(item, value_of(item, store), score)) for item, score in found[op.offset : wanted]]

    def _listed(self, ask: _Ask, wanted: int) -> list[Scored]:
        """The newest, looked through page by page until so many count."""
        view = View(scope=self.scope, filter=joined(ITEMS, ask.within))
        size = _PAGE if ask.filter else min(wanted, _PAGE)
        found: list[Scored] = []
        after = None
        while len(found) < wanted:
            page = self.engine.store.select(view, limit=size, after=after)
            found += [(record.item, None) for record in page if self._counts(record.item, ask)]
            if len(page) < size:
                break
            after = (page[-1].item.created_at, page[-1].id)
        return found

    def _recalled(self, ask: _Ask, wanted: int) -> list[Scored]:
        """What memplug's recall finds, then, should it be asked for more than that looks at, what is nearest."""
        most = self.engine.settings.limits.top_k
        filter_ = joined(FOUND, ask.within, ask.pushed)
        found: list[Scored] = []
        hits: list[Hit] = []
        for top_k in dict.fromkeys((most if ask.filter else min(wanted, most), most)):
            hits = self.engine.recall.search(ask.query, scope=self.scope, top_k=top_k, filter=filter_)
            found = self._wholes([(hit.item, hit.score) for hit in hits], ask)
            if len(found) >= wanted or len(hits) < top_k:
                break
        if len(found) < wanted and len(hits) >= NEAREST:
            known, last = {item.id for item, _ in found}, min(hit.score for hit in hits)
            further = [one for one in self._near(ask, wanted + len(known)) if one[0].id not in known]
            found += [(item, min(last, max(score or 0.0, 0.0))) for item, score in further]
        self._notify(ask.query, found[:wanted])
        return found

    def _nearest(self, ask: _Ask, wanted: int) -> list[Scored]:
        found = self._near(ask, wanted)
        self._notify(ask.query, found[:wanted])
        return found

    def _near(self, ask: _Ask, wanted: int) -> list[Scored]:
        """The items by the cosine of their nearest text, at least so many where there are."""
        vector = self.engine.embedder.embed_query(ask.query)
        view = View(scope=self.scope, filter=joined(FOUND, ask.within))
        limit = max(_FIRST, wanted)
        while True:
            matches = self.engine.store.nearest(vector, view, limit=limit)
            found = self._wholes([(match.record.item, match.score) for match in matches], ask)
            if len(found) >= wanted or len(matches) < limit:
                return found
            limit *= _GROWTH

    def _wholes(self, found: Sequence[Scored], ask: _Ask) -> list[Scored]:
        """The items that these are or are pieces of, each with its best score, where they count."""
        best: dict[str, float | None] = {}
        for item, score in found:
            best.setdefault(item.part_of or item.id, score)
        items = {item.id: item for item, _ in found if item.part_of is None}
        missing = [id_ for id_ in best if id_ not in items]
        if missing:
            current = self.engine.store.some(missing, self.scope)
            items |= {id_: record.item for id_, record in current.items()}
        return [(items[id_], score) for id_, score in best.items() if id_ in items and self._counts(items[id_], ask)]

    def _counts(self, item: MemoryItem, ask: _Ask) -> bool:
        return not ask.filter or satisfies(value_of(item, self.engine.store, shared=True), ask.filter)

    def _notify(self, query: str, found: Sequence[Scored]) -> None:
        hits = [Hit(item=item.handed_out(), score=min(max(score or 0.0, 0.0), 1.0)) for item, score in found]
        self.engine.plugins.notify("after_search", query=query, hits=hits)
