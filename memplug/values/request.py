"""What a caller asks `add` for, apart from the content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from memplug.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from memplug.values.scope import Scope

#: The kind that asks for a correction, and that what cannot be located is noted under.
FEEDBACK = "feedback"

Infer = Literal["auto"] | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRequest:
    """One `add`: the content and everything said about it. The arguments are those of `Memory.add`.

    Args:
        reason: Why it is stored as it is, where memplug itself has something to say to that (`Provenance.reason`).

    Raises:
        ConfigError: ``infer`` is none of its values, or ``version`` was given without ``key``.
    """

    content: object
    scope: Scope
    key: str | None = None
    kind: str | None = None
    tags: Iterable[str] | None = None
    metadata: Mapping[str, Any] | None = None
    description: str | None = None
    content_type: str | None = None
    occurred_at: datetime | str | None = None
    expires_at: datetime | str | None = None
    version: int | None = None
    infer: Infer = "auto"
    wait: bool = True
    reason: str | None = None

    @property
    def is_feedback(self) -> bool:
        """Whether it is a text that corrects what was remembered."""
        return self.kind == FEEDBACK and isinstance(self.content, str)

    def __post_init__(self) -> None:
        if self.infer not in ("auto", True, False):
            raise ConfigError(f"infer must be 'auto', True or False, not {self.infer!r}")
        if self.version is not None and self.key is None:
            raise ConfigError("version goes with key", hint="it is the version of that key you expect to replace")
