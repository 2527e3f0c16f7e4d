"""The command that shows what memplug is made of: ``plugins``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import click

from memplug.cli.command import command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.cli.invocation import Invocation
    from memplug.cli.program import Program
    from memplug.cli.screen import Screen
    from memplug.plugins.info import PluginInfo

_STATE_STYLES = {"ok": "green", "failed": "bold red", "disabled": "dim"}
_INDENT = "  "


@command("plugins")
def plugins(invocation: Invocation) -> None:
    """List the plugins and how they fare.

    A plugin that failed is told here with the reason, and does not change the exit code.
    """
    context = click.get_current_context().find_root()
    found = cast("Program", context.command).plugins(context).plugins()
    invocation.answer({"plugins": [asdict(plugin) for plugin in found]}, lambda screen: _show(screen, found))


def _show(screen: Screen, found: Sequence[PluginInfo]) -> None:
    name_width = max(len(plugin.name) for plugin in found)
    for plugin in found:
        screen.line(
            (plugin.state.ljust(9), _STATE_STYLES[plugin.state]),
            (screen.clip(plugin.name, 40).ljust(min(name_width, 40)), "bold"),
            f"  {plugin.version or '-'}",
            (f"  {plugin.load_ms:.1f} ms", "dim"),
        )
        _show_details(screen, plugin)


def _show_details(screen: Screen, plugin: PluginInfo) -> None:
    if plugin.reason:
        screen.wrapped(plugin.reason, indent=_INDENT * 2)
    if plugin.hooks:
        screen.wrapped(f"hooks: {', '.join(plugin.hooks)}", indent=_INDENT * 2)
    if plugin.registered:
        screen.wrapped(f"brings: {', '.join(plugin.registered)}", indent=_INDENT * 2)
