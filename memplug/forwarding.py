"""Makes the methods of one class into those of a face over it, without writing them twice.

Each function takes a method of `Memory` and returns what stands in its place; type checkers keep the arguments
and the result.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from memplug.exceptions import ScopeError
from memplug.values.scope import SCOPE_FIELDS, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

    from memplug.memory import Memory

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


class HasMemory(Protocol):
    """A face over something with the verbs of `Memory`."""

    _memory: Any


class HasScope(Protocol):
    """A face that fixes a scope."""

    _memory: Memory
    scope: Scope
    buckets: tuple[str, ...]


def in_thread(
    method: Callable[Concatenate[S, P], T],
) -> Callable[Concatenate[HasMemory, P], Coroutine[Any, Any, T]]:
    """The method as a coroutine that runs in a worker thread, so that the event loop never waits."""

    @functools.wraps(method)
    async def forwarded(self: HasMemory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        found: T = await asyncio.to_thread(getattr(self._memory, method.__name__), *args, **kwargs)
        return found

    return forwarded


def in_scope(
    method: Callable[Concatenate[Memory, P], T], *, everywhere: bool = False
) -> Callable[Concatenate[HasScope, P], T]:
    """The method with the scope's ids filled in; further ids may narrow it, never change it.

    Args:
        method: The method.
        everywhere: Whether it goes into all buckets that the face may name, where the call names none.
    """

    @functools.wraps(method)
    def forwarded(self: HasScope, /, *args: P.args, **kwargs: P.kwargs) -> T:
        given: dict[str, Any] = {name: kwargs.pop(name, None) for name in SCOPE_FIELDS}
        ids: dict[str, Any] = self.scope.narrowed(**given).ids
        if everywhere:
            kwargs.setdefault("buckets", self.buckets)
        _check_named(kwargs.get("buckets"), self.buckets)
        return method(self._memory, *args, **kwargs, **ids)

    return forwarded


def _check_named(named: object, allowed: Collection[str]) -> None:
    """Refuses a bucket that a face may not name; what is no list of buckets the method itself refuses."""
    for bucket in named if isinstance(named, list | tuple | set | frozenset) else ():
        if bucket not in allowed:
            raise ScopeError(f"the bucket {bucket!r:.100} is none of this view's", hint="memory.scoped(buckets=[...])")
