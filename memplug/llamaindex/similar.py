"""Stored pictures that look like a given one."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING

from memplug.pipelines.identity import media_digest
from memplug.safety.files import read_file
from memplug.safety.image import inspect_image
from memplug.safety.media_type import HEAD
from memplug.safety.phash import distance
from memplug.safety.sizes import check_image_size
from memplug.store import View
from memplug.values.draft import Media
from memplug.values.filters import Compare, Filter
from memplug.values.hit import Hit
from memplug.values.scoping import joined

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.binding import Binding
    from memplug.values.item import MediaRef
    from memplug.values.limits import Limits

#: Copies of one picture differ in at most 10 of the 64 bits (`memplug.safety.phash`).
NEAR = 10
HASH_BITS = 64
#: Characters of what describers read in a picture that a question is made of; a search takes 20,000.
_WORDS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A picture to look for.

    Args:
        media: Its bytes, and what they are.
        digest: Their SHA-256.
        phash: See `memplug.safety.phash`.
    """

    media: Media
    digest: str
    phash: str


def sample_of(data: bytes, limits: Limits) -> Sample:
    """A picture to look for.

    Raises:
        InvalidImageError, InputTooLarge, UnsafeInput: It is none that memplug would take in.
    """
    info = inspect_image(data, limits)
    media = Media(data=data, content_type=info.content_type, width=info.width, height=info.height)
    return Sample(media=media, digest=media_digest(data), phash=info.phash)


def sample_at(path: Path, limits: Limits) -> Sample:
    """The same, of a file.

    Raises:
        MalformedInput: There is no such file, or it cannot be read.
        InvalidImageError, InputTooLarge, UnsafeInput: It is none that memplug would take in.
    """
    return sample_of(read_file(path, head=HEAD, check=lambda _, size: check_image_size(size, limits)), limits)


def similar(binding: Binding, sample: Sample, *, top_k: int, where: Filter | None, near: int = NEAR) -> list[Hit]:
    """The stored pictures that look like it, the same one first.

    All pictures of the scope and of its further buckets are gone through, which takes about as long as listing them.

    Args:
        binding: Where to look.
        sample: The picture.
        top_k: Most hits.
        where: What else must hold.
        near: How many bits of the perceptual hash may differ. The score is 1 for the same file, else at most 0.99.
    """
    view = binding.view
    beside = tuple(view.scope.beside(bucket) for bucket in view.buckets)
    pictures = joined(where, Compare("content_type", "contains", "image/"))
    store = binding.memory.engine.store
    found = [
        Hit(item=record.item.handed_out(), score=score, _load=lambda digest: _read(binding, digest))
        for record in store.each(View(scope=view.scope, filter=pictures, beside=beside))
        if record.item.media is not None and (score := _likeness(record.item.media, sample, near)) > 0
    ]
    return nlargest(top_k, found, key=lambda hit: (hit.score, hit.item.created_at))


def words_of(binding: Binding, sample: Sample, said: str) -> str:
    """What the memory's describers (OCR, a vision model) read in the picture; empty where there are none."""
    from memplug.values.draft import Draft

    draft = Draft(part=0, kind="image", text=said, media=sample.media)
    return binding.memory.engine.ingest.describing.described(draft).described[:_WORDS]


def _likeness(media: MediaRef, sample: Sample, near: int) -> float:
    if media.digest == sample.digest:
        return 1.0
    if media.phash is None or (bits := distance(media.phash, sample.phash)) > near:
        return 0.0
    return min(0.99, 1 - bits / (HASH_BITS / 2))


def _read(binding: Binding, digest: str) -> bytes:
    with binding.open_media(digest) as file:
        return file.read()
