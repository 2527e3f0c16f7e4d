"""What all commands have in common: the global options in either place, and the words for a scope."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

import click

from memplug.cli.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memplug.values.scope import ScopeIds

_SCOPES = (
    ("user_id", ("--user", "-u"), "MEMPLUG_USER", "The user whose memories are meant."),
    ("agent_id", ("--agent",), "MEMPLUG_AGENT", "The agent."),
    ("run_id", ("--run",), "MEMPLUG_RUN", "The conversation."),
    ("bucket", ("--bucket",), "MEMPLUG_BUCKET", "The named collection."),
)


class Commands(click.Group):
    """Commands under one name, such as ``memplug buckets list``; the global options may stand in between as well.

    Args:
        name: The name.
        help: What they are about.
        commands: They.
    """

    def __init__(self, name: str, *, help: str, commands: Sequence[click.Command]) -> None:  # noqa: A002 - click's word
        super().__init__(name=name, help=help, params=[*global_options()], commands=list(commands))


class Command(click.Command):
    """A command that takes the global options too, so that ``memplug list --json`` works as well.

    Plugins' commands are made of it unless they ask for another class. An option of the same name that the command
    has itself stays its own.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        taken = {word for param in self.params for word in (*param.opts, *param.secondary_opts)}
        self.params += [option for option in global_options() if not taken & set(option.opts)]


def global_options(*, environment: bool = False) -> list[click.Option]:
    """The options that stand before or behind the command's name.

    Args:
        environment: Whether they read the environment. Only those before the name do; else a variable would win
            over what was typed there.
    """
    return [
        _global(
            ["--store"],
            metavar="LOCATION",
            envvar="MEMPLUG_STORE" if environment else None,
            show_envvar=environment,
            help="Folder or URL of the store. Default: one in your data folder.",
        ),
        _global(
            ["--embedder"],
            metavar="NAME[:MODEL]",
            envvar="MEMPLUG_EMBEDDER" if environment else None,
            show_envvar=environment,
            help="Embedder to open the store with. Default: its own.",
        ),
        _global(
            ["--option", "options"],
            multiple=True,
            metavar="NAME=VALUE",
            envvar="MEMPLUG_OPTIONS" if environment else None,
            show_envvar=environment,
            help="Setting for the store, such as companion=s3://bucket/prefix for db://. Repeatable.",
        ),
        _global(["--json"], is_flag=True, help="Print one JSON document."),
        _global(["--quiet"], is_flag=True, help="No notes, warnings or progress on stderr."),
    ]


def _global(words: list[str], **settings: Any) -> click.Option:
    return click.Option(words, expose_value=False, callback=_remember, is_eager=True, **settings)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Keeps a global option's value; eager, so that an error in a later option is told the right way."""
    if value in (None, False, ()):
        return
    invocation = context.ensure_object(Invocation)
    if parameter.name == "options":
        value = (*invocation.options, *cast("tuple[str, ...]", value))
    setattr(invocation, str(parameter.name), value)
    source = context.get_parameter_source(str(parameter.name))
    if parameter.name == "store" and source is not None:
        invocation.store_from = source.name


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Makes a function a command of that name; it gets the `Invocation` first."""

    def decorated(function: Callable[..., Any]) -> click.Command:
        return click.command(name, cls=Command)(click.pass_obj(function))

    return decorated


def scope_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say whose memories are meant; the function gets them together as ``ids``."""
    return _scoped(function, environment=True)


def typed_scope_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but the environment does not count: for what a scope turns into something else."""
    return _scoped(function, environment=False)


def _scoped(function: Callable[..., Any], *, environment: bool) -> Callable[..., Any]:
    @functools.wraps(function)
    def gathered(*args: Any, **options: Any) -> Any:
        ids: ScopeIds = {}
        for name, _, _, _ in _SCOPES:
            if (value := options.pop(name)) is not None:
                ids[name] = value  # type: ignore[literal-required]  # the names are those of ScopeIds
        return function(*args, ids=ids, **options)

    decorated: Callable[..., Any] = gathered
    for name, words, variable, text in reversed(_SCOPES):
        envvar = variable if environment else None
        option = click.option(*words, name, envvar=envvar, show_envvar=environment, metavar="ID", help=text)
        decorated = option(decorated)
    return decorated
