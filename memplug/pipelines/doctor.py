"""Examines a store, and repairs what can be repaired without losing anything."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from memplug.exceptions import BackendError, NotFound, StoreReadOnly
from memplug.pipelines.identity import media_digest
from memplug.pipelines.indexing import index
from memplug.pipelines.wholes import Wholes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memplug.plugins.protocols import Embedder, ExaminedBackend, Finding
    from memplug.store import Store
    from memplug.values.item import Record
    from memplug.values.limits import Limits

    Progress = Callable[[int, int, str], None]

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What.
        ok: Whether nothing is wrong, or everything that was is repaired.
        found: How many are wrong.
        repaired: How many of these were repaired.
        detail: What it means, with up to three examples.
    """

    name: str
    ok: bool
    found: int = 0
    repaired: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an examination found."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check is."""
        return all(check.ok for check in self.checks)


@dataclass(slots=True)
class _Findings:
    wholes: Wholes
    memories: int = 0
    twice: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unindexed: list[Record] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    lone: list[str] = field(default_factory=list)
    hollow: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Looks at every current memory once, and at every original."""

    store: Store
    embedder: Embedder
    limits: Limits

    def examine(self, *, repair: bool, progress: Progress | None) -> Report:
        """Checks the store; see `Memory.doctor`."""
        self.store.backend.latest(())  # a store that is closed, or away, is no finding
        findings = _Findings(wholes=Wholes(store=self.store, limits=self.limits))
        own, orphans = self._own(findings, repair=repair), list[str]()
        try:
            self._look_at_all(findings, progress)
            findings.lone += findings.wholes.lone_pieces()
            findings.hollow += findings.wholes.hollow()
            orphans = self._orphans()
        except BackendError as error:
            findings.unreadable.append(str(error))
        # What cannot be read may name media, so none of it counts as an orphan then.
        if repair and not findings.unreadable:
            self.store.backend.release_media(orphans)
            self.store.backend.remove_media(findings.broken)
        return Report(
            checks=(
                _check(
                    "every memory can be read", findings.unreadable, "bring the store back from an export or backup"
                ),
                _check("embedder", [] if self._embedder_fits() else [self.store.backend.profile.embedder], "differs"),
                _check("one current version per memory", findings.twice, "listed twice"),
                _check("originals are there", findings.missing, "their bytes are gone; add the same file again"),
                _check("originals are whole", findings.damaged, "their bytes changed; repair, then add it again"),
                _check("found by its words", [record.id for record in findings.unindexed], "run `memplug reindex`"),
                _check("every step done", findings.unfinished, "pending or failed; see their error"),
                _check("passages have their document", findings.lone, "it is gone; erase them, or add the file again"),
                _check("documents have their passages", findings.hollow, "delete it and add the file again"),
                _check("no original without memory", orphans, "takes room only", repaired=len(orphans) * repair),
                *(_check(one.name, one.wrong, one.meaning, repaired=one.repaired) for one in own),
            )
        )

    def _own(self, findings: _Findings, *, repair: bool) -> Sequence[Finding]:
        """What the backend says of its own files, where it looks at them; the repairs come before everything else."""
        backend = self.store.backend
        if not backend.capabilities.examination:
            return ()
        try:
            return cast("ExaminedBackend", backend).examine(repair=repair)
        except StoreReadOnly:
            raise
        except BackendError as error:
            findings.unreadable.append(str(error))
            return ()

    def _look_at_all(self, findings: _Findings, progress: Progress | None) -> None:
        seen: set[str] = set()
        total = self.store.size()
        for page in self.store.everything(batch=_BATCH, vectors=True):
            for record in page:
                self._look(record, findings, seen)
            findings.memories += len(page)
            if progress:
                progress(findings.memories, max(total, findings.memories), "examining")

    def _look(self, record: Record, findings: _Findings, seen: set[str]) -> None:
        if record.id in seen:
            findings.twice.append(record.id)
        seen.add(record.id)
        findings.wholes.look(record)
        if record.item.status != "ready":
            findings.unfinished.append(record.id)
        [expected] = index([record], self.embedder)
        if expected.terms != record.terms or (expected.vector is None) is not (record.vector is None):
            findings.unindexed.append(record)
        for digest in record.item.digests:
            self._look_at_media(record, digest, findings)

    def _look_at_media(self, record: Record, digest: str, findings: _Findings) -> None:
        try:
            with closing(self.store.backend.open_media(digest)) as file:
                data = file.read()
        except NotFound:
            findings.missing.append(record.id)
        else:
            if media_digest(data) != digest:
                findings.damaged.append(record.id)
                findings.broken.append(digest)

    def _orphans(self) -> list[str]:
        """Originals that no version of any memory names: left by an `add` that was cut off before its commit."""
        digests = list(self.store.backend.list_media())
        return sorted(set(digests) - self.store.backend.references(digests))

    def _embedder_fits(self) -> bool:
        profile = self.store.backend.profile
        return (profile.embedder, profile.dimension) == (self.embedder.name, self.embedder.dimension)


def _check(name: str, wrong: Sequence[str], meaning: str, *, repaired: int = 0) -> Check:
    examples = ", ".join(wrong[:3]) + (", …" if len(wrong) > 3 else "")  # noqa: PLR2004 - three examples
    detail = f"{meaning}: {examples}" if wrong else ""
    return Check(name=name, ok=len(wrong) == repaired, found=len(wrong), repaired=repaired, detail=detail)
