"""JSON and JSON Lines: records with their names as words, each with its path. Numbers stay as they are written."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputTooLarge
from memplug.inputs.documents.branches import Branches, shown
from memplug.inputs.documents.decoding import decode
from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.plain import gather as gather_plain

if TYPE_CHECKING:
    from memplug.inputs.documents.reading import Reading
    from memplug.values.limits import Limits

_WORD = re.compile(r"[^\W\d]\w*")
#: Names that a title is looked for under.
_TITLES = ("title", "name")
_TITLE = 200


class _Pairs(list[tuple[str, Any]]):
    """An object with all its members: of two with the same name, none is lost."""


def read(data: bytes, limits: Limits, *, lines: bool = False) -> Reading:
    """The records of a JSON text; of one that is not valid, its lines as they are.

    Args:
        data: The text.
        limits: ``document_depth`` and ``document_characters``.
        lines: Whether each line is a text of its own.

    Raises:
        InputTooLarge: It is nested deeper, or has more characters, than is taken.
    """
    decoded = decode(data)
    gatherer = Gatherer(limits)
    gatherer.warn(decoded.warning)
    problem = "" if lines else _whole(decoded.text, gatherer, limits)
    if lines or (problem and _is_lines(decoded.text, limits)):
        _lines(decoded.text, gatherer, limits)
    elif problem:
        gatherer.warn(f"it is not valid JSON and was read as text: {problem}")
        gather_plain(decoded.text, gatherer)
    return gatherer.reading()


def _whole(text: str, gatherer: Gatherer, limits: Limits) -> str:
    """Takes the records of one JSON text; what is wrong with it, where it is none."""
    try:
        value = _parsed(text, limits)
    except ValueError as error:
        return str(error)
    if isinstance(value, _Pairs):
        members = dict(value)
        titles = (members.get(name) for name in _TITLES)
        gatherer.title = next((one for one in titles if isinstance(one, str) and len(one) <= _TITLE), "")
    _gather(value, "$", gatherer, limits)
    return ""


def _parsed(text: str, limits: Limits) -> Any:
    """The value, with numbers as they are written and objects as pairs.

    pydantic's parser says whether it is JSON, since Python's own takes NaN and halves of surrogate pairs, and falls
    into deep nesting; Python's then keeps what the other does not.

    Raises:
        ValueError: It is not valid JSON.
        InputTooLarge: It is nested deeper than is taken.
    """
    from pydantic_core import from_json

    try:
        from_json(text, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        if "recursion" in str(error):
            raise _too_deep(limits) from error
        raise
    return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_Pairs)


def _too_deep(limits: Limits) -> InputTooLarge:
    return InputTooLarge(f"the document is nested deeper than {limits.document_depth} levels")


def _is_lines(text: str, limits: Limits) -> bool:
    """Whether a text that is not JSON as a whole begins with two lines that are."""
    first = [line for line in text.split("\n", 50)[:50] if line.strip()][:2]
    try:
        return len(first) == 2 and all(isinstance(_parsed(line, limits), _Pairs) for line in first)  # noqa: PLR2004
    except ValueError:
        return False


def _lines(text: str, gatherer: Gatherer, limits: Limits) -> None:
    """Takes each line as a record; one that is none as it is."""
    bad = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = _parsed(line, limits)
        except ValueError:
            bad += 1
            gatherer.add("paragraph", line, section=f"line {number}")
        else:
            _gather(value, f"line {number}", gatherer, limits)
    if bad:
        gatherer.warn(f"{bad:,} lines are not valid JSON and were read as text")


def _gather(value: Any, root: str, gatherer: Gatherer, limits: Limits) -> None:
    branches = Branches(gatherer, limits)
    if isinstance(value, list):
        _branch("", root, value, branches)
    else:
        gatherer.add("paragraph", _scalar(value), section=root)


def _branch(name: str, step: str, value: list[Any], branches: Branches) -> None:
    """Takes an object or an array. It goes as deep as the nesting that `Branches` admits."""
    named = isinstance(value, _Pairs)
    branches.open(name, step, brackets="{}" if named else "[]")
    members = value if named else (("", one) for one in value)
    for number, (key, member) in enumerate(members):
        place = _step(key) if named else f"[{number}]"
        if isinstance(member, list):
            _branch(key, place, member, branches)
        else:
            branches.value(key, _scalar(member), place)
    branches.close(listing=not named)


def _step(key: str) -> str:
    return f".{shown(key)}" if _WORD.fullmatch(key) else f"[{json.dumps(shown(key), ensure_ascii=False)}]"


def _scalar(value: str | bool | None) -> str:
    return value if isinstance(value, str) else json.dumps(value)
