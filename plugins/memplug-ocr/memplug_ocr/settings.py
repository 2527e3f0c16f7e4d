"""What can be set, in arguments or in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from memplug.exceptions import ConfigError
from memplug.values.limits import MB

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "MEMPLUG_OCR_"
#: The least and the most that each setting may be.
_RANGES: dict[str, tuple[float, float]] = {
    "min_confidence": (0.0, 1.0),
    "side": (320, 4_096),
    "workers": (1, 64),
    "threads": (1, 64),
    "seconds": (1.0, 3_600.0),
    "memory_mb": (600, 64_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How pictures are read. Each is ``MEMPLUG_OCR_<NAME>`` in the environment, too.

    Args:
        min_confidence: What the reader is less sure of is left out, 0 to 1: spots and ornaments read as letters.
        side: Pixels of the longer side at which a picture is read; larger ones are shrunk. 1280 pixels find what 2000
            do, of a receipt as well as of a full page in a small print, in less memory.
        workers: Processes that read, of which each takes one picture at a time and up to ``memory_mb``.
        threads: Threads of each. A second one halves no time, since they wait for each other busily: on two cores a
            picture took 2.1 s of processor time with two threads, and 1.1 s with one.
        seconds: On the clock, for one picture or page; then the process is ended.
        memory_mb: Megabytes of address space that each process may have; it needs 0.6 to 1.0 GB, less than that of it
            in real memory. Systems without such a limit (macOS, Windows) have ``seconds`` only.
    """

    min_confidence: float = 0.5
    side: int = 1_280
    workers: int = 1
    threads: int = 1
    seconds: float = 60.0
    memory_mb: int = 1_300

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                raise ConfigError(f"{name} of memplug-ocr must be {least:g} to {most:g}, not {value!r}")

    @property
    def memory(self) -> int:
        """Bytes that each process may have."""
        return self.memory_mb * MB

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The settings with what the environment says.

        Args:
            environ: None means the process's own.

        Raises:
            ConfigError: A variable is no number, or out of its range.
        """
        given = os.environ if environ is None else environ
        found: dict[str, float] = {}
        for field in fields(cls):
            name = f"{_PREFIX}{field.name.upper()}"
            if value := given.get(name, "").strip():
                found[field.name] = _number(name, value, whole=isinstance(field.default, int))
        return cls(**found)  # type: ignore[arg-type]  # whole numbers where they are wanted, as `_number` sees to


def _number(name: str, value: str, *, whole: bool) -> float:
    try:
        return int(value) if whole else float(value)
    except ValueError as error:
        raise ConfigError(f"{name} must be a {'whole ' * whole}number, not {value!r:.50}") from error
