"""Loading plugins: each alone, whatever is wrong with another one."""

from __future__ import annotations

import dataclasses
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from memplug.exceptions import PluginError
from memplug.plugins.hookspecs import hookimpl
from memplug.plugins.manager import PluginManager

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memplug.plugins.info import PluginInfo

    Install = Callable[..., Path]

IMPORT = "from memplug.plugins.hookspecs import hookimpl\n"

GOOD = """
from memplug.plugins.hookspecs import hookimpl

class {title}:
    name = "{name}"
    def accepts(self, part): return False
    def parse(self, part, context): return []
    def score(self, question, candidates): return [0.0] * len(candidates)

@hookimpl
def register_input_types(register):
    register("{name}", {title})

@hookimpl
def register_rankers(register):
    register("{name}", {title})
"""

BROKEN = {
    "missing": "import a_module_that_is_not_installed",
    "argument": f"{IMPORT}@hookimpl\ndef register_rankers(registry):\n    registry('x', list)",
    "misspelt": f"{IMPORT}@hookimpl\ndef register_input_type(register):\n    register('x', list)",
    "crash": f"{IMPORT}@hookimpl\ndef register_input_types(register):\n    register('half', list)\n    1 / 0",
    "leaving": "raise SystemExit(3)",
}
REASONS = {
    "missing": "a_module_that_is_not_installed",
    "argument": "registry",
    "misspelt": "did you mean 'register_input_types'?",
    "crash": "ZeroDivisionError",
    "leaving": "SystemExit: 3",
}


def good(name: str) -> str:
    """The code of a plugin that works."""
    return GOOD.format(name=name, title=name.title())


def own_input_types() -> list[str]:
    """The names of the built-in input types."""
    return [one.name for one in PluginManager(environ={}, discover=False).input_types()]


def rows(manager: PluginManager) -> dict[tuple[str, str | None], PluginInfo]:
    """The rows by name and package."""
    return {(info.name, info.distribution): info for info in manager.plugins()}


@pytest.fixture
def eight(install: Install) -> None:
    """Six broken plugins among two good ones; the sixth takes the name of a good one."""
    install("audio", good("audio"))
    install("mail", good("mail"))
    for name, code in BROKEN.items():
        install(name, code)
    install("mail", good("mail"), distribution="zz-other-mail")


@pytest.mark.usefixtures("eight")
def test_six_broken_plugins_cost_nobody_else_anything() -> None:
    """Everything that is not broken works, and everything that is says why."""
    manager = PluginManager(environ={})
    names = [one.name for one in manager.input_types()]
    found = rows(manager)

    assert names[:2] == ["mail", "audio"]
    assert names[2:] == own_input_types()
    assert {"audio", "mail"} <= {one.name for one in manager.rankers()}
    for name, reason in REASONS.items():
        info = found[name, f"memplug-{name}"]
        assert (info.state, info.registered) == ("failed", ())
        assert reason in (info.reason or "")
    assert found["mail", "memplug-mail"].state == "ok"
    assert "'mail'" in (found["mail", "zz-other-mail"].reason or "")
    assert found["audio", "memplug-audio"].registered == ("input_type:audio", "ranker:audio")


@pytest.mark.usefixtures("eight")
def test_a_failed_plugin_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Each of the six is logged once, however often memplug asks, and nothing is printed."""
    manager = PluginManager(environ={})
    for _ in range(3):
        manager.input_types()
        manager.plugins()
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    third_party = [message for message in warned if "plugin memplug." not in message]
    assert len(third_party) == 6
    assert {record.name for record in caplog.records} == {"memplug.plugins"}
    assert sum("memplug-crash 1.0" in message for message in third_party) == 1


@pytest.mark.usefixtures("eight")
def test_a_plugin_that_exits_at_import_does_not_end_the_process(site: Path) -> None:
    """The program goes on to its last line and ends with code 0."""
    program = """
from memplug.plugins.manager import PluginManager
manager = PluginManager(environ={})
print([info.state for info in manager.plugins() if info.name == "leaving"], "done")
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(site)})
    assert (ended.returncode, ended.stdout) == (0, "['failed'] done\n")


@pytest.mark.parametrize("name", BROKEN)
def test_strict_mode_raises_what_is_broken(install: Install, name: str) -> None:
    """A plugin author's CI fails, with the plugin's name in the error and the cause below it."""
    install(name, BROKEN[name])
    with pytest.raises(PluginError, match=f"memplug-{name} 1.0") as caught:
        PluginManager(environ={"MEMPLUG_STRICT_PLUGINS": "1"}).input_types()
    assert caught.value.plugin == name
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("value", "loaded"), [("audio", {"audio"}), ("", set()), ("Memplug_Mail, audio", {"audio", "mail"})]
)
def test_the_allow_list_names_all_that_is_loaded(install: Install, value: str, loaded: set[str]) -> None:
    """Plugins are allowed by entry point or package; an empty list allows none; built-ins stay."""
    install("audio", good("audio"))
    install("mail", good("mail"))
    manager = PluginManager(environ={"MEMPLUG_PLUGINS": value})
    assert {one.name for one in manager.input_types()} == loaded | set(own_input_types())


@pytest.mark.parametrize("value", ["audio", "memplug-audio", "memplug.audio", "all"])
def test_a_disabled_plugin_is_never_imported(install: Install, value: str) -> None:
    """Disabling helps even against a plugin that does harm at import."""
    install("audio", "raise SystemExit('imported')")
    (info,) = [
        one for one in PluginManager(environ={"MEMPLUG_DISABLE_PLUGINS": value}).plugins() if one.name == "audio"
    ]
    assert (info.state, info.hooks) == ("disabled", ())
    assert "MEMPLUG_DISABLE_PLUGINS" in (info.reason or "")
    assert "memplug_audio" not in sys.modules


def test_a_builtin_is_disabled_by_its_name(site: Path) -> None:
    """Nothing is special about the built-ins, but `all` leaves them alone."""
    assert site.is_dir()
    without = PluginManager(environ={"MEMPLUG_DISABLE_PLUGINS": "memplug.inputs"})
    assert without.input_types() == []
    everything = PluginManager(environ={"MEMPLUG_DISABLE_PLUGINS": "all"})
    assert [one.name for one in everything.input_types()] == own_input_types()


def test_a_name_that_means_no_plugin_is_reported(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A slip of the pen in a list is not silent."""
    assert site.is_dir()
    PluginManager(environ={"MEMPLUG_PLUGINS": "memplug-orc", "MEMPLUG_DISABLE_PLUGINS": "all,audoi"})
    assert [record.getMessage() for record in caplog.records] == [
        "MEMPLUG_DISABLE_PLUGINS names 'audoi', and there is no such plugin",
        "MEMPLUG_PLUGINS names 'memplug-orc', and there is no such plugin",
    ]


def test_nothing_of_a_plugin_that_failed_to_load_is_called(install: Install) -> None:
    """A plugin with one misspelt hook is left out as a whole, not half of it."""
    install("half", f"{BROKEN['misspelt']}\n\n@hookimpl\ndef register_rankers(register):\n    register('half', list)")
    manager = PluginManager(environ={})
    assert "half" not in [one.name for one in manager.rankers()]
    assert (rows(manager)["half", "memplug-half"].hooks, rows(manager)["half", "memplug-half"].errors) == ((), 1)


def test_ctrl_c_while_a_plugin_loads_is_the_users(install: Install) -> None:
    """An interrupt is never taken for a broken plugin."""
    install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        PluginManager(environ={})


def test_a_damaged_package_of_somebody_else_does_not_matter(install: Install, site: Path) -> None:
    """Entry points that cannot be read cost only their own package; where they are ours, there is a row."""
    install("audio", good("audio"))
    damaged = {"foreign": b"no equals sign", "binary": b"\xff\xfe\x00", "ours": b"[memplug]\nno equals sign"}
    for name, text in damaged.items():
        (site / f"{name}-1.0.dist-info").mkdir()
        (site / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
        (site / f"{name}-1.0.dist-info" / "entry_points.txt").write_bytes(text)
    manager = PluginManager(environ={})
    assert manager.input_types()[0].name == "audio"
    third_party = [info for info in manager.plugins() if info.distribution not in {"memplug", "memplug-ocr"}]
    assert [(info.name, info.state) for info in third_party] == [("audio", "ok"), ("ours", "failed")]


def test_installed_plugins_are_left_alone_where_nobody_looks_for_them(install: Install) -> None:
    """`discover=False` imports no third party's code."""
    install("audio", "raise SystemExit")
    assert all(info.distribution == "memplug" for info in PluginManager(environ={}, discover=False).plugins())


class Tagger:
    """A plugin as an object with settings of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def score(self, question: Any, candidates: Any) -> list[float]:
        """Gives nothing."""
        del question
        return [0.0] * len(candidates)

    @hookimpl
    def register_rankers(self, register: Any) -> None:
        """Registers itself."""
        register(self.name, lambda: self)


def test_plugins_can_be_given_as_objects(site: Path) -> None:
    """Two objects of one class are two plugins, each with a name to disable it by."""
    assert site.is_dir()
    manager = PluginManager(plugins=[Tagger("a"), Tagger("b")], environ={})
    assert [one.name for one in manager.rankers()][-2:] == ["a", "b"]
    given = [info for info in manager.plugins() if info.distribution is None]
    assert [info.registered for info in given] == [("ranker:a",), ("ranker:b",)]
    assert given[1].name == f"{given[0].name}#2"


class Unmarked:
    """Somebody forgot the marker."""

    def register_rankers(self, register: Any) -> None:
        """Is never found."""


class Wrapping:
    """A pluggy wrapper, which needs the other implementations inside."""

    @hookimpl(wrapper=True)
    def after_add(self, items: Any) -> Any:
        """Wraps."""
        del items
        return (yield)


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (Unmarked(), "hookimpl"),
        (Tagger, "not a class"),
        ("memplug_ocr", "hookimpl"),
        (None, "None"),
        (Wrapping(), "wrapper"),
    ],
)
def test_a_given_plugin_that_cannot_be_loaded_is_the_callers_error(plugin: object, reason: str) -> None:
    """Who hands in a plugin learns at once that it is none."""
    with pytest.raises(PluginError, match=reason):
        PluginManager(plugins=[plugin], environ={}, discover=False)


def test_a_plugin_that_is_given_and_installed_loads_once(install: Install) -> None:
    """The same module never registers twice."""
    install("audio", good("audio"))
    module = __import__("memplug_audio")
    manager = PluginManager(plugins=[module], environ={})
    assert [one.name for one in manager.input_types()] == ["audio", *own_input_types()]
    found = rows(manager)
    assert found["memplug_audio", None].state == "ok"
    assert found["audio", "memplug-audio"].reason == "the same plugin is loaded as 'memplug_audio'"


def test_a_given_plugin_keeps_a_name_that_an_installed_one_wants_too(install: Install) -> None:
    """The caller's choice wins, and the reason names both."""
    install("audio", good("audio"))
    mine = Tagger("audio")
    manager = PluginManager(plugins=[mine], environ={})
    assert mine in manager.rankers()
    info = rows(manager)["audio", "memplug-audio"]
    assert info.state == "failed"
    assert "'audio'" in (info.reason or "")
    assert f"{Tagger.__module__}.Tagger" in (info.reason or "")
    assert info.registered == ("input_type:audio",)


@pytest.mark.usefixtures("eight")
def test_a_row_is_plain_data() -> None:
    """`memplug plugins --json` needs nothing but the dataclass."""
    shown = [dataclasses.asdict(info) for info in PluginManager(environ={}).plugins()]
    again = json.loads(json.dumps(shown))
    audio = next(info for info in again if info["name"] == "audio")
    assert audio["load_ms"] > 0
    assert (audio["version"], audio["hooks"]) == ("1.0", ["register_input_types", "register_rankers"])


@pytest.mark.parametrize("on", [True, False])
def test_tracing_logs_each_call_with_its_time(install: Install, caplog: pytest.LogCaptureFixture, on: bool) -> None:
    """A slow hook can be found, and the log is quiet where nobody looks for one."""
    install("audio", good("audio"))
    with caplog.at_level(logging.INFO, logger="memplug.plugins"):
        PluginManager(environ={"MEMPLUG_TRACE_PLUGINS": "1" if on else "0"}).input_types()
    traced = [message for message in caplog.messages if message.startswith("register_input_types of audio took")]
    assert len(traced) == on
