"""Typed filters, and the way from mem0's filter dicts to them.

    {"kind": "image"}                                    equal
    {"price": {"gte": 10, "lt": 20}}                     between; names that are not fields mean metadata
    {"tags": {"contains": "food"}}                       membership, or substring of a text
    {"key": "*"}                                         is set
    {"AND": [{"kind": "text"}, {"NOT": [{"city": {"in": ["Paris", "Rome"]}}]}]}

Several keys of one dict must all hold. ``NOT`` over a list means that none of its conditions holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from memplug.exceptions import FilterError
from memplug.values.limits import Limits
from memplug.values.scope import SCOPE_FIELDS

if TYPE_CHECKING:
    from memplug.values.item import MemoryItem

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "icontains", "set"]
OPERATORS: tuple[str, ...] = get_args(Operator)

#: Fields whose values are moments; ISO 8601 text, dates and numbers (seconds since 1970) are taken for them.
TIME_FIELDS = frozenset({"created_at", "updated_at", "occurred_at", "expires_at"})
#: Fields that a filter may name; every other name means a metadata key.
FIELDS = frozenset(
    {"id", "key", "kind", "text", "content_type", "status", "tags", "version", "position", "role", "speaker", "part_of"}
    | TIME_FIELDS
    | set(SCOPE_FIELDS)
)
#: Prefix that names a metadata key outright, for keys that are called like a field.
METADATA = "metadata."

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
#: Characters of a name or value that an error message repeats.
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Compare:
    """``field operator value``. A value that is missing or of another type never matches (but see ``ne``, ``nin``)."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class All:
    """Every one of the filters holds; true when there are none."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the filters holds; false when there are none."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The filter does not hold."""

    filter: Filter


Filter = Compare | All | AnyOf | Not


def parse_filter(filters: Mapping[str, Any] | Filter | None, limits: Limits | None = None) -> Filter | None:
    """Reads a filter dict of the form shown at the top of this module.

    Args:
        filters: The dict; a filter that is one already comes back as it is.
        limits: The bounds on size and nesting.

    Raises:
        FilterError: An unknown operator, a shape that means nothing, a value of a type that cannot be
            compared, or a filter over its limits. Nothing is ever dropped or guessed.
    """
    if filters is None:
        return None
    parser = _Parser(limits or Limits())
    if isinstance(filters, Compare | All | AnyOf | Not):
        return parser.checked(filters, depth=0)
    return parser.group(filters, depth=0)


class _Parser:
    """One pass over a filter dict, counting as it goes."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.conditions = 0

    def group(self, filters: object, *, depth: int) -> Filter:
        if not isinstance(filters, Mapping):
            raise FilterError(f"a filter must be a dict, not {type(filters).__name__}")
        self.descend(depth)
        return _joined([self.entry(name, value, depth=depth) for name, value in filters.items()])

    def checked(self, filter_: object, *, depth: int) -> Filter:
        """A filter that is one already, with everything in it looked at."""
        self.descend(depth)
        if isinstance(filter_, Compare) and isinstance(filter_.field, str):
            return self.compare(filter_.field, filter_.operator, filter_.value)
        self.count()
        match filter_:
            case All(filters):
                return All(tuple(self.checked(member, depth=depth + 1) for member in filters))
            case AnyOf(filters):
                return AnyOf(tuple(self.checked(member, depth=depth + 1) for member in filters))
            case Not(member):
                return Not(self.checked(member, depth=depth + 1))
        raise FilterError(f"a filter cannot hold a {type(filter_).__name__}")

    def descend(self, depth: int) -> None:
        """Bounds the nesting."""
        if depth > self.limits.filter_depth:
            raise FilterError(f"the filter is nested deeper than {self.limits.filter_depth} levels")

    def count(self) -> None:
        """Bounds the number of conditions."""
        self.conditions += 1
        if self.conditions > self.limits.filter_conditions:
            raise FilterError(f"the filter has more than {self.limits.filter_conditions} conditions")

    def entry(self, name: object, value: object, *, depth: int) -> Filter:
        if not isinstance(name, str) or not name:
            raise FilterError(f"a field name must be text, not {_shown(name)}")
        _check_text(name, "a field name")
        logic = name.upper().removeprefix("$")
        if logic in _LOGIC and (name.startswith("$") or isinstance(value, Mapping | list | tuple)):
            return self.logic(logic, value, depth=depth)
        if name.startswith("$"):
            raise FilterError(f"unknown operator {_shown(name)}", hint="AND, OR, NOT take lists of filters")
        if isinstance(value, Mapping):
            return _joined([self.compare(name, op, operand) for op, operand in self.operators(name, value)])
        if isinstance(value, list | tuple | set | frozenset):
            return self.compare(name, "in", value)
        if value == "*":
            return self.compare(name, "set", True)  # noqa: FBT003 - the operand of "set"
        return self.compare(name, "eq", value)

    def logic(self, logic: str, value: object, *, depth: int) -> Filter:
        if not isinstance(value, Mapping | list | tuple):
            raise FilterError(f"{logic} takes a list of filters, not {type(value).__name__}")
        members = [value] if isinstance(value, Mapping) else value
        # An empty member would count as no condition, so that a million of them would pass every limit.
        if not members or not all(members):
            raise FilterError(f"{logic} takes at least one filter, and none that is empty")
        return _LOGIC[logic](tuple(self.group(member, depth=depth + 1) for member in members))

    def operators(self, name: str, value: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
        if not value:
            raise FilterError(f"the filter on {_shown(name)} is empty")
        return list(value.items())

    def compare(self, name: str, operator: object, operand: object) -> Compare:
        self.count()
        word = operator.removeprefix("$") if isinstance(operator, str) else operator
        if word not in OPERATORS:
            raise FilterError(
                f"unknown operator {_shown(operator)} on {_shown(name)}", hint=f"one of {', '.join(OPERATORS)}"
            )
        field = name if name in FIELDS or name.startswith(METADATA) else METADATA + name
        return Compare(field, cast("Operator", word), self.operand(field, word, operand))

    def operand(self, field: str, operator: str, operand: object) -> Any:
        if operator == "set":
            if not isinstance(operand, bool):
                raise FilterError(f"'set' on {_shown(field)} takes true or false")
            return operand
        if operator in {"in", "nin"}:
            return self.values(field, operand)
        if operator in {"contains", "icontains"} and not isinstance(operand, str | int | float | bool):
            raise FilterError(f"{operator!r} on {_shown(field)} takes a text or number, not {type(operand).__name__}")
        return _scalar(field, operand)

    def values(self, field: str, operand: object) -> tuple[Any, ...]:
        if not isinstance(operand, list | tuple | set | frozenset):
            raise FilterError(f"'in' on {_shown(field)} takes a list, not {type(operand).__name__}")
        if len(operand) > self.limits.filter_values:
            raise FilterError(f"'in' on {_shown(field)} has more than {self.limits.filter_values} values")
        return tuple(_scalar(field, value) for value in operand)


def _joined(filters: list[Filter]) -> Filter:
    return filters[0] if len(filters) == 1 else All(tuple(filters))


_LOGIC: dict[str, Callable[[tuple[Filter, ...]], Filter]] = {
    "AND": All,
    "OR": AnyOf,
    "NOT": lambda filters: Not(AnyOf(filters)),
}


def _scalar(field: str, value: object) -> Any:
    if field in TIME_FIELDS:
        return moment(value, name=field)
    if isinstance(value, str):
        return _check_text(value, f"the value for {_shown(field)}")
    if isinstance(value, int | float):
        return _check_number(value, f"the value for {_shown(field)}")
    if value is None:
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise FilterError(f"cannot compare {_shown(field)} with a {type(value).__name__}")


def _check_text(value: str, what: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise FilterError(f"{what} is not valid Unicode") from error
    return value


def _check_number(value: float, what: str) -> float:
    """A number that every backend can hold: whole numbers of 64 bits, and floats that equal themselves."""
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        raise FilterError(f"{what} is a number of more than 64 bits")
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        raise FilterError(f"{what} is not a number")
    return value


def _shown(value: object) -> str:
    """A value for a message: never long, and never the digits of a huge number, which Python refuses to write."""
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")


def moment(value: object, *, name: str) -> datetime:
    """A moment as a caller may write it, as aware UTC.

    Args:
        value: A datetime (naive means UTC), a date, ISO 8601 text, or seconds since 1970.
        name: What it is for, in the words of the error.

    Raises:
        FilterError: It is none of these, or out of range.
    """
    try:
        match value:
            case datetime():
                found = value
            case date():
                found = datetime(value.year, value.month, value.day, tzinfo=UTC)
            case str():
                found = datetime.fromisoformat(value.strip())
            case int() | float() if not isinstance(value, bool):
                found = datetime.fromtimestamp(value, tz=UTC)
            case _:
                raise FilterError(f"{name} must be a moment, not {type(value).__name__}")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        hint = "ISO 8601, such as 2026-11-20T18:00:00Z"
        raise FilterError(f"{name} is not a moment: {_shown(value)}", hint=hint) from error


def matches(filter_: Filter | None, item: MemoryItem) -> bool:
    """Whether an item satisfies a filter. This is what filters mean; a backend may only be faster."""
    match filter_:
        case None:
            return True
        case All(filters):
            return all(matches(member, item) for member in filters)
        case AnyOf(filters):
            return any(matches(member, item) for member in filters)
        case Not(member):
            return not matches(member, item)
        case Compare(field, operator, value):
            return TESTS[operator](value_of(item, field), value)


def value_of(item: MemoryItem, field: str) -> Any:
    """The value that a filter on ``field`` looks at; None where the item has none."""
    if field.startswith(METADATA):
        return _metadata(item.metadata, field.removeprefix(METADATA))
    if field in {"position", "role", "speaker"}:
        return getattr(item.source, field)
    return getattr(item, field)


def _metadata(metadata: Mapping[str, Any], path: str) -> Any:
    """A metadata value by its key, or by a dotted path where no key is called so."""
    if path in metadata:
        return metadata[path]
    head, dot, rest = path.partition(".")
    inner = metadata.get(head) if dot else None
    return _metadata(inner, rest) if isinstance(inner, Mapping) else None


def _comparable(found: object, value: object) -> bool:
    """Whether the two have an order: both numbers (a bool is none), both texts, or both moments."""
    for kind in ((int, float), (str,), (datetime,)):
        if isinstance(found, kind) and isinstance(value, kind):
            return not isinstance(found, bool) and not isinstance(value, bool)
    return False


def _equal(found: object, value: object) -> bool:
    if isinstance(found, Sequence) and not isinstance(found, str):
        return any(_equal(member, value) for member in found)
    return isinstance(found, bool) is isinstance(value, bool) and found == value


def _contains(found: object, value: object) -> bool:
    if isinstance(found, str):
        return isinstance(value, str) and value in found
    return isinstance(found, Sequence) and any(_equal(member, value) for member in found)


def _icontains(found: object, value: object) -> bool:
    def folded(value: object) -> object:
        return value.casefold() if isinstance(value, str) else value

    if isinstance(found, Sequence) and not isinstance(found, str):
        return _contains([folded(member) for member in found], folded(value))
    return _contains(folded(found), folded(value))


#: What each operator says of the value that an item has and the one that the filter names.
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "ne": lambda found, value: not _equal(found, value),
    "gt": lambda found, value: _comparable(found, value) and found > value,
    "gte": lambda found, value: _comparable(found, value) and found >= value,
    "lt": lambda found, value: _comparable(found, value) and found < value,
    "lte": lambda found, value: _comparable(found, value) and found <= value,
    "in": lambda found, values: any(_equal(found, value) for value in values),
    "nin": lambda found, values: not any(_equal(found, value) for value in values),
    "contains": _contains,
    "icontains": _icontains,
    "set": lambda found, wanted: (found is not None and found not in ("", ())) is wanted,
}


__all__ = [
    "FIELDS",
    "METADATA",
    "OPERATORS",
    "TESTS",
    "TIME_FIELDS",
    "All",
    "AnyOf",
    "Compare",
    "Filter",
    "Not",
    "Operator",
    "matches",
    "moment",
    "parse_filter",
    "value_of",
]
