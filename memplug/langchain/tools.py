"""Long-term memory as tools that an agent calls."""

# Annotations are read by LangChain as they are, so they must not become texts (no `from __future__`).
import asyncio
import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Annotated, Any, TypeVar, Unpack, cast

from langchain.tools import BaseTool, ToolException, ToolRuntime
from langchain_core.tools import StructuredTool

from memplug.binding import AnyMemory, taken_apart
from memplug.exceptions import MemplugError
from memplug.langchain.pictures import picture_block
from memplug.langchain.whose import Whose
from memplug.plugins.isolation import attempt, described
from memplug.safety.quoting import new_boundary
from memplug.toolbelt import NOTHING, Toolbelt, shown
from memplug.values.hit import Hit
from memplug.values.scope import ScopeIds

log = logging.getLogger("memplug.langchain")

T = TypeVar("T")

#: What a search gives: what the model is shown, and for the program the ids, scores and citations.
Found = tuple[str | list[str | dict[str, Any]], list[dict[str, Any]]]
#: LangChain fills it in and no model sees it. With both parameters given, since a bare one makes pydantic warn at each
#: call.
AnyRuntime = ToolRuntime[Any, Any]
#: What is there where a tool is called outside of an agent. LangChain only leaves out of the schema what is annotated
#: as a runtime and nothing else, so that None cannot be said there.
NO_RUNTIME: Any = None


def memory_tools(
    memory: AnyMemory,
    *,
    user: str | None = "user_id",
    buckets: Collection[str] | None = None,
    top_k: int = 5,
    images: bool = False,
    **ids: Unpack[ScopeIds],
) -> list[BaseTool]:
    """Four tools: ``search_memory``, ``save_memory``, ``correct_memory`` and ``load_skill``, sync and async.

        agent = create_agent(model, memory_tools(memory), context_schema=Context)
        agent.invoke({"messages": [...]}, context=Context(user_id="wang"))

    Whose memories they are the agent's runtime context says, or the view that is given. No tool has an argument for
    it, so no model can ask for somebody else's. What fails the model is told as the tool's error, and the run goes on;
    but a context that does not say who the user is raises a `ScopeError`.

    Args:
        memory: The memory, or a scoped view of one; where that fixes the user, the tools work outside of agents, too.
        user: The name of the user's id in the runtime context; None where the memories are no user's.
        buckets: Further buckets to search and to correct; None keeps those of a view.
        top_k: Most memories that a search gives.
        images: Whether recalled pictures come along, for a model that takes them in results of tools; many take them
            from users only.
        user_id, agent_id, run_id, bucket: Scope ids that are the same in each run.
    """
    limits = taken_apart(memory)[0].settings.limits
    whose = Whose(memory=memory, user=user, fixed=ids, buckets=buckets)
    work = _Work(whose=whose, top_k=top_k, side=limits.model_image_side if images else None)
    return [_search_tool(work), _save_tool(work), _correct_tool(work), _skill_tool(work)]


class _Work:
    """What the tools share."""

    def __init__(self, *, whose: Whose, top_k: int, side: int | None) -> None:
        self._whose = whose
        self._top_k = top_k
        self._side = side

    def belt(self, runtime: AnyRuntime) -> Toolbelt:
        return Toolbelt(view=self._whose.view(runtime), top_k=self._top_k)

    def found(self, query: str, runtime: AnyRuntime) -> Found:
        """What a search gives."""
        hits = _told(partial(self.belt(runtime).search, query))
        if not hits:
            return NOTHING, []
        code = new_boundary()
        blocks: list[str | dict[str, Any]] = []
        for hit in hits:
            blocks.append({"type": "text", "text": shown(hit, code)})
            picture = picture_block(hit, self._side) if self._side is not None else None
            blocks += [] if picture is None else [picture]
        return _flat(blocks), [_about(hit) for hit in hits]


def _search_tool(work: _Work) -> BaseTool:
    def search_memory(query: Annotated[str, "What to look for, in words"], runtime: AnyRuntime = NO_RUNTIME) -> Found:
        """Looks in long-term memory for what was said, seen or read before: facts, documents, pictures, tool use."""
        return work.found(query, runtime)

    async def asearch_memory(query: str, runtime: AnyRuntime = NO_RUNTIME) -> Found:
        return await asyncio.to_thread(search_memory, query, runtime)

    return _tool(search_memory, asearch_memory, response_format="content_and_artifact")


def _save_tool(work: _Work) -> BaseTool:
    def save_memory(
        text: Annotated[str, "What to remember, as one sentence that can be understood alone"],
        tags: Annotated[list[str] | None, "Words to group by"] = None,
        runtime: AnyRuntime = NO_RUNTIME,
    ) -> str:
        """Keeps something in long-term memory for later conversations."""
        return _told(partial(work.belt(runtime).save, text, tags))

    async def asave_memory(text: str, tags: list[str] | None = None, runtime: AnyRuntime = NO_RUNTIME) -> str:
        return await asyncio.to_thread(save_memory, text, tags, runtime)

    return _tool(save_memory, asave_memory)


def _correct_tool(work: _Work) -> BaseTool:
    def correct_memory(
        correction: Annotated[str, "What is wrong and what is right: 'The limit is 600, not 800.'"],
        runtime: AnyRuntime = NO_RUNTIME,
    ) -> str:
        """Corrects what is remembered wrongly, or forgets it ('forget that ...'), said in plain words."""
        return _told(partial(work.belt(runtime).correct, correction))

    async def acorrect_memory(correction: str, runtime: AnyRuntime = NO_RUNTIME) -> str:
        return await asyncio.to_thread(correct_memory, correction, runtime)

    return _tool(correct_memory, acorrect_memory)


def _skill_tool(work: _Work) -> BaseTool:
    def load_skill(
        name: Annotated[str, "The skill's name, as search_memory gives it"],
        path: Annotated[str, "A file of the skill; left out, its instructions"] = "",
        runtime: AnyRuntime = NO_RUNTIME,
    ) -> str:
        """Reads a remembered skill: its instructions with the list of its files, or one of the files."""
        return _told(partial(work.belt(runtime).skill, name, path))

    async def aload_skill(name: str, path: str = "", runtime: AnyRuntime = NO_RUNTIME) -> str:
        return await asyncio.to_thread(load_skill, name, path, runtime)

    return _tool(load_skill, aload_skill)


def _tool(function: Callable[..., Any], coroutine: Callable[..., Any], **settings: Any) -> BaseTool:
    return StructuredTool.from_function(func=function, coroutine=coroutine, handle_tool_error=True, **settings)


def _told(work: Callable[[], T]) -> T:
    """What the work gives; what it raises as an error for the model, who may have asked for what is not there."""
    done = attempt(work)
    if done.error is None:
        return cast("T", done.result)
    if isinstance(done.error, MemplugError):
        log.warning("a tool of the memory failed: %s", done.error.code)
        raise ToolException(str(done.error)) from done.error
    log.error("a tool of the memory failed: %s", described(done.error))
    raise ToolException(f"The memory failed: {type(done.error).__name__}.") from done.error


def _flat(blocks: list[str | dict[str, Any]]) -> str | list[str | dict[str, Any]]:
    """One text where there is nothing else: every model takes that."""
    texts = [block["text"] for block in blocks if isinstance(block, dict) and block["type"] == "text"]
    return "\n".join(texts) if len(texts) == len(blocks) else blocks


def _about(hit: Hit) -> dict[str, Any]:
    return {"id": hit.id, "score": hit.score, "kind": hit.kind, "citation": hit.citation}
