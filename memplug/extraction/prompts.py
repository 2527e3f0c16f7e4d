"""What a model is asked: the texts, and how turns and memories stand in them.

Everything that somebody said, and everything that was remembered, is quoted: it is data, whatever it demands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.safety.quoting import QUOTING_RULE, new_boundary, quoted
from memplug.values.prompt import Prompt, PromptMessage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from memplug.values.extraction import Extraction, ExtractionRequest, Known, Turn

_REMEMBER = """\
You keep the long-term memory of a chat assistant. From the turns of a conversation you take what is worth knowing in
later conversations: facts about the user and their world, their preferences, and events.

- One memory says one thing, in one sentence that is understood without the conversation: names instead of "she" or
  "there". Keep to the user's own words and language, and leave no name, number or detail out. Say "The user" where
  you do not know the name of who speaks.
- Only what the user says counts. What the assistant says is no fact about the user; a question of the assistant only
  shows what the user's answer means. Leave out greetings, requests to the assistant, and general knowledge.
- A preference is explicit where the user says it, and implicit where what they do or choose again and again shows it;
  then the reason tells what shows it. Do not guess.
- Instead of "yesterday" or "last Tuesday" write the date, counted from the date of the turn, and give it as `date`.
- Each memory cites the turns that say it. Never cite a turn that does not.
- Look at the memories that there are. Where one says the same already: nothing. Where it holds and the user said
  more: update, with the whole new sentence. Where it does not hold any more, since something changed or the user says
  otherwise: supersede, with what holds now, and the reason. Else: add."""
_CORRECT = """\
You keep the long-term memory of a chat assistant. The user says that something in it is wrong. Decide which of the
memories they mean, and how each of these must read from now on.

- Change only what the user says, keep the rest of the memory word for word, and use the user's words for what is new.
  Invent nothing: where the user only says that something does not hold any more, say just that.
- forget only where nothing of a memory holds and the user says nothing to put in its place.
- Where it is not clear which memory is meant, or none of them is, give an empty list. A wrong change is worse than
  none."""


def remembering(request: ExtractionRequest) -> Prompt:
    """Asks what of the turns is to be remembered."""
    code = new_boundary()
    parts = [
        f"It is {_day(request.now)}.",
        "Memories that there are:" if request.known else "There are no memories of this yet.",
        *(_memory(one, code) for one in request.known),
    ]
    if before := [turn for turn in request.turns if not turn.fresh]:
        parts += ["What was said before, for understanding:", *(_turn(turn, code) for turn in before)]
    parts += ["What was said now:", *(_turn(turn, code) for turn in request.turns if turn.fresh)]
    rules = "\n".join(_rules(request.rules))
    return _prompt("\n\n".join(part for part in (_REMEMBER, rules, QUOTING_RULE) if part), parts)


def correcting(request: ExtractionRequest) -> Prompt:
    """Asks which memories a user's words correct."""
    code = new_boundary()
    parts = [
        f"It is {_day(request.now)}.",
        "The memories:",
        *(_memory(one, code) for one in request.known),
        "The user says:",
        *(_turn(turn, code) for turn in request.turns),
    ]
    return _prompt(f"{_CORRECT}\n\n{QUOTING_RULE}", parts)


def _prompt(system: str, parts: list[str]) -> Prompt:
    return Prompt(
        messages=(PromptMessage(role="system", text=system), PromptMessage(role="user", text="\n\n".join(parts)))
    )


def _rules(rules: Extraction) -> Iterator[str]:
    """What the user of memplug wants; these are orders, and stand among the others."""
    if rules.include:
        yield f"Keep only what is about: {'; '.join(rules.include)}."
    if rules.exclude:
        yield f"Never keep anything about: {'; '.join(rules.exclude)}."
    if rules.described:
        named = "; ".join(f"{name} ({meaning})" if meaning else name for name, meaning in rules.described)
        yield f"Categories: {named}. Give each memory the one that fits, or none."
    if rules.instructions:
        yield rules.instructions


def _turn(turn: Turn, code: str) -> str:
    who = f"{turn.role}, {turn.speaker}" if turn.speaker else turn.role
    return f"[{turn.label}] said {_day(turn.said_at)}:\n{quoted(turn.text, origin=who, boundary=code)}"


def _memory(known: Known, code: str) -> str:
    what = "said by the user" if known.spoken else known.kind
    return f"[{known.label}] {what}, {_day(known.at)}:\n{quoted(known.text, origin='memory', boundary=code)}"


def _day(moment: datetime) -> str:
    """A moment with the day of the week, without which nobody knows what "last Tuesday" is."""
    return f"{_DAYS[moment.weekday()]} {moment:%Y-%m-%d %H:%M}"


#: By name and not by locale: the model is asked in English.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
