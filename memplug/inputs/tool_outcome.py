"""Whether a tool's answer says that it worked, and what went wrong where it did not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Characters of an error that are kept as its words; the whole answer is the call's result.
_SHOWN = 500
_LOWEST_FAILURE = 400
#: How texts begin that tools and agents' frameworks give back instead of a result.
_FAILED = re.compile(
    r"\s*(?:<error>|\[?error\]?\s*[:\-!(]|error\b(?=\s+(?:executing|calling|running|invoking|while|in)\b)|errore?\s*:|"
    r"fehler\s*:|错误\s*[:\uff1a]|traceback \(most recent call last\)|(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b\s*[:(]|"
    r"exception\s*:|failed\s*:|failure\s*:|command failed|permission denied)",
    re.IGNORECASE,
)
_TYPE = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Timeout|Warning))\b")
_STATUS = re.compile(
    r"\b(?:http(?: status)?(?: code)?|status(?: code)?|error code)\s*[:=]?\s*([45]\d\d)\b", re.IGNORECASE
)
_TIMEOUT = re.compile(r"\btimed? ?out\b", re.IGNORECASE)
_TRACEBACK = re.compile(r"^\s*(?:\w+\.)*([A-Z]\w*)\s*:", re.MULTILINE)
_STATES = {
    **dict.fromkeys(("error", "failed", "failure", "fail"), True),
    **dict.fromkeys(("success", "ok", "succeeded"), False),
}


def judged(frame: Mapping[str, Any], result: Any) -> tuple[bool, str | None, str | None]:
    """Whether an answer is a failure, with its words and its type.

    What the message around it says counts first (``is_error``, ``status``), then what a JSON object says of itself
    (``error``, ``success``, ``ok``, ``status``, an HTTP status), then how a text begins.

    Args:
        frame: The message or block that holds the answer.
        result: The answer as a JSON value or text.
    """
    said = _said(frame)
    inside = _inside(result) if isinstance(result, Mapping) else None
    failed = said if said is not None else inside if inside is not None else _begins(result)
    if not failed:
        return False, None, None
    words = _words(result)
    return True, words[:_SHOWN] or None, _type(result, words)


def _said(frame: Mapping[str, Any]) -> bool | None:
    for name in ("is_error", "isError"):
        if isinstance(frame.get(name), bool):
            return bool(frame[name])
    status = frame.get("status")
    return _STATES.get(status.lower()) if isinstance(status, str) else None


def _inside(result: Mapping[str, Any]) -> bool | None:
    """What an object says of itself; None where it says nothing."""
    for name in ("is_error", "isError"):
        if isinstance(result.get(name), bool):
            return bool(result[name])
    for name in ("success", "ok"):
        if isinstance(result.get(name), bool):
            return not result[name]
    if any(result.get(name) not in (None, "", False, [], {}) for name in ("error", "errors", "exception")):
        return True
    for name in ("status", "status_code", "statusCode"):
        status = result.get(name)
        if isinstance(status, str) and status.lower() in _STATES:
            return _STATES[status.lower()]
        if name != "status" and isinstance(status, int) and not isinstance(status, bool):
            return status >= _LOWEST_FAILURE
    return None


def _begins(result: Any) -> bool:
    return isinstance(result, str) and _FAILED.match(result) is not None


def _words(result: Any) -> str:
    if isinstance(result, str):
        return result.strip()
    if isinstance(result, Mapping):
        for name in ("error", "errors", "exception", "message", "detail"):
            found = result.get(name)
            if isinstance(found, Mapping):
                found = found.get("message") or found
            if found not in (None, "", False, [], {}):
                return str(found)
    return str(result)


def _type(result: Any, words: str) -> str:
    """A short name of what went wrong, so that failures of one sort can be counted."""
    if isinstance(result, Mapping):
        error = result.get("error")
        for held in (error, result) if isinstance(error, Mapping) else (result,):
            for name in ("error_type", "type", "code", "status_code", "statusCode"):
                found = held.get(name)
                if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
                    return str(found)[:80]
    if words.startswith("Traceback") and (raised := _TRACEBACK.findall(words)):
        return str(raised[-1])
    if found := _TYPE.search(words):
        return found[1]
    if found := _STATUS.search(words):
        return found[1]
    return "timeout" if _TIMEOUT.search(words) else "error"
