"""Uses of tools as a model is shown them, and whether what it says of them is in them.

What a tool answered came from somewhere: it is quoted, and nothing in it is an order. And models invent: a name of an
argument, a number or an error that is in none of the cited runs makes a rule that misleads, so it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from memplug.extraction.support import evidence
from memplug.lexical.analyzer import analyze
from memplug.safety.quoting import quoted
from memplug.safety.secrets import redacted
from memplug.values.extraction import Turn
from memplug.values.tool_call import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from memplug.values.run import Run

#: Why what a model says of runs is left out: it cites none, or one that was not shown; it names an argument, an error,
#: a tool or an identifier that is in none of them; a number, a name or all its words are not; or it is about what is to
#: be left out, is there already, or is empty or too long.
Flaw = Literal[
    "run_missing",
    "run_unknown",
    "argument_unknown",
    "error_unknown",
    "tool_unknown",
    "identifier_unsupported",
    "number_unsupported",
    "name_unsupported",
    "words_unsupported",
    "excluded",
    "known",
    "empty",
    "too_long",
]

#: Characters of arguments, result and error that are shown.
_SHOWN = 700
#: What programs name things by: ``payment_methods``, ``payment-id``, ``totalPrice``, ``ValueError``, and what stands in
#: backticks.
_IDENTIFIER = re.compile(r"`([^`\n]+)`|([A-Za-z]\w*_\w+|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)")
#: Words with capitals that say in which form something is to be given; no run need hold them.
_FORMS = re.compile(r"\b(?:JSON|ISO|UTC|URL|ID|API|HTTP|YYYY|MM|DD|HH|True|False|None|OK)\b")
#: Argument names in arguments: as deep as a model is shown them.
_LEVELS = 4


class Flawed(Exception):
    """Says why something is left out.

    Args:
        flaw: Why.
    """

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw)
        self.flaw: Flaw = flaw


def labelled(runs: Iterable[Run]) -> list[Run]:
    """The runs with what they are cited by."""
    return [replace(run, label=f"r{number}") for number, run in enumerate(runs, start=1)]


def shown(run: Run, code: str) -> str:
    """A run as a question shows it.

    Args:
        run: It.
        code: The boundary of the question's quotations.
    """
    how = "worked" if run.worked else "failed"
    return f"[{run.label}] {how}:\n{quoted(words(run), origin=f'tool {run.tool}', boundary=code)}"


def words(run: Run) -> str:
    """What is shown of a run, and so all that may be said of it: no secrets, which models are not sent either."""
    call = run.call
    given = f"{run.tool}({_cut(plain(call.arguments)) if call.arguments is not None else ''})"
    told = _cut(plain(call.result)) if call.result is not None else "(nothing)"
    error = [part for part in (call.error_type, call.error) if part and redacted(part) not in told]
    failed = f"\nerror: {_cut(': '.join(error))}" if error and not run.worked else ""
    return redacted(f"{given}\n→ {told}{failed}")


def cited(labels: Sequence[str], runs: Sequence[Run]) -> list[Run]:
    """The runs that labels name.

    Raises:
        Flawed: There are none, or one of them was not shown.
    """
    asked = dict.fromkeys(label.strip(" []") for label in labels)
    found = [run for run in runs if run.label in asked]
    if not asked:
        raise Flawed("run_missing")
    if len(found) != len(asked):
        raise Flawed("run_unknown")
    return found


def check_words(text: str, runs: Sequence[Run], *, known: str = "", exclude: Iterable[str] = ()) -> None:
    """Refuses a text that says what the runs do not hold.

    Args:
        text: It.
        runs: What it cites.
        known: Further words that it may use: names of tools, and what their definitions say.
        exclude: Topics that it must not be about.

    Raises:
        Flawed: It does.
    """
    heard = "\n".join([*(words(run) for run in runs), known])
    names = {name for pair in _IDENTIFIER.findall(heard) for name in pair if name} | set(_words(heard))
    for quoted_name, plain_name in _IDENTIFIER.findall(text):
        if plain_name and plain_name not in names:
            raise Flawed("identifier_unsupported")
        if quoted_name and quoted_name.casefold() not in heard.casefold():
            raise Flawed("identifier_unsupported")
    turns = [Turn(label="r", text=heard, role="user", said_at=runs[0].at)]
    lack = evidence(turns, turns).lack(_FORMS.sub(" ", text))
    # A lesson says in words of its own what several runs have in common; so one of their words is enough.
    if lack is not None and (lack != "words_unsupported" or set(analyze(text)).isdisjoint(analyze(heard))):
        raise Flawed(lack)
    terms = set(analyze(text))
    if any(terms.issuperset(analyze(topic)) for topic in exclude):
        raise Flawed("excluded")


def check_arguments(names: Iterable[str], runs: Sequence[Run]) -> None:
    """Refuses names of arguments that none of the runs was given.

    Raises:
        Flawed: One is not.
    """
    given = {name for run in runs for name in _names(run.call.arguments, _LEVELS)}
    if not given.issuperset(names):
        raise Flawed("argument_unknown")


def check_error(error: str, runs: Sequence[Run]) -> None:
    """Refuses an error that none of the runs ended with.

    Raises:
        Flawed: It is in none.
    """
    failed = [" ".join(words(run).casefold().split()) for run in runs if not run.worked]
    if not any(" ".join(error.casefold().split()) in one for one in failed):
        raise Flawed("error_unknown")


def _words(text: str) -> Iterator[str]:
    yield from re.findall(r"\w+", text)


def _names(value: Any, levels: int) -> Iterator[str]:
    """The names of members in a JSON value."""
    if isinstance(value, Mapping) and levels:
        for name, member in value.items():
            yield str(name)
            yield from _names(member, levels - 1)
    elif isinstance(value, list | tuple) and levels:
        for member in value:
            yield from _names(member, levels - 1)


def _cut(text: str) -> str:
    text = redacted(text)  # before it is cut: nobody knows half a key for what it is
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
