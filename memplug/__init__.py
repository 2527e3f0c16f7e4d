"""Multimodal long-term memory for chat assistants: offline, embedded, every step a plugin.

    from memplug import Memory

    memory = Memory()
    memory.add("I am Wang, and I like spicy food.", user_id="wang")
    memory.search("what does Wang like to eat?", user_id="wang")

Names load when they are first used, so that importing memplug costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memplug.aio import AsyncMemory
    from memplug.exceptions import MemplugError
    from memplug.memory import Memory
    from memplug.plugins.hookspecs import hookimpl
    from memplug.scoped import ScopedMemory
    from memplug.skills.skill import Skill
    from memplug.values.bucket import Bucket
    from memplug.values.draft import Draft, Media, Part
    from memplug.values.extraction import Extraction
    from memplug.values.hit import Hit, SearchResult
    from memplug.values.item import MediaRef, MemoryItem
    from memplug.values.limits import Limits
    from memplug.values.outcome import AddResult, Outcome
    from memplug.values.page import Page
    from memplug.values.scope import Scope
    from memplug.values.skill_draft import SkillDraft
    from memplug.values.source import Provenance, Source

_HOMES = {
    "AddResult": "memplug.values.outcome",
    "AsyncMemory": "memplug.aio",
    "Bucket": "memplug.values.bucket",
    "Draft": "memplug.values.draft",
    "Extraction": "memplug.values.extraction",
    "Hit": "memplug.values.hit",
    "Limits": "memplug.values.limits",
    "Media": "memplug.values.draft",
    "MediaRef": "memplug.values.item",
    "Memory": "memplug.memory",
    "MemoryItem": "memplug.values.item",
    "MemplugError": "memplug.exceptions",
    "Outcome": "memplug.values.outcome",
    "Page": "memplug.values.page",
    "Part": "memplug.values.draft",
    "Provenance": "memplug.values.source",
    "Scope": "memplug.values.scope",
    "ScopedMemory": "memplug.scoped",
    "SearchResult": "memplug.values.hit",
    "Skill": "memplug.skills.skill",
    "SkillDraft": "memplug.values.skill_draft",
    "Source": "memplug.values.source",
    "hookimpl": "memplug.plugins.hookspecs",
}

__all__ = [
    "AddResult",
    "AsyncMemory",
    "Bucket",
    "Draft",
    "Extraction",
    "Hit",
    "Limits",
    "Media",
    "MediaRef",
    "Memory",
    "MemoryItem",
    "MemplugError",
    "Outcome",
    "Page",
    "Part",
    "Provenance",
    "Scope",
    "ScopedMemory",
    "SearchResult",
    "Skill",
    "SkillDraft",
    "Source",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("memplug")
    if name not in _HOMES:
        raise AttributeError(f"module 'memplug' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
