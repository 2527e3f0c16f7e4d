"""What the tests of `memplug.testing.store.StoreContract` have in common."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import pytest
from langchain_core.embeddings import Embeddings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langgraph.store.base import BaseStore, IndexConfig, SearchItem, TTLConfig

#: Labels that mean something to some query language, each with one that it would match as a pattern.
PATTERNS = [
    ("user_1", "userX1"),
    ("a%b", "axxb"),
    ("star*", "starX"),
    ("q?m", "qXm"),
    ("br[ack]et", "bra"),
    ("plus+", "pluss"),
    ("dollar$", "dollar"),
    ("back\\slash", "backslash"),
    ("quo'te", "quote"),
    ("Case", "case"),
    ("line\n", "line"),
    ("é", "e\u0301"),
]


class MakeStore(Protocol):
    """Makes an empty store, which is closed after the test."""

    def __call__(self, *, index: IndexConfig | None = None, ttl: TTLConfig | None = None) -> BaseStore:
        """A store with that configuration."""


class StoreCase:
    """Opens and closes the stores of the tests."""

    #: What a value or filter that cannot be is refused with.
    refusals: tuple[type[Exception], ...] = (ValueError, TypeError)

    def open_store(self, folder: Path, *, index: IndexConfig | None, ttl: TTLConfig | None) -> BaseStore:
        """A store that is empty; the folder is, too, and is another one at each call.

        Args:
            folder: Where its files may be.
            index: Its configuration for search.
            ttl: Its configuration for expiry.
        """
        raise AssertionError(f"{type(self).__name__} must say how to open its store in {folder}: {index}, {ttl}")

    def close_store(self, store: BaseStore) -> None:
        """Closes it, where it can be closed."""
        close = getattr(store, "close", None)
        if close is not None:
            close()

    def pass_time(self, store: BaseStore, minutes: float) -> None:
        """Makes a store believe that so many minutes have passed; where that cannot be, those tests are skipped."""
        pytest.skip(f"{type(store).__name__} cannot be told that {minutes} minutes have passed")

    @pytest.fixture
    def make(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStore]:
        """Makes stores, and closes them."""
        made: list[BaseStore] = []

        def make(*, index: IndexConfig | None = None, ttl: TTLConfig | None = None) -> BaseStore:
            made.append(self.open_store(tmp_path_factory.mktemp("store"), index=index, ttl=ttl))
            return made[-1]

        yield make
        for store in made:
            self.close_store(store)

    @pytest.fixture
    def store(self, make: MakeStore) -> BaseStore:
        """An empty store without configuration."""
        return make()


class Letters(Embeddings):
    """Embeds a text as how often each sign occurs in it: near is what is spelled alike.

    Attributes:
        calls: How often it was asked.
    """

    dims = 97

    def __init__(self) -> None:
        self.calls = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector of unit length for each text; zeros for one that is empty."""
        self.calls += 1
        return [_counted(text, self.dims) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The same for one."""
        return self.embed_documents([text])[0]


def _counted(text: str, dims: int) -> list[float]:
    counts = Counter(ord(sign) % dims for sign in text)
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    return [counts[place] / length for place in range(dims)]


def cosine(one: str, two: str) -> float:
    """The cosine of what `Letters` makes of two texts."""
    vectors = Letters().embed_documents([one, two])
    return sum(map(float.__mul__, *vectors))


def indexed(*fields: str, embed: Embeddings | None = None) -> IndexConfig:
    """A configuration with `Letters` and these fields; the whole value without any."""
    config: IndexConfig = {"dims": Letters.dims, "embed": embed or Letters()}
    if fields:
        config["fields"] = list(fields)
    return config


def keys(items: list[SearchItem]) -> list[str]:
    """The keys of what was found, in order."""
    return [item.key for item in items]


def scores(items: list[SearchItem]) -> dict[str, float]:
    """The scores of what was found, by key; each must have one."""
    found = {item.key: item.score for item in items if item.score is not None}
    assert len(found) == len(items), "an item was found twice, or has no score"  # noqa: S101 - part of a test
    return found
