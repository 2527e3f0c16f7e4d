"""Made-up memories of many users, quickly, and the same ones in every run: clustered vectors, Zipf's words."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memplug.plugins.protocols import StoreProfile
from memplug.values.item import MemoryItem, Record
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

DIMENSION = 256
USERS = 1_000
#: One more user has a twentieth of all items.
HEAVY, HEAVY_SHARE = USERS, 0.05
#: The first users have just so many items in a store of any size, so that sizes can be compared.
ASKED, ASKED_ITEMS = 50, 100
#: Rows that are made at a time, each from its own seed.
CHUNK = 10_000
PROFILE = StoreProfile(embedder="precomputed", dimension=DIMENSION)

_SHORTEST, _LONGEST = 8, 30
_CLUSTERS = 2_000
#: Length of what is added to a cluster's centre, which has length 1.
_NOISE = 0.6
_WORDS = 20_000
#: Zipf's law with Mandelbrot's shift: the first words are not quite as frequent as "the".
_SHIFT = 10
_TURNS = 20
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of one user.

    Args:
        user: Whose memories are asked.
        text: The words.
        terms: The words, analysed, one by one.
        vector: float32 of shape ``(DIMENSION,)``, of unit length.
    """

    user: str
    text: str
    terms: tuple[str, ...]
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corpus:
    """So many memories.

    Args:
        size: How many.
        series: Another series has other memories of the same users.
        users: The number of each row's user: int64 of shape ``(size,)``.
        vectors: float32 of shape ``(size, DIMENSION)``, of unit length.
        words: The words of all rows, one after the other, as numbers into `vocabulary`.
        ends: Where each row's words end.
    """

    size: int
    series: int
    users: NDArray[np.int64]
    vectors: NDArray[np.float32]
    words: NDArray[np.int64]
    ends: NDArray[np.int64]
    _places: NDArray[np.int64] = field(repr=False)

    def said(self, row: int) -> list[int]:
        """The words of a row, as numbers."""
        start = self.ends[row - 1] if row else 0
        found: list[int] = self.words[start : self.ends[row]].tolist()
        return found

    def text(self, row: int) -> str:
        """The words of a row."""
        words = vocabulary()
        return " ".join(words[word] for word in self.said(row))

    def id(self, row: int) -> str:
        """The id of a row: as long and as random as memplug's own."""
        return hashlib.blake2b(f"{self.series}/{row}".encode(), digest_size=13).hexdigest()

    def user(self, row: int) -> str:
        """The id of a row's user."""
        return user_id(int(self.users[row]))

    def of(self, user: int) -> NDArray[np.int64]:
        """The rows of a user."""
        return np.flatnonzero(self.users == user)

    def records(self, start: int, stop: int) -> list[Record]:
        """Rows as memplug stores a conversation's turns."""
        return [self._record(row) for row in range(start, min(stop, self.size))]

    def batches(self, rows: int = CHUNK) -> Iterator[list[Record]]:
        """All rows."""
        for start in range(0, self.size, rows):
            yield self.records(start, start + rows)

    def _record(self, row: int) -> Record:
        created = _START + timedelta(days=self.series, milliseconds=row)
        place, id_, user = int(self._places[row]), self.id(row), self.user(row)
        item = MemoryItem(
            id=id_,
            kind="text",
            text=self.text(row),
            created_at=created,
            updated_at=created,
            user_id=user,
            run_id=f"{user}-{self.series}-{place // _TURNS}",
            metadata={"team": f"team-{row % 7}", "row": row},
            source=Provenance(role="user", position=place % _TURNS),
        )
        return Record(item=item, terms=item.text, vector=np.asarray(self.vectors[row]), identity=id_[::-1])

    def questions(self, users: Sequence[int], *, seed: int = 0) -> list[Asked]:
        """One question for each user who has memories: near to one of them, and with three of its words."""
        random = np.random.default_rng([seed, self.series])
        asked = []
        for user in users:
            own = self.of(user)
            if not len(own):
                continue
            row = int(random.choice(own))
            chosen = random.choice(self.said(row), 3, replace=False)
            vector = _unit(
                self.vectors[row] + random.standard_normal(DIMENSION, np.float32) * (_NOISE / DIMENSION**0.5)
            )
            words = tuple(vocabulary()[word] for word in chosen)
            asked.append(Asked(user=user_id(user), text=" ".join(words), terms=words, vector=vector))
        return asked


def user_id(number: int) -> str:
    """The id of a user."""
    return f"user-{number:04}"


def user_number(id_: str) -> int:
    """The number of a user with such an id."""
    return int(id_.rpartition("-")[2])


def asked_users(size: int) -> list[int]:
    """The users who have `ASKED_ITEMS` items each in a store of this size."""
    return list(range(max(2, min(ASKED, size // (2 * ASKED_ITEMS)))))


def corpus(folder: Path, size: int, *, series: int = 0) -> Corpus:
    """So many memories; their vectors are kept in the folder for the next time."""
    path = folder / f"vectors-{series}-{size}.npy"
    if not path.exists():
        _write_vectors(path, size, series)
    random = np.random.default_rng([series, size])
    users = _users(size, random)
    return Corpus(
        size=size,
        series=series,
        users=users,
        vectors=np.load(path, mmap_mode="r"),
        **_words(size, random),
        _places=_places(users),
    )


def _users(size: int, random: np.random.Generator) -> NDArray[np.int64]:
    asked = len(asked_users(size))
    few = np.repeat(np.arange(asked), ASKED_ITEMS)[:size]
    many = np.full(int(size * HEAVY_SHARE), HEAVY)
    rest = asked + np.arange(size - len(few) - len(many)) % (USERS - asked)
    return random.permutation(np.concatenate([few, many, rest]))


def _places(users: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row, how many rows of the same user come before it."""
    order = np.argsort(users, kind="stable")
    counts = np.bincount(users, minlength=USERS + 1)
    places = np.empty(len(users), dtype=np.int64)
    places[order] = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places


def _words(size: int, random: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    ends = np.cumsum(random.integers(_SHORTEST, _LONGEST + 1, size))
    shares = np.cumsum(1 / (np.arange(_WORDS) + _SHIFT))
    numbers = np.searchsorted(shares, random.random(int(ends[-1])) * shares[-1])
    return {"words": numbers.astype(np.int64), "ends": ends}


def _write_vectors(path: Path, size: int, series: int) -> None:
    centres = _unit(np.random.default_rng(0).standard_normal((_CLUSTERS, DIMENSION), np.float32))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    with unfinished.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (size, DIMENSION)})
        for start in range(0, size, CHUNK):
            random = np.random.default_rng([series, start, 1])
            rows = min(CHUNK, size - start)
            noise = random.standard_normal((rows, DIMENSION), np.float32) * (_NOISE / DIMENSION**0.5)
            _unit(centres[random.integers(0, _CLUSTERS, rows)] + noise).astype("<f4").tofile(file)
    unfinished.rename(path)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return found


@functools.cache
def vocabulary() -> list[str]:
    """Words that can be spoken, and that memplug's analysis leaves as they are, so that it need not be waited for."""
    random = np.random.default_rng(0)
    syllables = [consonant + vowel for consonant in "bdfghklmnprtvz" for vowel in "aou"]
    words: dict[str, None] = {}
    while len(words) < _WORDS:
        for chosen in random.integers(0, len(syllables), (_WORDS, 4)).tolist():
            words["".join(syllables[number] for number in chosen[: 2 + chosen[0] % 3])] = None
    return list(words)[:_WORDS]
