"""The client for OpenAI-compatible servers, against a real server on this machine."""

from __future__ import annotations

import email.utils
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest

from memplug.exceptions import (
    ConfigError,
    ModelAnswerError,
    ModelError,
    ModelRefused,
    ModelUnavailable,
)
from memplug.models import bounded
from memplug.models.checked import checked
from memplug.models.openai import OpenAIChatModel
from memplug.plugins.metering import metered
from memplug.testing.endpoint import Asked, Failure, ModelServer, Reply
from memplug.values.endpoint import Endpoint, Prices
from memplug.values.prompt import Answer, Picture, Prompt, PromptMessage, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

KEY = "sk-very-secret-key"
WORDS = "the words that nobody else may read"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server that insists on its key."""
    with ModelServer(api_key=KEY) as running:
        yield running


@pytest.fixture
def make(server: ModelServer) -> Iterator[Callable[..., OpenAIChatModel]]:
    """Makes models on the server, and closes them."""
    made: list[OpenAIChatModel] = []

    def make(argument: str = "gpt-test", **settings: Any) -> OpenAIChatModel:
        made.append(server.model(argument, **settings))
        return made[-1]

    yield make
    for model in made:
        model.close()


def patience(answer: Any) -> float:
    """Short where nothing will come: a busy machine must not make anything else late."""
    return 0.2 if isinstance(answer, Failure) and answer.delay else 30.0


def question(text: str = WORDS, **settings: Any) -> Prompt:
    """A question with a system message."""
    messages = (PromptMessage(role="system", text="Be brief."), PromptMessage(role="user", text=text))
    return Prompt(messages=messages, **settings)


def test_an_answer_comes_with_what_it_took(server: ModelServer, make: Callable[..., OpenAIChatModel]) -> None:
    """Text, the server's name for the model, tokens as the server counts them, and the cost by the user's prices."""
    server.on("", Reply(text="Hello, Wang.", input_tokens=2_000, output_tokens=500))
    answer = make(prices=Prices(input=0.5, output=4.0)).answer(question(max_tokens=20))
    assert (answer.text, answer.model) == ("Hello, Wang.", "gpt-test")
    assert answer.usage == Usage(requests=1, input_tokens=2_000, output_tokens=500, cost=0.003)
    assert make().answer(question()).usage.cost is None
    [first, _] = server.requests
    assert (first.texts, first.key) == (("Be brief.", WORDS), KEY)
    assert (first.body["max_tokens"], first.model) == (20, "gpt-test")


def test_pictures_are_sent_as_they_are(server: ModelServer, make: Callable[..., OpenAIChatModel]) -> None:
    """Behind the words of their message; without pictures it is plain text, since not every server takes parts."""
    server.on("", "a cat")
    pictures = (
        Picture(data=b"\x89PNG", content_type="image/png"),
        Picture(data=b"\xff\xd8", content_type="image/jpeg"),
    )
    message = PromptMessage(role="user", text="What is it?", pictures=pictures)
    assert make().answer(Prompt(messages=(*question().messages, message))).text == "a cat"
    [asked] = server.requests
    assert asked.pictures == (b"\x89PNG", b"\xff\xd8")
    assert asked.texts[-1] == "What is it?"
    assert asked.body["messages"][1]["content"] == WORDS
    assert asked.body["messages"][2]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_refusal_is_final(server: ModelServer, make: Callable[..., OpenAIChatModel], status: int) -> None:
    """It is not tried again, and says what to look at."""
    server.on("", Failure(status=status, message=f"no, {KEY}, {WORDS}"))
    with pytest.raises(ModelRefused, match=f"answered {status}") as caught:
        make(retries=3).answer(question())
    assert (caught.value.retryable, caught.value.code) == (False, "model.refused")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_says_so(server: ModelServer, make: Callable[..., OpenAIChatModel], status: int) -> None:
    """Also for how long the server wants to be left alone."""
    server.on("", Failure(status=status, headers={"Retry-After": "40"}))
    with pytest.raises(ModelUnavailable, match=f"answered {status}") as caught:
        make(retries=2).answer(question())
    assert (caught.value.retryable, caught.value.retry_after) == (True, 40.0)
    assert len(server.requests) == 1, "nobody is kept waiting for 40 seconds: a task waits"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "9" * 20}, 86_400.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "nan"}, None),
        ({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_every_form_of_retry_after_is_read(
    server: ModelServer, make: Callable[..., OpenAIChatModel], headers: dict[str, str], expected: float | None
) -> None:
    """Seconds, milliseconds or a date; nonsense counts as not said, and nothing counts for more than a day."""
    server.on("", Failure(status=429, headers=headers))
    with pytest.raises(ModelUnavailable) as caught:
        make().answer(question())
    assert caught.value.retry_after == expected


def test_a_date_to_come_is_so_many_seconds_away(server: ModelServer, make: Callable[..., OpenAIChatModel]) -> None:
    """By the machine's clock."""
    date = email.utils.formatdate(time.time() + 1_000, usegmt=True)
    server.on("", Failure(status=503, headers={"Retry-After": date}))
    with pytest.raises(ModelUnavailable) as caught:
        make().answer(question())
    assert caught.value.retry_after is not None
    assert 900 < caught.value.retry_after <= 1_000


def test_a_failure_that_passes_costs_a_moment_and_no_error(
    server: ModelServer, make: Callable[..., OpenAIChatModel]
) -> None:
    """As often as ``retries`` says, after the pause that the server asked for."""
    server.on("", "at last")
    server.on("", Failure(status=429, headers={"retry-after-ms": "1"}), times=2)
    assert make(retries=2).answer(question()).text == "at last"
    server.on("", Failure(status=503, headers={"retry-after-ms": "1"}), times=2)
    with pytest.raises(ModelUnavailable, match="answered 503"):
        make(retries=1).answer(question())
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Failure(delay=30), ModelUnavailable, "cannot be reached, or answers too slowly"),
        (Failure(disconnect="before"), ModelUnavailable, "cannot be reached"),
        (Failure(status=200, body='{"choices": []}', disconnect="inside"), ModelUnavailable, "cannot be reached"),
        (
            Failure(status=307, headers={"Location": "http://127.0.0.1:9/v1"}),
            ModelRefused,
            "wants to be asked elsewhere",
        ),
        (Failure(status=200, body="{no json"), ModelAnswerError, "cannot be read: JSONDecodeError"),
        (Failure(status=200, body="<html>"), ModelAnswerError, "cannot be read"),
        (Failure(status=200, body="[]"), ModelAnswerError, "cannot be read"),
        (Failure(status=200, body="{}"), ModelAnswerError, "cannot be read"),
        (Failure(status=200, body='{"choices": []}'), ModelAnswerError, "cannot be read"),
        (Failure(status=200, body='{"choices": [{"message": null}]}'), ModelAnswerError, "cannot be read"),
        (Reply(text=" \n"), ModelAnswerError, "empty answer"),
        (Reply(text="half a", finish_reason="length"), ModelAnswerError, "broke off"),
        (Reply(refusal=WORDS), ModelRefused, "declined"),
        (Reply(text="x", finish_reason="content_filter"), ModelRefused, "declined"),
    ],
)
def test_every_other_failure_is_typed(
    server: ModelServer, make: Callable[..., OpenAIChatModel], answer: Any, error: type[ModelError], words: str
) -> None:
    """Slow, gone, elsewhere, nonsense, empty, cut off, declined."""
    server.on("", answer)
    with pytest.raises(error, match=words) as caught:
        make(timeout=patience(answer)).answer(question())
    assert caught.value.retryable is (error is not ModelRefused)
    assert WORDS not in str(caught.value)


@contextmanager
def sending(head: str, chunks: Iterable[bytes], pause: float) -> Iterator[str]:
    """A server whose answer begins with a head and goes on with chunks, with a pause before each; its address."""
    gone = threading.Event()

    def talk() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {head}\r\nConnection: close\r\n\r\n".encode())
            for chunk in chunks:
                if gone.wait(pause):
                    return
                connection.sendall(chunk)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        talking = threading.Thread(target=talk)
        talking.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            gone.set()
            talking.join()


@pytest.mark.parametrize(
    ("head", "chunk"), [("application/json", b" "), ("text/event-stream", b": still thinking\n\n")]
)
def test_an_answer_has_its_time_as_a_whole(head: str, chunk: bytes) -> None:
    """A server that keeps the connection open, byte by byte, is given up like a silent one."""
    with sending(head, repeat(chunk), pause=0.05) as url:
        model = OpenAIChatModel("slow", base_url=url, api_key=KEY, timeout=0.3, retries=0)
        ask = model.stream if "stream" in head else lambda prompt: [model.answer(prompt).text]
        with pytest.raises(ModelUnavailable):
            list(ask(question()))
        model.close()


def test_a_stream_may_take_longer_as_a_whole(server: ModelServer, make: Callable[..., OpenAIChatModel]) -> None:
    """Its pieces come in time, and what the caller does between them is not the server's time."""
    piece = b'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": '
    word, last = piece + b'[{"index": 0, "delta": {"content": "x"}}]}\n\n', piece
    last += b'[{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    with sending("text/event-stream", [word] * 4 + [last], pause=0.4) as url:
        model = OpenAIChatModel("long", base_url=url, api_key=KEY, timeout=1.5, retries=0)
        assert "".join(model.stream(question())) == "xxxx"
        model.close()
    server.on("", "a b c")
    stream = make(timeout=0.5).stream(question())
    assert next(stream) == "a "
    threading.Event().wait(0.7)
    assert list(stream) == ["b ", "c"]


def test_an_answer_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not fill the memory of the machine."""
    monkeypatch.setattr(bounded, "LONGEST", 1_000_000)
    with sending("application/json", repeat(b" " * 100_000), pause=0) as url:
        model = OpenAIChatModel("endless", base_url=url, api_key=KEY, retries=0)
        with pytest.raises(ModelAnswerError, match=r"more than 1,000,000 bytes|without an end"):
            model.answer(question())
        model.close()


def test_a_server_that_is_down_is_a_failure_that_may_pass() -> None:
    """Nobody listens there."""
    with ModelServer() as server:
        url = server.url
    model = OpenAIChatModel("m", base_url=url, retries=0)
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        model.answer(question())
    model.close()


def test_a_redirect_is_not_followed(make: Callable[..., OpenAIChatModel], server: ModelServer) -> None:
    """What is asked goes where the user said, and nowhere else."""
    with ModelServer() as other:
        other.on("", "caught it")
        server.on("", Failure(status=307, headers={"Location": f"{other.url}/chat/completions"}))
        with pytest.raises(ModelRefused):
            make().answer(question())
        assert other.requests == []


def test_neither_key_nor_content_is_shown_or_logged(
    server: ModelServer, make: Callable[..., OpenAIChatModel], caplog: pytest.LogCaptureFixture
) -> None:
    """Not by ``repr``, errors or any logger, the client's too; also where the server repeats them."""
    caplog.set_level(logging.DEBUG)
    model = make(retries=1)
    server.on("", Failure(status=500, message=f"{KEY} {WORDS}", headers={"retry-after-ms": "1"}))
    with pytest.raises(ModelUnavailable) as caught:
        model.answer(question())
    server.on("", f"answer: {WORDS}")
    answer = model.answer(question())
    shown = [repr(model), repr(answer), repr(question()), str(caught.value), repr(caught.value), caplog.text]
    shown += [str(vars(record)) for record in caplog.records]
    assert not [text for text in shown if KEY in text or WORDS in text]


def test_a_stream_comes_piece_by_piece(server: ModelServer, make: Callable[..., OpenAIChatModel]) -> None:
    """The pieces are the answer; it is asked for with ``stream``, and can be left in the middle."""
    server.on("", "Tea is ready, Wang.")
    model = make(concurrency=1)
    assert list(model.stream(question())) == ["Tea ", "is ", "ready, ", "Wang."]
    begun = model.stream(question())
    assert next(begun) == "Tea "
    begun.close()  # type: ignore[attr-defined]  # it is a generator
    assert model.answer(question()).text == "Tea is ready, Wang.", "the only place is free again"
    assert [asked.stream for asked in server.requests] == [True, True, False]
    with pytest.raises(ConfigError, match="streamed"):
        list(model.stream(question(schema={"type": "object"})))


def test_a_stream_that_breaks_off_says_so_after_what_came(
    server: ModelServer, make: Callable[..., OpenAIChatModel]
) -> None:
    """What was handed out stays; then comes the error, and not a silent end."""
    server.on("", Failure(disconnect="inside", message="Tea is"))
    pieces: list[str] = []
    with pytest.raises(ModelUnavailable):
        pieces.extend(make().stream(question()))
    assert pieces == ["Tea ", "is"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Failure(status=401), ModelRefused),
        (Failure(status=500), ModelUnavailable),
        (Failure(delay=30), ModelUnavailable),
        (Failure(disconnect="before"), ModelUnavailable),
        (Failure(status=200, body="data: {no json\n\n"), ModelAnswerError),
        (Failure(status=200, body='data: {"error": {"message": "overloaded"}}\n\n'), ModelUnavailable),
        (
            Failure(status=200, body='data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'),
            ModelUnavailable,
        ),
        (Reply(text=""), ModelAnswerError),
        (Reply(text="half a", finish_reason="length"), ModelAnswerError),
        (Reply(text="x", finish_reason="content_filter"), ModelRefused),
    ],
)
def test_every_failure_of_a_stream_is_typed(
    server: ModelServer, make: Callable[..., OpenAIChatModel], answer: Any, error: type[ModelError]
) -> None:
    """Also an end that is none: without a reason to end, somebody went away."""
    server.on("", answer)
    with pytest.raises(error):
        list(make(timeout=patience(answer)).stream(question()))


def test_the_beginning_of_a_stream_is_tried_again(server: ModelServer, make: Callable[..., OpenAIChatModel]) -> None:
    """Nothing was handed out yet."""
    server.on("", "Tea is ready.")
    server.on("", Failure(status=503, headers={"retry-after-ms": "1"}), times=1)
    assert "".join(make(retries=1).stream(question())) == "Tea is ready."


def test_no_more_requests_at_once_than_allowed(server: ModelServer, make: Callable[..., OpenAIChatModel]) -> None:
    """Eight threads, two places: all are answered, never three at once."""
    lock, now, most = threading.Lock(), 0, 0

    def count(_: Asked) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.02)
        with lock:
            now -= 1
        return "yes"

    server.on("", count)
    model = make(concurrency=2)
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(model.answer(question()).text)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers, most) == (["yes"] * 8, 2)


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("known", "asked_first", "asked_then"),
    [
        ({"json_schema", "json_object"}, ["json_schema"], ["json_schema"]),
        ({"json_object"}, ["json_schema", "json_object"], ["json_object"]),
        (set(), ["json_schema", "json_object", None], [None]),
    ],
)
def test_a_server_that_knows_no_schemas_is_asked_in_words(
    known: set[str], asked_first: list[str | None], asked_then: list[str | None]
) -> None:
    """It is found out by its refusal, once, and remembered; the schema stands in the words then."""
    with ModelServer(structured=known) as server:
        server.on("", {"a": "b"})
        model = server.model()
        for expected in (asked_first, asked_then):
            del server.requests[:]
            assert model.answer(question(schema=SCHEMA)).text == '{"a": "b"}'
            assert [asked.body.get("response_format", {}).get("type") for asked in server.requests] == expected
        in_words = '"additionalProperties": false' in server.requests[-1].texts[0]
        assert in_words is (asked_then != ["json_schema"])
        assert len(server.requests[-1].texts) == 2, "one system message in front, as some servers insist"
        model.close()


def test_a_limit_on_tokens_goes_under_the_name_that_the_server_takes(
    server: ModelServer, make: Callable[..., OpenAIChatModel]
) -> None:
    """Found out once; a server that takes neither refuses the number itself."""
    server.on("", "short")
    unknown = Failure(status=400, message="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    server.on(lambda asked: "max_tokens" in asked.body, unknown)
    model = make()
    assert [model.answer(question(max_tokens=5)).text for _ in range(2)] == ["short"] * 2
    assert [one for asked in server.requests for one in asked.body if "tokens" in one] == [
        "max_tokens",
        "max_completion_tokens",
        "max_completion_tokens",
    ]
    server.on("", Failure(status=400, message="max_tokens and max_completion_tokens must be positive"))
    with pytest.raises(ModelRefused, match="answered 400"):
        make().answer(question(max_tokens=5))


class Foreign:
    """A third party's model that answers what it was made with."""

    name = "foreign:x"
    vision = False

    def __init__(self, given: Any) -> None:
        self.given = given

    def answer(self, prompt: Prompt) -> Any:
        """The answer, or its error."""
        assert prompt.messages
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """A piece, and then the same."""
        yield "a piece"
        yield self.answer(prompt).text


def test_a_foreign_model_that_is_broken_raises_model_errors() -> None:
    """Its own words, which may repeat what was said, stay in ``__cause__``; typed errors pass."""
    broken = checked(Foreign(ValueError(WORDS)))
    with pytest.raises(ModelError, match="'foreign:x' raised ValueError") as caught:
        broken.answer(question())
    assert WORDS not in str(caught.value)
    with pytest.raises(ModelError, match="raised ValueError"):
        list(broken.stream(question()))
    with pytest.raises(ModelAnswerError, match="a str instead of an Answer"):
        checked(Foreign("text")).answer(question())
    with pytest.raises(ModelUnavailable):
        checked(Foreign(ModelUnavailable("busy"))).answer(question())
    assert checked(broken) is broken


def test_a_model_that_cannot_see_is_shown_nothing() -> None:
    """The picture is not even handed to it."""
    picture = Picture(data=b"x", content_type="image/png")
    prompt = Prompt(messages=(PromptMessage(role="user", text="?", pictures=(picture,)),))
    with pytest.raises(ModelRefused, match="not set up to be shown pictures"):
        checked(Foreign(AssertionError("asked"))).answer(prompt)


def test_what_is_asked_inside_a_piece_of_work_is_counted() -> None:
    """By whoever asks; a meter around another one counts it too; outside nobody counts."""
    model = checked(Foreign(Answer(text="a", model="m", usage=Usage(requests=1, input_tokens=3, cost=0.5))))
    model.answer(question())
    with metered() as outer:
        model.answer(question())
        with metered() as inner:
            model.answer(question())
    assert (inner.usage.requests, outer.usage.requests) == (1, 2)
    assert outer.usage == Usage(requests=2, input_tokens=6, cost=1.0)


def test_nothing_is_sent_unless_the_user_said_where_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key or a server; a name; numbers that mean something; an address that is one and holds no password."""
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match="neither a key nor a server"):
        OpenAIChatModel("m")
    with pytest.raises(ConfigError, match="needs a name"):
        OpenAIChatModel("", api_key="k")
    wrong: list[dict[str, Any]] = [{"timeout": 0}, {"retries": -1}, {"concurrency": 0}]
    for settings in wrong:
        with pytest.raises(ConfigError, match="needs a timeout above 0"):
            OpenAIChatModel("m", api_key="k", **settings)
    for url in ("localhost:8000", "ftp://host/v1", "http://", "http://[::1", "https://me:password@host/v1"):
        with pytest.raises(ConfigError, match="needs a server's address") as caught:
            OpenAIChatModel("m", base_url=url)
        assert "password" not in str(caught.value)


def test_a_key_is_only_sent_where_it_is_meant_to_go(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that the configuration names gets the key that is named for it, and never OpenAI's."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-openai-only")
    monkeypatch.setenv("MY_KEY", KEY)
    server.on("", "yes")
    model = OpenAIChatModel.configured("m", Endpoint(base_url=server.url, api_key_env="MY_KEY", retries=0))
    assert model.answer(question()).text == "yes"
    model.close()
    model = OpenAIChatModel.configured("m", Endpoint(base_url=server.url, retries=0))
    with pytest.raises(ModelRefused, match="answered 401"):
        model.answer(question())
    model.close()
    assert [asked.key for asked in server.requests] == [KEY, "none"]
    with pytest.raises(ConfigError, match="environment variable NOT_THERE, which is empty"):
        OpenAIChatModel.configured("m", Endpoint(api_key_env="NOT_THERE"))


FORKED = """
import os, sys
from memplug.models.openai import OpenAIChatModel
from memplug.values.prompt import Prompt, PromptMessage
model = OpenAIChatModel("m", base_url=sys.argv[1], retries=0, concurrency=1)
def ask(words):
    return model.answer(Prompt(messages=(PromptMessage(role="user", text=words),))).text
answers = [ask("parent")]
held = model.stream(Prompt(messages=(PromptMessage(role="user", text="stream"),)))
next(held)
child = os.fork()
if child == 0:
    right = [ask(f"child {number}") for number in range(20)] == [f"child {number}" for number in range(20)]
    model.close()
    os._exit(0 if right else 1)
held.close()
answers += [ask(f"parent {number}") for number in range(20)]
print(answers == ["parent", *(f"parent {number}" for number in range(20))], os.waitpid(child, 0)[1])
model.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_connections_of_its_own() -> None:
    """Neither gets the other's answers, and a place that was taken at the fork is free in the child."""
    with ModelServer() as server:
        server.on("", lambda asked: asked.text)
        command = [sys.executable, "-c", FORKED, server.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert (done.stdout, done.stderr) == ("True 0\n", "")


def test_without_the_extra_the_error_says_what_to_install() -> None:
    """Opening a memory with a model says so at once."""
    program = """
import sys
sys.modules["stamina"] = None
from memplug import Memory
from memplug.exceptions import MissingExtra
try:
    Memory("memory://", model="openai:m", embedder="hashing:64")
except MissingExtra as error:
    print(error)
"""
    environ = os.environ | {"OPENAI_API_KEY": "k"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout == "the model 'openai' needs its extra: pip install 'memplug[openai]'\n"
