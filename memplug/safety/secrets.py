"""Finds keys, tokens and passwords in a text, so that they can be left out of whatever leaves the machine.

What is found is what has a format, or stands behind a name such as ``api_key=``. A password in a sentence without the
word, a secret in a picture, or one that was taken apart is not.

Every pattern takes time in proportion to the text: repetitions are bounded or possessive, and begin at a fixed word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memplug.safety.secret_formats import formats, kind_of_member

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.safety.secret_formats import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Where a secret stands in a text.

    Args:
        kind: What it is: ``aws-key``, ``password`` …
        start, end: Its first character, and the one behind its last.
    """

    kind: str
    start: int
    end: int


def redacted(text: str) -> str:
    """The text with ``[secret:kind]`` in the place of each secret."""
    found = find_secrets(text)
    if not found:
        return text
    parts, place = [], 0
    for secret in found:
        parts += [text[place : secret.start], f"[secret:{secret.kind}]"]
        place = secret.end
    return "".join([*parts, text[place:]])


def redacted_json(value: Any) -> Any:
    """A JSON value with the secrets in all its texts redacted, names of members included."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {redacted(str(name)): _member(str(name), inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [redacted_json(inner) for inner in value]
    return value


def find_secrets(text: str) -> list[Secret]:
    """The secrets of a text in their order; those that overlap are one, of the kind that begins first."""
    low = text.lower()
    found = [*_private_keys(text)] if "private key" in low else []
    for format_ in formats():
        if not format_.hints or any(hint in low for hint in format_.hints):
            found += _matches(format_, text)
    found += _cards(text)
    return _apart(sorted(found, key=lambda one: (one.start, -one.end)))


def _member(name: str, inner: Any) -> Any:
    if isinstance(inner, str) and (kind := kind_of_member(name, inner)) is not None:
        return f"[secret:{kind}]"
    return redacted_json(inner)


def _matches(format_: Format, text: str) -> Iterator[Secret]:
    for match in format_.pattern.finditer(text):
        group = "secret" if "secret" in format_.pattern.groupindex else 0
        said = match[group]
        if format_.check is None or format_.check(said):
            yield Secret(kind=format_.kind, start=match.start(group), end=match.end(group))


def _apart(found: Sequence[Secret]) -> list[Secret]:
    kept: list[Secret] = []
    for one in found:
        if kept and one.start < kept[-1].end:
            last = kept.pop()
            one = Secret(kind=last.kind, start=last.start, end=max(last.end, one.end))  # noqa: PLW2901 - both as one
        kept.append(one)
    return kept


# -- PEM ----------------------------------------------------------------------------------------------------

_MARK = re.compile(r"-----(?P<side>BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
#: The body of a key whose end is missing, as where a document was cut into passages; lines may be JSON's ``\n``.
_BODY = re.compile(
    r"(?:\s{0,4}(?:Proc-Type|DEK-Info|Version|Comment):[^\n]{0,200})*+(?:(?:\s|\\[nr]){0,4}[A-Za-z0-9+/=]{16,}+)*+"
)
#: Lines of a body; the last one can be short.
_LINE, _LAST = re.compile(r"[A-Za-z0-9+/=]{16,76}"), re.compile(r"[A-Za-z0-9+/=]{1,76}")


def _private_keys(text: str) -> Iterator[Secret]:
    """Keys with both marks, and what stands on the inner side of a mark that is alone."""
    begun: re.Match[str] | None = None
    after = 0
    for mark in _MARK.finditer(text):
        if mark["side"] == "BEGIN":
            if begun:
                yield _headless(text, begun)
            begun = mark
        else:
            start = begun.start() if begun else _tail(text, after, mark.start())
            yield Secret(kind="private-key", start=start, end=mark.end())
            begun = None
        after = mark.end()
    if begun:
        yield _headless(text, begun)


def _headless(text: str, begun: re.Match[str]) -> Secret:
    body = _BODY.match(text, begun.end())
    return Secret(kind="private-key", start=begun.start(), end=body.end() if body else begun.end())


def _tail(text: str, after: int, end: int) -> int:
    """Where the lines of a key begin that end before ``end``."""
    start, form = end, _LAST
    for line in reversed(text[after:end].splitlines(keepends=True)):
        if not form.fullmatch(line.strip()):
            break
        start -= len(line)
        form = _LINE
    return start


# -- cards --------------------------------------------------------------------------------------------------

#: Card numbers as people and forms write them: in one piece, in fours, or as American Express and Diners do. The
#: look-ahead lets numbers overlap, since a year may stand before one.
_CARD = re.compile(
    r"(?<![\d.])(?=(?P<secret>(?:[2-6]\d{12,18}|\d{4}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{4}(?:(?P=gap)\d{3})?"
    r"|3\d{3}[ -]\d{6}[ -]\d{4,5}))(?!\d))"
)
#: Beginnings and lengths of the numbers that are given out (ISO/IEC 7812).
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|62\d{14,17}"
)


def _cards(text: str) -> Iterator[Secret]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match["secret"])
        if _ISSUED.fullmatch(digits) and _luhn(digits):
            yield Secret(kind="card", start=match.start("secret"), end=match.end("secret"))


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    total = sum(map(int, digits[-1::-2])) + sum(number - 9 if number > 9 else number for number in doubled)  # noqa: PLR2004 - Luhn's
    return total % 10 == 0
