"""What an input type promises, as tests; and sample pictures, drawn in memory."""
# ruff: noqa: S101 - a contract class asserts, as tests do

from __future__ import annotations

import io
import math
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from memplug.exceptions import InputRejected
from memplug.plugins.protocols import ParseContext
from memplug.values.draft import Part
from memplug.values.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from memplug.plugins.protocols import InputType

#: Where the GPS block of `jpeg_with_exif` says the picture was taken, in degrees.
LOCATION = {"latitude": 48.858333, "longitude": -2.294444}
#: When its EXIF block says it was taken.
TAKEN_AT = "2024-05-17T19:30:00"

_TILES = 12

_STRANGER = Part(index=0, value=object(), kind="memplug.testing/nobody-takes-this")


class InputTypeContract(ABC):
    """The promises of an `InputType`. Subclass it, name the class ``Test…``, and pytest checks your input type."""

    @abstractmethod
    def make(self) -> InputType:
        """A new object of the input type."""

    @abstractmethod
    def samples(self) -> Sequence[Part]:
        """Parts that it takes and can parse, their sources loaded."""

    def strangers(self) -> Sequence[Part]:
        """Parts of other forms, that it must leave to others."""
        return ()

    def broken(self) -> Sequence[Part]:
        """Parts that look like its form, but are damaged, empty or over a limit."""
        return ()

    def test_name_is_a_word(self) -> None:
        """The kind that its memories get is a name without blanks."""
        name = self.make().name
        assert isinstance(name, str)
        assert name.strip() == name != ""

    def test_takes_its_samples(self) -> None:
        """It accepts every part of its own form."""
        input_type = self.make()
        assert self.samples(), "the contract needs samples"
        assert [part for part in self.samples() if not input_type.accepts(part)] == []

    def test_leaves_others_alone(self) -> None:
        """It accepts no part of another form, and looks at odd ones without failing."""
        input_type = self.make()
        empty = Part(index=0)
        assert [part for part in (*self.strangers(), _STRANGER, empty) if input_type.accepts(part)] == []

    def test_gives_at_least_one_draft_per_part(self) -> None:
        """Each part becomes one draft or more, tied to the part by its number."""
        for number, part in enumerate(self.samples(), start=7):
            drafts = list(self.make().parse(replace(part, index=number), ParseContext()))
            assert drafts
            assert {draft.part for draft in drafts} == {number}
            assert all(draft.kind and draft.content_type for draft in drafts)

    def test_remembers_who_and_when(self) -> None:
        """Each draft says who said it and when it happened, as the message did."""
        occurred_at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
        for part in self.samples():
            told = replace(part, role="assistant", speaker="Caroline", occurred_at=occurred_at)
            for draft in self.make().parse(told, ParseContext()):
                assert (draft.source.role, draft.source.speaker) == ("assistant", "Caroline")
                assert draft.occurred_at == occurred_at

    def test_keeps_originals_byte_for_byte(self) -> None:
        """Media that a draft carries is what was handed in, unchanged."""
        for part in self.samples():
            for draft in self.make().parse(part, ParseContext()):
                if draft.media is not None and part.source is not None:
                    assert draft.media.data == part.source.data

    def test_keeps_the_users_description(self) -> None:
        """The user's own words about a part are searchable with what it gave."""
        for part in self.samples():
            described = replace(part, description="dinner with Li")
            drafts = list(self.make().parse(described, ParseContext()))
            assert any("dinner with Li" in f"{draft.text}\n{draft.context}" for draft in drafts)

    def test_says_the_same_twice(self) -> None:
        """The same part gives equal drafts again, so that a retry is recognised."""
        for part in self.samples():
            assert list(self.make().parse(part, ParseContext())) == list(self.make().parse(part, ParseContext()))

    def test_refuses_broken_parts_with_a_typed_error(self) -> None:
        """What is damaged or too large is refused with an `InputRejected` that says something."""
        for part in self.broken():
            with pytest.raises(InputRejected) as caught:
                list(self.make().parse(part, ParseContext()))
            assert caught.value.message


def picture(size: tuple[int, int] = (96, 64), *, seed: int = 1, mode: str = "RGB") -> Image:
    """A colourful pattern; each seed gives another one. Its top left corner is dark, its bottom right one bright."""
    from PIL import Image, ImageDraw

    width, height = size
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    for row, column in product(range(_TILES), range(_TILES)):
        wave = math.sin(seed * 12.9898 + row * 78.233 + column * 37.719) * 43758.5453
        light = int(127 * (row + column) / (2 * _TILES - 2) + 127 * (wave - math.floor(wave)))
        box = (
            column * width // _TILES,
            row * height // _TILES,
            (column + 1) * width // _TILES,
            (row + 1) * height // _TILES,
        )
        draw.rectangle(box, fill=(light, 255 - light // 2, (light * seed) % 256))
    return image.convert(mode)


def encoded(image: Image, format_: str, **options: Any) -> bytes:
    """The picture as a file of Pillow's format ``PNG``, ``JPEG``, ``WEBP``, ``GIF`` and so on."""
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def png(**options: Any) -> bytes:
    """A small PNG; see `picture` for the options."""
    return encoded(picture(**options), "PNG")


def jpeg(**options: Any) -> bytes:
    """A small JPEG; see `picture` for the options."""
    return encoded(picture(**options), "JPEG", quality=90)


def webp(**options: Any) -> bytes:
    """A small WebP; see `picture` for the options."""
    return encoded(picture(**options), "WEBP", quality=90)


def gif(*, frames: int = 3, **options: Any) -> bytes:
    """A small animated GIF; see `picture` for the options."""
    rest = [picture(seed=number + 50, **options) for number in range(1, frames)]
    return encoded(picture(**options), "GIF", save_all=True, append_images=rest, duration=50)


def jpeg_with_exif(*, orientation: int = 6, **options: Any) -> bytes:
    """A JPEG whose EXIF block holds an orientation, `TAKEN_AT` and `LOCATION`."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0x9003] = "2024:05:17 19:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0), 3: "W", 4: (2.0, 17.0, 40.0)})
    return encoded(picture(**options), "JPEG", quality=90, exif=exif)


def sample_pictures() -> dict[str, bytes]:
    """One small file of each image type, by its MIME type."""
    return {"image/png": png(), "image/jpeg": jpeg(), "image/webp": webp(), "image/gif": gif()}


def image_part(data: bytes, **fields: Any) -> Part:
    """A part of bytes, as an input type sees it."""
    return Part(index=0, source=Source(data=data), **fields)
