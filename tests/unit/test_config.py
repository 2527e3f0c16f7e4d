"""``memplug.yaml``, the environment and arguments: which models there are, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Memory
from memplug.config import read_config
from memplug.exceptions import ConfigError
from memplug.models.openai import OpenAIChatModel
from memplug.testing.endpoint import ModelServer
from memplug.values.endpoint import Endpoint, Prices
from memplug.values.prompt import Prompt, PromptMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.plugins.models import ChatModel

VARIABLES = ("MEMPLUG_MODEL", "MEMPLUG_VISION_MODEL", "MEMPLUG_EMBEDDER", "MEMPLUG_CONFIG", "OPENAI_API_KEY")
FULL = """
chat:
  model: openai:llama3.2:3b
  base_url: http://localhost:11434/v1
  api_key_env: MY_KEY
  timeout: 5
  retries: 0
  concurrency: 1
  vision: true
  prices: {input: 0.25, output: 2}
vision:
  model: openai:seer
embedding:
  model: openai:vectors
  base_url: http://localhost:8000/v1
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration folder, empty; nothing in the environment, and another folder to be in."""
    for variable in (*VARIABLES, "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setenv("MY_KEY", "sk-mine")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    own = tmp_path / "home" / ".config" / "memplug"
    own.mkdir(parents=True)
    return own


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server that answers everything."""
    with ModelServer() as running:
        running.on("", "yes")
        yield running


def opened(**settings: Any) -> Memory:
    """A memory that keeps nothing."""
    return Memory("memory://", **({"embedder": "hashing:64"} | settings))


def ask(model: ChatModel | None) -> str:
    """A question to a model."""
    assert model is not None
    return model.answer(Prompt(messages=(PromptMessage(role="user", text="?"),))).text


def test_a_whole_file_is_read(elsewhere: Path) -> None:
    """Each section is a server of its own; what is left out is as by default."""
    path = elsewhere / "memplug.yaml"
    path.write_text(FULL)
    config = read_config(path)
    assert config.chat.endpoint() == Endpoint(
        base_url="http://localhost:11434/v1",
        api_key_env="MY_KEY",
        timeout=5.0,
        retries=0,
        concurrency=1,
        vision=True,
        prices=Prices(input=0.25, output=2.0),
    )
    assert (config.chat.model, config.vision.model) == ("openai:llama3.2:3b", "openai:seer")
    assert config.vision.endpoint() == Endpoint()
    assert config.embedding.endpoint() == Endpoint(base_url="http://localhost:8000/v1")
    path.write_text("# nothing yet\n")
    assert read_config(path).chat.endpoint() == Endpoint()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chat:\n  modle: x", r"chat.modle in the configuration .* means nothing \(did you mean 'model'\?\)"),
        ("cat: {}", "did you mean 'chat'"),
        ("embedding: {vision: true}", r"embedding.vision in the configuration .* means nothing \(there are model, "),
        ("chat: {prices: {inputs: 1, output: 2}}", "did you mean 'input'"),
        ("chat: {prices: {input: 1}}", "chat.prices.output in the configuration .*: field required"),
        ("chat: {prices: {input: -1, output: 1}}", "greater than or equal to 0"),
        ("chat: {timeout: soon}", "chat.timeout in the configuration .*: input should be a valid number"),
        ("chat: {timeout: 0}", "greater than 0"),
        ("chat: {timeout: .inf}", "finite"),
        ("chat: {retries: 11}", "less than or equal to 10"),
        ("chat: {concurrency: 0}", "greater than or equal to 1"),
        ("chat: {model: ''}", "at least 1 character"),
        ("chat: openai:x", "chat in the configuration .* must be a section, with its names below it"),
        ("- chat", "must consist of sections"),
        ("chat: [", "is no YAML: a mistake in line 1"),
        ("a: &a [*a]", "means nothing"),
        ("x: !!python/object/apply:os.getcwd []", "is no YAML"),
        ("x" * 100_001, "more than 100,000 characters"),
        ("[" * 5_000, "is no YAML"),
    ],
)
def test_what_is_wrong_is_named(elsewhere: Path, text: str, words: str) -> None:
    """With its place and the nearest name; opening a memory says the same."""
    (elsewhere / "memplug.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        opened()


def test_a_section_may_be_empty(elsewhere: Path) -> None:
    """All of its lines are commented out."""
    (elsewhere / "memplug.yaml").write_text("chat:\n#  model: openai:x\nvision:\n")
    with opened() as memory:
        assert memory.add("Hello, this is stored.", user_id="wang").ids


@pytest.mark.parametrize(
    "text",
    [
        "chat: {api_key: SECRET}",
        "embedding: {key: SECRET}",
        "chat: {api_key_env: sk-SECRET}",
        "chat: {api_key_env: 'SECRET SECRET'}",
        "chat: {api_key_env: eyJSECRET}",
    ],
)
def test_a_key_has_no_place_in_the_file(elsewhere: Path, text: str) -> None:
    """It is refused with the way out, and not repeated."""
    (elsewhere / "memplug.yaml").write_text(text)
    with pytest.raises(ConfigError, match="put it into an environment variable") as caught:
        opened()
    assert "SECRET" not in str(caught.value)


def test_a_broken_file_repeats_no_line_of_itself(elsewhere: Path) -> None:
    """YAML's own error shows the line, where a key may stand."""
    (elsewhere / "memplug.yaml").write_text("chat:\n  api_key: sk-SECRET: x\n")
    with pytest.raises(ConfigError, match="in line 2") as caught:
        opened()
    assert "SECRET" not in str(caught.value)
    (elsewhere / "memplug.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        opened()


def test_a_file_that_was_named_must_be_there(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument or environment; one that nobody named may be missing."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        opened(config=elsewhere / "missing.yaml")
    monkeypatch.setenv("MEMPLUG_CONFIG", str(elsewhere / "missing.yaml"))
    with pytest.raises(ConfigError, match="cannot be read"):
        opened()
    monkeypatch.delenv("MEMPLUG_CONFIG")
    with opened() as memory:
        assert (memory.engine.models.model, memory.engine.models.vision) == (None, None)


def test_files_are_looked_for_in_their_order(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument, the variable, the user's configuration folder."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    places = [elsewhere / "memplug.yaml", elsewhere / "named.yaml", elsewhere / "given.yaml"]
    found = []
    for number, path in enumerate(places):
        path.write_text(f"chat: {{model: 'openai:{number}'}}")
        if path.name == "named.yaml":
            monkeypatch.setenv("MEMPLUG_CONFIG", str(path))
        given = {"config": path} if path.name == "given.yaml" else {}
        with opened(**given) as memory:
            assert memory.engine.models.model is not None
            found.append(memory.engine.models.model.name)
    assert found == ["openai:0", "openai:1", "openai:2"]


def test_a_file_in_the_current_folder_does_not_count(server: ModelServer) -> None:
    """Whoever made that folder could have memories and keys sent to a server of theirs."""
    text = f"chat: {{model: 'openai:theirs', base_url: '{server.url}', api_key_env: MY_KEY}}"
    Path("memplug.yaml").write_text(text)
    with opened() as memory:
        assert memory.engine.models.model is None


def test_arguments_come_before_environment_before_file(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, server: ModelServer
) -> None:
    """Each name alone; the file's server goes on to be the server."""
    (elsewhere / "memplug.yaml").write_text(
        f"chat: {{model: 'openai:of-file', base_url: '{server.url}', api_key_env: MY_KEY}}\n"
    )
    asked = []
    for variable, argument in ((None, None), ("openai:of-variable", None), ("openai:of-variable", "openai:given")):
        if variable:
            monkeypatch.setenv("MEMPLUG_MODEL", variable)
        with opened(model=argument) as memory:
            assert ask(memory.engine.models.model) == "yes"
        asked.append((server.requests[-1].model, server.requests[-1].key))
    assert asked == [("of-file", "sk-mine"), ("of-variable", "sk-mine"), ("given", "sk-mine")]
    with opened(model="none") as memory:
        assert memory.engine.models.model is None


def test_chat_vision_and_embedding_have_servers_of_their_own(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also their own keys."""
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    with ModelServer(api_key="sk-mine") as chat, ModelServer(api_key="sk-other") as seer, ModelServer() as vectors:
        chat.on("", "chat")
        seer.on("", "seer")
        (elsewhere / "memplug.yaml").write_text(
            f"chat: {{model: 'openai:a', base_url: '{chat.url}', api_key_env: MY_KEY}}\n"
            f"vision: {{model: 'openai:b', base_url: '{seer.url}', api_key_env: OTHER_KEY}}\n"
            f"embedding: {{model: 'openai:c', base_url: '{vectors.url}'}}\n"
        )
        with Memory("memory://") as memory:
            assert (ask(memory.engine.models.model), ask(memory.engine.models.vision)) == ("chat", "seer")
            memory.add("I like tea.", user_id="u")
            assert memory.search("tea", user_id="u")[0].text == "I like tea."
            assert memory.engine.embedder.name == "openai:c"
        assert {asked.model for asked in vectors.requests} == {"c"}
        assert {asked.key for asked in vectors.requests} == {"none"}


def test_a_store_finds_its_embedders_server_again(elsewhere: Path) -> None:
    """The store remembers the name; where that is, the configuration says each time."""
    with ModelServer() as vectors:
        (elsewhere / "memplug.yaml").write_text(f"embedding: {{model: 'openai:c', base_url: '{vectors.url}'}}\n")
        with Memory(elsewhere / "store") as memory:
            memory.add("I like tea.", user_id="u")
        (elsewhere / "memplug.yaml").write_text(f"embedding: {{base_url: '{vectors.url}'}}\n")
        with Memory(elsewhere / "store") as memory:
            assert memory.search("tea", user_id="u")[0].text == "I like tea."


def test_the_chat_model_looks_at_pictures_only_where_it_is_set_up_to(elsewhere: Path, server: ModelServer) -> None:
    """Somebody's pictures go to nobody who was not named for them."""
    path = elsewhere / "memplug.yaml"
    path.write_text(f"chat: {{model: 'openai:a', base_url: '{server.url}'}}")
    with opened() as memory:
        assert memory.engine.models.vision is None
    path.write_text(f"chat: {{model: 'openai:a', base_url: '{server.url}', vision: true}}")
    with opened() as memory:
        assert memory.engine.models.vision is memory.engine.models.model


def test_an_object_is_a_model_too(server: ModelServer) -> None:
    """It is used as it is, and stays open: it is the caller's."""
    model = server.model()
    with opened(model=model) as memory:
        assert ask(memory.engine.models.model) == "yes"
        assert ask(memory.engine.models.vision) == "yes"
    assert ask(model) == "yes"
    model.close()
    blind = OpenAIChatModel("m", base_url=server.url)
    with pytest.raises(ConfigError, match="cannot see"):
        opened(vision_model=blind)
    blind.close()
    for wrong in (5, object(), ["openai:x"]):
        with pytest.raises(ConfigError, match="object with the methods of ChatModel"):
            opened(model=wrong)


def test_a_model_that_does_not_exist_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the names that there are, or what it lacks."""
    with pytest.raises(ConfigError, match=r"unknown model 'opnai'; known: .*openai"):
        opened(model="opnai:x")
    with pytest.raises(ConfigError, match="neither a key nor a server"):
        opened(model="openai:x")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(ConfigError, match="needs a name"):
        opened(model="openai")
