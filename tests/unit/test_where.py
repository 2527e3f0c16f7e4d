"""Values in filters of LanceDB: exactly the same as an expression and as a text of SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lancedb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lancedb.expr import col
from lancedb.index import BTree

from memplug.backends.lancedb.loop import run
from memplug.backends.lancedb.where import among, literal
from support import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

#: What quoting depends on, and a letter.
_SIGNS = "'\\\"a\x00\n%-"
_VALUES = sorted({*HOSTILE, "", *(one + two + three for one in "'\\a" for two in "'\\a" for three in "'\\a")})


@pytest.fixture(scope="module", params=["plain", "indexed"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A table with a row for each of many values."""
    database = run(lancedb.connect_async(_folder(tmp_path_factory)))
    made = run(database.create_table("t", pa.table({"value": _VALUES})))
    if request.param == "indexed":
        run(made.create_index("value", config=BTree()))
    return made


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("where")


def _found(table: Any, where: Any) -> list[str]:
    return sorted(
        run(table.query().where(where).select(["value"]).limit(10_000).to_arrow()).column("value").to_pylist()
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.one_of(st.text(_SIGNS, max_size=6), st.sampled_from(_VALUES)))
@example(value="a''b")
@example(value="\\'")
@example(value="'" * 5_000)
def test_a_value_is_itself(table: Any, value: str) -> None:
    """Whatever the quotes and backslashes in it, it finds what equals it or holds it, and nothing else."""
    same = [one for one in _VALUES if one == value]
    for expr, wanted in (
        (col("value") == literal(value), same),
        (among("value", [value, "no such value"]), same),
        (~(col("value") != literal(value)), same),
        (col("value").contains(literal(value)), [one for one in _VALUES if value in one]),
    ):
        text = expr.to_sql()
        assert _found(table, expr) == _found(table, text) == wanted
        assert run(table.count_rows(text)) == len(wanted)
