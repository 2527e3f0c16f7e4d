"""What a plugin raises, caught in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Longest reason that is kept; some libraries raise errors of many pages.
_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Generic[T]):
    """How a call into a plugin ended: exactly one of the two is there.

    Args:
        result: What it returned, where it returned.
        error: What it raised, where it raised.
    """

    result: T | None = None
    error: BaseException | None = None


def attempt(call: Callable[[], T]) -> Attempt[T]:
    """Calls foreign code and keeps whatever it raises, so that nothing but the user's Ctrl-C gets past it.

    ``SystemExit`` at import is what scripts without a main guard do, and extensions written in Rust raise
    ``PanicException``, which is no ``Exception`` either: both would otherwise end the host program.
    """
    try:
        return Attempt(result=call())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the caller gets it and reports it, see above
        return Attempt(error=error)


def described(error: BaseException) -> str:
    """An error in one line: its type and what it says."""
    said = attempt(lambda: " ".join(str(error).split()))
    words = said.result or ""
    shown = words if len(words) <= _REASON_LENGTH else words[:_REASON_LENGTH] + "…"
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__
