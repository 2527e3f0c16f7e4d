"""Real conversations and receipts with questions whose answers are known, as memories and their evidence."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ANSWERABLE = {1, 2, 3, 4}
_CATEGORIES = {1: "several turns", 2: "time", 3: "open", 4: "one turn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One memory to be.

    Args:
        id: Unique in its corpus part.
        text: Its words, with the captions of its pictures.
        speaker, run_id, position, occurred_at: As in `memplug.values`.
    """

    id: str
    text: str
    speaker: str | None = None
    run_id: str | None = None
    position: int | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, the turns that hold the answer, and what kind of question it is."""

    text: str
    evidence: frozenset[str]
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What one user remembers, and what is asked of it."""

    name: str
    turns: tuple[Turn, ...]
    asked: tuple[Asked, ...]


def data_folder() -> Path:
    """The folder of real data: ``MEMPLUG_TEST_DATA``, else ``shared/data`` beside the repository."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("MEMPLUG_TEST_DATA", default))


def locomo(folder: Path) -> list[Corpus]:
    """The LoCoMo conversations: each turn a memory of its speaker, each session a conversation."""
    return [_locomo(part) for part in _json(folder / "locomo" / "conversations-dev.json")]


def _locomo(part: dict[str, Any]) -> Corpus:
    turns = [turn for number in _sessions(part["conversation"]) for turn in _session(part["conversation"], number)]
    known = {turn.id for turn in turns}
    asked = [
        Asked(
            text=question["question"],
            evidence=frozenset(re.findall(r"D\d+:\d+", " ".join(question["evidence"]))) & known,
            category=_CATEGORIES[question["category"]],
        )
        for question in part["qa"]
        if question["category"] in _ANSWERABLE
    ]
    return Corpus(name=part["sample_id"], turns=tuple(turns), asked=tuple(one for one in asked if one.evidence))


def _sessions(conversation: dict[str, Any]) -> list[int]:
    return sorted(int(found[1]) for key in conversation if (found := re.fullmatch(r"session_(\d+)", key)))


def _session(conversation: dict[str, Any], number: int) -> list[Turn]:
    told = datetime.strptime(conversation[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
    return [
        Turn(
            id=turn["dia_id"],
            text=" ".join([turn["text"], *_texts(turn.get("blip_caption"))]),
            speaker=turn["speaker"],
            run_id=f"session_{number}",
            position=position,
            occurred_at=told,
        )
        for position, turn in enumerate(conversation[f"session_{number}"])
    ]


def gallery(folder: Path) -> list[Corpus]:
    """The Mem-Gallery dialogues: each round of user and assistant a memory, pictures as their captions."""
    return [_gallery(path.stem, _json(path)) for path in sorted((folder / "mem-gallery").glob("*.json"))]


def _gallery(name: str, part: dict[str, Any]) -> Corpus:
    turns = [
        Turn(
            id=turn["round"],
            text=" ".join([f"user: {turn['user']} assistant: {turn['assistant']}", *_texts(turn.get("image_caption"))]),
            run_id=session["session_id"],
            position=position,
            occurred_at=datetime.fromisoformat(session["date"]).replace(tzinfo=UTC),
        )
        for session in part["multi_session_dialogues"]
        for position, turn in enumerate(session["dialogues"])
    ]
    known = {turn.id for turn in turns}
    asked = [
        Asked(
            text=" ".join([question["question"], *_texts(question.get("image_caption"))]),
            evidence=frozenset(question["clue"]) & known,
            category=question["point"],
        )
        for question in part["human-annotated QAs"]
    ]
    return Corpus(name=name, turns=tuple(turns), asked=tuple(one for one in asked if one.evidence))


def receipts(folder: Path, recognised: Path) -> list[Corpus]:
    """Scanned receipts by the text that OCR read off them (``receipts.py --texts``), asked for by company and date."""
    keys, texts = _json(folder / "receipts" / "keys.json"), _json(recognised)
    asked = [
        Asked(text=f"receipt from {key['company']} {key['date']}", evidence=frozenset({id_}), category="receipt")
        for id_, key in keys.items()
        if id_ in texts
    ]
    turns = [Turn(id=id_, text=text) for id_, text in texts.items()]
    return [Corpus(name="receipts", turns=tuple(turns), asked=tuple(asked))]


def _texts(value: str | list[str] | None) -> list[str]:
    return [] if not value else [value] if isinstance(value, str) else value


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
