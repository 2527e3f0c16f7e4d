"""Sample inputs for contract tests: hostile texts, and strategies for records and filters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from memplug.values.filters import OPERATORS, All, AnyOf, Compare, Filter, Not
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Texts that broke somebody's query language, path or encoding.
HOSTILE_IDS: tuple[str, ...] = (
    "it's",
    '"quoted"',
    "'; DROP TABLE memories; --",
    "' OR '1'='1",
    "x' OR user_id = 'wang",
    "back\\slash",
    "\\'",
    "nul\x00inside",
    "new\nline\r\ntab\t",
    "😀👩‍👩‍👧",
    "שלום مرحبا \u202e right to left",
    "王",
    "percent%under_score",
    "../../etc/passwd",
    "a" * 100_000,
    " leading and trailing ",
    "null",
    "NaN",
    "{curly} [square] (round)",
    "`id`",
    "a@1",
    "\x1e\x1f\x1d",
    "e\u0301 against é",
)
START = datetime(2026, 1, 1, tzinfo=UTC)

_WORDS = (
    "",
    "red",
    "Red",
    "世界",
    "red 世界",
    "it's",
    "a_b",
    "100%",
    "straße",
    "STRASSE",
    "\x1f",
    "İ",
    "zz",
    "\U0001f600",
)
_KEYS = (None, "", "k", "K", "ключ", "it's")
_TAGS = ("", "a", "b", "A", "a\x1fb", "\x1f", "\x1e", "\x1d", "it's", "世界", "a%")
_MOMENTS = tuple(START + timedelta(seconds=seconds) for seconds in (-10, -1, 0, 0.000001, 1, 10))
_NUMBERS = (0, 1, 2, -1, 2.0, 2.5, float("inf"), float("nan"), 2**63, True, False)
_VALUES = (*_WORDS, *_TAGS, *_MOMENTS, *_NUMBERS, None, "k", "text", "image", "user")
_SCALARS = st.sampled_from((0, 1, 2.5, True, False, None, "", "red", "Red", [1, "red"], {"deep": 1}))
_FIELDS = [
    "id",
    "key",
    "kind",
    "text",
    "content_type",
    "status",
    "tags",
    "version",
    "position",
    "role",
    "speaker",
    "part_of",
    "created_at",
    "updated_at",
    "occurred_at",
    "expires_at",
    "agent_id",
    "run_id",
    "bucket",
    "metadata.a",
    "metadata.a.deep",
    "metadata.b",
]


def items() -> SearchStrategy[dict[str, Any]]:
    """Fields of a memory, for `memplug.testing.backend.record`; a few words that filters can hit and miss."""
    moments = st.sampled_from(_MOMENTS)
    source = st.builds(
        Provenance,
        role=st.sampled_from((None, "user", "assistant")),
        speaker=st.sampled_from((None, "", "Wang")),
        position=st.sampled_from((None, 0, 1, 2)),
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "text": st.sampled_from(_WORDS),
            "kind": st.sampled_from(("text", "image", "")),
            "key": st.sampled_from(_KEYS),
            "agent_id": st.sampled_from((None, "red", "it's")),
            "bucket": st.sampled_from((None, "", "k")),
            "part_of": st.sampled_from((None, "k")),
            "status": st.sampled_from(("ready", "failed")),
            "tags": st.lists(st.sampled_from(_TAGS), unique=True, max_size=4).map(lambda tags: tuple(sorted(tags))),
            "metadata": st.dictionaries(st.sampled_from(("a", "b", "a.deep")), _SCALARS, max_size=3),
            "source": source,
            "created_at": moments,
            "occurred_at": st.none() | moments,
            "expires_at": st.none() | moments,
            "deleted": st.booleans(),
            "seconds": st.sampled_from((0, 1, 3)),
            "vector": st.none() | st.tuples(st.sampled_from((1, -1)), st.integers(-2, 2)),
        },
    )


def filters() -> SearchStrategy[Filter]:
    """Filters of every operator over every field, with fitting and unfitting values, nested in every way."""
    values = st.sampled_from(_VALUES)
    operands = {
        "in": st.lists(values, max_size=4).map(tuple),
        "nin": st.lists(values, max_size=4).map(tuple),
        "set": st.booleans(),
    }
    leaves = st.sampled_from(OPERATORS).flatmap(
        lambda operator: st.builds(
            Compare, field=st.sampled_from(_FIELDS), operator=st.just(operator), value=operands.get(operator, values)
        )
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, max_size=3).map(lambda members: All(tuple(members))),
            st.lists(inner, max_size=3).map(lambda members: AnyOf(tuple(members))),
        ),
        max_leaves=5,
    )
