"""LangGraph's filters over values: ``{"price": {"$gte": 10}, "color": "red"}``.

The reference stores differ from each other in what is missing, in ``True`` and ``1``, and in texts with an order. Here
values are compared as JSON: what is missing matches nothing, ``$ne`` included; numbers have an order among numbers and
texts among texts, anything else has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, Literal

from memplug.exceptions import FilterError
from memplug.values.filters import METADATA, All, Compare, Filter

_MISSING = object()
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {"$gt": gt, "$gte": ge, "$lt": lt, "$lte": le}
_OPERATORS = ("$eq", "$ne", *_ORDERS)
_PUSHED: dict[str, Literal["eq", "gt", "gte", "lt", "lte"]] = {
    "$eq": "eq",
    "$gt": "gt",
    "$gte": "gte",
    "$lt": "lt",
    "$lte": "lte",
}


#: Mappings that a condition may have inside each other; values have fewer.
_LEVELS = 200


class FilterRefused(FilterError, ValueError):
    """A filter has an operator that LangGraph does not know, is nested too deeply, or is no mapping of texts."""


def checked_filter(filter_: object) -> Mapping[str, Any]:
    """The filter of an op; empty where it has none.

    Raises:
        FilterRefused: It is no mapping, has an unknown operator, or is nested too deeply.
    """
    if filter_ is None:
        return {}
    if not isinstance(filter_, Mapping) or not all(isinstance(name, str) for name in filter_):
        raise FilterRefused("a filter must be a dict with texts as keys")
    for condition in filter_.values():
        _check(condition, _LEVELS)
    return filter_


def _check(condition: object, levels: int) -> None:
    if not isinstance(condition, Mapping):
        return
    if not levels:
        raise FilterRefused("a filter is nested too deeply")
    operators = [name for name in condition if isinstance(name, str) and name.startswith("$")]
    unknown = [name for name in condition if name not in _OPERATORS] if operators else []
    if unknown:
        raise FilterRefused(f"unknown operator {unknown[0]!r:.80}", hint=f"one of {', '.join(_OPERATORS)}")
    for member in () if operators else condition.values():
        _check(member, levels - 1)


def satisfies(value: Mapping[str, Any], filter_: Mapping[str, Any]) -> bool:
    """Whether all conditions hold of a value."""
    return all(_holds(_found(value, name), condition) for name, condition in filter_.items())


def _found(value: Mapping[str, Any], name: str) -> Any:
    """The member of that name, else the one at the end of that dotted path."""
    if name in value:
        return value[name]
    head, dot, rest = name.partition(".")
    inner = value.get(head) if dot else None
    return _found(inner, rest) if isinstance(inner, Mapping) else _MISSING


def _holds(found: Any, condition: object) -> bool:
    if found is _MISSING:
        return False
    if not isinstance(condition, Mapping):
        return _equal(found, condition)
    if any(name in _OPERATORS for name in condition):
        return all(_compared(found, operator, operand) for operator, operand in condition.items())
    return isinstance(found, Mapping) and all(
        _holds(found.get(name, _MISSING), member) for name, member in condition.items()
    )


def _compared(found: Any, operator: str, operand: Any) -> bool:
    if operator in _ORDERS:
        return _ordered(found, operand) and _ORDERS[operator](found, operand)
    return _equal(found, operand) is (operator == "$eq")


def _ordered(found: object, operand: object) -> bool:
    if isinstance(found, bool) or isinstance(operand, bool):
        return False
    return any(isinstance(found, kind) and isinstance(operand, kind) for kind in ((int, float), (str,)))


def _equal(found: Any, wanted: Any) -> bool:
    """Equality of JSON: ``True`` is not ``1``, and a list equals a tuple."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return found.keys() == wanted.keys() and all(_equal(found[name], wanted[name]) for name in found)
    if _is_list(found) and _is_list(wanted):
        return len(found) == len(wanted) and all(map(_equal, found, wanted))
    return isinstance(found, bool) is isinstance(wanted, bool) and bool(found == wanted)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def pushed(filter_: Mapping[str, Any]) -> Filter | None:
    """What a backend can be asked for instead: it holds wherever the filter does, and perhaps elsewhere."""
    found: list[Filter] = []
    for name, condition in filter_.items():
        operators = condition if isinstance(condition, Mapping) else {"$eq": condition}
        for operator, operand in operators.items():
            if operator in _PUSHED and isinstance(operand, str | int | float):
                found.append(Compare(METADATA + name, _PUSHED[operator], operand))
    return All(tuple(found)) if found else None
