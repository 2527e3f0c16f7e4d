"""The test endpoint itself: what plugin authors rely on."""

from __future__ import annotations

import json
import types
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from memplug import Memory, hookimpl
from memplug.exceptions import ConfigError, ModelError, ModelRefused, PluginError
from memplug.testing import fixtures
from memplug.testing.endpoint import Asked, Failure, ModelServer, Reply
from memplug.values.endpoint import Endpoint
from memplug.values.prompt import Answer, Prompt, PromptMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.plugins.models import ChatModel

model_server = fixtures.model_server

PROMPT = Prompt(messages=(PromptMessage(role="user", text="What did dinner cost?"),))


def test_the_newest_rule_that_takes_a_request_answers_it() -> None:
    """Words, a predicate, everything; a rule for so many requests gives way to the older ones."""
    with ModelServer() as server:
        model = server.model()
        server.on("", "anything")
        server.on("dinner", "42.50")
        server.on(lambda asked: asked.model == "other", "from the other")
        server.on("", "once", times=1)
        assert [model.answer(PROMPT).text for _ in range(2)] == ["once", "42.50"]
        other = server.model("other")
        assert other.answer(PROMPT).text == "from the other"
        assert model.answer(Prompt(messages=(PromptMessage(role="user", text="?"),))).text == "anything"


def test_a_request_without_a_rule_is_refused() -> None:
    """A test that forgot one notices."""
    with ModelServer() as server:
        model = server.model()
        with pytest.raises(ModelRefused, match="answered 400"):
            model.answer(PROMPT)
    with pytest.raises(RuntimeError, match="inside `with`"):
        _ = ModelServer().url


def test_an_assertion_inside_a_rule_fails_the_test() -> None:
    """The end of the ``with`` raises it, and does not hide another error."""

    def check(asked: Asked) -> str:
        assert "lunch" in asked.text, "it was about dinner"
        return "yes"

    def ask_in_vain() -> None:
        with ModelServer() as server:
            server.on("", check)
            model = server.model()
            with pytest.raises(Exception, match="answered 500"):
                model.answer(PROMPT)

    with pytest.raises(AssertionError, match="it was about dinner"):
        ask_in_vain()


def test_openais_own_client_takes_what_it_speaks() -> None:
    """Models, tools, vectors in both forms of input, and a schema that OpenAI would refuse."""
    with ModelServer(api_key="k") as server, openai.OpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["test"]
        server.on("", Reply(tool_calls=[("search", {"query": "dinner"})]))
        tool: Any = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
        messages: Any = [{"role": "user", "content": "?"}]
        done = client.chat.completions.create(model="m", messages=messages, tools=[tool])
        [call] = done.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert (call.function.name, json.loads(call.function.arguments)) == ("search", {"query": "dinner"})
        assert (done.choices[0].finish_reason, server.requests[-1].tools) == ("tool_calls", ("search",))
        rows = [client.embeddings.create(model="v", input=one).data[0].embedding for one in ("tea", ["tea"])]
        assert rows[0] == rows[1]
        assert len(rows[0]) == 64
        loose: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True}}
        with pytest.raises(openai.BadRequestError, match="additionalProperties"):
            client.chat.completions.create(model="m", messages=messages, response_format=loose)
        with pytest.raises(openai.NotFoundError):
            client.completions.create(model="m", prompt="?")
    with ModelServer(api_key="k") as server, openai.OpenAI(base_url=server.url, api_key="x", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
        assert httpx.post(f"{server.url}/chat/completions", content=b"{no json").status_code == 400


def test_vectors_that_share_words_are_near_each_other(model_server: ModelServer) -> None:
    """So that a search over them finds something; a rule can give others, or fail."""
    with Memory("memory://", embedder="openai:vectors") as memory:
        for text in ("The soup was spicy.", "The car is blue.", "Taxes are due."):
            memory.add(text, user_id="u")
        assert memory.search("spicy soup", user_id="u")[0].text == "The soup was spicy."
        model_server.on("", Failure(status=400), about="embeddings")
        with pytest.raises(PluginError, match="answered 400"):
            memory.search("spicy soup", user_id="u")


def test_the_fixture_stands_in_the_environment(model_server: ModelServer) -> None:
    """A memory asks it by name alone; it is the memory that lets go of it."""
    model_server.on("", "yes")
    with Memory("memory://", embedder="hashing:64", model="openai:test", vision_model="openai:test") as memory:
        models = memory.engine.models
        assert [one.answer(PROMPT).text for one in (models.model, models.vision) if one] == ["yes", "yes"]
    assert [asked.key for asked in model_server.requests] == ["test", "test"]
    for one in (models.model, models.vision):
        assert one is not None
        with pytest.raises(ModelError):
            one.answer(PROMPT)


class Echo:
    """A chat model of a plugin."""

    vision = True

    def __init__(self, argument: str, endpoint: Endpoint | None = None) -> None:
        self.name = f"echo:{argument}"
        self.endpoint = endpoint

    def answer(self, prompt: Prompt) -> Answer:
        """The last words again."""
        return Answer(text=prompt.messages[-1].text, model=self.name)

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The same in pieces."""
        yield from self.answer(prompt).text.split()


def test_a_plugin_brings_models_as_the_built_in_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name and argument, with the endpoint where its factory has to have one; `memplug plugins` lists it."""
    given: list[Endpoint] = []

    def configured(argument: str, endpoint: Endpoint) -> ChatModel:
        given.append(endpoint)
        return Echo(argument, endpoint)

    def broken(argument: str) -> ChatModel:
        raise ValueError(argument)

    plugin = types.ModuleType("memplug_echo")

    @hookimpl
    def register_models(register: Callable[[str, Callable[..., Any]], None]) -> None:
        register("echo", Echo)
        register("configured", configured)
        register("broken", broken)
        register("lame", lambda argument: argument)

    plugin.register_models = register_models  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setenv("MEMPLUG_MODEL", "configured:b")
    with Memory("memory://", embedder="hashing:64", plugins=[plugin], vision_model="echo:a:1") as memory:
        models = memory.engine.models
        assert models.model is not None
        assert models.vision is not None
        assert (models.vision.name, models.model.name, given) == ("echo:a:1", "echo:b", [Endpoint()])
        assert models.model.answer(PROMPT).text == "What did dinner cost?"
        row = next(one for one in memory.engine.plugins.plugins() if one.name == "memplug_echo")
        assert row.registered == ("model:echo", "model:configured", "model:broken", "model:lame")
    for wrong, words in (("broken:x", "ValueError: x"), ("lame:x", "a str without name, vision, answer, stream")):
        with pytest.raises(PluginError, match=words):
            Memory("memory://", embedder="hashing:64", plugins=[plugin], model=wrong)
    with pytest.raises(ConfigError, match="known: broken, configured, echo, lame, openai"):
        Memory("memory://", embedder="hashing:64", plugins=[plugin], model="nobody:x")
