"""What the machine says and shows: few things, so that they meet again, each with a marker that can be searched for."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from memplug import Limits
from memplug.safety.image import inspect_image

USERS = ("ann", "x' OR user_id = 'ann", "王")
RUNS = (None, "monday", "tuesday")
KEYS = ("shoes", "it's")

TEXTS = (
    "likes tea zqmarker00",
    "likes coffee zqmarker01",
    "ann's shoe size is 38 zqmarker02",
    "火锅 and dumplings zqmarker03",
    "a receipt of 12.50 zqmarker04",
    "back\\slash and 'quotes' zqmarker05",
    "Bye! zqmarker06",
)
#: Words that only updates bring.
CORRECTIONS = ("likes cocoa now zqmarker20", "moved to Graz zqmarker21", TEXTS[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One part of an `add`: a text, or a picture with the words that describe it.

    Args:
        text: The words.
        picture: Index in `PICTURES`, or None.
    """

    text: str = ""
    picture: int | None = None

    @property
    def kind(self) -> str:
        """The memory's kind."""
        return "text" if self.picture is None else "image"

    @property
    def digest(self) -> str | None:
        """Digest of the original."""
        return None if self.picture is None else digest_of(PICTURES[self.picture])

    @property
    def media(self) -> frozenset[str]:
        """Digests of original and thumbnail."""
        return frozenset() if self.picture is None else _MEDIA[self.picture]

    @property
    def raw(self) -> str | bytes:
        """What is handed to `add`."""
        return self.text if self.picture is None else PICTURES[self.picture]

    @property
    def markers(self) -> tuple[str, ...]:
        """What must be in no file once every memory with it is erased."""
        words = tuple(word for word in self.text.split() if word.startswith("zqmarker"))
        return words if self.picture is None else (*words, f"zqpicture{self.picture}")


def digest_of(data: bytes) -> str:
    """The name of an original."""
    return hashlib.sha256(data).hexdigest()


def _picture(number: int, color: str) -> bytes:
    buffer = io.BytesIO()
    info = PngInfo()
    info.add_text("Comment", f"zqpicture{number}")
    Image.new("RGB", (24, 24), color).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


#: The first two look alike, so they share a thumbnail.
PICTURES = tuple(_picture(number, color) for number, color in enumerate(("red", "red", "blue")))
_MEDIA = tuple(frozenset((digest_of(data), digest_of(inspect_image(data, Limits()).thumbnail))) for data in PICTURES)
