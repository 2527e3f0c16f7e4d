"""The group of all commands: built-in ones at once, those of plugins when they are needed."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from memplug.cli.command import Command, global_options
from memplug.cli.failures import MEANINGS, reporting
from memplug.cli.invocation import Invocation

if TYPE_CHECKING:
    from memplug.plugins.manager import PluginManager

    Sections = tuple[tuple[str, tuple[click.Command, ...]], ...]

_SUMMARY = "Long-term memory for chat assistants: text and pictures in, recall out. Offline."
#: What a command's name takes on the help page, and a section's margins.
_NAME_WIDTH = 16


class Program(click.Group):
    """The group of all commands. Plugins are asked for theirs only when a name is unknown or all are listed.

    So a plugin can neither slow a built-in command down nor stop it.

    Args:
        sections: The built-in commands under their headings, in the order of the help page.
    """

    #: What plugins' commands are made of, unless they say otherwise.
    command_class = Command

    def __init__(self, sections: Sections) -> None:
        super().__init__(
            name="memplug",
            help=_SUMMARY,
            params=[*global_options(environment=True), _version_option()],
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        )
        self._sections = sections
        self._manager: PluginManager | None = None
        for _, commands in sections:
            for command in commands:
                self.add_command(command)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Makes the context with an `Invocation`, and lets warnings go to stderr while it lives."""
        warnings = _Warnings(extra.setdefault("obj", Invocation()))
        _show_anything()
        try:
            context = super().make_context(info_name, args, parent, **extra)
        except BaseException:
            warnings.remove()
            raise
        context.call_on_close(warnings.remove)
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; what it raises becomes a message and an exit code."""
        with reporting(ctx.obj):
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, the plugins' too."""
        self.plugins(ctx)
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in self.commands:
            self.plugins(ctx)
        return super().get_command(ctx, cmd_name)

    def plugins(self, ctx: click.Context) -> PluginManager:
        """The plugins, after they have added their commands; loaded when first asked for."""
        if self._manager is None:
            from memplug.plugins.manager import PluginManager

            with reporting(ctx.obj):
                self._manager = PluginManager()
                self._manager.add_commands(self)
        return self._manager

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands in sections."""
        self.plugins(ctx)
        own = [command for _, commands in self._sections for command in commands]
        foreign = tuple(command for command in self.commands.values() if command not in own and not command.hidden)
        for title, commands in (*self._sections, ("From plugins", foreign)):
            room = formatter.width - _NAME_WIDTH
            rows = [(command.name or "", command.get_short_help_str(room)) for command in commands]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Writes what the exit codes mean."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in MEANINGS.items()])


class _Warnings(logging.Handler):
    """Shows each of memplug's warnings once, unless nobody wants to know.

    Args:
        invocation: Says whether anybody wants to, and where they go.
    """

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(level=logging.WARNING)
        self._invocation = invocation
        self._seen: set[str] = set()
        logging.getLogger("memplug").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        words = " ".join(record.getMessage().split())
        if self._invocation.quiet or words in self._seen:
            return
        self._seen.add(words)
        self._invocation.err.line(("warning", "yellow"), f": {words}")

    def remove(self) -> None:
        logging.getLogger("memplug").removeHandler(self)


def _show_anything() -> None:
    """Keeps a terminal that cannot show a character from ending the program: it sees an escape instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _version_option() -> click.Option:
    return click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_show_version,
        help="Show the version and exit.",
    )


def _show_version(context: click.Context, _: click.Parameter, value: object) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"memplug {version('memplug')}")
        context.exit()
