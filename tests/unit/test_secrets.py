"""Secrets in texts: what is one, what is none, and the guard that keeps them out of the store."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplug import Memory
from memplug.embedders.checked import checked
from memplug.embedders.hashing import HashingEmbedder
from memplug.exceptions import ConfigError, ModelRefused
from memplug.models.redacting import RedactingModel, redacting
from memplug.plugins.redaction import RedactSecrets
from memplug.safety.secrets import find_secrets, redacted, redacted_json
from memplug.values.draft import Draft
from memplug.values.prompt import Answer, Picture, Prompt, PromptMessage
from memplug.values.scope import Scope
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

#: Made up, and put together here so that no scanner takes this file for a leak.
RANDOM = "q7Rk2LxV9mTz4WbN8cYd"
LONG = RANDOM * 4
_KIND = "RSA PRIVATE KEY"
PEM = "\n".join([f"-----BEGIN {_KIND}-----", *[f"MIIEowIBAAKCAQEA{RANDOM}"] * 5, f"-----END {_KIND}-----"])
JWT = f"eyJ{RANDOM}.eyJ{LONG}.{LONG}"

#: What it is, a secret, and a sentence around it.
KNOWN = [
    ("aws-key", "AKIA" + "Q7RK2LXV9MTZ4WBN", "export AWS_ACCESS_KEY_ID={}"),
    ("anthropic-key", f"sk-ant-api03-{LONG}AA", "use {} for Claude"),
    ("openai-key", f"sk-proj-{LONG}", "my key:{}."),
    ("openai-key", f"sk-{RANDOM}{RANDOM}", "({})"),
    ("google-key", "AIza" + (RANDOM * 2)[:35], "?key={}&x=1"),
    ("github-token", f"ghp_{LONG[:36]}", "git clone https://{}@github.com/a/b"),
    ("github-token", f"github_pat_{RANDOM}_{LONG[:59]}", "{}"),
    ("gitlab-token", f"glpat-{RANDOM}", "PRIVATE-TOKEN {}"),
    ("slack-token", f"xoxb-123456789012-{RANDOM}", "Slack: {}"),
    ("stripe-key", f"sk_live_{RANDOM}", "stripe.api('{}')"),
    ("huggingface-token", f"hf_{LONG[:34]}", "login --with {}"),
    ("npm-token", f"npm_{LONG[:36]}", "//registry:_authToken {}"),
    ("sendgrid-key", f"SG.{RANDOM}.{LONG[:43]}", "{}"),
    ("telegram-token", f"1234567890:AA{LONG[:33]}", "bot {} is up"),
    ("jwt", JWT, "cookie {} end"),
    ("private-key", PEM, "here:\n{}\nthat was it"),
    ("private-key", json.dumps(PEM)[1:-1], '{{"key_file": "{}"}}'),
    ("url-password", "s3cr3t!pw", "postgres://bob:{}@db.example.org:5432/x"),
    ("authorization", RANDOM, "Authorization: Bearer {}"),
    ("authorization", "dXNlcjpwYXNz", '{{"authorization": "Basic {}"}}'),
    ("bearer-token", RANDOM, "send it as bearer {} please"),
    ("key", RANDOM, "api_key={}"),
    ("password", "hunter2zz", "export DB_PASS={}"),
    ("password", "hunter2zz", "SMTP_PW='{}'"),
    ("password", "geheim123", "Das Passwort: {}"),
    ("password", "secreto1", "contraseña: {}"),
    ("password", "geheim123", "\u043f\u0430\u0440\u043e\u043b\u044c: {}"),
    ("key", RANDOM, '{{"clientSecret": "{}"}}'),
    ("key", RANDOM, '"{{\\"access_token\\": \\"{}\\"}}"'),
    ("key", RANDOM, "密钥是{}。"),
    ("password", "hunter2", "password: {}"),
    ("password", "correct horse battery", "passphrase = '{}'"),
    ("password", "swordfish", "my password is {}"),
    ("password", "abc12345", "我的密码是{}\uff0c别忘了"),
    ("password", "hunter2", "mysql --password {} -u root"),
    ("card", "4111 1111 1111 1111", "in 2024 {} was my card"),
    ("card", "378282246310005", "Amex {}."),
    ("card", "5500-0000-0000-0004", "{}"),
]

#: What looks like one and is none.
INNOCENT = [
    "I like spicy food.",
    "my favourite library is sk-learn-contrib-with-many-examples",
    "password: required",
    "The password is stored hashed, and the token has expired.",
    "密码是多少\uff1f",
    "PASSWORD=$DB_PASSWORD and API_KEY=${API_KEY} and token: <your token>",
    "http://localhost:8080/a@b and https://example.org/?q=a:b@c",
    "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "order 4111 1111 1111 1112, phone +49 151 2345 6789, 2024-01-01 12:00:00.000",
    "0.4111111111111111 and 1700000000000 and 9781234567897",
    "token_count: 1234567890123456, sort key: last name, primary key = id",
    "call get_token() or read secrets.py; key = value",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    "550e8400-e29b-41d4-a716-446655440000",
    "[secret:aws-key] api_key=[secret:key] password: [secret:password]",
]


@pytest.mark.parametrize(("kind", "secret", "around"), KNOWN)
def test_known_formats_are_found(kind: str, secret: str, around: str) -> None:
    """The secret goes, whatever stands around it stays, and the placeholder says what it was."""
    assert redacted(around.format(secret)) == around.format(f"[secret:{kind}]")


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str) -> None:
    """Sentences about passwords, variables, digests, numbers and public keys come through as they are."""
    assert redacted(text) == text


@given(text=st.text(), number=st.integers(0, len(KNOWN) - 1))
def test_no_surroundings_hide_a_secret(text: str, number: int) -> None:
    """Whatever stands before and behind a line with a secret, nothing of it is left; and once is enough."""
    _, secret, around = KNOWN[number]
    made = redacted(f"{text}\n{around.format(secret)}\n{text}")
    assert secret not in made.replace(text, "")
    assert redacted(made) == made


def test_places_are_in_order_and_apart() -> None:
    """Secrets inside one another are one; the places are those of the text, also behind characters of several bytes."""
    text = f"😀 İ password: ghp_{LONG[:36]} and AKIA{'Q7RK2LXV9MTZ4WBN'}"
    found = find_secrets(text)
    assert [one.kind for one in found] == ["github-token", "aws-key"]
    assert all(first.end <= second.start for first, second in pairwise(found))
    assert text[found[-1].start : found[-1].end] == "AKIAQ7RK2LXV9MTZ4WBN"


def test_a_key_that_was_cut_into_passages_is_found_in_each() -> None:
    """The beginning, the middle and the end of a long PEM key are no less secret than the whole."""
    lines = [("Ab1+" + RANDOM * 4)[:64] for _ in range(30)]
    text = "\n".join(["-----BEGIN " + "PRIVATE KEY-----", *lines, "-----END " + "PRIVATE KEY-----"])
    for passage in (text[:700], text[700:1400], text[1400:]):
        left = redacted(f"before\n{passage}\nbehind")
        assert "Ab1+q7Rk" not in left
        assert left.startswith("before")
        assert left.endswith("behind")


def test_json_is_searched_by_member() -> None:
    """A member's name says that its value is a secret, at any depth; other types and names stay."""
    value = {
        "user": "bob",
        "db": [{"password": "hunter2", "port": 5432}],
        "note": f"api_key={RANDOM}",
        "ok": True,
        "x": None,
    }
    assert redacted_json(value) == {
        "user": "bob",
        "db": [{"password": "[secret:password]", "port": 5432}],
        "note": "api_key=[secret:key]",
        "ok": True,
        "x": None,
    }


# -- what is stored -----------------------------------------------------------------------------------------


def test_the_guard_redacts_all_words_of_a_draft() -> None:
    """Text, description, context, tags, metadata, source and pieces hold no secret; key and bytes are untouched."""
    said = f"api_key={RANDOM}"
    draft = Draft(
        part=0,
        kind="text",
        text=said,
        described=said,
        context=said,
        key="my key",
        tags=(said, "b"),
        metadata={"a": {"password": "hunter2"}},
        source=Provenance(role="user", file=f"{said}.txt", section=said),
        pieces=(Draft(part=0, kind="text", text=said),),
    )
    [kept] = RedactSecrets().before_add([draft], Scope(user_id="w"))
    assert RANDOM not in repr(kept)
    assert "hunter2" not in repr(kept)
    assert (kept.key, kept.text, kept.source.role) == ("my key", "api_key=[secret:key]", "user")


def test_secrets_are_stored_only_where_nobody_asked_for_less() -> None:
    """By default what the user says is stored as it is; with ``redact`` the placeholder is, in updates as well."""
    said = "The wifi password is hunter2-guest"
    with Memory("memory://", embedder="hashing:64") as memory:
        assert memory.get(memory.add(said, user_id="w").ids[0]).text == said
    with Memory("memory://", embedder="hashing:64", redact="secrets") as memory:
        [id_] = memory.add(said, user_id="w", metadata={"token": RANDOM}).ids
        item = memory.get(id_)
        assert (item.text, dict(item.metadata)) == ("The wifi password is [secret:password]", {"token": "[secret:key]"})
        assert memory.update(id_, f"It is api_key={RANDOM} now").text == "It is api_key=[secret:key] now"
        assert not [one for one in memory.history(id_) if RANDOM in repr(one) or "hunter2" in repr(one)]


def test_a_long_tool_call_holds_no_secret_either() -> None:
    """What is too long for the metadata is kept as JSON beside it, and without secrets as well."""
    arguments = json.dumps({"password": "hunter2zz", "text": "word " * 20_000})
    call = {"id": "c1", "type": "function", "function": {"name": "login", "arguments": arguments}}
    with Memory("memory://", embedder="hashing:64", redact="secrets") as memory:
        memory.add([{"role": "assistant", "tool_calls": [call]}], user_id="wang")
        memory.add({"role": "tool", "tool_call_id": "c1", "content": f"api_key={RANDOM}"}, user_id="wang")
        [use] = [item for item in memory.get_all(user_id="wang") if item.media is not None]
        stored = memory.media(use.id).decode()
    assert '"password": "[secret:password]"' in stored
    assert "hunter2zz" not in stored + use.text
    assert RANDOM not in stored + use.text
    assert "[secret:key]" in stored


def test_redaction_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``MEMPLUG_REDACT=secrets`` is for programs without an argument, such as the command line; a slip is an error."""
    monkeypatch.setenv("MEMPLUG_REDACT", "secrets")
    with Memory("memory://", embedder="hashing:64") as memory:
        assert memory.get(memory.add("password: hunter2", user_id="w").ids[0]).text == "password: [secret:password]"
    monkeypatch.setenv("MEMPLUG_REDACT", "secret")
    with pytest.raises(ConfigError, match="redact must be 'secrets'"):
        Memory("memory://")


# -- what is sent -------------------------------------------------------------------------------------------


class Listener:
    """A chat model and an embedder that keep what they are told."""

    name = "listener"
    vision = True
    dimension = 64

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def answer(self, prompt: Prompt) -> Answer:
        """Answers nothing."""
        self.heard.append(prompt)
        return Answer(text="ok", model="m")

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """Answers nothing, in pieces."""
        self.heard.append(prompt)
        yield "ok"

    def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """Vectors by words."""
        self.heard.extend(texts)
        return HashingEmbedder("64").embed(texts)

    def embed_query(self, text: str) -> NDArray[Any]:
        """The same."""
        self.heard.append(text)
        return HashingEmbedder("64").embed_query(text)


PROMPT = Prompt(
    messages=(
        PromptMessage(role="system", text=f"Keys such as api_key={RANDOM} matter."),
        PromptMessage(role="user", text=PEM, pictures=(Picture(data=b"picture", content_type="image/png"),)),
    ),
    schema={"type": "object", "description": f"token: {RANDOM}"},
    max_tokens=5,
)


def test_a_model_is_told_no_secret() -> None:
    """Neither words nor schema of a question hold one; everything else of it arrives, pictures included."""
    listener = Listener()
    model = redacting(listener)
    assert model.answer(PROMPT).text == "ok"
    assert list(model.stream(PROMPT)) == ["ok"]
    first, second = listener.heard
    assert first == second
    assert [message.text for message in first.messages] == [
        "Keys such as api_key=[secret:key] matter.",
        "[secret:private-key]",
    ]
    assert first.schema == {"type": "object", "description": "token: [secret:key]"}
    assert (first.messages[1].pictures, first.max_tokens) == (PROMPT.messages[1].pictures, 5)
    assert (model.name, model.vision, redacting(model)) == ("listener", True, model)


def test_nothing_is_sent_where_the_search_for_secrets_fails() -> None:
    """It fails closed, with an error that does not repeat the question."""

    def broken(text: str) -> str:
        raise RuntimeError(text)

    listener = Listener()
    model = RedactingModel(listener, redact=broken)
    for ask in (model.answer, lambda prompt: list(model.stream(prompt))):
        with pytest.raises(ModelRefused, match="was not sent") as caught:
            ask(PROMPT)
        assert RANDOM not in str(caught.value)
    assert listener.heard == []


def test_an_embedder_is_told_no_secret_unless_it_stays_on_the_machine() -> None:
    """What does not say that it is local is taken for remote."""
    listener = Listener()
    checked(listener).embed([f"api_key={RANDOM}", "tea"])
    checked(listener).embed_query("password: hunter2")
    assert listener.heard == ["api_key=[secret:key]", "tea", "password: [secret:password]"]
    local = Listener()
    local.local = True  # type: ignore[attr-defined]
    checked(local).embed_query("password: hunter2")
    assert local.heard == ["password: hunter2"]
