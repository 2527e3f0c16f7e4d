"""From what a caller hands to `Memory.add` to numbered parts, in order, with nothing left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputRejected, InputTooLarge, MalformedInput
from memplug.inputs.blocks import read_item
from memplug.inputs.envelope import Envelope, as_message, read_envelope
from memplug.inputs.piece import Piece
from memplug.safety.text import count_tokens, more_tokens_than
from memplug.values.draft import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.values.limits import Limits


#: Kinds that a form suggests and the caller's own word replaces: a file may be a document, a skill, an e-mail.
_YIELDING = frozenset({None, "document"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A part that could not be made out; the others are not touched by it.

    Args:
        index: Its place among all parts of the `add`, counted from 0.
        error: What is wrong with it.
    """

    index: int
    error: InputRejected


def unpack(
    content: object, *, description: str | None, content_type: str | None, kind: str | None, limits: Limits
) -> list[Part | Refused]:
    """The parts of whatever `Memory.add` takes, in order.

    A list is a list of messages and bare items (texts, paths, bytes, pictures), each bare item a message of its own;
    but a list that holds part dicts (``{"type": …}``) and no message is the content of one message. The texts of a
    message are the context of its other parts.

    Args:
        content: str, Path, bytes, PIL image, Source, message, part dict, or a list of these.
        description: The user's own words; they go with every part.
        content_type: What the caller says sources are that do not say it themselves.
        kind: What the caller wants the parts to be whose form does not say it.
        limits: ``parts`` and ``text_tokens`` hold for the whole request.

    Raises:
        UnsupportedInput: ``content`` is of a type that nothing is known of.
        InputTooLarge: The whole request has too many parts or too much text.
    """
    request = _Request(limits=limits, description=description, content_type=content_type, kind=kind)
    request.count(description or "")
    if isinstance(content, list | tuple):
        request.all(content)
    elif isinstance(content, Mapping) or as_message(content) is not None:
        request.all([content])
    else:
        request.pieces(Envelope(), [read_item(content, limits)])
    return request.parts


@dataclass(slots=True, kw_only=True)
class _Request:
    """One `add` while it is taken apart."""

    limits: Limits
    description: str | None
    content_type: str | None
    kind: str | None
    parts: list[Part | Refused] = field(default_factory=list)
    messages: int = 0
    tokens: int = 0

    def all(self, items: Sequence[object]) -> None:
        found = [as_message(item) for item in items]
        if not any(found) and any(isinstance(item, Mapping) for item in items):
            self.message({"content": items})
            return
        for item, message in zip(items, found, strict=True):
            self.message({"content": [item]} if message is None else message)

    def message(self, message: Mapping[str, Any]) -> None:
        try:
            envelope = read_envelope(message)
        except InputRejected as error:
            self.pieces(Envelope(), [error])
        else:
            self.pieces(envelope, list(self.read(message)))

    def read(self, message: Mapping[str, Any]) -> Iterator[Piece | InputRejected]:
        """What the message holds: its content, then its tool calls; an empty text where it holds nothing."""
        content, calls = message.get("content"), message.get("tool_calls")
        if not calls and isinstance(message.get("function_call"), Mapping):
            calls = [{"function": message["function_call"]}]  # OpenAI's form of 2023
        items = list(content) if isinstance(content, list | tuple) else [content]
        if calls:
            # Beside its tool calls, a message carries "" or None where others have their text.
            items = [item for item in items if item is not None and item != ""]
        for item in items if items or calls else [""]:
            try:
                yield read_item("" if item is None else item, self.limits)
            except InputRejected as error:
                yield error
        if calls:
            yield from _tool_calls(calls)

    def pieces(self, envelope: Envelope, pieces: Sequence[Piece | InputRejected]) -> None:
        """Numbers the pieces of one message and puts its frame around each."""
        texts = [piece.text for piece in pieces if isinstance(piece, Piece) and piece.text]
        for text in (*texts, *(piece.context for piece in pieces if isinstance(piece, Piece))):
            self.count(text)
        context = "\n".join(texts)
        for piece in pieces:
            if len(self.parts) >= self.limits.parts:
                raise InputTooLarge(f"one add takes at most {self.limits.parts:,} parts")
            self.parts.append(self.numbered(piece, envelope, context))
        self.messages += 1

    def numbered(self, piece: Piece | InputRejected, envelope: Envelope, context: str) -> Part | Refused:
        index = len(self.parts)
        if isinstance(piece, InputRejected):
            return Refused(index=index, error=piece)
        source = piece.source
        if source is not None and source.media_type is None and self.content_type:
            source = replace(source, media_type=self.content_type)
        return Part(
            index=index,
            text=piece.text,
            source=source,
            value=envelope.message if piece.value is None else piece.value,
            role=envelope.role,
            speaker=envelope.speaker,
            occurred_at=envelope.occurred_at,
            message=self.messages,
            description=self.description,
            context="" if piece.text is not None else "\n".join(words for words in (piece.context, context) if words),
            kind=self.kind if self.kind and piece.kind in _YIELDING else piece.kind,
        )

    def count(self, text: str) -> None:
        """Counts a text towards the request's limit."""
        limit = self.limits.text_tokens
        if more_tokens_than(text, limit - self.tokens):
            raise InputTooLarge(f"one request takes at most {limit:,} tokens of text", hint="split it into several")
        self.tokens += count_tokens(text)


def _tool_calls(calls: object) -> list[Piece | InputRejected]:
    if not isinstance(calls, list | tuple):
        return [MalformedInput(f"tool_calls must be a list, not {type(calls).__name__}")]
    return [_tool_call(call) for call in calls]


def _tool_call(call: object) -> Piece | InputRejected:
    """A call as a dict; OpenAI's own objects become one."""
    dump = getattr(call, "model_dump", None)
    value = dump() if callable(dump) else call
    if not isinstance(value, Mapping):
        return MalformedInput(f"a tool call must be a dict, not {type(call).__name__}")
    return Piece(value=value, kind="tool_call")
