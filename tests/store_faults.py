"""Stores for LangGraph that are wrong in one thing each, to see that the contract notices."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from langgraph.store.base import BaseStore, GetOp, Item, ListNamespacesOp, PutOp, SearchItem, SearchOp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langgraph.store.base import Op, Result

#: The most that a search or listing gives.
_ALL = 1_000


class Sound(BaseStore):
    """Hands everything on to a store that is right.

    Args:
        inner: That store.
    """

    supports_ttl = True

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.ttl_config = inner.ttl_config
        self.sweep_ttl = inner.sweep_ttl
        self.seen: dict[Any, Any] = {}
        self.numbers = count(1)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Does the operations, perhaps other ones, and gives the results, perhaps other ones."""
        asked = list(ops)
        results: list[Result] = self.inner.batch([self.before(op) for op in asked])
        return [self.after(op, result) for op, result in zip(asked, results, strict=True)]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same in a thread."""
        return await asyncio.to_thread(self.batch, list(ops))

    def before(self, op: Any) -> Any:
        """What is asked for in its place."""
        return op

    def after(self, op: Any, result: Any) -> Any:
        """What is given in the place of what was found."""
        del op
        return result

    def searched(self, op: SearchOp, **changes: Any) -> list[SearchItem]:
        """What a search with some changes finds."""
        [found] = self.inner.batch([op._replace(refresh_ttl=False, **changes)])
        return list(found)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A store that is wrong, and a test of the contract that must notice.

    Args:
        test: The test's name.
        before, after: What it does otherwise than `Sound`.
        batch: The same, for a whole batch.
        blocking: Whether it blocks the loop.
    """

    test: str
    before: Any = None
    after: Any = None
    batch: Any = None
    blocking: bool = False

    def store(self, inner: Any) -> BaseStore:
        """The store, over one that is right."""
        methods = {name: found for name in ("before", "after", "batch") if (found := getattr(self, name))}
        if self.blocking:
            methods["abatch"] = _blocking
        made: BaseStore = type("Faulty", (Sound,), methods)(inner)
        return made


async def _blocking(self: Any, ops: Any) -> Any:
    return self.batch(ops)


def _filters(change: Any) -> Any:
    """Another filter for searches; ``change`` gives the condition on a field in place of the one that was asked for."""

    def before(_: Any, op: Any) -> Any:
        if not isinstance(op, SearchOp) or not op.filter:
            return op
        return op._replace(filter={name: change(condition) for name, condition in op.filter.items()})

    return before


def _renamed(old: str, new: str) -> Any:
    def change(condition: Any) -> Any:
        return (
            {new if name == old else name: value for name, value in condition.items()} if _is(condition) else condition
        )

    return _filters(change)


def _is(condition: Any) -> bool:
    return isinstance(condition, dict)


def _known_operators(condition: Any) -> Any:
    known = {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"}
    if not _is(condition):
        return condition
    return {name: value for name, value in condition.items() if not name.startswith("$") or name in known}


def _puts(**changes: Any) -> Any:
    """Puts with other arguments; a function among them makes one of the old one."""

    def before(_: Any, op: Any) -> Any:
        if not isinstance(op, PutOp) or op.value is None:
            return op
        return op._replace(**{n: one(getattr(op, n)) if callable(one) else one for n, one in changes.items()})

    return before


def _ops(kind: Any, **changes: Any) -> Any:
    def before(_: Any, op: Any) -> Any:
        return op._replace(**changes) if isinstance(op, kind) else op

    return before


def _places(change: Any) -> Any:
    """Other labels, everywhere."""

    def before(_: Any, op: Any) -> Any:
        if isinstance(op, ListNamespacesOp):
            return op
        name = "namespace_prefix" if isinstance(op, SearchOp) else "namespace"
        return op._replace(**{name: tuple(map(change, getattr(op, name)))})

    return before


def _hits(change: Any) -> Any:
    """Another result for searches, by ``change(store, op, hits)``."""

    def after(self: Any, op: Any, result: Any) -> Any:
        return change(self, op, result) if isinstance(op, SearchOp) else result

    return after


def _listed(change: Any) -> Any:
    def after(self: Any, op: Any, result: Any) -> Any:
        return change(self, op, result) if isinstance(op, ListNamespacesOp) else result

    return after


def _items(**changes: Any) -> Any:
    """Items of `get` with other fields, by functions of the item."""

    def after(_: Any, op: Any, result: Any) -> Any:
        if not isinstance(op, GetOp) or result is None:
            return result
        told = {name: getattr(result, name) for name in ("value", "key", "namespace", "created_at", "updated_at")}
        return Item(**{**told, **{name: one(result) for name, one in changes.items()}})

    return after


def _below(self: Any, op: SearchOp, _: Any) -> Any:
    """Namespaces as text, of which a prefix is any beginning."""
    beginning = ".".join(op.namespace_prefix)
    found = self.searched(op, namespace_prefix=(), limit=_ALL, offset=0)
    return [item for item in found if ".".join(item.namespace).startswith(beginning)][op.offset :][: op.limit]


def _page_first(self: Any, op: SearchOp, hits: Any) -> Any:
    """The filter after the page was cut out."""
    if not op.filter or op.query:
        return hits
    page = self.searched(op, filter=None)
    kept = {item.key for item in self.searched(op, limit=_ALL, offset=0)}
    return [item for item in page if item.key in kept]


def _missing_is_unequal(self: Any, op: SearchOp, hits: Any) -> Any:
    if not op.filter or not any(_is(one) and "$ne" in one for one in op.filter.values()):
        return hits
    missing = [one for one in self.searched(op, filter=None, limit=_ALL) if not op.filter.keys() & one.value.keys()]
    return [*hits, *missing]


def _true_is_one(self: Any, op: SearchOp, hits: Any) -> Any:
    if not op.filter or any(_is(one) for one in op.filter.values()):
        return hits
    found = self.searched(op, filter=None, limit=_ALL)
    return [one for one in found if all(name in one.value and one.value[name] == v for name, v in op.filter.items())]


def _rescored(score: Any) -> Any:
    def change(_: Any, __: Any, hits: Any) -> Any:
        for hit in hits:
            hit.score = None if hit.score is None else score(hit.score)
        return hits

    return change


def _first_put_wins(self: Any, ops: Any) -> Any:
    asked, seen = list(ops), set()
    for place, op in enumerate(asked):
        if isinstance(op, PutOp):
            asked[place] = GetOp(op.namespace, op.key) if (op.namespace, op.key) in seen else op
            seen.add((op.namespace, op.key))
    results = self.inner.batch(asked)
    return [None if isinstance(op, PutOp) else result for op, result in zip(asked, results, strict=True)]


def _one_by_one(self: Any, ops: Any) -> Any:
    return [self.inner.batch([op])[0] for op in ops]


def _merged(self: Any, op: Any) -> Any:
    if not isinstance(op, PutOp) or op.value is None or not op.namespace or not isinstance(op.value, dict):
        return op
    [old] = self.inner.batch([GetOp(op.namespace, op.key)])
    return op._replace(value={**(old.value if old else {}), **op.value})


def _same_object(self: Any, op: Any, result: Any) -> Any:
    if not isinstance(op, GetOp) or result is None:
        return result
    return self.seen.setdefault((op.namespace, op.key, result.updated_at), result)


def _remembered(self: Any, op: Any) -> Any:
    if isinstance(op, PutOp):
        self.seen[op.namespace] = True
    return op


def _ever(self: Any, _: Any, names: Any) -> Any:
    return sorted({*self.seen, *names})


def _some_lost(self: Any, op: Any) -> Any:
    if isinstance(op, PutOp) and op.value is not None and next(self.numbers) % 11 == 0:
        return GetOp(op.namespace, op.key)
    return op


def _as_text(value: Any) -> Any:
    return {name: repr(one) if isinstance(one, bytes) else one for name, one in value.items()}


def _now(_: Any) -> datetime:
    return datetime.now(UTC)


FAULTS = {
    "greater also where equal": Fault(test="test_conditions", before=_renamed("$gt", "$gte")),
    "at least only where greater": Fault(test="test_conditions", before=_renamed("$gte", "$gt")),
    "less also where equal": Fault(test="test_conditions", before=_renamed("$lt", "$lte")),
    "at most only where less": Fault(test="test_conditions", before=_renamed("$lte", "$lt")),
    "missing is unequal": Fault(test="test_conditions", after=_hits(_missing_is_unequal)),
    "true is one": Fault(test="test_conditions", after=_hits(_true_is_one)),
    "unknown operators pass": Fault(test="test_unknown_operators_are_refused", before=_filters(_known_operators)),
    "made when it was updated": Fault(
        test="test_when_it_was_made_stays", after=_items(created_at=lambda item: item.updated_at)
    ),
    "changed by reading": Fault(test="test_reading_is_no_change", after=_items(updated_at=_now)),
    "deletes nothing": Fault(
        test="test_deleted_is_gone",
        before=lambda _, op: GetOp(op.namespace, op.key) if isinstance(op, PutOp) and op.value is None else op,
    ),
    "lists what is empty": Fault(test="test_deleted_is_gone", before=_remembered, after=_listed(_ever)),
    "the first put wins": Fault(test="test_the_last_write_wins", batch=_first_put_wins),
    "reads see writes": Fault(test="test_reads_see_what_was_before", batch=_one_by_one),
    "results the other way round": Fault(
        test="test_results_are_in_order", batch=lambda self, ops: self.inner.batch(ops)[::-1]
    ),
    "puts merge": Fault(test="test_a_put_replaces", before=_merged),
    "puts get lost": Fault(test="test_many_at_once", before=_some_lost),
    "items are shared": Fault(test="test_values_are_copies", after=_same_object),
    "bytes become text": Fault(test="test_what_json_cannot_hold_is_refused", before=_puts(value=_as_text)),
    "numbers become floats": Fault(
        test="test_values_come_back_exactly",
        after=_items(value=lambda item: {n: float(v) if type(v) is int else v for n, v in item.value.items()}),
    ),
    "keys are sorted": Fault(
        test="test_values_come_back_exactly", after=_items(value=lambda item: dict(sorted(item.value.items())))
    ),
    "keys are folded": Fault(test="test_keys_are_any_text", before=_puts(key=lambda key: str(key).lower())),
    "labels are folded": Fault(test="test_labels_are_no_patterns", before=_places(lambda label: str(label).lower())),
    "labels are not checked": Fault(
        test="test_one_bad_label_refuses_the_batch",
        before=_places(lambda label: str(label).replace(".", "_") or "_"),
    ),
    "prefixes are texts": Fault(test="test_labels_are_whole", after=_hits(_below)),
    "prefixes are whole namespaces": Fault(
        test="test_labels_are_whole",
        after=_hits(lambda _, op, hits: [hit for hit in hits if hit.namespace == tuple(op.namespace_prefix)]),
    ),
    "no limit": Fault(test="test_search_in_pages", before=_ops(SearchOp, limit=_ALL)),
    "no offset": Fault(test="test_pages", before=_ops(SearchOp, offset=0)),
    "the filter after the page": Fault(test="test_search_in_pages", after=_hits(_page_first)),
    "no depth": Fault(test="test_listing", before=_ops(ListNamespacesOp, max_depth=None)),
    "no listed pages": Fault(test="test_listing_in_pages", before=_ops(ListNamespacesOp, limit=_ALL)),
    "no end": Fault(test="test_an_item_ends", before=_puts(ttl=None)),
    "an end for all": Fault(test="test_the_default", before=_puts(ttl=1)),
    "reading never puts off": Fault(
        test="test_reading_puts_the_end_off", before=_ops((GetOp, SearchOp), refresh_ttl=False)
    ),
    "reading always puts off": Fault(
        test="test_reading_without_putting_off", before=_ops((GetOp, SearchOp), refresh_ttl=True)
    ),
    "all score the same": Fault(test="test_the_score_is_the_cosine", after=_hits(_rescored(lambda _: 1.0))),
    "scores are distances": Fault(test="test_the_nearest_text_counts", after=_hits(_rescored(lambda one: 1 - one))),
    "the worst first": Fault(
        test="test_filters_and_prefixes_hold", after=_hits(lambda _, op, hits: hits[::-1] if op.query else hits)
    ),
    "everything is indexed": Fault(test="test_what_is_not_indexed", before=_puts(index=None)),
    "found twice": Fault(
        test="test_pages", after=_hits(lambda _, op, hits: (hits + hits)[: op.limit] if op.query else hits)
    ),
    "questions forget the filter": Fault(
        test="test_filters_and_prefixes_hold",
        before=lambda _, op: op._replace(filter=None) if isinstance(op, SearchOp) and op.query else op,
    ),
    "the loop waits": Fault(test="test_the_loop_goes_on_meanwhile", blocking=True),
}
