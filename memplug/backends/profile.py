"""Whether a store is the one that a request asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import ConfigError, EmbedderMismatch, NoStore

if TYPE_CHECKING:
    from memplug.plugins.protocols import BackendRequest, StoreProfile

#: The newest layout that this version of memplug reads and writes.
FORMAT = 1


def check_profile(request: BackendRequest, found: StoreProfile) -> None:
    """Refuses a store that was made with another embedder, or by a newer memplug.

    Raises:
        EmbedderMismatch: Another embedder or dimension.
        ConfigError: A newer format.
    """
    check_format(request.location, found.format)
    wanted = request.profile
    if wanted is not None and (wanted.embedder, wanted.dimension) != (found.embedder, found.dimension):
        raise EmbedderMismatch(
            f"the store at {request.location!r} was made with {found.embedder!r} ({found.dimension} numbers), "
            f"not with {wanted.embedder!r} ({wanted.dimension})"
        )


def check_format(location: str, found: object) -> None:
    """Refuses a layout that a newer memplug made.

    Raises:
        ConfigError: It did.
        ValueError: The format is no number of one.
    """
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError(f"the format must be a positive number, not {found!r:.100}")
    if found > FORMAT:
        raise ConfigError(
            f"the store at {location!r} has format {found}; this memplug knows up to {FORMAT}",
            hint="install a newer memplug",
        )


def no_store(location: str) -> NoStore:
    """The error for a place that holds no store and where none may be made."""
    return NoStore(f"there is no store at {location!r}", hint="open it for writing with an embedder to make one")
