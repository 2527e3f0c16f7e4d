"""Each call that a step makes fails once, before its work and after it; and the failing wrapper itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from memplug import Memory, Scope
from memplug.backends.inmemory import open_inmemory
from memplug.exceptions import BackendError, NotFound, PluginError, StoreFull
from memplug.plugins.protocols import BackendRequest
from memplug.testing.backend import BackendContract
from memplug.testing.faults import MEDIA, Faults, FaultyBackend
from memplug.testing.records import EVERYTHING, PROFILE, record
from property.contents import PICTURES, TEXTS, Content
from property.driver import Driver, Fault
from property.operations import Add, Delete, DeleteAll, Import, Maintain, Operation, Restore, Update
from property.wiring import plugin
from support import png

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.plugins.protocols import Backend
    from memplug.testing.faults import When

ANN = Scope(user_id="ann")
_STEPS = ("add", "upsert", "update", "replace", "delete", "restore", "again", "erase", "maintain", "import", "all")


def _operation(step: str, driver: Driver) -> Operation:
    """One step of a program that does everything once."""
    keyed = sorted(driver.model.chains, key=lambda id_: driver.model.chains[id_].last.key or "")[-1:]
    shoes = keyed[0] if keyed else ""
    first = Add(scope=ANN, contents=(Content(text=TEXTS[0]), Content(picture=0), Content(text=TEXTS[0])))
    path, chains = driver.archive or (driver.root, {})
    return {
        "add": first,
        "upsert": Add(scope=ANN, contents=(Content(text=TEXTS[2], picture=1),), key="shoes", tags=("a",)),
        "update": Update(id=shoes, text="likes cocoa now zqmarker20"),
        "replace": Add(scope=ANN, contents=(Content(text=TEXTS[3], picture=2),), key="shoes", metadata='{"n": 1}'),
        "delete": Delete(id=shoes),
        "restore": Restore(id=shoes, version=2),
        "again": first,
        "erase": Delete(id=shoes, erase=True),
        "maintain": Maintain(),
        "import": Import(path=path, chains=chains),
        "all": DeleteAll(scope=ANN, erase=True),
    }[step]


def _ran(kind: Literal["lancedb", "memory"], step: str, fault: Fault) -> bool:
    """Runs the program up to a step, which fails, and on to its end; tells whether anything failed."""
    driver = Driver(kind)
    for name in _STEPS[: _STEPS.index(step)]:
        driver.do(_operation(name, driver))
        if name == "again":
            driver.export()
    struck = driver.do(_operation(step, driver), fault)
    driver.check()
    driver.end()
    return struck


def _each_call_fails(kind: Literal["lancedb", "memory"], step: str, when: When) -> int:
    nth = 1
    while _ran(kind, step, Fault(nth=nth, when=when, error=BackendError("lost"), reopen=nth % 2 == 0)):
        nth += 1
    return nth - 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", _STEPS)
def test_each_call_fails(step: str, when: When) -> None:
    """Whichever call of a step fails, what it was to do is done wholly or not at all, and doing it again does it."""
    assert _each_call_fails("memory", step, when) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", _STEPS)
def test_each_call_fails_on_disk(step: str, when: When) -> None:
    """The same on LanceDB."""
    assert _each_call_fails("lancedb", step, when) >= 2


def _filled(memory: Memory) -> Memory:
    """Two memories with versions and pictures."""
    [id_] = memory.add(PICTURES[0], user_id="ann", key="k", description="first").ids
    memory.update(id_, "second")
    memory.add([TEXTS[0], PICTURES[2]], user_id="bob")
    return memory


def test_export_fails_at_each_call(tmp_path: Path) -> None:
    """An export that is cut off leaves the older archive and nothing beside it."""
    faults, path = Faults(), tmp_path / "all.zip"
    with _filled(Memory("faulty://memory://", embedder="faulty:64", plugins=[plugin(faults)])) as memory:
        memory.export(path)
        older, nth = path.read_bytes(), 0
        for nth in range(1, 99):
            faults.arm(nth, BackendError("lost"), when="after" if nth % 2 else "before")
            try:
                memory.export(path)
            except BackendError:
                assert path.read_bytes() == older
                assert list(tmp_path.iterdir()) == [path]
            else:
                break
        assert 5 < nth < 98


def test_import_fails_at_each_call(tmp_path: Path) -> None:
    """An import that is cut off and repeated brings in everything exactly, once."""
    with _filled(Memory("memory://", embedder="hashing:64")) as source:
        source.export(tmp_path / "all.zip")
        wanted = {item.id: source.history(item.id) for user in ("ann", "bob") for item in source.get_all(user_id=user)}
    nth, struck = 0, True
    while struck:
        nth, faults = nth + 1, Faults()
        with Memory("faulty://memory://", embedder="faulty:64", plugins=[plugin(faults)]) as memory:
            faults.arm(nth, BackendError("lost"), when="after" if nth % 2 else "before")
            try:
                memory.import_(tmp_path / "all.zip")
            except BackendError as error:
                if error is not faults.fired:
                    raise
            struck = faults.fired is not None
            faults.clear()
            assert memory.import_(tmp_path / "all.zip").rejected == ()
            assert {id_: memory.history(id_) for id_ in wanted} == wanted
            assert memory.engine.store.size() == len(wanted)
            assert memory.doctor().ok
    assert nth > 10


class TestUnarmed(BackendContract):
    """As long as nothing is armed, the wrapper is the backend that it wraps."""

    persistent = False

    def open_backend(self, folder: Path) -> Backend:
        """A new store each time; the folder is not used."""
        del folder
        return FaultyBackend(open_inmemory(BackendRequest(location="memory://", profile=PROFILE)), Faults())


def test_the_nth_call_fails_once() -> None:
    """Before its work it has done nothing, after its work all; the calls around it go through."""
    faults = Faults()
    store = FaultyBackend(open_inmemory(BackendRequest(location="memory://", profile=PROFILE)), faults)
    lost = StoreFull("lost")
    faults.arm(2, lost, when="before", calls={"commit"})
    store.commit([record("a")])
    store.count(EVERYTHING)
    with pytest.raises(StoreFull) as raised:
        store.commit([record("b")])
    assert raised.value is lost is faults.fired
    assert faults.calls == ["commit", "count", "commit"]
    assert store.count(EVERYTHING) == 1
    faults.arm(1, lost, when="after")
    with pytest.raises(StoreFull):
        store.commit([record("b")])
    assert store.count(EVERYTHING) == 2
    faults.arm(1, lost)
    faults.clear()
    assert store.count(EVERYTHING) == 2


def test_a_lost_file_is_closed() -> None:
    """A file that nobody gets because the call failed after its work does not stay open."""
    faults = Faults()
    with Memory("faulty://memory://", embedder="faulty:64", plugins=[plugin(faults)]) as memory:
        [id_] = memory.add(png(), user_id="ann").ids
        faults.arm(1, OSError("lost"), when="after", calls=MEDIA)
        with pytest.raises(OSError, match="lost"):
            memory.media(id_)
        assert memory.media(id_) == png()


def test_a_failing_embedder_stores_nothing() -> None:
    """Its error comes typed, with the cause, and the store is as it was."""
    faults = Faults()
    with Memory("faulty://memory://", embedder="faulty:64", plugins=[plugin(faults)]) as memory:
        faults.arm(1, OSError("no connection"), calls={"embed"})
        with pytest.raises(PluginError) as raised:
            memory.add(TEXTS[0], user_id="ann")
        assert raised.value.__cause__ is faults.fired
        assert memory.get_all(user_id="ann").items == ()
        assert memory.add(TEXTS[0], user_id="ann").outcomes[0].event == "added"


def test_an_erasure_that_failed_is_finished_by_the_next_try() -> None:
    """Where the rows went and the original did not, calling again removes the original too."""
    faults = Faults()
    with Memory("faulty://memory://", embedder="faulty:64", plugins=[plugin(faults)]) as memory:
        [id_] = memory.add(png(), user_id="ann").ids
        faults.arm(1, StoreFull("lost"), calls={"release_media"})
        with pytest.raises(StoreFull):
            memory.delete(id_, erase=True)
        with pytest.raises(NotFound):
            memory.delete(id_, erase=True)
        assert list(memory.engine.store.backend.list_media()) == []
