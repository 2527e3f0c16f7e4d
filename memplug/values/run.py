"""One use of a tool, as a model is shown it that is to learn from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from memplug.values.scope import Scope
    from memplug.values.tool_call import ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One answered use.

    Args:
        id: The memory that holds it.
        call: The call with its result; perhaps only the beginnings of both. Not shown by ``repr``: logs hold ids and
            sizes, never content.
        at: When it happened, or when it was stored.
        scope: Where it lies; its ``run_id`` is the conversation.
        ends: When it expires; None where it does not.
        label: What an answer cites it by (``r3``); ids are not shown to models.
    """

    id: str
    call: ToolCall = field(repr=False)
    at: datetime
    scope: Scope
    ends: datetime | None = None
    label: str = ""

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self.call.name or ""

    @property
    def worked(self) -> bool:
        """Whether it did what it was asked."""
        return self.call.outcome == "ok"
