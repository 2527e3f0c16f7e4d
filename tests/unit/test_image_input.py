"""Pictures as an input type."""

from __future__ import annotations

import base64
import io
import sys
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageOps

from hostile.bombs import docx, paragraph
from memplug import Memory
from memplug.exceptions import FileSizeError, InputTooLarge, InvalidImageError, MalformedInput
from memplug.inputs.image import ImageInput
from memplug.plugins.protocols import ParseContext
from memplug.safety.image import inspect_image, open_image
from memplug.safety.phash import distance
from memplug.testing.inputs import (
    LOCATION,
    TAKEN_AT,
    InputTypeContract,
    encoded,
    gif,
    image_part,
    jpeg,
    jpeg_with_exif,
    picture,
    png,
    sample_pictures,
    webp,
)
from memplug.values.draft import Draft, Media, Part
from memplug.values.limits import Limits
from memplug.values.source import Source
from pdfs import pdf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LIMITS = Limits()


class TestImageInput(InputTypeContract):
    """ImageInput keeps the promises of every input type."""

    def make(self) -> ImageInput:
        """The input type."""
        return ImageInput()

    def samples(self) -> Sequence[Part]:
        """Its own form."""
        return [image_part(data) for data in (*sample_pictures().values(), jpeg_with_exif())]

    def strangers(self) -> Sequence[Part]:
        """Other types' parts."""
        pdf = image_part(b"%PDF-1.7 ...")
        return [Part(index=0, text="x"), pdf, image_part(b"plain words"), image_part(png(), kind="skill")]

    def broken(self) -> Sequence[Part]:
        """Parts to refuse."""
        heic = image_part(b"\0\0\0\x18ftypheic\0\0\0\0")
        return [image_part(png()[:200]), image_part(b"", kind="image"), heic, Part(index=0, kind="image")]


def draft(
    data: bytes, *, parsing: ParseContext | None = None, source: dict[str, Any] | None = None, **fields: Any
) -> Draft:
    """The only draft of a picture."""
    part = Part(index=0, source=Source(data=data, **(source or {})), **fields)
    assert ImageInput().accepts(part)
    (found,) = ImageInput().parse(part, parsing or ParseContext())
    return found


def media(found: Draft) -> Media:
    """The draft's picture."""
    assert found.media is not None
    return found.media


@pytest.mark.parametrize(("content_type", "data"), sample_pictures().items())
def test_the_four_types_are_told_by_their_bytes(content_type: str, data: bytes) -> None:
    """PNG, JPEG, WebP and GIF are known whatever they are called, and kept byte for byte with what they show."""
    found = draft(data)
    kept = media(found)
    assert (found.kind, found.content_type, kept.content_type, kept.data) == ("image", content_type, content_type, data)
    assert (kept.width, kept.height, kept.name) == (96, 64, "")
    assert kept.phash is not None
    assert len(kept.phash) == 16


def test_thumbnails_are_small_webp_pictures() -> None:
    """A thumbnail has at most 256 pixels a side, the picture's proportions, and is never made larger than it."""
    for size, thumbnail in (
        ((1000, 500), (256, 128)),
        ((500, 1000), (128, 256)),
        ((96, 64), (96, 64)),
        ((3000, 1), (256, 1)),
    ):
        small = media(draft(png(size=size))).thumbnail
        assert small is not None
        image = Image.open(io.BytesIO(small))
        assert (image.format, image.size) == ("WEBP", thumbnail)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation: int) -> None:
    """Size, thumbnail and opened picture follow the stored orientation; the original does not change."""
    data = jpeg_with_exif(orientation=orientation, size=(240, 160))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    kept = media(draft(data))
    assert (kept.width, kept.height, kept.data) == (*upright.size, data)
    assert kept.thumbnail is not None
    small = Image.open(io.BytesIO(kept.thumbnail)).convert("L")
    opened = open_image(data)
    assert opened.size == upright.size
    assert opened.tobytes() == upright.tobytes()
    assert ImageOps.exif_transpose(opened).size == opened.size
    for corner in ((5, 5), (small.width - 5, 5), (5, small.height - 5), (small.width - 5, small.height - 5)):
        assert small.getpixel(corner) == pytest.approx(upright.convert("L").getpixel(corner), abs=25)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
def test_location_is_kept_out_unless_asked_for(format_: str) -> None:
    """Where a picture was taken is in no metadata and no thumbnail, unless the caller asks; when it was taken is."""
    exif = Image.open(io.BytesIO(jpeg_with_exif())).getexif()
    data = encoded(picture(), format_, exif=exif)
    found = draft(data)
    assert found.metadata == {"taken_at": TAKEN_AT}
    assert found.occurred_at is None
    small = media(found).thumbnail
    assert small is not None
    assert dict(Image.open(io.BytesIO(small)).getexif()) == {}
    assert b"EXIF" not in small.upper()
    asked = draft(data, parsing=ParseContext(keep_location=True))
    assert asked.metadata == {"taken_at": TAKEN_AT, "location": LOCATION}


def test_comments_and_profiles_do_not_reach_the_thumbnail() -> None:
    """XMP, comments and colour profiles of the original are not in the thumbnail."""
    profile = b"secret profile" * 20
    for data in (
        encoded(picture(), "JPEG", comment=b"secret comment", icc_profile=profile, xmp=b"<x>secret</x>"),
        encoded(picture(mode="RGBA"), "WEBP", icc_profile=profile, xmp=b"<x>secret</x>"),
        encoded(picture(), "PNG", icc_profile=profile),
    ):
        assert b"secret" not in (media(draft(data)).thumbnail or b"")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_are_taken(mode: str) -> None:
    """Palettes, grey, transparency, print colours and 16 bits all give a thumbnail that looks like the picture."""
    image = picture((800, 600))
    stored = sixteen_bits(image.convert("L")) if mode == "I;16" else image.convert(mode)
    small = media(draft(encoded(stored, "JPEG" if mode == "CMYK" else "PNG"))).thumbnail
    assert small is not None
    found = Image.open(io.BytesIO(small)).convert("L").resize((2, 2), Image.Resampling.BOX)
    wanted = image.convert("L").resize((2, 2), Image.Resampling.BOX)
    assert list(found.tobytes()) == pytest.approx(list(wanted.tobytes()), abs=30)


def sixteen_bits(grey: Image.Image) -> Image.Image:
    """The same light in 16 bits."""
    return Image.frombytes("I;16", grey.size, bytes(byte for value in grey.tobytes() for byte in (value, value)))


def test_transparency_stays_in_the_thumbnail() -> None:
    """A transparent picture, with an alpha channel or a transparent colour, has a transparent thumbnail."""
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.paste(1, (0, 0, 32, 64))
    for data in (
        encoded(Image.new("RGBA", (64, 64), (255, 0, 0, 0)), "PNG"),
        encoded(palette, "GIF", transparency=0),
        encoded(palette, "PNG", transparency=b"\0\xff"),
        encoded(Image.new("L", (64, 64), 7), "PNG", transparency=7),
    ):
        small = media(draft(data)).thumbnail
        assert small is not None
        assert Image.open(io.BytesIO(small)).mode == "RGBA"


def test_only_the_first_picture_of_an_animation_is_shown() -> None:
    """An animation is kept whole, and its first frame is what is shown."""
    moving = gif(frames=5, size=(200, 100))
    assert media(draft(moving)).phash == media(draft(gif(frames=1, size=(200, 100)))).phash
    assert media(draft(moving)).data == moving


def test_a_picture_of_several_shots_is_a_jpeg() -> None:
    """An MPO, as phones and cameras write it, counts as the JPEG that it begins with."""
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture(seed=2)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert draft(data).content_type == "image/jpeg"
    assert open_image(data).size == (96, 64)


# Words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("description", "context", "name", "text", "others"),
    [
        (None, "", None, "", ""),
        ("dinner with Li", "", None, "dinner with Li", ""),
        (None, "what is this?", None, "what is this?", ""),
        ("dinner with Li", "what is this?", None, "dinner with Li", "what is this?"),
        ("dinner", "what?", "Tax_2024-05.final.JPG", "dinner", "what?\nTax 2024 05 final"),
        (" ", "what?", "a.png", "what?", "a"),
        (None, "", "C:\\pics\\receipt.png", "", "receipt"),
        ("a\0b", "", "收据.png", "ab", "收据"),
    ],
)
def test_a_pictures_words(description: str | None, context: str, name: str | None, text: str, others: str) -> None:
    """The user's description comes first, then the text sent along; the rest and the file name help to find it."""
    found = draft(png(), description=description, context=context, source={"name": name})
    assert (found.text, found.context) == (text, others)


def test_a_picture_remembers_where_it_came_from() -> None:
    """File name and URL are remembered, the URL without password, query or fragment."""
    url = "https://me:pw@example.com/pics/menu.jpg?signature=secret#top"
    found = draft(jpeg(), source={"name": "menu.jpg", "origin": url}).source
    assert (found.file, found.url) == ("menu.jpg", "https://example.com/pics/menu.jpg")


@pytest.mark.parametrize(
    ("media_type", "name", "metadata"),
    [
        (None, None, {}),
        ("image/png", "a.png", {}),
        ("IMAGE/PNG; charset=binary", None, {}),
        ("image/x-png", None, {}),
        ("application/octet-stream", None, {}),
        ("image/*", None, {}),
        ("image/jpeg", None, {"declared_type": "image/jpeg"}),
        ("image/jpg", None, {"declared_type": "image/jpeg"}),
        (None, "photo.JPG", {"declared_type": "image/jpeg"}),
        ("application/octet-stream", "photo.gif", {"declared_type": "image/gif"}),
        (None, "photo.unknown", {}),
        ("text/plain", None, {"declared_type": "text/plain"}),
    ],
)
def test_a_wrong_declared_type_is_noted_and_the_true_one_wins(
    media_type: str | None, name: str | None, metadata: dict[str, str]
) -> None:
    """What the bytes are decides; another claim, by type or file name, is noted in the metadata."""
    found = draft(png(), source={"media_type": media_type, "name": name})
    assert (found.content_type, found.metadata) == ("image/png", metadata)


@pytest.mark.parametrize("data", [pdf([(72, 700, 12, "Refunds take ten days")]), docx(paragraph("Refunds"))])
@pytest.mark.parametrize("claim", [{"media_type": "image/png"}, {"name": "scan.png"}])
def test_a_claim_makes_no_picture_of_a_document(data: bytes, claim: dict[str, Any]) -> None:
    """A PDF or Office file that is said to be a PNG is a document, also where a picture would be too large.

    Handed in as a picture, it is refused, and the error names both.
    """
    with Memory("memory://", embedder="hashing:64", limits=Limits(image_bytes=100)) as memory:
        [outcome] = memory.add(Source(data=data, **claim), user_id="u").outcomes
        assert outcome.kind == "document"
        assert memory.get(str(outcome.id)).metadata["declared_type"] == "image/png"
    block = {"type": "image", "base64": base64.b64encode(data).decode(), "mime_type": "image/png"}
    with Memory("memory://", embedder="hashing:64") as memory, pytest.raises(InvalidImageError) as caught:
        memory.add([{"role": "user", "content": [block]}], user_id="u")
    assert caught.value.message == "Unsupported format. Allowed: PNG, JPEG, WebP, GIF"
    assert "said to be an image, its bytes look like" in str(caught.value)


# Limits ---------------------------------------------------------------------------------------------------


def test_bytes_are_limited() -> None:
    """As many bytes as the limit pass; one more is too large, even where it is no image at all."""
    data = png()
    assert draft(data, parsing=ParseContext(limits=Limits(image_bytes=len(data))))
    for large in (data, b"x" * len(data)):
        with pytest.raises(FileSizeError):
            inspect_image(large, Limits(image_bytes=len(data) - 1))


def test_pixels_are_limited() -> None:
    """As many pixels as the limit pass; one row more is too many, in every format."""
    for make in (png, jpeg, webp, gif):
        assert inspect_image(make(size=(80, 50)), Limits(image_pixels=4000)).width == 80
        with pytest.raises(InputTooLarge, match=r"80 x 50 = 4,000 pixels; at most 3,999"):
            inspect_image(make(size=(80, 50)), Limits(image_pixels=3999))


@pytest.mark.parametrize(
    ("limit", "words"),
    [(10 * 1_048_576, "10MB"), (1_048_576, "1MB"), (2_621_440, "2.5MB"), (1000, "1,000 bytes")],
)
def test_the_error_names_the_limit_that_holds(limit: int, words: str) -> None:
    """The number in the fixed words follows the limit."""
    with pytest.raises(FileSizeError) as caught:
        inspect_image(bytes(limit + 1), Limits(image_bytes=limit))
    assert str(caught.value) == f"Image too large. Maximum: {words}"


def test_another_format_is_refused_to_the_letter() -> None:
    """The words are MemoryPlugin's, and a note says what it was instead."""
    with pytest.raises(InvalidImageError) as caught:
        draft(b"II*\0rest", source={"name": "scan.tif"})
    assert str(caught.value) == caught.value.message == "Unsupported format. Allowed: PNG, JPEG, WebP, GIF"
    assert caught.value.hint is None
    assert caught.value.__notes__ == ["the bytes look like TIFF"]


def test_a_part_without_bytes_is_refused() -> None:
    """A part that is to be an image and has no bytes says so."""
    with pytest.raises(MalformedInput, match="needs its bytes"):
        list(ImageInput().parse(Part(index=0, kind="image"), ParseContext()))


# Looking alike --------------------------------------------------------------------------------------------


def copies(image: Image.Image) -> list[bytes]:
    """Files that show the same."""
    half = image.resize((image.width // 2, image.height // 2))
    double = image.resize((image.width * 2, image.height * 2))
    brighter = image.point(lambda value: min(255, int(value * 1.08) + 4))
    return [
        encoded(image, "JPEG", quality=40),
        encoded(half, "JPEG", quality=75),
        encoded(double, "WEBP", quality=60),
        encoded(brighter, "PNG"),
        encoded(image.convert("RGBA"), "PNG"),
    ]


def hashed(data: bytes) -> str:
    """A file's perceptual hash."""
    return inspect_image(data, LIMITS).phash


def test_copies_of_a_picture_have_nearly_the_same_hash() -> None:
    """Resized, recompressed and brightened copies differ in at most 10 of 64 bits."""
    for seed in range(1, 6):
        image = picture((480, 360), seed=seed)
        original = hashed(encoded(image, "PNG"))
        assert max(distance(original, hashed(copy)) for copy in copies(image)) <= 10


def test_other_pictures_have_other_hashes() -> None:
    """Any two of twelve different pictures differ in more than 20 bits."""
    hashes = [hashed(png(size=(480, 360), seed=seed)) for seed in range(1, 13)]
    assert min(distance(one, other) for place, one in enumerate(hashes) for other in hashes[:place]) > 20


def test_a_picture_and_its_negative_or_turned_copy_are_not_alike() -> None:
    """A hash tells a picture from its negative and from its mirror image."""
    image = picture((480, 360))
    original = hashed(encoded(image, "PNG"))
    assert distance(original, hashed(encoded(ImageOps.invert(image), "PNG"))) > 40
    assert distance(original, hashed(encoded(ImageOps.mirror(image), "PNG"))) > 20


def test_flat_pictures_have_a_hash() -> None:
    """A picture of one colour has no shape, and hashes without noise."""
    assert {hashed(encoded(Image.new("RGB", (64, 64), colour), "PNG")) for colour in ("black", "white", "#777")} == {
        "0" * 16
    }


def test_real_receipts(data_folder: Path) -> None:
    """Real scans are taken, their recompressed copies hash alike, and most different ones do not."""
    files = sorted((data_folder / "receipts").glob("*.jpg"))[:12]
    assert files
    hashes = []
    for file in files:
        data = file.read_bytes()
        found = inspect_image(data, LIMITS)
        with Image.open(file) as image:
            assert (found.width, found.height, found.content_type) == (*image.size, "image/jpeg")
            copy = encoded(image.convert("RGB").resize((image.width // 2, image.height // 2)), "JPEG", quality=50)
        assert distance(found.phash, hashed(copy)) <= 10
        hashes.append(found.phash)
    pairs = [distance(one, other) for place, one in enumerate(hashes) for other in hashes[:place]]
    assert sum(bits > 20 for bits in pairs) / len(pairs) > 0.8


def test_input_types_do_not_load_pil_before_a_picture_comes() -> None:
    """Unpacking and loading texts, paths and bytes needs neither PIL nor httpx."""
    import subprocess

    program = """
import sys
from memplug.inputs.parts import unpack
from memplug.inputs.loading import load
from memplug.inputs.image import ImageInput
from memplug.inputs.text import TextInput
from memplug.safety.fetch import Fetcher
from memplug.values.limits import Limits
for part in unpack(["a", b"b"], description=None, content_type=None, kind=None, limits=Limits()):
    ImageInput().accepts(load(part, Limits(), Fetcher(Limits())))
print(sorted({"PIL", "httpx", "httpcore", "numpy", "langchain_core", "lancedb"} & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
