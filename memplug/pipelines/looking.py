"""Asks describers what they see, each alone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.exceptions import MemplugError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Describer
    from memplug.values.draft import Media

log = logging.getLogger("memplug.ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What describers say of one original.

    Args:
        words: All of them together, in the describers' order.
        errors: What those raised that could say nothing, with the describer's name.
    """

    words: str
    errors: tuple[tuple[str, Exception], ...] = ()

    @property
    def reason(self) -> str | None:
        """Why some could not, with the code of each error that has one; None where all could."""
        return "; ".join(f"{name}: {_told(error)}" for name, error in self.errors) or None

    @property
    def later(self) -> bool:
        """Whether a server could not answer now and may later."""
        return any(isinstance(error, ModelError) and error.retryable for _, error in self.errors)

    @property
    def in_vain(self) -> bool:
        """Whether another try would end in the same way: some failed, and all for good."""
        known = [isinstance(error, ModelError) and not error.retryable for _, error in self.errors]
        return bool(known) and all(known)

    @property
    def retry_after(self) -> float | None:
        """Seconds that a server wants to be left alone for, where one said so; the longest."""
        said = [error.retry_after for _, error in self.errors if isinstance(error, ModelError)]
        return max((seconds for seconds in said if seconds is not None), default=None)


def look(describers: Sequence[Describer], media: Media, context: str) -> Look:
    """What the describers say that take this kind of original.

    Args:
        describers: Whom to ask.
        media: The original.
        context: The user's words about it.
    """
    words: list[str] = []
    errors: list[tuple[str, Exception]] = []
    for describer in describers:
        try:
            found = describer.describe(media, context=context).strip() if describer.accepts(media) else ""
        except Exception as error:  # noqa: BLE001 - the picture is kept, and its status carries the reason
            log.warning("describer %s failed on %d bytes", describer.name, len(media.data))
            errors.append((describer.name, error))
        else:
            words += [found] if found else []
    return Look(words="\n".join(words), errors=tuple(errors))


def _told(error: Exception) -> str:
    return f"{error.code}: {error}" if isinstance(error, MemplugError) else str(error)
