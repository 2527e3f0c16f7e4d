"""Bytes into text, whatever encoding they are in."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

#: The longer ones first: UTF-16's begins UTF-32's.
_BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Bytes that no text has: C0 controls without tab, line ends, form feed, and the ESC of terminals; and DEL.
_CONTROLS = bytes({*range(0x20), 0x7F} - {0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1B})
#: A text may hold a few all the same: a NUL in a log that was cut off by a crash.
_CONTROLS_SHARE, _CONTROLS_FREE = 0.02, 2
#: Characters of a Latin script in UTF-16 have a zero for one of their two bytes.
_ZEROS_SHARE = 0.3
_MIN_UTF16 = 4
#: Bytes that are no ASCII, and how many of them are enough to detect an encoding by.
_FOREIGN, _ENOUGH = bytes(range(0x80, 0x100)), 50
#: What is looked at to detect an encoding.
_SAMPLE = 1_000_000
#: A file in UTF-8 into which other bytes were pasted has this many good characters for each bad byte.
_GOOD_PER_BAD = 4
_STRAY = re.compile("[\udc80-\udcff]")
#: Codecs that a document may name; others of Python's are no encodings of files, or cost more than they are worth.
_NAMED = re.compile(
    r"utf_8|utf_16.*|ascii|latin_1|iso8859_\d+|cp\d+|gb.*|big5.*|shift_jis.*|euc_.*|koi8_.*|mac_.*|iso2022_.*|hz|johab|tis_620"
)
#: What browsers read for a name, because pages that say the one are written in the other.
_MEANT = {
    **dict.fromkeys(("ascii", "latin_1", "iso8859_1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859_9": "cp1254",
}
#: Encodings that files are really in. Of all that Python knows, a short text fits one or another by chance.
_CANDIDATES = (
    *("gb18030", "big5", "cp932", "euc_jp", "cp949", "koi8_r", "cp866", "iso8859_5", "iso8859_2"),
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"),
)
#: Those that have most letters where Windows-1252 has them, and the characters of Western texts in that one.
_LIKE_WESTERN = frozenset({"cp1250", "cp1254", "cp1257", "iso8859_2"})
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜàáâãäåæçèéêëìíîïñòóôõöøùúûüßŒœŸÿ"
    "\u20ac\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u2026\u2022\u00a0«»¡¿§°£©®\u00b4\u00b7\u00bd\u00aa\u00ba"
)
#: Where the escape sequences of ISO-2022-JP begin; all its bytes are ASCII.
_ISO_2022_JP = (b"\x1b$B", b"\x1b$@", b"\x1b(J")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A text.

    Args:
        text: It, without byte order mark, with line feeds for line ends.
        encoding: What the bytes were in.
        warning: What had to be guessed or mended; empty where nothing had.
    """

    text: str
    encoding: str
    warning: str = ""


def is_text(head: bytes) -> bool:
    """Whether bytes look like text in some encoding."""
    if any(head.startswith(bom) for bom, _ in _BOMS) or _utf16(head):
        return True
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls <= max(_CONTROLS_FREE, _CONTROLS_SHARE * len(head))


def peek(head: bytes) -> str:
    """The first bytes of a text so that its ASCII can be read, which is what markup is written in."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, "ignore")
    return head.decode(_utf16(head) or "latin-1", "ignore")


def decode(data: bytes, *, named: str | None = None) -> Decoded:
    """The text in some bytes: by byte order mark, as UTF-8, as the document itself says, or as detected.

    Args:
        data: The bytes.
        named: The encoding that the document names, where its format has a place for that.
    """
    found = _decoded(data, named)
    text = found.text.replace("\r\n", "\n").replace("\r", "\n")
    return Decoded(text=text, encoding=found.encoding, warning=found.warning)


def _decoded(data: bytes, named: str | None) -> Decoded:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _mended(data[len(bom) :], encoding)
    if wide := _utf16(data[:_SAMPLE]):
        return _mended(data, wide)
    if any(mark in data[:_SAMPLE] for mark in _ISO_2022_JP) and (text := _strict(data, "iso2022_jp")) is not None:
        return Decoded(text=text, encoding="iso2022_jp")
    if (text := _strict(data, "utf-8")) is not None:
        return Decoded(text=text, encoding="utf-8")
    codec = _codec(named)
    if codec and (text := _strict(data, codec)) is not None:
        return Decoded(text=text, encoding=codec)
    return _mostly_utf8(data) or _detected(data)


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _mended(data: bytes, encoding: str) -> Decoded:
    text = _strict(data, encoding)
    if text is not None:
        return Decoded(text=text, encoding=encoding)
    warning = f"some bytes are no {encoding.upper()} and were left out"
    return Decoded(text=data.decode(encoding, "ignore"), encoding=encoding, warning=warning)


def _utf16(head: bytes) -> str | None:
    """UTF-16 without a mark, by where its zeros are; None where it is something else."""
    pairs = len(head) // 2
    if len(head) < _MIN_UTF16 or b"\0" not in head:
        return None
    first, second = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    for zeros, others, encoding in ((second, first, "utf-16-le"), (first, second, "utf-16-be")):
        if zeros >= _ZEROS_SHARE * pairs and others <= pairs // 100:
            return encoding if _plausible(head[: 2 * pairs], encoding) else None
    return None


def _plausible(head: bytes, encoding: str) -> bool:
    """Whether it makes sense as UTF-16: tables of small numbers have the same zeros."""
    text = head.decode(encoding, "ignore")
    odd = sum(not (one.isprintable() or one.isspace()) for one in text)
    return odd <= len(text) // 100


def _codec(named: str | None) -> str | None:
    """Python's name of an encoding that a document names; None where it is not one of files."""
    if not named or not named.isascii() or "\0" in named:
        return None
    try:
        found = codecs.lookup(named.strip()).name.replace("-", "_")
    except LookupError:
        return None
    return _MEANT.get(found, found) if _NAMED.fullmatch(found) else None


def _mostly_utf8(data: bytes) -> Decoded | None:
    """UTF-8 with a few bytes of something else, which are read as Windows writes them in the West."""
    text = data.decode("utf-8", "surrogateescape")
    bad = len(_STRAY.findall(text))
    plain = len(text.encode("ascii", "ignore"))
    if bad * _GOOD_PER_BAD > len(text) - plain - bad:
        return None
    mended = _STRAY.sub(lambda found: bytes([ord(found[0]) - 0xDC00]).decode("cp1252", "replace"), text)
    return Decoded(text=mended, encoding="utf-8", warning=f"{bad:,} bytes are no UTF-8; they were read as Windows-1252")


def _detected(data: bytes) -> Decoded:
    """By what the bytes are like in each encoding, of which the best that the whole file keeps to is taken."""
    from charset_normalizer import from_bytes

    sample = data[:_SAMPLE]
    for candidates in (list(_CANDIDATES), None):
        for match in from_bytes(sample, cp_isolation=candidates):
            encoding = "cp1252" if match.encoding in _LIKE_WESTERN and _is_western(sample) else match.encoding
            text = _strict(data, encoding)
            if text is not None:
                return Decoded(text=text, encoding=encoding, warning=_guessed(data, encoding))
    warning = "the encoding is not known; it was read as Windows-1252"
    return Decoded(text=data.decode("cp1252", "replace"), encoding="cp1252", warning=warning)


def _guessed(data: bytes, encoding: str) -> str:
    """What to say where an encoding fits by chance: of 14 short texts in KOI8-R only 3 were known for what they are."""
    if len(data) - len(data.translate(None, _FOREIGN)) >= _ENOUGH:
        return ""
    return f"the encoding is a guess, the text being short; it was read as {encoding.replace('_', '-').upper()}"


def _is_western(sample: bytes) -> bool:
    """Whether it reads as French, German or Spanish; the letters of Polish and Turkish read as signs then."""
    text = _strict(sample, "cp1252")
    return text is not None and all(one in _WESTERN for one in text if not one.isascii())
