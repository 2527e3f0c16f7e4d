"""A page while its tags go by: which text is a heading, an item, a row, code, or not to be seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memplug.inputs.documents.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.inputs.documents.gathering import Gatherer
    from memplug.inputs.documents.reading import BlockKind
    from memplug.inputs.documents.tags import Token

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
#: Elements that end the text before them and behind them.
_BLOCKS = frozenset(
    {
        *("p", "div", "section", "article", "main", "header", "footer", "aside", "nav", "form", "fieldset", "figure"),
        *("figcaption", "blockquote", "address", "details", "summary", "dialog", "hr", "ul", "ol", "dl", "dt", "dd"),
        *("li", "table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "pre", "body", "html", "center"),
        *("legend", "noscript", "menu", "hgroup", "search", *_HEADINGS),
    }
)
_CELLS = frozenset({"td", "th"})
#: Elements that end the cell that is open.
_CELL_ENDS = _CELLS | {"tr", "table", "thead", "tbody", "tfoot"}
_LISTS = frozenset({"ul", "ol", "menu", "dl"})
_ITEMS = frozenset({"li", "dt", "dd"})
#: What is no part of the text. Navigation is, on pages that put their text there.
_UNSEEN = frozenset({"head", "button", "textarea", "math"})
_NAVIGATION = frozenset({"nav"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
#: These have no end, so that none is waited for.
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_BLANKS = re.compile(r"[ \t\n\f\u200b]+")
#: Lists inside lists that are told apart, and characters of a title.
_NESTING, _TITLE = 8, 1_000


class Page:
    """What has been read of a page.

    Args:
        gatherer: Takes the blocks.
        navigation: Whether navigation belongs to the text.
    """

    def __init__(self, gatherer: Gatherer, *, navigation: bool) -> None:
        self._gatherer = gatherer
        self._unseen = _UNSEEN if navigation else _UNSEEN | _NAVIGATION
        self._text: list[str] = []
        self._skipped: str | None = None
        self._depth = 0
        #: Of each list the number of its last item; None where it has bullets.
        self._lists: list[int | None] = []
        self._bullet = ""
        self._heading = 0
        self._code = False
        self._grid: Grid | None = None
        self._span = "1"
        self._in_title = False
        self.title = ""
        self.left_out = 0

    def take(self, token: Token) -> None:
        """Takes the next tag or text."""
        if token.name:
            self._tag(token)
        elif self._in_title:
            self.title = f"{self.title}{token.text}"[:_TITLE]
        elif self._skipped is not None:
            self.left_out += len(token.text.strip()) if self._skipped != "head" else 0
        else:
            self._text.append(token.text if self._code else _BLANKS.sub(" ", token.text))

    def close(self) -> None:
        """Takes what is left open at the end."""
        self._end_cell()
        self._end_block()
        self._end_table()
        self.title = " ".join(self.title.split())

    def _tag(self, token: Token) -> None:
        if token.name == "title" and self._skipped in {None, "head"}:
            self._in_title = not token.closing and not self.title
            return
        self._in_title = False
        if self._skipped is not None:
            self._pass_over(token)
        elif not token.closing and self._is_unseen(token.name, token.attributes):
            self._skipped, self._depth = token.name, 1
        else:
            self._break(token.name, nested=token.name == "table" and not token.closing)
            (self._end if token.closing else self._start)(token.name, token.attributes)

    def _is_unseen(self, name: str, attributes: Mapping[str, str]) -> bool:
        if name in _VOID or name in {"html", "body"}:
            return False
        if name in self._unseen or "hidden" in attributes or _HIDDEN.search(attributes.get("style", "")):
            return True
        return attributes.get("role") == "navigation" and "nav" in self._unseen

    def _pass_over(self, token: Token) -> None:
        """Goes on until what is not seen ends; a head that was left open ends where the body begins."""
        if self._skipped == "head" and token.name in {"body", "p", "div", "h1"}:
            self._skipped = None
        elif token.name == self._skipped:
            self._depth += -1 if token.closing else 1
            if self._depth == 0:
                self._skipped = None

    def _break(self, name: str, *, nested: bool) -> None:
        """Ends the text before a tag. In a cell it only ends the line, unless the table only lays out the page."""
        if self._grid is not None and self._grid.is_open and (name in _HEADINGS or nested):
            self._end_cell()
            self._grid.gather_cells(self._gatherer)
            self._grid = None
        if self._grid is not None and self._grid.is_open and name not in _CELL_ENDS:
            self._text += ["\n"] if name in _BLOCKS or name == "br" else []
        elif name in _BLOCKS:
            self._end_cell()
            self._end_block()
        elif name == "br":
            self._text.append("\n")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _HEADINGS:
            self._heading = _HEADINGS[name]
        elif name == "img":
            self._text.append(f" {attributes.get('alt', '').strip()} ")
        elif name == "pre":
            self._code = True
        elif name in _LISTS and len(self._lists) < _NESTING:
            self._lists.append(0 if name == "ol" else None)
        elif name in _ITEMS:
            self._bullet = self._next_bullet(name)
        elif name == "table":
            self._grid = Grid()
        elif self._grid is not None and name == "tr":
            self._grid.row()
        elif self._grid is not None and name in _CELLS:
            self._grid.cell(head=name == "th")
            self._span = attributes.get("colspan", "1")

    def _end(self, name: str, _: Mapping[str, str]) -> None:
        if name in _HEADINGS:
            self._heading = 0
        elif name == "pre":
            self._code = False
        elif name in _LISTS and self._lists:
            self._lists.pop()
        elif name in _ITEMS:
            self._bullet = ""
        elif name == "table":
            self._end_table()

    def _next_bullet(self, name: str) -> str:
        indent = "  " * (len(self._lists) - 1)
        if name != "li":
            return indent if name == "dt" else f"{indent}  "
        number = self._lists[-1] if self._lists else None
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number + 1}. "

    def _taken(self) -> str:
        text = "".join(self._text)
        self._text = []
        return text if self._code else "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()

    def _end_cell(self) -> None:
        if self._grid is not None and self._grid.is_open:
            self._grid.fill(re.sub(r"\n\n+", "\n", self._taken()), self._span)

    def _end_block(self) -> None:
        text = self._taken()
        if not text.strip():
            return
        if self._heading:
            self._gatherer.heading(text, self._heading)
            return
        kind: BlockKind = "code" if self._code else "item" if self._lists or self._bullet else "paragraph"
        self._gatherer.add(kind, text if self._code else f"{self._bullet}{text}")
        self._bullet = "  " * len(self._lists) if self._bullet else ""

    def _end_table(self) -> None:
        if self._grid is not None:
            self._grid.gather(self._gatherer)
        self._grid = None
