"""What facts are to be drawn from what was said, and what an extractor is shown and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from memplug.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from memplug.values.source import Role

FactKind = Literal["fact", "preference", "event"]
#: The kinds of the memories that are drawn from others; ``search(kinds=FACT_KINDS)`` finds these alone.
FACT_KINDS: tuple[str, ...] = get_args(FactKind)

#: ``add`` something new; ``update`` a memory that says less; ``supersede`` one that does not hold any more; ``forget``
#: one altogether (only where a user corrects); ``nothing``.
Action = Literal["add", "update", "supersede", "forget", "nothing"]
ACTIONS: tuple[str, ...] = get_args(Action)

#: Characters of the instructions, and of one topic or category with its description.
_LONGEST, _LONGEST_TOPIC = 10_000, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """How facts are drawn from conversations: ``Memory(extraction=Extraction(exclude=["health"]))``.

    Args:
        instructions: What matters to your application, in your words, for the model.
        categories: Words that a fact may be tagged with, or a mapping of these to what they mean; each fact gets one
            that fits as a tag, or none.
        include: Topics to keep to; empty means all. The model is told.
        exclude: Topics that must not be kept. The model is told, and a fact that names one of them in these words is
            left out whatever it says.
        reach: Which memories a new statement may supersede: of all of the ``user``'s conversations, or only those
            inside the ``scope`` of the call, its ``run_id`` included.

    Raises:
        ConfigError: One of them is not what it should be.
    """

    instructions: str = ""
    categories: Sequence[str] | Mapping[str, str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    reach: Literal["user", "scope"] = "user"

    def __post_init__(self) -> None:
        if not isinstance(self.instructions, str) or len(self.instructions) > _LONGEST:
            raise ConfigError(f"extraction: instructions are a text of at most {_LONGEST:,} characters")
        if self.reach not in {"user", "scope"}:
            raise ConfigError(f"extraction: reach is 'user' or 'scope', not {self.reach!r:.50}")
        described = self.categories.values() if isinstance(self.categories, Mapping) else ()
        for name in ("categories", "include", "exclude"):
            _check_topics(name, getattr(self, name))
        _check_topics("categories", list(described))

    @property
    def described(self) -> tuple[tuple[str, str], ...]:
        """The categories with what they mean, which may be empty."""
        if isinstance(self.categories, Mapping):
            return tuple(self.categories.items())
        return tuple((name, "") for name in self.categories)


def _check_topics(name: str, topics: Iterable[str]) -> None:
    if isinstance(topics, str | bytes):
        raise ConfigError(f"extraction: {name} is a list of words, not one text", hint=f"{name}=[{topics!r:.50}]")
    for topic in topics:
        if not isinstance(topic, str) or not topic.strip() or len(topic) > _LONGEST_TOPIC:
            raise ConfigError(f"extraction: {name} takes words of 1 to {_LONGEST_TOPIC} characters, not {topic!r:.50}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One thing that was said, as an extractor is shown it.

    Args:
        label: What a proposal cites it by (``t3``).
        text: The words. Not shown by ``repr``: logs hold ids and sizes, never content.
        role: Who said it.
        said_at: When; what "yesterday" is counted from.
        speaker: The speaker's name, where one is known.
        fresh: Whether it is what was just said. What is not was said before and shows what that is about.
        part: Index of the part of the input that it is; None where it was stored before.
        id: The memory that holds it; None while it is not stored.
    """

    label: str
    text: str = field(repr=False)
    role: Role
    said_at: datetime
    speaker: str | None = None
    fresh: bool = True
    part: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A memory that is there already, as an extractor is shown it.

    Args:
        label: What a proposal names it by (``m2``); ids are not shown to models.
        id, version, kind, text: The memory's.
        at: When what it tells happened, or when it was stored.
        turns: What was said that it was made from, by the ids; of a turn of a conversation, that itself.
        tags: Its tags.
    """

    label: str
    id: str
    version: int
    kind: str
    text: str = field(repr=False)
    at: datetime
    turns: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def spoken(self) -> bool:
        """Whether it is something that was said, which stays as it is; a fact takes its place in recall instead."""
        return self.kind not in FACT_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRequest:
    """What an extractor is asked.

    Args:
        turns: In their order.
        known: Memories that may be about the same, the likeliest first.
        rules: What the user wants to be kept.
        now: The present moment.
        purpose: ``remember`` what the turns tell, or ``correct`` known memories as the one turn says.
    """

    turns: tuple[Turn, ...]
    known: tuple[Known, ...] = ()
    rules: Extraction = field(default_factory=Extraction)
    now: datetime
    purpose: Literal["remember", "correct"] = "remember"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One thing that an extractor proposes. It is checked before anything is done.

    Args:
        action: What to do.
        text: The memory's words from now on, with dates instead of "yesterday".
        kind: ``fact``, ``preference`` or ``event``.
        turns: Labels of the turns that say so.
        memory: Label of the known memory that is changed; None for ``add``.
        reason: Why: what shows an implicit preference, or why the memory does not hold any more.
        date: When it happened or holds from, as ISO 8601: ``2026-11-20``, ``2026-11`` or ``2026``; empty if unknown.
        category: One of the categories of `Extraction`.
        implicit: Of a preference: whether it was shown and not said.
    """

    action: Action
    text: str = field(default="", repr=False)
    kind: FactKind = "fact"
    turns: tuple[str, ...] = ()
    memory: str | None = None
    reason: str = field(default="", repr=False)
    date: str = ""
    category: str | None = None
    implicit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """What an extractor answers.

    Args:
        found: What it proposes.
    """

    found: tuple[Proposal, ...] = ()
