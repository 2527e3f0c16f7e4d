"""A rival in an environment of its own, without memplug: does what each line says, and tells how long it took.

python store_rival.py chromadb|mem0 DATA STORE

A line is a JSON list: ``["batch", first, last]`` adds rows in one call, ``["told", user, limit]`` one user's rows among
the first in one call, ``["single", row]`` one row; ``["search", number]`` asks a question. The answer is
``{"seconds", "found"}``.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np

TOP = 10


class Data:
    """What is stored and asked, as `store_rivals.write` left it."""

    def __init__(self, folder: Path) -> None:
        self.items: list[dict[str, Any]] = json.loads((folder / "items.json").read_text(encoding="utf-8"))
        self.questions: list[dict[str, str]] = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
        self.vectors = np.load(folder / "vectors.npy")
        self.asked = np.load(folder / "asked.npy")


class Rival(Protocol):
    """What can be asked of a rival."""

    def batch(self, first: int, last: int) -> int:
        """Adds rows in one call."""
        ...

    def told(self, user: str, limit: int) -> int:
        """Adds all rows of a user among the first in one call."""
        ...

    def single(self, row: int) -> int:
        """Adds one row."""
        ...

    def search(self, number: int) -> int:
        """Asks a question inside its user's rows, and tells how many were found."""
        ...


class Chroma:
    """chromadb on disk."""

    def __init__(self, data: Data, store: Path) -> None:
        chromadb = importlib.import_module("chromadb")
        quiet = importlib.import_module("chromadb.config").Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(path=str(store), settings=quiet)
        self._data = data
        self._collection = client.create_collection(
            "memories", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )

    def batch(self, first: int, last: int) -> int:
        """See `Rival`."""
        items = self._data.items[first:last]
        self._collection.add(
            ids=[item["id"] for item in items],
            embeddings=self._data.vectors[first:last],
            documents=[item["text"] for item in items],
            metadatas=[item["metadata"] | {"user_id": item["user"]} for item in items],
        )
        return len(items)

    def told(self, user: str, limit: int) -> int:
        """See `Rival`; its own way is `batch`."""
        raise ValueError(user, limit)

    def single(self, row: int) -> int:
        """See `Rival`."""
        return self.batch(row, row + 1)

    def search(self, number: int) -> int:
        """See `Rival`."""
        found = self._collection.query(
            query_embeddings=self._data.asked[number : number + 1],
            n_results=TOP,
            where={"user_id": self._data.questions[number]["user"]},
            include=["documents", "metadatas", "distances"],
        )
        return len(found["ids"][0])


class Given:
    """An embedder for mem0 that has been told the vectors."""

    def __init__(self, data: Data) -> None:
        self._known: dict[str, list[float]] = {}
        self._known |= {item["text"]: vector for item, vector in zip(data.items, data.vectors.tolist(), strict=True)}
        self._known |= {one["text"]: vector for one, vector in zip(data.questions, data.asked.tolist(), strict=True)}

    def embed(self, text: str, *_: object) -> list[float]:
        """The vector of a text."""
        return self._known[text]

    def embed_batch(self, texts: list[str], *_: object) -> list[list[float]]:
        """The vectors of texts."""
        return [self._known[text] for text in texts]


class Mem0:
    """mem0 with its default vector store on disk, and without a model."""

    def __init__(self, data: Data, store: Path) -> None:
        local = {"path": str(store / "qdrant"), "on_disk": True, "embedding_model_dims": data.vectors.shape[1]}
        self._memory = importlib.import_module("mem0").Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": local | {"collection_name": "memories"}},
                "embedder": {"provider": "openai", "config": {"api_key": "none is used"}},
                "llm": {"provider": "openai", "config": {"api_key": "none is used"}},
                "history_db_path": str(store / "history.db"),
            }
        )
        self._memory.embedding_model = Given(data)
        self._data = data

    def batch(self, first: int, last: int) -> int:
        """See `Rival`; its own way is `told`."""
        raise ValueError(first, last)

    def told(self, user: str, limit: int) -> int:
        """See `Rival`."""
        items = (item for item in self._data.items[:limit] if item["user"] == user)
        messages = [{"role": "user", "content": item["text"]} for item in items]
        return len(self._memory.add(messages, user_id=user, infer=False)["results"])

    def single(self, row: int) -> int:
        """See `Rival`."""
        item = self._data.items[row]
        return len(self._memory.add(item["text"], user_id=item["user"], infer=False)["results"])

    def search(self, number: int) -> int:
        """See `Rival`."""
        asked = self._data.questions[number]
        return len(self._memory.search(asked["text"], filters={"user_id": asked["user"]}, top_k=TOP)["results"])


RIVALS: dict[str, type[Chroma | Mem0]] = {"chromadb": Chroma, "mem0": Mem0}


def main(name: str, data: Path, store: Path) -> None:
    """Does what the lines say until there are no more."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    rival: Rival = RIVALS[name](Data(data), store)
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        started = time.perf_counter()
        found = getattr(rival, verb)(*arguments)
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "found": found}), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
