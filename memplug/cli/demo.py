"""The command ``demo``: a small life, remembered and asked about, so that one sees what memplug does and why."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memplug.cli.command import command
from memplug.cli.demo_input import (
    CONVERSATIONS,
    QUESTIONS,
    RECEIPT_DATA,
    RECEIPT_NAME,
    RECEIPT_WORDS,
    RIGHT,
    STRANGER,
    USER,
    WRONG,
    draw_receipt,
)
from memplug.cli.documents import hit_document, item_document, outcome_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memplug.cli.invocation import Invocation
    from memplug.memory import Memory
    from memplug.values.hit import Hit
    from memplug.values.item import MemoryItem
    from memplug.values.outcome import Outcome

_HITS = 3


@dataclass(slots=True, kw_only=True)
class Story:
    """What happened in a demo.

    Args:
        user: Whose memories it made.
        outcomes: Of everything that was added, in order.
        corrected: All versions of the memory that was corrected.
        receipt: The memory of the picture.
        answers: The hits of each question, in the order of the questions.
        stranger: How many memories another user found with the same questions.
        seconds: What adding, correcting and asking took.
    """

    user: str
    outcomes: list[Outcome] = field(default_factory=list)
    corrected: list[MemoryItem] = field(default_factory=list)
    receipt: MemoryItem | None = None
    answers: list[Sequence[Hit]] = field(default_factory=list)
    stranger: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


@command("demo")
@click.option("--keep", is_flag=True, help="Keep the demo's store, and say where it is.")
def demo(invocation: Invocation, *, keep: bool) -> None:
    """Show on a small example what it does.

    It works in a store of its own that is removed at the end, or in the one that --store names.
    """
    named = invocation.store_from == "COMMANDLINE"
    folder = None if named else Path(tempfile.mkdtemp(prefix="memplug-demo-"))
    if folder is not None:
        invocation.store = str(folder / "store")
    try:
        with invocation.open() as memory:
            # In a store of the user's own, a new name each time keeps one demo from meeting the last one's memories.
            story = _lived(memory, f"demo-{secrets.token_hex(3)}" if named else USER)
    finally:
        if folder is not None and not keep:
            shutil.rmtree(folder, ignore_errors=True)
    _tell(invocation, story, invocation.store if named or keep else None)


def _tell(invocation: Invocation, story: Story, kept: str | None) -> None:
    from memplug.cli.demo_page import show_story

    invocation.answer(_document(story, kept), lambda screen: show_story(screen, story, kept))


def _lived(memory: Memory, user: str) -> Story:
    """Adds, corrects and asks, with the time that each takes."""
    story = Story(user=user)
    _timed(story, "adding", lambda: _add(memory, story))
    _timed(story, "correcting", lambda: _correct(memory, story))
    _timed(story, "asking", lambda: _ask(memory, story))
    return story


def _timed(story: Story, what: str, do: Callable[[], None]) -> None:
    started = time.perf_counter()
    do()
    story.seconds[what] = round(time.perf_counter() - started, 3)


def _add(memory: Memory, story: Story) -> None:
    from memplug.values.source import Source

    for run, turns in CONVERSATIONS.items():
        messages = [{"role": role, "name": name, "content": words} for role, name, words in turns]
        story.outcomes += memory.add(messages, user_id=story.user, run_id=run).outcomes
    receipt = Source(data=draw_receipt(), name=RECEIPT_NAME)
    added = memory.add(receipt, user_id=story.user, description=RECEIPT_WORDS, metadata=RECEIPT_DATA)
    story.outcomes += added.outcomes
    story.receipt = memory.get(added.ids[0], user_id=story.user)


def _correct(memory: Memory, story: Story) -> None:
    wrong = next(outcome.id for outcome in story.outcomes if outcome.id and outcome.text == WRONG)
    memory.update(wrong, RIGHT, user_id=story.user)
    story.corrected = memory.history(wrong, user_id=story.user)


def _ask(memory: Memory, story: Story) -> None:
    for asked in QUESTIONS:
        story.answers.append(memory.search(asked.text, user_id=story.user, top_k=_HITS, explain=True))
        story.stranger += len(memory.search(asked.text, user_id=STRANGER))


def _document(story: Story, kept: str | None) -> dict[str, Any]:
    return {
        "store": kept,
        "user": story.user,
        "added": [outcome_document(outcome) for outcome in story.outcomes],
        "corrected": [item_document(item) for item in story.corrected],
        "questions": [
            {"question": asked.text, "shows": asked.point, "hits": [hit_document(hit) for hit in hits]}
            for asked, hits in zip(QUESTIONS, story.answers, strict=True)
        ],
        "another_user": {"user": STRANGER, "found": story.stranger},
        "seconds": story.seconds,
    }
