"""One run of the program: what its global options say, where its answer goes, and how it opens the store."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

from memplug.cli.options import read_options
from memplug.cli.printable import UNSAFE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memplug.cli.screen import Screen
    from memplug.memory import Memory
    from memplug.settings import Settings


@dataclass(slots=True, kw_only=True)
class Invocation:
    """What the global options say; commands find it as ``ctx.obj``.

    Args:
        store: Location of the store; None leaves it to `Memory`.
        store_from: Where that was said: ``COMMANDLINE`` or ``ENVIRONMENT``; empty where nobody did.
        embedder: Name of the embedder; None leaves it to `Memory`.
        options: Settings for the backend, each as it was typed: ``name=value``.
        json: Whether the answer is one JSON document.
        quiet: Whether to leave out notes, warnings and progress.
    """

    store: str | None = None
    store_from: str = ""
    embedder: str | None = None
    options: tuple[str, ...] = ()
    json: bool = False
    quiet: bool = False

    def open(self, *, read_only: bool = False) -> Memory:
        """The memory that the options name. Commands that only read ask for no more, and so never make a store."""
        from memplug.memory import Memory

        return Memory(self.store, embedder=self.embedder, read_only=read_only, options=read_options(self.options))

    def settings(self) -> Settings:
        """What `open` would open."""
        from memplug.settings import Settings, resolved_location

        location = resolved_location(self.store)
        return Settings(location=location, embedder=self.embedder, options=read_options(self.options))

    def answer(self, document: Mapping[str, Any], show: Callable[[Screen], None], *, code: int = 0) -> None:
        """Gives the command's answer: the document with ``--json``, else what ``show`` writes.

        Args:
            document: The answer as data; ``ok`` is added.
            show: Writes the answer for people.
            code: The exit code; anything but 0 ends the command.
        """
        if self.json:
            print(as_line({"ok": code == 0, **document}))
        else:
            show(self.out)
        if code:
            raise click.exceptions.Exit(code)

    def note(self, words: str) -> None:
        """Says something beside the answer, on stderr."""
        if not self.quiet:
            self.err.line((words, "dim"))

    @property
    def out(self) -> Screen:
        """Where answers for people go."""
        return screen_on(sys.stdout)

    @property
    def err(self) -> Screen:
        """Where diagnostics go."""
        return screen_on(sys.stderr)


def screen_on(stream: TextIO) -> Screen:
    """A screen on a stream. Rich is loaded when there is something to show, and not for ``--json``."""
    from memplug.cli.screen import Screen

    return Screen(stream)


def as_line(document: Mapping[str, Any]) -> str:
    """A JSON document on one line. Characters stay readable, except those that could control a terminal."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    text = json.dumps(document, ensure_ascii=not encoding.startswith("utf"), allow_nan=False)
    return UNSAFE.sub(_escaped, text)


def _escaped(found: Any) -> str:
    return json.dumps(found[0])[1:-1]
