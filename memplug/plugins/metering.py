"""Counts what models are asked during a piece of work, whoever of the plugins inside it asks them."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.values.prompt import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

_meter: ContextVar[Meter | None] = ContextVar("memplug_meter", default=None)


@dataclass(slots=True)
class Meter:
    """What was used so far.

    Args:
        usage: All of it together; also of questions whose answer was of no use.
    """

    usage: Usage = field(default_factory=Usage)


@contextmanager
def metered() -> Iterator[Meter]:
    """Counts what is used inside, in this thread or coroutine; a meter around it counts it too."""
    outer, inner = _meter.get(), Meter()
    token = _meter.set(inner)
    try:
        yield inner
    finally:
        _meter.reset(token)
        if outer is not None:
            outer.usage += inner.usage


def spend(usage: Usage) -> None:
    """Adds to what is being counted, where somebody counts."""
    meter = _meter.get()
    if meter is not None:
        meter.usage += usage
