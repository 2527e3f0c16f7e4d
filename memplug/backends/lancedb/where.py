"""memplug's filters as LanceDB expressions.

An expression finds every record that the filter means, and where it is not `exact` also some others, which
`memplug.values.filters.matches` sorts out afterwards. No value is ever formatted into a text here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lancedb.expr import col, func, lit

from memplug.backends.lancedb.columns import FAR, NUMBERS, TEXTS, TIMES, UNSET, marked_tag, micros
from memplug.values.filters import All, AnyOf, Compare, Not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from memplug.values.filters import Filter

_INT64 = 2**63
#: Most tags of one ``in`` that become an expression each; more are left to `matches`.
_MANY_TAGS = 200
#: Between a quote and what hides it.
_PAIR = re.compile(r"(?<=[\\'])(?=')")


@dataclass(frozen=True, slots=True, eq=False)
class Native:
    """What LanceDB can do of a filter.

    Args:
        expr: A `lancedb.expr.Expr`; None lets every row through.
        exact: Whether the rows it finds are just those that the filter means.
    """

    expr: Any
    exact: bool


_UNKNOWN = Native(None, exact=False)
_ALWAYS = Native(None, exact=True)


def native(filter_: Filter | None) -> Native:
    """The expression for a filter."""
    return _ALWAYS if filter_ is None else _compiled(filter_, negated=False)


def both(*exprs: Any) -> Any:
    """All of the expressions that are not None; None where there is none."""
    return _tree([expr for expr in exprs if expr is not None], lambda one, two: one & two)


def among(name: str, values: Iterable[str]) -> Any:
    """The rows whose column holds one of the values; what is no valid Unicode none can hold."""
    wanted = [literal(value) for value in values if storable(value)]
    return col(name).isin(wanted) if wanted else never()


def literal(value: str) -> Any:
    r"""A text that means the same as an expression and as SQL (`Expr.to_sql`), which is all that a service takes.

    LanceDB 0.40 doubles a quote in SQL, but takes one behind a backslash or behind another quote for doubled already:
    there ``a''b`` would mean ``a'b``, and ``\'`` would end the text. So no piece of it holds such a pair.
    """
    pieces = _PAIR.split(value)
    return lit(value) if len(pieces) == 1 else func("concat", *map(lit, pieces))


def never() -> Any:
    """No row at all."""
    return col("version") < lit(0)


def _tree(exprs: Sequence[Any], join: Callable[[Any, Any], Any]) -> Any:
    """Joins by halves: LanceDB 0.40 kills the process on a chain of 1,000."""
    if len(exprs) <= 1:
        return exprs[0] if exprs else None
    middle = len(exprs) // 2
    return join(_tree(exprs[:middle], join), _tree(exprs[middle:], join))


def _compiled(filter_: Filter, *, negated: bool) -> Native:
    """Negation is pushed down to the comparisons, since the opposite of "finds too many" is "loses some"."""
    match filter_:
        case Not(member):
            return _compiled(member, negated=not negated)
        case All(members) | AnyOf(members):
            parts = [_compiled(member, negated=negated) for member in members]
            return _every(parts) if isinstance(filter_, All) is not negated else _some(parts)
        case Compare():
            return _comparison(filter_, negated=negated)


def _every(parts: list[Native]) -> Native:
    return Native(both(*(part.expr for part in parts)), exact=all(part.exact for part in parts))


def _some(parts: list[Native]) -> Native:
    if not parts:
        return Native(never(), exact=True)
    if any(part.expr is None for part in parts):
        return Native(None, exact=any(part.expr is None and part.exact for part in parts))
    joined = _tree([part.expr for part in parts], lambda one, two: one | two)
    return Native(joined, exact=all(part.exact for part in parts))


def _comparison(compare: Compare, *, negated: bool) -> Native:
    if compare.operator in {"ne", "nin"}:
        positive = Compare(compare.field, "eq" if compare.operator == "ne" else "in", compare.value)
        return _comparison(positive, negated=not negated)
    if compare.operator == "icontains":
        return _UNKNOWN  # Python's case folding and LanceDB's lower() differ outside ASCII
    for names, form in ((TEXTS, _text), (TIMES, _time), (NUMBERS, _number)):
        if compare.field in names:
            return _signed(form(compare, nullable=names[compare.field]), negated=negated)
    return _signed(_tags(compare) if compare.field == "tags" else _UNKNOWN, negated=negated)


def _signed(found: Native, *, negated: bool) -> Native:
    """The complement, which exists only for what is exact."""
    if not negated:
        return found
    if not found.exact:
        return _UNKNOWN
    return Native(never() if found.expr is None else ~found.expr, exact=True)


def _exact(expr: Any) -> Native:
    return Native(expr, exact=True)


def _text(compare: Compare, *, nullable: bool) -> Native:
    field, value = col(compare.field), compare.value
    match compare.operator:
        case "set":
            return _exact(field != lit("") if value else field == lit(""))
        case "eq" | "in":
            return _equal_text(compare, nullable=nullable)
        case "contains":
            return _contained(field, value, nullable=nullable)
    if not isinstance(value, str):
        return _exact(never())
    if not storable(value):
        return _UNKNOWN
    # An empty text stands for None, which has no order: below everything, but not found by "below".
    clear = not nullable or (compare.operator in {"gt", "gte"} and value != "")
    return Native(_ordered(field, compare.operator, literal(value)), exact=clear)


def _equal_text(compare: Compare, *, nullable: bool) -> Native:
    values = _values(compare)
    if values is None or any(isinstance(value, str) and not storable(value) for value in values):
        return _UNKNOWN
    vague = nullable and any(value is None or value == "" for value in values)
    texts = [value for value in values if isinstance(value, str)] + ([""] if vague else [])
    return Native(among(compare.field, texts) if texts else never(), exact=not vague)


def _contained(field: Any, value: object, *, nullable: bool) -> Native:
    if not isinstance(value, str):
        return _exact(never())
    if not value or not storable(value):
        return Native(None, exact=not value and not nullable)
    return _exact(field.contains(literal(value)))


def _values(compare: Compare) -> list[Any] | None:
    """The operands of ``eq`` and ``in``; None where they are nothing that a column could equal by itself."""
    values = list(compare.value) if compare.operator == "in" else [compare.value]
    plain = (str, int, float, bool, datetime, type(None))
    return values if all(isinstance(value, plain) for value in values) else None


def storable(value: str) -> bool:
    """Whether a text can be in a table at all."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _time(compare: Compare, *, nullable: bool) -> Native:
    field, value = col(compare.field), compare.value
    match compare.operator:
        case "set":
            return _presence(field, FAR, nullable=nullable, wanted=value)
        case "contains":
            return _exact(never())
        case "eq" | "in":
            values = _values(compare)
            if values is None or any(isinstance(found, datetime) and found.tzinfo is None for found in values):
                return _UNKNOWN
            wanted = [micros(found) for found in values if isinstance(found, datetime) or (found is None and nullable)]
            return _exact(field.isin(wanted))
    if isinstance(value, datetime) and value.tzinfo is None:
        return _UNKNOWN
    return _between(field, compare.operator, micros(value) if isinstance(value, datetime) else None, FAR)


def _number(compare: Compare, *, nullable: bool) -> Native:
    field, value = col(compare.field), compare.value
    match compare.operator:
        case "set":
            return _presence(field, UNSET, nullable=nullable, wanted=value)
        case "contains":
            return _exact(never())
        case "eq" | "in":
            values = _values(compare)
            if values is None:
                return _UNKNOWN
            wanted = [number for found in values if (number := _whole(found)) is not None]
            return _exact(field.isin(wanted + [UNSET] * (nullable and None in values)))
    whole = _whole(value)
    if whole is None and isinstance(value, int | float) and not isinstance(value, bool):
        return _UNKNOWN
    return _between(field, compare.operator, whole, UNSET)


def _between(field: Any, operator: str, bound: int | None, missing: int) -> Native:
    """An order, which neither a missing value nor a bound of another type has."""
    if bound is None:
        return _exact(never())
    return _exact(both(_ordered(field, operator, lit(bound)), field != lit(missing)))


def _whole(value: object) -> int | None:
    """The number as 64-bit integer, where it equals one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and UNSET < value < _INT64 else None


def _presence(field: Any, missing: int, *, nullable: bool, wanted: bool) -> Native:
    if not nullable:
        return _ALWAYS if wanted else _exact(never())
    return _exact(field != lit(missing) if wanted else field == lit(missing))


def _ordered(field: Any, operator: str, value: Any) -> Any:
    match operator:
        case "gt":
            return field > value
        case "gte":
            return field >= value
        case "lt":
            return field < value
    return field <= value


def _tags(compare: Compare) -> Native:
    field, value = col("tags"), compare.value
    match compare.operator:
        case "set":
            return _exact(field != lit("") if value else field == lit(""))
        case "eq" | "contains" | "in":
            values = _values(compare)
            texts = [found for found in values or () if isinstance(found, str)]
            if values is None or len(texts) > _MANY_TAGS or not all(map(storable, texts)):
                return _UNKNOWN
            found = [field.contains(literal(marked_tag(text))) for text in texts]
            return _exact(_tree(found, lambda one, two: one | two) if found else never())
    return _exact(never())
