"""A LangChain agent that remembers across two conversations, and sees an old picture again.

    python examples/langchain_agent.py [STORE]

Needs ``pip install 'memplug[langchain]'``. Runs offline, with no key: the model is scripted. For a real one, put it in
place of `Scripted()`:

    model = "openai:gpt-5-mini"                 # pip install langchain-openai

Whether it takes pictures LangChain knows by itself, as it is said of `Scripted` here; where it does not,
`MemplugMiddleware(memory, images=True)` says so.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from PIL import Image, ImageDraw

from memplug import Memory
from memplug.langchain import MemplugMiddleware


@dataclass
class Context:
    """What the program knows of a run: who is asking, and in which conversation. No model can change it."""

    user_id: str
    conversation_id: str


class Scripted(BaseChatModel):
    """A model that saves what it is told to, and else tells what it was shown."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        """It needs no telling which tools there are."""
        del tools
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_answer(messages))])


def _answer(messages: list[BaseMessage]) -> AIMessage:
    last = messages[-1]
    if isinstance(last, ToolMessage):
        return AIMessage(f"Done. {last.text}".partition(" as ")[0] + ".")
    if last.text.startswith("Remember that "):
        arguments = {"text": last.text.removeprefix("Remember that ")}
        return AIMessage("", tool_calls=[{"id": "call_1", "name": "save_memory", "args": arguments}])
    lines = [line for message in messages for line in message.text.splitlines()]
    quoted = [lines[at + 1] for at, line in enumerate(lines) if line.startswith("<data-") and " from=" in line[:40]]
    blocks = [block for message in messages for block in message.content_blocks]
    said = f"I remember: {' | '.join(quoted)}" if quoted else "That is new to me"
    return AIMessage(f"{said}. Pictures that I see: {sum(block['type'] == 'image' for block in blocks)}.")


def picture() -> dict[str, Any]:
    """A receipt, drawn, as a block of a message."""
    image = Image.new("RGB", (240, 80), "white")
    ImageDraw.Draw(image).text((10, 30), "Restaurant Li  total 128 yuan", fill="black")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"type": "image", "base64": base64.b64encode(buffer.getvalue()).decode(), "mime_type": "image/png"}


def main(store: str) -> None:
    """Two conversations of one user, and one of somebody else."""
    with Memory(store) as memory:
        middleware = MemplugMiddleware(memory, top_k=1, tools=True)
        agent = create_agent(
            Scripted(profile={"image_inputs": True}), tools=[], middleware=[middleware], context_schema=Context
        )

        def say(user: str, conversation: str, *content: Any) -> None:
            message = HumanMessage(list(content))
            result = agent.invoke({"messages": [message]}, context=Context(user, conversation))
            words = " [picture]" if len(content) > 1 else ""
            print(f"{conversation:<9} {user}: {message.text}{words}\n{'':<9} agent: {result['messages'][-1].text}\n")

        say("wang", "monday", {"type": "text", "text": "This is what dinner with Li did cost."}, picture())
        say("wang", "monday", {"type": "text", "text": "Remember that Wang never eats peanuts."})
        say("wang", "tuesday", {"type": "text", "text": "What did dinner with Li cost?"})
        say("wang", "tuesday", {"type": "text", "text": "May Wang have peanuts?"})
        say("mei", "tuesday", {"type": "text", "text": "What did dinner with Li cost?"})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
