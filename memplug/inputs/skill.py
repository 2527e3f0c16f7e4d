"""Agent Skills: found by name and description, kept byte for byte, and never run."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MalformedInput
from memplug.inputs.provenance import provenance_of
from memplug.safety.text import clean
from memplug.skills.manifest import MAIN, read_manifest, skill_origin
from memplug.skills.package import looks_like_skill, open_package
from memplug.values.draft import Draft, Media
from memplug.values.skill_draft import SkillDraft

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from memplug.plugins.protocols import ParseContext
    from memplug.skills.manifest import Manifest
    from memplug.skills.package import Package
    from memplug.values.draft import Part
    from memplug.values.source import Provenance

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_NOT_WORDS = re.compile(r"[\W_]+")
#: Characters of headings, and of file names, that a skill is found by beside its description.
_WORDS_ROOM = 2_000
#: Share of the limit on metadata that is for the skill's; the rest is the caller's.
_METADATA_SHARE = 0.5


class SkillInput:
    """Takes a `SKILL.md`, and a ZIP with one in it."""

    name = "skill"

    def accepts(self, part: Part) -> bool:
        """Whether it is to be a skill, is called `SKILL.md`, or is a ZIP that holds one where a skill has it."""
        if part.kind is not None:
            return part.kind == self.name
        source = part.source
        if source is None or source.data is None:
            return False
        return source.label.lower() == MAIN.lower() or looks_like_skill(source.data)

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:
        """One draft with the skill; its name says which one it is, so that another of this name is a new edition.

        Raises:
            MalformedInput: It is damaged, has no `SKILL.md`, or that has no name or description; or, where the caller
                asks for it, breaks a rule of the Agent Skills specification.
            InputTooLarge: It is over one of the limits on skills.
            UnsafeInput: An archive that is made to do harm, or is encrypted (`EncryptedInput`).
        """
        data = _data(part)
        package = open_package(data, context.limits)
        manifest = read_manifest(package.read(package.main), strict=context.strict_skills, folder=package.folder)
        if context.strict_skills and package.main != MAIN:
            raise MalformedInput(f"the skill's {package.main!r} must be called {MAIN}")
        name = clean(part.source.label) if part.source else ""
        yield Draft(
            part=part.index,
            kind=self.name,
            text=f"{manifest.name}: {manifest.description}",
            context=_context(part, manifest, package),
            media=Media(data=data, content_type=package.content_type, name=name),
            content_type=package.content_type,
            origin=skill_origin(manifest.name),
            metadata={"skill": _about(manifest, package, int(context.limits.metadata_bytes * _METADATA_SHARE))},
            occurred_at=part.occurred_at,
            source=_provenance(part),
        )


def _provenance(part: Part) -> Provenance:
    """Where it came from; of a draft, also the uses of tools that it was written from."""
    source = provenance_of(part)
    return replace(source, derived_from=part.value.derived_from) if isinstance(part.value, SkillDraft) else source


def _data(part: Part) -> bytes:
    if part.text is not None:
        return clean(part.text).encode()
    if part.source is None or part.source.data is None:
        raise MalformedInput("a skill needs its bytes", hint=f"a {MAIN} or a ZIP of one: path, bytes, URL or base64")
    return part.source.data


def _context(part: Part, manifest: Manifest, package: Package) -> str:
    """What a skill is found by beside its name and description: what its author put in headings and names of files."""
    headings = _HEADING.findall(_FENCED.sub("", manifest.body))
    paths = [_NOT_WORDS.sub(" ", file.path.rpartition(".")[0] or file.path) for file in package.files]
    said = (clean(part.description or ""), clean(part.context))
    words = (_fitting(headings), _fitting(path for path in paths if path != MAIN.partition(".")[0]))
    return "\n".join(one for one in (*said, *words) if one.strip())


def _fitting(lines: Iterable[str]) -> str:
    """The first lines that fit into the room for words, each once."""
    kept, room = [], _WORDS_ROOM
    for line in dict.fromkeys(one.strip() for one in lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join(kept)


def _about(manifest: Manifest, package: Package, room: int) -> dict[str, Any]:
    """What lists and programs want to know of a skill; what has no room is named, and always in the original."""
    wanted: Mapping[str, Any] = {
        "name": manifest.name,
        "description": manifest.description,
        **{name: manifest.fields.get(name) for name in ("license", "compatibility", "allowed-tools")},
        "warnings": [*package.warnings, *manifest.warnings],
        "file_count": len(package.files),
        "bytes": sum(file.size for file in package.files),
        "files": list(_files(package)),
    }
    found, left_out = {}, []
    for name, value in wanted.items():
        room -= len(json.dumps({name: value}, ensure_ascii=False).encode())
        if room < 0:
            left_out.append(name)
        elif value or value == 0:
            found[name] = value
    return found | ({"left_out": left_out} if left_out else {})


def _files(package: Package) -> Iterator[dict[str, Any]]:
    """Each file with its digest; reading all of them also shows that none is damaged."""
    for file in package.files:
        digest = hashlib.sha256(package.read(file.path)).hexdigest()
        yield {"path": file.path, "size": file.size, "sha256": digest}
