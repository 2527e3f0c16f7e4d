"""How a memory is opened: arguments first, then environment, then defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from memplug.exceptions import ConfigError
from memplug.values.extraction import Extraction
from memplug.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from memplug.plugins.models import ChatModel
    from memplug.plugins.protocols import Embedder

#: The embedder of a new store; its weights are in its wheel.
DEFAULT_EMBEDDER = "wordllama"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that `Memory(...)` takes, with the environment applied.

    Args:
        location: Folder or URL of the store. Default: ``MEMPLUG_STORE``, else the user's data folder.
        embedder: ``name`` or ``name:model`` of a registered embedder, or an object with the `Embedder` methods.
            Default: ``MEMPLUG_EMBEDDER``, else the configuration's, else the one that the store was made with, else
            ``wordllama``.
        model: ``name:model`` of a registered chat model (``openai:gpt-5-mini``), or an object with the `ChatModel`
            methods. Default: ``MEMPLUG_MODEL``, else the configuration's, else none.
        vision_model: The same for pictures. Default: ``MEMPLUG_VISION_MODEL``, else the configuration's, else
            ``model`` where that is set up to see, else none.
        config: Path of a configuration (`memplug.config`). Default: ``MEMPLUG_CONFIG``, else ``memplug.yaml`` in the
            user's configuration folder. One in the current folder does not count.
        extraction: What facts are drawn from conversations, where there is a model.
        plugins: Plugin modules or objects beside the installed ones.
        limits: The bounds on input.
        read_only: Refuse every write.
        sync: ``full`` makes each commit survive a power cut.
        keep_location: Keep where a picture was taken, if its file says so.
        strict_skills: Refuse skills that break a rule of the Agent Skills specification.
        redact: ``"secrets"`` stores ``[secret:kind]`` in the place of keys, tokens and passwords. Default:
            ``MEMPLUG_REDACT``, else nothing is left out of what is stored. To models they are never sent.
        chatter: ``"skip"`` leaves out messages that are a greeting, thanks or goodbye and nothing else.
        fetch_urls: Whether URLs in input may be fetched at all.
        allow_hosts: Hosts inside the private network that URLs in input may name (``127.0.0.1``,
            ``media.local:8000``). Default: ``MEMPLUG_ALLOW_HOSTS``, separated by commas, else none.
        options: Settings for the backend; for an object store ``storage_options`` and ``lease_seconds``;
            for ``db://`` also ``companion``, ``api_key``, ``region``, ``host_override`` and ``timeout_seconds``.
        clock: The present moment; tests give their own.
    """

    location: str
    embedder: str | Embedder | None = None
    model: str | ChatModel | None = None
    vision_model: str | ChatModel | None = None
    config: str | None = None
    extraction: Extraction = field(default_factory=Extraction)
    plugins: Sequence[object] = ()
    limits: Limits = field(default_factory=Limits)
    read_only: bool = False
    sync: Literal["normal", "full"] = "normal"
    keep_location: bool = False
    strict_skills: bool = False
    redact: Literal["secrets"] | None = None
    chatter: Literal["keep", "skip"] = "keep"
    fetch_urls: bool = True
    allow_hosts: Collection[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # there may be credentials among them
    clock: Callable[[], datetime] | None = None

    def __post_init__(self) -> None:
        if self.sync not in ("normal", "full"):
            raise ConfigError(f"sync must be 'normal' or 'full', not {self.sync!r}")
        if self.redact not in (None, "secrets"):
            raise ConfigError(f"redact must be 'secrets' or None, not {self.redact!r}")
        if self.chatter not in ("keep", "skip"):
            raise ConfigError(f"chatter must be 'keep' or 'skip', not {self.chatter!r}")

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


def redaction(redact: Literal["secrets"] | None) -> Literal["secrets"] | None:
    """What is left out of what is stored: as given, else as ``MEMPLUG_REDACT`` says."""
    named = redact or os.environ.get("MEMPLUG_REDACT") or None
    return cast('Literal["secrets"] | None', named)  # `Settings` refuses what is none of its values


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
