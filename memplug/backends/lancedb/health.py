"""What only the backend can see of a store's state: indexes, rows that are there twice, half-made tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lancedb.expr import col, lit

from memplug.backends.lancedb.columns import INDEXED, TEXTS
from memplug.backends.lancedb.doubles import doubles, remove_doubles
from memplug.backends.lancedb.maintenance import SCALAR_MOST, TAIL_ROWS, TERMS_MOST, TERMS_SHARE, extend_indexes
from memplug.backends.lancedb.removal import tidy_up
from memplug.exceptions import BackendError, StoreBusy
from memplug.plugins.protocols import Finding

if TYPE_CHECKING:
    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier

#: How far an index may be behind, as a multiple of where maintenance extends it: that happens at the next move only.
_SLACK = 2


def examine(session: Session, *, repair: bool) -> list[Finding]:
    """See `memplug.plugins.protocols.ExaminedBackend.examine`. Nothing is written where ``repair`` is False."""
    if not repair:
        return session.again(lambda: _findings(session))
    with session.upkeep.held():
        before = session.again(lambda: _findings(session))
        if any(found.wrong for found in before):
            session.again(lambda: _repair(session))
        left = {found.name: len(found.wrong) for found in session.again(lambda: _findings(session))}
    return [replace(found, repaired=max(0, len(found.wrong) - left[found.name])) for found in before]


def _repair(session: Session) -> None:
    tidy_up(session)
    remove_doubles(session)
    catalog = session.catalog()
    for tier in (catalog.memories, catalog.history):
        if missing := _missing(tier):
            tier.index(missing)
            tier.sync()
    if any(_behind(tier) for tier in (catalog.memories, catalog.history)):
        extend_indexes(session, all_rows=True)


def _findings(session: Session) -> list[Finding]:
    catalog = session.catalog()
    large = {"memories": catalog.memories, "history": catalog.history}
    twice = {role: doubles(role, tier) for role, tier in large.items()} | {"recent": catalog.recent.doubles()}
    return [
        Finding(
            name="indexes are there",
            wrong=tuple(f"{role}.{column}" for role, tier in large.items() for column in _missing(tier)),
            meaning="searches are slow without them",
        ),
        Finding(
            name="indexes cover",
            wrong=tuple(f"{role}.{column}" for role, tier in large.items() for column in _behind(tier)),
            meaning="they leave out too many memories, which searches then look at one by one",
        ),
        Finding(
            name="one row per version",
            wrong=tuple(f"{role}: {row}" for role, rows in twice.items() for row in rows),
            meaning="written twice; reads show one of them",
        ),
        Finding(
            name="no damaged commits",
            wrong=tuple(catalog.recent.damage()),
            meaning="all that can be read of these files is in the store; remove those that are set aside (.torn) once "
            "you need no more of them",
        ),
        Finding(
            name="no half-made tables",
            wrong=("tables",) if _has_leftovers(session) else (),
            meaning="left by a process that was killed; they take room",
        ),
    ]


def _has_leftovers(session: Session) -> bool:
    """Whether there are tables that nobody is making just now, as far as may be known without writing."""
    if session.request.read_only:
        return session.has_leftovers()
    try:
        with session.upkeep.held(patience=0):
            return session.has_leftovers()
    except StoreBusy:
        return False


def _missing(tier: Tier) -> list[str]:
    """The columns without an index, or with one whose files cannot be read."""
    there = tier.indexes()
    return [column for column in (*INDEXED, "terms") if column not in there or not _usable(tier, column)]


def _usable(tier: Tier, column: str) -> bool:
    """Whether LanceDB finds anything with an index; where it fails every search would."""
    try:
        if column == "terms":
            tier.words(["word"], None, ["id"], 1)
        else:
            tier.count(col(column) == lit("word" if column in TEXTS else True))
    except BackendError:
        return False
    return True


def _behind(tier: Tier) -> list[str]:
    """The columns whose index leaves out more than maintenance lets it."""
    terms = max(TAIL_ROWS, min(int(tier.count() * TERMS_SHARE), TERMS_MOST))
    there = tier.indexes()
    return [
        column
        for column in (*INDEXED, "terms")
        if column in there and tier.unindexed(column) > _SLACK * (terms if column == "terms" else SCALAR_MOST)
    ]
