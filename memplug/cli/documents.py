"""Values as JSON data with stable keys. Moments are ISO 8601 text; what is not there is null, never left out."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memplug.exceptions import MemplugError
    from memplug.values.bucket import Bucket
    from memplug.values.hit import Hit
    from memplug.values.item import MemoryItem
    from memplug.values.outcome import Outcome


def item_document(item: MemoryItem) -> dict[str, Any]:
    """A memory."""
    found = {field.name: _plain(getattr(item, field.name)) for field in fields(item)}
    return found | {
        "tags": list(item.tags),
        "metadata": dict(item.metadata),
        "media": asdict(item.media) if item.media else None,
        "source": asdict(item.source)
        | {name: list(getattr(item.source, name)) for name in ("derived_from", "supersedes")},
        "valid_from": item.valid_from.isoformat(),
    }


def hit_document(hit: Hit) -> dict[str, Any]:
    """A memory with its score, and with the rankers' shares of it (empty where they were not asked for)."""
    return item_document(hit.item) | {"score": hit.score, "shares": dict(hit.shares)}


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """What became of one part of an input."""
    found = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    return found | {"error": error_document(outcome.error) if outcome.error else None}


def error_document(error: MemplugError) -> dict[str, Any]:
    """An error: its stable code, its words, and what to do about it."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def bucket_document(bucket: Bucket) -> dict[str, Any]:
    """A shared bucket with everybody's role."""
    return {name: _plain(value) for name, value in asdict(bucket).items()}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
