"""A remembered skill: name and description at once, its body and files on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.skills.manifest import read_manifest
from memplug.skills.package import open_package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.safety.front_matter import Value
    from memplug.skills.manifest import Manifest
    from memplug.skills.package import Package, SkillFile
    from memplug.values.item import MemoryItem
    from memplug.values.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A skill as it was handed in. memplug never runs any of it, and writes none of it to disk under its own names.

    Args:
        item: The memory that it is.
    """

    item: MemoryItem
    _manifest: Manifest = field(repr=False)
    _package: Package = field(repr=False)

    @property
    def name(self) -> str:
        """Its name, as its `SKILL.md` says."""
        return self._manifest.name

    @property
    def description(self) -> str:
        """What it does and when to use it."""
        return self._manifest.description

    @property
    def body(self) -> str:
        """The instructions: the Markdown below the front matter."""
        return self._manifest.body

    @property
    def metadata(self) -> Mapping[str, Value]:
        """All that the front matter says; every value is a text, or a list or dict of texts."""
        return self._manifest.fields

    @property
    def files(self) -> tuple[SkillFile, ...]:
        """Its files with paths and sizes, sorted by path, the `SKILL.md` among them."""
        return self._package.files

    @property
    def warnings(self) -> tuple[str, ...]:
        """Which rules of the Agent Skills specification it breaks, in words."""
        return (*self._package.warnings, *self._manifest.warnings)

    def read(self, path: str) -> bytes:
        """A file of it, byte for byte: ``skill.read("references/policy.md")``.

        Raises:
            NotFound: There is no file of exactly this path; the hint names some that are near.
            MalformedInput: It is damaged.
        """
        return self._package.read(path)


def skill_of(item: MemoryItem, data: bytes, limits: Limits) -> Skill:
    """The skill in a memory's original, which is judged again: an import may have brought it.

    Raises:
        InputRejected: The original is no skill, or not one that would be taken in.
    """
    package = open_package(data, limits)
    manifest = read_manifest(package.read(package.main), folder=package.folder)
    return Skill(item=item, _manifest=manifest, _package=package)
