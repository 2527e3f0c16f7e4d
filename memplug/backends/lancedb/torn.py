"""After a power cut: a commit that was under way may have left a version's name without its bytes.

LanceDB would then open nothing at all. Such a version was never acknowledged where the store is durable, since
`durability.TableSync` had not come to it; so it is set aside, and the one before it is the newest again. A killed
process cannot leave one: LanceDB links a manifest under its name when its bytes are written.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from memplug.backends.lancedb.trouble import lance_errors

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.backends.lancedb.place import Lock

_log = logging.getLogger("memplug.backends.lancedb")

#: What every whole manifest ends with.
_END = b"LANC"


def mend(tables: list[Path], lock: Lock) -> None:
    """Sets aside the versions of tables that are torn, with a warning; the files stay beside.

    Args:
        tables: Their folders.
        lock: The write lock.
    """
    with lance_errors("look for torn versions"):
        if not any(_torn(table) for table in tables):
            return
        with lock.held():
            for manifest in [manifest for table in tables for manifest in _torn(table)]:
                manifest.rename(manifest.with_suffix(".torn"))
                _log.warning("a commit that a power cut tore was set aside: %s", manifest.name)


def _torn(table: Path) -> list[Path]:
    """The manifests without an end, older ones too: LanceDB's clean-up reads them all. None where no whole one is."""
    manifests = list((table / "_versions").glob("*.manifest"))
    torn = [manifest for manifest in manifests if not _whole(manifest)]
    return torn if len(torn) < len(manifests) else []


def _whole(manifest: Path) -> bool:
    try:
        with manifest.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_END)))
            return file.read() == _END
    except FileNotFoundError:
        return True  # another process cleaned up
