"""rapidocr, with the models in its own wheel, and the way a picture has to be turned for its text to stand upright."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memplug.exceptions import ConfigError, MalformedInput
from memplug_ocr.lines import Fragment, Line
from memplug_ocr.tiles import joined, tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL import Image

    from memplug_ocr.lines import Box

#: Named by their paths, since rapidocr would download what it does not find by itself.
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
#: A box so many times as high as wide holds a line that stands upright, as rapidocr sees it.
_TALL = 1.5
#: How sure the classifier has to be that a line stands on its head, and the reader of signs without letter or digit.
_SURE = 0.9
#: The part of all text, by length, that has to be turned for the picture to count as turned.
_MOST = 0.5
#: Pixels that a line needs. Of a picture that is less high or wide, rapidocr would make one 30 pixels high and endless.
_LEAST = 8
_NO_MEMORY = re.compile(r"insufficient memory|bad_alloc|bad allocation|failed to allocate|out of memory", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen in a picture.

    Args:
        fragments: With their boxes in pixels of the picture turned so that most of its text stands upright.
        size: Width and height of the picture that was looked at, before it was turned.
        turned: By how many degrees its text stands turned clockwise.
        seems: The same, as it seems from this look alone, counted from how the picture was held.
    """

    fragments: tuple[Fragment, ...]
    size: tuple[int, int]
    turned: int = 0
    seems: int = 0

    @property
    def weight(self) -> float:
        """How much was read, and how surely."""
        return sum(len(fragment.text) * fragment.confidence for fragment in self.fragments)

    def placed(self, size: tuple[int, int]) -> Callable[[Line], Line]:
        """What moves a line to where it stands in the original, turned back and enlarged to this width and height."""
        across, down = size[0] / self.size[0], size[1] / self.size[1]

        def moved(fragment: Fragment) -> Fragment:
            left, top, right, bottom = _turned_back(fragment.box, self.turned, self.size)
            box = (round(left * across), round(top * down), round(right * across), round(bottom * down))
            return Fragment(text=fragment.text, box=box, confidence=fragment.confidence)

        return lambda line: Line(fragments=tuple(map(moved, line.fragments)))


@dataclass(slots=True, kw_only=True)
class Engine:
    """The models, loaded when they are first needed.

    Args:
        side: Pixels of the longer side of a picture at most.
        threads: Threads to use.
        min_confidence: What is less sure is left out.

    Raises:
        ConfigError: A model is missing.
    """

    side: int
    threads: int
    min_confidence: float
    _rapid: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import rapidocr

        folder = Path(rapidocr.__file__).parent / "models"
        paths = {f"{step}.model_path": str(_model(folder / name)) for step, name in _MODELS.items()}
        options: dict[str, Any] = {
            "Global.log_level": "critical",
            "Global.text_score": self.min_confidence,
            "Global.max_side_len": self.side,
            "Det.limit_type": "max",  # "min" would enlarge a long receipt to several times the memory
            "Det.limit_side_len": self.side,
            # Lines side by side in one batch save no time on a processor, and took up to 0.2 GB more.
            "Rec.rec_batch_num": 1,
            # More than there are, and rapidocr would let onnxruntime take all.
            "EngineConfig.onnxruntime.intra_op_num_threads": min(self.threads, os.cpu_count() or 1),
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        self._rapid = rapidocr.RapidOCR(params=options | paths)

    def look(self, picture: Image.Image) -> Sight:
        """Reads a picture; one whose text lies on its side or stands on its head is turned and read again.

        rapidocr turns each line by itself, but finds them better, and in their order, where the picture is upright.
        """
        first = self._look(picture, 0)
        if not first.seems:
            return first
        second = self._look(picture, first.seems)
        return max(second, first, key=lambda sight: sight.weight)  # the second where they are equal

    def _look(self, picture: Image.Image, turned: int) -> Sight:
        from PIL import Image

        back = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
        upright = picture.transpose(back[turned]) if turned else picture
        parts: list[tuple[Box, list[Fragment]]] = []
        seems: Counter[int] = Counter()
        for tile in tiles(upright.size, self.side) if min(upright.size) >= _LEAST else ():
            fragments, turn = self._fragments(upright.crop(tile), tile)
            parts.append((tile, fragments))
            seems[turn] += sum(len(fragment.text) for fragment in fragments)
        most = seems.most_common(1)
        return Sight(fragments=tuple(joined(parts)), size=picture.size, turned=turned, seems=most[0][0] if most else 0)

    def _fragments(self, picture: Image.Image, tile: Box) -> tuple[list[Fragment], int]:
        """What is read in a tile, in the whole picture's pixels, and by how many degrees it seems to be turned."""
        try:
            told, seems = self._read(picture)
        except Exception as error:
            # OpenCV and onnxruntime have errors of their own, and in the words of the latter lies a whole traceback.
            if _NO_MEMORY.search(str(error)):
                raise MemoryError from error
            raise MalformedInput(f"the models failed ({type(error).__name__})") from error
        if not getattr(told, "txts", None):  # nothing was found, or nothing could be made of it
            return [], seems
        left, top, _, _ = tile
        return [
            Fragment(text=text.strip(), box=_around(_corners(box), left, top), confidence=float(score))
            for text, box, score in zip(told.txts, told.boxes, told.scores, strict=True)
            if text.strip() and (score > _SURE or any(character.isalnum() for character in text))
        ], seems

    def _read(self, picture: Image.Image) -> tuple[Any, int]:
        """What rapidocr gives, and by how many degrees most of the text seems to be turned."""
        pixels = self._rapid.load_img(picture)
        small, record = self._rapid.preprocess_img(pixels)
        found, classes, read, crops = self._rapid.run_ocr_steps(small, record)
        seems = 0
        if found.boxes is not None and classes.cls_res is not None:
            classified = [(str(label), float(sure)) for label, sure in classes.cls_res]
            seems = _seems([_corners(box) for box in found.boxes], classified)
        return self._rapid.build_final_output(pixels, found, classes, read, crops, record), seems


def _model(path: Path) -> Path:
    if not path.is_file():
        raise ConfigError(f"rapidocr has no model {path.name}", hint="memplug-ocr needs rapidocr 3.10 or a later 3.x")
    return path


def _corners(box: Any) -> list[tuple[float, float]]:
    """The corners of a box, from the upper left one on."""
    return [(float(x), float(y)) for x, y in box]


def _around(corners: Sequence[tuple[float, float]], left: int, top: int) -> Box:
    across, down = zip(*corners, strict=True)
    return round(min(across)) + left, round(min(down)) + top, round(max(across)) + left, round(max(down)) + top


def _seems(boxes: Sequence[Sequence[tuple[float, float]]], classes: Sequence[tuple[str, float]]) -> int:
    """By how many degrees most of the text stands turned clockwise.

    A line in a tall box lies on its side; rapidocr turns it to the left before it asks the classifier.
    """
    lying = upside_down = total = 0.0
    for (upper_left, upper_right, _, lower_left), (label, sure) in zip(boxes, classes, strict=True):
        width, height = _distance(upper_left, upper_right), _distance(upper_left, lower_left)
        length = max(width, height)
        total += length
        lying += length * (height >= _TALL * width)
        upside_down += length * (label == "180" and sure > _SURE)
    return 90 * (lying > _MOST * total) + 180 * (upside_down > _MOST * total)


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)


def _turned_back(box: Box, turned: int, size: tuple[int, int]) -> Box:
    """A box where it stood in a picture of this width and height before that was turned upright."""
    left, top, right, bottom = box
    width, height = size
    places: dict[int, Box] = {
        0: box,
        90: (width - bottom, left, width - top, right),
        180: (width - right, height - bottom, width - left, height - top),
        270: (top, height - right, bottom, height - left),
    }
    return places[turned]
