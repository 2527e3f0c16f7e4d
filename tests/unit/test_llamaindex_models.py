"""LlamaIndex's embeddings and LLMs as memplug's: what they are asked, and what their failures mean."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from llama_index.core import MockEmbedding
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    ImageBlock,
    LLMMetadata,
    TextBlock,
    ToolCallBlock,
)
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.llms.mock import MockFunctionCallingLLM

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
from memplug.llamaindex import LlamaIndexChatModel, LlamaIndexEmbedder
from memplug.plugins.models import ChatModel
from memplug.plugins.protocols import Embedder
from memplug.values.prompt import Picture, Prompt, PromptMessage
from support import png

SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": "string"}}},
    "required": ["facts"],
}


class Letters(BaseEmbedding):
    """Counts letters; tells questions from texts, as many models do."""

    _sent: list[str] = PrivateAttr(default_factory=list)
    _failure: Exception | None = PrivateAttr(default=None)
    _length: int = PrivateAttr(default=26)

    def _vector(self, text: str) -> list[float]:
        if self._failure is not None:
            raise self._failure
        self._sent.append(text)
        return [float(text.lower().count(chr(97 + place % 26))) + 0.01 for place in range(self._length)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vector(f"query: {query}")

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vector(f"query: {query}")

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._vector(text)


class Scripted(CustomLLM):
    """Answers by a function of the messages, and may stream."""

    _answer: Callable[[Sequence[ChatMessage]], ChatResponse] = PrivateAttr()

    def __init__(self, answer: Callable[[Sequence[ChatMessage]], ChatResponse]) -> None:
        super().__init__()
        self._answer = answer

    @property
    def metadata(self) -> LLMMetadata:
        """Its name."""
        return LLMMetadata(model_name="scripted-1")

    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        """One answer."""
        return self._answer(messages)

    def stream_chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponseGen:
        """Word by word; "!" fails."""
        for word in str(self._answer(messages).message.content).split(" "):
            if word == "!":
                raise httpx.RemoteProtocolError("peer closed connection")
            yield ChatResponse(message=ChatMessage(role="assistant", content=word), delta=word)

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:  # noqa: ARG002
        """Never asked."""
        raise AssertionError(prompt)

    def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponseGen:  # noqa: ARG002
        """Never asked."""
        raise AssertionError(prompt)


class Calling(MockFunctionCallingLLM):
    """Answers by a function that is also told what else it is asked; not every version's own does."""

    _script: Callable[..., ChatMessage] = PrivateAttr()

    def __init__(self, script: Callable[..., ChatMessage]) -> None:
        super().__init__()
        self._script = script

    def chat(self, messages: Sequence[ChatMessage], **settings: Any) -> ChatResponse:
        """One answer."""
        return ChatResponse(message=self._script(messages, **settings))


def answering(text: str, **response: Any) -> Scripted:
    """An LLM that always says the same."""
    return Scripted(lambda _: ChatResponse(message=ChatMessage(role="assistant", content=text), **response))


def prompt(text: str = "hello", *, pictures: Sequence[Picture] = (), **settings: Any) -> Prompt:
    """A question with a system message."""
    system = PromptMessage(role="system", text="Be {brief}.")
    return Prompt(messages=(system, PromptMessage(role="user", text=text, pictures=tuple(pictures))), **settings)


@contextmanager
def server(status: int, headers: dict[str, str]) -> Iterator[str]:
    """A real server that answers everything with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{served.server_port}"
        finally:
            served.shutdown()
            thread.join()


# -- embeddings -------------------------------------------------------------------------------------------


def test_an_embedding_serves_a_memory(tmp_path: Any) -> None:
    """`Memory(embedder=…)` stores, recalls, and asks for it again when it is opened anew."""
    embedder: Embedder = LlamaIndexEmbedder(Letters(model_name="letters-1"))
    with Memory(tmp_path / "store", embedder=embedder) as memory:
        memory.add(["zzz zebra", "aaa"], user_id="u")
        assert memory.search("aa aaa", user_id="u")[0].text == "aaa"
    with pytest.raises(EmbedderMismatch, match="llamaindex:letters-1"):
        Memory(tmp_path / "store")
    with Memory(tmp_path / "store", embedder=LlamaIndexEmbedder(Letters(model_name="letters-1"))) as memory:
        assert len(memory.search("zebra", user_id="u")) == 2


def test_vectors_are_of_unit_length() -> None:
    """Also of long texts, which go in pieces; blank ones are never sent; questions are told apart."""
    letters = Letters()
    embedder = LlamaIndexEmbedder(letters, name="mine", dimension=26)
    rows = embedder.embed(["abc", " ", "word " * 3_000])
    assert rows.shape == (3, 26)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 0, 1])
    assert max(map(len, letters._sent)) <= 6_000
    assert embedder.embed([]).shape == (0, 26)
    assert np.isclose(np.linalg.norm(embedder.embed_query("abc" * 5_000)), 1)
    assert letters._sent[-1].startswith("query: ")
    assert not embedder.embed_query("  ").any()
    assert embedder.name == "mine"
    assert LlamaIndexEmbedder(MockEmbedding(embed_dim=8)).name == "llamaindex:MockEmbedding"
    assert LlamaIndexEmbedder(MockEmbedding(embed_dim=8)).dimension == 8


@pytest.mark.parametrize(
    ("failure", "retryable"),
    [(TimeoutError(), True), (httpx.ConnectError("refused"), True), (ValueError("wrong key sk-secret"), False)],
)
def test_a_failing_embedding_is_a_typed_error(failure: Exception, retryable: bool) -> None:
    """Whether to try again is said; what the server said stays in the cause."""
    letters = Letters()
    letters._failure = failure
    with pytest.raises(PluginError) as caught:
        LlamaIndexEmbedder(letters).embed(["a"])
    assert caught.value.retryable is retryable
    assert caught.value.__cause__ is failure
    assert "sk-secret" not in str(caught.value)


def test_an_embedding_that_answers_nonsense() -> None:
    """Vectors of another length, of none, or of what is no number are errors."""
    letters = Letters()
    embedder = LlamaIndexEmbedder(letters)
    embedder.embed(["a"])
    letters._length = 3
    with pytest.raises(PluginError, match="length 3 instead of 26"):
        embedder.embed(["a"])
    letters._length = 0
    with pytest.raises(PluginError, match="vectors that are none"):
        embedder.embed_query("a")
    with pytest.raises(ConfigError, match="an embedding of LlamaIndex"):
        LlamaIndexEmbedder("openai")  # type: ignore[arg-type]


# -- LLMs -------------------------------------------------------------------------------------------------


def test_an_llm_answers() -> None:
    """It gets the messages as they are, also with braces in them; its words, name and tokens come back."""
    asked: list[ChatMessage] = []

    def answer(messages: Sequence[ChatMessage]) -> ChatResponse:
        asked.extend(messages)
        raw = {"usage": {"prompt_tokens": 12, "completion_tokens": 3}}
        return ChatResponse(message=ChatMessage(role="assistant", content="Hi {you}."), raw=raw)

    model: ChatModel = LlamaIndexChatModel(Scripted(answer))
    found = model.answer(prompt("hello {name}"))
    assert (found.text, found.model) == ("Hi {you}.", "scripted-1")
    assert (found.usage.requests, found.usage.input_tokens, found.usage.output_tokens) == (1, 12, 3)
    assert [(message.role.value, message.content) for message in asked] == [
        ("system", "Be {brief}."),
        ("user", "hello {name}"),
    ]
    assert model.name == "llamaindex:scripted-1"
    assert model.vision is False
    beside = answering("x", additional_kwargs={"prompt_tokens": 5, "completion_tokens": 7})
    assert LlamaIndexChatModel(beside).answer(prompt()).usage.output_tokens == 7


def test_an_llm_is_shown_pictures_only_where_it_sees() -> None:
    """The bytes arrive with their type; a model that is not said to see refuses."""
    asked: list[ChatMessage] = []

    def answer(messages: Sequence[ChatMessage]) -> ChatResponse:
        asked.extend(messages)
        return ChatResponse(message=ChatMessage(role="assistant", content="A square."))

    shown = prompt("what is this?", pictures=[Picture(data=png(), content_type="image/png")])
    LlamaIndexChatModel(Scripted(answer), vision=True).answer(shown)
    text, picture = asked[-1].blocks
    assert isinstance(text, TextBlock)
    assert isinstance(picture, ImageBlock)
    assert picture.resolve_image().read() == png()
    assert picture.image_mimetype == "image/png"
    with pytest.raises(ModelRefused, match="shown no pictures"):
        LlamaIndexChatModel(Scripted(answer)).answer(shown)


def test_a_schema_is_asked_by_a_tool() -> None:
    """An LLM that calls tools gets one with the schema, and its arguments are the answer."""
    given: list[Any] = []

    def script(messages: Sequence[ChatMessage], tools: Sequence[Any] = (), **_: Any) -> ChatMessage:
        given.extend([messages, tools])
        call = ToolCallBlock(tool_call_id="c", tool_name="answer", tool_kwargs={"facts": ["likes 茶"]})
        return ChatMessage(role="assistant", blocks=[call])

    model = LlamaIndexChatModel(Calling(script))
    found = model.answer(prompt(schema=SCHEMA, schema_name="facts"))
    assert json.loads(found.text) == {"facts": ["likes 茶"]}
    [tool] = given[1]
    assert tool.metadata.name == "facts"
    assert tool.metadata.get_parameters_dict() == SCHEMA
    assert tool.metadata.to_openai_tool()["function"]["parameters"] == SCHEMA

    said = Calling(lambda *_, **__: ChatMessage(role="assistant", content='{"facts": []}'))
    assert LlamaIndexChatModel(said).answer(prompt(schema=SCHEMA)).text == '{"facts": []}'


def test_a_schema_is_asked_in_words_else() -> None:
    """The schema stands in the one system message, and a fence around the answer is taken off."""
    asked: list[Sequence[ChatMessage]] = []

    def answer(messages: Sequence[ChatMessage]) -> ChatResponse:
        asked.append(messages)
        return ChatResponse(message=ChatMessage(role="assistant", content='```json\n{"facts": []}\n```'))

    model = LlamaIndexChatModel(Scripted(answer))
    assert model.answer(prompt(schema=SCHEMA)).text == '{"facts": []}'
    assert [message.role.value for message in asked[0]] == ["system", "user"]
    assert str(asked[0][0].content).startswith("Be {brief}.")
    assert json.dumps(SCHEMA) in str(asked[0][0].content)
    alone = Prompt(messages=(PromptMessage(role="user", text="hello"),), schema=SCHEMA)
    model.answer(alone)
    assert [message.role.value for message in asked[1]] == ["system", "user"]


def test_the_most_tokens_are_said_in_the_llms_own_word() -> None:
    """Under the name that the integration has for it, or not at all."""
    given: list[dict[str, Any]] = []

    def script(messages: Sequence[ChatMessage], **settings: Any) -> ChatMessage:  # noqa: ARG001 - LlamaIndex's call
        given.append(settings)
        return ChatMessage(role="assistant", content="x")

    llm = Calling(script)
    for name in ("max_tokens", "num_predict", None):
        LlamaIndexChatModel(llm, max_tokens=name).answer(prompt(max_tokens=9))
    assert given == [{"max_tokens": 9}, {"num_predict": 9}, {}]


def test_an_answer_may_be_streamed() -> None:
    """Piece by piece; what breaks off in the middle is an error behind the pieces that came."""
    assert list(LlamaIndexChatModel(answering("one two")).stream(prompt())) == ["one", "two"]
    pieces = LlamaIndexChatModel(answering("one ! two")).stream(prompt())
    assert next(pieces) == "one"
    with pytest.raises(ModelUnavailable) as caught:
        next(pieces)
    assert caught.value.retryable


def test_an_empty_answer_is_an_error() -> None:
    """No words, an empty fence, no pieces."""
    for text, schema in (("", None), (" ", None), ("```json\n\n```", SCHEMA)):
        with pytest.raises(ModelAnswerError):
            LlamaIndexChatModel(answering(text)).answer(prompt(schema=schema))
    with pytest.raises(ModelAnswerError):
        list(LlamaIndexChatModel(answering("")).stream(prompt()))


@pytest.mark.parametrize(
    ("status", "headers", "error", "retry_after"),
    [
        (401, {}, ModelRefused, None),
        (404, {}, ModelRefused, None),
        (422, {}, ModelRefused, None),
        (429, {"Retry-After": "7"}, ModelUnavailable, 7.0),
        (500, {}, ModelUnavailable, None),
        (503, {"Retry-After": "soon"}, ModelUnavailable, None),
        (418, {}, ModelError, None),
    ],
)
def test_what_a_servers_status_means(
    status: int, headers: dict[str, str], error: type[ModelError], retry_after: float | None
) -> None:
    """Over a real socket, by the error that the integration's own HTTP client raises."""
    with server(status, headers) as url:

        def answer(_: Sequence[ChatMessage]) -> ChatResponse:
            httpx.get(url, trust_env=False).raise_for_status()
            raise AssertionError

        with pytest.raises(ModelError) as caught:
            LlamaIndexChatModel(Scripted(answer)).answer(prompt())
    assert type(caught.value) is error
    assert str(status) in str(caught.value)
    assert caught.value.retry_after == retry_after
    assert caught.value.retryable is (error is ModelUnavailable)


class RateLimitError(Exception):
    """An error of an integration that says by its name alone what it is."""


class AuthenticationError(Exception):
    """Another one."""


def _refused(_: Sequence[ChatMessage]) -> ChatResponse:
    httpx.get("http://127.0.0.1:9/", trust_env=False)
    raise AssertionError


def _wrapped(_: Sequence[ChatMessage]) -> ChatResponse:
    raise RuntimeError("the client gave up") from TimeoutError()


def _raising(error: Exception) -> Callable[[Sequence[ChatMessage]], ChatResponse]:
    def answer(_: Sequence[ChatMessage]) -> ChatResponse:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_refused, ModelUnavailable),
        (_wrapped, ModelUnavailable),
        (_raising(RateLimitError()), ModelUnavailable),
        (_raising(AuthenticationError("sk-secret")), ModelRefused),
        (_raising(KeyError("sk-secret")), ModelError),
    ],
)
def test_what_other_errors_mean(
    answer: Callable[[Sequence[ChatMessage]], ChatResponse], error: type[ModelError]
) -> None:
    """A server that is not there, a timeout inside another error, and names that say it; never the server's words."""
    with pytest.raises(ModelError) as caught:
        LlamaIndexChatModel(Scripted(answer)).answer(prompt())
    assert type(caught.value) is error
    assert caught.value.__cause__ is not None
    assert "sk-secret" not in str(caught.value)


def test_only_an_llm_will_do() -> None:
    """Something else is an error at once."""
    with pytest.raises(ConfigError, match="an LLM of LlamaIndex"):
        LlamaIndexChatModel("gpt")  # type: ignore[arg-type]
