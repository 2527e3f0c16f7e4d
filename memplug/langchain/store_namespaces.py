"""Namespaces as buckets: ``("memories", "wang")`` is the bucket ``memories.wang``.

So what a LangGraph application stores is reached by memplug's own verbs as well, `search` among them, and what lies
under a prefix is a range of names, which the backend finds by its index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph.store.base import InvalidNamespaceError, ListNamespacesOp, PutOp, validate_op_namespace

from memplug.exceptions import MalformedInput, ScopeError
from memplug.store import View
from memplug.values.filters import All, AnyOf, Compare, Filter, Not
from memplug.values.scope import RESERVED
from memplug.values.scoping import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langgraph.store.base import MatchCondition, Op

    from memplug.store import Store
    from memplug.values.scope import Scope

    Namespace = tuple[str, ...]

_DOT, _BEHIND_DOT = ".", "/"
#: Hides the beginning of a first label that would make a bucket of memplug's own, or that is this mark itself.
_MARK = "%"
_WILDCARD = "*"
#: Memories of the first and of the largest page that is looked through for namespaces.
_FIRST, _LARGEST = 64, 1_000
#: Most namespaces that one query leaves out because they are known.
_KNOWN = 5_000


class NamespaceRefused(ScopeError, InvalidNamespaceError):
    """A namespace that LangGraph would refuse, or that cannot be written."""


def check_ops(ops: Iterable[Op]) -> None:
    """Refuses a batch whole for one op that names no namespace, or counts below nothing.

    Raises:
        InvalidNamespaceError: A label is empty, no text, or holds a dot; there is none to put something in; or one
            text stands where labels belong, whose letters would be the labels: ``"ann"`` lies above ``"anna"`` then.
        MalformedInput: A limit, offset or depth is below 0, or an op is none.
    """
    for op in ops:
        for path in _paths(op):
            if not isinstance(path, list | tuple):
                raise NamespaceRefused(f"a namespace must be a tuple of labels, not {path!r:.80}")
        validate_op_namespace(op)
        if isinstance(op, PutOp) and not op.namespace:
            raise NamespaceRefused("a namespace must have a label to put something in")
        for name in ("limit", "offset", "max_depth"):
            number = getattr(op, name, None)
            if number is not None and number < 0:
                raise MalformedInput(f"{name} must not be below 0, as {number} is")
        for path in _paths(op):
            _check_text(path)


def _paths(op: Op) -> list[Sequence[str]]:
    if isinstance(op, ListNamespacesOp):
        return [condition.path for condition in op.match_conditions or ()]
    for name in ("namespace", "namespace_prefix"):
        if hasattr(op, name):
            return [getattr(op, name)]
    raise MalformedInput(f"a store has no operation {type(op).__name__!r:.100}")


def _check_text(labels: Sequence[str]) -> None:
    try:
        "".join(labels).encode()
    except UnicodeEncodeError as error:
        raise NamespaceRefused("a label is not valid Unicode") from error


def bucket_of(namespace: Sequence[str]) -> str:
    """The bucket of a namespace that has labels."""
    bucket = _DOT.join(namespace)
    return _MARK + bucket if bucket.startswith((RESERVED, _MARK)) else bucket


def namespace_of(bucket: str) -> Namespace:
    """The namespace of a bucket."""
    return tuple(bucket.removeprefix(_MARK).split(_DOT))


def under(prefix: Sequence[str]) -> Filter | None:
    """Holds in the namespace of these labels and below it; None where there are no labels, so that all are meant."""
    if not prefix:
        return None
    bucket = bucket_of(prefix)
    # "Not at least" instead of "less": a backend can tell exactly where that holds, also of memories of no bucket.
    below = All(
        (Compare("bucket", "gte", bucket + _DOT), Not(Compare("bucket", "gte", bucket + _BEHIND_DOT))),
    )
    return AnyOf((Compare("bucket", "eq", bucket), below))


def listed(store: Store, scope: Scope, kinds: Filter, op: ListNamespacesOp) -> list[Namespace]:
    """The namespaces that something lies in now, in order; see `BaseStore.list_namespaces`."""
    conditions = op.match_conditions or ()
    wanted = joined(kinds, *(under(_literal(one)) for one in conditions))
    found = {name for name in _occupied(store, scope, wanted) if all(_matches(name, one) for one in conditions)}
    if op.max_depth is not None:
        found = {name[: op.max_depth] for name in found}
    return sorted(found)[op.offset : op.offset + op.limit]


def _occupied(store: Store, scope: Scope, wanted: Filter | None) -> set[Namespace]:
    """The namespaces of all memories that are meant, without looking at each of them.

    A page shows some namespaces, and the next one is asked for what lies in none of these: so it takes as many queries
    as there are pages of namespaces, not of memories.
    """
    known: dict[str, None] = {}
    after, limit = None, _FIRST
    while True:
        left_out = Not(Compare("bucket", "in", tuple(known)[-_KNOWN:])) if known else None
        page = store.select(View(scope=scope, filter=joined(wanted, left_out)), limit=limit, after=after)
        known |= dict.fromkeys(record.item.bucket or "" for record in page)
        if len(page) < limit:
            return {namespace_of(bucket) for bucket in known if bucket}
        after, limit = (page[-1].item.created_at, page[-1].id), min(limit * 4, _LARGEST)


def _literal(condition: MatchCondition) -> Sequence[str]:
    """The labels that the condition says a namespace begins with."""
    path = condition.path
    if condition.match_type != "prefix":
        return ()
    return path[: path.index(_WILDCARD)] if _WILDCARD in path else path


def _matches(namespace: Namespace, condition: MatchCondition) -> bool:
    path = condition.path
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in (_WILDCARD, label) for label, wanted in zip(part, path, strict=True))
