"""How a memory is opened: arguments first, then environment, then defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from memplug.exceptions import ConfigError
from memplug.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from memplug.plugins.protocols import Embedder

#: The embedder of a new store; its weights are in its wheel.
DEFAULT_EMBEDDER = "wordllama"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that `Memory(...)` takes, with the environment applied.

    Args:
        location: Folder or URL of the store. Default: ``MEMPLUG_STORE``, else the user's data folder.
        embedder: ``name`` or ``name:model`` of a registered embedder, or an object with the `Embedder` methods.
            Default: ``MEMPLUG_EMBEDDER``, else the one that the store was made with, else ``wordllama``.
        plugins: Plugin modules or objects beside the installed ones.
        limits: The bounds on input.
        read_only: Refuse every write.
        sync: ``full`` makes each commit survive a power cut.
        keep_location: Keep where a picture was taken, if its file says so.
        strict_skills: Refuse skills that break a rule of the Agent Skills specification.
        fetch_urls: Whether URLs in input may be fetched at all.
        allow_hosts: Hosts inside the private network that URLs in input may name (``127.0.0.1``,
            ``media.local:8000``). Default: ``MEMPLUG_ALLOW_HOSTS``, separated by commas, else none.
        options: Settings for the backend; for an object store ``storage_options`` and ``lease_seconds``;
            for ``db://`` also ``companion``, ``api_key``, ``region``, ``host_override`` and ``timeout_seconds``.
        clock: The present moment; tests give their own.
    """

    location: str
    embedder: str | Embedder | None = None
    plugins: Sequence[object] = ()
    limits: Limits = field(default_factory=Limits)
    read_only: bool = False
    sync: Literal["normal", "full"] = "normal"
    keep_location: bool = False
    strict_skills: bool = False
    fetch_urls: bool = True
    allow_hosts: Collection[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # there may be credentials among them
    clock: Callable[[], datetime] | None = None

    def __post_init__(self) -> None:
        if self.sync not in ("normal", "full"):
            raise ConfigError(f"sync must be 'normal' or 'full', not {self.sync!r}")

    @property
    def scheme(self) -> str:
        """Which backend the location asks for; a plain path asks for ``lancedb``."""
        head, separator, _ = self.location.partition("://")
        return head.lower() if separator else "lancedb"


def default_location() -> str:
    """Where a store lies that nobody named: ``MEMPLUG_STORE``, else a folder in the user's data folder."""
    if named := os.environ.get("MEMPLUG_STORE"):
        return named
    from platformdirs import user_data_path

    return str(user_data_path("memplug", appauthor=False) / "store")


def resolved_location(location: str | os.PathLike[str] | None) -> str:
    """The location as text.

    Raises:
        ConfigError: It is empty or of another type.
    """
    if location is None:
        return default_location()
    if isinstance(location, os.PathLike):
        return os.fspath(location)
    if not isinstance(location, str) or not location.strip():
        raise ConfigError(f"a store's location must be a path or URL, not {location!r}")
    return location if "://" in location else str(Path(location).expanduser())


def allowed_hosts(hosts: Collection[str] | None) -> tuple[str, ...]:
    """The given hosts, else those of ``MEMPLUG_ALLOW_HOSTS``.

    Raises:
        ConfigError: One text was given instead of a list.
    """
    if isinstance(hosts, str):
        raise ConfigError("allow_hosts is a list of hosts, not one text", hint=f"allow_hosts=[{hosts!r}]")
    if hosts is not None:
        return tuple(hosts)
    return tuple(host.strip() for host in os.environ.get("MEMPLUG_ALLOW_HOSTS", "").split(",") if host.strip())
