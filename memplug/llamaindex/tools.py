"""Long-term memory as tools that a LlamaIndex agent calls."""

# Annotations are read by LlamaIndex as they are, so they must not become texts (no `from __future__`).
import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Unpack

from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec

from memplug.binding import AnyMemory, bind
from memplug.llamaindex.pictures import Pictures, image_block
from memplug.safety.quoting import new_boundary
from memplug.toolbelt import NOTHING, Toolbelt, shown
from memplug.values.hit import Hit
from memplug.values.scope import ScopeIds


class MemplugToolSpec(BaseToolSpec):
    """Four tools: ``search_memory``, ``save_memory``, ``correct_memory`` and ``load_skill``, sync and async.

        tools = MemplugToolSpec(memory, user_id="wang").to_tool_list()
        agent = FunctionAgent(tools=tools, llm=llm)

    Whose memories they are is fixed here. No tool has an argument for it, so no model can ask for somebody else's.

    Args:
        memory: The memory, or a scoped view of one; then no ids are needed.
        user_id, agent_id, run_id, bucket: Whose memories.
        buckets: Further buckets to search and to correct.
        top_k: Most memories that a search gives.
        pictures: Whether recalled pictures come along, or only their words: for a model that cannot see.
        media_folder: Where copies of pictures are kept; without it they come under the path of the store's own file,
            or with their bytes.

    Raises:
        ScopeError: No scope id.
    """

    spec_functions: list[SPEC_FUNCTION_TYPE] = [  # noqa: RUF012 - LlamaIndex declares it like this
        ("search_memory", "asearch_memory"),
        ("save_memory", "asave_memory"),
        ("correct_memory", "acorrect_memory"),
        ("load_skill", "aload_skill"),
    ]

    def __init__(
        self,
        memory: AnyMemory,
        *,
        buckets: Collection[str] | None = None,
        top_k: int = 5,
        pictures: bool = True,
        media_folder: str | Path | None = None,
        **ids: Unpack[ScopeIds],
    ) -> None:
        self._binding = bind(memory, buckets=buckets, **ids)
        self._belt = Toolbelt(view=self._binding.view, top_k=top_k)
        self._show = pictures
        self._pictures = Pictures(folder=Path(media_folder) if media_folder is not None else None)

    def search_memory(self, query: Annotated[str, "What to look for, in words"]) -> list[TextBlock | ImageBlock]:
        """Looks in long-term memory for what was said, seen or read before: facts, documents, pictures, tool use."""
        hits = self._belt.search(query)
        if not hits:
            return [TextBlock(text=NOTHING)]
        code = new_boundary()
        return [block for hit in hits for block in self._shown(hit, code)]

    def save_memory(
        self,
        text: Annotated[str, "What to remember, as one sentence that can be understood alone"],
        tags: Annotated[list[str] | None, "Words to group by"] = None,
    ) -> str:
        """Keeps something in long-term memory for later conversations."""
        return self._belt.save(text, tags)

    def correct_memory(
        self, correction: Annotated[str, "What is wrong and what is right: 'The limit is 600, not 800.'"]
    ) -> str:
        """Corrects what is remembered wrongly, or forgets it ('forget that ...'), said in plain words."""
        return self._belt.correct(correction)

    def load_skill(
        self,
        name: Annotated[str, "The skill's name, as search_memory gives it"],
        path: Annotated[str, "A file of the skill; left out, its instructions"] = "",
    ) -> str:
        """Reads a remembered skill: its instructions with the list of its files, or one of the files."""
        return self._belt.skill(name, path)

    # The docstrings above are what the model reads; LlamaIndex takes those of the sync functions.

    async def asearch_memory(self, query: str) -> list[TextBlock | ImageBlock]:
        """`search_memory` in a worker thread."""
        return await asyncio.to_thread(self.search_memory, query)

    async def asave_memory(self, text: str, tags: list[str] | None = None) -> str:
        """`save_memory` in a worker thread."""
        return await asyncio.to_thread(self.save_memory, text, tags)

    async def acorrect_memory(self, correction: str) -> str:
        """`correct_memory` in a worker thread."""
        return await asyncio.to_thread(self.correct_memory, correction)

    async def aload_skill(self, name: str, path: str = "") -> str:
        """`load_skill` in a worker thread."""
        return await asyncio.to_thread(self.load_skill, name, path)

    def _shown(self, hit: Hit, code: str) -> list[TextBlock | ImageBlock]:
        blocks: list[TextBlock | ImageBlock] = [TextBlock(text=shown(hit, code))]
        picture = self._pictures.shown(self._binding, hit) if self._show else None
        return blocks if picture is None else [*blocks, image_block(picture, hit.item.content_type)]
