"""`SKILL.md`: what its front matter says of a skill, held against the Agent Skills specification.

Most skills in the world break some rule of it, and do no harm by that ("Customer Return Processing" is a name with
blanks). So a broken rule is a warning, unless the caller asks for the specification to the letter; only what nothing
can be done without is always an error: a front matter that can be read, with a name and a description.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.safety.front_matter import MAX_LENGTH, read_front_matter, split_front_matter
from memplug.safety.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memplug.safety.front_matter import Value

#: What the file is called. Other cases are read too.
MAIN = "SKILL.md"

#: The specification's bounds, in characters.
_NAME, _DESCRIPTION, _COMPATIBILITY = 64, 1_024, 500
#: What is taken of those that break it; there is no end to what a front matter may hold.
_LONGEST_NAME, _LONGEST_DESCRIPTION = 200, 20_000
_FIELDS = frozenset({"name", "description", "license", "compatibility", "metadata", "allowed-tools"})
#: Names of unknown fields that a warning tells, and characters of one.
_SHOWN, _SHOWN_LENGTH = 8, 40
#: A line of a front matter whose value can only be meant as words: "description: Use it when: …".
_PLAIN = re.compile(r"([A-Za-z][\w-]*):[ \t]+([^\s\"'|>\[{&*!%@`#].*?)[ \t]*")
_HINT = "it begins with the lines ---, name: …, description: … and ---"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a `SKILL.md` says.

    Args:
        name: The skill's name, on one line.
        description: What it does and when to use it.
        fields: All of the front matter: texts, and lists and dicts of these.
        body: The Markdown below it.
        warnings: The rules of the specification that it breaks, in words.
    """

    name: str
    description: str
    fields: Mapping[str, Value]
    body: str
    warnings: tuple[str, ...] = ()


def skill_origin(name: str) -> str:
    """What names a skill's place in its scope, so that another skill of this name is a new edition of it."""
    return f"skill:{plain_name(name)}"


def plain_name(name: str) -> str:
    """A name on one line and composed (NFC), as skills are told apart by it."""
    return unicodedata.normalize("NFC", " ".join(name.split()))


def read_manifest(data: bytes, *, strict: bool = False, folder: str = "") -> Manifest:
    """The manifest in the bytes of a `SKILL.md`.

    Args:
        data: The file.
        strict: Whether a broken rule of the specification is an error.
        folder: The folder that the skill lies in, which must have its name; empty where there is none.

    Raises:
        MalformedInput: It is no UTF-8, its front matter cannot be read or lacks name or description, or, if
            ``strict``, it breaks a rule.
        InputTooLarge: Name or description are longer than any use of them.
    """
    text = _decoded(data)
    front, body = split_front_matter(text)
    if front is None:
        opened = text.startswith("---")
        missing = f"has no line --- at its end within {MAX_LENGTH:,} characters" if opened else "is missing"
        raise MalformedInput(f"the front matter of the {MAIN} {missing}", hint=_HINT)
    fields, mended = _fields(front, strict=strict)
    name, description = plain_name(_required(fields, "name")), _required(fields, "description").strip()
    _check_length("name", name, _LONGEST_NAME)
    _check_length("description", description, _LONGEST_DESCRIPTION)
    broken = (*mended, *_broken(fields, folder))
    if strict and broken:
        raise MalformedInput(
            f"the {MAIN} breaks the Agent Skills specification: {'; '.join(broken)}",
            hint="without strict_skills these are warnings",
        )
    return Manifest(name=name, description=description, fields=fields, body=body, warnings=broken)


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput(
            f"the {MAIN} is not UTF-8 text: {error.reason} at byte {error.start:,}",
            hint=f"a {MAIN}, or a ZIP with one; other archives are not read",
        ) from error
    return clean(text.replace("\r\n", "\n").replace("\r", "\n"))


def _fields(front: str, *, strict: bool) -> tuple[dict[str, Value], tuple[str, ...]]:
    """What the front matter says, and how it had to be mended to be read."""
    try:
        return _cleaned(read_front_matter(front)), ()
    except MalformedInput:
        quoted = "\n".join(_quoted(line) for line in front.split("\n"))
        if strict or quoted == front:
            raise
        try:
            found = read_front_matter(quoted)
        except MalformedInput:
            found = None
        if found is None:
            raise
    return _cleaned(found), ("a value in the front matter needs quotes around it",)


def _quoted(line: str) -> str:
    """The line with its value in quotes, where a colon or the like in it means more to YAML than to its author."""
    found = _PLAIN.fullmatch(line)
    return f"{found[1]}: {json.dumps(found[2], ensure_ascii=False)}" if found else line


def _cleaned(fields: Mapping[str, Value]) -> dict[str, Value]:
    """The fields without what escapes can smuggle in: control characters and halves of surrogate pairs."""
    return {clean(name): _clean_value(value) for name, value in fields.items()}


def _clean_value(value: Value) -> Value:
    if isinstance(value, str):
        return clean(value)
    return [_clean_value(one) for one in value] if isinstance(value, list) else _cleaned(value)


def _required(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise MalformedInput(f"the front matter of the {MAIN} has no {name}", hint=_HINT)
    if not isinstance(value, str):
        raise MalformedInput(f"the {name} in the front matter of the {MAIN} must be a text", hint=_HINT)
    if not value.strip():
        raise MalformedInput(f"the {name} in the front matter of the {MAIN} is empty", hint=_HINT)
    return value


def _check_length(what: str, text: str, most: int) -> None:
    if len(text) > most:
        raise InputTooLarge(f"the skill's {what} has {len(text):,} characters; at most {most:,} are taken")


def _broken(fields: Mapping[str, Value], folder: str) -> Iterator[str]:
    """The rules that a readable front matter breaks."""
    yield from _broken_name(str(fields["name"]).strip(), folder)
    if len(str(fields["description"]).strip()) > _DESCRIPTION:
        yield f"the description has more than {_DESCRIPTION:,} characters"
    compatibility = fields.get("compatibility", "-")
    if not isinstance(compatibility, str) or not 0 < len(compatibility) <= _COMPATIBILITY:
        yield f"compatibility must be a text of at most {_COMPATIBILITY} characters"
    for field in ("license", "allowed-tools"):
        if not isinstance(fields.get(field, ""), str):
            yield f"{field} must be a text"
    metadata = fields.get("metadata", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        yield "metadata must map texts to texts"
    if unknown := sorted(fields.keys() - _FIELDS):
        named = ", ".join(field[:_SHOWN_LENGTH] for field in unknown[:_SHOWN])
        yield f"unknown fields: {named}" + (f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else "")


def _broken_name(name: str, folder: str) -> Iterator[str]:
    """The specification's own checker takes the letters of all languages."""
    if len(name) > _NAME:
        yield f"the name has more than {_NAME} characters"
    if name != name.lower() or not all(one.isalnum() or one == "-" for one in name):
        yield "the name must consist of lowercase letters, digits and hyphens"
    if name.startswith("-") or name.endswith("-") or "--" in name:
        yield "the name must not begin or end with a hyphen, nor hold two in a row"
    if folder and unicodedata.normalize("NFKC", folder) != unicodedata.normalize("NFKC", name):
        yield f"the name is not that of its folder, {folder[:_SHOWN_LENGTH]!r}"
