"""Asks a model what the uses of a tool teach, and keeps of its answer what the uses bear out."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.extraction.runs import Flawed, check_arguments, check_error, check_words, cited, shown
from memplug.lexical.sameness import same_words
from memplug.safety.quoting import QUOTING_RULE, new_boundary, quoted
from memplug.safety.text import clean
from memplug.values.lesson import Rule
from memplug.values.prompt import Prompt, PromptMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.extraction.practice_answers import RuleAnswer
    from memplug.plugins.models import ChatModel
    from memplug.values.run import Run
    from memplug.values.tool_stats import ToolStats

log = logging.getLogger("memplug.extraction")

#: Rules of one tool, and characters of one.
MOST_RULES, LONGEST_RULE = 3, 500
#: Characters of what is counted of a tool and of what it was defined as.
_COUNTED = 2_000
_TEACH = """\
You keep the experience of an agent with its tools. From uses of one tool you take what helps to use it better next
time: one to three rules of the form "When …, then …".

- A rule says in which situation it holds and what to do then: which arguments to give, what to look up before, what
  to do after an error. Of several uses it says what they have in common; names and numbers of one user are none of it.
- Look first at errors, and at what was done differently when it worked afterwards.
- Each rule cites the runs that show it. Spell arguments, errors and other names exactly as these runs do, and name
  none that is not in them. Invent nothing: no reason, and no remedy that no run shows.
- Where there is a lesson already, keep of it what still holds, and cite the runs that show it here.
- Where the runs teach nothing, give an empty list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonQuestion:
    """What is to be learnt from.

    Args:
        stats: What is counted of the tool.
        runs: Some of its uses with labels, in their order.
        before: The lesson that there is; empty where there is none.
        exclude: Topics that must not be kept.
    """

    stats: ToolStats
    runs: Sequence[Run]
    before: str = field(default="", repr=False)
    exclude: Sequence[str] = ()


def taught(model: ChatModel, question: LessonQuestion) -> tuple[Rule, ...]:
    """The rules that hold; none where the runs teach nothing.

    Args:
        model: Whom to ask.
        question: What is to be learnt from.

    Raises:
        ModelError: It could not answer.
    """
    from memplug.extraction.practice_answers import LessonAnswer
    from memplug.models.structured import asked

    answer, _ = asked(model, _prompt(question), LessonAnswer)
    rules: list[Rule] = []
    for proposed in answer.rules:
        try:
            rules.append(_checked(proposed, question, rules))
        except Flawed as flawed:
            log.info("left out a rule for a tool: %s, %d characters", flawed.flaw, len(proposed.when + proposed.then))
    return tuple(rules[:MOST_RULES])


def _checked(proposed: RuleAnswer, question: LessonQuestion, rules: Sequence[Rule]) -> Rule:
    when, then = _trimmed(proposed.when, "when"), _trimmed(proposed.then, "then")
    if not when or not then:
        raise Flawed("empty")
    text = f"When {when}, then {then}."
    if len(text) > LONGEST_RULE:
        raise Flawed("too_long")
    runs = cited(proposed.runs, question.runs)
    arguments, error = tuple(proposed.arguments or ()), " ".join(clean(proposed.error or "").split())
    check_arguments(arguments, runs)
    if error:
        check_error(error, runs)
    check_words(f"{when}. {then}", runs, known=_defined(question.stats), exclude=question.exclude)
    if same_words(text) in {same_words(rule.text) for rule in rules}:
        raise Flawed("known")
    return Rule(text=text, runs=tuple(run.id for run in runs), arguments=arguments, error=error)


def _trimmed(text: str, word: str) -> str:
    """A half of a rule without the word that it is put behind, and without an end of its own."""
    text = " ".join(clean(text).split()).rstrip(" .;,")
    head, _, rest = text.partition(" ")
    return rest if head.casefold().rstrip(",") == word else text


def _prompt(question: LessonQuestion) -> Prompt:
    code, stats = new_boundary(), question.stats
    counted = f"{stats.calls} uses, {stats.ok} worked, {stats.errors} failed."
    parts = ["The tool:", quoted(f"{_defined(stats)}\n{counted}", origin="tool definition and counts", boundary=code)]
    if question.before:
        parts += ["The lesson that there is:", quoted(question.before, origin="lesson", boundary=code)]
    parts += ["Runs, in their order:", *(shown(run, code) for run in question.runs)]
    rules = f"Never keep anything about: {'; '.join(question.exclude)}." if question.exclude else ""
    system = "\n\n".join(part for part in (_TEACH, rules, QUOTING_RULE) if part)
    return Prompt(
        messages=(PromptMessage(role="system", text=system), PromptMessage(role="user", text="\n\n".join(parts)))
    )


def _defined(stats: ToolStats) -> str:
    """The tool's name, and what its definition says."""
    schema = json.dumps(stats.schema, ensure_ascii=False)[:_COUNTED] if stats.schema else ""
    return "\n".join(part for part in (stats.name, stats.description[:_COUNTED], schema) if part)
