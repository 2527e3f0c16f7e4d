"""What charts and diagrams in Office files say: their labels, and the numbers behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.inputs.documents.ooxml import Attributes, Package, Texts, attribute
from memplug.inputs.documents.rows import row_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.inputs.documents.gathering import Gatherer

_LABELS, _VALUES = frozenset({"cat", "xVal"}), frozenset({"val", "yVal"})


def add_graphics(found: Gatherer, package: Package, part: str, *, page: int | None = None, section: str = "") -> None:
    """Adds the charts and diagrams that a part refers to, behind everything else of it."""
    for target in package.related(part, "chart"):
        chart = Chart()
        package.follow(target, chart)
        found.add("paragraph", " · ".join(chart.titles), page=page, section=section)
        for row in chart.rows():
            found.add("row", row, page=page, section=section)
    for target in package.related(part, "diagramData"):
        diagram = Texts({"t"}, within="p")
        package.follow(target, diagram)
        for text in diagram.found:
            found.add("item", text, page=page, section=section)


@dataclass(slots=True)
class _Series:
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


class Chart:
    """Follows the part of a chart."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self._series: list[_Series] = []
        self._inside = self._held = ""
        self._point = ""
        self._text: list[str] | None = None

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        if name == "ser":
            self._series.append(_Series())
            self._inside = "ser"
        elif name == "pt":
            self._point = attribute(attributes, "idx")
        elif name in {"v", "t"}:
            self._text = []
        elif self._inside and (name == "tx" or name in _LABELS or name in _VALUES):
            self._held = name

    def end(self, name: str) -> None:
        """See `Handler`."""
        if name == "ser":
            self._inside = self._held = ""
        elif name in {"v", "t"} and self._text is not None:
            self._take("".join(self._text).strip())
            self._text = None

    def data(self, text: str) -> None:
        """See `Handler`."""
        if self._text is not None:
            self._text.append(text)

    def _take(self, text: str) -> None:
        if not self._inside:
            self.titles += [text] if text else []
        elif self._held in _LABELS:
            self._series[-1].labels[self._point] = text
        elif self._held in _VALUES:
            self._series[-1].values[self._point] = text
        elif self._held == "tx":
            self._series[-1].name += text

    def rows(self) -> Iterator[str]:
        """A line for each point on the axis: its label, and the value of each series there."""
        names = [one.name for one in self._series]
        points = dict.fromkeys(point for one in self._series for point in (*one.labels, *one.values))
        for point in points:
            label = next((one.labels[point] for one in self._series if point in one.labels), "")
            values = row_text(names, [one.values.get(point, "") for one in self._series])
            yield ": ".join(filter(None, (label, values)))
        if not points:
            yield ", ".join(filter(None, names))
