"""Answers with a known form: asked for by a JSON schema, checked by pydantic, with one try to mend what is wrong."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from memplug.exceptions import ModelAnswerError
from memplug.values.prompt import PromptMessage

if TYPE_CHECKING:
    from memplug.plugins.models import ChatModel
    from memplug.values.prompt import Prompt, Usage

M = TypeVar("M", bound=BaseModel)

#: What OpenAI's strict form does not take, or what only means something to pydantic.
_LEFT_OUT = frozenset({"default", "examples", "title", "minLength", "maxLength", "uniqueItems", "discriminator"})
#: Keywords that hold schemas by name, and keywords that hold a list of them.
_NAMED, _LISTED = ("properties", "$defs"), ("anyOf", "allOf", "prefixItems")
_FENCE = re.compile(r"\A```\w*\s*|\s*```\Z")
#: Mistakes that the model is shown; a few are enough to mend the rest.
_SHOWN = 8
_REPAIR = (
    "That answer cannot be used:\n{problems}\n"
    "Give the whole answer again as one JSON object that keeps to the schema, and nothing else."
)


def asked(model: ChatModel, prompt: Prompt, form: type[M]) -> tuple[M, Usage]:
    """What a model answers, as an object of a pydantic class.

    Args:
        model: Whom to ask.
        prompt: The question. Its ``schema`` is replaced by the class's.
        form: What the answer must be; its docstring and fields' descriptions are seen by the model.

    Returns:
        The answer, and what it took, the second try included.

    Raises:
        ModelAnswerError: The answer did not keep to the form, also after the model was shown what is wrong.
        ModelError: The model could not answer.
    """
    question = replace(prompt, schema=schema_of(form), schema_name=form.__name__)
    first = model.answer(question)
    try:
        return form.model_validate_json(json_in(first.text)), first.usage
    except ValidationError as error:
        problems = _problems(error)
    said = PromptMessage(role="assistant", text=first.text)
    repair = PromptMessage(role="user", text=_REPAIR.format(problems=problems))
    second = model.answer(replace(question, messages=(*question.messages, said, repair)))
    try:
        return form.model_validate_json(json_in(second.text)), first.usage + second.usage
    except ValidationError as error:
        raise ModelAnswerError(
            f"{model.name!r} gave no answer of the form that was asked for, in two tries", hint=_kinds(error)
        ) from None  # the error shows what the model wrote, and so what was said


def schema_of(form: type[BaseModel]) -> dict[str, Any]:
    """A class's JSON schema in the strict form that OpenAI takes and others understand.

    Every object is closed and needs all its fields, so a field that may be missing is ``X | None``; a field's default
    only counts for servers that do not hold the model to the schema.
    """
    return _strict(copy.deepcopy(form.model_json_schema()))


def json_in(text: str) -> str:
    """The JSON object in an answer: without thoughts before it, a fence around it, or words beside it."""
    text = text.rpartition("</think>")[2].strip()
    first, last = text.find("{"), text.rfind("}")
    return text[first : last + 1] if 0 <= first < last else _FENCE.sub("", text)


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema in the strict form; changes it in place."""
    for name in _LEFT_OUT & schema.keys():
        del schema[name]
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
    for name in _NAMED:
        schema |= {name: {key: _strict(one) for key, one in schema[name].items()}} if name in schema else {}
    for name in _LISTED:
        schema |= {name: [_strict(one) for one in schema[name]]} if name in schema else {}
    if isinstance(schema.get("items"), dict):
        schema["items"] = _strict(schema["items"])
    if "properties" in schema:
        schema["additionalProperties"] = False
        schema["required"] = list(schema["properties"])
    if "$ref" in schema and len(schema) > 1:
        # A reference stands alone there; what is said beside it goes around it.
        schema["anyOf"] = [{"$ref": schema.pop("$ref")}]
    return schema


def _problems(error: ValidationError) -> str:
    """What is wrong with an answer, for the model that gave it."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "\n".join(f"- {_place(one['loc'])}: {one['msg']}" for one in found[:_SHOWN])


def _kinds(error: ValidationError) -> str:
    """What is wrong, for the caller and for logs: no word of the answer."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(sorted({one["type"] for one in found}))


def _place(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place)) or "the answer"


__all__ = ["asked", "json_in", "schema_of"]
