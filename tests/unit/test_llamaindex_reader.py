"""The LlamaIndex reader: what it loads, what pictures go through, what it says of itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.llms import ImageBlock
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.readers.base import BasePydanticReader, ReaderConfig, ResourcesReaderMixin
from llama_index.core.schema import Document, ImageDocument, ImageNode, MetadataMode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore
from PIL import Image

from memplug import AsyncMemory, Memory, Source
from memplug.exceptions import ConfigError, MalformedInput, NotFound, ScopeError
from memplug.inputs.documents.chunking import STEP
from memplug.llamaindex import MemplugReader
from memplug.values.limits import Limits
from support import Clock, png

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDBOOK = b"# Handbook\n\n## Returns\n\nWithin 14 days.\n\n## Shipping\n\nFree over 50 euros.\n"


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    """An empty memory in a folder, where pictures have paths of their own."""
    with Memory(tmp_path / "store", embedder="hashing:64", clock=clock) as opened:
        yield opened


def indexed(documents: list[Document]) -> VectorStoreIndex:
    """The documents through LlamaIndex's default pipeline, which cuts them into nodes."""
    return VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=8))


def test_it_is_what_llamaindex_calls_a_reader() -> None:
    """As LlamaIndex's own packages test it."""
    assert BasePydanticReader in MemplugReader.__mro__
    assert ResourcesReaderMixin in MemplugReader.__mro__
    assert MemplugReader.class_name() == "MemplugReader"


def test_memories_become_documents_of_the_same_id(memory: Memory) -> None:
    """Words, id, the caller's metadata and what memplug knows."""
    [id_] = memory.add("tea is good", user_id="u", tags=["a", "b"], metadata={"shop": "x"}, key="k").ids
    memory.add("of others", user_id="other")
    [document] = MemplugReader(memory, user_id="u").load_data()
    assert (document.id_, document.text) == (id_, "tea is good")
    expected = {"shop": "x", "tags": "a, b", "key": "k", "kind": "text", "role": "user", "user_id": "u", "version": 1}
    assert expected.items() <= document.metadata.items()


def test_passages_cite_their_place(memory: Memory) -> None:
    """Each passage names file and section, where a model sees them; ids and times are not shown to it."""
    memory.add(Source(data=HANDBOOK, name="handbook.md"), user_id="u")
    documents = MemplugReader(memory, user_id="u").load_data()
    [shipping] = [one for one in documents if one.text == "Free over 50 euros."]
    assert shipping.metadata["citation"] == f"handbook.md, § Handbook{STEP}Shipping"
    seen = shipping.get_content(MetadataMode.LLM)
    assert "file: handbook.md" in seen
    assert f"section: Handbook{STEP}Shipping" in seen
    assert "user_id" not in seen
    assert "updated_at" not in shipping.get_content(MetadataMode.EMBED)
    wholes = MemplugReader(memory, user_id="u", pieces=False)
    assert [one.metadata["kind"] for one in wholes.load_data()] == ["document"]
    assert [one.metadata.get("part_of") for one in wholes.load_data("shipping")] == [None]


def test_which_memories(memory: Memory) -> None:
    """A question, a limit, kinds, tags and filters choose; scopes hold."""
    memory.add(["green tea", "black coffee", "tea leaves"], user_id="u", tags=["drinks"])
    memory.add("tea of others", user_id="other")
    memory.add(png(), user_id="u", description="a tea pot", metadata={"n": 2})
    reader = MemplugReader(memory, user_id="u", kinds=["text"], tags=["drinks"])
    assert [one.text for one in reader.load_data("coffee", limit=1)] == ["black coffee"]
    assert {one.text for one in reader.load_data("tea")[:2]} == {"green tea", "tea leaves"}
    assert len(reader.load_data(limit=2)) == 2
    assert len(reader.load_data()) == 3
    assert reader.load_data(filters={"n": 2}) == []
    assert len(MemplugReader(memory, user_id="u", filters={"kind": "text"}).load_data()) == 3


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": "2"}, {"since": "yesterday"}])
def test_what_means_nothing_is_an_error(wrong: dict[str, Any]) -> None:
    """A limit or moment that is none says so."""
    with Memory("memory://", embedder="hashing:64") as memory, pytest.raises(MalformedInput):
        MemplugReader(memory, user_id="u").load_data(**wrong)


def test_everything_is_read_page_by_page() -> None:
    """More memories than a page holds all come, once each."""
    with Memory("memory://", embedder="hashing:64", limits=Limits(top_k=10)) as memory:
        memory.add([f"note {number}" for number in range(35)], user_id="u")
        reader = MemplugReader(memory, user_id="u")
        assert sorted(one.text for one in reader.lazy_load_data()) == sorted(f"note {n}" for n in range(35))
        assert len(set(reader.list_resources())) == 35


def test_loading_again_replaces_what_changed(memory: Memory) -> None:
    """`since` gives what was added or changed; the ids make it an upsert, and a full load finds what is gone."""
    ids = memory.add(["one", "two", "three"], user_id="u").ids
    reader = MemplugReader(memory, user_id="u")
    vectors = SimpleVectorStore()
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(), MockEmbedding(embed_dim=8)],
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        vector_store=vectors,
    )
    assert len(pipeline.run(documents=reader.load_data())) == 3
    changed = memory.update(ids[1], "TWO", user_id="u")
    assert [one.text for one in reader.load_data(since=changed.updated_at)] == ["TWO"]
    assert [one.id_ for one in reader.load_data(since=changed.updated_at.isoformat())] == [ids[1]]
    memory.delete(ids[0], user_id="u")
    again = pipeline.run(documents=reader.load_data())
    assert [node.get_content() for node in again] == ["TWO"]
    assert set(vectors.data.text_id_to_ref_doc_id.values()) == set(ids[1:])


def test_resources(memory: Memory) -> None:
    """Resources are memories: listed, told of, loaded with their pieces; foreign ones are not there."""
    [id_] = memory.add(Source(data=HANDBOOK, name="handbook.md"), user_id="u").ids
    [foreign] = memory.add("secret", user_id="other").ids
    reader = MemplugReader(memory, user_id="u")
    assert reader.list_resources() == [id_]
    assert len(reader.list_resources(pieces=True)) == len(reader.load_data())
    info = reader.get_resource_info(id_)
    assert (info["id"], info["file"], info["size"]) == (id_, "handbook.md", len(HANDBOOK))
    assert reader.load_resource(id_)[0].id_ == id_
    assert "Within 14 days." in {one.text for one in reader.load_resource(id_)}
    assert [one.id_ for one in asyncio.run(reader.aload_resource(id_))] == [
        one.id_ for one in reader.load_resource(id_)
    ]
    for call in (reader.get_resource_info, reader.load_resource):
        with pytest.raises(NotFound):
            call(foreign)


def test_a_picture_goes_through_an_index_and_the_disk(store: Memory, tmp_path: Path) -> None:
    """Caption and path both come out of `VectorStoreIndex.from_documents`, written to disk and read again."""
    data = png("blue")
    store.add(data, user_id="u", description="a blue square")
    reader = MemplugReader(store, user_id="u", media_folder=tmp_path / "pictures")
    [document] = reader.load_data()
    assert isinstance(document, ImageDocument)
    assert document.image_mimetype == "image/png"
    indexed([document]).storage_context.persist(tmp_path / "index")
    context = StorageContext.from_defaults(persist_dir=str(tmp_path / "index"))
    index = load_index_from_storage(context, embed_model=MockEmbedding(embed_dim=8))
    [found] = index.as_retriever().retrieve("blue")
    assert isinstance(found.node, ImageNode)
    assert found.text == "a blue square"
    assert Path(found.node.image_path or "").read_bytes() == data
    assert found.node.image_mimetype == "image/png"
    assert found.metadata["kind"] == "image"
    [block] = [one for one in found.node.get_content_blocks() if isinstance(one, ImageBlock)]
    assert block.inline_url().startswith("data:image/png;base64,")


def test_a_picture_without_words_is_not_left_out(store: Memory, tmp_path: Path) -> None:
    """LlamaIndex leaves out what has no text, with a line on the screen; the picture's name stands for its words."""
    store.add(Source(data=png(), name="holiday.png"), user_id="u")
    store.add(png("green"), user_id="u")
    documents = MemplugReader(store, user_id="u", media_folder=tmp_path / "pictures").load_data()
    found = indexed(documents).as_retriever(similarity_top_k=9).retrieve("x")
    assert len(found) == 2
    assert "holiday.png" in {one.text for one in found}


def test_without_a_folder_the_stores_own_file_is_named(store: Memory) -> None:
    """So nothing outlives an erasure."""
    [id_] = store.add(png(), user_id="u", description="a square").ids
    [document] = MemplugReader(store, user_id="u").load_data()
    assert isinstance(document, ImageDocument)
    path = Path(document.image_path or "")
    assert path.is_absolute()
    assert path.read_bytes() == png()
    store.delete(id_, user_id="u", erase=True)
    assert not path.exists()


def test_a_store_without_files_needs_a_folder(tmp_path: Path) -> None:
    """Rather than bytes that a document loses when it is written, an error that says what to do."""
    with Memory("memory://", embedder="hashing:64") as memory:
        memory.add(png(), user_id="u", description="a square")
        with pytest.raises(ConfigError, match="media_folder"):
            MemplugReader(memory, user_id="u").load_data()
        reader = MemplugReader(memory, user_id="u", media_folder=tmp_path / "pictures")
        [document] = reader.load_data()
        assert isinstance(document, ImageDocument)
        assert Path(document.image_path or "").suffix == ".png"
        before = Path(document.image_path or "").stat().st_mtime_ns
        assert reader.load_data()[0].hash == document.hash
        assert Path(document.image_path or "").stat().st_mtime_ns == before
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(ConfigError, match="no pictures can be kept"):
            MemplugReader(memory, user_id="u", media_folder=tmp_path / "file").load_data()


def test_bytes_that_pass_for_a_picture_stay_words(memory: Memory) -> None:
    """A blob that only says that it is a picture is a document; LlamaIndex would refuse to open it."""
    memory.add(b"\x89PNG broken", user_id="u", kind="blob", content_type="image/png", key="k")
    [document] = MemplugReader(memory, user_id="u").load_data()
    assert type(document) is Document
    assert document.text


def test_large_and_nested_metadata_passes_every_splitter(memory: Memory) -> None:
    """LlamaIndex refuses a document whose shown metadata is longer than a chunk; ours is short, flat and all there."""
    own = {"long": "x" * 20_000, "nested": {"a": [1, 2]}, "kind": "mine", "yes": True, "short": "seen"}
    memory.add("tea", user_id="u", metadata=own)
    [document] = MemplugReader(memory, user_id="u").load_data()
    assert document.metadata["long"] == own["long"]
    assert json.loads(document.metadata["nested"]) == own["nested"]
    assert (document.metadata["kind"], document.metadata["metadata.kind"]) == ("text", "mine")
    [node] = indexed([document]).as_retriever().retrieve("tea")
    seen = node.node.get_content(MetadataMode.LLM)
    assert "short: seen" in seen
    assert "metadata.kind: mine" in seen
    assert len(seen) < 1_500


def test_a_reader_is_written_without_secrets_and_read_again(store: Memory, tmp_path: Path) -> None:
    """`from_dict` opens the store again, only to read it; what cannot be opened says what to do."""
    store.add("tea", user_id="u")
    written = MemplugReader(store, user_id="u", media_folder=tmp_path / "p").to_dict()
    assert json.loads(json.dumps(written)) == written
    again = MemplugReader.from_dict(written)
    assert [one.text for one in again.load_data()] == ["tea"]
    assert [one.text for one in MemplugReader.from_dict(written, memory=store).load_data()] == ["tea"]
    assert [one.text for one in ReaderConfig(reader=again).read()] == ["tea"]
    again.close()
    assert [one.text for one in again.load_data()] == ["tea"]
    again.close()
    MemplugReader(store, user_id="u").close()
    assert len(store.get_all(user_id="u")) == 1
    hidden = MemplugReader(location="postgresql://me:secret@host/db?password=secret", user_id="u")
    assert "secret" not in hidden.to_json() + repr(hidden)
    assert hidden.location == "postgresql://host/db"
    with pytest.raises(ConfigError, match="has no memory"):
        MemplugReader(user_id="u").load_data()


def test_whose_memories_must_be_said(store: Memory) -> None:
    """No scope is an error at once; a scoped view or an async memory will do, and is never widened."""
    with pytest.raises(ScopeError):
        MemplugReader(store)
    with pytest.raises(ScopeError):
        MemplugReader(location="store")
    with pytest.raises(ConfigError, match="a memory is needed"):
        MemplugReader("store", user_id="u")  # type: ignore[arg-type]
    store.add("tea", user_id="u")
    scoped = MemplugReader(store.scoped(user_id="u"))
    assert scoped.user_id == "u"
    asynchronous = AsyncMemory(store)
    for reader in (scoped, MemplugReader(asynchronous, user_id="u"), MemplugReader(asynchronous.scoped(user_id="u"))):
        assert [one.text for one in reader.load_data()] == ["tea"]
    with pytest.raises(ScopeError):
        MemplugReader(store.scoped(user_id="u"), user_id="other")


def test_async_loading_gives_the_same(store: Memory) -> None:
    """`aload_data` and `alazy_load_data` read in a worker thread."""
    store.add(["tea", "coffee"], user_id="u")
    reader = MemplugReader(store, user_id="u")

    async def load() -> tuple[list[str], list[str]]:
        lazy = await reader.alazy_load_data("tea", limit=1)
        return [one.text for one in await reader.aload_data()], [one.text for one in lazy]

    assert asyncio.run(load()) == ([one.text for one in reader.load_data()], ["tea"])


def test_the_path_opens_as_a_picture(store: Memory) -> None:
    """Whatever reads image paths, such as a multi-modal embedding, can read ours."""
    store.add(png("red", (7, 5)), user_id="u", description="small")
    [document] = MemplugReader(store, user_id="u").load_data()
    assert isinstance(document, ImageDocument)
    with Image.open(document.image_path or "") as picture:
        assert picture.size == (7, 5)
