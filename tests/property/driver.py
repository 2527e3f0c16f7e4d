"""A store and its model, kept in step: carries out operations, and finds out what became of those that failed."""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from memplug import Memory
from memplug.exceptions import MemplugError, VersionConflict
from memplug.reindex import reindex
from memplug.testing.faults import Faults, When
from property import audit
from property.model import Model
from property.operations import Delete, DeleteAll, Import, Maintain
from property.wiring import plugin
from support import START, Clock

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from memplug.reindex import ReindexReport
    from property.model import Chain
    from property.operations import Expected, Operation

_CHILD = Path(__file__).with_name("child.py")
_TESTS = Path(__file__).parents[1]
_names = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is to fail in the next operation.

    Args:
        nth, when, calls: See `Faults.arm`.
        error: What it raises.
        reopen: Whether the store is opened again before it is looked at.
    """

    nth: int
    when: When
    error: Exception
    calls: Collection[str] | None = None
    reopen: bool = True


class Troubles(logging.Handler):
    """What the store's upkeep, which nobody waits for, complains of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the message."""
        self.found.append(record.getMessage())


class Driver:
    """One store from its making to its end.

    Args:
        kind: Where it is kept.
    """

    def __init__(self, kind: Literal["lancedb", "memory"]) -> None:
        self.kind = kind
        self.files = audit.descriptors() if kind == "lancedb" else []
        self.root = Path(tempfile.mkdtemp(prefix="memplug-property-"))
        self.folder = self.root / "store"
        place = str(self.folder) if kind == "lancedb" else f"memory://property-{os.getpid()}-{next(_names)}"
        self.location = f"faulty://{place}"
        self.clock, self.faults, self.model = Clock(), Faults(), Model()
        #: Media that a call which was cut off may have left, until the next maintenance.
        self.orphans: set[str] = set()
        self.gone: set[str] = set()
        self.archive: tuple[Path, dict[str, Chain]] | None = None
        self.moments: list[datetime] = [START]
        self.troubles = Troubles()
        logging.getLogger("memplug.backends").addHandler(self.troubles)
        self.memory = self._opened("faulty:64")
        self.other: Memory | None = None

    @property
    def now(self) -> datetime:
        """The moment, without moving on."""
        return self.clock.moment

    def _opened(self, embedder: str | None = None) -> Memory:
        return Memory(self.location, embedder=embedder, plugins=[plugin(self.faults)], clock=self.clock)

    # -- operations

    def do(self, operation: Operation, fault: Fault | None = None) -> bool:
        """Carries an operation out, and holds what it did and told against what it had to.

        Returns:
            Whether the fault struck; then the operation was looked at and carried out once more.
        """
        expected = operation.expected(self.model, self.now)
        self._bring(operation)
        if fault is not None:
            self.faults.arm(fault.nth, fault.error, when=fault.when, calls=fault.calls)
        try:
            told = operation.told(self.memory)
        except (MemplugError, OSError) as error:
            raised: Exception | None = error
        else:
            raised = None
        struck, cause = self.faults.fired, raised and raised.__cause__
        self.faults.clear()
        if struck is not None and fault is not None:
            assert struck in (raised, cause), f"{struck!r} became {raised!r}"
            self._failed(operation, expected, reopen=fault.reopen)
        elif raised is not None:
            self._refused(expected, raised)
        else:
            assert expected.error is None, f"{operation} should have raised {expected.error}"
            assert told == expected.result
            self._take(operation, expected)
        return struck is not None

    def _bring(self, operation: Operation) -> None:
        """What was gone may be there again from now on."""
        self.gone -= {marker for content in operation.brought() for marker in content.markers}

    def _may_leave(self, operation: Operation, *states: Model) -> None:
        """Media that the operation may have put without a row, or left without one."""
        self.orphans |= {digest for content in operation.brought() for digest in content.media}
        self.orphans |= set[str]().union(*(model.digests() for model in states))

    def _refused(self, expected: Expected, error: Exception) -> None:
        if expected.error is None or not isinstance(error, expected.error):
            raise error
        if isinstance(error, VersionConflict):
            assert error.current == expected.current
        audit.learn(self.memory, self.model, expected.touched)

    def _take(self, operation: Operation, expected: Expected) -> None:
        before, self.model = self.model, expected.after
        audit.learn(self.memory, self.model, expected.touched)
        if isinstance(operation, Maintain):
            self.orphans = set()
        if isinstance(operation, Delete | DeleteAll | Maintain):
            self.gone |= before.markers() - self.model.markers()
            self.check_gone()
        self.moments.append(self.clock())

    def _failed(self, operation: Operation, expected: Expected, *, reopen: bool) -> None:
        """The store is as before or as after, and the same again brings it to its end."""
        before = self.model
        if reopen:
            self.restart()
        self._reconcile([expected], expected.touched, atomic=operation.atomic)
        self._may_leave(operation, *([before] if operation.removes else []))
        self.check()
        self.do(operation)

    def _reconcile(self, states: Sequence[Expected], touched: Collection[str], *, atomic: bool = True) -> None:
        """Takes over the one of some possible states that the store is in."""
        if not atomic:
            [expected] = states
            self.model = audit.begun(self.memory, self.model, expected.after, touched)
            return
        for model in [self.model, *(expected.after for expected in states)]:
            if audit.agrees(self.memory, model, touched):
                self.model = model.copy()
                audit.learn(self.memory, self.model, touched)
                return
        found = {id_: audit.stored(self.memory, id_) for id_ in touched}
        raise AssertionError(f"the store is neither as before nor as after the call: {found}")

    # -- what happens to a store

    def restart(self) -> None:
        """Closes every handle and opens the store again."""
        self.close()
        self.memory = self._opened()

    def abandon(self) -> None:
        """Lets go of every handle without closing, and opens the store again."""
        del self.memory
        self.other = None
        self.memory = self._opened()

    def switch(self) -> None:
        """Goes on with another handle on the same store, while the first stays open."""
        if self.other is None:
            self.other = self._opened()
        self.memory, self.other = self.other, self.memory

    def close(self) -> None:
        """Closes every handle."""
        self.memory.close()
        if self.other is not None:
            self.other.close()
            self.other = None

    def reindex(self, dimension: int, fault: Fault | None = None) -> None:
        """Gives the store another embedder; where that fails, it has the old or the new one, and it is done again."""
        self.close()
        if fault is not None:
            self.faults.arm(fault.nth, fault.error, when=fault.when, calls=fault.calls)
        memories = sum(chain.last.content is not None for chain in self.model.chains.values())
        try:
            report = self._reindexed(dimension)
            assert self.faults.fired is None
            assert report.memories == memories
        finally:
            self.faults.clear()
            self.memory = self._opened()
        assert self.memory.engine.embedder.dimension == dimension
        audit.learn(self.memory, self.model, self.model.chains)

    def _reindexed(self, dimension: int) -> ReindexReport:
        try:
            return reindex(self.memory.settings, f"faulty:{dimension}")
        except (MemplugError, OSError) as error:
            if self.faults.fired is None or self.faults.fired not in (error, error.__cause__):
                raise
            self.faults.clear()
            return reindex(self.memory.settings, f"faulty:{dimension}")

    def kill(self, operations: Sequence[Operation], acknowledged: int) -> None:
        """Another process carries out operations and is killed after so many; what it acknowledged is there."""
        states, model = [], self.model
        for operation in operations:
            expected = operation.expected(model, self.now)
            assert expected.error is None
            states.append(expected)
            model = expected.after
            self._bring(operation)
            self._may_leave(operation)
        done = self._killed(operations, acknowledged)
        self.clock.moment += timedelta(minutes=1)
        touched = {id_ for expected in states for id_ in expected.touched}
        if done:
            self.model = states[done - 1].after
        self._reconcile(states[done : done + 1], touched)

    def _killed(self, operations: Sequence[Operation], acknowledged: int) -> int:
        """How many operations a child acknowledged before it died."""
        command = [sys.executable, str(_CHILD), self.location]
        environment = os.environ | {"PYTHONPATH": str(_TESTS)}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            assert child.stdout.readline() == b"open\n"
            pickle.dump((self.now, list(operations)), child.stdin)
            child.stdin.close()
            lines = [child.stdout.readline() for _ in range(acknowledged)]
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.readlines()
        return lines.count(b"done\n")

    # -- archives

    def export(self) -> None:
        """Writes an archive, which holds all that is alive, and which another store takes in exactly."""
        path = self.root / f"{len(self.moments)}.zip"
        held = {id_: chain for id_, chain in self.model.chains.items() if chain.alive(self.now)}
        report = self.memory.export(path)
        assert (report.memories, report.missing) == (len(held), ())
        assert report.versions == sum(len(chain.versions) for chain in held.values())
        self.archive = (path, held)
        with Memory("memory://", embedder="hashing:64", clock=self.clock) as second:
            report_ = second.import_(path)
            assert (report_.added, report_.rejected) == (len(held), ())
            audit.check_everything(second, Model(held), self.now)
            assert second.import_(path).unchanged == len(held)

    def import_back(self, fault: Fault | None) -> None:
        """Takes in the archive that was written before."""
        if self.archive is not None:
            path, chains = self.archive
            self.do(Import(path=path, chains=chains), fault)

    # -- invariants

    def check_gone(self) -> None:
        """What was erased is in no file."""
        if self.kind == "lancedb":
            pictures = {marker for marker in self.gone if marker.startswith("zqpicture")}
            audit.check_gone(self.folder, self.gone - pictures if self.orphans else self.gone)

    def check(self, page: int = 7) -> None:
        """The cheap invariants."""
        assert self.troubles.found == []
        audit.check_lists(self.memory, self.model, self.now, page)
        audit.check_media(self.memory, self.model, self.orphans)

    def end(self) -> None:
        """The thorough invariants, after which nothing is left of the store."""
        try:
            self.memory.maintain()
            expected = Maintain().expected(self.model, self.now)
            self.model, self.orphans = expected.after, set()
            audit.check_everything(self.memory, self.model, self.now)
            audit.check_media(self.memory, self.model, set())
            report = self.memory.doctor()
            assert report.ok, report
            self.check_gone()
            if self.kind == "lancedb":
                held = audit.dump(self.folder)
                assert [marker for marker in self.gone if marker in held] == []
        finally:
            self.close()
            logging.getLogger("memplug.backends").removeHandler(self.troubles)
            self.__dict__.pop("memory")
            shutil.rmtree(self.root)
        assert self.troubles.found == []
        left = audit.descriptors() if self.kind == "lancedb" else []
        assert len(left) <= len(self.files), f"files were left open: {left}"
