"""What bytes are, by how they begin. A name or declared type is a hint; this and the decoder decide."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: How many bytes from the start `sniff` looks at.
HEAD = 1_024

#: The image types that memplug takes, by MIME type, with Pillow's name for each.
IMAGE_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A file type.

    Args:
        name: For people.
        content_type: MIME type.
    """

    name: str
    content_type: str


_JPEG = Kind(name="JPEG", content_type="image/jpeg")
_WEBP = Kind(name="WebP", content_type="image/webp")
_HEIC = Kind(name="HEIC", content_type="image/heic")
_AVIF = Kind(name="AVIF", content_type="image/avif")
_MP4 = Kind(name="MP4 video", content_type="video/mp4")
_SVG = Kind(name="SVG", content_type="image/svg+xml")
_HTML = Kind(name="HTML", content_type="text/html")
_WAV = Kind(name="WAV audio", content_type="audio/wav")

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", Kind(name="PNG", content_type="image/png")),
    (b"\xff\xd8\xff", _JPEG),
    (b"GIF87a", Kind(name="GIF", content_type="image/gif")),
    (b"GIF89a", Kind(name="GIF", content_type="image/gif")),
    (b"%PDF-", Kind(name="PDF", content_type="application/pdf")),
    (b"PK\x03\x04", Kind(name="ZIP", content_type="application/zip")),
    (b"II*\x00", Kind(name="TIFF", content_type="image/tiff")),
    (b"MM\x00*", Kind(name="TIFF", content_type="image/tiff")),
    (b"\x00\x00\x01\x00", Kind(name="ICO", content_type="image/vnd.microsoft.icon")),
    (b"8BPS", Kind(name="PSD", content_type="image/vnd.adobe.photoshop")),
    (b"\xff\x0a", Kind(name="JPEG XL", content_type="image/jxl")),
    (b"\x00\x00\x00\x0cJXL ", Kind(name="JPEG XL", content_type="image/jxl")),
    (b"\x00\x00\x00\x0cjP  ", Kind(name="JPEG 2000", content_type="image/jp2")),
    (b"\x1f\x8b", Kind(name="gzip", content_type="application/gzip")),
    (b"ID3", Kind(name="MP3 audio", content_type="audio/mpeg")),
    (b"OggS", Kind(name="Ogg", content_type="application/ogg")),
)
#: ISO base media files say what they are in the brand behind "ftyp".
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), _HEIC),
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
}
_BMP = Kind(name="BMP", content_type="image/bmp")
# The loop is possessive, because a head full of comments has exponentially many ways not to match.
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:(?:<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE\s+svg[^>]*>)\s*)*+<(svg|!doctype html|html)\b",
    re.IGNORECASE | re.DOTALL,
)

_BY_SUFFIX = {
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), "image/jpeg"),
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    **dict.fromkeys(("heic", "heif"), "image/heic"),
    "avif": "image/avif",
    **dict.fromkeys(("tif", "tiff"), "image/tiff"),
    "bmp": "image/bmp",
    "svg": "image/svg+xml",
    "ico": "image/vnd.microsoft.icon",
}
_SAME = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
#: No broken picture begins like these, so that no claim makes them one.
_UNMISTAKABLE = frozenset({"application/pdf", "application/zip"})
#: What servers and browsers say when they do not know.
_NO_CLAIM = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/x-unknown", "image/*", "*/*"}
)


def sniff(data: bytes) -> Kind | None:
    """The type that the bytes begin like; None where they begin like nothing well known."""
    head = data[:HEAD]
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return _container(head) or _bitmap(head) or _markup(head)


def _container(head: bytes) -> Kind | None:
    if head[:4] == b"RIFF":
        return {b"WEBP": _WEBP, b"WAVE": _WAV}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], _MP4)
    return None


def _bitmap(head: bytes) -> Kind | None:
    """BMP: two letters alone are too little, since "BM" begins many a text; its reserved bytes are zero."""
    return _BMP if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" else None


def _markup(head: bytes) -> Kind | None:
    found = _MARKUP.match(head)
    if not found:
        return None
    return _SVG if found[1].lower() == b"svg" else _HTML


def seems_image(data: bytes, claimed: str | None) -> bool:
    """Whether bytes are to be judged as a picture: they begin like one, or are said to be one and may be a broken one.

    Args:
        data: The bytes, or their first `HEAD`.
        claimed: What `declared` gives for them.
    """
    kind = sniff(data)
    found = kind.content_type if kind is not None else ""
    if found.startswith("image/") or found in _UNMISTAKABLE:
        return found.startswith("image/")
    return (claimed or "").startswith("image/")


def declared(media_type: str | None, name: str = "") -> str | None:
    """The MIME type that a caller or a file name claims, in its usual spelling; None where there is no claim."""
    claimed = (media_type or "").partition(";")[0].strip().lower()
    if claimed in _NO_CLAIM:
        return _BY_SUFFIX.get(name.rpartition(".")[2].lower()) if "." in name else None
    return _SAME.get(claimed, claimed)
