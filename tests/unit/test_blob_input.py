"""Blobs: any bytes of any type under a key, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memplug import Limits, Memory
from memplug.exceptions import (
    InputRejected,
    InputTooLarge,
    InvalidImageError,
    MalformedInput,
    UnsupportedInput,
)
from memplug.inputs.blob import BlobInput
from memplug.inputs.loading import load
from memplug.plugins.protocols import ParseContext
from memplug.safety.fetch import Fetcher
from memplug.testing.inputs import InputTypeContract, gif, image_part, jpeg, png
from memplug.values.draft import Draft, Part
from memplug.values.source import Source
from skills import manifest, skill_zip
from support import Clock

NOISE = hashlib.shake_256(b"blob").digest(2_000)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
#: The smallest PNG that there is: one pixel.
DOT = png(size=(1, 1))
PICTURES: Mapping[str, tuple[bytes, str]] = {
    "one pixel": (DOT, "image/png"),
    "cut off": (png()[:100], "image/png"),
    "damaged": (DOT[:43] + b"\xff" + DOT[44:], "image/png"),
    "only a signature": (b"\x89PNG\r\n\x1a\n", "image/png"),
    "SVG": (SVG, "image/svg+xml"),
    "HEIC": (HEIC, "image/heic"),
    "GIF": (gif(), "image/gif"),
}


def part(data: bytes, *, key: str | None = None, kind: str | None = "blob", **source: Any) -> Part:
    """A part of bytes, as the input type sees it."""
    return Part(index=0, source=Source(data=data, **source), key=key, kind=kind)


class TestBlobInput(InputTypeContract):
    """BlobInput keeps the promises of every input type."""

    def make(self) -> BlobInput:
        """The input type."""
        return BlobInput()

    def samples(self) -> Sequence[Part]:
        """Any bytes under a key, or of the kind."""
        keyed = [part(data, key="k", kind=None) for data in (NOISE, b"", b"words", png())]
        return [*keyed, part(NOISE), part(SVG, media_type="image/svg+xml", name="logo.svg")]

    def strangers(self) -> Sequence[Part]:
        """Parts without bytes, or of another kind."""
        return [Part(index=0, text="x"), image_part(png(), kind="image"), part(NOISE, kind="skill")]

    def broken(self) -> Sequence[Part]:
        """Parts to refuse."""
        large = part(bytes(Limits().blob_bytes + 1), key="k")
        types = [part(b"x", media_type=type_) for type_ in ("", " ", "a\nb", "x" * 256)]
        return [large, *types, part(NOISE, kind=None), Part(index=0, kind="blob"), part(b"x", key="k" * 513)]


def draft(data: bytes, **fields: Any) -> Draft:
    """The only draft of a blob."""
    [found] = BlobInput().parse(part(data, **fields), ParseContext())
    return found


def test_bytes_come_back_as_they_are(memory: Memory) -> None:
    """Whatever the bytes are, none at all included, they come back from `media`, `open_media` and the hit."""
    for number, data in enumerate((b"", NOISE, bytes(100_000), png(), SVG)):
        memory.add(data, key=f"project/x/{number}", kind="blob", description=f"number {number}", user_id="u")
        item = memory.get(key=f"project/x/{number}", user_id="u")
        with memory.open_media(item.id, user_id="u") as file:
            assert file.read() == data == memory.media(item.id, user_id="u")
        assert (item.kind, item.media.size if item.media else None) == ("blob", len(data))


def test_the_same_key_keeps_the_id(memory: Memory) -> None:
    """Adding under a key again replaces the bytes under the same id; the earlier ones are history."""
    first = memory.add(NOISE, key="a/b", kind="blob", content_type="application/x-one", user_id="u").outcomes[0]
    again = memory.add(NOISE, key="a/b", kind="blob", content_type="application/x-one", user_id="u").outcomes[0]
    other = memory.add(png(), key="a/b", kind="blob", content_type="image/png", user_id="u").outcomes[0]
    assert [one.event for one in (first, again, other)] == ["added", "unchanged", "updated"]
    assert first.id == again.id == other.id
    item = memory.get(key="a/b", user_id="u")
    assert (memory.media(item.id), item.value_type, item.version) == (png(), "image", 2)
    assert [one.value_type for one in memory.history(item.id)] == ["blob", "image"]
    memory.restore(item.id, 1)
    assert memory.media(item.id) == NOISE


@pytest.mark.parametrize("case", PICTURES)
def test_pictures_of_every_sort_are_kept(case: str) -> None:
    """What is no picture to `ImageInput` is kept as a blob that is an image: one pixel, broken, SVG, HEIC."""
    data, type_ = PICTURES[case]
    with Memory("memory://", embedder="hashing:64") as memory:
        id_ = memory.add(data, key="shot", kind="blob", content_type=type_, user_id="u").ids[0]
        item = memory.get(id_)
        assert (item.kind, item.value_type, item.content_type, item.status) == ("blob", "image", type_, "ready")
        assert memory.media(id_) == data
        assert item.metadata == {}
        if case not in {"one pixel", "GIF"}:
            with pytest.raises(InvalidImageError):
                memory.add(data, user_id="u", content_type=type_)


@pytest.mark.parametrize(
    ("data", "said", "found"),
    [
        (NOISE, "application/vnd.example; v=1", None),
        (NOISE, "Image/PNG", "application/octet-stream"),
        (NOISE, "application/octet-stream", None),
        (b"", "image/png", "application/octet-stream"),
        (jpeg(), "image/png", "image/jpeg"),
        (jpeg(), "image/jpg", None),
        (jpeg(), "application/octet-stream", None),
        (jpeg(), "text/plain", "image/jpeg"),
        (b"words", "application/pdf", "text/plain"),
        (b"print(1)", "text/x-python", None),
        (b"%PDF-1.7 broken", "application/pdf", None),
        (b"%PDF-1.7 broken", "text/plain", "application/pdf"),
        (skill_zip({"a.class": b"x"}), "application/java-archive", None),
        (skill_zip({"a.class": b"x"}), "image/png", "application/zip"),
        (b"RIFF\0\0\0\0WAVEfmt " + NOISE, "audio/x-wav", None),
        (b"RIFF\0\0\0\0WAVEfmt " + NOISE, "audio/mpeg", "audio/wav"),
        (b"OggS" + NOISE, "audio/ogg", None),
        (b"\0\0\0\x18ftypM4A " + NOISE, "audio/mp4", None),
        (b"\0\0\x01\0" + NOISE, "image/x-icon", None),
    ],
)
def test_the_declared_type_is_kept_and_compared(data: bytes, said: str, found: str | None) -> None:
    """The caller's type stands to the letter; where the bytes are something else, that is noted."""
    made = draft(data, media_type=said)
    assert made.content_type == said
    noted = {"declared_type": said.lower(), "detected_type": found} if found else {}
    assert made.metadata == noted
    assert made.media is not None
    assert found in {None, made.media.content_type}


def test_without_a_declared_type_the_bytes_decide() -> None:
    """A name is a hint that the bytes can contradict; where nothing says anything, the type is that of any bytes."""
    assert draft(jpeg()).content_type == "image/jpeg"
    assert draft(b"a,b\n1,2\n", name="x.csv").content_type == "text/csv"
    assert draft(NOISE, name="x.bin").content_type == "application/octet-stream"
    renamed = draft(jpeg(), name="x.png")
    assert (renamed.content_type, renamed.metadata["declared_type"]) == ("image/jpeg", "image/png")


def test_value_type_is_hives_word(memory: Memory) -> None:
    """``text``, ``image`` or ``blob``, for every memory."""
    memory.add("hello", key="t", user_id="u")
    memory.add(png(), key="i", user_id="u")
    memory.add(NOISE, key="b", kind="blob", content_type="audio/wav", user_id="u")
    memory.add(SVG, key="s", kind="blob", content_type="image/svg+xml", user_id="u")
    found = {key: memory.get(key=key, user_id="u").value_type for key in "tibs"}
    assert found == {"t": "text", "i": "image", "b": "blob", "s": "image"}


def test_a_blob_is_found_by_whatever_words_it_has(memory: Memory) -> None:
    """By description, name, key, tags, the text sent along, and the first words of a known type."""
    memory.add(Source(data=NOISE, name="turbine-blueprint.dwg"), key="engines/v8", tags=["cad"], user_id="u")
    memory.add(NOISE[::-1], key="x1", description="backup of the greenhouse controller", kind="blob", user_id="u")
    memory.add(b"quarterly zeppelin inventory\n" * 3, key="x2", kind="blob", user_id="u")
    message = {
        "role": "user",
        "content": [{"type": "text", "text": "firmware of the kettle"}, _block(NOISE[:50], key="x3")],
    }
    memory.add(message, user_id="u")
    for question, key in (
        ("turbine blueprint", "engines/v8"),
        ("engines v8", "engines/v8"),
        ("cad", "engines/v8"),
        ("greenhouse controller", "x1"),
        ("zeppelin inventory", "x2"),
        ("firmware of the kettle", "x3"),
    ):
        assert memory.search(question, user_id="u", kinds=["blob"])[0].item.key == key
    assert memory.get(key="x1", user_id="u").text == "backup of the greenhouse controller"
    assert memory.get(key="x2", user_id="u").text == ""


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"\xef\xbb\xbfplain words", "a.txt", "plain words"),
        ("größe".encode("utf-16"), "a.txt", "größe"),
        (b"<html><body><p>Hello <b>there</b></p></body></html>", "a.html", "Hello there"),
        (SVG.replace(b"alert(1)", b"words"), "a.svg", ""),
        (b'{"city": "Beijing"}', "a.json", '{"city": "Beijing"}'),
        (b"a,b\n1,2\n", "a.csv", "a,b 1,2"),
        (NOISE, "a.bin", ""),
        (b"", "a.txt", ""),
    ],
)
def test_the_first_words_of_known_types(data: bytes, name: str, words: str) -> None:
    """Texts are read from their start, without markup; what is no text has none."""
    assert draft(data, name=name).context == "\n".join(["a", *([words] if words else [])])


def test_words_are_bounded() -> None:
    """Two thousand characters are taken from a blob, whatever it holds."""
    found = draft(("größe " * 2_000_000).encode()[: Limits().blob_bytes], name="a.txt")
    assert len(found.context) == 2_000 + len("a\n")


def test_a_readable_container_is_read_and_a_broken_one_is_kept() -> None:
    """A PDF's words are found by its reader; a bomb or a broken file is kept without words."""
    text = b"BT /F1 12 Tf 72 700 Td (turnip harvest) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, o) for n, o in enumerate(objects, start=1))
    data = body + b"trailer << /Root 1 0 R >>\n%%EOF\n"
    assert draft(data, name="a.pdf").context == "a\nturnip harvest"
    broken = draft(b"%PDF-1.7\n" + NOISE, name="a.pdf")
    assert (broken.context, broken.error, broken.content_type) == ("a", None, "application/pdf")


def test_bytes_that_nobody_reads_need_a_key(memory: Memory) -> None:
    """Without a key or the kind, nothing is kept by accident, and the error says how to; with either, it is."""
    with pytest.raises(UnsupportedInput, match=r"no input type takes these bytes \(with a key, or the kind 'blob'"):
        memory.add(NOISE, user_id="u")
    with pytest.raises(UnsupportedInput, match="no input type takes image/png, which begins like ZIP"):
        memory.add(b"PK\x03\x04" + NOISE, content_type="image/png", user_id="u")
    assert memory.add(NOISE, key="k", user_id="u").outcomes[0].kind == "blob"
    [first] = memory.add(NOISE, kind="blob", user_id="u").outcomes
    [again] = memory.add(NOISE, kind="blob", user_id="u").outcomes
    assert (first.event, again.event, first.id) == ("added", "duplicate", again.id)
    assert memory.add(NOISE[1:], kind="blob", user_id="u").ids[0] != first.id


def test_others_come_first() -> None:
    """Under a key, text, pictures, documents and skills stay what they are; the kind makes a blob of all of them."""
    forms: Mapping[str, tuple[object, str]] = {
        "picture": (png(), "image"),
        "document": (Source(data=b"# Title\n\nwords", name="a.md"), "document"),
        "skill": (skill_zip({"SKILL.md": manifest()}), "skill"),
        "other": (skill_zip({"README.md": b"x"}), "blob"),
        "unknown": (NOISE, "blob"),
    }
    with Memory("memory://", embedder="hashing:64") as memory:
        for key, (content, kind) in forms.items():
            assert memory.add(content, key=key, user_id="u").outcomes[0].kind == kind
            assert memory.add(content, key=f"{key}/raw", kind="blob", user_id="u").outcomes[0].kind == "blob"


def _block(data: bytes, **fields: Any) -> dict[str, Any]:
    encoded = base64.b64encode(data).decode()
    return {"type": "blob", "data": encoded, "content_type": "application/x-test"} | fields


def _encoded(text: str) -> dict[str, Any]:
    return _block(b"", key="k") | {"data": text}


def test_hives_part(memory: Memory) -> None:
    """A part with base64, type, key and tags is stored under its own key; several in one input each under theirs."""
    content = [
        _block(NOISE, key="one", tags=["b", "a"], name="one.bin"),
        _block(NOISE, key="two"),
        _block(b"", key="three"),
    ]
    outcomes = memory.add(content, tags=["all"], user_id="u").outcomes
    assert [(one.event, one.key) for one in outcomes] == [("added", "one"), ("added", "two"), ("added", "three")]
    item = memory.get(key="one", user_id="u")
    assert (item.tags, item.content_type, item.media.name if item.media else "") == (
        ("a", "all", "b"),
        "application/x-test",
        "one.bin",
    )
    memory.add(_block(b"new", key="one"), key="caller's", user_id="u")
    assert memory.media(memory.get(key="caller's", user_id="u").id) == b"new"
    assert memory.media(item.id) == NOISE


def test_two_of_one_key_in_one_input(memory: Memory) -> None:
    """The second of two that differ is rejected alone; two that are the same are one."""
    result = memory.add([_block(b"1", key="k"), _block(b"2", key="k"), _block(b"1", key="k")], user_id="u")
    assert [one.event for one in result.outcomes] == ["added", "rejected", "duplicate"]
    assert memory.media(memory.get(key="k", user_id="u").id) == b"1"


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "blob"}, "no data"),
        ({"type": "blob", "data": 7}, "no data"),
        (_encoded("!!!aGVsbG8="), "base64"),
        (_encoded("aGVs bG8="), "base64"),
        (_encoded("aGVsbG8"), "base64"),
        (_encoded("aGVsbG8=trailing"), "base64"),
        (_encoded("data:image/png;base64,aGVsbG8="), "base64"),
        (_block(b"x", content_type=""), "content type"),
        (_block(b"x", content_type=["image/png"]), "content_type"),
        (_block(b"x", key=""), "key"),
        (_block(b"x", key=7), "key"),
        (_block(b"x", key="k", tags="one"), "tags"),
    ],
)
def test_broken_parts_are_refused(block: Mapping[str, Any], words: str) -> None:
    """Base64 is read strictly, and what is said about the bytes must make sense."""
    with Memory("memory://", embedder="hashing:64") as memory, pytest.raises(MalformedInput, match=words):
        memory.add(block, user_id="u")


def test_the_size_is_exact(tmp_path: Path) -> None:
    """10 MB are taken and one byte more is not: from bytes, base64, a data URL and a path, with or without the kind."""
    limit = Limits().blob_bytes
    for size in (limit, limit + 1):
        data = bytes(1) + NOISE + bytes(size - 1 - len(NOISE))
        (tmp_path / "x.bin").write_bytes(data)
        encoded = base64.b64encode(data).decode()
        forms: list[tuple[object, dict[str, Any]]] = [
            (data, {"key": "k"}),
            (data, {"key": "k", "kind": "blob"}),
            (_encoded(encoded), {}),
            (Source(url=f"data:application/x-test;base64,{encoded}"), {"key": "k", "kind": "blob"}),
            (tmp_path / "x.bin", {"key": "k", "kind": "blob"}),
        ]
        with Memory("memory://", embedder="hashing:64") as memory:
            for content, labels in forms:
                if size == limit:
                    assert memory.add(content, user_id="u", **labels).ids
                else:
                    with pytest.raises(InputTooLarge, match="10,485,760"):
                        memory.add(content, user_id="u", **labels)


@pytest.mark.parametrize(("kind", "name"), [("blob", "blob_bytes"), ("skill", "skill_zip_bytes")])
def test_a_file_over_its_limit_is_not_even_read(kind: str, name: str, tmp_path: Path) -> None:
    """Where the kind is known, so is the limit, before anything is read or decoded."""
    fetcher = Fetcher(Limits())
    (tmp_path / "x").write_bytes(b"x" * 100)
    encoded = f"data:x/y;base64,{base64.b64encode(b'x' * 100).decode()}"
    for source in (Source(path=tmp_path / "x"), Source(data=b"x" * 100), Source(url=encoded)):
        at, under = replace(Limits(), **{name: 100}), replace(Limits(), **{name: 99})
        found = load(Part(index=0, source=source, kind=kind), at, fetcher).source
        assert found is not None
        assert found.data == b"x" * 100
        with pytest.raises(InputTooLarge, match="99"):
            load(Part(index=0, source=source, kind=kind), under, fetcher)


def test_the_key_has_512_characters() -> None:
    """A key of 512 characters is taken, in Hive's part too; one more is not."""
    with Memory("memory://", embedder="hashing:64") as memory:
        assert memory.add(_block(b"x", key="k" * 512), user_id="u").ids
        with pytest.raises(InputTooLarge, match="512"):
            memory.add(_block(b"x", key="k" * 513), user_id="u")


def test_an_export_carries_blobs(memory: Memory, tmp_path: Path) -> None:
    """Export and import give blobs back with type and bytes, also those that call themselves images and are none."""
    blobs = {
        "svg": (SVG, "image/svg+xml"),
        "broken": (b"no picture", "image/png"),
        "other": (zlib.compress(SVG), "x/y"),
    }
    for key, (data, type_) in blobs.items():
        memory.add(data, key=key, kind="blob", content_type=type_, user_id="u")
    memory.export(tmp_path / "all.zip")
    with Memory("memory://", embedder="hashing:256", clock=Clock()) as other:
        report = other.import_(tmp_path / "all.zip")
        assert report.added == len(blobs), report
        for key, (data, type_) in blobs.items():
            item = other.get(key=key, user_id="u")
            assert (other.media(item.id), item.content_type) == (data, type_)


def test_a_blob_is_erased(memory: Memory) -> None:
    """Erasing a blob leaves none of its bytes; another one with the same bytes keeps them."""
    ids = [memory.add(NOISE, key=key, kind="blob", user_id="u").ids[0] for key in "ab"]
    memory.delete(ids[0], erase=True)
    assert memory.media(ids[1]) == NOISE
    memory.delete(ids[1], erase=True)
    assert list(memory.engine.store.backend.list_media()) == []


def test_a_rejected_blob_takes_no_other_with_it(memory: Memory) -> None:
    """Of three parts the broken one is rejected alone."""
    result = memory.add([_block(b"1", key="a"), _encoded("*"), "a text"], user_id="u")
    assert [one.event for one in result.outcomes] == ["added", "rejected", "added"]
    assert isinstance(result.outcomes[1].error, InputRejected)
