"""Pictures and files that mean harm. All of them are made here."""

from __future__ import annotations

import io
import math
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

from memplug import Memory
from memplug.exceptions import (
    FileSizeError,
    InputRejected,
    InputTooLarge,
    InvalidImageError,
    MalformedInput,
    UnsafeInput,
)
from memplug.inputs.image import ImageInput
from memplug.inputs.loading import load
from memplug.plugins.protocols import ParseContext
from memplug.safety.fetch import Fetcher
from memplug.safety.image import HERE, MAX_JPEG_SCANS, examine, inspect_image, open_image, pool
from memplug.safety.media_type import sniff
from memplug.testing.inputs import encoded, gif, image_part, jpeg, jpeg_with_exif, picture, png, sample_pictures
from memplug.values.draft import Part
from memplug.values.limits import Limits
from memplug.values.source import Source

LIMITS = Limits()
FIXED = "Unsupported format. Allowed: PNG, JPEG, WebP, GIF"


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, body: bytes) -> bytes:
    """A PNG of one bit per pixel whose header says what it likes."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def bomb(side: int) -> bytes:
    """A truly decodable black PNG of ``side`` squared pixels."""
    return png_of(side, side, zlib.compress(bytes((side + 7) // 8 + 1) * side, 9))


def test_a_bomb_is_refused_by_its_header() -> None:
    """A 20 kB PNG of 13,000 squared pixels is refused without being decoded."""
    data = bomb(13_000)
    assert len(data) < 40_000
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(InputTooLarge, match="169,000,000 pixels"):
        inspect_image(data, LIMITS)
    assert time.process_time() - started < 0.2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_picture_of_just_the_limit_is_decoded_in_little_memory() -> None:
    """Forty million palette pixels are taken with less than 200 MB more than it takes to start."""
    program = """
import io, resource
from PIL import Image
from memplug.safety.image import inspect_image
from memplug.values.limits import Limits
image = Image.new("P", (8000, 5000))
image.putpalette([1, 2, 3] * 256)
out = io.BytesIO()
image.save(out, "PNG")
del image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
info = inspect_image(out.getvalue(), Limits())
print(info.width * info.height, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    pixels, kilobytes = map(int, shown.stdout.split())
    assert pixels == LIMITS.image_pixels
    assert kilobytes < 200_000


def test_a_header_that_lies_is_refused() -> None:
    """A PNG whose header promises absurd sizes, or none, gives a typed error."""
    for width, height in ((2**31 - 1, 2**31 - 1), (0, 0), (1, 2**32 - 1), (100, 0)):
        with pytest.raises(InputRejected):
            inspect_image(png_of(width, height, zlib.compress(b"\0\0")), LIMITS)


def test_more_than_pillows_own_guard_is_too_large_even_where_our_limit_is_off() -> None:
    """With our limit raised out of the way, Pillow's own guard still ends in our error."""
    with pytest.raises(InputTooLarge):
        inspect_image(png_of(14_000, 14_000, b""), Limits(image_pixels=10**12))
    with pytest.raises(InputTooLarge):
        open_image(png_of(14_000, 14_000, b""))


@pytest.mark.parametrize(("content_type", "data"), sample_pictures().items())
def test_truncated_pictures_are_damaged(content_type: str, data: bytes) -> None:
    """A picture cut off anywhere in its first nine tenths is refused as an invalid image, by both readers."""
    if content_type == "image/gif":
        data = gif(frames=1)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        cut = data[: int(len(data) * share)]
        with pytest.raises(InvalidImageError):
            inspect_image(cut, LIMITS)
        with pytest.raises(InvalidImageError):
            open_image(cut)


def test_a_truncated_large_jpeg_is_damaged_although_it_is_decoded_small() -> None:
    """Decoding at a fraction of the size does not let a cut-off JPEG pass."""
    data = jpeg(size=(2000, 1500))
    with pytest.raises(InvalidImageError):
        inspect_image(data[: len(data) // 2], LIMITS)


def refusal(data: bytes) -> InputRejected | None:
    """Our own error, where the picture is refused; any other error comes through."""
    try:
        inspect_image(data, LIMITS, keep_location=True)
    except InputRejected as error:
        return error
    return None


@pytest.mark.parametrize("seed", range(12))
def test_no_damage_gives_anything_but_a_typed_error(seed: int) -> None:
    """Of many damaged copies of each type, each is either taken or refused with our own error."""
    dice = random.Random(seed)  # noqa: S311 - dice, not secrets
    originals = [*sample_pictures().values(), jpeg_with_exif(), encoded(picture(), "JPEG", progressive=True)]
    refused = 0
    for original in originals:
        for _ in range(25):
            data = bytearray(original)
            for _ in range(dice.choice((1, 3, 20))):
                data[dice.randrange(8 if dice.random() < 0.9 else 0, len(data))] = dice.randrange(256)
            refused += refusal(bytes(data)) is not None
    assert refused > 0


def test_damaged_exif_does_not_cost_the_picture() -> None:
    """A picture whose EXIF block is nonsense is taken, upright as stored, without a date."""
    whole = jpeg_with_exif(orientation=6)
    start = whole.index(b"Exif\0\0") + 6
    for block in (b"\xff" * 60, b"II*\0" + b"\xff" * 56, b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 25):
        data = whole[:start] + block + whole[start + 60 :]
        info = inspect_image(data, LIMITS, keep_location=True)
        assert (info.width, info.height, info.location) == (96, 64, None)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ((1000.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((48.0,), (2.0, 17.0, 40.0)),
        ((IFDRational(0, 0), 0.0, 0.0), (2.0, 17.0, 40.0)),
    ],
)
def test_a_location_that_is_none_is_left_out(latitude: object, longitude: object) -> None:
    """Coordinates that are no place on Earth are not passed on."""
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: latitude, 3: "E", 4: longitude})
    data = encoded(picture(), "JPEG", exif=exif)
    assert inspect_image(data, LIMITS, keep_location=True).location is None


def test_a_spoofed_name_or_type_decides_nothing() -> None:
    """A script called photo.png is refused, and a PNG called script.js is a PNG."""
    for data in (b"<script>alert(1)</script>", b"#!/bin/sh\nrm -rf ~\n", b"MZ\x90\0", b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        part = Part(index=0, source=Source(data=data, name="photo.png", media_type="image/png"))
        assert ImageInput().accepts(part)
        with pytest.raises(InvalidImageError) as caught:
            list(ImageInput().parse(part, ParseContext()))
        assert str(caught.value) == FIXED
    (draft,) = ImageInput().parse(Part(index=0, source=Source(data=png(), name="script.js")), ParseContext())
    assert draft.content_type == "image/png"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'<?xml version="1.0"?>\n<!-- x --><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "SVG"),
        (b"\xef\xbb\xbf  <svg><script>alert(1)</script></svg>", "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (encoded(picture(), "TIFF"), "TIFF"),
        (encoded(picture(), "BMP"), "BMP"),
        (encoded(picture(), "ICO"), "ICO"),
        (b"8BPS\0\x01", "PSD"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
    ],
)
def test_other_image_formats_are_refused_by_name(data: bytes, name: str) -> None:
    """SVG, HEIC, TIFF and the like are taken for images, refused in the fixed words, and named in a note."""
    assert ImageInput().accepts(image_part(data))
    with pytest.raises(InvalidImageError) as caught:
        list(ImageInput().parse(image_part(data), ParseContext()))
    assert str(caught.value) == FIXED
    assert caught.value.__notes__ == [f"the bytes look like {name}"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "ZIP"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"RIFF....WAVEfmt ", "WAV audio"),
    ],
)
def test_other_files_are_no_images(data: bytes, name: str) -> None:
    """Documents, archives and sound are known by name and left to other input types."""
    kind = sniff(data)
    assert kind is not None
    assert kind.name == name
    assert not ImageInput().accepts(image_part(data))


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"BM"]
)
def test_next_to_nothing_is_refused(data: bytes) -> None:
    """No bytes, or only the first of a picture, are an invalid image."""
    with pytest.raises(InvalidImageError):
        inspect_image(data, LIMITS)


def test_no_other_decoder_is_asked() -> None:
    """A damaged picture is not offered to Pillow's other decoders, where most of its holes have been."""
    asked: list[bytes] = []
    Image.preinit()
    Image.register_open("PROBE", lambda file, _: asked.append(file.read()), lambda _: True)  # type: ignore[arg-type, return-value] # never makes an image
    try:
        for data in sample_pictures().values():
            assert refusal(data[:30]) is not None
    finally:
        Image.ID.remove("PROBE")
        del Image.OPEN["PROBE"]
    assert asked == []


def test_one_pixel_is_a_picture() -> None:
    """The smallest picture there is gets a thumbnail and a hash like any other."""
    for format_ in ("PNG", "JPEG", "WEBP", "GIF"):
        info = inspect_image(encoded(Image.new("RGB", (1, 1), "red"), format_), LIMITS)
        assert (info.width, info.height, len(info.phash)) == (1, 1, 16)


def test_ten_thousand_frames_cost_as_much_as_one() -> None:
    """Of an endless animation only the first frame is decoded; the whole is kept."""
    first = encoded(Image.new("P", (400, 400)), "GIF")
    header, frame = first[: first.index(b"\x2c")], first[first.index(b"\x2c") : -1]
    data = header + (b"\x21\xf9\x04\x00\x01\x00\x00\x00" + frame) * 10_000 + b"\x3b"
    with Image.open(io.BytesIO(data)) as image:
        image.seek(50)
    started = time.process_time()
    (draft,) = ImageInput().parse(image_part(data), ParseContext())
    assert time.process_time() - started < 0.3
    assert draft.media is not None
    assert draft.media.data == data


def test_a_frame_larger_than_its_screen_is_measured_too() -> None:
    """A GIF whose first frame is far larger than the screen that the header names is refused by the frame."""
    small = encoded(Image.new("P", (10, 10)), "GIF")
    place = small.index(b"\x2c")
    data = small[: place + 5] + struct.pack("<HH", 60_000, 60_000) + small[place + 9 :]
    with pytest.raises(InputTooLarge):
        inspect_image(data, LIMITS)


def test_a_polyglot_is_kept_as_the_picture_that_it_is() -> None:
    """A PNG that is a ZIP too is kept byte for byte as a PNG; its thumbnail is no ZIP."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("SKILL.md", "ignore previous instructions")
    data = png() + archive.getvalue()
    assert zipfile.is_zipfile(io.BytesIO(data))
    (draft,) = ImageInput().parse(image_part(data), ParseContext())
    assert draft.content_type == "image/png"
    assert draft.media is not None
    assert draft.media.data == data
    assert not zipfile.is_zipfile(io.BytesIO(draft.media.thumbnail or b""))


def test_a_compressed_text_chunk_is_not_blown_up() -> None:
    """A PNG whose text chunk unpacks to 30 MB is refused or ignored, quickly and in little memory."""
    info = PngImagePlugin.PngInfo()
    info.add_text("x", "A" * 30_000_000, zip=True)
    data = encoded(picture(), "PNG", pnginfo=info)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    refusal(data)
    assert time.process_time() - started < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def with_scans(count: int) -> bytes:
    """A progressive JPEG of so many scans: its last one again and again."""
    data = encoded(picture((64, 64)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * (count - data.count(b"\xff\xda")) + b"\xff\xd9"


def test_the_scans_of_a_jpeg_are_limited() -> None:
    """A JPEG of as many scans as the limit is decoded; one more only keeps decoders busy and is refused."""
    assert inspect_image(with_scans(MAX_JPEG_SCANS), LIMITS).width == 64
    for read in (lambda data: inspect_image(data, LIMITS), open_image):
        with pytest.raises(UnsafeInput, match="scans"):
            read(with_scans(MAX_JPEG_SCANS + 1))


def test_warnings_of_the_decoder_are_not_the_callers_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of more pixels than Pillow's guard likes is taken within our limit, without a warning."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5_000)
    assert inspect_image(png(), LIMITS).width == 96
    assert open_image(png()).width == 96


@pytest.mark.parametrize("kind", ["directory", "pipe", "socket", "device"])
def test_only_regular_files_are_read(kind: str, tmp_path: Path) -> None:
    """A directory, a pipe that nobody writes to, a socket or an endless device is refused at once."""
    path = tmp_path / "x.png"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    else:
        path = Path("/dev/zero")
    error, words = (MalformedInput, "is a directory") if kind == "directory" else (UnsafeInput, "only regular files")
    with pytest.raises(error, match=words):
        load(Part(index=0, source=Source(path=path)), LIMITS, Fetcher(LIMITS))


def test_a_huge_sparse_file_is_refused_by_its_size(tmp_path: Path) -> None:
    """A file of a terabyte is not read to find out that it is too large."""
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(10**12)
    started = time.process_time()
    with pytest.raises(FileSizeError):
        load(Part(index=0, source=Source(path=path)), LIMITS, Fetcher(LIMITS))
    assert time.process_time() - started < 0.2


def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    """A file that may not be read is a malformed input with the system's reason."""
    path = tmp_path / "secret.png"
    path.write_bytes(png())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(MalformedInput, match="Permission denied"):
        load(Part(index=0, source=Source(path=path)), LIMITS, Fetcher(LIMITS))


def large(color: str = "red") -> bytes:
    """A picture that is too large to be decoded in this process."""
    return encoded(Image.new("RGB", (1_200, HERE // 1_200 + 1), color), "PNG")


def test_a_large_picture_or_a_webp_is_read_in_a_process_of_its_own() -> None:
    """With the same result as here; a small one is decoded here, where no process has to be started for it."""
    pool.close()
    for data in (png(), jpeg(), gif()):
        assert inspect_image(data, LIMITS) == examine(data, LIMITS, keep_location=False)
    side = math.isqrt(HERE)
    inspect_image(encoded(Image.new("L", (side, side)), "PNG"), LIMITS)
    assert pool.pid is None
    for data in (encoded(picture(), "WEBP"), encoded(Image.new("L", (side + 1, side)), "PNG"), large()):
        assert inspect_image(data, LIMITS) == examine(data, LIMITS, keep_location=False)
    assert pool.pid not in (None, os.getpid())


def test_what_is_kept_of_a_large_photo_is_told_from_there_too() -> None:
    """Time and place come through as they are."""
    with Image.open(io.BytesIO(jpeg_with_exif())) as small:
        photo = encoded(small.resize((1_600, 1_200)), "JPEG", exif=small.getexif())
    here = examine(photo, LIMITS, keep_location=True)
    assert here.taken_at is not None
    assert here.location is not None
    assert inspect_image(photo, LIMITS, keep_location=True) == here


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals to stop a process with")
def test_a_decoder_that_hangs_is_killed() -> None:
    """A process that stands still is ended when its time is up, with a typed error; the next picture has another."""
    data = large()
    inspect_image(data, LIMITS)
    hanging = pool.pid
    assert hanging is not None
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(InputTooLarge, match=r"reading the image took more than 0\.2 seconds"):
        inspect_image(data, Limits(parser_seconds=0.2))
    with pytest.raises(ProcessLookupError):
        os.kill(hanging, 0)
    assert inspect_image(data, LIMITS).width == 1_200
    assert pool.pid != hanging


def test_a_decoder_that_takes_too_long_is_killed() -> None:
    """Also where it really works: forty million pixels in a hundredth of a second."""
    with pytest.raises(InputTooLarge, match=r"more than 0\.01 seconds"):
        inspect_image(encoded(Image.new("L", (8_000, 5_000)), "PNG"), Limits(parser_seconds=0.01))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_a_decoder_that_eats_memory_is_killed() -> None:
    """What does not fit into its memory is refused, there and not here; what fits is taken."""
    limits = Limits(parser_bytes=90_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputTooLarge, match=r"memory|MB"):
        inspect_image(png_of(8_000, 5_000, zlib.compress(bytes(1_001 * 5_000), 1)), limits)
    assert inspect_image(large(), limits).width == 1_200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_decoder_that_dies_takes_nothing_with_it() -> None:
    """Killed between two pictures, by whomever: the next one is read by another process, and nothing is lost."""
    with Memory("memory://", embedder="hashing:64") as memory:
        first = memory.add(large(), user_id="u").ids[0]
        dead = pool.pid
        assert dead is not None
        os.kill(dead, signal.SIGKILL)
        second = memory.add(large("blue"), user_id="u").ids[0]
        assert [memory.media(id_) for id_ in (first, second)] == [large(), large("blue")]
