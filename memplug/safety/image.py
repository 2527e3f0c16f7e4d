"""Pictures: only the four types that memplug takes, checked before they are decoded, decoded with care."""

from __future__ import annotations

import base64
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from memplug.exceptions import InputTooLarge, InvalidImageError, MemplugError, UnsafeInput
from memplug.safety.exif import Shot, read_shot
from memplug.safety.media_type import IMAGE_TYPES, sniff
from memplug.safety.phash import perceptual_hash
from memplug.safety.quiet import quiet
from memplug.safety.sizes import check_image_size
from memplug.safety.worker import Pool
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.values.limits import Limits

#: A progressive JPEG is decoded once over for each of its scans; real ones have about ten, and 10 MB hold 80,000.
MAX_JPEG_SCANS = 200
_SCAN_START = b"\xff\xda"

#: A picture of up to so many pixels is decoded in this process: whatever is in it, that takes some milliseconds and
#: megabytes, and a process of its own would first have to be started.
HERE = 1_000_000
#: The types whose headers Pillow reads itself, in Python.
_SIMPLE = frozenset({"image/png", "image/jpeg", "image/gif"})
#: What reads the others, in a process of its own, and the bytes that its answer may have.
_READER, _ANSWER = "memplug.safety.image_reader", 1 * MIB
pool = Pool(frozenset({_READER}), max_files=1_000, harmless=frozenset({InvalidImageError.code}), what="image")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Orientations that exchange width and height.
_SIDEWAYS = frozenset({5, 6, 7, 8})
#: Where Pillow finds an orientation again after the picture was turned.
_ORIENTED_BY = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")

_PNG_MODES = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})
_TO_PNG_MODE = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What was found out about a picture.

    Args:
        content_type: What decodes.
        width, height: Pixels, upright.
        thumbnail: WebP, upright, free of metadata.
        phash: See `memplug.safety.phash`.
        taken_at: When, as ISO 8601, where the camera wrote it.
        location: ``latitude`` and ``longitude`` in degrees, only where asked for.
    """

    content_type: str
    width: int
    height: int
    thumbnail: bytes
    phash: str
    taken_at: str | None = None
    location: dict[str, float] | None = None


def inspect_image(data: bytes, limits: Limits, *, keep_location: bool = False) -> ImageInfo:
    """Decodes the (first) picture once, small, and says what it is.

    A picture over the limit on pixels is refused by its header; a JPEG is decoded at the fraction of its size that
    the thumbnail needs. Later frames of an animation are never decoded. What is large, or a WebP, whose decoder sees
    all of the file before anybody can check it, is read in a process that may be killed: libraries that decode have
    faults, and a picture can be made to find them.

    Raises:
        FileSizeError: More than ``limits.image_bytes``; checked before anything else.
        InvalidImageError: Not a PNG, JPEG, WebP or GIF, or damaged.
        InputTooLarge: More than ``limits.image_pixels``, or reading it took more time or memory than it may.
        UnsafeInput: Made to keep the decoder busy, or it ended the process that read it.
        ConfigError: That process cannot be started.
    """
    check_image_size(len(data), limits)
    if _is_simple(data, image_type(data), limits):
        return examine(data, limits, keep_location=keep_location)
    found = pool.run(_READER, data, limits=limits, options={"keep_location": keep_location}, cap=_ANSWER)
    return ImageInfo(**found | {"thumbnail": base64.b64decode(found["thumbnail"])})


def examine(data: bytes, limits: Limits, *, keep_location: bool) -> ImageInfo:
    """The same in this very process.

    Raises:
        InvalidImageError, InputTooLarge, UnsafeInput: See `inspect_image`.
    """
    content_type = image_type(data)
    with _decoded():
        image = _opened(data, content_type, limits)
        width, height = image.size
        small = _shrunk(image, limits.thumbnail_side)
        # Asked for after decoding, because a PNG may carry its EXIF block behind the picture.
        shot = read_shot(image, keep_location=keep_location)
        small = _turned(small, shot)
        if shot.orientation in _SIDEWAYS:
            width, height = height, width
        return ImageInfo(
            content_type=content_type,
            width=width,
            height=height,
            thumbnail=_webp(small),
            phash=perceptual_hash(small),
            taken_at=shot.taken_at,
            location=shot.location,
        )


def _is_simple(data: bytes, content_type: str, limits: Limits) -> bool:
    """Whether a picture can be decoded here: its header is read without native code, and it has few pixels.

    Raises:
        InvalidImageError, InputTooLarge, UnsafeInput: The header says so.
    """
    if content_type not in _SIMPLE:
        return False
    with _decoded():
        width, height = _opened(data, content_type, limits).size
    return width * height <= HERE


def open_image(data: bytes) -> Image.Image:
    """The (first) picture, decoded and upright, with no orientation left for anybody to apply again.

    Raises:
        InvalidImageError: Not a PNG, JPEG, WebP or GIF, or damaged.
        InputTooLarge: More pixels than Pillow's own guard admits.
        UnsafeInput: Made to keep the decoder busy.
    """
    content_type = image_type(data)
    with _decoded():
        image = _opened(data, content_type, None)
        image.load()
        return _turned(image, read_shot(image, keep_location=False))


def small_image(data: bytes, side: int) -> Image.Image:
    """The (first) picture, upright, with no side over ``side`` pixels; decoded no larger than that needs.

    Raises:
        InvalidImageError: Not a PNG, JPEG, WebP or GIF, or damaged.
        InputTooLarge: More pixels than Pillow's own guard admits.
        UnsafeInput: Made to keep the decoder busy.
    """
    content_type = image_type(data)
    with _decoded():
        image = _opened(data, content_type, None)
        small = _shrunk(image, side)
        return _turned(small, read_shot(image, keep_location=False))


def encode_png(image: Image.Image, limits: Limits) -> bytes:
    """A PIL image (its current frame) as an upright PNG without metadata.

    No pixel is changed, except that modes which PNG does not have (CMYK, YCbCr, HSV, LAB) become RGB.

    Raises:
        InvalidImageError: It cannot be read, or its mode has no PNG form (floating point).
        InputTooLarge: More than ``limits.image_pixels``.
    """
    _check_pixels(image.size, limits)
    with _decoded():
        upright = ImageOps.exif_transpose(image)
        if upright.mode not in _PNG_MODES:
            if upright.mode not in _TO_PNG_MODE:
                raise InvalidImageError(f"a picture of mode {upright.mode} has no PNG form", hint="convert it to RGB")
            upright = upright.convert(_TO_PNG_MODE[upright.mode])
        out = io.BytesIO()
        upright.save(out, "PNG")
        return out.getvalue()


def image_type(data: bytes) -> str:
    """The MIME type of one of the four image types.

    Raises:
        InvalidImageError: It is something else; a note on the error says what it looks like.
    """
    kind = sniff(data)
    if kind is not None and kind.content_type in IMAGE_TYPES:
        return kind.content_type
    file = kind is not None and not kind.content_type.startswith("image/")
    hint = f"said to be an image, its bytes look like {kind.name}; hand it in as a file" if kind and file else None
    error = InvalidImageError("Unsupported format. Allowed: PNG, JPEG, WebP, GIF", hint=hint)
    known = f"the bytes look like {kind.name}" if kind else "the bytes are of no known type"
    error.add_note(known if data else "there are no bytes")
    raise error


@contextmanager
def _decoded() -> Iterator[None]:
    """Turns whatever Pillow raises into one of our errors.

    Restricted to the four types, it still raised UnidentifiedImageError, OSError, DecompressionBombError,
    ValueError, SyntaxError, struct.error and others on its own test pictures, hence the width of the last clause.
    """
    try:
        yield
    except MemplugError:
        raise
    except Image.DecompressionBombError as error:
        raise InputTooLarge("the image has too many pixels: more than any limit allows") from error
    except MemoryError as error:
        raise InputTooLarge("there is not enough memory to decode the image") from error
    except Exception as error:
        raise InvalidImageError(f"the image is damaged: {error}") from error


def _opened(data: bytes, content_type: str, limits: Limits | None) -> Image.Image:
    """The picture with its header read and checked, nothing decoded yet."""
    if content_type == "image/jpeg" and data.count(_SCAN_START) > MAX_JPEG_SCANS:
        raise UnsafeInput(f"the JPEG has more than {MAX_JPEG_SCANS} scans, which only serves to keep decoders busy")
    # Pillow's JPEG opener also gives MPO (several pictures of one shot); its first picture is a plain JPEG.
    with quiet():
        image = Image.open(io.BytesIO(data), formats=(IMAGE_TYPES[content_type],))
    if limits is not None:
        _check_pixels(image.size, limits)
    return image


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width * height > limits.image_pixels:
        raise InputTooLarge(
            f"the image has {width} x {height} = {width * height:,} pixels; at most {limits.image_pixels:,} are taken"
        )


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    """Decodes the picture and makes a copy of at most ``side`` pixels in width and height.

    Shrinks before it converts: 40 million pixels are 40 MB as a palette and 160 MB as RGBA.
    """
    image.draft(None, (2 * side, 2 * side))
    image.load()
    if image.mode == "P":
        # Colour numbers cannot be blended, so they are thinned out first and turned into colours then.
        image.thumbnail((4 * side, 4 * side), Image.Resampling.NEAREST, reducing_gap=None)
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    else:
        small = image.convert("L") if image.mode == "1" else image
    if small.mode == "I;16":
        # Pillow has no reduce() for 16 bits, and its way to colours clips them, so that everything comes out white.
        small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
        return Image.frombytes("L", small.size, small.tobytes()[1::2])
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return small


def _turned(image: Image.Image, shot: Shot) -> Image.Image:
    if shot.orientation not in _UPRIGHT:
        return image
    upright = image.transpose(_UPRIGHT[shot.orientation])
    for name in _ORIENTED_BY:
        upright.info.pop(name, None)
    return upright


def _webp(small: Image.Image) -> bytes:
    out = io.BytesIO()
    # The WebP writer takes along EXIF, XMP and colour profile only where they are passed to it; a test holds that.
    small.convert("RGBA" if small.has_transparency_data else "RGB").save(out, "WEBP", quality=80, method=2)
    return out.getvalue()
