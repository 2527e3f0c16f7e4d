"""Records as JSON objects: the form in which archives carry them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from memplug.exceptions import MalformedInput
from memplug.values.item import MediaRef, MemoryItem, Record
from memplug.values.scope import Scope
from memplug.values.source import Provenance

_TIMES = ("created_at", "updated_at", "occurred_at", "expires_at")
#: What a reader of the archive needs no telling, since it follows from the other versions.
_DERIVED = ("valid_to",)
_DIGEST = re.compile(r"[0-9a-f]{64}")

_TEXTS = ("id", "kind", "text", "key", "content_type", "error", *Scope.__dataclass_fields__)


def to_json(record: Record) -> dict[str, Any]:
    """The record as a JSON object, without what an import makes anew (terms and vector)."""
    item = record.item
    found: dict[str, Any] = {
        field.name: getattr(item, field.name) for field in fields(MemoryItem) if field.name not in _DERIVED
    }
    found |= {name: _time_text(found[name]) for name in _TIMES}
    found |= {"tags": list(item.tags), "metadata": dict(item.metadata), "source": _set(asdict(item.source))}
    found["media"] = _set(asdict(item.media)) if item.media else None
    return _set(found) | _set({"identity": record.identity, "context": record.context})


def from_json(value: object) -> Record:
    """The record that `to_json` wrote.

    Raises:
        MalformedInput: A field is missing, unknown or of the wrong form.
    """
    if not isinstance(value, dict):
        raise MalformedInput("a memory must be a JSON object")
    unknown = sorted(set(value) - {field.name for field in fields(MemoryItem)} - {"identity", "context"})
    if unknown:
        raise MalformedInput(f"unknown fields: {', '.join(map(str, unknown))}")
    try:
        return _record(value)
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedInput(f"a memory's fields do not fit: {error}") from error


def _record(value: dict[str, Any]) -> Record:
    given = {name: member for name, member in value.items() if name not in ("identity", "context")}
    for name in _TEXTS:
        _check(given.get(name), str, name)
    for name in _TIMES:
        given[name] = _time(given.get(name), name)
    _check(given.get("version", 1), int, "version")
    _check(given.get("metadata", {}), Mapping, "metadata")
    given["tags"] = tuple(_texts(given.get("tags", []), "tags"))
    given["source"] = _source(given.get("source", {}))
    given["media"] = _media(given["media"]) if given.get("media") else None
    if given.get("status", "ready") not in ("pending", "ready", "failed") or given.get("version", 1) < 1:
        raise ValueError("status or version")
    Scope(**{name: given.get(name) for name in Scope.__dataclass_fields__})
    item = MemoryItem(**({"text": ""} | given))
    return Record(item=item, identity=str(value.get("identity", "")), context=str(value.get("context", "")))


def _source(value: dict[str, Any]) -> Provenance:
    derived = tuple(_texts(value.get("derived_from", []), "derived_from"))
    return Provenance(**(value | {"derived_from": derived}))


def _media(value: dict[str, Any]) -> MediaRef:
    media = MediaRef(**value)
    for digest in (media.digest, media.thumbnail):
        if digest is not None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            raise ValueError("a media digest must be 64 hexadecimal digits")
    _check(media.size, int, "media.size")
    return media


def _texts(values: object, name: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} must be a list of texts")
    return values


def _check(value: object, kind: type, name: str) -> None:
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise ValueError(f"{name} must be a {kind.__name__.lower()}")


def _time_text(value: datetime | None) -> str | None:
    return value.isoformat() if value is not None else None


def _time(value: object, name: str) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} must be ISO 8601 text")
    found = datetime.fromisoformat(value)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _set(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is at its default of nothing, which keeps archives small and readable."""
    return {name: member for name, member in value.items() if member or (member == 0 and member is not False)}
