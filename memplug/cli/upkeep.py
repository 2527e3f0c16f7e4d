"""The commands for the store as a whole: ``export``, ``import``, ``reindex``, ``maintain`` and ``doctor``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memplug.cli.command import command, scope_options, typed_scope_options
from memplug.cli.documents import error_document
from memplug.cli.failures import OK, STORE_FAILED, exit_code_of_several
from memplug.cli.files import refuse_existing
from memplug.cli.progress import progress
from memplug.pipelines.foreign.formats import FORMATS

if TYPE_CHECKING:
    from memplug.cli.invocation import Invocation
    from memplug.cli.screen import Screen
    from memplug.pipelines.doctor import Check, Report
    from memplug.pipelines.transfer import ImportReport
    from memplug.values.scope import ScopeIds

_PATH = click.Path(path_type=Path)
#: Rejected lines of an import that are shown one by one; the rest is counted.
_SHOWN = 20


@command("export")
@click.argument("path", metavar="FILE.zip", type=_PATH)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@scope_options
def export(invocation: Invocation, *, path: Path, force: bool, ids: ScopeIds) -> None:
    """Write memories to one ZIP file.

    All versions and originals come along. Without a scope it is the whole store.
    """
    refuse_existing(path, force=force)
    with invocation.open(read_only=True) as memory, progress(invocation, "exporting") as advance:
        report = memory.export(path, progress=advance, **ids)
    document = {
        "memories": report.memories,
        "versions": report.versions,
        "media": report.media,
        "path": str(report.path),
        "missing": list(report.missing),
    }
    words = f"  {report.memories} memories, {report.versions} versions, {report.media} originals to {report.path}"
    invocation.answer(document, lambda screen: screen.line(("exported", "green"), words))
    if report.missing:
        invocation.note(f"{len(report.missing)} memories have lost their originals: {', '.join(report.missing[:5])}")


@command("import")
@click.argument("path", metavar="FILE", type=_PATH)
@click.option("--from", "format_", type=click.Choice(FORMATS), help="What the file is. Default: found out by itself.")
@click.option("--all-branches", is_flag=True, help="Of conversations, also take what was edited away.")
@typed_scope_options
def import_(invocation: Invocation, *, path: Path, format_: Any, all_branches: bool, ids: ScopeIds) -> None:
    """Bring in an export of memplug, mem0, ChatGPT or Claude, or JSON Lines.

    Running it again adds nothing twice, and a later export adds what is new. An export of ChatGPT or Claude is the
    ZIP that was downloaded, or what it unpacks to; --user says whose it is. For memplug's own, a scope makes the
    memories that scope's own; for mem0's it replaces their ids; for lines it is that of lines that name none.
    """
    branches: Any = "all" if all_branches else "current"
    with invocation.open() as memory, progress(invocation, "importing") as advance:
        report = memory.import_(path, format=format_, branches=branches, progress=advance, **ids)
    errors = [rejection.error for rejection in report.rejected]
    code = exit_code_of_several(errors, done=report.added + report.updated + report.unchanged)
    document = {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "rejected": [
            {"line": one.line, "place": one.where, "error": error_document(one.error)} for one in report.rejected
        ],
        "left_out": dict(report.left_out),
        "format": report.format,
    }
    invocation.answer(document, lambda screen: _show_import(screen, report), code=code)


@command("reindex")
def reindex(invocation: Invocation) -> None:
    """Give the store another embedder.

    It is the one that --embedder names. A reindex that was cut off is taken up by running it again.
    """
    if not invocation.embedder:
        raise click.UsageError("say which one: --embedder NAME[:MODEL]")
    from dataclasses import replace

    from memplug.reindex import reindex as run

    with progress(invocation, "reindexing") as advance:
        report = run(replace(invocation.settings(), embedder=None), invocation.embedder, progress=advance)
    words = f"  {report.memories} memories with {report.embedder}"
    invocation.answer(
        {"memories": report.memories, "embedder": report.embedder},
        lambda screen: screen.line(("reindexed", "green"), words),
    )


@command("maintain")
def maintain(invocation: Invocation) -> None:
    """Do the upkeep now that happens by itself later."""
    with invocation.open() as memory, progress(invocation, "maintaining") as advance:
        memory.maintain(advance)
    invocation.answer({}, lambda screen: screen.line(("done", "green")))


@command("worker")
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option("--every", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds between looks.")
@click.option("--again", is_flag=True, help="Also take up what has failed, once.")
def worker(invocation: Invocation, *, once: bool, every: float, again: bool) -> None:
    """Carry out what `add` left to do in the background, whichever process left it, until it is stopped."""
    with invocation.open() as memory, progress(invocation, "working") as advance:
        while (pause := memory.work(again=again, progress=advance)) is not None or not once:
            again = False
            if once and pause:
                break
            time.sleep(every if pause is None else min(pause, every))
    words = "  nothing is left" if pause is None else f"  something is due again in {pause:.0f} s"
    invocation.answer({"due_in": pause}, lambda screen: screen.line(("done", "green"), words))


@command("doctor")
@click.option("--repair", is_flag=True, help="Repair what can be repaired without losing anything.")
def doctor(invocation: Invocation, *, repair: bool) -> None:
    """Examine the store, and repair it."""
    with invocation.open(read_only=not repair) as memory, progress(invocation, "examining") as advance:
        report = memory.doctor(repair=repair, progress=advance)
    document = {"checks": [asdict(check) for check in report.checks]}
    invocation.answer(
        document, lambda screen: _show_report(screen, report, repair=repair), code=OK if report.ok else STORE_FAILED
    )


def _show_import(screen: Screen, report: ImportReport) -> None:
    counts = (("added", report.added), ("updated", report.updated), ("unchanged", report.unchanged))
    said = ", ".join(f"{count} {word}" for word, count in (*counts, ("rejected", len(report.rejected))))
    screen.line(("imported", "green"), f"  {said}")
    for rejection in report.rejected[:_SHOWN]:
        screen.line(("rejected", "bold red"), f"  {rejection.where}: {' '.join(str(rejection.error).split())}")
    if len(report.rejected) > _SHOWN:
        screen.line(f"          and {len(report.rejected) - _SHOWN} more; --json has them all")
    for what, count in report.left_out.items():
        screen.line(("left out", "yellow"), f"  {count} {what}")


def _show_report(screen: Screen, report: Report, *, repair: bool) -> None:
    for check in report.checks:
        screen.line(_state(check), f"  {check.name}{_counts(check)}")
        if check.detail:
            screen.wrapped(check.detail, indent=" " * 9)
    if not report.ok and not repair:
        screen.line(("`memplug doctor --repair` repairs what it can without losing anything", "dim"))


def _state(check: Check) -> tuple[str, str]:
    return ("ok     ", "green") if check.ok else ("problem", "bold red")


def _counts(check: Check) -> str:
    if not check.found:
        return ""
    return f": {check.found} found, {check.repaired} repaired"
