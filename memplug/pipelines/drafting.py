"""Skills out of what agents did: a procedure that was found, written down by a model, and checked. Stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import ConfigError, MalformedInput
from memplug.extraction.runs import labelled
from memplug.extraction.skill_drafting import skill_text, written
from memplug.pipelines.procedures import procedure
from memplug.plugins.metering import metered
from memplug.safety.labels import check_texts
from memplug.skills.manifest import read_manifest
from memplug.values.skill_draft import SkillDraft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.models import Toolbox
    from memplug.store import Store
    from memplug.values.scope import Scope

#: Tools that a caller may name.
_TOOLS = 20


def drafted(store: Store, models: Toolbox, scope: Scope, *, name: str | None, tools: Sequence[str]) -> SkillDraft:
    """A draft of a skill; see `Memory.draft_skill`.

    Raises:
        ConfigError: No model is configured.
        MalformedInput: The name is none that the specification takes, or the tools are no names.
        NotFound: There is no such procedure.
        ModelError: The model could not answer.
    """
    if models.model is None:
        raise ConfigError("draft_skill needs a model, and none is configured", hint='Memory(model="openai:gpt-5-mini")')
    if name is not None:
        _check_name(name)
    found = procedure(store, scope, check_texts("tools", tools, _TOOLS))
    runs = labelled(found.runs)
    with metered() as meter:
        skill = written(models.model, found.tools, runs, name=name)
    text = skill_text(skill, found.tools, runs, len(found.examples))
    manifest = read_manifest(text.encode(), strict=True)
    return SkillDraft(
        name=manifest.name,
        description=manifest.description,
        text=text,
        tools=found.tools,
        conversations=len(found.examples),
        derived_from=tuple(run.id for run in runs),
        left_out=tuple(skill.left_out),
        usage=meter.usage,
    )


def _check_name(name: object) -> None:
    """Refuses a name that would make the draft break the specification, before anybody is asked."""
    if not isinstance(name, str) or "\n" in name or not name.strip():
        raise MalformedInput(f"a skill's name is a text on one line, not {name!r:.100}", hint="change-a-booking")
    read_manifest(f"---\nname: {name!s}\ndescription: d\n---\n".encode("utf-8", "replace"), strict=True)
