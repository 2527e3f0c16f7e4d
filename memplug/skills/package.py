"""The files of a skill, as they lie in the ZIP or the single `SKILL.md` that was handed in.

Nothing is ever unpacked to disk or run: a path is only a word to ask for.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput, NotFound
from memplug.skills.archive import STARTS, is_zip, open_archive, read_file
from memplug.skills.manifest import MAIN

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Collection, Mapping

    from memplug.values.limits import Limits

#: An entry of a ZIP's directory, the place of its name's length in it, and its bytes before the name.
_ENTRY, _NAME_LENGTH, _NAME = b"PK\x01\x02", 28, 46
#: Entries that are looked at to tell a skill from another archive.
_LOOKED_AT = 5_000
_MAIN_PATH = re.compile(r"(?:[^/\\]+/)?skill\.md", re.IGNORECASE)
#: What packers leave beside a folder, and nobody means to hand in.
_LITTER = re.compile(r"__MACOSX/.*|\.DS_Store|Thumbs\.db|desktop\.ini", re.DOTALL | re.IGNORECASE)
#: Names that an error tells.
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillFile:
    """A file of a skill.

    Args:
        path: From the skill's own folder, with slashes.
        size: In bytes.
    """

    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The files of a skill.

    Args:
        files: Sorted by path.
        main: The path of the `SKILL.md`.
        content_type: ``application/zip``, or ``text/markdown`` for a single file.
        folder: The folder that all of them lie in; empty where they lie in none.
        warnings: What is odd about them, in words.
    """

    files: tuple[SkillFile, ...]
    main: str
    content_type: str
    folder: str = ""
    warnings: tuple[str, ...] = ()
    _readers: Mapping[str, Callable[[], bytes]] = field(repr=False, compare=False)

    def read(self, path: str) -> bytes:
        """A file, byte for byte.

        Raises:
            NotFound: There is none of exactly this path; the hint names some that are near.
            MalformedInput: It is damaged.
        """
        path = unicodedata.normalize("NFC", str(path))  # a PurePath will do
        reader = self._readers.get(path)
        if reader is None:
            raise NotFound(f"the skill has no file {path!r:.200}", hint=f"it has {near(path, self._readers)}")
        return reader()


def near(name: str, names: Collection[str]) -> str:
    """The names that somebody may have meant, or some of them, for the hint of an error."""
    found = difflib.get_close_matches(name, names, n=_SHOWN) or sorted(names)[:_SHOWN]
    return ", ".join(found) + (", …" if len(names) > len(found) else "")


def looks_like_skill(data: bytes) -> bool:
    """Whether bytes are a ZIP with a `SKILL.md` where a skill has it, by a quick look at the names in it."""
    if not data.startswith(STARTS):
        return False
    at, found = data.find(_ENTRY), False
    for _ in range(_LOOKED_AT):
        if not 0 <= at <= len(data) - _NAME:
            break
        end = at + _NAME + int.from_bytes(data[at + _NAME_LENGTH : at + _NAME_LENGTH + 2], "little")
        name = data[at + _NAME : end].decode("utf-8", "replace")
        if name == "[Content_Types].xml":  # an Office file, whatever else lies in it
            return False
        found = found or _MAIN_PATH.fullmatch(name) is not None
        at = data.find(_ENTRY, end)
    return found


def open_package(data: bytes, limits: Limits) -> Package:
    """The files in a ZIP, its directory judged before anything is read; or the one file that the bytes are.

    Args:
        data: The original of a skill.
        limits: The numbers whose names begin with ``skill``.

    Raises:
        MalformedInput: It is damaged, or holds no `SKILL.md`, or several skills.
        InputTooLarge: It is over a limit.
        EncryptedInput: A file needs a password.
        UnsafeInput: It is made to do harm, or reads differently to different readers.
    """
    if not is_zip(data):
        _check_size(f"the {MAIN}", len(data), limits.skill_bytes)
        return Package(
            files=(SkillFile(path=MAIN, size=len(data)),),
            main=MAIN,
            content_type="text/markdown",
            _readers={MAIN: lambda: data},
        )
    _check_size("the skill's ZIP file", len(data), limits.skill_zip_bytes)
    file, entries = open_archive(data, limits)
    kept = {path: info for path, info in entries.items() if not _LITTER.fullmatch(path)}
    if len(kept) > limits.skill_files:
        raise InputTooLarge(f"the skill has {len(kept):,} files; at most {limits.skill_files:,} are taken")
    main = _main(kept)
    _check_size(f"the {MAIN}", kept[main].file_size, limits.skill_bytes)
    return _rooted(file, kept, main, litter=len(entries) - len(kept))


def _check_size(what: str, size: int, most: int) -> None:
    if size > most:
        raise InputTooLarge(f"{what} has {size:,} bytes; at most {most:,} are taken")


def _main(paths: Collection[str]) -> str:
    """The path of the `SKILL.md` at the first level, or in the single top folder."""
    found = [path for path in paths if _MAIN_PATH.fullmatch(path)]
    flat = [path for path in found if "/" not in path]
    tops = {path.partition("/")[0] for path in paths}
    if flat or (found and len(tops) == 1):
        return (flat or found)[0]
    if len(found) > 1:
        raise MalformedInput(
            f"the ZIP file holds several skills: {', '.join(sorted(found)[:_SHOWN])}", hint="a ZIP each"
        )
    if found:
        raise MalformedInput(
            f"the ZIP file holds files beside the skill's folder, {found[0]!r:.200}", hint="pack it alone"
        )
    deeper = [path for path in paths if path.rpartition("/")[2].lower() == MAIN.lower()]
    where = f"; there is one at {deeper[0]!r:.200}" if deeper else ""
    raise MalformedInput(
        f"the ZIP file holds no {MAIN}{where}", hint="at the first level, or inside the single top folder"
    )


def _rooted(file: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], main: str, *, litter: int) -> Package:
    """The package with paths as seen from the folder of its `SKILL.md`."""
    folder, slash, name = main.rpartition("/")
    own = {path.removeprefix(folder + slash): entries[path] for path in sorted(entries)}
    warnings = [f"the file is called {name}, not {MAIN}"] if name != MAIN else []
    if litter:
        warnings.append(f"{litter} files that the packer left beside it were passed over")
    return Package(
        files=tuple(SkillFile(path=path, size=info.file_size) for path, info in own.items()),
        main=name,
        content_type="application/zip",
        folder=folder,
        warnings=tuple(warnings),
        _readers={path: partial(read_file, file, info) for path, info in own.items()},
    )
