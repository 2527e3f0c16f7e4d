"""The store's folder: what lies where, and the small file that says which tables are the current ones.

    store.json            profile and the names of the current tables; replaced in one step, never edited
    tables/recent-1.journal, tables/memories-1.lance, tables/history-1.lance
    media/ab/<sha256>
    .write.lock           held for moments: a commit, the last step of a move
    .upkeep.lock          held while a process maintains, erases or rebuilds

A table is rewritten by making another one beside it and pointing to that; so readers never see a half-made table,
and what the old one held is gone with its folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memplug.backends.lancedb.durability import TableSync, sync_file, sync_folder
from memplug.backends.lancedb.journal import Journal
from memplug.backends.lancedb.locks import StoreLock
from memplug.backends.lancedb.loop import connect
from memplug.backends.lancedb.media import MediaFolder
from memplug.backends.lancedb.tier import Tier
from memplug.backends.lancedb.trouble import lance_errors
from memplug.backends.profile import check_format
from memplug.exceptions import BackendError, ConfigError
from memplug.plugins.protocols import StoreProfile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memplug.backends.lancedb.catalog import Catalog, Library

TABLES = ("recent", "memories", "history")
#: The file that names the current tables, and the one that names those of a rebuild that is not finished.
POINTER, REBUILD = "store.json", "rebuild.json"
_TABLE, _JOURNAL = ".lance", ".journal"
#: What a table is called while it is being removed.
_GONE = ".gone"
_REMOTE = re.compile(r"^([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """What ``store.json`` holds.

    Args:
        profile: What the store was made with.
        tables: The current table of each role in `TABLES`, by role.
    """

    profile: StoreProfile
    tables: dict[str, str]

    def successor(self, role: str) -> str:
        """The name that the next table of this role gets."""
        return f"{role}-{int(self.tables[role].rpartition('-')[2]) + 1}"

    def moved(self, tables: dict[str, str], profile: StoreProfile | None = None) -> Pointer:
        """The pointer with some tables, and perhaps the profile, replaced."""
        return replace(self, tables=self.tables | tables, profile=profile or self.profile)

    def text(self, **more: str) -> str:
        """What is written, perhaps with something beside it that a reader passes over."""
        return json.dumps(asdict(self) | more, indent=1)

    @classmethod
    def parsed(cls, text: str, place: str) -> Pointer:
        """The pointer that a text holds.

        Args:
            text: What was read.
            place: Where, for errors.

        Raises:
            BackendError: It is damaged.
            ConfigError: A newer memplug made it.
        """
        try:
            held = json.loads(text)
            # First of all: a newer format may have another shape.
            check_format(place, held["format"] if "format" in held else held["profile"]["format"])
            return cls(profile=_profile(held["profile"]), tables={role: str(held["tables"][role]) for role in TABLES})
        except (ValueError, KeyError, TypeError) as error:
            raise BackendError(f"the store file {POINTER} at {place!r} is damaged: {error!r}") from error


def first_pointer(profile: StoreProfile) -> Pointer:
    """The pointer of a new store."""
    return Pointer(profile=profile, tables={role: f"{role}-1" for role in TABLES})


def local_path(location: str) -> Path:
    """The folder that a location means: a path, ``~/…``, or ``lancedb:///path``.

    Raises:
        ConfigError: The scheme is none that this backend keeps stores on.
    """
    path = location.removeprefix("lancedb://") if location.startswith("lancedb://") else location
    if found := _REMOTE.match(path):
        raise ConfigError(
            f"a store's folder cannot be at a {found[1]}:// location",
            hint="give a folder on a local disk: a path, ~/path or lancedb:///path",
        )
    if not path:
        raise ConfigError("the store's location is empty")
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - keeps symbolic links as given


@dataclass(frozen=True, slots=True)
class Folder:
    """A store's folder on a local disk. See `memplug.backends.lancedb.place.Place`."""

    root: Path

    @property
    def name(self) -> str:
        """See `Place.name`."""
        return str(self.root)

    @property
    def generation(self) -> int:
        """See `Place.generation`: a local table looks for itself (`Tier.version`)."""
        return 0

    @property
    def exclusive(self) -> bool:
        """See `Place.exclusive`: the system lets go of a lock only when its holder does, or dies."""
        return True

    @property
    def tables(self) -> Path:
        """Where LanceDB keeps the tables."""
        return self.root / "tables"

    @property
    def pointer_file(self) -> Path:
        """The file that names the current tables."""
        return self.root / POINTER

    def table(self, name: str) -> Path:
        """The folder of one table, or of a journal."""
        return self.tables / f"{name}{_JOURNAL if name.startswith('recent-') else _TABLE}"

    def stamp(self) -> tuple[int, int] | None:
        """See `Place.stamp`; one system call."""
        try:
            found = os.stat(os.path.join(self.root, POINTER))  # noqa: PTH116, PTH118 - the hot path of every read
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BackendError(f"the store at {str(self.root)!r} cannot be read: {error.strerror}") from error
        return found.st_ino, found.st_mtime_ns

    def stale(self) -> None:
        """See `Place.stale`: nothing is remembered here."""

    def catch_up(self, catalog: Catalog) -> None:
        """See `Place.catch_up`: never asked for here."""

    def gone(self) -> bool:
        """See `Place.gone`. Locking would make the folder again."""
        return self.stamp() is None

    def prepare(self) -> None:
        """See `Place.prepare`."""
        with lance_errors("make the store's folder"):
            made = [path for path in (self.root, *self.root.parents) if not path.exists()]
            self.tables.mkdir(parents=True, exist_ok=True)
            for path in made:
                sync_folder(path.parent)

    def read(self) -> Pointer:
        """See `Place.read`."""
        try:
            text = self.pointer_file.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise BackendError(f"the store file {str(self.pointer_file)!r} is damaged: {error!r}") from error
        return Pointer.parsed(text, str(self.root))

    def point(self, pointer: Pointer) -> None:
        """See `Place.point`; in one step that survives a power cut."""
        with lance_errors("write the store file"):
            self._replace(self.pointer_file, pointer.text())

    def text(self, name: str) -> str | None:
        """See `Place.text`."""
        with lance_errors(f"read {name}"):
            try:
                return (self.root / name).read_text("utf-8", "replace")
            except FileNotFoundError:
                return None

    def write(self, name: str, text: str) -> None:
        """See `Place.write`; in one step that survives a power cut."""
        with lance_errors(f"write {name}"):
            self._replace(self.root / name, text)

    def _replace(self, path: Path, text: str) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(text, "utf-8")
        sync_file(fresh)
        fresh.replace(path)
        sync_folder(self.root)

    def drop(self, name: str) -> None:
        """See `Place.drop`."""
        with lance_errors(f"remove {name}"):
            (self.root / name).unlink(missing_ok=True)

    def lock(self, name: str) -> StoreLock:
        """See `Place.lock`."""
        return StoreLock(self.root / f".{name}.lock")

    def media(self, *, durable: bool) -> MediaFolder:
        """See `Place.media`."""
        return MediaFolder(self.root / "media", durable=durable)

    def connect(self) -> Any:
        """See `Place.connect`."""
        # Without this interval another process's commits would never be seen.
        return connect(str(self.tables), read_consistency_interval=timedelta(0))

    def tier(self, table: Any, *, durable: bool) -> Tier:
        """See `Place.tier`."""
        return Tier(table, self.table(table.name), durable=durable)

    def recent(self, name: str, library: Library, dimension: int, *, fresh: bool = False) -> Journal:
        """See `Place.recent`.

        Raises:
            ConfigError: It is a table, as nothing but an unreleased memplug made it here.
        """
        path = self.table(name)
        if not fresh and not path.exists() and path.with_suffix(_TABLE).exists():
            raise ConfigError(
                f"the store at {str(self.root)!r} was made by an unreleased memplug",
                hint="export it with that one, and import the archive into a new store",
            )
        journal = Journal(path, dimension, durable=library.durable)
        if fresh:
            self.remove_table(name)
            journal.make()
        journal.refresh()
        return journal

    @property
    def note(self) -> Path:
        """The file that names the tables of a rebuild that is not finished."""
        return self.root / REBUILD

    def promised(self) -> list[str]:
        """See `Place.promised`."""
        return promised(self.text(REBUILD))

    def remove_tables(self, keep: Iterable[str]) -> None:
        """See `Place.remove_tables`."""
        with lance_errors("remove an old table"):
            for path in self.unnamed(keep):
                remove_table(path)

    def unnamed(self, keep: Iterable[str]) -> list[Path]:
        """See `Place.unnamed`."""
        kept = {self.table(name) for name in keep}
        with lance_errors("look for old tables"):
            return [path for path in self.tables.iterdir() if path not in kept] if self.tables.is_dir() else []

    def remove_table(self, name: str) -> None:
        """See `Place.remove_table`."""
        with lance_errors("remove an old table"):
            if (path := self.table(name)).exists():
                remove_table(path)

    def sync_tables(self, *filled: str) -> None:
        """See `Place.sync_tables`."""
        with lance_errors("sync"):
            for path in map(self.table, filled):
                if path.suffix == _TABLE:  # a journal syncs itself when it is written anew
                    TableSync(path).sync()
            sync_folder(self.tables)


def promised(text: str | None) -> list[str]:
    """The tables that the note of an unfinished rebuild names; none where it is torn: then that begins anew, too."""
    try:
        return [str(name) for name in json.loads(text or "")[1].values()]
    except (ValueError, LookupError, AttributeError, TypeError):
        return []


def remove_table(path: Path) -> None:
    """Removes a table's folder; never is there half of one under its name, since that could be opened."""
    gone = path if path.suffix == _GONE else path.with_name(path.name + _GONE)
    if gone != path:
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
    shutil.rmtree(gone)


def _profile(held: dict[str, Any]) -> StoreProfile:
    """The fields that this memplug knows."""
    embedder, dimension = held["embedder"], held["dimension"]
    if not isinstance(embedder, str) or not isinstance(dimension, int) or dimension < 1:
        raise ValueError("the embedder's name must be a text and its dimension a positive number")
    return StoreProfile(embedder=embedder, dimension=dimension, format=held["format"])
