"""The async face."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest

from memplug import AsyncMemory, Memory, ScopedMemory
from memplug.aio import AsyncScopedMemory
from memplug.exceptions import ConfigError, ScopeError

if TYPE_CHECKING:
    from pathlib import Path

VERBS = {
    "add", "delete", "delete_all", "get", "get_all", "history", "media", "open_media", "restore", "search",
    "skill", "update", "feedback", "undo", "extract", "describe", "context", "chat", "chat_stream", "draft_skill",
}  # fmt: skip


def test_every_verb_is_there() -> None:
    """Each verb of `Memory` has its face in the async and scoped classes, with the same words."""
    public = {name for name, _ in inspect.getmembers(Memory, inspect.isfunction) if not name.startswith("_")}
    assert public - VERBS == {"close", "doctor", "export", "import_", "maintain", "scoped", "status", "wait", "work"}
    for face in (AsyncMemory, AsyncScopedMemory, ScopedMemory):
        for name in VERBS:
            assert inspect.signature(getattr(face, name)) == inspect.signature(getattr(Memory, name))
            assert getattr(face, name).__doc__ == getattr(Memory, name).__doc__


def test_a_program(tmp_path: Path) -> None:
    """Everything can be awaited, and errors come through as they are."""

    async def program() -> list[str]:
        async with await AsyncMemory.open(tmp_path, embedder="hashing:64") as memory:
            await asyncio.gather(*(memory.add(f"note {number}", user_id="u") for number in range(8)))
            with pytest.raises(ScopeError):
                await memory.search("note")
            bound = memory.scoped(user_id="u")
            assert len(await bound.search("note")) == 8
            await memory.export(tmp_path / "x.zip")
            return [item.text for item in await bound.get_all()]

    assert sorted(asyncio.run(program())) == [f"note {number}" for number in range(8)]


def test_the_loop_is_never_blocked() -> None:
    """While a memory works, the event loop goes on turning."""

    async def program() -> int:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.001)

        async with AsyncMemory("memory://", embedder="hashing:64") as memory:
            turning = asyncio.create_task(turn())
            await memory.add([f"note {number} {number * 7}" for number in range(3_000)], user_id="u")
            turning.cancel()
        return turns

    assert asyncio.run(program()) > 20


def test_shares_an_opened_memory() -> None:
    """An opened memory can be shared, and then takes no settings."""
    with Memory("memory://", embedder="hashing:64") as memory:
        assert asyncio.run(AsyncMemory(memory).add("x", user_id="u")).ids
        with pytest.raises(ConfigError):
            AsyncMemory(memory, read_only=True)
