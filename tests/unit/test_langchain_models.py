"""LangChain's embeddings and chat models as memplug's: what they are asked, and what their failures mean."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableLambda

from memplug import Memory
from memplug.exceptions import (
    ConfigError,
    EmbedderMismatch,
    ModelAnswerError,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    PluginError,
)
from memplug.langchain import LangChainChatModel, LangChainEmbedder, MemplugStore
from memplug.values.prompt import Picture, Prompt, PromptMessage
from scripted import Scripted, calling, saying
from support import png

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.plugins.models import ChatModel
    from memplug.plugins.protocols import Embedder

SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": "string"}}},
    "required": ["facts"],
    "additionalProperties": False,
}
FACTS = '{"facts": ["tea"]}'


class Letters(Embeddings):
    """Counts letters; tells questions from texts."""

    def __init__(self, *, failure: Exception | None = None, length: int = 26) -> None:
        self.sent: list[str] = []
        self.failure = failure
        self.length = length
        self.model = "letters-1"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of texts."""
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        return self._vector(f"query: {text}")

    def _vector(self, text: str) -> list[float]:
        if self.failure is not None:
            raise self.failure
        self.sent.append(text)
        return [float(text.lower().count(chr(97 + place % 26))) + 0.01 for place in range(self.length)]


def prompt(text: str = "hello", *, pictures: tuple[Picture, ...] = (), **settings: Any) -> Prompt:
    """A question with a system message."""
    system = PromptMessage(role="system", text="Be {brief}.")
    return Prompt(messages=(system, PromptMessage(role="user", text=text, pictures=pictures)), **settings)


# -- embeddings -------------------------------------------------------------------------------------------


def test_embeddings_serve_a_memory(tmp_path: Path) -> None:
    """`Memory(embedder=…)` stores, recalls, and asks for them again when it is opened anew."""
    embedder: Embedder = LangChainEmbedder(Letters())
    with Memory(tmp_path / "store", embedder=embedder) as memory:
        memory.add(["zzz zebra", "aaa"], user_id="u")
        assert memory.search("aa aaa", user_id="u")[0].text == "aaa"
    with pytest.raises(EmbedderMismatch, match="langchain:Letters:letters-1"):
        Memory(tmp_path / "store")
    with Memory(tmp_path / "store", embedder=LangChainEmbedder(Letters())) as memory:
        assert len(memory.search("zebra", user_id="u")) == 2


def test_a_langgraph_store_and_a_memory_share_embeddings(tmp_path: Path) -> None:
    """A store with an index and a memory over the same folder call the same embeddings the same."""
    with MemplugStore.open(tmp_path / "store", index={"embed": Letters(), "dims": 26}) as store:
        store.put(("memories",), "k", {"text": "aaa"})
    with Memory(tmp_path / "store", embedder=LangChainEmbedder(Letters())) as memory:
        assert len(memory.get_all(agent_id="langgraph")) == 1


def test_vectors_are_of_unit_length() -> None:
    """Also of long texts, which go in pieces; blank ones are never sent; questions are told apart."""
    letters = Letters()
    embedder = LangChainEmbedder(letters, name="mine", dimension=26)
    rows = embedder.embed(["abc", " ", "word " * 3_000])
    assert rows.shape == (3, 26)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 0, 1])
    assert max(map(len, letters.sent)) <= 6_000
    assert np.isclose(np.linalg.norm(embedder.embed_query("abc" * 5_000)), 1)
    assert letters.sent[-1].startswith("query: ")
    assert not embedder.embed_query("  ").any()
    other = LangChainEmbedder(DeterministicFakeEmbedding(size=8))
    assert (other.name, other.dimension) == ("langchain:DeterministicFakeEmbedding", 8)


@pytest.mark.parametrize(
    ("failure", "retryable"),
    [(TimeoutError(), True), (httpx.ConnectError("refused"), True), (ValueError("wrong key sk-secret"), False)],
)
def test_failing_embeddings_are_a_typed_error(failure: Exception, retryable: bool) -> None:
    """Whether to try again is said; what the server said stays in the cause."""
    with pytest.raises(PluginError) as caught:
        LangChainEmbedder(Letters(failure=failure)).embed(["a"])
    assert caught.value.retryable is retryable
    assert caught.value.__cause__ is failure
    assert "sk-secret" not in str(caught.value)


def test_embeddings_that_answer_nonsense() -> None:
    """Vectors of another length, of none, or something that is no embeddings, are errors."""
    letters = Letters()
    embedder = LangChainEmbedder(letters)
    embedder.embed(["a"])
    letters.length = 3
    with pytest.raises(PluginError, match="length 3 instead of 26"):
        embedder.embed(["a"])
    with pytest.raises(ConfigError, match="embeddings of LangChain"):
        LangChainEmbedder("openai")  # type: ignore[arg-type]


# -- chat models ------------------------------------------------------------------------------------------


def test_a_chat_model_answers() -> None:
    """It gets the messages as they are, also with braces; its words, name, tokens and limit arrive."""
    usage: Any = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
    llm = saying(AIMessage("Hi {you}.", usage_metadata=usage))
    model: ChatModel = LangChainChatModel(llm)
    found = model.answer(prompt("hello {name}", max_tokens=7))
    assert (found.text, found.model) == ("Hi {you}.", "scripted-1")
    assert (found.usage.requests, found.usage.input_tokens, found.usage.output_tokens) == (1, 12, 3)
    assert [(one.type, one.text) for one in llm.asked[0]] == [("system", "Be {brief}."), ("human", "hello {name}")]
    assert llm.settings == [{"max_tokens": 7}]
    assert (model.name, model.vision) == ("langchain:scripted-1", False)
    assert "".join(model.stream(prompt())) == "Hi {you}."


def test_pictures_are_shown_only_where_the_model_sees() -> None:
    """As content blocks; by the model's profile or the user's word; a model that does not see refuses."""
    picture = Picture(data=png(), content_type="image/png")
    shown = prompt("what is this?", pictures=(picture,))
    sees: Any = {"image_inputs": True}
    for llm, vision in ((saying("A square.", profile=sees), "auto"), (saying("A square."), True)):
        LangChainChatModel(llm, vision=vision).answer(shown)  # type: ignore[arg-type]
        text, image = llm.asked[0][-1].content_blocks
        assert text == {"type": "text", "text": "what is this?"}
        assert image["type"] == "image"
        assert base64.b64decode(image["base64"]) == png()
    with pytest.raises(ModelRefused, match="shown no pictures"):
        LangChainChatModel(saying("x")).answer(shown)


class Structured(Scripted):
    """Has a way of its own to give JSON, as integrations of servers that know schemas do."""

    def with_structured_output(self, schema: Any, *, include_raw: bool = False, **settings: Any) -> Any:
        """The answer, parsed; with what was asked for."""
        self.tools[:] = [schema, settings]
        assert include_raw

        def answer(messages: list[BaseMessage]) -> dict[str, Any]:
            raw = self.invoke(messages)
            try:
                return {"raw": raw, "parsed": json.loads(str(raw.text)), "parsing_error": None}
            except ValueError as error:
                return {"raw": raw, "parsed": None, "parsing_error": error}

        return RunnableLambda(answer)


class Wordy(Scripted):
    """Has neither tools nor a way to give JSON."""

    bind_tools = BaseChatModel.bind_tools


def structured(text: str) -> Structured:
    """One that says this."""
    return Structured(script=lambda _: text)


@pytest.mark.parametrize(
    ("llm", "method"),
    [
        (lambda: saying(calling("facts", facts=["tea"])), "auto"),
        (lambda: saying(FACTS), "function_calling"),
        (lambda: structured(FACTS), "auto"),
        (lambda: structured(f"Here you are: {FACTS}"), "json_schema"),
        (lambda: structured(FACTS), "json_mode"),
        (lambda: Wordy(script=lambda _: f"```json\n{FACTS}\n```"), "auto"),
        (lambda: saying(f"<think>{{}}</think>{FACTS}"), "prompt"),
    ],
)
def test_a_schema_is_kept_to_in_every_way(llm: Callable[[], Scripted], method: Any) -> None:
    """By the integration's own way, a tool, or words; the answer is JSON text, whatever stands around it."""
    made = llm()
    found = LangChainChatModel(made, method=method).answer(prompt(schema=SCHEMA, schema_name="facts"))
    assert json.loads(found.text) == {"facts": ["tea"]}
    told = "JSON schema" in made.asked[0][0].text
    assert told is (method in {"prompt", "json_mode"} or isinstance(made, Wordy))
    if isinstance(made, Structured):
        assert made.tools == [
            {"title": "facts", "description": "The answer.", **SCHEMA},
            {} if method == "auto" else {"method": method},
        ]


def test_a_memory_draws_facts_with_it() -> None:
    """`Memory(model=…)` and `memory.chat` work as with any other model."""
    model = LangChainChatModel(saying("Green tea [1]."))
    with Memory("memory://", embedder="hashing:64", model=model) as memory:
        memory.add("Wang drinks green tea.", user_id="u", infer=False)
        answer = memory.chat("what does Wang drink?", user_id="u")
        assert answer.text == "Green tea [1]."


class _StatusError(Exception):
    """What clients of servers raise."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"wrong key sk-secret, {status}")
        self.status_code = status
        self.headers = headers


@pytest.mark.parametrize(
    ("error", "kind", "wait"),
    [
        (_StatusError(401), ModelRefused, None),
        (_StatusError(400), ModelRefused, None),
        (_StatusError(429, **{"retry-after": "2"}), ModelUnavailable, 2.0),
        (_StatusError(503), ModelUnavailable, None),
        (httpx.ReadTimeout("slow"), ModelUnavailable, None),
        (ValueError("broken"), ModelError, None),
    ],
)
def test_failures_have_their_kind(error: Exception, kind: type[ModelError], wait: float | None) -> None:
    """Refused, to be tried again, or failed otherwise; keys stay in the cause."""
    for ask in (lambda model: model.answer(prompt()), lambda model: list(model.stream(prompt()))):
        with pytest.raises(kind) as caught:
            ask(LangChainChatModel(saying(error)))
        assert type(caught.value) is kind
        assert "sk-secret" not in str(caught.value)
        assert getattr(caught.value, "retry_after", None) == wait


def test_empty_answers_and_wrong_arguments() -> None:
    """Are errors with a code."""
    with pytest.raises(ModelAnswerError):
        LangChainChatModel(saying(" ")).answer(prompt())
    with pytest.raises(ModelAnswerError):
        list(LangChainChatModel(saying("")).stream(prompt()))
    with pytest.raises(ConfigError, match="chat model of LangChain"):
        LangChainChatModel("openai:gpt-5-mini")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="method"):
        LangChainChatModel(saying("x"), method="guess")  # type: ignore[arg-type]


def test_a_stream_that_breaks_off() -> None:
    """Gives what came, then its error."""

    class Breaking(Scripted):
        def _stream(self, *_: Any, **__: Any) -> Iterator[Any]:
            from langchain_core.messages import AIMessageChunk
            from langchain_core.outputs import ChatGenerationChunk

            yield ChatGenerationChunk(message=AIMessageChunk(content="Green "))
            raise httpx.RemoteProtocolError("peer closed connection")

    pieces = LangChainChatModel(Breaking(script=lambda _: "")).stream(prompt())
    assert next(pieces) == "Green "
    with pytest.raises(ModelUnavailable):
        next(pieces)
