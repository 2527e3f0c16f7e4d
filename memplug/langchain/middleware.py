"""Long-term memory for agents made by `create_agent`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, TypeVar, Unpack

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import (
    AgentState,
    ModelCallResult,
    ModelRequest,
    ModelResponse,
    OmitFromSchema,
)
from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langgraph.runtime import Runtime

from memplug.binding import AnyMemory, taken_apart
from memplug.exceptions import ConfigError
from memplug.langchain.messages import is_said_by_user, last_answer, last_question
from memplug.langchain.pictures import Images, takes_pictures
from memplug.langchain.recalling import Recalling, text_of
from memplug.langchain.remembering import Remembering
from memplug.langchain.tools import memory_tools
from memplug.langchain.whose import Whose
from memplug.plugins.isolation import attempt, described
from memplug.scoped import ScopedMemory
from memplug.toolbelt import TOOL_NAMES
from memplug.values.context import Context
from memplug.values.scope import ScopeIds

log = logging.getLogger("memplug.langchain")

T = TypeVar("T")

Placement = Literal["before_last_user", "system_end", "tools"]
_PLACEMENTS: tuple[Placement, ...] = ("before_last_user", "system_end", "tools")


class MemplugState(AgentState[Any]):
    """An agent's state with what the middleware has to know, which no caller sees.

    Args:
        memplug_known: The ids of the messages that are remembered, or were there before the first run.
        memplug_asked: The ids of the user's messages that the run began with and that are to be remembered.
    """

    memplug_known: NotRequired[Annotated[list[str], OmitFromSchema(input=True, output=True)]]
    memplug_asked: NotRequired[Annotated[list[str], OmitFromSchema(input=True, output=True)]]


class MemplugMiddleware(AgentMiddleware[Any, Any, Any]):
    """Recalls what belongs to a question before the model is asked, and remembers each run when it has ended.

        agent = create_agent(model, tools, middleware=[MemplugMiddleware(memory)], context_schema=Context)
        agent.invoke({"messages": [...]}, context=Context(user_id="wang", conversation_id="monday"))

    Whose memories they are the runtime context says, never the model. Recall goes over all conversations of the user;
    what still stands in the conversation is not repeated. What is recalled is part of the request alone: it is neither
    in the agent's state nor remembered again.

    Remembered are the messages that are new: all of a run's, with the calls of tools and their results, and of those
    that were handed in what comes after the last answer among them. What stands before that is a history that the
    program keeps itself; `inputs_of` makes input for `Memory.add` of it. With a checkpointer, the state says what is
    remembered already, so that a run that failed or was interrupted is made up for by the next one, and a run that is
    repeated stores nothing twice. What another middleware takes out of the state before a run ends, such as a summary
    of its first steps, is not remembered; where that is the user's own message, a warning says so.

    Args:
        memory: The memory, or a scoped view of one.
        placement: Where the model sees memories. ``"before_last_user"``: in a message before the last thing that the
            user said, so that the request up to there is the same from turn to turn and can be cached.
            ``"system_end"``: at the end of the system message, in words only; what follows is not cached then.
            ``"tools"``: nowhere; the model gets the tools of `memory_tools` and asks by itself.
        tools: Whether it gets these tools; None means with ``"tools"`` alone.
        images: Whether pictures come along, or only their words. ``"auto"``: where the model's ``profile`` says that it
            takes pictures.
        user, conversation: The names of the two ids in the runtime context, which may be an object or a mapping. Where
            it names no conversation, LangGraph's ``thread_id`` is it. ``user=None``: the memories are no user's.
        agent_id, bucket: Scope ids that are the same in each run.
        buckets: Further buckets to recall from; None keeps those of a view.
        top_k, budget_tokens: Most memories at a time, and most tokens of their words.
        kinds, tags, filters, min_score: Which memories are recalled; as the arguments of `Memory.search`.
        remember: Whether runs are remembered.
        without_tools: Names of tools whose calls and results are not; the memory's own never are.
        wait: As of `Memory.add`: False leaves slow steps, such as describing a picture or asking a model for facts, to
            the background, so that no user waits for them.
        on_error: ``"log"`` lets a run go on without its memory where that fails, and logs an error; ``"raise"`` does
            not. A context that does not say who the user is always raises.

    Raises:
        ConfigError: An argument is wrong.
    """

    state_schema = MemplugState

    def __init__(
        self,
        memory: AnyMemory,
        *,
        placement: Placement = "before_last_user",
        tools: bool | None = None,
        images: Images = "auto",
        user: str | None = "user_id",
        conversation: str = "conversation_id",
        buckets: Collection[str] | None = None,
        top_k: int = 5,
        budget_tokens: int = 2_000,
        kinds: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        min_score: float | None = None,
        remember: bool = True,
        without_tools: Collection[str] = (),
        wait: bool = False,
        on_error: Literal["log", "raise"] = "log",
        **ids: Unpack[ScopeIds],
    ) -> None:
        super().__init__()
        if placement not in _PLACEMENTS:
            raise ConfigError(f"placement must be one of {', '.join(_PLACEMENTS)}, not {placement!r:.80}")
        if on_error not in ("log", "raise"):
            raise ConfigError(f"on_error must be 'log' or 'raise', not {on_error!r:.80}")
        limits = taken_apart(memory)[0].settings.limits
        self.placement = placement
        self._images = images
        self._whose = Whose(memory=memory, user=user, conversation=conversation, fixed=ids, buckets=buckets)
        self._recalling = Recalling(
            limits=limits,
            top_k=top_k,
            budget_tokens=budget_tokens,
            kinds=kinds,
            tags=tags,
            filters=filters,
            min_score=min_score,
        )
        self._remembering = Remembering(without_tools={*without_tools, *TOOL_NAMES}, wait=wait)
        self._remembers = remember
        self._raises = on_error == "raise"
        offered = placement == "tools" if tools is None else tools
        self.tools = (
            memory_tools(memory, user=user, buckets=buckets, top_k=top_k, images=images is True, **ids)
            if offered
            else []
        )

    # -- before the model is asked ------------------------------------------------------------------------

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        """Asks the model with what is recalled."""
        return handler(self._with_memories(request))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        """The same; recall runs in a worker thread."""
        if self.placement == "tools":
            return await handler(request)
        return await handler(await asyncio.to_thread(self._with_memories, request))

    def _with_memories(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        at = last_question(request.messages)
        if self.placement == "tools" or at is None:
            return request
        view = self._whose.view(request.runtime)
        conversation = self._whose.conversation_of(request.runtime)
        work = partial(self._placed, request, at, view, conversation)
        return self._attempted(work, "nothing was recalled") or request

    def _placed(
        self, request: ModelRequest[Any], at: int, view: ScopedMemory, conversation: str | None
    ) -> ModelRequest[Any]:
        context = self._recalling.recalled(view, request.messages, conversation)
        if not context:
            return request
        if self.placement == "system_end":
            return request.override(system_message=_extended(request.system_message, text_of(context)))
        message = self._message(context, pictures=takes_pictures(request.model, self._images))
        return request.override(messages=[*request.messages[:at], message, *request.messages[at:]])

    def _message(self, context: Context, *, pictures: bool) -> HumanMessage:
        blocks: list[Any] = self._recalling.blocks(context) if pictures else []
        return HumanMessage(content=blocks if len(blocks) > 1 else text_of(context))

    # -- around a run -------------------------------------------------------------------------------------

    def before_agent(self, state: MemplugState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Sees to it that it is known whose memories are meant, and what was there before the first run.

        Raises:
            ScopeError: The context does not say who the user is.
        """
        self._whose.view(runtime)
        if not self._remembers:
            return None
        messages = state["messages"]
        known = state.get("memplug_known")
        if known is None:
            known = _ids(messages[: last_answer(messages)])
            if known:
                log.info("%d messages before the first run are a history that is not remembered", len(known))
        asked = _ids(one for one in messages if is_said_by_user(one) and one.id not in frozenset(known))
        return {"memplug_known": known, "memplug_asked": asked}

    async def abefore_agent(self, state: MemplugState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """The same."""
        return self.before_agent(state, runtime)

    def after_agent(self, state: MemplugState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Remembers what is new; what fails is tried again with the next run, where there is a checkpointer."""
        if not self._remembers:
            return None
        messages = state["messages"]
        gone = frozenset(state.get("memplug_asked") or ()).difference(_ids(messages))
        if gone:
            log.warning("%d messages of the user were taken out before the run ended, and not remembered", len(gone))
        known = frozenset(state.get("memplug_known") or ())
        new = [one for one in messages if one.id is None or one.id not in known]
        view = self._whose.view(runtime)
        conversation = self._whose.conversation_of(runtime)
        work = partial(self._remembered, view, new, conversation)
        done = self._attempted(work, f"{len(new)} messages were not remembered")
        return {"memplug_known": _ids(messages)} if done else None

    async def aafter_agent(self, state: MemplugState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """The same, in a worker thread."""
        return await asyncio.to_thread(self.after_agent, state, runtime)

    def _remembered(self, view: ScopedMemory, new: list[AnyMessage], conversation: str | None) -> bool:
        self._remembering.remember(view, new, conversation)
        return True

    def _attempted(self, work: Callable[[], T], lost: str) -> T | None:
        """What the work gives; None where it failed and a run is to go on all the same.

        Args:
            work: It.
            lost: What does not happen where it fails, in words for the log.
        """
        done = attempt(work)
        if done.error is None:
            return done.result
        if self._raises:
            raise done.error
        log.error("the memory failed, so %s: %s", lost, getattr(done.error, "code", None) or described(done.error))
        return None


def _ids(messages: Iterable[BaseMessage]) -> list[str]:
    return [one.id for one in messages if one.id is not None]


def _extended(message: SystemMessage | None, text: str) -> SystemMessage:
    """A system message with a text at its end."""
    if message is None:
        return SystemMessage(content=text)
    content = message.content
    if isinstance(content, str):
        return message.model_copy(update={"content": f"{content}\n\n{text}" if content else text})
    return message.model_copy(update={"content": [*content, {"type": "text", "text": text}]})
