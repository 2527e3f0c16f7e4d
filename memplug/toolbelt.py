"""What a model may do with a memory by tools, whichever framework the tools are made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.safety.quoting import origin_of, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.scoped import ScopedMemory
    from memplug.values.feedback import FeedbackResult
    from memplug.values.hit import Hit

#: The names of the tools, which are the same everywhere.
TOOL_NAMES = ("search_memory", "save_memory", "correct_memory", "load_skill")
#: What a model is told where a search finds nothing.
NOTHING = "Nothing is remembered about this."
#: Characters of one memory, and of a file of a skill, that a model is given.
_WORDS, _FILE = 2_000, 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbelt:
    """The tools' work, in words for a model.

    Args:
        view: Whose memories; fixed by the program, so that no model can ask for somebody else's.
        top_k: Most memories that a search gives.
    """

    view: ScopedMemory
    top_k: int = 5

    def search(self, query: str) -> Sequence[Hit]:
        """What is found, best first; `shown` gives the words of each."""
        return self.view.search(query, top_k=self.top_k)

    def save(self, text: str, tags: list[str] | None = None) -> str:
        """Remembers something as the model's words: what the user said is remembered as the user's own elsewhere."""
        result = self.view.add({"role": "assistant", "content": text}, tags=tags)
        return f"Remembered as {', '.join(result.ids)}."

    def correct(self, correction: str) -> str:
        """Corrects what is remembered, said in plain words, and tells what became of it."""
        return _told(self.view.feedback(correction, buckets=self.view.buckets))

    def skill(self, name: str, path: str = "") -> str:
        """A skill's instructions with the list of its files, or one of the files.

        Raises:
            NotFound: There is no such skill, or no such file in it.
        """
        skill = self.view.skill(name)
        if not path:
            files = ", ".join(file.path for file in skill.files)
            return f"{skill.body[:_FILE]}\n\nFiles: {files}"
        data = skill.read(path)
        try:
            return data.decode()[:_FILE]
        except UnicodeDecodeError:
            return f"{path} has {len(data):,} bytes that are no text."


def shown(hit: Hit, boundary: str) -> str:
    """A memory for a model: its words, cut short where they are many, quoted with origin, date and id.

    Args:
        hit: The memory.
        boundary: The code that all quotations of one answer share (`new_boundary`).
    """
    item = hit.item
    origin = ", ".join((origin_of(item.source, kind=item.kind), f"{item.created_at:%Y-%m-%d}", f"id {item.id}"))
    text = item.text.strip() or item.name
    return quoted(text if len(text) <= _WORDS else f"{text[:_WORDS]}…", origin=origin, boundary=boundary)


def _told(result: FeedbackResult) -> str:
    """What became of a correction, for the model."""
    if result.event == "noted":
        return f"Noted, but nothing was changed: {result.reason or 'it is not sure what is meant'}."
    changes = [
        f"{one.before!r} is now {one.after!r}" if one.after else f"forgot {one.before!r}" for one in result.corrections
    ]
    return f"{result.event.capitalize()}: {'; '.join(changes)}."
