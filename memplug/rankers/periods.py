"""The times that a text names. English words, and dates as ISO 8601 writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from memplug.lexical import analyze

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
#: These are verbs too, so a month is meant only with a word or number beside it that says so.
_VERBS = {"march", "may"}
_LEAD = r"(?:in|of|on|since|until|till|during|early|late|mid|last|next|this|by|before|after|\d{1,2}(?:st|nd|rd|th)?)"
_MONTH = re.compile(
    rf"(?P<lead>\b{_LEAD}[\s-]+)?\b(?P<month>{'|'.join(_MONTHS)})\b(?P<day>[\s,]+\d{{1,2}}(?:st|nd|rd|th)?\b)?"
    r"(?:[\s,]+(?:of\s+)?(?P<year>(?:19|20)\d\d)\b)?",
    re.IGNORECASE,
)
_ISO = re.compile(r"\b(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?:-(?P<day>0[1-9]|[12]\d|3[01]))?\b")
_YEAR = re.compile(r"(?<![\w./-])(?:19|20)\d\d(?![\w/-]|\.\d)")
_YEAR_TERM = re.compile(r"(?<!\S)(?:19|20)\d\d(?!\S)")
_RELATIVE = re.compile(r"\b(today|yesterday|(?:this|last) (?:week|month|year))\b", re.IGNORECASE)
_WHEN = re.compile(
    r"\b(when|how long|how many (?:days|weeks|months|years)|(?:what|which) (?:year|month|week|day|date|time))\b",
    re.IGNORECASE,
)
_TELLING = """
yesterday today tomorrow tonight ago last next week weekend month year day morning evening afternoon night recently
soon since monday tuesday wednesday thursday friday saturday sunday spring summer autumn fall winter
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A day, month or year, as far as it is known: ``Period(month=7)`` is any July."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    def nearness(self, moment: datetime) -> float:
        """How well a moment fits, 0 to 1: whole months fit a day by half, since one tells of a day later on."""
        if self.year not in {None, moment.year} or self.month not in {None, moment.month}:
            return 0.0
        return 1.0 if self.month is not None and self.day in {None, moment.day} else 0.5


def periods(text: str, now: datetime) -> list[Period]:
    """The times that a text names.

    Args:
        text: A question.
        now: What ``yesterday`` is counted from.
    """
    named = [*_iso(text), *_months(text)]
    if not named:
        named = [Period(year=int(found[0])) for found in _YEAR.finditer(text)]
    return named + [period for found in _RELATIVE.finditer(text) for period in _relative(found[0].lower(), now)]


def asks_when(text: str) -> bool:
    """Whether a question asks for a time."""
    return _WHEN.search(text) is not None


def names_time(terms: str) -> bool:
    """Whether the analysed terms of a memory tell a time."""
    return not _time_terms().isdisjoint(terms.split()) or _YEAR_TERM.search(terms) is not None


@cache
def _time_terms() -> frozenset[str]:
    return frozenset(analyze(" ".join((_TELLING, *_MONTHS))))


def _iso(text: str) -> Iterator[Period]:
    for found in _ISO.finditer(text):
        day = found["day"]
        yield Period(year=int(found["year"]), month=int(found["month"]), day=int(day) if day else None)


def _months(text: str) -> Iterator[Period]:
    for found in _MONTH.finditer(text):
        name, lead, day, year = (found[part] for part in ("month", "lead", "day", "year"))
        if name.lower() in _VERBS and not (lead or day or year):
            continue
        number = re.search(r"\d+", f"{lead or ''} {day or ''}")
        yield Period(
            year=int(year) if year else None,
            month=_MONTHS.index(name.lower()) + 1,
            day=int(number[0]) if number else None,
        )


def _relative(words: str, now: datetime) -> list[Period]:
    match words.split():
        case ["today"]:
            return [_day(now)]
        case ["yesterday"]:
            return [_day(now - timedelta(days=1))]
        case [which, "week"]:
            monday = now - timedelta(days=now.weekday() + (7 if which == "last" else 0))
            return [_day(monday + timedelta(days=step)) for step in range(7)]
        case [which, "month"]:
            moment = now.replace(day=1) - timedelta(days=1) if which == "last" else now
            return [Period(year=moment.year, month=moment.month)]
        case [which, _]:
            return [Period(year=now.year - (which == "last"))]
    return []


def _day(moment: datetime) -> Period:
    return Period(year=moment.year, month=moment.month, day=moment.day)
