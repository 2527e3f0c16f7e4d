"""A tree of named values as records: as much of a branch in one block as belongs together, with its path.

Small branches are written out in their parent's words; where a branch grows beyond a passage, its parts become
blocks of their own. It is decided while the values go by, so no tree is held and nothing is looked at twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge

if TYPE_CHECKING:
    from memplug.inputs.documents.gathering import Gatherer
    from memplug.inputs.documents.reading import BlockKind
    from memplug.values.limits import Limits

#: Characters of a branch that stays in one block: about a passage.
_WHOLE = 1_000
#: Characters of a name and of a path that are shown; a file may have names of a megabyte.
_NAME, _PATH = 80, 300


@dataclass(slots=True, kw_only=True)
class _Said:
    """What one value or branch says.

    Args:
        section: Its path.
        text: Its words, with its name.
        alone: The words of a branch as a block of its own; empty for a value.
    """

    section: str
    text: str
    alone: str = ""


@dataclass(slots=True, kw_only=True)
class _Node:
    name: str
    section: str
    brackets: str
    said: list[_Said] = field(default_factory=list)
    size: int = 0
    branches: int = 0
    spread: bool = False


class Branches:
    """The tree so far: the branches that are open.

    Args:
        gatherer: Takes the blocks.
        limits: ``document_depth`` bounds the nesting.
    """

    def __init__(self, gatherer: Gatherer, limits: Limits) -> None:
        self._gatherer = gatherer
        self._limit = limits.document_depth
        self._open: list[_Node] = []

    @property
    def spread(self) -> bool:
        """Whether parts of the branch that is open are blocks already."""
        return self._open[-1].spread

    def open(self, name: str, step: str, *, brackets: str = "{}") -> None:
        """Begins a branch.

        Args:
            name: What it is called; empty for a member of a list.
            step: What it adds to the path.
            brackets: What stands around it inside another branch.

        Raises:
            InputTooLarge: It is nested deeper than is taken.
        """
        if len(self._open) >= self._limit:
            raise InputTooLarge(f"the document is nested deeper than {self._limit} levels")
        self._open.append(_Node(name=shown(name), section=self._path(step), brackets=brackets))

    def value(self, name: str, text: str, step: str = "") -> None:
        """Takes a value of the branch that is open.

        Args:
            name: What it is called; empty for a member of a list.
            text: It.
            step: What it adds to the path.
        """
        text = text.strip()
        if text:
            words = f"{shown(name)}: {text}" if name else text
            self._take(self._open[-1], _Said(section=self._path(step), text=words))

    def close(self, *, listing: bool) -> None:
        """Ends the branch that is open.

        Args:
            listing: Whether its parts are of one kind, so that near the root each is a record of its own.
        """
        node = self._open.pop()
        records = listing and node.branches > 1 and len(self._open) == 1
        if node.spread or not self._open or records:
            self._spread(node)
            return
        alone = ", ".join(one.text for one in node.said)
        if alone:
            text = f"{node.brackets[0]}{alone}{node.brackets[1]}"
            self._open[-1].branches += 1
            self._take(
                self._open[-1],
                _Said(
                    section=node.section,
                    text=f"{node.name}: {text}" if node.name else text,
                    alone=f"{node.name}: {alone}" if node.name else alone,
                ),
            )

    def replace(self, text: str) -> None:
        """Ends the branch that is open and takes it for a value with this text."""
        node = self._open.pop()
        if not self._open:
            self._gatherer.add("paragraph", text, section=node.section)
        elif text.strip():
            words = f"{node.name}: {text}" if node.name else text
            self._take(self._open[-1], _Said(section=node.section, text=words))

    def _path(self, step: str) -> str:
        path = f"{self._open[-1].section if self._open else ''}{step}"
        return path if len(path) <= _PATH else f"{path[: _PATH // 2]}…{path[-_PATH // 2 :]}"

    def _take(self, node: _Node, said: _Said) -> None:
        node.said.append(said)
        node.size += len(said.text) + 2
        if node.size > _WHOLE:
            self._flush(self._open)

    def _spread(self, node: _Node) -> None:
        self._flush([*self._open, node])

    def _flush(self, nodes: list[_Node]) -> None:
        """Takes what these branches said as blocks, the outer ones first; from now on each part is its own."""
        for node in nodes:
            node.spread = True
            self._gather(node)
            node.said, node.size = [], 0

    def _gather(self, node: _Node) -> None:
        """Branches as blocks of their own; values that stand side by side as one."""
        values: list[_Said] = []
        for one in [*node.said, None]:
            if one is not None and not one.alone and len(one.text) <= _WHOLE:
                values.append(one)
                continue
            if values:
                section = values[0].section if len(values) == 1 else node.section
                self._gatherer.add("row", ", ".join(value.text for value in values), section=section)
                values = []
            if one is not None:
                kind: BlockKind = "row" if one.alone else "paragraph"
                self._gatherer.add(kind, one.alone or one.text, section=one.section)


def shown(name: str) -> str:
    """A name as it is written, cut where it is endless."""
    return name if len(name) <= _NAME else f"{name[:_NAME]}…"
