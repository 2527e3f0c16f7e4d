"""Conversations that branch where a message was edited or an answer made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput

if TYPE_CHECKING:
    from collections.abc import Mapping


def path_to(leaf: str, parents: Mapping[str, str | None]) -> list[str]:
    """The messages from the first one to ``leaf``.

    Args:
        leaf: The last one.
        parents: Of each message the one before it; a name that is none of them stands for the beginning.

    Raises:
        MalformedInput: They go round in a circle.
    """
    path: list[str] = []
    seen: set[str] = set()
    at: str | None = leaf
    while at is not None and at in parents:
        if at in seen:
            raise MalformedInput("its messages follow each other in a circle")
        seen.add(at)
        path.append(at)
        at = parents[at]
    return path[::-1]


def last_leaf(parents: Mapping[str, str | None], times: Mapping[str, float]) -> str | None:
    """The newest message that none follows, of several the one that stands last; None where all are followed."""
    followed = set(parents.values())
    leaves = [(times.get(name, 0.0), place, name) for place, name in enumerate(parents) if name not in followed]
    return max(leaves)[2] if leaves else None


def depths(parents: Mapping[str, str | None], counted: frozenset[str]) -> dict[str, int]:
    """Of each message how many of the counted ones come before it. What goes round in a circle is not there."""
    children: dict[str | None, list[str]] = {}
    for name, parent in parents.items():
        children.setdefault(parent if parent in parents else None, []).append(name)
    found: dict[str, int] = {}
    open_ = [(name, 0) for name in children.get(None, [])]
    while open_:
        name, depth = open_.pop()
        found[name] = depth
        below = depth + (name in counted)
        open_ += [(child, below) for child in children.get(name, [])]
    return found
