"""The LlamaIndex retriever: questions in words and by pictures, and what nodes carry."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import ImageNode, QueryBundle, TextNode
from PIL import Image, ImageDraw

from memplug import Memory, Source, hookimpl
from memplug.exceptions import InvalidImageError, MalformedInput, ScopeError
from memplug.llamaindex import MemplugRetriever
from support import png


class Reader:
    """A describer that reads the same words in every picture."""

    name = "reader"

    def accepts(self, media: Any) -> bool:
        """Pictures."""
        return str(media.content_type).startswith("image/")

    def describe(self, media: Any, *, context: str) -> str:  # noqa: ARG002 - the protocol's signature
        """The words."""
        return "Golden Dragon"


class Plugin:
    """Brings the describer."""

    @hookimpl
    def register_describers(self, register: Any) -> None:
        """Registers it."""
        register("reader", Reader)


def drawing(seed: int, size: tuple[int, int] = (200, 150), form: str = "PNG") -> bytes:
    """A picture with some shapes in it, different for each seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (200, 150), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        left, top = int(rng.integers(0, 150)), int(rng.integers(0, 100))
        color = (int(rng.integers(256)), int(rng.integers(256)), 40)
        draw.ellipse((left, top, left + int(rng.integers(20, 90)), top + int(rng.integers(20, 90))), fill=color)
    buffer = io.BytesIO()
    image.resize(size).save(buffer, form)
    return buffer.getvalue()


def test_it_is_what_llamaindex_calls_a_retriever() -> None:
    """As LlamaIndex's own packages test it."""
    assert BaseRetriever in MemplugRetriever.__mro__


def test_nodes_are_scored_and_cited(memory: Memory) -> None:
    """Best first, with the memory's id; a passage names its document; scopes, kinds, tags and filters hold."""
    [tea] = memory.add("green tea", user_id="u", tags=["a"], metadata={"n": 1}).ids
    [document] = memory.add(Source(data=b"# Tea\n\nBrew for two minutes.\n", name="tea.md"), user_id="u").ids
    memory.add("tea of others", user_id="other")
    nodes = MemplugRetriever(memory, user_id="u", similarity_top_k=9).retrieve("green tea")
    assert nodes[0].node_id == tea
    assert nodes[0].text == "green tea"
    assert nodes == sorted(nodes, key=lambda one: -one.get_score())
    [passage] = [one for one in nodes if one.text == "Brew for two minutes."]
    assert passage.node.ref_doc_id == document
    assert passage.metadata["citation"] == "tea.md, § Tea"
    assert "tea of others" not in {one.text for one in nodes}
    for narrow in ({"kinds": ["text"]}, {"tags": ["a"]}, {"filters": {"n": 1}}):
        assert [one.node_id for one in MemplugRetriever(memory, user_id="u", **narrow).retrieve("tea")] == [tea]
    assert MemplugRetriever(memory, user_id="u", min_score=1.1).retrieve("tea") == []


def test_a_picture_comes_with_its_words(tmp_path: Path) -> None:
    """The content blocks have caption and picture; LlamaIndex's own image node has the picture alone."""
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        memory.add(png("blue"), user_id="u", description="a blue square")
        [found] = MemplugRetriever(memory, user_id="u").retrieve("blue square")
        assert isinstance(found.node, ImageNode)
        assert found.text == "a blue square"
        words, picture = found.node.get_content_blocks()
        assert isinstance(words, TextBlock)
        assert words.text == "a blue square"
        assert isinstance(picture, ImageBlock)
        assert picture.resolve_image().read() == png("blue")
        assert picture.inline_url().startswith("data:image/png;base64,")


def test_bytes_stay_where_there_is_no_path() -> None:
    """A store without files gives the bytes, and they are still there when a node comes back from JSON."""
    with Memory("memory://", embedder="hashing:64") as memory:
        memory.add(png("blue"), user_id="u", description="a blue square")
        [found] = MemplugRetriever(memory, user_id="u").retrieve("blue")
        again = ImageNode.from_json(found.node.to_json())
        for node in (found.node, again):
            [picture] = [one for one in node.get_content_blocks() if isinstance(one, ImageBlock)]
            assert picture.resolve_image().read() == png("blue")


def test_a_folder_for_pictures_is_used(tmp_path: Path) -> None:
    """`media_folder` gives every store paths with an ending."""
    with Memory("memory://", embedder="hashing:64") as memory:
        memory.add(png("blue"), user_id="u", description="a blue square")
        [found] = MemplugRetriever(memory, user_id="u", media_folder=tmp_path / "p").retrieve("blue")
        assert isinstance(found.node, ImageNode)
        assert Path(found.node.image_path or "").suffix == ".png"
        assert Path(found.node.image_path or "").read_bytes() == png("blue")


def test_a_picture_finds_its_copies(tmp_path: Path) -> None:
    """The same picture first, then one that was resized and compressed anew; others and other users' never."""
    with Memory("memory://", embedder="hashing:64") as memory:
        for seed in range(1, 6):
            memory.add(drawing(seed), user_id="u", description=f"drawing {seed}")
        memory.add(drawing(1, size=(90, 68), form="JPEG"), user_id="u", description="small copy")
        memory.add(drawing(1), user_id="other", description="secret")
        (tmp_path / "asked").write_bytes(drawing(1))
        retriever = MemplugRetriever(memory, user_id="u")
        found = retriever.retrieve(QueryBundle("", image_path=str(tmp_path / "asked")))
        assert [one.text for one in found] == ["drawing 1", "small copy"]
        assert found[0].score == 1.0
        assert 0.6 < found[1].get_score() < 1.0
        both = retriever.retrieve(QueryBundle("drawing 3", image_path=str(tmp_path / "asked")))
        assert both[0].text == "drawing 1"
        assert "drawing 3" in {one.text for one in both}
        narrow = MemplugRetriever(memory, user_id="u", filters={"kind": "text"})
        assert narrow.retrieve(QueryBundle("", image_path=str(tmp_path / "asked"))) == []


def test_what_a_picture_finds_is_observed(tmp_path: Path) -> None:
    """An audit by `after_search` is told of it as of what words find."""
    told: list[tuple[str, list[str]]] = []

    class Audit:
        """Notes what was found."""

        @hookimpl
        def after_search(self, query: str, hits: Any) -> None:
            """Notes it."""
            told.append((query, [hit.text for hit in hits]))

    (tmp_path / "asked").write_bytes(drawing(1))
    with Memory("memory://", embedder="hashing:64", plugins=[Audit()]) as memory:
        memory.add(drawing(1), user_id="u", description="drawing 1")
        MemplugRetriever(memory, user_id="u").retrieve(QueryBundle("", image_path=str(tmp_path / "asked")))
    assert told == [("", ["drawing 1"])]


def test_a_picture_finds_in_a_shared_bucket(tmp_path: Path) -> None:
    """Further buckets are looked into as well, by those who may, with their originals."""
    with Memory("memory://", embedder="hashing:64") as memory:
        memory.buckets.create("team", owner="olga")
        memory.add(drawing(1), user_id="olga", bucket="team", description="the plan")
        memory.buckets.share("team", "wang", "viewer", by="olga")
        (tmp_path / "asked").write_bytes(drawing(1))
        asked = QueryBundle("", image_path=str(tmp_path / "asked"))
        [found] = MemplugRetriever(memory, user_id="wang", buckets=["team"]).retrieve(asked)
        assert isinstance(found.node, ImageNode)
        assert found.text == "the plan"
        assert found.node.image
        assert MemplugRetriever(memory, user_id="eve", buckets=["team"]).retrieve(asked) == []


def test_what_is_read_in_a_picture_finds_words(tmp_path: Path) -> None:
    """Describers read the picture asked by, and their words find what was only said."""
    with Memory("memory://", embedder="hashing:64", plugins=[Plugin()]) as memory:
        memory.add("dinner at Golden Dragon cost 128 yuan", user_id="u")
        (tmp_path / "asked.png").write_bytes(drawing(2))
        asked = QueryBundle("", image_path=str(tmp_path / "asked.png"))
        [found] = MemplugRetriever(memory, user_id="u").retrieve(asked)
        assert found.text == "dinner at Golden Dragon cost 128 yuan"


def test_wrong_questions_are_errors(tmp_path: Path) -> None:
    """A picture that is none or not there, a number out of range, and no scope."""
    (tmp_path / "no.png").write_bytes(b"no picture")
    with Memory("memory://", embedder="hashing:64") as memory:
        retriever = MemplugRetriever(memory, user_id="u")
        with pytest.raises(InvalidImageError):
            retriever.retrieve(QueryBundle("", image_path=str(tmp_path / "no.png")))
        with pytest.raises(MalformedInput, match="no such file"):
            retriever.retrieve(QueryBundle("", image_path=str(tmp_path / "missing.png")))
        with pytest.raises(MalformedInput):
            retriever.retrieve("")
        with pytest.raises(MalformedInput, match="similarity_top_k"):
            MemplugRetriever(memory, user_id="u", similarity_top_k=0)
        for near in (-1, 65, True, "x"):
            with pytest.raises(MalformedInput, match="near must be 0 to 64"):
                MemplugRetriever(memory, user_id="u", near=near)  # type: ignore[arg-type]
        with pytest.raises(ScopeError):
            MemplugRetriever(memory)


def test_it_serves_a_query_engine(memory: Memory) -> None:
    """LlamaIndex's own engine answers out of memplug, with captions of pictures in what the model reads."""
    from llama_index.core.llms import MockLLM

    memory.add("The limit is 600 yuan.", user_id="u")
    memory.add(png(), user_id="u", description="a receipt of 128 yuan")
    engine = RetrieverQueryEngine(
        retriever=MemplugRetriever(memory, user_id="u"),
        response_synthesizer=get_response_synthesizer(llm=MockLLM()),
    )
    answer = engine.query("yuan")
    assert "The limit is 600 yuan." in str(answer)
    assert "a receipt of 128 yuan" in str(answer)
    assert {type(one.node) is TextNode or isinstance(one.node, ImageNode) for one in answer.source_nodes} == {True}


def test_nodes_can_go_into_an_index(tmp_path: Path) -> None:
    """What was recalled can be indexed as it is, pictures included."""
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        memory.add(png(), user_id="u", description="a square")
        nodes = [one.node for one in MemplugRetriever(memory, user_id="u").retrieve("square")]
        index = VectorStoreIndex(nodes=nodes, embed_model=MockEmbedding(embed_dim=8))
        [found] = index.as_retriever().retrieve("x")
        assert isinstance(found.node, ImageNode)
        assert found.node.image_path
