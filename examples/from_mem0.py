"""Moving from mem0: bring what it remembers, and keep the program.

    python examples/from_mem0.py [STORE]

Runs offline, with no key: `EXPORT` stands for what mem0 gave. For your own, write it once in the program with mem0,

    json.dump(mem0.get_all(user_id="alex"), open("mem0.json", "w"))

or download it from its platform, and name the file below. In the program then change two lines,

    from mem0 import Memory            ->  from memplug import Memory
    memory = Memory.from_config(...)   ->  memory = Memory()

and the rest keeps running; `program` below says what differs. mem0 asks a model what is to be remembered of each
message. memplug keeps the message, and asks a model for facts beside it where one is named:
`Memory(model="openai:gpt-5-mini")`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from memplug import Memory

#: As mem0's `get_all` gives it.
EXPORT: dict[str, Any] = {
    "results": [
        {
            "id": "1c9d2f0e-6f1a-4b8a-9a51-0d7f8a1b2c3d",
            "memory": "Loves science fiction films",
            "hash": "0f343b0931126a20f133d67c2b018a3b",
            "metadata": {"source": "chat"},
            "created_at": "2025-03-01T18:00:00-08:00",
            "updated_at": None,
            "user_id": "alex",
            "categories": ["movies"],
        },
        {
            "id": "5b0d7c3a-2f7e-4c55-8a57-3c1f0e9d8b7a",
            "memory": "Is allergic to peanuts",
            "hash": "5f2c3b0931126a20f133d67c2b018a3b",
            "metadata": None,
            "created_at": "2025-03-02T09:30:00-08:00",
            "updated_at": "2025-03-05T10:00:00-08:00",
            "user_id": "alex",
            "categories": ["health"],
        },
    ]
}


def moved(memory: Memory, path: Path) -> None:
    """Brings the export in; once more it would change nothing."""
    for _ in range(2):
        report = memory.import_(path)
        print(f"{report.format}: {report.added} added, {report.unchanged} unchanged, {len(report.rejected)} rejected")


def program(memory: Memory) -> None:
    """What a program for mem0 does; only of a `history` the fields are others, and ``limit`` is ``top_k``."""
    messages = [
        {"role": "user", "content": "I'm planning to watch a movie tonight. Any recommendations?"},
        {"role": "assistant", "content": "How about a thriller? They can be quite engaging."},
        {"role": "user", "content": "I'm not a big fan of thrillers, but I love science fiction."},
    ]
    result = memory.add(messages, user_id="alex", metadata={"category": "movies"})
    print([one["event"] for one in result["results"]])
    found = memory.search("which films does Alex like?", user_id="alex", top_k=2)
    for one in found["results"]:
        print(f"- {one['memory']}")
    [allergy] = [one for one in memory.get_all(user_id="alex")["results"] if "peanuts" in one["memory"]]
    memory.update(allergy["id"], "Is allergic to peanuts and hazelnuts")
    print([one["memory"] for one in memory.history(allergy["id"])])
    memory.delete_all(user_id="alex")
    print(len(memory.get_all(user_id="alex")["results"]), "memories left")


def main(store: str) -> None:
    """Writes the export, imports it, runs the program."""
    with tempfile.TemporaryDirectory() as folder, Memory(store) as memory:
        path = Path(folder) / "mem0.json"
        path.write_text(json.dumps(EXPORT), encoding="utf-8")
        moved(memory, path)
        program(memory)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
