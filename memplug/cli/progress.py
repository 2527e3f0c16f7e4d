"""A progress bar for long work, where there is a terminal to show it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memplug.cli.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.cli.invocation import Invocation

    Progress = Callable[[int, int, str], None]


@contextmanager
def progress(invocation: Invocation, what: str) -> Iterator[Progress | None]:
    """Shows a bar on stderr while the block runs.

    Args:
        invocation: Says whether anybody wants to see it.
        what: The words beside the bar until the work gives its own.

    Yields:
        What the work calls with things done, things altogether, and what is being done; None without a terminal.
    """
    if invocation.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bars:
        task = bars.add_task(what, total=None)

        def advance(done: int, total: int, words: str) -> None:
            bars.update(task, completed=done, total=total, description=printable(words))

        yield advance
