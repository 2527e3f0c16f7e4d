"""Reads what people type into the values that `Memory` takes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from memplug.exceptions import ConfigError, FilterError, MalformedInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

#: What stands for standard input.
STDIN = "-"


def read_stdin() -> str:
    """Standard input as text.

    Raises:
        MalformedInput: It is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput("standard input is not UTF-8 text", hint="`--file -` takes bytes of any kind") from error


def read_messages(path: Path) -> Any:
    """The JSON of a file (``-``: of standard input) with a message or a list of them.

    Raises:
        MalformedInput: The file cannot be read, is not JSON, or is neither an object nor a list.
    """
    try:
        text = read_stdin() if str(path) == STDIN else path.read_text(encoding="utf-8-sig")
        value = json.loads(text)
    except OSError as error:
        raise MalformedInput(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise MalformedInput(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict | list):
        raise MalformedInput(f"{path} holds a {type(value).__name__}, not a message or a list of messages")
    return value


def read_metadata(values: Sequence[str]) -> dict[str, Any] | None:
    """Metadata from JSON objects and ``name=value`` pairs; a later one wins. None where there are none.

    A value is a number, true, false or null where it is written so, else text.

    Raises:
        ConfigError: One is neither.
    """
    found: dict[str, Any] = {}
    for value in values:
        found |= _object(value) if value.lstrip().startswith("{") else _pair(value)
    return found if values else None


def read_options(values: Sequence[str]) -> dict[str, Any]:
    """Settings for a backend from ``name=value`` pairs; a later one wins.

    A value is a number, true, false or an object where it is JSON of that, else text.

    Raises:
        ConfigError: One is no pair; its value is not shown, since it may be a secret.
    """
    found: dict[str, Any] = {}
    for one in values:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise ConfigError("--option takes name=value", hint="such as companion=s3://bucket/prefix")
        found[name.strip()] = _scalar(value) if not value.lstrip().startswith("{") else _settings(name, value)
    return found


def _settings(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"--option {name.strip()} begins like a JSON object and is none") from None


def read_filter(text: str | None) -> dict[str, Any] | None:
    """A filter from JSON.

    Raises:
        FilterError: It is not a JSON object.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FilterError(f"--filter is not JSON: {error}", hint="""such as '{"price": {"gte": 10}}'""") from error
    if not isinstance(value, dict):
        raise FilterError("--filter must be a JSON object")
    return value


def narrowed(filters: dict[str, Any] | None, kinds: Iterable[str], tags: Iterable[str]) -> dict[str, Any] | None:
    """The filter with kinds (any of them) and tags (all of them) added, for verbs that take a filter only."""
    conditions: list[dict[str, Any]] = [filters] if filters else []
    if chosen := list(kinds):
        conditions.append({"kind": {"in": chosen}})
    conditions += [{"tags": {"contains": tag}} for tag in tags]
    return {"AND": conditions} if conditions else None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--metadata is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError("--metadata must be a JSON object or name=value")
    return value


def _pair(text: str) -> dict[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--metadata {text!r} is neither JSON nor name=value")
    return {name.strip(): _scalar(value)}


def _scalar(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict | list | str) else value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is a word here")
