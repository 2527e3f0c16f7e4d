"""The command for skills: what is in one, one of its files, all of them in a folder."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memplug.cli.command import command, scope_options
from memplug.cli.files import save, save_all

if TYPE_CHECKING:
    from memplug.cli.invocation import Invocation
    from memplug.cli.screen import Screen
    from memplug.skills.skill import Skill
    from memplug.values.scope import ScopeIds

_PATH = click.Path(path_type=Path)


@command("skill")
@click.argument("name")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--version", type=int, help="An earlier edition.")
@click.option("--save", "target", type=_PATH, metavar="PATH", help="Write FILE there, or all files into a new folder.")
@click.option("--force", is_flag=True, help="Replace a file that exists; never a folder.")
@scope_options
def skill(
    invocation: Invocation,
    *,
    name: str,
    file: str | None,
    version: int | None,
    target: Path | None,
    force: bool,
    ids: ScopeIds,
) -> None:
    """Show a skill, or one of its files.

    With --save, write them byte for byte. Nothing of a skill is ever run.
    """
    with invocation.open(read_only=True) as memory:
        found = memory.skill(name, version=version, **ids)
        if file is None:
            _whole(invocation, found, target)
        else:
            _one(invocation, file, found.read(file), target, force=force)


def _whole(invocation: Invocation, found: Skill, target: Path | None) -> None:
    if target is not None:
        save_all(((file.path, found.read(file.path)) for file in found.files), target)
    document = {
        "skill": {
            "id": found.item.id,
            "version": found.item.version,
            "name": found.name,
            "description": found.description,
            "body": found.body,
            "files": [{"path": file.path, "size": file.size} for file in found.files],
            "warnings": list(found.warnings),
        },
        "saved": str(target) if target is not None else None,
    }
    invocation.answer(document, lambda screen: _show(screen, found, target))


def _show(screen: Screen, found: Skill, target: Path | None) -> None:
    from memplug.cli.screen import Column

    screen.fields(
        ("name", found.name),
        ("about", found.description),
        *(("warning", words) for words in found.warnings),
        ("saved", str(target) if target is not None else ""),
    )
    screen.line()
    columns = [Column(name="bytes", right=True), Column(name="file", text=True)]
    screen.table(columns, [[f"{file.size:,}", file.path] for file in found.files])


def _one(invocation: Invocation, path: str, data: bytes, target: Path | None, *, force: bool) -> None:
    """One file: written, or shown as text where it is one; ``--json`` has other bytes as base64."""
    text = _text(data)
    if target is not None:
        save(io.BytesIO(data), target, force=force)
    elif text is None and not invocation.json:
        raise click.UsageError(f"{path!r} is no text; --save writes it to a file")
    document: dict[str, Any] = {"path": path, "size": len(data), "saved": str(target) if target is not None else None}
    if target is None:
        document |= {"text": text} if text is not None else {"base64": base64.b64encode(data).decode()}
    words = f"  {len(data):,} bytes to {target}"
    invocation.answer(
        {"file": document},
        lambda screen: screen.line(("saved", "green"), words) if target else screen.line(text or "", lines=True),
    )


def _text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
