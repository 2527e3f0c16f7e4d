"""What a server understands of the protocol, found out as it goes along."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from memplug.values.prompt import PromptMessage

if TYPE_CHECKING:
    from memplug.values.prompt import Prompt

#: Ways to ask for JSON, from the strictest to the one that every server takes.
_FORMATS = ("json_schema", "json_object", "words")
_NOT_UNDERSTOOD = frozenset({400, 404, 415, 422, 501})
_ABOUT_FORMAT = ("response_format", "json_schema", "json_object", "structured output", "guided")
#: Fields for the limit on tokens: models of OpenAI that reason refuse the old one, other servers ignore the new one.
_MODERN, _OLD = "max_completion_tokens", "max_tokens"
_RULE = "Answer with one JSON object and nothing else. It keeps to this JSON schema:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as one server is asked it.

    Args:
        prompt: Its messages.
        options: What stands beside them in the request.
        format: How JSON is asked for; None where plain text is.
    """

    prompt: Prompt
    options: dict[str, Any]
    format: Literal["json_schema", "json_object", "words"] | None = None


class Dialect:
    """What one server understands. Two threads that learn the same at once do no harm.

    Args:
        modern: Whether it is OpenAI's own, which knows the newest fields.
    """

    def __init__(self, *, modern: bool) -> None:
        self._tokens = _MODERN if modern else _OLD
        self._switched = False
        self._format = 0

    def asked(self, prompt: Prompt) -> Asked:
        """The question in the server's words."""
        options: dict[str, Any] = {} if prompt.max_tokens is None else {self._tokens: prompt.max_tokens}
        if prompt.schema is None:
            return Asked(prompt=prompt, options=options)
        match _FORMATS[self._format]:
            case "json_schema":
                schema = {"name": prompt.schema_name, "schema": dict(prompt.schema), "strict": True}
                options["response_format"] = {"type": "json_schema", "json_schema": schema}
                return Asked(prompt=prompt, options=options, format="json_schema")
            case "json_object":
                options["response_format"] = {"type": "json_object"}
                return Asked(prompt=_in_words(prompt), options=options, format="json_object")
        return Asked(prompt=_in_words(prompt), options=options, format="words")

    def learnt(self, error: Exception, asked: Asked) -> bool:
        """Whether a refusal says that the server does not know a field, so that it is asked in another way now."""
        if getattr(error, "status_code", None) not in _NOT_UNDERSTOOD:
            return False
        said = str(error).lower()
        sent = next((name for name in (_MODERN, _OLD) if name in asked.options), None)
        if sent is not None and sent in said and self._other_field(sent):
            return True
        if asked.format is None or not any(words in said for words in _ABOUT_FORMAT):
            return False
        following = _FORMATS.index(asked.format) + 1
        if following == len(_FORMATS):
            return False
        self._format = max(self._format, following)
        return True

    def _other_field(self, sent: str) -> bool:
        """Whether there is another name for the limit on tokens to try: a server that refuses both means the number."""
        if self._tokens == sent:
            if self._switched:
                return False
            self._tokens, self._switched = _OLD if sent == _MODERN else _MODERN, True
        return True


def _in_words(prompt: Prompt) -> Prompt:
    """The question with its schema said in words, in the first system message: some servers take one, in front."""
    rule = _RULE + json.dumps(prompt.schema, ensure_ascii=False)
    head, *rest = prompt.messages
    if head.role == "system":
        messages = (replace(head, text=f"{head.text}\n\n{rule}"), *rest)
    else:
        messages = (PromptMessage(role="system", text=rule), head, *rest)
    return replace(prompt, messages=messages)
