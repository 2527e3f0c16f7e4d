"""What a draft remembers of the part that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from memplug.values.source import Provenance

if TYPE_CHECKING:
    from memplug.values.draft import Part


def provenance_of(part: Part) -> Provenance:
    """Who said it, and the file, URL or tool call it came from."""
    source = part.source
    return Provenance(
        role=part.role,
        speaker=part.speaker,
        file=(source.label or None) if source else None,
        url=_public(source.origin) if source and source.origin else None,
        tool_call=_tool_call(part.value),
    )


def _public(url: str) -> str:
    """The URL without what may open doors: credentials, query (signed links), fragment."""
    found = urlsplit(url)
    return f"{found.scheme}://{found.netloc.rpartition('@')[2]}{found.path}"


def _tool_call(value: object) -> str | None:
    call = value.get("tool_call_id") if isinstance(value, Mapping) else None
    return call if isinstance(call, str) and call else None
