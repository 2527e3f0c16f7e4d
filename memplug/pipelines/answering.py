"""Answers a question from memories: what the model is shown, and which memories its answer names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MalformedInput, ModelAnswerError
from memplug.safety.quoting import QUOTING_RULE
from memplug.safety.text import clean
from memplug.values.chat import ChatAnswer
from memplug.values.prompt import Prompt, PromptMessage, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from memplug.values.context import Context
    from memplug.values.prompt import Picture

#: What the model is told. It comes first and is the same for each question, so that servers can cache it.
_RULES = (
    "You answer with the help of a long-term memory. Before the last question you are shown the memories that fit it, "
    "each with a number and its date. Use what they say and nothing you merely suppose about the user. Behind each "
    "statement that rests on a memory put its number in square brackets, such as [2] or [1][3]; never use a number "
    "that you were not shown. Where memories contradict each other, the later one holds. Where none of them answers "
    "the question, say that you do not know it. Answer in the language of the question. " + QUOTING_RULE
)
_NOTHING = "No memory fits this question."
#: Numbers as they are cited: ``[2]`` and ``[1, 3]``; four digits would be a year.
_CITED = re.compile(r"\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_ROLES = ("user", "assistant")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatQuestion:
    """One question of a chat.

    Args:
        query: The question.
        context: The memories that fit it.
        history: The conversation so far.
        instructions: What the application wants of its assistant.
        pictures: Originals of pictures among the memories.
        now: When it is asked.
    """

    query: str
    context: Context
    history: tuple[PromptMessage, ...] = ()
    instructions: str = ""
    pictures: tuple[Picture, ...] = ()
    now: datetime

    @property
    def prompt(self) -> Prompt:
        """What the model is asked: what stays the same first, the memories right before the question."""
        rules = "\n\n".join(part for part in (self.instructions.strip(), _RULES) if part)
        shown = f"Memories, as of {self.now.date().isoformat()}:\n{self.context.text}" if self.context else _NOTHING
        asked = PromptMessage(role="user", text=f"{shown}\n\nQuestion:\n{self.query}", pictures=self.pictures)
        return Prompt(messages=(PromptMessage(role="system", text=rules), *self.history, asked))

    def answered(self, text: str, usage: Usage | None = None) -> ChatAnswer:
        """The answer with the memories that it names.

        Raises:
            ModelAnswerError: There is no answer.
        """
        if not text.strip():
            raise ModelAnswerError("the model gave an empty answer")
        numbers = [int(one) for group in _CITED.findall(text) for one in re.findall(r"\d+", group)]
        hits = self.context.hits
        return ChatAnswer(
            text=text.strip(),
            context=self.context,
            citations={number: hits[number - 1] for number in sorted(set(numbers)) if 1 <= number <= len(hits)},
            unknown=tuple(sorted({number for number in numbers if not 1 <= number <= len(hits)})),
            usage=usage or Usage(),
        )


def read_history(history: Sequence[Mapping[str, Any]]) -> tuple[PromptMessage, ...]:
    """The conversation so far, as ``{"role", "content"}`` with texts.

    Raises:
        MalformedInput: A message is something else.
    """
    found = []
    for message in history if isinstance(history, Sequence) else [history]:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if role not in _ROLES or not isinstance(content, str):
            raise MalformedInput(
                "history is a list of messages with a role and a text",
                hint='[{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]',
            )
        found.append(PromptMessage(role=role, text=clean(content)))
    return tuple(found)
