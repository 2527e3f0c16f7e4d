"""Answers with a known form: the schema that is sent, what is taken for JSON, and the try to mend."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from memplug.exceptions import ModelAnswerError, ModelRefused
from memplug.models.openai import OpenAIChatModel
from memplug.models.structured import asked, json_in, schema_of
from memplug.testing.endpoint import Failure, ModelServer, Reply
from memplug.testing.protocol import strict_problem
from memplug.values.prompt import Prompt, PromptMessage

SAID = "something private"
PROMPT = Prompt(messages=(PromptMessage(role="user", text="What was bought?"),))


class Colour(enum.Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Thing(BaseModel):
    """A thing."""

    name: str = Field(min_length=1, max_length=20, description="what it is called")
    colour: Colour | None = None
    price: Annotated[float, Field(ge=0)] = 0.0
    parts: list[Thing] = []
    title: str = Field(default="", examples=["Dr."])


class Cat(BaseModel):
    """One of two."""

    kind: Literal["cat"]


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"]


class Basket(BaseModel):
    """What was bought."""

    things: list[Thing]
    first: Thing | None = Field(default=None, description="the first one")
    best: Thing = Field(description="the best one")
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server that refuses schemas which OpenAI refuses."""
    with ModelServer() as running:
        yield running


@pytest.fixture
def model(server: ModelServer) -> Iterator[OpenAIChatModel]:
    """A model there."""
    made = server.model()
    yield made
    made.close()


def test_the_schema_is_in_the_form_that_openai_takes() -> None:
    """Closed objects, all fields needed, references alone, only keywords that it knows; fields keep their names."""
    schema = schema_of(Basket)
    assert strict_problem(schema) is None
    thing = schema["$defs"]["Thing"]
    assert thing["required"] == ["name", "colour", "price", "parts", "title"]
    assert thing["properties"]["name"] == {"type": "string", "description": "what it is called"}
    assert schema["properties"]["best"] == {"anyOf": [{"$ref": "#/$defs/Thing"}], "description": "the best one"}
    assert schema["description"] == "What was bought."
    assert strict_problem(Basket.model_json_schema()) is not None, "the test can fail"


def test_an_answer_becomes_an_object(server: ModelServer, model: OpenAIChatModel) -> None:
    """With what it took; the request carries the schema under the class's name."""
    server.on("", {"things": [{"name": "tea", "colour": "red"}], "best": {"name": "tea"}, "pet": {"kind": "dog"}})
    basket, usage = asked(model, PROMPT, Basket)
    assert (basket.things[0].colour, basket.pet.kind, usage.requests) == (Colour.RED, "dog", 1)
    form = server.requests[0].body["response_format"]["json_schema"]
    assert (form["name"], form["strict"], form["schema"]) == ("Basket", True, schema_of(Basket))


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "tea"}',
        '```json\n{"name": "tea"}\n```',
        '```\n{"name": "tea"}```',
        'Here it is:\n{"name": "tea"}\nAnything else?',
        '<think>{"name": "coffee"}? No.</think>\n{"name": "tea"}',
        '{"name": "tea", "parts": [{"name": "```{}```"}]}',
    ],
)
def test_json_is_found_in_what_models_write(text: str) -> None:
    """Fences, thoughts and words around it do no harm."""
    assert Thing.model_validate_json(json_in(text)).name == "tea"


@pytest.mark.parametrize("text", ["no JSON at all", "{broken", "}{", "", '{"name": ""}', '{"colour": "green"}', "[1]"])
def test_a_wrong_answer_is_shown_to_the_model_once(server: ModelServer, model: OpenAIChatModel, text: str) -> None:
    """It sees its own answer and what is wrong with it; both requests count."""
    server.on("", {"name": "tea"})
    server.on("", text or Reply(text=" {} "), times=1)
    thing, usage = asked(model, PROMPT, Thing)
    assert (thing.name, usage.requests) == ("tea", 2)
    first, second = server.requests
    assert second.texts[: len(first.texts)] == first.texts
    assert [message["role"] for message in second.body["messages"]][-2:] == ["assistant", "user"]
    assert "cannot be used" in second.texts[-1]
    assert "\n- " in second.texts[-1]


def test_after_the_second_try_it_is_an_error(server: ModelServer, model: OpenAIChatModel) -> None:
    """Typed, may be tried later, says which rules were broken, and repeats nothing of the answer."""
    server.on("", {"name": SAID * 5, "price": -1})
    with pytest.raises(ModelAnswerError, match="in two tries") as caught:
        asked(model, PROMPT, Thing)
    assert caught.value.retryable
    assert caught.value.hint == "greater_than_equal; string_too_long"
    assert SAID not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(server.requests) == 2


def test_a_failure_of_the_second_try_is_its_own(server: ModelServer, model: OpenAIChatModel) -> None:
    """What the server says then is what counts."""
    server.on("", Failure(status=401))
    server.on("", "nonsense", times=1)
    with pytest.raises(ModelRefused, match="answered 401"):
        asked(model, PROMPT, Thing)
