"""The verbs about a store as a whole: what goes on in the background, moving in and out, and keeping it in order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from memplug.pipelines.doctor import Doctor, Report
from memplug.pipelines.moving import Mover
from memplug.pipelines.transfer import Exporter, ExportReport, Importer, ImportReport
from memplug.values.scope import ScopeIds, optional_scope

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from memplug.engine import Engine
    from memplug.pipelines.tasks import TaskStatus
    from memplug.settings import Settings


class Upkeep:
    """What `Memory` has beside its verbs for single memories."""

    settings: Settings
    engine: Engine

    def status(self, task_id: str) -> TaskStatus:
        """How far the work has come that `add` with ``wait=False`` left to do, whichever process is at it.

        Raises:
            NotFound: There is no such task; one that has ended can be asked for during seven days.
        """
        return self.engine.worker.status(task_id)

    def wait(
        self, task_id: str, timeout: float | None = None, *, progress: Callable[[int, int, str], None] | None = None
    ) -> TaskStatus:
        """Waits for that work, for at most ``timeout`` seconds, and tells how far it has come.

        Raises:
            NotFound: There is no such task.
        """
        self.engine.worker.start()
        return self.engine.worker.wait(task_id, timeout, progress)

    def work(self, *, again: bool = False, progress: Callable[[int, int, str], None] | None = None) -> float | None:
        """Carries out what is pending in the whole store and due now, also what a process that was killed left.

        Args:
            again: Also take up what has failed: what a server refused before its key was right, or was down for too
                long.
            progress: Told tasks done, tasks altogether, and what is being done.

        Returns:
            Seconds until something is due again; None where nothing is left that this process has a step for.
        """
        if again:
            self.engine.worker.revive()
        self.engine.worker.adopt()
        return self.engine.worker.round(progress)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        progress: Callable[[int, int, str], None] | None = None,
        **ids: Unpack[ScopeIds],
    ) -> ExportReport:
        """Writes memories, all their versions and their originals to one ZIP file (see `memplug.pipelines.archive`).

        Args:
            path: The file to write; replaced only when the new one is whole.
            user_id, agent_id, run_id, bucket: Whose memories; none means the whole store.
            progress: Told memories done, memories altogether, and what is being done.

        Raises:
            ConfigError: The file cannot be written.
            StoreFull: There is no room for it.
        """
        scope = optional_scope(ids)
        return Exporter(store=self.engine.store).export(Path(path), scope, progress)

    def import_(
        self,
        path: str | os.PathLike[str],
        *,
        format: Literal["memplug", "jsonl", "mem0", "chatgpt", "claude"] | None = None,  # noqa: A002
        branches: Literal["current", "all"] = "current",
        progress: Callable[[int, int, str], None] | None = None,
        **ids: Unpack[ScopeIds],
    ) -> ImportReport:
        """Brings in what `export` wrote, JSON Lines (see `memplug.pipelines.bulk`), or what another system exported.

        Running it again passes over what is there already, so an import that was cut off is simply repeated, and a
        later export of the same account brings what is new or changed.

        Args:
            path: The file: an archive, JSON Lines, mem0's `get_all` as JSON; ChatGPT's or Claude's export as the ZIP
                that was downloaded, unpacked, or its ``conversations.json``.
            user_id, agent_id, run_id, bucket: For an archive: make the memories this scope's own instead of their old
                one's; what lies inside it stays as it is. For lines: the scope that they lie in; a line may narrow it,
                never leave it. For mem0: ids to take instead of the memories' own. For conversations: whose they are.
            format: What the file is; found out by what stands in it where left out.
            branches: Of conversations: the branch that was seen last, or also what was edited away.
            progress: Told what is done, what there is, and what is being done.

        Returns:
            How many memories were added, updated or unchanged, what was rejected and why, and what was left out.

        Raises:
            MalformedInput, UnsafeInput: The file as a whole cannot be read; single memories are rejected alone.
            ScopeError: Conversations of another system, and no scope.
        """
        importer = Importer(
            store=self.engine.store,
            plugins=self.engine.plugins,
            embedder=self.engine.embedder,
            limits=self.settings.limits,
        )
        mover = Mover(ingest=self.engine.ingest, importer=importer)
        return mover.load(Path(path), optional_scope(ids), progress, format_=format, branches=branches)

    def doctor(self, *, repair: bool = False, progress: Callable[[int, int, str], None] | None = None) -> Report:
        """Examines the whole store: versions, originals, words, embedder.

        Args:
            repair: Also repair what can be repaired without losing anything.
            progress: Told memories done, memories altogether, and what is being done.
        """
        return Doctor(store=self.engine.store, embedder=self.engine.embedder, limits=self.settings.limits).examine(
            repair=repair, progress=progress
        )

    def maintain(self, progress: Callable[[int, int, str], None] | None = None) -> None:
        """Does at once the upkeep that otherwise happens by itself, and removes originals that no memory names."""
        backend = self.engine.store.backend
        backend.maintain(progress, now=self.engine.store.clock())
        backend.release_media(list(backend.list_media()))
