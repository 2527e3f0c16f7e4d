"""Media that an erasure still has to remove: noted before its rows go, so that a kill in between loses no track of it.

    erased.json           digests that erased memories named; there only while some of them may still have to go

Without the note nothing would lead to them any more: the rows that named them are gone by then.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memplug.backends.lancedb.place import Place

_NAME = "erased.json"


def owed(folder: Place) -> set[str]:
    """The digests that are noted; none where the note cannot be understood."""
    try:
        return {str(digest) for digest in json.loads(folder.text(_NAME) or "[]")}
    except (ValueError, TypeError):
        return set()  # not written by us; what it may have named is an orphan, which `doctor` finds


def owe(folder: Place, digests: Iterable[str]) -> None:
    """Notes digests beside those that are noted already. The write lock must be held."""
    before = owed(folder)
    if not before.issuperset(wanted := set(digests)):
        folder.write(_NAME, json.dumps(sorted(before | wanted)))


def settle(folder: Place, digests: Iterable[str]) -> None:
    """Takes digests off the note, once they are gone or found to be in use. The write lock must be held."""
    before = owed(folder)
    if left := before - set(digests):
        folder.write(_NAME, json.dumps(sorted(left)))
    elif before:
        folder.drop(_NAME)
