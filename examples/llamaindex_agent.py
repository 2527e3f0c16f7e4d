"""A LlamaIndex agent that remembers across two conversations, and sees an old picture again.

    python examples/llamaindex_agent.py [STORE]

Runs offline, with no key: the model is scripted. For a real one, put it in place of `model()`:

    from llama_index.llms.openai import OpenAI       # pip install llama-index-llms-openai
    llm = OpenAI("gpt-5-mini")

and give `MemplugMemory.from_memory(..., pictures=False)` where it cannot see. llama-index-core needs no network for
any of this: the tables of its tokenizer and of nltk are inside its wheel.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock, ToolCallBlock
from llama_index.core.llms import LLM, ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM
from PIL import Image, ImageDraw

from memplug import Memory
from memplug.llamaindex import MemplugMemory, MemplugToolSpec


def picture() -> bytes:
    """A receipt, drawn."""
    image = Image.new("RGB", (240, 80), "white")
    ImageDraw.Draw(image).text((10, 30), "Restaurant Li  total 128 yuan", fill="black")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def model() -> LLM:
    """A model that saves what it is told to, and else tells what it was shown."""

    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        question = next(message for message in reversed(messages) if message.role == "user")
        if messages[-1].role == "tool":
            return ChatMessage(role="assistant", content=f"Done. {messages[-1].content}".partition(" as ")[0] + ".")
        if str(question.content).startswith("Remember that "):
            arguments = {"text": str(question.content).removeprefix("Remember that ")}
            call = ToolCallBlock(tool_call_id="call_1", tool_name="save_memory", tool_kwargs=arguments)
            return ChatMessage(role="assistant", blocks=[call])
        shown = [block for message in messages for block in message.blocks]
        quoted = [block.text.splitlines()[1] for block in shown if isinstance(block, TextBlock) and _is_quoted(block)]
        pictures = sum(isinstance(block, ImageBlock) for block in shown)
        said = f"I remember: {' | '.join(quoted)}" if quoted else "That is new to me"
        return ChatMessage(role="assistant", content=f"{said}. Pictures that I see: {pictures}.")

    return MockFunctionCallingLLM(response_generator=answer, is_chat_model=True)


def _is_quoted(block: TextBlock) -> bool:
    return block.text.startswith("<data-")


async def main(store: str) -> None:
    """Two conversations of one user, and one of somebody else."""
    with Memory(store) as memory:
        agents = {
            user: FunctionAgent(llm=model(), tools=[*MemplugToolSpec(memory, user_id=user).to_tool_list()])
            for user in ("wang", "mei")
        }

        async def say(user: str, session: str, message: str | ChatMessage) -> None:
            # A new object for each message, as a web server makes it for each request: what was said lies in the store.
            chat = MemplugMemory.from_memory(memory, user_id=user, session_id=session, top_k=1)
            words = message if isinstance(message, str) else f"{message.content} [picture]"
            print(f"{session:<9} {user}: {words}\n{'':<9} agent: {await agents[user].run(message, memory=chat)}\n")

        receipt = [TextBlock(text="This is what dinner with Li did cost."), ImageBlock(image=picture())]
        await say("wang", "monday", ChatMessage(role="user", blocks=receipt))
        await say("wang", "monday", "Remember that Wang never eats peanuts.")
        await say("wang", "tuesday", "What did dinner with Li cost?")
        await say("wang", "tuesday", "May Wang have peanuts?")
        await say("mei", "tuesday", "What did dinner with Li cost?")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()))
