"""A LlamaIndex query engine over documents and pictures that memplug remembers.

    python examples/llamaindex_documents.py [RECEIPTS]

RECEIPTS is a folder of pictures of receipts, with a `keys.json` that says of each its company, date and total. Without
it, a handbook, a price list and some drawn receipts are made here.

Runs offline, with no key: the model is scripted, and answers with the passage that it was given first. For a real one,
put it in place of `FirstPassage()`:

    from llama_index.llms.openai import OpenAI       # pip install llama-index-llms-openai
    llm = OpenAI("gpt-5-mini")

llama-index-core needs no network for any of this: the tables of its tokenizer and of nltk are inside its wheel.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from llama_index.core import SimpleDirectoryReader
from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.readers.base import BaseReader
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import ImageNode, QueryBundle
from PIL import Image, ImageDraw

from memplug import Memory
from memplug.llamaindex import MemplugFileReader, MemplugReader, MemplugRetriever

HANDBOOK = """# Handbook

## Returns

Customers may return goods within 30 days.

## Refunds

Refunds take ten working days. The purchase limit for office software is 600 yuan.
"""
RECEIPTS = {
    "r1": {"company": "Golden Dragon", "date": "2026-03-01", "total": "128.00"},
    "r2": {"company": "Blue Hotel", "date": "2026-03-02", "total": "740.00"},
    "r3": {"company": "City Taxi", "date": "2026-03-02", "total": "31.50"},
}
_LINE = "---------------------"


class FirstPassage(CustomLLM):
    """Answers with the first passage of the context; a real model reads all of it."""

    @property
    def metadata(self) -> LLMMetadata:
        """How much it reads."""
        return LLMMetadata(model_name="first-passage")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:  # noqa: ARG002
        """The first passage, without what is known of it."""
        context = prompt.split(_LINE)[1].strip() if _LINE in prompt else prompt
        parts = [part for part in context.split("\n\n") if part.strip()]
        return CompletionResponse(text=parts[1] if len(parts) > 1 else parts[0])

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponseGen:
        """The same at once."""
        yield self.complete(prompt, formatted)


def make_documents(folder: Path) -> None:
    """A handbook and a price list."""
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    (folder / "prices.csv").write_text("Item,Price\nTea,5\nCoffee,7\n", encoding="utf-8")


def make_receipts(folder: Path) -> None:
    """Pictures of receipts, and what they say."""
    for number, (name, receipt) in enumerate(RECEIPTS.items()):
        image = Image.new("RGB", (240, 160), "white")
        draw = ImageDraw.Draw(image)
        draw.text((20, 20), "\n".join(receipt.values()), fill="black")
        draw.rectangle((20 + 60 * number, 90, 60 + 60 * number, 140), fill="black")
        image.save(folder / f"{name}.png")
    (folder / "keys.json").write_text(json.dumps(RECEIPTS), encoding="utf-8")


def remember(memory: Memory, documents: Path, receipts: Path) -> tuple[list[Path], str]:
    """Hands in all files; returns the pictures, and a question about one of them."""
    memory.add([documents / "handbook.md", documents / "prices.csv"], user_id="wang")
    keys = json.loads((receipts / "keys.json").read_text(encoding="utf-8"))
    pictures = [path for path in sorted(receipts.iterdir()) if path.suffix in {".png", ".jpg"} and path.stem in keys]
    for path in pictures:
        words = "receipt from {company}, {date}, total {total}".format(**keys[path.stem])
        memory.add(path, user_id="wang", description=words)
    last = keys[pictures[-1].stem]
    return pictures, f"receipt from {last['company']} {last['date']}"


def ask(memory: Memory, questions: list[str], picture: Path, small: Path) -> None:
    """Questions in words, and one by a picture."""
    retriever = MemplugRetriever(memory, user_id="wang", similarity_top_k=3)
    synthesizer = get_response_synthesizer(llm=FirstPassage())
    engine = RetrieverQueryEngine(retriever=retriever, response_synthesizer=synthesizer)
    for question in questions:
        answer = engine.query(question)
        source = answer.source_nodes[0]
        print(f"{question}\n  {answer}\n  from {source.metadata.get('citation') or source.metadata['file']}\n")

    with Image.open(picture) as image:
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(small)
    [found, *_] = retriever.retrieve(QueryBundle("", image_path=str(small)))
    if isinstance(found.node, ImageNode):
        print(f"A smaller copy of {picture.name}\n  {found.text}\n  from {found.metadata['file']}\n")


def main(work: Path, receipts: Path) -> None:
    """Remembers files, asks for them, and loads them as LlamaIndex documents."""
    documents = work / "documents"
    documents.mkdir()
    make_documents(documents)
    with Memory(work / "store") as memory:
        pictures, about = remember(memory, documents, receipts)
        ask(memory, ["How long do refunds take?", about], pictures[0], work / "small.jpg")
        loaded = MemplugReader(memory, user_id="wang", media_folder=work / "pictures").load_data()
        print(f"{len(loaded)} documents for any index of LlamaIndex, {len(pictures)} of them pictures")
    readers: dict[str, BaseReader] = dict.fromkeys((".md", ".csv"), MemplugFileReader())
    files = SimpleDirectoryReader(str(documents), file_extractor=readers).load_data()
    print(f"{len(files)} documents from two files themselves, with nothing stored")


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp())
    if len(sys.argv) > 1:
        main(folder, Path(sys.argv[1]))
    else:
        make_receipts(folder)
        main(folder, folder)
