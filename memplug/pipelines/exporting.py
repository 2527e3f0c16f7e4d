"""Export: whole stores or single scopes, with media and versions."""

from __future__ import annotations

import errno
import os
import tempfile
import zipfile
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from memplug.exceptions import BackendError, ConfigError, NotFound, StoreFull
from memplug.pipelines.archive import ArchiveWriter
from memplug.pipelines.codec import to_json
from memplug.pipelines.reports import ExportReport
from memplug.rights import REGISTER
from memplug.store import View
from memplug.values.limits import MIB
from memplug.values.scope import is_reserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.pipelines.reports import Progress
    from memplug.store import Store
    from memplug.values.item import Record
    from memplug.values.scope import Scope

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class _Counts:
    memories: int = 0
    versions: int = 0
    media: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Writes archives."""

    store: Store

    def export(self, path: Path, scope: Scope | None, progress: Progress | None) -> ExportReport:
        """Writes the current memories of a scope (None: of the whole store) with their versions and media.

        The file appears under its name only when it is whole. Only the user who runs this can read it.

        Raises:
            ConfigError: The file cannot be written.
            StoreFull: There is no room for it.
        """
        total = self.store.size() if scope is None else self.store.count(View(scope=scope))
        counts = _Counts()
        with _replaced(path) as file, _temporary(path) as lines, _zipped(path, file) as archive:
            writer = ArchiveWriter(file=archive, lines=lines)
            for record in self._records(scope):
                with _writing(path):
                    self._write(record, writer, counts)
                if progress:
                    progress(counts.memories, max(total, counts.memories), "exporting")
            with _writing(path):
                writer.finish({"memories": counts.memories, "versions": counts.versions, "media": len(counts.media)})
        return ExportReport(
            memories=counts.memories,
            versions=counts.versions,
            media=len(counts.media),
            path=path.absolute(),
            missing=tuple(counts.missing),
        )

    def _records(self, scope: Scope | None) -> Iterator[Record]:
        pages = self.store.everything() if scope is None else self.store.pages(scope)
        for page in pages:
            # What is left to do here, another store cannot do; who shares what is told there too.
            yield from (one for one in page if not is_reserved(one.item.ids) or one.item.run_id == REGISTER)

    def _write(self, record: Record, writer: ArchiveWriter, counts: _Counts) -> None:
        versions = [record] if record.version == 1 else self.store.backend.versions(record.id)
        if not versions:
            # Erased since it was listed.
            return
        digests = dict.fromkeys(digest for version in versions for digest in version.item.digests)
        for digest in digests:
            self._write_media(digest, writer, counts)
        if counts.lost.intersection(digests):
            counts.missing.append(record.id)
        for version in versions:
            writer.write(to_json(version))
        counts.memories += 1
        counts.versions += len(versions)

    def _write_media(self, digest: str, writer: ArchiveWriter, counts: _Counts) -> None:
        if digest in counts.media or digest in counts.lost:
            return
        try:
            opened = self.store.backend.open_media(digest)
        except NotFound:
            counts.lost.add(digest)
            return
        with closing(opened) as file:
            writer.write_media(digest, _blocks(file))
        counts.media.add(digest)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of an original; where reading breaks, it is the store's fault and not the archive's."""
    try:
        while block := file.read(MIB):
            yield block
    except OSError as error:
        raise BackendError(f"an original cannot be read: {error.strerror or error}") from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"there is no room to write {str(path)!r}") from error
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


@contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of ``path`` once the block has ended well; else nothing of it stays.

    Its name is drawn and opened exclusively: one that can be guessed may be a user's own file, or somebody's link.
    """
    with _writing(path):
        handle, name = tempfile.mkstemp(prefix=".memplug-", suffix=".partial", dir=path.parent)
    partial = Path(name)
    file = os.fdopen(handle, "wb")
    try:
        yield file
        with _writing(path):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            partial.replace(path)
    finally:
        with suppress(OSError):
            # Already closed where all went well; else it tries to write what a full disk did not take.
            file.close()
        partial.unlink(missing_ok=True)


@contextmanager
def _temporary(path: Path) -> Iterator[IO[bytes]]:
    """A nameless file beside ``path``, where there must be room for what goes into it anyway."""
    with _writing(path):
        file = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed below
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


@contextmanager
def _zipped(path: Path, file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """A ZIP that is finished where the block ended well, and let go of where it did not."""
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
    try:
        yield archive
        with _writing(path):
            archive.close()
    finally:
        with suppress(OSError, ValueError):
            archive.close()
