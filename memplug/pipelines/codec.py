"""Records as JSON objects: the form in which archives carry them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputTooLarge, MalformedInput, ScopeError
from memplug.pipelines.fields import (
    Reader,
    flag,
    mapping,
    moment,
    one_of,
    optional,
    read_object,
    shaped,
    text,
    texts,
    whole,
    word,
)
from memplug.pipelines.wording import MARK
from memplug.safety.labels import check_key, check_metadata, check_tags
from memplug.safety.text import clean, more_tokens_than
from memplug.values.item import MediaRef, MemoryItem, Record
from memplug.values.scope import SCOPE_FIELDS, scope_of_item
from memplug.values.source import ROLES, Provenance
from memplug.values.tool_call import FIELD, LEVELS
from memplug.values.tool_stats import TOOL_FIELD

if TYPE_CHECKING:
    from memplug.values.limits import Limits

#: The form of every id and identity that memplug makes (`memplug.pipelines.identity`): 128 bits in base 32.
ID_PATTERN = "[a-z2-7]{26}"
#: What a reader of the archive needs no telling, since it follows from the other versions.
_DERIVED = frozenset({"valid_to"})
#: Written also where they have their default, for people who read an archive.
_ALWAYS = frozenset({"version"})

#: What stands in metadata as deep as its tool gave it, by the kind of the memory.
_DEEP: Mapping[str, Mapping[str, int]] = {"tool_call": dict.fromkeys((FIELD, TOOL_FIELD), LEVELS + 4)}

_id = shaped(ID_PATTERN, "an id of memplug's: 26 characters of a-z and 2-7")
_digest = shaped("[0-9a-f]{64}", "64 hexadecimal digits")
_LARGEST_FILE = 2**53

_SOURCE: Mapping[str, Reader] = {
    "role": optional(one_of(*sorted(ROLES))),
    **dict.fromkeys(("speaker", "message", "file", "section", "url", "tool_call", "reason"), optional(text)),
    "position": optional(whole(0)),
    "page": optional(whole(0)),
    **dict.fromkeys(("derived_from", "supersedes"), texts),
    "described": optional(shaped(MARK, "a mark of memplug's")),
}
_MEDIA: Mapping[str, Reader] = {
    "digest": _digest,
    "size": whole(0, _LARGEST_FILE),
    "content_type": word,
    "name": text,
    "width": whole(0),
    "height": whole(0),
    "thumbnail": optional(_digest),
    "phash": optional(shaped("[0-9a-f]{16}", "16 hexadecimal digits")),
}


def _read_source(value: object, name: str) -> Provenance:
    return Provenance(**read_object(value, name, _SOURCE, frozenset()))


def _read_media(value: object, name: str) -> MediaRef:
    return MediaRef(**read_object(value, name, _MEDIA, frozenset({"digest", "size", "content_type"})))


_RECORD: Mapping[str, Reader] = {
    "id": _id,
    "kind": word,
    "text": text,
    "key": optional(text),
    "content_type": word,
    "media": optional(_read_media),
    **dict.fromkeys(SCOPE_FIELDS, optional(text)),
    "tags": texts,
    "metadata": mapping,
    "status": one_of("pending", "ready", "failed"),
    "error": optional(text),
    "part_of": optional(_id),
    "source": _read_source,
    **dict.fromkeys(("created_at", "updated_at"), moment),
    **dict.fromkeys(("occurred_at", "expires_at"), optional(moment)),
    "version": whole(1),
    "deleted": flag,
    "identity": shaped(f"({ID_PATTERN})?", "a digest of memplug's, or empty"),
    "context": text,
}
_REQUIRED = frozenset({"id", "kind", "created_at", "updated_at"})


def to_json(record: Record) -> dict[str, Any]:
    """The record as a JSON object, without what an import makes anew (terms and vector) and what has its default."""
    found = {name: _plain(member) for name, member in _told(record.item).items()}
    return found | {name: member for name in ("identity", "context") if (member := getattr(record, name))}


def from_json(value: object, limits: Limits) -> Record:
    """The record that `to_json` wrote, with the same checks as on something that is added.

    Raises:
        MalformedInput: A field is missing, unknown or of the wrong form.
        InputTooLarge: A field is over its limit.
    """
    found = read_object(value, "a memory", _RECORD, _REQUIRED)
    identity, context = found.pop("identity", ""), found.pop("context", "")
    found["key"] = check_key(found.get("key"), limits)
    found["tags"] = check_tags(found.get("tags"), limits)
    found["metadata"] = check_metadata(found.get("metadata"), limits, deep=_DEEP.get(found["kind"]))
    _check_scope(found)
    record = settled(Record(item=MemoryItem(**{"text": ""} | found), identity=identity, context=context))
    _check_words(record.item, limits)
    return record


def settled(record: Record) -> Record:
    """The record with its words as `add` would clean them, and with a file name that names no folder."""
    item = record.item
    speaker = clean(item.source.speaker) if item.source.speaker else item.source.speaker
    source = item.source if speaker == item.source.speaker else replace(item.source, speaker=speaker)
    media = replace(item.media, name=_basename(item.media.name)) if item.media else None
    item = replace(item, text=clean(item.text), source=source, media=media)
    return replace(record, item=item, context=clean(record.context))


def same(one: Record, other: Record) -> bool:
    """Whether two versions tell the same. Compared as JSON, since Python calls 1 and True equal."""
    return _canonical(one) == _canonical(other)


def _canonical(record: Record) -> str:
    return json.dumps(to_json(settled(record)), sort_keys=True)


def _check_scope(found: Mapping[str, Any]) -> None:
    try:
        scope_of_item({name: found.get(name) for name in SCOPE_FIELDS})
    except ScopeError as error:
        raise MalformedInput(error.message, hint=error.hint) from error


def _check_words(item: MemoryItem, limits: Limits) -> None:
    if not item.text.strip() and item.media is None and not item.deleted:
        raise MalformedInput("the memory has neither text nor an original")
    if more_tokens_than(item.text, limits.text_tokens):
        raise InputTooLarge(f"the memory's text has more than {limits.text_tokens:,} tokens")


def _basename(name: str) -> str:
    last = clean(name).replace("\\", "/").rpartition("/")[2]
    return "" if last in {".", ".."} else last


def _told(value: Any) -> dict[str, Any]:
    """The fields of a value that differ from their defaults, which keeps archives small and readable."""
    found = {}
    for field in fields(value):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        member = getattr(value, field.name)
        if field.name not in _DERIVED and (field.name in _ALWAYS or member != default):
            found[field.name] = member
    return found


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
        case Provenance() | MediaRef():
            return {name: _plain(member) for name, member in _told(value).items()}
    return value
