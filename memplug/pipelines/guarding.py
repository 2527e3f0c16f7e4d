"""Lets the guards of plugins see content that reaches the store by another way than `add`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.exceptions import InputRejected
from memplug.pipelines.identity import item_identity
from memplug.values.draft import Draft
from memplug.values.scope import scope_of_item

if TYPE_CHECKING:
    from memplug.plugins.manager import PluginManager
    from memplug.values.item import Record


def guarded(record: Record, plugins: PluginManager) -> Record:
    """The record as the guards let it pass. Its original is stored already and is not shown to them.

    Raises:
        InputRejected: A guard refused it.
        PluginError: A guard failed.
    """
    item = record.item
    draft = Draft(
        part=0,
        kind=item.kind,
        text=item.text,
        context=record.context,
        content_type=item.content_type,
        key=item.key,
        tags=item.tags,
        metadata=item.metadata,
        occurred_at=item.occurred_at,
        expires_at=item.expires_at,
        source=item.source,
    )
    kept = plugins.guard([draft], scope_of_item(item.ids))
    if len(kept) != 1:
        raise InputRejected("left out by a plugin's before_add")
    [passed] = kept
    if passed == draft:
        return record
    changed = replace(
        item,
        text=passed.text,
        key=passed.key,
        tags=passed.tags,
        metadata=passed.metadata,
        occurred_at=passed.occurred_at,
        expires_at=passed.expires_at,
        source=passed.source,
    )
    said = (changed.text, changed.source, changed.occurred_at) != (item.text, item.source, item.occurred_at)
    # What a guard took out must not stay behind as a digest either.
    identity = item_identity(changed) if said else record.identity
    return replace(record, item=changed, context=passed.context, identity=identity)
