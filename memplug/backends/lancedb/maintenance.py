"""The single steps that keep a store small and fast, and all of them at once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.removal import remove_expired
from memplug.exceptions import BackendError, StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier

_log = logging.getLogger("memplug.backends.lancedb")

#: Rows that full text looks at one by one before an index is extended: at least so many, and this share. Extending
#: rewrites a table of under a million rows, so the share makes the cost per row independent of the size.
TAIL_ROWS, TAIL_SHARE = 1_000, 0.1


def tidy(session: Session) -> None:
    """Removes what a process that was killed while it rewrote a table left behind, unless somebody is at it now.

    Among that may be what an erasure was to remove. A folder that cannot be written is left as it is.
    """
    try:
        if session.has_leftovers():
            with session.upkeep.held(patience=0):
                session.remove_leftovers()
    except StoreBusy:
        return
    except BackendError as error:
        _log.warning("old tables could not be removed: %s", error)


def compact_recent(session: Session, *, patience: float | None = None) -> None:
    """Makes the files of `recent` few. Commits wait for it: some ten milliseconds."""
    with session.writing.held(patience):
        recent = session.catalog().recent
        recent.compact(alone=True)
        recent.sync()


def extend_indexes(session: Session, *, all_rows: bool = False) -> None:
    """Compacts the large tables and extends their indexes, where that is due or asked for."""
    catalog = session.catalog()
    for tier in (catalog.memories, catalog.history):
        if all_rows or _due(tier):
            tier.compact(alone=False)
            tier.sync()


def _due(tier: Tier) -> bool:
    tail = tier.unindexed()
    return tail > TAIL_ROWS and tail > tier.count() * TAIL_SHARE


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
    with session.upkeep.held():
        for place, (words, step) in enumerate(steps):
            if progress is not None:
                progress(place, len(steps), words)
            step()
        if progress is not None:
            progress(len(steps), len(steps), "done")


def _sweep(session: Session) -> None:
    session.remove_leftovers()
    session.media.sweep()


def _compact_all(session: Session) -> None:
    with session.writing.held():
        catalog = session.catalog()
        for tier in (catalog.recent, catalog.memories, catalog.history):
            tier.compact(alone=True)
            tier.sync()
