"""Numbers and dates of a spreadsheet as people see them, by the format of their cell.

Dates come as ISO 8601, whatever the format's order is, because 03/04 means two days; numbers with as many decimals,
per cent signs, currencies and thousands as their format shows. Colours, conditions and padding change no number.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Literal

_QUOTED = re.compile(r'"([^"]*)"|\\(.)|_.|\*.')
_BRACKET = re.compile(r"\[([^\]]*)\]")
_CURRENCY = re.compile(r"\$([^-\]]*)")
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_DIGITS = re.compile(r"[#0?][#0?,. ]*(?:E[+-][#0?]+)?%*|%", re.IGNORECASE)
#: Formats that a file refers to by number alone. The others from 27 to 58 are dates of East Asia.
_BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    14: "yyyy-mm-dd",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm",
    19: "h:mm:ss",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm",
    37: "#,##0",
    38: "#,##0",
    39: "#,##0.00",
    40: "#,##0.00",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss",
    48: "0.0E+0",
    49: "@",
}
_EAST_ASIAN = frozenset({*range(27, 37), *range(50, 59)})
#: Characters of a code that count, and the first of those that stand for a literal while it is taken apart.
_CODE_LENGTH, _KEPT = 255, 0xE000
_LITERAL = re.compile("[\ue000-\ue0ff]")
_DAY = 86_400
_HOUR = 3_600
#: Day 60 of the system from 1900 is 29 February 1900, which never was.
_PHANTOM = 60
#: The last day that a spreadsheet knows: 31 December 9999.
_LAST_DAY = 2_958_465
#: Digits that a number has without being a product of binary fractions.
_PRECISION = 15
_MAX_DECIMALS = 30
#: Digits enough for the largest number there is, with all decimals.
_CONTEXT = Context(prec=400)

Show = Literal["general", "number", "date", "elapsed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """What a format code comes to.

    Args:
        show: What the number is.
        before, after: What stands around it.
        digits: Before the point, at least.
        decimals: After the point, at most; ``fixed`` of them also where they are zeros.
        thousands: Whether they are set off by commas.
        scale: What the number is multiplied by: 100 for per cent, 0.001 for "in thousands".
        scientific: Whether it has an exponent.
        day, time, seconds: What a date shows.
    """

    show: Show
    before: str = ""
    after: str = ""
    digits: int = 0
    decimals: int = 0
    fixed: int = 0
    thousands: bool = False
    scale: float = 1
    scientific: bool = False
    day: bool = False
    time: bool = False
    seconds: bool = False


def built_in(number: int) -> str:
    """The code of a format that is known by number."""
    return "yyyy-mm-dd" if number in _EAST_ASIAN else _BUILT_IN.get(number, "General")


@functools.lru_cache(maxsize=4_096)
def parse_format(code: str) -> NumberFormat:
    """What a format code says about positive numbers; negative ones get a minus sign."""
    literals: list[str] = []

    def keep(found: re.Match[str]) -> str:
        literals.append(found[1] or found[2] or "")
        return chr(_KEPT + len(literals) - 1)

    code = _QUOTED.sub(keep, code[:_CODE_LENGTH]).split(";")[0]
    if _ELAPSED.search(code):
        return NumberFormat(show="elapsed", seconds="s" in code.lower())
    code = _BRACKET.sub(_currency, code)
    plain = _LITERAL.sub("", code).lower()
    if plain.strip() in {"@", ""} or "general" in plain or "standard" in plain:
        return NumberFormat(show="general")
    if re.search("[ymdhs]", plain) and not re.search("[#0?]", re.sub(r"\.0+", "", plain)):
        return _date(plain)
    return _number(code, literals)


def _currency(found: re.Match[str]) -> str:
    named = _CURRENCY.match(found[1])
    return named[1] if named else ""


def _date(plain: str) -> NumberFormat:
    time = bool(re.search("[hs]", plain))
    day = bool(re.search("[yd]", plain)) or (not time and "m" in plain)
    return NumberFormat(show="date", day=day, time=time, seconds="s" in plain)


def _number(code: str, literals: list[str]) -> NumberFormat:
    digits = _DIGITS.search(code)
    if digits is None or "/" in code or re.search("[#0?]", code[digits.end() :]):
        return NumberFormat(show="general")  # fractions, and telephone numbers with other signs in between
    body = digits[0].rstrip("% ")
    before, after = (
        _LITERAL.sub(lambda found: literals[ord(found[0]) - _KEPT], side)
        for side in (code[: digits.start()], code[digits.start() + len(body) :])
    )
    core = body.rstrip(",")  # each comma behind the last digit divides by a thousand
    whole, _, fraction = core.partition(".")
    places = fraction[: len(fraction) - len(fraction.lstrip("#0?"))]
    percent = "%" in code
    return NumberFormat(
        show="number",
        before=before.replace("%", "").lstrip(),
        digits=whole.count("0"),
        after="%" * percent + after.replace("%", "").rstrip(),
        decimals=len(places),
        fixed=places.count("0"),
        thousands="," in whole,
        scale=100.0**percent / 1_000.0 ** (len(body) - len(core)),
        scientific="e" in body.lower(),
    )


def shown(value: str, code: str, *, since_1904: bool = False) -> str:
    """The words of a cell.

    Args:
        value: The number as the file has it.
        code: The format of the cell.
        since_1904: Whether days are counted from 1904, as on old Macs.
    """
    try:
        number = float(value)
    except ValueError:
        return value
    kind = parse_format(code)
    if number in {float("inf"), float("-inf")} or number != number:  # noqa: PLR0124 - not a number
        return value
    if kind.show == "date":
        return _moment(number, kind, since_1904=since_1904)
    if kind.show == "elapsed":
        return _elapsed(number, kind)
    return _general(value, number) if kind.show == "general" else _plain(number, kind)


def _general(value: str, number: float) -> str:
    """Without the last binary digits: 0.1 and 0.2 is 0.3."""
    if value.lstrip("-").isdigit():
        return value
    return f"{number:.0f}" if number.is_integer() and abs(number) < 10**_PRECISION else f"{number:.{_PRECISION}g}"


def _plain(number: float, kind: NumberFormat) -> str:
    number *= kind.scale
    decimals = min(kind.decimals, _MAX_DECIMALS)
    if kind.scientific:
        words = f"{abs(number):.{decimals}E}"
    else:
        # Rounded as a decimal, half up, as spreadsheets do: 1.005 is a little less than it says.
        exact = Decimal(f"{abs(number):.{_PRECISION}g}")
        exact = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _CONTEXT)
        whole, _, fraction = f"{exact:{',' if kind.thousands else ''}f}".partition(".")
        fraction = fraction[: kind.fixed] + fraction[kind.fixed :].rstrip("0")
        words = whole.zfill(min(kind.digits, _MAX_DECIMALS)) + (f".{fraction}" if fraction else "")
    minus = "-" if number < 0 and words.strip("0.,") else ""
    return f"{minus}{kind.before}{words}{kind.after}"


def _elapsed(number: float, kind: NumberFormat) -> str:
    seconds = round(abs(number) * _DAY)
    words = f"{seconds // _HOUR}:{seconds // 60 % 60:02}"
    return ("-" if number < 0 else "") + (f"{words}:{seconds % 60:02}" if kind.seconds else words)


def _moment(number: float, kind: NumberFormat, *, since_1904: bool) -> str:
    """A date, a time or both; a number that is none stays a number."""
    if not 0 <= number <= _LAST_DAY:
        return f"{number:.{_PRECISION}g}"
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30 if number >= _PHANTOM else 31)  # noqa: DTZ001 - cells know no zone
    moment = start + timedelta(days=int(number), seconds=round(number % 1 * _DAY))
    time = f"{moment:%H:%M:%S}" if kind.seconds else f"{moment:%H:%M}"
    day = f"{moment:%Y-%m-%d}"
    if not kind.time:
        return day
    return f"{day} {time}" if kind.day else time
