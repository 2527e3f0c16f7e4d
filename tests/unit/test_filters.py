"""Filters: what is taken, what is refused, and what they mean."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplug.exceptions import FilterError
from memplug.values.filters import (
    FIELDS,
    OPERATORS,
    All,
    AnyOf,
    Compare,
    Filter,
    Not,
    matches,
    moment,
    parse_filter,
    value_of,
)
from memplug.values.item import MemoryItem
from memplug.values.limits import Limits
from memplug.values.predicate import predicate
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
ITEM = MemoryItem(
    id="m1",
    kind="text",
    text="I like spicy food",
    user_id="wang",
    tags=("Food", "spicy"),
    metadata={
        "city": "Paris",
        "price": 10,
        "share": 0.5,
        "paid": True,
        "none": None,
        "list": ["a", 1, True],
        "deep": {"er": {"est": 7}},
        "dotted.key": "outright",
        "kind": "shadow",
        "and": "yes",
        "empty": "",
    },
    source=Provenance(role="user", speaker="Wang", position=3),
    created_at=NOW,
    updated_at=NOW,
    occurred_at=NOW - timedelta(days=1),
)


def holds(filters: Mapping[str, Any]) -> bool:
    """Whether the item satisfies a filter dict."""
    return matches(parse_filter(filters), ITEM)


@pytest.mark.parametrize(
    ("filters", "parsed"),
    [
        ({"kind": "image"}, Compare("kind", "eq", "image")),
        ({"city": "Paris"}, Compare("metadata.city", "eq", "Paris")),
        ({"metadata.kind": "x"}, Compare("metadata.kind", "eq", "x")),
        ({"key": "*"}, Compare("key", "set", True)),  # noqa: FBT003 - the operand
        ({"key": {"set": False}}, Compare("key", "set", False)),  # noqa: FBT003 - the operand
        ({"kind": ["text", "image"]}, Compare("kind", "in", ("text", "image"))),
        ({"kind": {"nin": ("text",)}}, Compare("kind", "nin", ("text",))),
        ({"price": {"$gte": 10}}, Compare("metadata.price", "gte", 10)),
        (
            {"price": {"gte": 10, "lt": 20}},
            All((Compare("metadata.price", "gte", 10), Compare("metadata.price", "lt", 20))),
        ),
        ({"a": 1, "b": 2}, All((Compare("metadata.a", "eq", 1), Compare("metadata.b", "eq", 2)))),
        ({"AND": [{"a": 1}, {"b": 2}]}, All((Compare("metadata.a", "eq", 1), Compare("metadata.b", "eq", 2)))),
        ({"$or": [{"a": 1}]}, AnyOf((Compare("metadata.a", "eq", 1),))),
        ({"NOT": [{"a": 1}, {"b": 2}]}, Not(AnyOf((Compare("metadata.a", "eq", 1), Compare("metadata.b", "eq", 2))))),
        ({"NOT": {"a": 1}}, Not(AnyOf((Compare("metadata.a", "eq", 1),)))),
        ({"and": "a word"}, Compare("metadata.and", "eq", "a word")),
        ({"created_at": "2026-11-20T18:00:00Z"}, Compare("created_at", "eq", NOW)),
        ({"day": date(2026, 11, 20)}, Compare("metadata.day", "eq", "2026-11-20")),
        ({}, All(())),
    ],
)
def test_mem0_forms_are_understood(filters: Mapping[str, Any], parsed: Filter) -> None:
    """A filter dict means one typed filter, the same each time."""
    assert parse_filter(filters) == parsed
    assert parse_filter(parsed) == parsed


def test_nested_logic_is_understood() -> None:
    """AND, OR and NOT nest, in any writing."""
    filters = {"AND": [{"kind": "text"}, {"OR": [{"city": "Rome"}, {"NOT": [{"city": {"in": ["Bonn", "Rome"]}}]}]}]}
    assert holds(filters)
    assert parse_filter(None) is None
    assert matches(None, ITEM)


@pytest.mark.parametrize(
    "filters",
    [
        {"price": {"between": [1, 2]}},
        {"price": {"$regex": "x"}},
        {"price": {5: 1}},
        {"price": {10**5000: 1}},
        {"price": {}},
        {"price": {"gt": {"a": 1}}},
        {"price": {"gt": [1]}},
        {"price": object()},
        {"price": float("nan")},
        {"price": 2**63},
        {"price": -(2**63) - 1},
        {"version": 10**5000},
        {"kind": {"in": "text"}},
        {"kind": {"in": {"a": 1}}},
        {"kind": {"nin": None}},
        {"kind": [["text"]]},
        {"key": {"set": "yes"}},
        {"key": {"set": 1}},
        {"tags": {"contains": None}},
        {"tags": {"contains": ["a"]}},
        {"tags": b"food"},
        {"AND": []},
        {"OR": {}},
        {"NOT": [{}]},
        {"AND": [{"a": 1}, {}]},
        {"AND": ["a"]},
        {"AND": [None]},
        {"$and": "a"},
        {"$nor": [{"a": 1}]},
        {"": 1},
        {5: 1},
        {10**5000: 1},
        {"city": "\ud800"},
        {"\ud800": 1},
        {"created_at": "yesterday"},
        {"created_at": True},
        {"created_at": None},
        {"created_at": 10**5000},
        {"created_at": float("inf")},
        {"created_at": float("nan")},
        {"created_at": ["2026-11-20", "soon"]},
        [{"a": 1}],
        "kind = 'text'",
        5,
    ],
)
def test_what_means_nothing_is_refused(filters: Any) -> None:
    """One typed error with short words; nothing is dropped or guessed."""
    with pytest.raises(FilterError) as caught:
        parse_filter(filters)
    assert 10 < len(str(caught.value)) < 300


def test_an_error_repeats_little_of_a_long_value() -> None:
    """A megabyte of nonsense does not come back as a megabyte of message."""
    for filters in ({"created_at": "x" * 10**6}, {"y" * 10**6: {"z" * 10**6: 1}}, {"$" + "y" * 10**6: 1}):
        with pytest.raises(FilterError) as caught:
            parse_filter(filters)
        assert len(str(caught.value)) < 500


def nested(levels: int) -> dict[str, Any]:
    """A condition below so many levels of logic."""
    filters: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        filters = {"AND": [filters]}
    return filters


@pytest.mark.parametrize(
    ("limits", "fits", "over"),
    [
        (Limits(filter_depth=3), nested(3), nested(4)),
        (Limits(filter_values=3), {"a": [1, 2, 3]}, {"a": [1, 2, 3, 4]}),
        (Limits(filter_values=3), {"a": {"nin": [1, 2, 3]}}, {"a": {"nin": [1, 2, 3, 4]}}),
        (Limits(filter_conditions=3), {"a": {"gt": 1, "lt": 3}, "b": 1}, {"a": {"gt": 1, "lt": 3}, "b": 1, "c": 1}),
        (Limits(filter_conditions=3), {"OR": [{"a": 1}] * 3}, {"OR": [{"a": 1}] * 4}),
        (Limits(), {"OR": [{"a": 1}] * 200}, {"OR": [{"a": 1}] * 201}),
        (Limits(), nested(16), nested(17)),
        (Limits(), {"a": list(range(10_000))}, {"a": list(range(10_001))}),
    ],
)
def test_limits_hold_at_n_and_n_plus_one(limits: Limits, fits: Mapping[str, Any], over: Mapping[str, Any]) -> None:
    """A filter at its limit is taken, one above it is refused."""
    assert parse_filter(fits, limits) is not None
    with pytest.raises(FilterError, match=r"more than|deeper than"):
        parse_filter(over, limits)


@pytest.mark.parametrize(
    "filters",
    [
        {"kind": "text"},
        {"user_id": "wang"},
        {"role": "user", "speaker": "Wang", "position": 3},
        {"version": {"gte": 1}},
        {"tags": "spicy"},
        {"tags": ["x", "spicy"]},
        {"tags": {"contains": "spicy"}},
        {"tags": {"icontains": "food"}},
        {"tags": {"ne": "x"}},
        {"tags": "*"},
        {"text": {"contains": "spicy"}},
        {"text": {"icontains": "SPICY"}},
        {"price": 10},
        {"price": 10.0},
        {"price": {"gt": 9.5, "lte": 10}},
        {"share": {"lt": 1}},
        {"paid": True},
        {"paid": {"ne": 1}},
        {"price": {"ne": True}},
        {"list": "a"},
        {"list": 1},
        {"list": True},
        {"list": {"contains": "a"}},
        {"deep.er.est": 7},
        {"metadata.deep.er.est": 7},
        {"dotted.key": "outright"},
        {"metadata.kind": "shadow"},
        {"and": "yes"},
        {"city": {"gt": "Oslo", "lt": "Rome"}},
        {"missing": None},
        {"none": None},
        {"missing": {"ne": "x"}},
        {"missing": {"nin": ["x"]}},
        {"missing": {"set": False}},
        {"none": {"set": False}},
        {"empty": {"set": False}},
        {"key": {"set": False}},
        {"kind": {"nin": []}},
        {"occurred_at": {"lt": NOW.isoformat()}},
        {"created_at": NOW.timestamp()},
        {"created_at": {"gte": date(2026, 11, 20), "lt": "2026-11-21"}},
        {"created_at": "2026-11-20T19:00:00+01:00"},
        {"expires_at": {"set": False}},
    ],
)
def test_what_holds(filters: Mapping[str, Any]) -> None:
    """Each of these is true of the item, and its negation is not."""
    assert holds(filters)
    assert not holds({"NOT": [filters]})


@pytest.mark.parametrize(
    "filters",
    [
        {"kind": "shadow"},
        {"kind": "Text"},
        {"price": "10"},
        {"price": True},
        {"paid": 1},
        {"paid": [1, "true"]},
        {"paid": {"gt": 0}},
        {"price": {"gt": False}},
        {"price": {"gt": "9"}},
        {"city": {"gt": 1}},
        {"missing": {"gt": 0}},
        {"missing": {"lt": 10**6}},
        {"missing": {"contains": "x"}},
        {"missing": "*"},
        {"none": "*"},
        {"kind": []},
        {"tags": {"contains": "spi"}},
        {"tags": {"gt": "A"}},
        {"price": {"contains": 1}},
        {"text": {"contains": "SPICY"}},
        {"deep": "er"},
        {"deep.er.est.more": 7},
        {"expires_at": {"lt": "2999-01-01"}},
        {"occurred_at": {"contains": "2026-11-19"}},
        {"AND": [{"kind": "text"}, {"kind": "image"}]},
    ],
)
def test_what_does_not_hold(filters: Mapping[str, Any]) -> None:
    """Missing values and other types never match, a bool is no number, and text keeps its case."""
    assert not holds(filters)
    assert holds({"NOT": [filters]})


def test_no_filter_among_many_is_false_and_all_of_none_is_true() -> None:
    """The empty cases are those of logic."""
    assert matches(All(()), ITEM)
    assert not matches(AnyOf(()), ITEM)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_every_field_can_be_looked_at(field: str) -> None:
    """Every name that a filter may use leads to a value of the item."""
    assert matches(Compare(field, "set", value_of(ITEM, field) not in (None, "", ())), ITEM)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOW, NOW),
        (NOW.replace(tzinfo=None), NOW),
        (NOW.astimezone(timezone(timedelta(hours=8))), NOW),
        (date(2026, 11, 20), NOW.replace(hour=0)),
        (" 2026-11-20T18:00:00Z ", NOW),
        ("2026-11-20T18:00:00", NOW),
        ("2026-11-20", NOW.replace(hour=0)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (0.5, datetime(1970, 1, 1, microsecond=500_000, tzinfo=UTC)),
    ],
)
def test_a_moment_can_be_written_in_several_ways(value: object, expected: datetime) -> None:
    """All of them are the same aware moment in UTC."""
    found = moment(value, name="occurred_at")
    assert (found, found.tzinfo) == (expected, UTC)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, float("inf")]),
    st.sampled_from(["", "a", "A", "ab", "é", "我"]),
)
NAMES = st.sampled_from(["price", "city", "deep.er", "list", "metadata.kind"])
FIELD_NAMES = ["kind", "user_id", "bucket", "tags", "position", "role", "speaker", "version"]
VALUES = st.one_of(SCALARS, st.sampled_from(["text", "wang", "Food", "spicy", "user", "Wang"]))
CONDITIONS = st.one_of(
    st.builds(
        Compare, NAMES.map("metadata.".__add__), st.sampled_from(sorted({*OPERATORS} - {"in", "nin", "set"})), SCALARS
    ),
    st.builds(Compare, NAMES.map("metadata.".__add__), st.sampled_from(["in", "nin"]), st.lists(SCALARS).map(tuple)),
    st.builds(Compare, st.sampled_from(["tags", "text", "key"]), st.just("set"), st.booleans()),
    st.builds(Compare, st.sampled_from(FIELD_NAMES), st.sampled_from(["eq", "ne", "contains"]), VALUES),
    st.builds(Compare, st.sampled_from(FIELD_NAMES), st.sampled_from(["in", "nin"]), st.lists(VALUES).map(tuple)),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
JSON = st.dictionaries(
    st.sampled_from(["price", "city", "deep", "list", "kind"]),
    st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.just("er"), SCALARS)),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["AND", "$or", "not", "in", "gt", "created_at", "tags", "x"]), inner, max_size=3
        ),
    ),
    max_leaves=12,
)


def item_with(metadata: Mapping[str, Any]) -> MemoryItem:
    """An item with this metadata."""
    return MemoryItem(id="m", kind="text", text="t", created_at=NOW, updated_at=NOW, metadata=metadata)


@given(st.lists(FILTERS, max_size=4).map(tuple), JSON)
def test_de_morgan(filters: tuple[Filter, ...], metadata: Mapping[str, Any]) -> None:
    """Not all means that one does not, not any means that none does, and twice not is yes."""
    item = item_with(metadata)
    negated = tuple(Not(one) for one in filters)
    assert matches(Not(All(filters)), item) is matches(AnyOf(negated), item)
    assert matches(Not(AnyOf(filters)), item) is matches(All(negated), item)
    assert matches(Not(Not(All(filters))), item) is matches(All(filters), item)


@given(FILTERS, JSON)
def test_predicates_say_the_same(filter_: Filter, metadata: Mapping[str, Any]) -> None:
    """A filter made into a function means what the filter means."""
    item = item_with(metadata)
    assert predicate(filter_)(item) is matches(filter_, item)


@given(NAMES, SCALARS, JSON)
def test_operators_agree_with_each_other(name: str, value: Any, metadata: Mapping[str, Any]) -> None:
    """`ne` is the opposite of `eq`, `in` of one value is `eq`, and an order is never both ways."""
    item = item_with(metadata)

    def test(operator: str, operand: Any) -> bool:
        return matches(Compare(f"metadata.{name}", operator, operand), item)  # type: ignore[arg-type] # any of them

    assert test("ne", value) is not test("eq", value)
    assert test("in", (value,)) is test("eq", value)
    assert test("nin", (value,)) is test("ne", value)
    assert not (test("lt", value) and test("gte", value))
    assert test("lte", value) is test("gte", value) or not (test("lte", value) and test("gte", value))
    if test("lt", value) or test("gt", value):
        assert not test("eq", value)


@given(ANYTHING)
def test_any_json_is_a_filter_or_a_filter_error(filters: Any) -> None:
    """Whatever a door passes on, nothing but a FilterError comes out, and what is taken can be applied."""
    try:
        parsed = parse_filter({"AND": [filters]} if filters else filters)
    except FilterError:
        return
    assert matches(parsed, ITEM) in (True, False)
