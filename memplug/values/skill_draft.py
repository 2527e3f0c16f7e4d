"""A skill that was drafted from what agents did, and that nobody has stored yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from memplug.values.prompt import Usage
from memplug.values.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillDraft:
    """What `Memory.draft_skill` gives: to be read, changed with `dataclasses.replace`, and added.

    Args:
        name, description: As the `SKILL.md` gives them.
        text: The whole `SKILL.md`.
        tools: The procedure: the tools in the order in which they were used.
        conversations: In how many conversations it was carried out with success.
        derived_from: Ids of the uses of tools that it was written from; the stored skill keeps them in its ``source``.
        left_out: Why things that the model proposed are not in it, a word for each (`memplug.extraction.runs.Flaw`).
        usage: What the model took for it.
    """

    name: str
    description: str
    text: str = field(repr=False)
    tools: tuple[str, ...]
    conversations: int
    derived_from: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)

    @property
    def files(self) -> dict[str, bytes]:
        """The skill's files by their paths."""
        return {"SKILL.md": self.text.encode()}

    @property
    def source(self) -> Source:
        """It as something to add."""
        return Source(data=self.text.encode(), name="SKILL.md", media_type="text/markdown")
