"""Calling plugins: registries, objects, guards, observers, commands."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pytest

from memplug import Memory
from memplug.exceptions import ConfigError, PluginError, UnsafeInput
from memplug.plugins.hookspecs import hookimpl
from memplug.plugins.manager import PluginManager
from memplug.values.draft import Draft
from memplug.values.scope import Scope
from support import png

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPE = Scope(user_id="wang")
DRAFTS = [Draft(part=0, kind="text", text="my card is 1234"), Draft(part=1, kind="text", text="hello")]


def manager(*plugins: object, **environ: str) -> PluginManager:
    """A manager with these plugins and nothing installed."""
    return PluginManager(plugins=plugins, environ=environ, discover=False)


def own_input_types() -> list[str]:
    """The names of the built-in input types."""
    return [one.name for one in manager().input_types()]


def reason(found: PluginManager) -> str:
    """Why the last plugin failed."""
    info = found.plugins()[-1]
    assert info.state == "failed"
    return info.reason or ""


class Kind:
    """An input type, and everything else that has a name only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def accepts(self, part: object) -> bool:
        """Takes nothing."""
        return part is self

    def parse(self, part: object, context: object) -> list[Draft]:
        """Gives nothing."""
        del part, context
        return []


class Inputs:
    """Registers input types from factories."""

    def __init__(self, **factories: Any) -> None:
        self.factories = factories

    @hookimpl
    def register_input_types(self, register: Any) -> None:
        """Registers what it was made with."""
        for name, factory in self.factories.items():
            register(name, factory)


class MoreInputs(Inputs):
    """The same under another name."""


def test_objects_are_made_once_and_when_they_are_needed() -> None:
    """Eight threads that need the input types at the same moment get the same objects from one call."""
    made: list[Kind] = []

    def slow() -> Kind:
        time.sleep(0.05)
        made.append(Kind("slow"))
        return made[-1]

    found = manager(Inputs(slow=slow))
    found.plugins()
    assert made == []
    seen: list[list[Any]] = []
    barrier = threading.Barrier(8)

    def use() -> None:
        barrier.wait()
        seen.append(found.input_types())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert [types[0] for types in seen] == made * 8


def test_later_plugins_are_asked_first_and_keep_their_own_order() -> None:
    """A plugin can refine another one's input type, and the built-ins come last."""
    first = Inputs(a=lambda: Kind("a"), b=lambda: Kind("b"))
    second = MoreInputs(c=lambda: Kind("c"))
    assert [one.name for one in manager(first, second).input_types()] == ["c", "a", "b", *own_input_types()]


def test_a_factory_that_fails_costs_one_object() -> None:
    """The plugin's other objects work, and its row says which one does not."""
    found = manager(Inputs(bad=lambda: 1 // 0, half=object, good=lambda: Kind("good")))
    assert [one.name for one in found.input_types()] == ["good", *own_input_types()]
    assert "input_type 'bad': ZeroDivisionError" in reason(found)
    assert "without name, accepts, parse" in reason(found)
    assert found.plugins()[-1].registered == ("input_type:good",)
    assert found.plugins()[-1].errors == 2


@pytest.mark.parametrize(
    ("name", "factory", "words"),
    [("", list, "no name"), ("a:b", list, "no name"), (5, list, "no name"), ("x", "list", "factory")],
)
def test_nonsense_is_not_registered(name: Any, factory: Any, words: str) -> None:
    """What was registered before the nonsense is rolled back with it."""

    class Odd:
        @hookimpl
        def register_rankers(self, register: Any) -> None:
            register("fine", lambda: Kind("fine"))
            register(name, factory)

    found = manager(Odd())
    assert words in reason(found)
    assert found.plugins()[-1].registered == ()


def test_a_taken_name_stays_with_the_first() -> None:
    """The reason names both plugins, and nothing of the second one's hook is kept."""
    found = manager(
        Inputs(audio=lambda: Kind("first")), MoreInputs(other=lambda: Kind("o"), audio=lambda: Kind("second"))
    )
    assert [one.name for one in found.input_types()] == ["first", *own_input_types()]
    assert "MoreInputs' cannot register" in reason(found)
    assert ".Inputs' already" in reason(found)


def test_a_hook_that_is_async_is_a_clear_failure() -> None:
    """Nobody waits for a coroutine that is never run."""

    class Late:
        @hookimpl
        async def register_rankers(self, register: Any) -> None:
            register("late", list)

    assert "hooks are synchronous" in reason(manager(Late()))


class Vectors:
    """An embedder plugin."""

    @hookimpl
    def register_embedders(self, register: Any) -> None:
        """Registers a good one, a broken one and one that refuses its argument."""
        register("ones", Ones)
        register("broken", lambda _: 1 // 0)
        register("picky", self.picky)

    def picky(self, argument: str) -> object:
        """Refuses."""
        raise ConfigError(f"there is no model {argument!r}")


class Ones:
    """Embeds everything alike."""

    def __init__(self, argument: str) -> None:
        self.name = f"ones:{argument}"
        self.dimension = 1

    def embed(self, texts: Any) -> Any:
        """All ones."""
        return np.ones((len(texts), 1), dtype=np.float32)

    def embed_query(self, text: str) -> Any:
        """One."""
        del text
        return np.ones(1, dtype=np.float32)


@pytest.mark.parametrize(("spec", "name"), [("ones", "ones:"), ("ones:a", "ones:a"), ("ones:a:b/c", "ones:a:b/c")])
def test_an_embedder_is_named_with_its_argument(spec: str, name: str) -> None:
    """Everything behind the first colon is the embedder's own business."""
    assert manager(Vectors()).embedder(spec).name == name


def test_an_embedder_that_fails_says_whose_it_is() -> None:
    """A crash becomes a PluginError; a setting that the embedder refuses stays a ConfigError."""
    found = manager(Vectors())
    with pytest.raises(PluginError, match="ZeroDivisionError") as caught:
        found.embedder("broken")
    assert caught.value.plugin.endswith("Vectors")
    with pytest.raises(ConfigError, match="there is no model 'x'"):
        found.embedder("picky:x")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """The message helps, also where a failed plugin is the reason."""
    found = manager(Vectors(), Inputs(bad=lambda: 1 // 0))
    found.input_types()
    with pytest.raises(ConfigError, match=r"unknown embedder 'onse'; known: .*ones, openai.*ZeroDivisionError"):
        found.embedder("onse")
    with pytest.raises(ConfigError, match="unknown backend 'ftp'; known: az, db, gs, lancedb, memory, s3"):
        found.backend("ftp")


def test_the_builtins_come_through_the_same_hooks() -> None:
    """All of them load, register and can be made."""
    found = manager()
    names = [info.name for info in found.plugins()]
    assert names[:5] == [f"memplug.{one}" for one in ("inputs", "backends", "embedders", "models", "describers")]
    assert "memplug.rankers" in names
    assert own_input_types()[:3] == ["tool_call", "text", "image"]
    assert found.rankers()
    assert found.embedder("hashing:64").dimension == 64
    assert found.backend("lancedb") is found.backend("s3")
    assert found.backend("memory") is not found.backend("lancedb")
    assert [info.reason for info in found.plugins()] == [None] * len(names)


class Redact:
    """Guards by returning other drafts."""

    @hookimpl
    def before_add(self, drafts: list[Draft]) -> list[Draft]:
        """Removes digits."""
        return [replace(draft, text="".join(c for c in draft.text if not c.isdigit())) for draft in drafts]


class Shout:
    """Guards by editing the list in place."""

    @hookimpl
    def before_add(self, drafts: list[Draft], scope: Scope) -> None:
        """Adds who it is for."""
        drafts[:] = [replace(draft, text=f"{draft.text}!{scope.user_id}") for draft in drafts]


def test_guards_see_each_others_drafts_in_the_order_of_loading() -> None:
    """Each guard gets what the one before it left; the caller's own list is untouched."""
    before = list(DRAFTS)
    guarded = manager(Redact(), Shout()).guard(before, SCOPE)
    assert [draft.text for draft in guarded] == ["my card is !wang", "hello!wang"]
    assert manager(Shout(), Redact()).guard(before, Scope(user_id="w1"))[1].text == "hello!w"
    assert before == DRAFTS
    assert manager().guard(before, SCOPE) == DRAFTS


class Last:
    """A guard that wants to be the last one."""

    @hookimpl(trylast=True)
    def before_add(self, drafts: list[Draft]) -> list[Draft]:
        """Marks the end."""
        return [replace(draft, text=f"{draft.text} end") for draft in drafts]


class First:
    """A guard that wants to be the first one."""

    @hookimpl(tryfirst=True)
    def before_add(self, drafts: list[Draft]) -> list[Draft]:
        """Marks the start."""
        return [replace(draft, text=f"start {draft.text}") for draft in drafts]


def test_a_guard_can_ask_to_be_first_or_last() -> None:
    """`tryfirst` and `trylast` mean what they say."""
    guarded = manager(Last(), Shout(), First()).guard(DRAFTS[1:], SCOPE)
    assert [draft.text for draft in guarded] == ["start hello!wang end"]


def guard_that(action: Callable[[], object]) -> object:
    """A plugin whose guard does something."""

    class Guard:
        @hookimpl
        def before_add(self, drafts: list[Draft]) -> object:
            del drafts
            return action()

    return Guard()


async def _later() -> None:
    """Is never awaited."""


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: 1 // 0, "ZeroDivisionError"),
        (lambda: exit(1), "SystemExit"),  # noqa: PLR1722 - what a script would write
        (_later, "hooks are synchronous"),
        (lambda: ["text"], "list of drafts"),
        (lambda: "text", "list of drafts"),
        (lambda: DRAFTS[0], "list of drafts"),
    ],
)
def test_a_guard_fails_closed(action: Callable[[], object], words: str) -> None:
    """A guard that fails in any way lets nothing through, and its row counts it."""
    found = manager(guard_that(action), Redact())
    with pytest.raises(PluginError, match=words) as caught:
        found.guard(DRAFTS, SCOPE)
    assert caught.value.hook == "before_add"
    assert [info.errors for info in found.plugins()][-2:] == [1, 0]


def test_a_guard_may_refuse_on_purpose() -> None:
    """The refusal reaches the caller as the guard raised it, and is no error of the plugin."""
    refusal = UnsafeInput("no card numbers")

    def refuse() -> None:
        raise refusal

    found = manager(guard_that(refuse))
    with pytest.raises(UnsafeInput) as caught:
        found.guard(DRAFTS, SCOPE)
    assert caught.value is refusal
    assert found.plugins()[-1].errors == 0


class Observer:
    """Writes down what it sees."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl
    def after_add(self, items: object) -> None:
        """Keeps the items."""
        self.seen.append(items)

    @hookimpl
    def after_search(self, hits: object) -> None:
        """Keeps the hits, and does not ask for the query."""
        self.seen.append(hits)


class Deaf:
    """An observer that always fails."""

    @hookimpl
    def after_add(self, items: object) -> None:
        """Crashes."""
        raise ValueError(f"cannot read {items}")


def test_an_observer_fails_open(caplog: pytest.LogCaptureFixture) -> None:
    """The next observer is told, the error is logged once and counted each time."""
    before, behind = Observer(), Observer()
    found = manager(before, Deaf(), behind)
    for number in range(3):
        found.notify("after_add", items=[number])
    assert before.seen == behind.seen == [[0], [1], [2]]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "after_add: ValueError: cannot read [0]" in caplog.text
    deaf = found.plugins()[-2]
    assert (deaf.state, deaf.errors) == ("ok", 3)


def test_an_observer_gets_the_arguments_that_it_takes() -> None:
    """Hooks can grow arguments without breaking a plugin."""
    observer = Observer()
    manager(observer).notify("after_search", query="dinner", hits=["hit"])
    assert observer.seen == [["hit"]]


def test_strict_mode_raises_what_an_observer_raises() -> None:
    """A plugin author's CI sees errors that users are spared."""
    with pytest.raises(PluginError, match="cannot read"):
        manager(Deaf(), MEMPLUG_STRICT_PLUGINS="1").notify("after_add", items=[1])


class Commands:
    """Adds commands, and maybe fails behind that."""

    def __init__(self, *names: str, crash: bool = False) -> None:
        self.names = names
        self.crash = crash

    @hookimpl
    def register_commands(self, cli: click.Group) -> None:
        """Adds its commands."""
        for name in self.names:
            cli.add_command(click.Command(name))
        if self.crash:
            raise RuntimeError("crashed")


def test_commands_are_added_plugin_by_plugin() -> None:
    """A plugin that crashes, or would replace a command, leaves the group as it was."""
    own = click.Command("search")
    cli = click.Group("memplug", commands={"search": own})
    found = manager(Commands("good"), Commands("half", crash=True), Commands("extra", "search"), Commands("last"))
    found.add_commands(cli)
    assert sorted(cli.commands) == ["good", "last", "search"]
    assert cli.commands["search"] is own
    infos = found.plugins()[-4:]
    assert [info.state for info in infos] == ["ok", "failed", "failed", "ok"]
    assert infos[0].registered == ("command:good",)
    assert "search" in (infos[2].reason or "")


class Closing(Kind):
    """A describer that has something to let go, and may fail to."""

    def __init__(self, name: str, told: list[str], *, fails: bool = False) -> None:
        super().__init__(name)
        self.told = told
        self.fails = fails

    @hookimpl
    def register_describers(self, register: Callable[..., None]) -> None:
        """Registers itself."""
        register(self.name, lambda: self)

    def describe(self, media: object, *, context: str) -> str:
        """Says nothing."""
        del media, context
        return ""

    def close(self) -> None:
        """Tells that it was called."""
        self.told.append(self.name)
        if self.fails:
            raise OSError("the pipe is broken")


def test_what_plugins_made_is_told_when_its_memory_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    """Each, also after one that fails, which is logged; what was never made is not made for it."""
    told: list[str] = []
    plugins = [Closing("first", told, fails=True), Closing("second", told)]
    Memory("memory://", plugins=plugins, embedder="hashing:64").close()
    assert told == []
    with Memory("memory://", plugins=plugins, embedder="hashing:64") as memory:
        memory.add(png(), user_id="u")
    assert told == ["first", "second"]
    assert "close: OSError: the pipe is broken" in caplog.text
