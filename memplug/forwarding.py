"""Makes the methods of one class into those of a face over it, without writing them twice.

Each function takes a method of `Memory` and returns what stands in its place; type checkers keep the arguments
and the result.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from memplug.values.scope import SCOPE_FIELDS, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from memplug.memory import Memory

P = ParamSpec("P")
T = TypeVar("T")


class HasMemory(Protocol):
    """A face over something with the verbs of `Memory`."""

    _memory: Any


class HasScope(Protocol):
    """A face that fixes a scope."""

    _memory: Memory
    scope: Scope


def in_thread(
    method: Callable[Concatenate[Memory, P], T],
) -> Callable[Concatenate[HasMemory, P], Coroutine[Any, Any, T]]:
    """The method as a coroutine that runs in a worker thread, so that the event loop never waits."""

    @functools.wraps(method)
    async def forwarded(self: HasMemory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        found: T = await asyncio.to_thread(getattr(self._memory, method.__name__), *args, **kwargs)
        return found

    return forwarded


def in_scope(method: Callable[Concatenate[Memory, P], T]) -> Callable[Concatenate[HasScope, P], T]:
    """The method with the scope's ids filled in; further ids may narrow it, never change it."""

    @functools.wraps(method)
    def forwarded(self: HasScope, /, *args: P.args, **kwargs: P.kwargs) -> T:
        given: dict[str, Any] = {name: kwargs.pop(name, None) for name in SCOPE_FIELDS}
        ids: dict[str, Any] = self.scope.narrowed(**given).ids
        return method(self._memory, *args, **kwargs, **ids)

    return forwarded
