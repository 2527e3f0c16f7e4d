"""The commands that take away and bring back: ``delete`` and ``restore``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from memplug.cli.command import command, scope_options
from memplug.cli.documents import error_document, item_document
from memplug.cli.failures import NOT_FOUND, exit_code_of_several
from memplug.exceptions import AccessDenied, MemplugError, NotFound
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.cli.invocation import Invocation
    from memplug.cli.screen import Screen
    from memplug.values.scope import ScopeIds


@command("delete")
@click.argument("memory_ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Delete all memories of the scope.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before --all.")
@click.option("--erase", is_flag=True, help="Also remove it from disk for good; `restore` cannot bring it back.")
@scope_options
def delete(
    invocation: Invocation,
    *,
    memory_ids: Sequence[str],
    everything: bool,
    yes: bool,
    erase: bool,
    ids: ScopeIds,
) -> None:
    """Delete memories, or all of a scope.

    A deleted memory is gone from every search and list at once; `restore` brings it back, unless it was erased.
    """
    if everything is bool(memory_ids):
        raise click.UsageError("give either IDs or --all")
    if not everything:
        _delete_some(invocation, memory_ids, ids, erase=erase)
        return
    scope = Scope(**ids)
    if not yes:
        _ask(invocation, scope, erase=erase)
    with invocation.open() as memory:
        count = memory.delete_all(**ids, erase=erase)
    word = "erased" if erase else "deleted"
    invocation.answer({word: count}, lambda screen: screen.line((word, "green"), f"  {count} memories"))


@command("restore")
@click.argument("id_", metavar="ID")
@click.argument("version", type=int)
@scope_options
def restore(invocation: Invocation, *, id_: str, version: int, ids: ScopeIds) -> None:
    """Bring an earlier version back.

    VERSION becomes the newest one again; this also undoes a deletion.
    """
    with invocation.open() as memory:
        item = memory.restore(id_, version, **ids)
    invocation.answer(
        {"memory": item_document(item)},
        lambda screen: screen.line(("restored", "green"), f"  {item.id}  version {version} as {item.version}"),
    )


def _delete_some(invocation: Invocation, memory_ids: Sequence[str], ids: ScopeIds, *, erase: bool) -> None:
    deleted: list[str] = []
    missing: list[tuple[str, MemplugError]] = []
    with invocation.open() as memory:
        for id_ in dict.fromkeys(memory_ids):
            try:
                memory.delete(id_, erase=erase, **ids)
            except (NotFound, AccessDenied) as error:
                missing.append((id_, error))
            else:
                deleted.append(id_)
    if len(missing) == 1 and not deleted:
        raise missing[0][1]
    word = "erased" if erase else "deleted"
    code = exit_code_of_several([error for _, error in missing], done=len(deleted))
    document = {
        word: deleted,
        "errors": [{"id": id_, "error": error_document(error)} for id_, error in missing],
    }
    invocation.answer(document, lambda screen: _show(screen, word, deleted, missing), code=code)


def _show(screen: Screen, done: str, deleted: Sequence[str], missing: Sequence[tuple[str, MemplugError]]) -> None:
    for id_ in deleted:
        screen.line((done, "green"), f"  {id_}")
    for id_, error in missing:
        word = "not found" if isinstance(error, NotFound) else "denied"
        screen.line((word, "bold red"), f"  {id_}  {error.message}")


def _ask(invocation: Invocation, scope: Scope, *, erase: bool) -> None:
    """Makes sure that somebody means it.

    Raises:
        UsageError: Nobody is there to answer.
        Exit: The answer was no.
    """
    if invocation.json:
        raise click.UsageError("--all with --json needs --yes")
    whose = ", ".join(f"{name.removesuffix('_id')} {value}" for name, value in scope.ids.items())
    what = "Erase for good" if erase else "Delete"
    invocation.err.line(f"{what} all memories of {invocation.err.clip(whose, 200)}? [y/N]")
    # click's own prompt would not tell an interrupt from an empty input.
    answer = sys.stdin.readline()
    if not answer:
        raise click.UsageError("nobody answered; --yes deletes without asking")
    if answer.strip().lower() not in ("y", "yes"):
        invocation.note("nothing was deleted")
        raise click.exceptions.Exit(NOT_FOUND)
