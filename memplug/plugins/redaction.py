"""A guard that keeps secrets out of the store: ``Memory(redact="secrets")``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.plugins.hookspecs import hookimpl
from memplug.safety.secrets import redacted, redacted_json

if TYPE_CHECKING:
    from memplug.values.draft import Draft, Media
    from memplug.values.scope import Scope


class RedactSecrets:
    """Stores ``[secret:kind]`` in the place of each key, token and password that is found.

    In words, descriptions, metadata, tags and in what is said of the source; not in the bytes of originals, nor in the
    caller's keys, which name a place. The original of a long tool call is none that anybody handed in, but its words as
    JSON, and holds no secrets either. As every guard it fails closed.
    """

    @hookimpl
    def before_add(self, drafts: list[Draft], scope: Scope) -> list[Draft]:  # noqa: ARG002 - the hook's signature
        """The drafts without secrets."""
        return [_redacted(draft) for draft in drafts]


def _redacted(draft: Draft) -> Draft:
    source = draft.source
    return replace(
        draft,
        text=redacted(draft.text),
        described=redacted(draft.described),
        context=redacted(draft.context),
        tags=tuple(dict.fromkeys(redacted(tag) for tag in draft.tags)),
        metadata=redacted_json(draft.metadata),
        media=_redacted_media(draft),
        source=replace(
            source,
            speaker=source.speaker and redacted(source.speaker),
            file=source.file and redacted(source.file),
            section=source.section and redacted(source.section),
            url=source.url and redacted(source.url),
        ),
        pieces=tuple(_redacted(piece) for piece in draft.pieces),
    )


def _redacted_media(draft: Draft) -> Media | None:
    media = draft.media
    if media is None:
        return None
    data = media.data
    if draft.kind == "tool_call" and media.content_type == "application/json":
        data = json.dumps(redacted_json(json.loads(data)), indent=1).encode()
    return replace(media, data=data, name=media.name and redacted(media.name))
