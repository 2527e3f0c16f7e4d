"""Whose memories a run of an agent is about: what its runtime context says, and never its model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from memplug.binding import AnyMemory, bind, taken_apart
from memplug.exceptions import ScopeError
from memplug.scoped import ScopedMemory
from memplug.values.scope import ScopeIds


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Where the ids of a run come from.

    Args:
        memory: The memory, or a scoped view of one.
        user: The name of the user's id in the runtime context; None where the memories are no user's.
        conversation: The name of the conversation's id there.
        fixed: Ids that are the same in each run.
        buckets: Further buckets to search; None keeps those of a view.
    """

    memory: AnyMemory
    user: str | None = "user_id"
    conversation: str = "conversation_id"
    fixed: ScopeIds = field(default_factory=ScopeIds)
    buckets: Collection[str] | None = None

    def view(self, runtime: Any) -> ScopedMemory:
        """The memories of a run, over all conversations.

        Args:
            runtime: LangGraph's `Runtime` or `ToolRuntime`; None outside of an agent.

        Raises:
            ScopeError: The context does not say who the user is, says an empty id, or another one than the view is
                fixed to.
        """
        user = _id(_named(getattr(runtime, "context", None), self.user), self.user) if self.user else None
        fixed = self._fixed_user()
        if user is None and fixed is None and self.user:
            raise ScopeError(
                f"the agent's runtime context has no {self.user!r}, so that nobody knows whose memories are meant",
                hint=f"agent.invoke(…, context={{{self.user!r}: …}}), a view with a fixed user, or user=None",
            )
        if user is not None and fixed not in (None, user):
            raise ScopeError(f"the agent's runtime context names another {self.user!r} than the one that is fixed")
        # Not "or": an empty id must be refused, and not leave the memories of all users who talk to the same agent.
        ids: Any = {**self.fixed, "user_id": self.fixed.get("user_id") if user is None else user}
        return bind(self.memory, buckets=self.buckets, **ids).view

    def conversation_of(self, runtime: Any) -> str | None:
        """The conversation of a run: what the context says, the one that the view is fixed to, or LangGraph's thread.

        Raises:
            ScopeError: It is no id.
        """
        fixed = self.view(runtime).scope.ids.get("run_id")
        found = _id(_named(getattr(runtime, "context", None), self.conversation), self.conversation)
        return fixed or found or _thread(runtime)

    def _fixed_user(self) -> str | None:
        _, view = taken_apart(self.memory)
        return self.fixed.get("user_id") or (view.scope.user_id if view is not None else None)


def _named(context: object, name: str | None) -> object:
    if context is None or name is None:
        return None
    return context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)


def _id(value: object, name: str | None) -> str | None:
    """An id as memplug has it; databases count theirs.

    Raises:
        ScopeError: It is no id.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        return str(value)
    raise ScopeError(f"{name!r} in the agent's runtime context must be a text, not {type(value).__name__}")


def _thread(runtime: Any) -> str | None:
    """LangGraph's thread, as a checkpointer or the configuration of the run has it."""
    found = getattr(getattr(runtime, "execution_info", None), "thread_id", None)
    if found is None:
        config = getattr(runtime, "config", None) or _config()
        found = (config.get("configurable") or {}).get("thread_id")
    return str(found) if found is not None and str(found) else None


def _config() -> Mapping[str, Any]:
    from langgraph.config import get_config

    try:
        return get_config()
    except RuntimeError:  # outside of a run
        return {}
