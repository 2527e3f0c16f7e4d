"""The shares of the score, one ranker each. Nothing here is loaded before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.plugins.protocols import Ranker


def default_rankers() -> dict[str, Callable[[], Ranker]]:
    """The built-in rankers by name, in the order in which they are asked.

    Three before the last add a part of what the ones before gave, so what is irrelevant gains nothing from them. The
    last looks at what all of them gave.
    """
    return {
        "meaning": _meaning,
        "words": _words,
        "neighbours": _neighbours,
        "conversation": _conversation,
        "speaker": _speaker,
        "dates": _dates,
        "tools": _tools,
        "corrections": _corrections,
    }


def _meaning() -> Ranker:
    from memplug.rankers.meaning import Meaning

    return Meaning()


def _words() -> Ranker:
    from memplug.rankers.words import Words

    return Words()


def _neighbours() -> Ranker:
    from memplug.rankers.neighbours import Neighbours

    return Neighbours()


def _conversation() -> Ranker:
    from memplug.rankers.conversation import Conversation

    return Conversation()


def _speaker() -> Ranker:
    from memplug.rankers.speaker import Speaker

    return Speaker()


def _dates() -> Ranker:
    from memplug.rankers.dates import Dates

    return Dates()


def _tools() -> Ranker:
    from memplug.rankers.tools import Tools

    return Tools()


def _corrections() -> Ranker:
    from memplug.rankers.corrections import Corrections

    return Corrections()
