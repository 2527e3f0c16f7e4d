"""``memplug.yaml``: which models there are, and where.

chat:
  model: openai:gpt-5-mini        # as in Memory(model=...)
  base_url: http://localhost:11434/v1
  api_key_env: MY_KEY             # the variable that holds the key, never the key itself
  timeout: 60
  retries: 2
  concurrency: 4
  vision: true                    # it may be shown pictures
  prices: {input: 0.25, output: 2.0}
vision: {model: ...}
embedding: {model: ...}
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from memplug.exceptions import ConfigError
from memplug.values import endpoint

if TYPE_CHECKING:
    from pathlib import Path

#: Longest file that is taken; a real one has a few hundred characters.
_LENGTH = 100_000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
#: Names under which people write a key into a file, and how keys begin.
_KEYS = frozenset({"api_key", "apikey", "key", "token", "secret", "password"})
_KEY_STARTS = ("sk-", "sk_", "pk-", "gsk_", "hf_", "ey")
_NO_KEYS = "a key has no place in a file: put it into an environment variable, and name that as api_key_env"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)


class Prices(_Strict):
    """Prices of a million tokens, sent and coming back."""

    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class EmbeddingSection(_Strict):
    """One model and its server; what is left out is as in `Endpoint`."""

    model: Annotated[str, Field(min_length=1)] | None = None
    base_url: Annotated[str, Field(min_length=1)] | None = None
    api_key_env: str | None = None
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    retries: Annotated[int, Field(ge=0, le=10)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=1_000)] | None = None

    @field_validator("api_key_env")
    @classmethod
    def _names_a_variable(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith(_KEY_STARTS) or not _VARIABLE.fullmatch(value)):
            raise ValueError(_NO_KEYS)
        return value

    def endpoint(self) -> endpoint.Endpoint:
        """Where the server is, and how patiently it is asked."""
        given: dict[str, Any] = self.model_dump(exclude={"model", "prices"}, exclude_none=True)
        prices = getattr(self, "prices", None)
        return endpoint.Endpoint(**given, prices=endpoint.Prices(**prices.model_dump()) if prices else None)


class VisionSection(EmbeddingSection):
    """The model for pictures."""

    prices: Prices | None = None


class ChatSection(VisionSection):
    """The chat model."""

    vision: bool = False


class Config(_Strict):
    """The whole file."""

    chat: ChatSection = ChatSection()
    vision: VisionSection = VisionSection()
    embedding: EmbeddingSection = EmbeddingSection()


def read_config(path: Path) -> Config:
    """What a file says; an empty one says nothing.

    Raises:
        ConfigError: It cannot be read, is no YAML, has a name that means nothing (the nearest one is told), a value
            that cannot be, or a key in it. No value of the file is repeated.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LENGTH + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"the configuration {path} cannot be read: {reason}") from error
    if len(text) > _LENGTH:
        raise ConfigError(f"the configuration {path} has more than {_LENGTH:,} characters")
    try:
        return Config.model_validate(_parsed(text, path))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A name that means nothing first: it may be why another one is missing.
        first = min(found, key=lambda one: one["type"] != "extra_forbidden")
        raise _refusal(path, tuple(map(str, first["loc"])), first["type"], first["msg"]) from None


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        # The parser's words show the line, where a key may stand.
        raise ConfigError(f"the configuration {path} is no YAML: a mistake{where}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"the configuration {path} must consist of sections", hint="chat:, vision:, embedding:")
    # A section all of whose lines are commented out says nothing.
    return {name: {} if section is None else section for name, section in found.items()}


def _refusal(path: Path, place: tuple[str, ...], kind: str, said: str) -> ConfigError:
    """The error for the first thing that is wrong, at a place of the file."""
    name = ".".join(place)
    if kind == "model_type":
        return ConfigError(f"{name} in the configuration {path} must be a section, with its names below it")
    if kind != "extra_forbidden":
        words = said.removeprefix("Value error, ")
        return ConfigError(f"{name} in the configuration {path}: {words[:1].lower()}{words[1:]}")
    if place[-1].lower() in _KEYS:
        return ConfigError(f"{name:.100} in the configuration {path}: {_NO_KEYS}")
    known = _fields(place[:-1])
    near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return ConfigError(f"{name:.100} in the configuration {path} means nothing", hint=hint)


def _fields(place: tuple[str, ...]) -> list[str]:
    """The names that a section knows."""
    form: type[BaseModel] = Config
    for name in place:
        form = Prices if name == "prices" else type(getattr(form(), name))
    return list(form.model_fields)
