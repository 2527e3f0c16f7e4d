"""Reading order, from where fragments stand."""

from __future__ import annotations

from memplug_ocr.lines import Fragment
from memplug_ocr.order import ordered


def at(left: int, top: int, text: str, *, height: int = 20) -> Fragment:
    """A fragment, ten pixels wide for each character."""
    return Fragment(text=text, box=(left, top, left + 10 * len(text), top + height), confidence=1.0)


def read(*fragments: Fragment) -> list[str]:
    """The lines; those that begin a paragraph have a bar before them."""
    found = ordered(fragments)
    return [f"| {line.text}" if place in found.breaks else line.text for place, line in enumerate(found.lines)]


def test_nothing_is_nothing() -> None:
    """Where nothing was read, there are no lines."""
    assert read() == []


def test_what_stands_side_by_side_is_a_line() -> None:
    """A thing and its price, however far apart, in whatever order they were found."""
    found = read(at(600, 101, "60.30"), at(0, 130, "CASH"), at(0, 100, "TOTAL"), at(600, 131, "70.00"))
    assert found == ["TOTAL 60.30", "CASH 70.00"]


def test_a_scan_that_is_askew_keeps_its_lines() -> None:
    """Over the page's width, the lines here fall by more than their distance."""
    rows = [[at(100 * step, 30 * row + 8 * step, f"{row}-{step}") for step in range(5)] for row in range(3)]
    assert read(*(one for row in rows for one in row)) == [
        "0-0 0-1 0-2 0-3 0-4",
        "1-0 1-1 1-2 1-3 1-4",
        "2-0 2-1 2-2 2-3 2-4",
    ]


def test_a_blank_band_begins_a_paragraph() -> None:
    """The usual distance of lines does not."""
    assert read(at(0, 0, "one"), at(0, 25, "two"), at(0, 80, "three")) == ["one", "two", "| three"]


def test_columns_of_prose_are_read_one_after_the_other() -> None:
    """Below a heading over both, and although their lines stand at the same height."""
    left = [at(0, 100 + 25 * row, f"the left column's {row}") for row in range(5)]
    right = [at(300, 100 + 25 * row, f"the right column's {row}") for row in range(5)]
    found = read(at(100, 0, "A heading over two columns of text"), *right, *left)
    assert found[0] == "A heading over two columns of text"
    assert [line.removeprefix("| ") for line in found[1:]] == [one.text for one in [*left, *right]]


def test_columns_of_figures_are_read_line_by_line() -> None:
    """What a table says stands in its rows."""
    names = [at(0, 25 * row, f"an article of the number {row}") for row in range(5)]
    prices = [at(400, 25 * row, f"{row}.50") for row in range(5)]
    assert read(*prices, *names) == [f"an article of the number {row} {row}.50" for row in range(5)]
