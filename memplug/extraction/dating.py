"""Dates as models write them, and facts that say theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_DATE = re.compile(
    r"\s*(?P<year>\d{4})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2})(?:[T ](?P<hour>\d{1,2}):(?P<minute>\d{2}).*)?)?)?\s*"
)
#: Words that mean another day on each day. Where a text has one, it says from when it counts.
_RELATIVE = re.compile(
    r"\b(?:yesterday|today|tomorrow|tonight|(?:last|next|this|past|coming) (?:night|week|weekend|month|year|spring"
    r"|summer|autumn|fall|winter|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
    r"|\w+ (?:day|week|month|year)s? (?:ago|from now)"
    r"|gestern|heute|morgen|demain|aujourd'hui|ayer|hoy|mañana|ieri|domani)\b"
    r"|昨天|今天|明天|前天|后天|上周|下周|上个月|下个月|去年|今年|明年|昨日|今日|明日|先週|来週",
    re.IGNORECASE,
)
#: Words by which a year far away is told without naming it.
_FAR = re.compile(
    r"\b(?:years?|yrs?|decades?|centur\w*|months?|ago|old|aged?|born|birth\w*|child\w*|kid|teen\w*|grew|school|college"
    r"|university|jahr\w*|monate?n?|alt|geboren|kindheit|ans?|années?|mois|años?|meses|anni|mesi|лет|года?)\b|[年岁歳月]",
    re.IGNORECASE,
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: Numbers of a date that has a month, and of one that has a day, too.
_WITH_MONTH, _WITH_DAY = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A date, as exactly as it is known.

    Args:
        moment: Its first moment, UTC.
        words: It as ISO 8601, without what is not known: ``2026-11-20``, ``2026-11``, ``2026``.
    """

    moment: datetime
    words: str

    def taken_from(self, text: str) -> str:
        """The text without the words that tell this date: "on 1 May 2026", "2026-05-01", "Friday", "2026年5月1日"."""
        return self._pattern().sub(" ", text)

    def _pattern(self) -> re.Pattern[str]:
        year, number, day = self.moment.year, self.moment.month, self.moment.day
        known = len(re.findall(r"\d+", self.words))
        forms = [re.escape(self.words), rf"{year}年(?:0?{number}月(?:0?{day}日)?)?", rf"{year}"]
        if known >= _WITH_MONTH:
            name = _MONTHS[number - 1]
            month = rf"(?:{name}|{name[:3]}\.?)"
            forms = [rf"{year}-0?{number}\b", rf"{month},?\s+{year}", month, *forms]
            if known >= _WITH_DAY:
                nth = rf"0?{day}(?:st|nd|rd|th)?"
                end = rf"(?:,?\s+{year})?"
                forms = [
                    rf"{year}-0?{number}-0?{day}(?:T\d\d:\d\d)?",
                    rf"{nth}\.?\s+(?:of\s+)?{month}{end}",
                    rf"{month}\s+{nth}{end}",
                    rf"{_DAYS[self.moment.weekday()]}",
                    *forms,
                ]
        return re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(forms)})(?![0-9A-Za-z])", re.IGNORECASE)

    def told_by(self, text: str) -> bool:
        """Whether a text says it: its year and, where they are known, its month and day."""
        numbers = {number.lstrip("0") for number in re.findall(r"\d+", text)}
        known = len(re.findall(r"\d+", self.words))
        month = str(self.moment.month) in numbers or _MONTHS[self.moment.month - 1][:3] in text.lower()
        day = str(self.moment.day) in numbers
        return f"{self.moment:%Y}" in numbers and (known < _WITH_MONTH or month) and (known < _WITH_DAY or day)


def read_date(text: str) -> Dated | None:
    """The date that a model wrote; None where it wrote none, or one that is not in the calendar."""
    found = _DATE.fullmatch(text or "")
    if found is None:
        return None
    try:
        numbers = [int(found[name] or least) for name, least in _PARTS.items()]
        moment = datetime(*numbers, tzinfo=UTC)  # type: ignore[misc,arg-type]  # five numbers, as it takes them
    except ValueError:
        return None
    timed = found["hour"] and (moment.hour or moment.minute)  # midnight is what a day is written as, too
    shape = "%Y-%m-%dT%H:%M" if timed else "%Y-%m-%d" if found["day"] else "%Y-%m" if found["month"] else "%Y"
    return Dated(moment=moment, words=f"{moment:{shape}}")


def believable(date: Dated, said: Iterable[str], said_at: Iterable[datetime]) -> bool:
    """Whether what was said leads to a date's year: it names it, counts in years, or it is about then that it was said.

    Args:
        date: What a model makes of it.
        said: The words that it rests on.
        said_at: When they were said.
    """
    year, text = date.moment.year, " ".join(said)
    named = {int(number) for number in re.findall(r"\d+", text) if len(number) <= len("2026")}
    near = any(abs(year - moment.year) <= 1 for moment in said_at)
    return near or bool({year, year % 100} & named) or _FAR.search(text) is not None


def in_words(text: str, date: Dated | None, said_at: datetime) -> str:
    """The text with the date that it is about, where it does not say it.

    Args:
        text: A fact's words.
        date: When it happened or holds from, where that is known.
        said_at: When it was said. A text with "yesterday" and no date tells this instead, or it would soon be wrong.
    """
    if date is not None:
        return text if date.told_by(text) else f"{text} ({date.words})"
    return f"{text} (said on {said_at:%Y-%m-%d})" if _RELATIVE.search(text) else text


_PARTS = {"year": 1, "month": 1, "day": 1, "hour": 0, "minute": 0}
