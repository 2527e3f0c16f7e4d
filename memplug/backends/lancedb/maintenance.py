"""The single steps that keep a store small and fast, and all of them at once."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from memplug.backends.lancedb.columns import INDEXED
from memplug.backends.lancedb.doubles import remove_doubles
from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.owed import owed
from memplug.backends.lancedb.removal import finish, remove_expired
from memplug.exceptions import BackendError, StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier

_log = logging.getLogger("memplug.backends.lancedb")

#: Rows without index from which on an index is made anew: at least and at most so many, and this share of all. Reads
#: look at them one by one: scalar indexes for 0.5 ms per 1,000 rows, full text for 3.5 ms, but only for scopes that are
#: not held in memory. Making the scalar indexes of 1,000,000 rows takes 2 s and writes 36 MB, full text 4 s and 37 MB;
#: to extend them LanceDB rewrites the rows as well (`Tier.compact`), 1.3 GB.
TAIL_ROWS = 1_000
SCALAR_MOST, SCALAR_SHARE = 10_000, 0.025
TERMS_MOST, TERMS_SHARE = 25_000, 0.05
#: Files of few rows from which on they are merged: at least and at most so many, and one for so many rows. Each move of
#: `recent` adds one of some 1,000 rows, so that a row is rewritten after the table has grown by a tenth.
FILES_FEW, FILES_MOST, ROWS_PER_FILE = 8, 128, 10_000


def tidy(session: Session) -> None:
    """Removes what a process that was killed while it rewrote a table left behind, unless somebody is at it now.

    Among that may be what an erasure was to remove. A folder that cannot be written is left as it is.
    """
    try:
        if session.has_leftovers() or owed(session.folder):
            with session.upkeep.held(patience=0):
                _finish(session)
    except StoreBusy:
        return
    except BackendError as error:
        _log.warning("old tables could not be removed: %s", error)


def compact_recent(session: Session, *, patience: float | None = None) -> None:
    """Makes the files of `recent` few. Commits wait for it: some ten milliseconds."""
    with session.writing.held(patience):
        session.catalog().recent.compact()


def extend_indexes(session: Session, *, all_rows: bool = False) -> None:
    """Makes the large tables' files few and their indexes whole, where that is due or asked for."""
    catalog = session.catalog()
    for tier in (catalog.memories, catalog.history):
        steps: list[Callable[[], None]] = [partial(tier.index, [column]) for column in _trailing(tier)]
        if all_rows or _scattered(tier):
            steps = [partial(tier.compact, alone=False)]
        for step in steps:
            with catalog.known.carried():  # around each, since commits go on meanwhile
                step()
        tier.sync()


def _scattered(tier: Tier) -> bool:
    return tier.small_files() > min(max(FILES_FEW, tier.count() // ROWS_PER_FILE), FILES_MOST)


def _trailing(tier: Tier) -> list[str]:
    """The columns whose index leaves out too many rows."""
    rows = tier.count()
    scalar = min(max(TAIL_ROWS, int(rows * SCALAR_SHARE)), SCALAR_MOST)
    terms = min(max(TAIL_ROWS, int(rows * TERMS_SHARE)), TERMS_MOST)
    return [name for name in (*INDEXED, "terms") if tier.unindexed(name) > (terms if name == "terms" else scalar)]


def maintain(session: Session, progress: Callable[[int, int, str], None] | None, now: datetime) -> None:
    """Everything at once, whether due or not; what gives room back comes first.

    Args:
        session: The open store.
        progress: See `Backend.maintain`.
        now: What expired before is removed.
    """
    steps: list[tuple[str, Callable[[], None]]] = [
        ("removing leftovers", lambda: _sweep(session)),
        ("moving recent memories", lambda: Fold.of(session).run()),
        ("removing expired memories", lambda: remove_expired(session, now)),
        ("extending indexes", lambda: extend_indexes(session, all_rows=True)),
        ("removing old versions", lambda: _compact_all(session)),
    ]
    if not session.folder.exclusive:  # else nobody can have written one
        steps.insert(1, ("removing doubles", lambda: remove_doubles(session)))
    with session.upkeep.held():
        for place, (words, step) in enumerate(steps):
            if progress is not None:
                progress(place, len(steps), words)
            session.again(step)
        if progress is not None:
            progress(len(steps), len(steps), "done")


def _finish(session: Session) -> None:
    session.remove_leftovers()
    finish(session)


def _sweep(session: Session) -> None:
    _finish(session)
    session.media.sweep()


def _compact_all(session: Session) -> None:
    with session.writing.held():
        catalog = session.catalog()
        catalog.recent.compact()
        with catalog.known.carried():
            for tier in (catalog.memories, catalog.history):
                tier.compact(alone=True)
                tier.sync()
