"""What a `ModelServer` is told to answer, and what it was asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A proper answer, where more is to be said of it than its text.

    Args:
        text: Its words; for a question with a schema, JSON text.
        delay: Seconds before it comes.
        input_tokens, output_tokens: What it took; counted in words where left out.
        finish_reason: Why it ends: ``stop``, ``length`` (broke off), ``content_filter``.
        refusal: The words with which the model declines.
        tool_calls: Names and arguments of the tools that it wants to use.
    """

    text: str = ""
    delay: float = 0.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str = "stop"
    refusal: str | None = None
    tool_calls: Sequence[tuple[str, Mapping[str, Any]]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An answer that is none.

    Args:
        status: The HTTP status.
        message: The server's words in the usual form of an error.
        headers: Such as ``{"Retry-After": "2"}``.
        body: Sent as it is, in place of such an error: malformed JSON, a page of HTML.
        delay: Seconds of silence before it.
        disconnect: Goes away without a word: ``before`` the answer begins, or ``inside`` it, after half of ``body``
            or, where the answer is streamed, after ``message``.
    """

    status: int = 500
    message: str = "the server failed"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes | None = None
    delay: float = 0.0
    disconnect: Literal["", "before", "inside"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, as it came over the wire.

    Args:
        path: Such as ``/v1/chat/completions``.
        headers: With names in lower case.
        body: Its JSON; empty for a ``GET``.
    """

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def key(self) -> str | None:
        """The key it came with."""
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None

    @property
    def model(self) -> str:
        """The model that it names."""
        return str(self.body.get("model", ""))

    @property
    def stream(self) -> bool:
        """Whether the answer is to come piece by piece."""
        return self.body.get("stream") is True

    @property
    def texts(self) -> tuple[str, ...]:
        """The words of its messages in their order, or the texts to embed."""
        if "messages" not in self.body:
            given = self.body.get("input", [])
            return (given,) if isinstance(given, str) else tuple(map(str, given))
        return tuple("\n".join(part["text"] for part in parts if "text" in part) for parts in self._parts())

    @property
    def text(self) -> str:
        """All its words."""
        return "\n".join(self.texts)

    @property
    def pictures(self) -> tuple[bytes, ...]:
        """The pictures that it shows."""
        urls = [part["image_url"]["url"] for parts in self._parts() for part in parts if "image_url" in part]
        return tuple(base64.b64decode(url.partition(",")[2]) for url in urls)

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema that the answer must keep to, where it names one."""
        form = self.body.get("response_format") or {}
        found = form.get("json_schema", {}).get("schema")
        return found if isinstance(found, Mapping) else None

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that it offers."""
        return tuple(tool["function"]["name"] for tool in self.body.get("tools", ()))

    def _parts(self) -> list[list[dict[str, Any]]]:
        contents = [message.get("content") or "" for message in self.body.get("messages", ())]
        return [[{"text": one}] if isinstance(one, str) else list(one) for one in contents]


#: What a rule may give: words, an object (as JSON text), vectors, or something that decides by the request.
Given = str | Mapping[str, Any] | Sequence[Any] | Reply | Failure
About = Literal["chat", "embeddings"]
Match = str | Callable[[Asked], bool]
GivenOrMaker = Given | Callable[[Asked], Given]


@dataclass(slots=True, kw_only=True)
class Rule:
    """When to answer what.

    Args:
        match: Words that must occur in the request, or a predicate; an empty text takes every request.
        answer: What to answer, or a function of the request.
        about: What the requests are about: ``chat`` or ``embeddings``.
        left: For how many requests it is good still; None for all.
    """

    match: Match
    answer: GivenOrMaker
    about: About = "chat"
    left: int | None = None

    def takes(self, asked: Asked) -> bool:
        """Whether it is for this request."""
        if self.left == 0 or self.about not in asked.path:
            return False
        return self.match in asked.text if isinstance(self.match, str) else self.match(asked)

    def reply(self, asked: Asked) -> Reply | Failure:
        """What it answers."""
        answer: Any = self.answer(asked) if callable(self.answer) else self.answer
        if isinstance(answer, Reply | Failure):
            return answer
        return Reply(text=answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False))
