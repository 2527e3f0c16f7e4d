"""Has a model write down a procedure as a skill, and keeps of it what the runs bear out.

What the procedure is, and which arguments each tool was given, is counted and not asked for: so a draft is whole also
where nothing that a model says of a step holds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.extraction.runs import Flawed, check_words, cited, shown
from memplug.safety.quoting import QUOTING_RULE, new_boundary, quoted
from memplug.safety.text import clean
from memplug.values.prompt import Prompt, PromptMessage
from memplug.values.tool_call import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memplug.extraction.practice_answers import SkillAnswer
    from memplug.extraction.runs import Flaw
    from memplug.plugins.models import ChatModel
    from memplug.values.run import Run

#: Characters of a skill's name and description as the specification has them, of a step, and of a tool's name.
_NAME, _DESCRIPTION, _STEP, _TOOL = 64, 1_024, 600, 100
#: Arguments of a tool that its step names, and cautions.
_ARGUMENTS, _CAUTIONS = 12, 8
_WRITE = """\
You write instructions for an agent: a procedure that was carried out with success before, from its runs.

- One step for each step of the procedure, in its order: what the call is for, where its arguments come from (the user,
  or the result of an earlier step), and what in its result matters for the next one.
- Instructions are for any user: no names, ids, dates or numbers of one user; say what is to be put there.
- Each step and each caution cites the runs that show it. Spell tools, arguments and other names exactly as the runs
  do, and name none that is not in them. Invent nothing that no run shows.
- Cautions say what went wrong in the runs, and what was done then. Where nothing did, there are none."""


@dataclass(slots=True, kw_only=True)
class Written:
    """A skill as it is written.

    Args:
        name, description: What its front matter says.
        steps: What to do with each tool of the procedure; empty where nothing is known of it but its arguments.
        cautions: What to watch out for.
        left_out: Why what was proposed is not there.
    """

    name: str
    description: str
    steps: list[str] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    left_out: list[Flaw] = field(default_factory=list)


def written(model: ChatModel, tools: Sequence[str], runs: Sequence[Run], *, name: str | None) -> Written:
    """What a model writes of a procedure, as far as it holds.

    Args:
        model: Whom to ask.
        tools: The procedure.
        runs: Runs of it, with labels.
        name: What the skill is to be called; None leaves that to the model.

    Raises:
        ModelError: It could not answer.
    """
    from memplug.extraction.practice_answers import SkillAnswer
    from memplug.models.structured import asked

    answer, _ = asked(model, _prompt(tools, runs), SkillAnswer)
    skill = Written(name=name or skill_name(answer.name) or skill_name("-".join(tools)) or "procedure", description="")
    known = "\n".join(tools)
    skill.description = _sound(skill, answer.description, runs, known, _DESCRIPTION) or _plain_description(tools)
    skill.steps = _steps(skill, answer, tools, runs)
    for caution in answer.cautions[:_CAUTIONS]:
        if said := _cited(skill, caution.text, caution.runs, runs, known):
            skill.cautions.append(said)
    return skill


def skill_name(words: str) -> str:
    """Words as a name that the Agent Skills specification takes; empty where none of them can stand in one."""
    return re.sub(r"[^a-z0-9]+", "-", clean(words).lower())[:_NAME].strip("-")


def skill_text(skill: Written, tools: Sequence[str], runs: Sequence[Run], conversations: int) -> str:
    """The `SKILL.md`.

    Args:
        skill: What was written.
        tools: The procedure.
        runs: Runs of it.
        conversations: How often it was carried out.
    """
    often = "once" if conversations == 1 else f"in {conversations} conversations"
    title = skill.name.replace("-", " ").capitalize()
    lines = ["---", f"name: {skill.name}", f"description: {json.dumps(skill.description, ensure_ascii=False)}", "---"]
    lines += [
        "",
        f"# {title}",
        "",
        f"Carried out with success {often}, with these tools in this order.",
        "",
        "## Steps",
    ]
    lines.append("")
    for number, (tool, said) in enumerate(zip(tools, skill.steps, strict=True), start=1):
        lines.append(f"{number}. Call {_code(tool)}{_with(_arguments(tool, runs))}." + (f" {said}" if said else ""))
    if skill.cautions:
        lines += ["", "## Watch out", "", *(f"- {caution}" for caution in skill.cautions)]
    return "\n".join(lines) + "\n"


def _steps(skill: Written, answer: SkillAnswer, tools: Sequence[str], runs: Sequence[Run]) -> list[str]:
    """What the model says of each step, by the tool, in their order; what fits no step is left out."""
    left = list(answer.steps)
    found = []
    for tool in tools:
        step = next((one for one in left if one.tool == tool), None)
        if step is None:
            found.append("")
            continue
        # What it says of steps that were passed over is of none of those that are still to come.
        skill.left_out += ["tool_unknown"] * left.index(step)
        left = left[left.index(step) + 1 :]
        found.append(_cited(skill, step.instruction, step.runs, runs, "\n".join(tools)))
    skill.left_out += ["tool_unknown"] * len(left)
    return found


def _cited(skill: Written, text: str, labels: Sequence[str], runs: Sequence[Run], known: str) -> str:
    try:
        return _sound(skill, text, cited(labels, runs), known, _STEP)
    except Flawed as flawed:
        skill.left_out.append(flawed.flaw)
        return ""


def _sound(skill: Written, text: str, runs: Sequence[Run], known: str, most: int) -> str:
    """A text on one line, or none where it says what the runs do not hold."""
    text = " ".join(clean(text).split())
    if not text or len(text) > most:
        skill.left_out.append("too_long" if text else "empty")
        return ""
    try:
        check_words(text, runs, known=known)
    except Flawed as flawed:
        skill.left_out.append(flawed.flaw)
        return ""
    return text


def _plain_description(tools: Sequence[str]) -> str:
    listed = ", then ".join(words_of(tool) or tool for tool in dict.fromkeys(tools))
    return " ".join(clean(f"A procedure that worked before: {listed}.").split())[:_DESCRIPTION]


def _prompt(tools: Sequence[str], runs: Sequence[Run]) -> Prompt:
    code = new_boundary()
    steps = "\n".join(f"{number}. {tool}" for number, tool in enumerate(tools, start=1))
    parts = ["The steps of the procedure:", quoted(steps, origin="names of tools", boundary=code)]
    parts += ["Runs of it, in their order:", *(shown(run, code) for run in runs)]
    return Prompt(
        messages=(
            PromptMessage(role="system", text=f"{_WRITE}\n\n{QUOTING_RULE}"),
            PromptMessage(role="user", text="\n\n".join(parts)),
        )
    )


def _arguments(tool: str, runs: Sequence[Run]) -> list[str]:
    """The arguments that a tool was given each time that it worked."""
    given: list[Mapping[str, object]] = [
        run.call.arguments for run in runs if run.tool == tool and run.worked and isinstance(run.call.arguments, dict)
    ]
    return [name for name in given[0] if all(name in one for one in given)][:_ARGUMENTS] if given else []


def _with(names: Sequence[str]) -> str:
    return f" with {', '.join(_code(name) for name in names)}" if names else ""


def _code(name: str) -> str:
    """A name as code in Markdown; names of tools come from anywhere."""
    return f"`{' '.join(clean(name).replace('`', ' ').split())[:_TOOL]}`"
