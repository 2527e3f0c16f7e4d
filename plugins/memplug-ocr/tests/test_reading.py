"""What is read, and where it stands."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from memplug.exceptions import PluginError
from memplug_ocr import Settings, read, read_pdf

Write = Callable[..., Image.Image]
Scan = Callable[[Sequence[Image.Image]], bytes]
BILL = ("Golden Dragon", "2026-11-20", "Dumplings   12.50", "Total   60.30")
WORDS = "Golden Dragon\n2026-11-20\nDumplings 12.50\nTotal 60.30"


def encoded(picture: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def deep(picture: Image.Image) -> Image.Image:
    """A grey picture with 16 bits for each pixel."""
    return Image.frombytes("I;16", picture.size, b"".join(bytes((0, value)) for value in picture.tobytes()))


def near(box: Sequence[int], other: Sequence[int], *, by: int = 12) -> bool:
    """Whether two boxes are the same but for some pixels."""
    return all(abs(one - two) <= by for one, two in zip(box, other, strict=True))


def test_lines_with_boxes_and_confidence(write: Write, tmp_path: Path) -> None:
    """Line by line from the top, each where it stands; from a path, from bytes and from a PIL image alike."""
    picture = write(*BILL)
    file = tmp_path / "bill.png"
    picture.save(file)
    found = read(file)
    assert found.text == WORDS
    assert (found.width, found.height, found.turned) == (*picture.size, 0)
    assert [line.box[1] // 48 for line in found] == [0, 1, 2, 3]
    assert all(0 <= line.box[0] < line.box[2] <= picture.width and line.confidence > 0.9 for line in found)
    assert read(encoded(picture)) == read(picture) == found


def test_chinese_is_read(paint: Callable[[str], Image.Image]) -> None:
    """With no setting, beside Latin."""
    assert read(paint("中国人天天上大山三日")).text == "中国人天天上大山三日"


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_picture_is_read_in_its_order(write: Write, turned: int) -> None:
    """And the boxes are where the words stand in the picture as it is."""
    picture = write(*BILL)
    upright = read(picture)
    found = read(picture.rotate(-turned, expand=True))
    assert (found.text, found.turned) == (upright.text, turned)
    left, top, right, bottom = upright[0].box
    width, height = picture.size
    places = {
        90: (height - bottom, left, height - top, right),
        180: (width - right, height - bottom, width - left, height - top),
        270: (top, width - right, bottom, width - left),
    }
    assert near(found[0].box, places[turned])


def test_the_orientation_in_exif_counts(write: Write) -> None:
    """A picture that a camera says it held sideways; its width is that of the upright one."""
    picture = write(*BILL)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read(encoded(picture.rotate(90, expand=True), "JPEG", exif=exif, quality=95))
    assert (found.text, found.turned, found.width) == (WORDS, 0, picture.width)


def test_what_is_not_sure_is_left_out(write: Write) -> None:
    """By a setting. What is blurred is read with less confidence than what is sharp beside it."""
    picture = write("sharp words", "blurred words", size=30)
    half = picture.height // 2
    blurred = picture.crop((0, half, picture.width, picture.height)).resize((46, 9)).resize((picture.width, half))
    picture.paste(blurred, (0, half))
    all_of_it = read(picture, settings=Settings(min_confidence=0.0))
    assert len(all_of_it) == 2
    least = all_of_it[1].confidence
    assert least < all_of_it[0].confidence
    sure = read(picture, settings=Settings(min_confidence=(least + all_of_it[0].confidence) / 2))
    assert sure.text == "sharp words"


@pytest.mark.parametrize(
    "make",
    [
        lambda write: encoded(write("Total 60.30").convert("1")),
        lambda write: encoded(write("Total 60.30").convert("P")),
        lambda write: encoded(write("Total 60.30").convert("LA")),
        lambda write: encoded(deep(write("Total 60.30", mode="L"))),
        lambda write: encoded(write("Total 60.30", mode="RGBA", background=(255, 255, 255, 0))),
        lambda write: encoded(write("Total 60.30", mode="RGBA", color="white", background=(0, 0, 0, 0))),
        lambda write: encoded(write("Total 60.30", color="white", background="navy"), "WEBP"),
        lambda write: encoded(write("Total 60.30").convert("CMYK"), "JPEG"),
        lambda write: encoded(write("Total 60.30"), "GIF"),
    ],
    ids=["1 bit", "palette", "grey and clear", "16 bits", "dark on clear", "light on clear", "dark", "CMYK", "GIF"],
)
def test_every_sort_of_picture_is_read(make: Callable[[Write], bytes], write: Write) -> None:
    """Whatever its colours are, and whether or not something shines through."""
    assert read(make(write)).text == "Total 60.30"


@pytest.mark.parametrize("size", [(1, 1), (5_000, 1), (1, 5_000), (40, 30), (3_000, 2_000)])
def test_a_picture_without_words_has_none(size: tuple[int, int]) -> None:
    """Of whatever shape."""
    found = read(Image.new("RGB", size, "white"))
    assert (found.text, len(found), found.width, found.height) == ("", 0, *size)


def test_boxes_of_a_large_picture_are_its_own(write: Write) -> None:
    """It is shrunk to be read, and what is found is put back to where it stands."""
    small, large = read(write("Total 60.30")), read(write("Total 60.30", size=32 * 8))
    assert large.width > Settings().side
    assert near([side // 8 for side in large[0].box], small[0].box)


def test_a_long_picture_is_read_to_its_end(write: Write) -> None:
    """A chat on many screens, each line of it once, where it stands."""
    lines = [f"message number {number}" for number in range(60)]
    picture = write(*lines)
    assert picture.height > 6 * picture.width
    found = read(picture)
    assert [line.text for line in found] == lines
    assert [round((line.box[1] - 20) / 48) for line in found] == list(range(60))


def test_pages_of_a_pdf(write: Write, scan: Scan) -> None:
    """By their numbers, all or those that are asked for; boxes in points."""
    pdf = scan([write("first page"), write("second page"), write("third page")])
    assert {number: found.text for number, found in read_pdf(pdf).items()} == {
        1: "first page",
        2: "second page",
        3: "third page",
    }
    [(number, found)] = read_pdf(pdf, [2]).items()
    assert (number, found.text) == (2, "second page")
    assert found.width == round(write("second page").width * 72 / 100)
    assert found[0].box[2] <= found.width


BROKEN = {
    "empty": b"",
    "no picture": b"hello",
    "only a signature": b"\x89PNG\r\n\x1a\n",
    "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "too many pixels": encoded(Image.new("1", (20_000, 20_000))),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_picture_is_an_error(case: str) -> None:
    """Of the plugin, with the reason as its cause."""
    with pytest.raises(PluginError, match="the picture could not be read") as raised:
        read(BROKEN[case])
    assert (raised.value.plugin, raised.value.retryable) == ("ocr", False)
    assert raised.value.__cause__ is not None


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """And so is a picture that no file can hold."""
    with pytest.raises(PluginError, match=r"could not be read: .*missing\.png"):
        read(tmp_path / "missing.png")
    with pytest.raises(PluginError, match=r"could not be read: .*null"):
        read("a\0b.png")
    with pytest.raises(PluginError, match=r"could not be read: .* mode F"):
        read(Image.new("F", (9, 9)))


def test_a_picture_that_is_cut_off_is_an_error(write: Write) -> None:
    """It was whole once; the next picture is read."""
    with pytest.raises(PluginError, match="damaged"):
        read(encoded(write(*BILL))[:-2_000])
    assert read(write("Total 60.30")).text == "Total 60.30"


def test_what_is_no_page_is_an_error(write: Write, scan: Scan) -> None:
    """A file that is no PDF, one that is cut off, and a page that is not there."""
    pdf = scan([write("first page")])
    for data, page in ((b"hello", 1), (pdf[:200], 1), (pdf, 2), (pdf, 0), (pdf, -1)):
        with pytest.raises(PluginError, match=rf"page {page} could not be read"):
            read_pdf(data, [page])
    with pytest.raises(PluginError, match="the document could not be read"):
        read_pdf(b"hello")


def test_a_page_is_no_larger_than_it_is_read(write: Write, scan: Scan) -> None:
    """Whatever size it claims, so that no page costs more than another."""
    pdf = scan([write("first page")])
    box = pdf[pdf.index(b"/MediaBox") :].split(b"]")[0]
    huge = pdf.replace(box, b"/MediaBox [ 0 0 9000000 9000000".ljust(len(box)))
    assert read_pdf(huge, [1])[1].text == ""
    none = pdf.replace(box, b"/MediaBox [ 0 0 0 0".ljust(len(box)))
    assert read_pdf(none, [1])[1].height == 792  # pdfium takes a sheet of letter paper for a page without size
