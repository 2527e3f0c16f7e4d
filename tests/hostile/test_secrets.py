"""Secrets go to no model, no embedding server and no log; and nothing goes anywhere that nobody configured."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Memory
from memplug.safety.secrets import find_secrets
from memplug.testing.endpoint import ModelServer
from memplug.testing.script import Failure
from support import png

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Made up, and put together here so that no scanner takes this file for a leak.
RANDOM = "q7Rk2LxV9mTz4WbN8cYd"
KIND = "PRIVATE KEY"
SECRETS = {
    "openai": f"sk-proj-{RANDOM * 3}",
    "aws": "AKIA" + "Q7RK2LXV9MTZ4WBN",
    "github": f"ghp_{(RANDOM * 2)[:36]}",
    "pem": "\n".join(
        [f"-----BEGIN {KIND}-----", *[f"MIIEvQIBADAN{RANDOM * 2}BgkqhkiG9w0B"] * 6, f"-----END {KIND}-----"]
    ),
    "url": "s3cr3t-of-bob",
    "password": "hunter2-hunter2",
    "card": "4111 1111 1111 1111",
}
SAID = (
    f"My key is {SECRETS['openai']}, for AWS {SECRETS['aws']} and for GitHub {SECRETS['github']}.\n{SECRETS['pem']}\n"
    f"The database is postgres://bob:{SECRETS['url']}@db.example.org/x, password: {SECRETS['password']} "
    f"and I pay with {SECRETS['card']}."
)
#: What must never be seen: any line or piece of a secret that is long enough to be told.
PIECES = [
    piece for secret in SECRETS.values() for piece in (secret, secret[:16], secret[-12:], secret.split("\n")[-2:][0])
]


def least(schema: Mapping[str, Any]) -> Any:
    """The emptiest value that keeps to a JSON schema."""
    if "anyOf" in schema:
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: least(inner) for name, inner in schema["properties"].items()}
    return {"array": [], "boolean": False}.get(schema["type"], "")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A real server that answers everything, named by the environment."""
    with ModelServer(strict=False) as running:
        running.on("", lambda asked: "words" if asked.schema is None else json.dumps(least(asked.schema)))
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        yield running


@pytest.fixture
def memory(server: ModelServer, tmp_path: Path) -> Iterator[Memory]:
    """A store whose embedder and models are all behind that server."""
    assert server.url
    with Memory(tmp_path / "store", embedder="openai:embed", model="openai:chat", vision_model="openai:see") as opened:
        yield opened


def use(memory: Memory) -> list[str]:
    """Everything that asks a model or an embedder, with secrets in all that is said."""
    wang = memory.scoped(user_id="wang", run_id="r")
    ids = list(wang.add([{"role": "user", "content": SAID}, {"role": "assistant", "content": SAID}]).ids)
    ids += wang.add(png(), description=SAID).ids
    ids += wang.add(SAID.encode(), content_type="text/plain", key="notes").ids
    wang.search(f"what is {SAID}")
    memory.extract([{"role": "user", "content": SAID}], user_id="wang", run_id="r")
    wang.update(ids[0], f"{SAID} It is new.")
    wang.feedback(f"That is wrong, ask finance about {SAID}")
    return ids


def test_no_byte_of_a_secret_arrives(memory: Memory, server: ModelServer) -> None:
    """Adding, describing, extracting, searching, changing and correcting tell neither model nor embedder a secret."""
    ids = use(memory)
    assert {request.path.rsplit("/", 1)[-1] for request in server.requests} == {"completions", "embeddings"}
    assert any(request.pictures for request in server.requests)
    for request in server.requests:
        body = json.dumps(request.body, ensure_ascii=False)
        assert [piece for piece in PIECES if piece in body] == []
        assert not any(find_secrets(text) for text in request.texts)
    everything = " ".join(json.dumps(request.body) for request in server.requests)
    assert "[secret:openai-key]" in everything
    # What is stored is the user's own choice, and was not touched.
    assert SECRETS["github"] in memory.get(ids[1]).text


def test_a_failing_server_leaves_no_secret_in_errors(memory: Memory, server: ModelServer) -> None:
    """What a server repeats of a question, or of the key, is in no message."""
    server.on("", Failure(status=400, message=f"bad: {SAID}"))
    result = memory.add({"role": "user", "content": SAID}, user_id="wang", run_id="x")
    item = memory.get(result.ids[0])
    assert [piece for piece in PIECES if piece in str(item.error)] == []


def test_logs_hold_ids_and_sizes_and_never_content(
    memory: Memory, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG, with working and with failing models, no logger of memplug's writes a word of what was said."""
    marker = "Zebrafinkenschwarm"
    caplog.set_level(logging.DEBUG, logger="memplug")
    wang = memory.scoped(user_id=f"user-{RANDOM}", run_id="r")
    for answer in (None, Failure(status=500, message=marker), Failure(status=200, body=f"{{{marker}")):
        if answer is not None:
            server.on("", answer)
        talk = [
            {"role": "user", "content": f"I saw a {marker} today."},
            {"role": "assistant", "content": f"A {marker}!"},
        ]
        wang.add(talk)
        wang.add(png("blue" if answer else "red"), description=f"a {marker}")
        wang.add(f"# {marker}\n\nA {marker} sings.".encode(), content_type="text/markdown")
        wang.search(f"where was the {marker}?")
        wang.feedback(f"the {marker} was wrong")
    names = {record.name.split(".")[0] for record in caplog.records if record.name.startswith("memplug")}
    assert names == {"memplug"}
    told = [caplog.handler.format(record) for record in caplog.records if record.name.startswith("memplug")]
    assert [line for line in told if marker in line or RANDOM in line] == []


UNCONFIGURED = """
import socket, sys

def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        raise RuntimeError(f"{event} {arguments[1:]!r}")

sys.addaudithook(refuse)
from memplug import Memory

with Memory(sys.argv[1]) as memory:
    wang = memory.scoped(user_id="wang", run_id="r")
    said = "See https://example.org/a for my notes."
    wang.add([{"role": "user", "content": said}, {"role": "assistant", "content": "Done."}])
    wang.add(open(sys.argv[2], "rb").read(), description="dinner")
    wang.add(b"# Notes\\n\\nTea.", content_type="text/markdown", wait=False)
    assert wang.search("notes")
    wang.feedback("forget the tea")
    memory.work()
    memory.maintain()
    memory.export(sys.argv[3])
try:
    socket.create_connection(("127.0.0.1", 9))
except RuntimeError:
    print("guarded")
"""


def test_nothing_is_sent_anywhere_unconfigured(tmp_path: Path) -> None:
    """With no setting at all the library opens no connection and asks for no name; an audit hook would stop it."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(png())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "MEMPLUG"))}
    done = subprocess.run(
        [sys.executable, "-c", UNCONFIGURED, str(tmp_path / "store"), str(picture), str(tmp_path / "all.zip")],
        cwd=tmp_path,
        env=environment | {"MEMPLUG_DISABLE_PLUGINS": "all", "HOME": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "guarded\n"), done.stderr


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "unit",
    ["eyJaaaaaaaa-", "eyJaaaaaaaa.", "sk-" * 5, "://a:", "password is ", "'token':'", "4111 1111 1111 111 ",
     f"-----BEGIN {KIND}-----", f"-----END {KIND}-----", "a" * 64 + "\n"],
)  # fmt: skip
def test_a_megabyte_of_beginnings_is_searched_in_a_moment(unit: str) -> None:
    """Each takes under half a second; a pattern that looked back and forth over the whole would take days."""
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    found = find_secrets(text)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
