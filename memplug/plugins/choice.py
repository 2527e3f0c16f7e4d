"""Which plugins the user wants, and how strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.plugins.info import Row

ALLOW = "MEMPLUG_PLUGINS"
DENY = "MEMPLUG_DISABLE_PLUGINS"
STRICT = "MEMPLUG_STRICT_PLUGINS"
TRACE = "MEMPLUG_TRACE_PLUGINS"

_OFF = frozenset({"", "0", "false", "no", "off"})
_ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The user's choice of plugins. Names are compared as package names are: ``Memplug_OCR`` is ``memplug-ocr``.

    Args:
        allowed: The only installed plugins to load; None means all of them.
        denied: Plugins to leave out; ``all`` stands for every installed one.
        strict: Raise where a plugin fails, instead of going on without it.
        trace: Log each call of a hook with its time.
    """

    allowed: frozenset[str] | None = None
    denied: frozenset[str] = frozenset()
    strict: bool = False
    trace: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Choice:
        """Reads the four ``MEMPLUG_…`` variables; an empty `ALLOW` means no installed plugin at all."""
        return cls(
            allowed=_names(environ[ALLOW]) if ALLOW in environ else None,
            denied=_names(environ.get(DENY, "")),
            strict=environ.get(STRICT, "").strip().lower() not in _OFF,
            trace=environ.get(TRACE, "").strip().lower() not in _OFF,
        )

    def against(self, row: Row) -> str | None:
        """Why a plugin is left out, or None where it is wanted.

        Built-ins and plugins that the caller gave can be named to leave them out, but ``all`` and the list of
        allowed ones speak of installed plugins only: memplug without its built-ins could do nothing.
        """
        if self.denied & _called(row):
            return f"named in {DENY}"
        if row.origin != "installed":
            return None
        if _ALL in self.denied:
            return f"{DENY}=all"
        if self.allowed is not None and not self.allowed & _called(row):
            return f"not named in {ALLOW}"
        return None

    def unknown(self, rows: list[Row]) -> list[tuple[str, str]]:
        """Variable and name for each name that means no plugin: most likely a slip of the pen."""
        known = frozenset[str]().union({_ALL}, *(_called(row) for row in rows))
        named = [(ALLOW, name) for name in self.allowed or ()] + [(DENY, name) for name in self.denied]
        return sorted((variable, name) for variable, name in named if name not in known)


def _called(row: Row) -> frozenset[str]:
    """What a user may call a plugin; the package name only where the package is not memplug itself."""
    names = (row.name, row.distribution) if row.origin == "installed" else (row.name,)
    return frozenset(_normalised(name) for name in names if name)


def _names(value: str) -> frozenset[str]:
    return frozenset(_normalised(name) for name in value.split(",") if name.strip())


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
