"""Recalled pictures as content blocks, for models that take them."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from typing import Any, Literal

from memplug.exceptions import InputRejected, NotFound
from memplug.safety.media_type import IMAGE_TYPES
from memplug.safety.shrinking import picture_to_send
from memplug.values.hit import Hit

log = logging.getLogger("memplug.langchain")

#: Whether a model is shown pictures: ``"auto"`` as its profile says.
Images = Literal["auto"] | bool


def takes_pictures(model: object, images: Images, capability: str = "image_inputs") -> bool:
    """Whether a model is to be shown pictures.

    Args:
        model: LangChain's chat model, which may have a ``profile``.
        images: What the user says; ``"auto"`` means what the profile says, and no pictures where there is none.
        capability: The profile's name for it.
    """
    if images != "auto":
        return images
    profile = getattr(model, "profile", None)
    return isinstance(profile, Mapping) and profile.get(capability) is True


def is_picture(hit: Hit) -> bool:
    """Whether a memory's original is a picture that was decoded when it came in."""
    media = hit.item.media
    return media is not None and media.content_type in IMAGE_TYPES and media.width > 0


def picture_block(hit: Hit, side: int) -> dict[str, Any] | None:
    """A memory's picture as LangChain's image block; None where it is none, or gone just now.

    It has no ``id``: LangChain's own function would draw one, and the same request would not be the same bytes.

    Args:
        hit: The memory.
        side: Most pixels of a side; larger ones are made smaller.
    """
    if not is_picture(hit):
        return None
    try:
        data = hit.media
        if data is None:
            return None
        picture = picture_to_send(data, side)
    except (NotFound, InputRejected) as error:
        log.warning("the picture of memory %s cannot be shown: %s", hit.id, error.code)
        return None
    encoded = base64.b64encode(picture.data).decode()
    return {"type": "image", "base64": encoded, "mime_type": picture.content_type}
