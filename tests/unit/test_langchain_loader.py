"""`MemplugLoader` and `MemplugBlobParser`: memories and files as LangChain documents."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import pytest
from langchain_core.documents.base import Blob

from memplug import Limits, Memory
from memplug.exceptions import InputRejected, InputTooLarge, MalformedInput, ScopeError
from memplug.langchain import MemplugBlobParser, MemplugLoader
from support import Clock, png

if TYPE_CHECKING:
    from pathlib import Path

HANDBOOK = "# Handbook\n\nFor all.\n\n## Returns\n\nWithin 30 days.\n"


def test_all_memories_are_loaded(memory: Memory, tmp_path: Path, clock: Clock) -> None:
    """Passages with their citation, pictures with their original, ids that stay; nobody else's; lazily and awaited."""
    (tmp_path / "handbook.md").write_text(HANDBOOK)
    memory.add(tmp_path / "handbook.md", user_id="u")
    memory.add("tea of others", user_id="other")
    later = clock.advance(days=1)
    [id_] = memory.add(png(), user_id="u", description="a red square", metadata={"kind": "mine"}).ids
    loader = MemplugLoader(memory, user_id="u", include_media=True)
    documents = loader.load()
    assert documents == asyncio.run(loader.aload())
    newest = documents[0]
    assert (newest.id, newest.page_content) == (id_, "a red square")
    assert base64.b64decode(newest.metadata["media_base64"]) == png()
    assert (newest.metadata["kind"], newest.metadata["metadata.kind"]) == ("image", "mine")
    assert newest.metadata["media_size"] == len(png())
    [passage] = [one for one in documents if one.page_content == "Within 30 days."]
    assert passage.metadata["citation"] == "handbook.md, § Handbook \u203a Returns"
    assert not any("others" in one.page_content for one in documents)
    assert [one.id for one in MemplugLoader(memory, user_id="u", since=later).lazy_load()] == [id_]
    assert len(MemplugLoader(memory, user_id="u", pieces=False).load()) == 2
    assert len(MemplugLoader(memory, user_id="u", limit=1).load()) == 1


def test_a_question_loads_what_answers_it(memory: Memory) -> None:
    """Best first with scores, within filters, kinds and tags."""
    memory.add(["green tea", "black tea"], user_id="u", tags=["t"], metadata={"n": 1})
    memory.add("green tea too", user_id="u")
    view = memory.scoped(user_id="u")
    found = MemplugLoader(view, query="green tea", tags=["t"], limit=1).load()
    assert [one.page_content for one in found] == ["green tea"]
    assert found[0].metadata["score"] > 0
    assert len(MemplugLoader(view, filters={"n": 1}, kinds=["text"]).load()) == 2
    assert MemplugLoader(view, kinds=["image"]).load() == []
    with pytest.raises(ScopeError):
        MemplugLoader(memory)
    with pytest.raises(MalformedInput):
        MemplugLoader(view, limit=0)


def test_any_blob_is_read_and_nothing_stored(tmp_path: Path) -> None:
    """A file by its path, bytes with a type, text, a picture; each passage says where it stands."""
    (tmp_path / "handbook.md").write_text(HANDBOOK)
    parser = MemplugBlobParser()
    from_path = parser.parse(Blob.from_path(tmp_path / "handbook.md"))
    assert [one.page_content for one in from_path] == ["For all.", "Within 30 days."]
    assert from_path[1].metadata["section"] == "Handbook \u203a Returns"
    assert from_path[1].metadata["source"] == str(tmp_path / "handbook.md")
    from_bytes = parser.parse(Blob.from_data(HANDBOOK.encode(), mime_type="text/markdown", metadata={"shelf": 3}))
    assert [one.page_content for one in from_bytes] == ["For all.", "Within 30 days."]
    assert from_bytes[0].metadata["shelf"] == 3
    [table] = parser.parse(Blob.from_data("city,degrees\nBeijing,7\n", mime_type="text/csv", path="weather.csv"))
    assert "Beijing" in table.page_content
    [picture] = parser.parse(Blob.from_data(png(), mime_type="image/png", path="red.png"))
    assert (picture.page_content, picture.metadata["content_type"]) == ("red", "image/png")


def test_a_bad_blob_is_a_typed_error() -> None:
    """Damaged, of no known type, over a limit."""
    for blob in (
        Blob.from_data(b"\x89PNG\r\n\x1a\nbroken", mime_type="image/png"),
        Blob.from_data(b"\x00\x01\x02", mime_type="application/x-nothing"),
    ):
        with pytest.raises(InputRejected):
            MemplugBlobParser().parse(blob)
    with pytest.raises(InputTooLarge):
        MemplugBlobParser(limits=Limits(file_bytes=10)).parse(Blob.from_data("x" * 100, path="a.txt"))
