"""Plugins that are installed as packages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING

from memplug.plugins.hookspecs import GROUP
from memplug.plugins.isolation import attempt

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An entry point that was found, not yet imported.

    Args:
        name: Of the entry point.
        distribution: The package that declares it.
        version: Of the package.
        load: Imports the plugin; raises whatever the plugin raises.
    """

    name: str
    distribution: str
    version: str
    load: Callable[[], object]


def installed_plugins() -> list[Installed]:
    """The entry points of our group, ordered by name and package, so that every machine decides alike.

    ``importlib.metadata.entry_points`` is not used, since one damaged ``entry_points.txt`` of any package at
    all makes it raise; here each package is read alone.
    """
    found: dict[tuple[str, str], Installed] = {}
    for distribution in metadata.distributions():
        # A package can be on the path twice (an editable install beside a wheel); the first is what Python imports.
        for plugin in attempt(partial(_plugins_of, distribution)).result or ():
            found.setdefault((plugin.name, plugin.distribution), plugin)
    return [found[place] for place in sorted(found)]


def _plugins_of(package: metadata.Distribution) -> list[Installed]:
    if GROUP not in (package.read_text("entry_points.txt") or ""):
        return []
    name = attempt(lambda: package.metadata["Name"]).result or "unknown"
    version = attempt(lambda: package.version).result or "unknown"
    read = attempt(lambda: package.entry_points.select(group=GROUP))
    if read.error is not None:
        return [Installed(name=name, distribution=name, version=version, load=_raiser(read.error))]
    points = read.result or ()
    return [Installed(name=point.name, distribution=name, version=version, load=point.load) for point in points]


def _raiser(error: BaseException) -> Callable[[], object]:
    def load() -> object:
        raise ImportError("the package's entry_points.txt cannot be read") from error

    return load
