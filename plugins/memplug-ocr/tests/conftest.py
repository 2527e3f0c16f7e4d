"""Pictures of words, drawn when they are needed, and the processes that read them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

import memplug_ocr

#: Chinese characters as strokes on a square of 100 by 100, since no font can be counted on to be there.
STROKES: dict[str, list[list[tuple[int, int]]]] = {
    "中": [[(18, 28), (82, 28), (82, 62), (18, 62), (18, 28)], [(50, 5), (50, 97)]],
    "国": [
        [(12, 8), (88, 8), (88, 94), (12, 94), (12, 8)],
        [(28, 26), (72, 26)],
        [(30, 48), (70, 48)],
        [(26, 74), (74, 74)],
        [(50, 26), (50, 74)],
        [(60, 56), (68, 66)],
    ],
    "大": [[(8, 36), (92, 36)], [(50, 5), (48, 45), (38, 68), (10, 94)], [(50, 38), (62, 64), (92, 94)]],
    "人": [[(50, 6), (46, 40), (32, 70), (8, 94)], [(48, 32), (62, 64), (92, 94)]],
    "上": [[(48, 6), (48, 90)], [(48, 42), (82, 42)], [(8, 90), (92, 90)]],
    "山": [[(50, 8), (50, 88)], [(18, 40), (18, 90), (82, 90), (82, 38)]],
    "天": [[(18, 14), (82, 14)], [(8, 46), (92, 46)], [(50, 14), (48, 50), (36, 74), (8, 94)], [(50, 48), (92, 94)]],
    "三": [[(14, 14), (86, 14)], [(20, 50), (80, 50)], [(8, 88), (92, 88)]],
    "日": [[(25, 8), (75, 8), (75, 94), (25, 94), (25, 8)], [(25, 50), (75, 50)]],
}

Write = Callable[..., Image.Image]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips all of this where what reads is not installed."""
    if importlib.util.find_spec("rapidocr") and importlib.util.find_spec("onnxruntime"):
        return
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.skip(reason="memplug-ocr is not installed: pip install -e plugins/memplug-ocr"))


@pytest.fixture(autouse=True)
def _plugins_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of memplug itself leave installed plugins out, for the whole run; here one of them is meant."""
    for name in [name for name in os.environ if name.startswith("MEMPLUG_") and "TEST" not in name]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _ended() -> Iterator[None]:
    yield
    memplug_ocr.close()


@pytest.fixture(scope="session")
def write() -> Write:
    """Draws lines of Latin text, dark on light unless told otherwise."""

    def draw(
        *lines: str,
        size: int = 32,
        mode: str = "RGB",
        color: str = "black",
        background: str | tuple[int, ...] = "white",
    ) -> Image.Image:
        font = ImageFont.load_default(size)
        width = max(int(font.getlength(line)) for line in lines) + 2 * size
        picture = Image.new(mode, (width, int(len(lines) * size * 1.5) + size), background)
        pen = ImageDraw.Draw(picture)
        for place, line in enumerate(lines):
            pen.text((size, size / 2 + place * size * 1.5), line, font=font, fill=color)
        return picture

    return draw


@pytest.fixture(scope="session")
def paint() -> Callable[[str], Image.Image]:
    """Draws one line of Chinese, of the characters in `STROKES`."""

    def draw(text: str, size: int = 60) -> Image.Image:
        picture = Image.new("RGB", (int(len(text) * size * 1.1) + size, 2 * size), "white")
        pen = ImageDraw.Draw(picture)
        for place, character in enumerate(text):
            for stroke in STROKES[character]:
                left = size / 2 + place * size * 1.1
                points = [(left + x * size / 100, size / 2 + y * size / 100) for x, y in stroke]
                pen.line(points, fill="black", width=5, joint="curve")
        return picture

    return draw


@pytest.fixture(scope="session")
def scan() -> Callable[[Sequence[Image.Image]], bytes]:
    """A PDF whose pages are pictures."""

    def made(pages: Sequence[Image.Image]) -> bytes:
        import io

        buffer = io.BytesIO()
        pages[0].save(buffer, "PDF", save_all=True, append_images=list(pages[1:]), resolution=100)
        return buffer.getvalue()

    return made


@pytest.fixture(scope="session")
def receipts() -> list[Path]:
    """The pictures of real receipts, in the order of their names."""
    default = Path(__file__).resolve().parents[4] / "shared" / "data"
    folder = Path(os.environ.get("MEMPLUG_TEST_DATA", default)) / "receipts"
    if not folder.is_dir():
        pytest.skip(f"no receipts in {folder}; set MEMPLUG_TEST_DATA")
    return sorted(folder.glob("*.jpg"))
