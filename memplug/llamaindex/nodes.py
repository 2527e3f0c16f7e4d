"""Hits as LlamaIndex nodes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import BaseContentBlock, TextBlock
from llama_index.core.schema import (
    ImageNode,
    MetadataMode,
    NodeRelationship,
    NodeWithScore,
    RelatedNodeInfo,
    TextNode,
)

from memplug.llamaindex.metadata import keys, metadata_of

if TYPE_CHECKING:
    from memplug.binding import Binding
    from memplug.llamaindex.pictures import Pictures
    from memplug.values.hit import Hit


class PictureNode(ImageNode):
    """A picture with its words. LlamaIndex's own gives a model the picture alone."""

    def get_content_blocks(self, metadata_mode: MetadataMode = MetadataMode.NONE) -> list[BaseContentBlock]:
        """What is known of it, its words, and the picture, which comes last."""
        *before, picture = super().get_content_blocks(metadata_mode)
        return [*before, *([TextBlock(text=self.text)] if self.text else []), picture]


def node_of(hit: Hit, binding: Binding, pictures: Pictures) -> NodeWithScore:
    """A hit as a node with its score; of a passage, the document's id is its `ref_doc_id`.

    A picture goes along by its path, or where it has none by its bytes (`ImageNode.image`), which, other than a
    document's, are still there when a node comes back from where it was written to.
    """
    item = hit.item
    metadata = metadata_of(item)
    common: dict[str, Any] = {
        "id_": item.id,
        "text": item.text.strip() or item.name,
        "metadata": metadata,
        **keys(metadata, list(item.metadata)),
    }
    if item.part_of is not None:
        common["relationships"] = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=item.part_of)}
    picture = pictures.shown(binding, hit)
    if picture is None:
        return NodeWithScore(node=TextNode(**common), score=hit.score)
    data = base64.b64encode(picture).decode() if isinstance(picture, bytes) else None
    path = str(picture) if isinstance(picture, Path) else None
    node = PictureNode(image=data, image_path=path, image_mimetype=item.content_type, **common)
    return NodeWithScore(node=node, score=hit.score)
