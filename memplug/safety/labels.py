"""Checks on what a caller attaches to a memory: keys, tags, metadata, times."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memplug.exceptions import FilterError, InputTooLarge, MalformedInput
from memplug.values.filters import moment

if TYPE_CHECKING:
    from datetime import datetime

    from memplug.values.limits import Limits
    from memplug.values.request import AddRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What a caller says about everything in one `add`, checked."""

    key: str | None
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    occurred_at: datetime | None
    expires_at: datetime | None
    reason: str | None = None


def check_labels(request: AddRequest, limits: Limits) -> Labels:
    """The labels of a request.

    Raises:
        MalformedInput, InputTooLarge: See the single checks below.
    """
    for name in ("kind", "description", "content_type"):
        value = getattr(request, name)
        if value is not None and value != "":
            _check_text(name, value)
    return Labels(
        key=check_key(request.key, limits),
        tags=check_tags(request.tags, limits),
        metadata=check_metadata(request.metadata, limits),
        occurred_at=check_moment(request.occurred_at, name="occurred_at"),
        expires_at=check_moment(request.expires_at, name="expires_at"),
        reason=request.reason,
    )


def check_key(key: str | None, limits: Limits) -> str | None:
    """The caller's key as it is, or None.

    Raises:
        MalformedInput: It is empty, no text, or not valid Unicode.
        InputTooLarge: It is over ``limits.key_length`` characters.
    """
    if key is None:
        return None
    _check_text("key", key)
    if len(key) > limits.key_length:
        raise InputTooLarge(f"the key has {len(key)} characters; at most {limits.key_length} are taken")
    return key


def check_tags(tags: Iterable[str] | str | None, limits: Limits) -> tuple[str, ...]:
    """Tags sorted and without duplicates.

    Raises:
        MalformedInput: A tag is empty or no text, or the tags are one text instead of a list.
        InputTooLarge: Too many tags, or one too long.
    """
    if tags is None:
        return ()
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise MalformedInput("tags must be a list of texts", hint=f"[{tags!r}]")
    found = list(tags)
    for tag in found:
        _check_text("a tag", tag)
        if len(tag) > limits.tag_length:
            raise InputTooLarge(f"a tag has {len(tag)} characters; at most {limits.tag_length} are taken")
    if len(set(found)) > limits.tags:
        raise InputTooLarge(f"{len(set(found))} tags; at most {limits.tags} are taken")
    return tuple(sorted(set(found)))


def check_metadata(
    metadata: Mapping[str, Any] | None, limits: Limits, *, deep: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """A copy of the metadata, as JSON would give it back.

    Args:
        metadata: It.
        limits: The limits.
        deep: Members of it that memplug writes itself, with the levels in which each may be nested.

    Raises:
        MalformedInput: It is not a JSON object (a key that is no text, a value JSON has no form for, NaN).
        InputTooLarge: It is over its limits in bytes or nesting.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise MalformedInput(f"metadata must be a dict, not {type(metadata).__name__}")
    own = {name: metadata[name] for name in deep or () if name in metadata}
    _check_depth({name: value for name, value in metadata.items() if name not in own}, limits.metadata_depth)
    for name, value in own.items():
        _check_depth(value, (deep or {})[name])
    text = _sized(metadata, limits, "metadata has")
    copy: dict[str, Any] = json.loads(text)
    return copy


def check_joined(metadata: Mapping[str, Any], name: str, limits: Limits) -> None:
    """Holds metadata to its limit where it is put together: of a caller's words, a reader's, and earlier ones.

    Args:
        metadata: All of it, as JSON would give it back.
        name: What the memory is called, for errors.
        limits: The limits.

    Raises:
        InputTooLarge: It is over its limit in bytes.
    """
    if metadata:
        whose = f"{name!r}" if name else "this memory"
        _sized(metadata, limits, f"with what is known of {whose} already, or was found in it, metadata has")


def _sized(metadata: Mapping[str, Any], limits: Limits, has: str) -> str:
    """The metadata as JSON text."""
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise MalformedInput(f"metadata must be JSON: {error}") from error
    if size > limits.metadata_bytes:
        raise InputTooLarge(f"{has} {size:,} bytes as JSON; at most {limits.metadata_bytes:,} are taken")
    return text


def check_moment(value: object, *, name: str) -> datetime | None:
    """A moment as aware UTC, or None (see `memplug.values.filters.moment` for the forms).

    Raises:
        MalformedInput: It is not a moment.
    """
    if value is None:
        return None
    try:
        return moment(value, name=name)
    except FilterError as error:
        raise MalformedInput(error.message, hint=error.hint) from error


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise MalformedInput(f"{what} must be text, not {type(value).__name__}")
    if not value.strip():
        raise MalformedInput(f"{what} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MalformedInput(f"{what} is not valid Unicode") from error


def _check_depth(value: object, levels: int) -> None:
    """Bounds the nesting before `json` recurses into it, and insists on text keys, which `json` would convert."""
    if levels < 0:
        raise InputTooLarge("metadata is nested too deeply")
    if isinstance(value, Mapping):
        for name, member in value.items():
            if not isinstance(name, str):
                raise MalformedInput(f"metadata keys must be text, not {type(name).__name__}")
            _check_depth(member, levels - 1)
    elif isinstance(value, list | tuple):
        for member in value:
            _check_depth(member, levels - 1)


def check_texts(name: str, values: object, most: int) -> tuple[str, ...]:
    """A list of texts, as a caller names kinds, tags and buckets.

    Raises:
        MalformedInput: It is none.
        InputTooLarge: There are more than ``most``.
    """
    if isinstance(values, str) or not isinstance(values, Collection):
        raise MalformedInput(f"{name} must be a list of texts, not {values!r:.100}")
    if not all(isinstance(value, str) for value in values):
        raise MalformedInput(f"{name} must be a list of texts")
    if len(values) > most:
        raise InputTooLarge(f"{len(values)} {name}; at most {most} are taken")
    return tuple(values)
