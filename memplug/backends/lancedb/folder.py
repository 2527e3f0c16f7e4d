"""The store's folder: what lies where, and the small file that says which tables are the current ones.

    store.json            profile and the names of the current tables; replaced in one step, never edited
    tables/recent-1.lance, tables/memories-1.lance, tables/history-1.lance
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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memplug.backends.lancedb.durability import sync_file, sync_folder
from memplug.backends.lancedb.trouble import lance_errors
from memplug.backends.profile import check_format
from memplug.exceptions import BackendError, ConfigError
from memplug.plugins.protocols import StoreProfile

if TYPE_CHECKING:
    from collections.abc import Iterable

TABLES = ("recent", "memories", "history")
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
            f"the LanceDB store cannot be kept at {found[1]}:// locations",
            hint="give a folder on a local disk: a path, ~/path or lancedb:///path",
        )
    if not path:
        raise ConfigError("the store's location is empty")
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - keeps symbolic links as given


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths inside a store's folder, and its pointer file."""

    root: Path

    @property
    def tables(self) -> Path:
        """Where LanceDB keeps the tables."""
        return self.root / "tables"

    @property
    def pointer_file(self) -> Path:
        """The file that names the current tables."""
        return self.root / "store.json"

    def table(self, name: str) -> Path:
        """The folder of one table."""
        return self.tables / f"{name}.lance"

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever the pointer does, and costs one system call; None where there is no store."""
        try:
            found = os.stat(self.pointer_file)  # noqa: PTH116 - the hot path of every read
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BackendError(f"the store at {str(self.root)!r} cannot be read: {error.strerror}") from error
        return found.st_ino, found.st_mtime_ns

    def read(self) -> Pointer:
        """The pointer.

        Raises:
            BackendError: The file is damaged or cannot be read.
            ConfigError: A newer memplug made it.
        """
        try:
            held = json.loads(self.pointer_file.read_text("utf-8"))
            # First of all: a newer format may have another shape.
            check_format(str(self.root), held["format"] if "format" in held else held["profile"]["format"])
            return Pointer(
                profile=_profile(held["profile"]), tables={role: str(held["tables"][role]) for role in TABLES}
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackendError(f"the store file {str(self.pointer_file)!r} is damaged: {error!r}") from error

    def point(self, pointer: Pointer) -> None:
        """Makes other tables the current ones, in one step that survives a power cut."""
        fresh = self.pointer_file.with_suffix(".new")
        with lance_errors("write the store file"):
            fresh.write_text(json.dumps(asdict(pointer), indent=1), "utf-8")
            sync_file(fresh)
            fresh.replace(self.pointer_file)
            sync_folder(self.root)

    @property
    def note(self) -> Path:
        """The file that names the tables of a rebuild that is not finished."""
        return self.root / "rebuild.json"

    def promised(self) -> list[str]:
        """The tables that an unfinished rebuild goes on with; none where its note cannot be understood."""
        try:
            return [str(name) for name in json.loads(self.note.read_text("utf-8"))[1].values()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BackendError(f"the store file {str(self.note)!r} cannot be read: {error.strerror}") from error
        except (ValueError, LookupError, AttributeError, TypeError):
            return []  # torn by a power cut: then the rebuild begins anew, too

    def remove_tables(self, keep: Iterable[str]) -> None:
        """Removes every table that is not named: what a rewrite left behind, finished or not."""
        with lance_errors("remove an old table"):
            for path in self.unnamed(keep):
                remove_table(path)

    def unnamed(self, keep: Iterable[str]) -> list[Path]:
        """What lies beside the tables that are named."""
        kept = {self.table(name) for name in keep}
        with lance_errors("look for old tables"):
            return [path for path in self.tables.iterdir() if path not in kept] if self.tables.is_dir() else []


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
