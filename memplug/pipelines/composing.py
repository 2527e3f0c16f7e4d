"""What a draft looks like as a memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.pipelines.identity import draft_identity, media_digest
from memplug.pipelines.wording import joined, mark_of
from memplug.values.item import MediaRef, MemoryItem, Record, Status

if TYPE_CHECKING:
    from datetime import datetime

    from memplug.values.draft import Draft
    from memplug.values.request import AddRequest


def record_of(draft: Draft, id_: str, request: AddRequest, moment: datetime) -> Record:
    """The first version of a memory that holds a draft, without vector and terms."""
    status: Status = "pending" if draft.pending else "failed" if draft.error else "ready"
    text = joined(draft.text, draft.described)
    item = MemoryItem(
        id=id_,
        kind=draft.kind,
        text=text,
        created_at=moment,
        updated_at=moment,
        key=draft.key,
        content_type=draft.content_type,
        media=_media_ref(draft),
        tags=draft.tags,
        metadata=draft.metadata,
        status=status,
        error=draft.error,
        source=replace(draft.source, described=mark_of(draft.text, text)) if draft.described else draft.source,
        occurred_at=draft.occurred_at,
        expires_at=draft.expires_at,
        user_id=request.scope.user_id,
        agent_id=request.scope.agent_id,
        run_id=request.scope.run_id,
        bucket=request.scope.bucket,
    )
    return Record(item=item, identity=draft_identity(draft), context=draft.context)


def _media_ref(draft: Draft) -> MediaRef | None:
    media = draft.media
    if media is None:
        return None
    return MediaRef(
        digest=media_digest(media.data),
        size=len(media.data),
        content_type=media.content_type,
        name=media.name,
        width=media.width,
        height=media.height,
        thumbnail=media_digest(media.thumbnail) if media.thumbnail else None,
        phash=media.phash,
    )
