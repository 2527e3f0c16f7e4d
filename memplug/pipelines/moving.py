"""Moving in: finds out what a file is, and hands it to the import that reads it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.exceptions import ConfigError, MalformedInput
from memplug.pipelines.bulk import LineImporter
from memplug.pipelines.foreign.bundle import Zipped, open_bundle
from memplug.pipelines.foreign.formats import ARCHIVE, LINES, check_format
from memplug.pipelines.foreign.importing import ForeignImporter
from memplug.pipelines.foreign.recognising import ARCHIVE_LINES, recognised

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.pipelines.foreign.bundle import Bundle
    from memplug.pipelines.foreign.recognising import Recognised
    from memplug.pipelines.ingest import Ingest
    from memplug.pipelines.reports import ImportReport, Progress
    from memplug.pipelines.transfer import Importer
    from memplug.values.scope import Scope

CURRENT, ALL = "current", "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """All imports."""

    ingest: Ingest
    importer: Importer

    def load(
        self, path: Path, scope: Scope | None, progress: Progress | None, *, format_: str | None, branches: str
    ) -> ImportReport:
        """Brings in whatever the file is; see `Memory.import_`."""
        check_format(format_)
        if branches not in (CURRENT, ALL):
            raise ConfigError(f"branches must be 'current' or 'all', not {branches!r:.60}")
        if format_ == LINES:
            return LineImporter(self.ingest).load(path, scope, progress)
        if path.exists() and not path.is_file() and not path.is_dir():
            raise MalformedInput(f"{path.name!r} is not a file", hint="a pipe can be read only once; save it first")
        if not path.exists():
            raise MalformedInput(f"there is no file {path.name!r}")
        with closing(open_bundle(path)) as bundle:
            found = None if _is_archive(bundle, format_) else recognised(bundle, format_)
            if found is not None:
                return self._foreign(bundle, found, scope, progress, all_branches=branches == ALL)
            if _is_archive(bundle, format_):
                return self._archive(path, scope, progress)
        return LineImporter(self.ingest).load(path, scope, progress)

    def _archive(self, path: Path, scope: Scope | None, progress: Progress | None) -> ImportReport:
        report = self.importer.load(path, scope, progress)
        self.ingest.turns.forget()
        return report

    def _foreign(
        self, bundle: Bundle, found: Recognised, scope: Scope | None, progress: Progress | None, *, all_branches: bool
    ) -> ImportReport:
        importer = ForeignImporter(ingest=self.ingest, limits=self.importer.limits)
        return importer.load(bundle, found, scope, progress, all_branches=all_branches)


def _is_archive(bundle: Bundle, format_: str | None) -> bool:
    return format_ == ARCHIVE or (format_ is None and isinstance(bundle, Zipped) and ARCHIVE_LINES in bundle.sizes)
