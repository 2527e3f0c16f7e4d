"""The demo as a page to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.cli.demo_input import CONVERSATIONS, QUESTIONS, RECEIPT_WORDS, RIGHT, STRANGER, WRONG
from memplug.cli.searching import shown_shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.cli.demo import Story
    from memplug.cli.demo_input import Asked
    from memplug.cli.screen import Screen
    from memplug.values.hit import Hit

_WIDTH = 80
_INDENT = "   "
_LABEL, _NAME = 10, 3


def show_story(screen: Screen, story: Story, kept: str | None) -> None:
    """Writes what was remembered, asked and found."""
    screen.line()
    screen.line(("memplug demo", "bold"), ": all of it on this machine, no key, no server, no network.")
    _show_remembered(screen, story)
    _heading(screen, 2, f"{story.user} asks", f"four questions, {_milliseconds(story, 'asking')}")
    for asked, hits in zip(QUESTIONS, story.answers, strict=True):
        _show_answer(screen, asked, hits)
    _show_history(screen, story)
    _heading(screen, 3, f"{STRANGER} asks the same", "another user")
    screen.line(_INDENT, "nothing found" if not story.stranger else f"{story.stranger} memories found")
    _show_end(screen, story, kept)


def _show_remembered(screen: Screen, story: Story) -> None:
    _heading(screen, 1, f"{story.user} tells", f"{len(story.outcomes)} memories, {_milliseconds(story, 'adding')}")
    for run, turns in CONVERSATIONS.items():
        for number, (_, name, words) in enumerate(turns):
            _labelled(screen, run if number == 0 else "", name, words)
    media = story.receipt.media if story.receipt else None
    if media is not None:
        size = f"{media.width} x {media.height}, {media.size / 1024:.1f} KB"
        _labelled(screen, "picture", "Mei", f'"{RECEIPT_WORDS}" ({media.name}, {size})')
    _labelled(screen, "correction", "not", WRONG)
    _labelled(screen, "", "but", RIGHT)


def _show_answer(screen: Screen, asked: Asked, hits: Sequence[Hit]) -> None:
    screen.line()
    screen.line(_INDENT, (asked.text, "bold"))
    screen.line(_INDENT, (f"({asked.point})", "dim"))
    for number, hit in enumerate(hits):
        lead = f"{'>' if number == 0 else ' '} {hit.score:.2f}  "
        speaker = f"{hit.item.source.speaker}: " if hit.item.source.speaker else ""
        picture = "picture: " if hit.kind == "image" else ""
        room = min(screen.width or _WIDTH, _WIDTH) - len(_INDENT) - len(lead)
        style = "green" if number == 0 else ""
        screen.line(_INDENT, (lead, style), (screen.clip(picture + speaker + hit.text, room), style))
        if hit.metadata and number == 0:
            known = ", ".join(f"{name} {value}" for name, value in hit.metadata.items())
            screen.line(_INDENT, " " * len(lead), (f"({known})", style))
        for line in screen.folded(f"= {shown_shares(hit.shares)}", room):
            screen.line(_INDENT, " " * len(lead), (line, "dim"))


def _show_history(screen: Screen, story: Story) -> None:
    """What the last answer said before it was corrected, on the lines below it."""
    for item in story.corrected[:-1]:
        screen.line(_INDENT, (f"(history, version {item.version}: {item.text})", "dim"))


def _show_end(screen: Screen, story: Story, kept: str | None) -> None:
    screen.line()
    if kept is not None:
        screen.line(f"The store is kept. Look around: memplug --store {kept} list --user {story.user}")
        return
    screen.line("The demo's store is removed. Yours starts with:")
    screen.line(_INDENT, ('memplug add "I like spicy food" --user me', "bold"))
    screen.line(_INDENT, ('memplug search "what do I like to eat?" --user me', "bold"))


def _heading(screen: Screen, number: int, words: str, detail: str) -> None:
    screen.line()
    screen.line((f"{number}. {words}", "bold cyan"), (f"  ({detail})", "dim"))


def _labelled(screen: Screen, label: str, name: str, words: str) -> None:
    lead = _INDENT + label.ljust(_LABEL + 2) + name.ljust(_NAME + 2)
    room = min(screen.width or _WIDTH, _WIDTH) - len(lead)
    for number, line in enumerate(screen.folded(words, room)):
        screen.line((lead if number == 0 else " " * len(lead), "cyan"), line)


def _milliseconds(story: Story, what: str) -> str:
    return f"{story.seconds[what] * 1000:.0f} ms"
