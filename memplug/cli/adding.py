"""The commands that remember: ``add`` and ``update``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memplug.cli.command import command, scope_options
from memplug.cli.documents import item_document, outcome_document
from memplug.cli.failures import exit_code_of_several
from memplug.cli.options import STDIN, read_messages, read_metadata, read_stdin
from memplug.exceptions import InputRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.cli.invocation import Invocation
    from memplug.cli.screen import Screen
    from memplug.values.outcome import Outcome
    from memplug.values.scope import ScopeIds

_EVENT_STYLES = {"added": "green", "updated": "green", "rejected": "bold red"}
_EVENT_WIDTH = max(len(event) for event in ("added", "updated", "unchanged", "duplicate", "pending", "rejected"))
_PATH = click.Path(path_type=Path)


@command("add")
@click.argument("text", required=False)
@click.option("--file", "-f", "files", multiple=True, type=_PATH, help="A file to remember; `-` is stdin. Repeatable.")
@click.option("--messages", type=_PATH, metavar="FILE.json", help="Messages: a JSON list of {role, content, name}.")
@click.option("--description", help="Your own words about the file; they are what it is found by.")
@click.option("--key", help="Your own name for it; adding under it again makes a new version.")
@click.option("--tag", "tags", multiple=True, help="A word to group by. Repeatable.")
@click.option("--metadata", multiple=True, metavar="JSON|NAME=VALUE", help="Data to keep and filter by. Repeatable.")
@click.option("--at", "occurred_at", metavar="TIME", help="When it happened, ISO 8601.")
@click.option("--expires", "expires_at", metavar="TIME", help="From when on it must be gone.")
@click.option("--kind", help="The input type that must take it.")
@scope_options
def add(
    invocation: Invocation,
    *,
    text: str | None,
    files: Sequence[Path],
    messages: Path | None,
    metadata: Sequence[str],
    tags: Sequence[str],
    ids: ScopeIds,
    **labels: Any,
) -> None:
    """Remember a text, files, or messages.

    TEXT `-` reads standard input. Text and files given together are one message: the files are found by the text too.
    """
    content = _content(text, files, messages)
    if text and text != STDIN and _is_file(text):
        invocation.note(f"{text} is remembered as a text; `--file` remembers the file")
    with invocation.open() as memory:
        try:
            outcomes = memory.add(
                content, tags=list(tags) or None, metadata=read_metadata(metadata), **labels, **ids
            ).outcomes
        except InputRejected as error:
            if not invocation.json and error.result is not None and len(error.result.outcomes) > 1:
                _show_outcomes(invocation.out, error.result.outcomes)
            raise
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    document = {"outcomes": [outcome_document(outcome) for outcome in outcomes]}
    code = exit_code_of_several(errors, done=len(outcomes) - len(errors))
    invocation.answer(document, lambda screen: _show_outcomes(screen, outcomes), code=code)


@command("update")
@click.argument("id_", metavar="ID")
@click.argument("text", required=False)
@click.option("--tag", "tags", multiple=True, help="The new tags, instead of all old ones. Repeatable.")
@click.option("--metadata", multiple=True, metavar="JSON|NAME=VALUE", help="The new metadata. Repeatable.")
@click.option("--at", "occurred_at", metavar="TIME", help="When it happened, ISO 8601.")
@click.option("--expires", "expires_at", metavar="TIME", help="From when on it must be gone.")
@scope_options
def update(
    invocation: Invocation,
    *,
    id_: str,
    text: str | None,
    tags: Sequence[str],
    metadata: Sequence[str],
    ids: ScopeIds,
    **times: str | None,
) -> None:
    """Correct a memory.

    TEXT (`-`: standard input) or labels become a new version; the old one stays in its history.
    """
    changes: dict[str, Any] = {name: value for name, value in times.items() if value is not None}
    if text is not None:
        changes["text"] = read_stdin() if text == STDIN else text
    if tags:
        changes["tags"] = list(tags)
    if metadata:
        changes["metadata"] = read_metadata(metadata)
    with invocation.open() as memory:
        item = memory.update(id_, **changes, **ids)
    invocation.answer(
        {"memory": item_document(item)},
        lambda screen: screen.line(("updated", "green"), f"  {item.id}  version {item.version}"),
    )


def _content(text: str | None, files: Sequence[Path], messages: Path | None) -> Any:
    """What `Memory.add` takes."""
    if messages is not None:
        if text is not None or files:
            raise click.UsageError("--messages goes with neither TEXT nor --file")
        return read_messages(messages)
    if text is None and not files:
        raise click.UsageError("there is nothing to add: give TEXT, --file, --messages, or `-` for stdin")
    parts: list[Any] = [_file(path) for path in files]
    if text is None:
        return parts if len(parts) > 1 else parts[0]
    words = read_stdin() if text == STDIN else text
    if not parts:
        return words
    return {"role": "user", "content": [{"type": "text", "text": words}, *parts]}


def _file(path: Path) -> Any:
    """The path as it is; standard input as its bytes."""
    if str(path) != STDIN:
        return path
    from memplug.values.source import Source

    return Source(data=sys.stdin.buffer.read())


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _show_outcomes(screen: Screen, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        event = (outcome.event.ljust(_EVENT_WIDTH), _EVENT_STYLES.get(outcome.event, ""))
        if outcome.error is not None:
            screen.line(event, f"  part {outcome.part + 1}: {' '.join(str(outcome.error).split())}")
            continue
        lead = f"  {outcome.id}  {outcome.kind}  "
        room = screen.width and screen.width - _EVENT_WIDTH - len(lead)
        words = " ".join(outcome.text.split())
        screen.line(event, lead, screen.clip(words, room) if room and room > 0 else words)
