"""What the demo remembers and asks: two conversations, a receipt, a correction, and four questions."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL.ImageDraw import ImageDraw

USER = "mei"
STRANGER = "leo"

#: Role, name and words of each turn, by conversation.
CONVERSATIONS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "monday": (
        ("user", "Mei", "In May I am going to Lisbon with my sister, we need a hotel in Alfama."),
        ("assistant", "Bo", "Alfama is steep. Is a house without a lift fine for you?"),
        ("user", "Mei", "Better not. Her knee was operated on in March."),
        ("assistant", "Bo", "Then I will only look at places with a lift or on the ground floor."),
    ),
    "thursday": (
        ("user", "Mei", "My flight leaves at 9:40 on Friday."),
        ("assistant", "Bo", "I put it into your calendar and set an alarm for six."),
        ("user", "Mei", "我对花生过敏，订餐的时候请记住。"),  # noqa: RUF001 - Chinese punctuation
        ("assistant", "Bo", "I will ask every restaurant to leave peanuts out."),
    ),
}
#: The turn that turns out wrong, and what is put in its place.
WRONG, RIGHT = "My flight leaves at 9:40 on Friday.", "My flight leaves at 11:15 on Friday, the airline moved it."

RECEIPT_NAME = "receipt.png"
RECEIPT_WORDS = "receipt from dinner with my sister at Cafe Lumen"
RECEIPT_DATA = {"shop": "Cafe Lumen", "total": "31.40 EUR"}
_RECEIPT_DAY = "2026-11-14"
_RECEIPT_LINES = (
    ("2 fish soup", "13.00"),
    ("1 grilled squid", "12.50"),
    ("1 mint tea", "2.40"),
    ("1 custard tart", "3.50"),
)
_RECEIPT_SIZE, _MARGIN, _LINE = (300, 250), 16, 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of the demo.

    Args:
        text: The question.
        point: What it shows.
    """

    text: str
    point: str


QUESTIONS = (
    Asked(text="What did the dinner with my sister cost?", point="a picture, found by the words the user gave it"),
    Asked(text="What happened to her leg?", point="another word than was said: nobody wrote leg"),
    Asked(text="我对什么过敏？", point="Chinese, with nothing to set up"),  # noqa: RUF001 - Chinese punctuation
    Asked(text="When does my flight leave?", point="the correction wins, the old words stay in the history"),
)


def draw_receipt() -> bytes:
    """The receipt as a PNG file."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", _RECEIPT_SIZE, "white")
    _write_receipt(ImageDraw.Draw(picture))
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _write_receipt(pen: ImageDraw) -> None:
    right = _RECEIPT_SIZE[0] - _MARGIN
    rows = (("CAFE LUMEN", ""), (_RECEIPT_DAY, ""), ("", ""), *_RECEIPT_LINES, ("", ""), ("TOTAL EUR", "31.40"))
    for number, (words, price) in enumerate(rows):
        height = _MARGIN + number * _LINE
        pen.text((_MARGIN, height), words, fill="black")
        pen.text((right - pen.textlength(price), height), price, fill="black")
    pen.line((_MARGIN, _MARGIN + 7.5 * _LINE, right, _MARGIN + 7.5 * _LINE), fill="black")
