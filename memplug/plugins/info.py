"""What is known about one plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "failed", "disabled"]
Origin = Literal["builtin", "given", "installed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """One row of ``memplug plugins``; `dataclasses.asdict` gives plain JSON data.

    Args:
        name: Under which it is registered: the entry point's name, or the module's or class's name.
        distribution: The installed package that brings it; None for a plugin given by the caller.
        version: Of the distribution.
        hooks: The hooks that it implements, sorted; empty where it was not loaded.
        state: ``failed`` as soon as anything of it was left out; what did work of it goes on working.
        reason: Why it failed or is disabled.
        load_ms: What importing and registering took, in milliseconds.
        errors: How many of its calls failed so far.
        registered: What it registered, as ``kind:name``.
    """

    name: str
    distribution: str | None = None
    version: str | None = None
    hooks: tuple[str, ...] = ()
    state: State = "ok"
    reason: str | None = None
    load_ms: float = 0.0
    errors: int = 0
    registered: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Row:
    """The same while it is still changing; belongs to the roster, which guards it by its lock.

    Args:
        name, distribution, version, hooks, state, reason, load_ms, errors, registered: See `PluginInfo`.
        origin: Who brought the plugin.
        reported: The hooks whose failure was logged already.
    """

    name: str
    origin: Origin
    distribution: str | None = None
    version: str | None = None
    hooks: tuple[str, ...] = ()
    state: State = "ok"
    reason: str | None = None
    load_ms: float = 0.0
    errors: int = 0
    registered: list[str] = field(default_factory=list)
    reported: set[str] = field(default_factory=set)

    @property
    def label(self) -> str:
        """The name, with package and version where they are known."""
        return f"{self.name} ({self.distribution} {self.version})" if self.distribution else self.name

    def info(self) -> PluginInfo:
        """The row as it stands now."""
        return PluginInfo(
            name=self.name,
            distribution=self.distribution,
            version=self.version,
            hooks=self.hooks,
            state=self.state,
            reason=self.reason,
            load_ms=round(self.load_ms, 3),
            errors=self.errors,
            registered=tuple(self.registered),
        )
