"""The verbs that give words instead of memories: a context for a prompt, and an answer."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from memplug.exceptions import ConfigError, MalformedInput, MemplugError
from memplug.pipelines.answering import ChatQuestion, read_history
from memplug.pipelines.drafting import drafted
from memplug.pipelines.packing import packed
from memplug.reading import Reading
from memplug.safety.media_type import IMAGE_TYPES
from memplug.safety.shrinking import picture_to_send
from memplug.values.request import AddRequest
from memplug.values.scope import ScopeIds, scope_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence

    from memplug.plugins.models import ChatModel
    from memplug.values.chat import ChatAnswer
    from memplug.values.context import Context
    from memplug.values.filters import Filter
    from memplug.values.hit import Hit
    from memplug.values.prompt import Picture
    from memplug.values.skill_draft import SkillDraft

#: Bounds of a budget, as Hive has them, and how many memories are looked at to fill it.
_LEAST_BUDGET, _MOST_BUDGET, _LOOKED_AT = 1, 100_000, 50
#: Most pictures that a model is shown at once: each costs as much as a page of text.
_PICTURES = 4


class ChatStream:
    """An answer that is still being given: a sync and an async iterator over its pieces.

    Once it has ended, `answer` holds the whole with its citations.

    Args:
        pieces: The pieces.
        finish: Makes the whole of the text that they add up to.
    """

    def __init__(self, pieces: Iterator[str], finish: Callable[[str], ChatAnswer]) -> None:
        self._pieces = pieces
        self._finish = finish
        self._said: list[str] = []
        self._answer: ChatAnswer | None = None
        self._broken: MemplugError | None = None

    def __iter__(self) -> Iterator[str]:
        """The pieces as they come; raises `ModelError` where the model breaks off, and each time after that."""
        if self._broken is not None:
            raise self._broken
        try:
            for piece in self._pieces:
                self._said.append(piece)
                yield piece
        except MemplugError as error:
            self._broken = error
            raise
        if self._answer is None:
            self._answer = self._finish("".join(self._said))

    async def __aiter__(self) -> AsyncIterator[str]:
        """The same for asyncio; the loop is never blocked."""
        pieces, end = iter(self), object()
        while (piece := await asyncio.to_thread(next, pieces, end)) is not end:
            yield str(piece)

    @property
    def answer(self) -> ChatAnswer:
        """The whole answer.

        Raises:
            ConfigError: It has not ended yet, or broke off.
        """
        if self._answer is None:
            raise ConfigError("the answer has not ended yet", hint="go through all of its pieces first")
        return self._answer


class Chatting(Reading):
    """What `Memory` has to talk from."""

    def context(
        self,
        query: str,
        *,
        budget_tokens: int = 2000,
        buckets: Collection[str] = (),
        top_k: int = _LOOKED_AT,
        kinds: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        min_score: float | None = None,
        **ids: Unpack[ScopeIds],
    ) -> Context:
        """The memories that answer a question best, as one text for a prompt.

        Each is numbered, dated, and quoted so that nothing in it can pass for an instruction. Put
        `memplug.safety.quoting.QUOTING_RULE` into the system message of a prompt that holds it. A memory that does not
        fit is left out whole, and `Context.left_out` says so.

        Args:
            query: The question, in words.
            budget_tokens: Most tokens of the text, 1 to 100,000.
            user_id, agent_id, run_id, bucket: Whose memories.
            buckets, top_k, kinds, tags, filters, min_score: As for `search`.

        Raises:
            MalformedInput: A budget out of range, or what `search` raises it for.
            ScopeError, FilterError, InputTooLarge: See `search`.
        """
        whole = isinstance(budget_tokens, int) and not isinstance(budget_tokens, bool)
        if not whole or not _LEAST_BUDGET <= budget_tokens <= _MOST_BUDGET:
            raise MalformedInput(f"budget_tokens must be {_LEAST_BUDGET} to {_MOST_BUDGET:,}, not {budget_tokens!r}")
        found = self.search(
            query,
            buckets=buckets,
            top_k=top_k,
            kinds=kinds,
            tags=tags,
            filters=filters,
            min_score=min_score,
            **ids,
        )
        return packed(found, budget_tokens)

    def chat(
        self,
        query: str,
        *,
        remember: bool = False,
        history: Sequence[Mapping[str, Any]] = (),
        instructions: str = "",
        pictures: bool = True,
        budget_tokens: int = 2000,
        buckets: Collection[str] = (),
        kinds: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        **ids: Unpack[ScopeIds],
    ) -> ChatAnswer:
        """Answers a question from memories, by the model that is configured, and says which ones it rests on.

        Args:
            query: The question; it alone decides what is recalled.
            remember: Store question and answer as two messages of the scope once the answer is there. What the answer
                repeats of a memory is not stored again.
            history: The conversation so far, as ``{"role": "user" | "assistant", "content": text}``.
            instructions: What your application wants of its assistant; they come first in the system message.
            pictures: Show the model the pictures among the memories, where it can see; their words it gets anyway.
            budget_tokens: Most tokens of memories, 1 to 100,000.
            user_id, agent_id, run_id, bucket: Whose memories.
            buckets, kinds, tags, filters: As for `search`.

        Raises:
            ConfigError: No model is configured.
            ModelError: The model could not answer; nothing was stored.
            MalformedInput: The history is none, or what `context` raises it for.
        """
        search: dict[str, Any] = {"buckets": buckets, "kinds": kinds, "tags": tags, "filters": filters, **ids}
        model, question = self._asked(query, history, instructions, pictures=pictures, budget=budget_tokens, **search)
        given = model.answer(question.prompt)
        answer = question.answered(given.text, given.usage)
        return self._remembered(question, answer, ids) if remember else answer

    def chat_stream(
        self,
        query: str,
        *,
        remember: bool = False,
        history: Sequence[Mapping[str, Any]] = (),
        instructions: str = "",
        pictures: bool = True,
        budget_tokens: int = 2000,
        buckets: Collection[str] = (),
        kinds: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        **ids: Unpack[ScopeIds],
    ) -> ChatStream:
        """The same answer piece by piece; takes what `chat` takes.

            stream = memory.chat_stream("what does Wang like?", user_id="wang")
            for piece in stream:
                print(piece, end="")
            stream.answer.citations

        What breaks off is not remembered.

        Raises:
            ConfigError, MalformedInput: See `chat`. `ModelError` is raised by the iteration.
        """
        search: dict[str, Any] = {"buckets": buckets, "kinds": kinds, "tags": tags, "filters": filters, **ids}
        model, question = self._asked(query, history, instructions, pictures=pictures, budget=budget_tokens, **search)

        def finish(text: str) -> ChatAnswer:
            answer = question.answered(text)
            return self._remembered(question, answer, ids) if remember else answer

        return ChatStream(model.stream(question.prompt), finish)

    def draft_skill(self, name: str | None = None, *, tools: Sequence[str] = (), **ids: Unpack[ScopeIds]) -> SkillDraft:
        """Has the model write down, as a skill, what agents did with success; nothing is stored.

        The procedure is counted: the same tools in the same order, in at least two conversations of the scope, longer
        and more frequent ones first. What the model says of a step must be borne out by the runs that it cites, or it
        is left out. Read the draft, then ``memory.add(draft, …)``.

        Args:
            name: What the skill is to be called, as the specification has it (``change-a-booking``); by default the
                model names it.
            tools: The tools in their order, where you know which procedure you want; once is enough then.
            user_id, agent_id, run_id, bucket: Whose conversations; with a ``run_id``, all that worked in this one is
                the procedure.

        Raises:
            ConfigError: No model is configured.
            NotFound: Nothing was done twice, or the tools were not used with success in this order.
            MalformedInput: A name that the specification does not take.
            ModelError: The model could not answer.
        """
        return drafted(self.engine.store, self.engine.models, scope_of(ids), name=name, tools=tools)

    def _talker(self) -> ChatModel:
        model = self.engine.models.model
        if model is None:
            raise ConfigError("chat needs a model, and none is configured", hint='Memory(model="openai:gpt-5-mini")')
        return model

    def _asked(
        self,
        query: str,
        history: Sequence[Mapping[str, Any]],
        instructions: str,
        *,
        pictures: bool,
        budget: int,
        **search: Any,
    ) -> tuple[ChatModel, ChatQuestion]:
        """Whom to ask, and what, with the memories that fit the question."""
        model = self._talker()
        recalled = self.context(query, budget_tokens=budget, **search)
        question = ChatQuestion(
            query=query,
            context=recalled,
            history=read_history(history),
            instructions=instructions,
            pictures=tuple(self._pictures(recalled.hits)) if pictures and model.vision else (),
            now=self.engine.store.clock(),
        )
        return model, question

    def _pictures(self, hits: Sequence[Hit]) -> Iterator[Picture]:
        shown = [hit.item.media for hit in hits if hit.item.media and hit.item.content_type in IMAGE_TYPES]
        for media in shown[:_PICTURES]:
            with closing(self.engine.store.backend.open_media(media.digest)) as file:
                yield picture_to_send(file.read(), self.settings.limits.model_image_side)

    def _remembered(self, question: ChatQuestion, answer: ChatAnswer, ids: ScopeIds) -> ChatAnswer:
        """The answer with what became of the exchange; an answer that is there is never lost to a store that fails."""
        exchange = [{"role": "user", "content": question.query}, {"role": "assistant", "content": answer.text}]
        try:
            added = self.engine.feedback.added(AddRequest(content=exchange, scope=scope_of(ids)))
        except MemplugError as error:
            return replace(answer, error=error)
        return replace(answer, remembered=added)
