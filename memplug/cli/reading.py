"""The commands that look things up: ``get``, ``list`` and ``history``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memplug.cli.command import command, scope_options
from memplug.cli.documents import item_document
from memplug.cli.files import save
from memplug.cli.listing import ID, KEY, KIND, TEXT, WHEN, moment, shown_kind, shown_text, shown_when
from memplug.cli.options import narrowed, read_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.cli.invocation import Invocation
    from memplug.cli.screen import Screen
    from memplug.memory import Memory
    from memplug.values.item import MemoryItem
    from memplug.values.scope import ScopeIds

_PATH = click.Path(path_type=Path)
_UNITS = ("bytes", "KB", "MB", "GB")
_STEP = 1024
#: Names of files that are shown of a skill.
_FILES = 8


@command("get")
@click.argument("id_", metavar="ID", required=False)
@click.option("--key", help="Find it by your own name for it, inside a scope.")
@click.option("--save", "original", type=_PATH, metavar="FILE", help="Write the original to a file, byte for byte.")
@click.option("--thumbnail", type=_PATH, metavar="FILE", help="Write the small picture (WebP) to a file.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@scope_options
def get(
    invocation: Invocation,
    *,
    id_: str | None,
    key: str | None,
    original: Path | None,
    thumbnail: Path | None,
    force: bool,
    ids: ScopeIds,
) -> None:
    """Show one memory, by ID or by --key."""
    if (id_ is None) is (key is None):
        raise click.UsageError("give either an ID or --key")
    with invocation.open(read_only=True) as memory:
        item = memory.get(id_, key=key, **ids)
        saved = {
            name: _save(memory, item, path, ids, thumbnail=name == "thumbnail", force=force)
            for name, path in (("original", original), ("thumbnail", thumbnail))
            if path is not None
        }
    invocation.answer({"memory": item_document(item), "saved": saved}, lambda screen: _show_item(screen, item, saved))


@command("list")
@click.option("--limit", type=int, default=100, show_default=True, help="Most memories to show.")
@click.option("--cursor", help="Go on where the page before ended.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind: text, image, … Repeatable.")
@click.option("--tag", "tags", multiple=True, help="Only with this tag; all of them where repeated.")
@click.option("--filter", "filters", metavar="JSON", help="""Such as '{"price": {"gte": 10}}'.""")
@scope_options
def list_(
    invocation: Invocation,
    *,
    limit: int,
    cursor: str | None,
    kinds: Sequence[str],
    tags: Sequence[str],
    filters: str | None,
    ids: ScopeIds,
) -> None:
    """List the memories of a scope, newest first."""
    with invocation.open(read_only=True) as memory:
        page = memory.get_all(filters=narrowed(read_filter(filters), kinds, tags), limit=limit, cursor=cursor, **ids)
    document = {"memories": [item_document(item) for item in page], "cursor": page.cursor}
    invocation.answer(document, lambda screen: _show_items(screen, page.items))
    if not page.items:
        invocation.note("nothing there")
    if page.cursor and not invocation.json:
        invocation.note(f"more: --cursor {page.cursor}")


@command("history")
@click.argument("id_", metavar="ID")
@scope_options
def history(invocation: Invocation, *, id_: str, ids: ScopeIds) -> None:
    """Show all versions of a memory, oldest first."""
    with invocation.open(read_only=True) as memory:
        versions = memory.history(id_, **ids)
    document = {"versions": [item_document(item) for item in versions]}
    invocation.answer(document, lambda screen: _show_versions(screen, versions))


def _save(memory: Memory, item: MemoryItem, path: Path, ids: ScopeIds, *, thumbnail: bool, force: bool) -> str:
    """Writes the original or thumbnail to the path, and returns that."""
    with closing(memory.open_media(item.id, thumbnail=thumbnail, **ids)) as source:
        save(source, path, force=force)
    return str(path)


def _show_items(screen: Screen, items: Sequence[MemoryItem]) -> None:
    from memplug.cli.screen import Column

    if not items:
        return
    keyed = any(item.key for item in items)
    columns = [Column(**column) for column in (KIND, TEXT, *((KEY,) if keyed else ()), WHEN, ID)]
    rows = [
        [shown_kind(item), shown_text(item), *([item.key or ""] if keyed else []), shown_when(item), item.id]
        for item in items
    ]
    screen.table(columns, rows)


def _show_versions(screen: Screen, versions: Sequence[MemoryItem]) -> None:
    from memplug.cli.screen import Column

    columns = [
        Column(name="version", right=True),
        Column(name="from", style="dim"),
        Column(name="until", style="dim"),
        Column(name="text", text=True),
    ]
    rows = [
        [
            str(item.version),
            moment(item.valid_from),
            moment(item.valid_to) or "now",
            "(deleted)" if item.deleted else shown_text(item),
        ]
        for item in versions
    ]
    screen.table(columns, rows)


def _show_item(screen: Screen, item: MemoryItem, saved: dict[str, str]) -> None:
    screen.fields(
        ("id", item.id),
        ("key", item.key or ""),
        ("kind", item.kind),
        ("status", f"{item.status}: {item.error}" if item.error else item.status),
        *((name.removesuffix("_id"), value or "") for name, value in item.ids.items()),
        ("said by", ", ".join(filter(None, (item.source.speaker, item.source.role)))),
        ("tags", ", ".join(item.tags)),
        ("metadata", _metadata(item)),
        *_about_skill(item),
        ("original", _original(item)),
        ("happened", moment(item.occurred_at)),
        ("added", moment(item.created_at)),
        ("changed", f"{moment(item.updated_at)} (version {item.version})" if item.version > 1 else ""),
        ("expires", moment(item.expires_at)),
        *((f"saved {name}" if name == "thumbnail" else "saved", path) for name, path in saved.items()),
    )
    if item.text:
        screen.line()
        screen.line(item.text, lines=True)


def _metadata(item: MemoryItem) -> str:
    """As JSON, without what is shown in lines of its own."""
    shown = {name: value for name, value in item.metadata.items() if name != item.kind or not _skill(item)}
    return json.dumps(shown, ensure_ascii=False) if shown else ""


def _about_skill(item: MemoryItem) -> list[tuple[str, str]]:
    """What a skill holds, and what is odd about it."""
    about = _skill(item)
    if not about:
        return []
    paths = [str(file.get("path")) for file in _listed(about, "files") if isinstance(file, dict)]
    more = f", and {len(paths) - _FILES} more" if len(paths) > _FILES else ""
    names = f": {', '.join(paths[:_FILES])}{more}" if paths else ""
    licence = [("license", str(about["license"]))] if "license" in about else []
    files = ("files", f"{about['file_count']:,} ({_size(about['bytes'])}){names}")
    return [*licence, files, *(("warning", str(words)) for words in _listed(about, "warnings"))]


def _skill(item: MemoryItem) -> dict[str, Any]:
    """What memplug noted of a skill; empty where the caller's own metadata stands in its place."""
    about = item.metadata.get("skill") if item.kind == "skill" else None
    counted = isinstance(about, dict) and all(isinstance(about.get(name), int) for name in ("file_count", "bytes"))
    return about if isinstance(about, dict) and counted else {}


def _listed(about: dict[str, Any], name: str) -> list[Any]:
    found = about.get(name)
    return found if isinstance(found, list) else []


def _original(item: MemoryItem) -> str:
    if item.media is None:
        return ""
    media = item.media
    pixels = f"{media.width} x {media.height}" if media.width else ""
    return ", ".join(filter(None, (media.name, media.content_type, pixels, _size(media.size))))


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
