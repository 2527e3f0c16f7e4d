"""Files as LlamaIndex documents, read by memplug's input types."""

from __future__ import annotations

import asyncio
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from llama_index.core import MockEmbedding, SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import ImageDocument, ImageNode, MetadataMode

from memplug import Draft, hookimpl
from memplug.exceptions import ConfigError, InputTooLarge, InvalidImageError, MalformedInput, UnsupportedInput
from memplug.inputs.documents.chunking import STEP
from memplug.llamaindex import MemplugFileReader
from memplug.values.limits import Limits
from pdfs import paragraphs, pdf
from support import png

HANDBOOK = "# Handbook\n\n## Returns\n\nWithin 14 days.\n\n## Shipping\n\nFree over 50 euros.\n"


class Endless:
    """A file system that knows no sizes, with a file that does not end."""

    def size(self, path: str) -> None:
        """Not known, as of what a server makes while it is read."""

    def open(self, path: str, mode: str) -> io.BufferedReader:  # noqa: ARG002 - the same
        """The file; to read all of it fails."""

        class Zeros(io.RawIOBase):
            """Zeros, until somebody takes too many."""

            def readable(self) -> bool:
                """Yes."""
                return True

            def readinto(self, buffer: Any) -> int:
                """As many as are asked for."""
                return len(buffer)

            def readall(self) -> bytes:
                """Never returns, in earnest."""
                raise AssertionError("all of an endless file was asked for")

        return io.BufferedReader(Zeros())


class Caller:
    """Counts its calls, and reads the same words in every picture; or fails."""

    name = "reader"

    def accepts(self, media: Any) -> bool:
        """Pictures."""
        return str(media.content_type).startswith("image/")

    def describe(self, media: Any, *, context: str) -> str:  # noqa: ARG002 - the protocol's signature
        """The words."""
        if media.name == "fails.png":
            raise RuntimeError("no eyes")
        return "Golden Dragon"


class SubtitleInput:
    """An input type of a plugin: subtitles."""

    name = "subtitles"

    def accepts(self, part: Any) -> bool:
        """Files that begin with the mark of WebVTT."""
        return part.source is not None and (part.source.data or b"").startswith(b"WEBVTT")

    def parse(self, part: Any, context: Any) -> list[Draft]:  # noqa: ARG002 - the protocol's signature
        """One draft with the words."""
        return [Draft(part=part.index, kind=self.name, text=part.source.data.decode().splitlines()[-1])]


class Plugin:
    """Brings both."""

    @hookimpl
    def register_describers(self, register: Any) -> None:
        """Registers the describer."""
        register("reader", Caller)

    @hookimpl
    def register_input_types(self, register: Any) -> None:
        """Registers the input type."""
        register("subtitles", SubtitleInput)


def test_it_is_what_llamaindex_calls_a_reader() -> None:
    """As LlamaIndex's own packages test it."""
    assert BaseReader in MemplugFileReader.__mro__


def test_a_folder_is_read(tmp_path: Path) -> None:
    """`SimpleDirectoryReader` hands over its files; passages and pages are cited, pictures are image documents."""
    (tmp_path / "handbook.md").write_text(HANDBOOK)
    (tmp_path / "paper.pdf").write_bytes(
        pdf(paragraphs((12, "Page one speaks.")), paragraphs((12, "Page two answers.")))
    )
    (tmp_path / "prices.csv").write_text("Item,Price\nTea,5\n")
    (tmp_path / "photo.png").write_bytes(png())
    reader = MemplugFileReader()
    extractor: dict[str, BaseReader] = dict.fromkeys((".md", ".pdf", ".csv", ".png"), reader)
    documents = SimpleDirectoryReader(str(tmp_path), file_extractor=extractor, raise_on_error=True).load_data()
    by_text = {document.text: document for document in documents}
    shipping = by_text["Free over 50 euros."]
    assert (shipping.metadata["file"], shipping.metadata["section"]) == ("handbook.md", f"Handbook{STEP}Shipping")
    assert shipping.metadata["file_path"] == str(tmp_path / "handbook.md")
    assert f"section: Handbook{STEP}Shipping" in shipping.get_content(MetadataMode.EMBED)
    assert by_text["Page two answers."].metadata["page"] == 2
    assert "Item: Tea, Price: 5" in by_text
    [picture] = [document for document in documents if isinstance(document, ImageDocument)]
    assert picture.image_path == str(tmp_path / "photo.png")
    index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=8))
    nodes = index.as_retriever(similarity_top_k=99).retrieve("x")
    assert len(nodes) == len(documents)
    [image] = [one.node for one in nodes if isinstance(one.node, ImageNode)]
    assert (image.image_path, image.image_mimetype) == (str(tmp_path / "photo.png"), "image/png")


def test_ids_stay(tmp_path: Path) -> None:
    """Loading the same path again gives the same ids, so that an index replaces what changed."""
    path = tmp_path / "handbook.md"
    path.write_text(HANDBOOK)
    before = MemplugFileReader().load_data(path)
    path.write_text(HANDBOOK.replace("14", "30"))
    after = asyncio.run(MemplugFileReader().aload_data(path))
    assert [one.id_ for one in before] == [one.id_ for one in after]
    assert [one.hash == two.hash for one, two in zip(before, after, strict=True)] == [False, True]
    assert len({one.id_ for one in before}) == 2


def test_plugins_read_too(tmp_path: Path) -> None:
    """An input type of a plugin is a loader; describers give pictures words, and one that fails is an error."""
    (tmp_path / "talk.vtt").write_text("WEBVTT\n\n00:00 --> 00:01\nHello there\n")
    (tmp_path / "sign.png").write_bytes(png())
    (tmp_path / "fails.png").write_bytes(png())
    reader = MemplugFileReader(plugins=[Plugin()])
    [talk] = reader.load_data(tmp_path / "talk.vtt")
    assert (talk.text, talk.metadata["kind"]) == ("Hello there", "subtitles")
    assert [one.text for one in reader.load_data(tmp_path / "sign.png")] == ["Golden Dragon"]
    assert [one.text for one in MemplugFileReader(plugins=[Plugin()], describe=False).load_data(tmp_path / "sign.png")]
    with pytest.raises(UnsupportedInput, match=r"describer 'reader' failed on fails\.png"):
        reader.load_data(tmp_path / "fails.png")


def test_wrong_files_are_typed_errors(tmp_path: Path) -> None:
    """Missing, damaged, too large: each with its code, and the directory reader goes on with the others."""
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "large.md").write_text("x" * 2_000)
    (tmp_path / "good.md").write_text("Good words.")
    reader = MemplugFileReader(limits=Limits(document_bytes=1_000))
    for name, error in (("broken.png", InvalidImageError), ("large.md", InputTooLarge), ("no.md", MalformedInput)):
        with pytest.raises(error):
            reader.load_data(tmp_path / name)
    extractor: dict[str, BaseReader] = {".png": reader, ".md": reader}
    documents = SimpleDirectoryReader(str(tmp_path), file_extractor=extractor).load_data()
    assert [document.text for document in documents] == ["Good words."]


def test_other_file_systems(tmp_path: Path) -> None:
    """Those of fsspec are read from; a picture there needs a folder for its copy."""
    files = MemoryFileSystem()
    files.pipe("/h9/handbook.md", HANDBOOK.encode())
    files.pipe("/h9/photo.png", png())
    reader = MemplugFileReader(media_folder=tmp_path / "pictures")
    assert [one.text for one in reader.load_data("/h9/handbook.md", fs=files)] == [
        "Within 14 days.",
        "Free over 50 euros.",
    ]
    [picture] = reader.load_data("/h9/photo.png", fs=files)
    assert isinstance(picture, ImageDocument)
    assert Path(picture.image_path or "").read_bytes() == png()
    with pytest.raises(ConfigError, match="media_folder"):
        MemplugFileReader().load_data("/h9/photo.png", fs=files)
    with pytest.raises(InputTooLarge):
        MemplugFileReader(limits=Limits(file_bytes=10)).load_data("/h9/handbook.md", fs=files)
    with pytest.raises(MalformedInput):
        reader.load_data("/h9/no.md", fs=files)
    with pytest.raises(InputTooLarge):
        MemplugFileReader(limits=Limits(file_bytes=10)).load_data("/h9/endless.md", fs=Endless())
    files.rm("/h9", recursive=True)


def test_it_goes_to_other_processes(tmp_path: Path) -> None:
    """As `SimpleDirectoryReader(num_workers=…)` sends it, also after it was used."""
    (tmp_path / "good.md").write_text("Good words.")
    reader = MemplugFileReader()
    reader.load_data(tmp_path / "good.md")
    again = pickle.loads(pickle.dumps(reader))  # noqa: S301 - our own
    assert [one.text for one in again.load_data(tmp_path / "good.md")] == ["Good words."]
