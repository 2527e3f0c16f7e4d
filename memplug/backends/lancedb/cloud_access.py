"""How LanceDB Cloud or Enterprise is reached, and the object store beside it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memplug.backends.lancedb.access import LEASE, Access, is_secret
from memplug.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.plugins.protocols import BackendRequest

#: What LanceDB itself reads the key from.
KEY_VARIABLE = "LANCEDB_API_KEY"
#: Seconds that an answer of the service may take.
TIMEOUT = 60.0
_KNOWN = ("api_key", "companion", "host_override", "lease_seconds", "region", "storage_options", "timeout_seconds")
_URL = re.compile(r"^db://([A-Za-z0-9][A-Za-z0-9_-]*)/?$", re.IGNORECASE)
_EXAMPLE = "give options={'companion': 's3://bucket/prefix', 'api_key': …}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudAccess:
    """A database, and the prefix in an object store that holds everything of a store but its tables.

    Args:
        url: ``db://name``.
        companion: The prefix.
        api_key: Never shown.
        region: As LanceDB names it; None is LanceDB's own default.
        host_override: Address of an Enterprise deployment; None is LanceDB Cloud.
        timeout_seconds: See `TIMEOUT`.
    """

    url: str
    companion: Access
    api_key: str = field(repr=False)
    region: str | None = None
    host_override: str | None = None
    timeout_seconds: float = TIMEOUT

    @classmethod
    def of(cls, request: BackendRequest) -> CloudAccess:
        """What a request says.

        Raises:
            ConfigError: Its location is no database, or an option is missing, unknown or of another type.
        """
        options = request.options
        if unknown := sorted(map(str, options.keys() - set(_KNOWN))):
            raise ConfigError(f"unknown option {unknown[0]!r} for a db:// store", hint=f"known: {', '.join(_KNOWN)}")
        if (found := _URL.match(request.location)) is None:
            raise ConfigError("a db:// location is the name of a database, nothing else", hint="give db://my-database")
        key = options.get("api_key") or os.environ.get(KEY_VARIABLE)
        if not isinstance(key, str) or not key.isascii() or not key.isprintable():
            raise ConfigError(
                "a db:// store needs the key of its database, a text",
                hint=f"give options={{'api_key': …}}, or {KEY_VARIABLE} in the environment",
            )
        return cls(
            url=f"db://{found[1]}",
            companion=_companion(request),
            api_key=key,
            region=_text(options, "region"),
            host_override=_host(options),
            timeout_seconds=_seconds(options),
        )

    def hidden(self, text: str) -> str:
        """A text of an error, without the key and without what the storage options hold."""
        text = text.replace(self.api_key, "…") if is_secret(self.api_key) else text
        return self.companion.hidden(text)


def _companion(request: BackendRequest) -> Access:
    """The object store.

    Raises:
        ConfigError: None is named, or what is named is none.
    """
    location = request.options.get("companion")
    if location is None:
        raise ConfigError(
            "a db:// store needs an object store beside it, for originals, for locks, and for what says which tables "
            "are the current ones",
            hint=_EXAMPLE,
        )
    if not isinstance(location, str) or location.partition("://")[0].lower() not in {"s3", "gs", "az"}:
        raise ConfigError("the companion of a db:// store is an s3://, gs:// or az:// location", hint=_EXAMPLE)
    options = {name: request.options[name] for name in ("lease_seconds", "storage_options") if name in request.options}
    options.setdefault("lease_seconds", LEASE)
    return Access.of(replace(request, location=location, options=options))


def _text(options: Mapping[str, Any], name: str) -> str | None:
    found = options.get(name)
    if found is not None and (not isinstance(found, str) or not re.fullmatch(r"[\w.-]+", found, re.ASCII)):
        raise ConfigError(f"the option {name} of a db:// store must be a name")
    return found


def _host(options: Mapping[str, Any]) -> str | None:
    """The address.

    Raises:
        ConfigError: It is none; it is not shown, since there may be a secret in it.
    """
    found = options.get("host_override")
    if found is None:
        return None
    try:
        parts = urlsplit(found) if isinstance(found, str) else None
        plain = parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname)
        more = parts is None or parts.username is not None or parts.query or parts.fragment
    except ValueError:
        plain, more = False, True
    if not plain or more:
        raise ConfigError("the option host_override must be an address, nothing else", hint="such as 'https://host'")
    return str(found).rstrip("/")


def _seconds(options: Mapping[str, Any]) -> float:
    seconds = options.get("timeout_seconds", TIMEOUT)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise ConfigError("the option timeout_seconds must be a number of seconds above 0")
    return float(seconds)
