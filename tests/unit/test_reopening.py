"""Which embedder a store is opened with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from memplug import Memory
from memplug.exceptions import ConfigError, EmbedderMismatch
from memplug.reindex import reindex
from memplug.settings import Settings


@pytest.mark.parametrize("spec", ["wordllama", "wordllama:64", "hashing:128"])
def test_reopened_by_its_own_name(tmp_path: Path, spec: str) -> None:
    """A store opens again with the embedder that it was made with, without naming it."""
    with Memory(tmp_path, embedder=spec) as memory:
        memory.add("tea", user_id="u")
        name = memory.engine.embedder.name
    with Memory(tmp_path) as memory:
        assert memory.engine.embedder.name == name
        assert memory.search("tea", user_id="u")
    with Memory(tmp_path, embedder=name) as memory:
        assert memory.search("tea", user_id="u")


def test_another_embedder_is_refused(tmp_path: Path) -> None:
    """Opening with another embedder is an error that names the way out, and changes nothing."""
    with Memory(tmp_path, embedder="hashing:128") as memory:
        memory.add("tea", user_id="u")
    with pytest.raises(EmbedderMismatch, match="memplug reindex"):
        Memory(tmp_path, embedder="hashing:64")
    with Memory(tmp_path) as memory:
        assert memory.search("tea", user_id="u")


class Ones:
    """An embedder of the caller's own."""

    name = "my-own"
    dimension = 8

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The same vector for all."""
        return np.full((len(texts), 8), 8**-0.5, np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:  # noqa: ARG002 - the Protocol's shape
        """The same vector for all."""
        return np.full(8, 8**-0.5, np.float32)


def test_own_embedder_must_be_given_again(tmp_path: Path) -> None:
    """A store made with an object opens with that object; without it the error says so."""
    with Memory(tmp_path, embedder=Ones()) as memory:
        memory.add("tea", user_id="u")
    with pytest.raises(EmbedderMismatch, match="my-own"):
        Memory(tmp_path)
    with Memory(tmp_path, embedder=Ones()) as memory:
        assert memory.search("anything", user_id="u")


def test_reindex_changes_the_embedder(tmp_path: Path) -> None:
    """After a reindex the store is another embedder's, with all memories, versions and originals."""
    with Memory(tmp_path, embedder="hashing:128") as memory:
        memory.add([f"note {number} about tea" for number in range(50)], user_id="u")
        [id_] = memory.add("the limit is 800", user_id="u").ids
        memory.update(id_, "the limit is 600")
        memory.delete(memory.add("gone", user_id="u").ids[0])
        before = [memory.history(item.id) for item in memory.get_all(user_id="u")]
    seen: list[tuple[int, int]] = []
    settings = Settings(location=str(tmp_path))
    report = reindex(settings, "wordllama", lambda done, total, _: seen.append((done, total)))
    assert report.memories == 51
    assert seen
    assert seen[-1][0] == seen[-1][1]
    with Memory(tmp_path) as memory:
        assert memory.engine.embedder.name.startswith("wordllama")
        assert [memory.history(item.id) for item in memory.get_all(user_id="u")] == before
        assert memory.search("limit", user_id="u")[0].text == "the limit is 600"
        assert memory.doctor().ok


def test_reindex_needs_a_store(tmp_path: Path) -> None:
    """A reindex of nothing is an error and makes no store."""
    with pytest.raises(ConfigError):
        reindex(Settings(location=str(tmp_path / "none")), "hashing:64")
    assert not (tmp_path / "none").exists()
