"""A store against a dictionary: any calls in any order, with failures, restarts and kills between them.

The quick profile runs with every test run, the same each time. The slow one draws thousands of other runs:

    pytest -m slow tests/property
    MEMPLUG_PROPERTY_SEED=7 MEMPLUG_PROPERTY_EXAMPLES=5000 pytest -m slow tests/property
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from memplug import Scope
from memplug.exceptions import BackendError, StoreFull
from memplug.testing.faults import MEDIA, WRITES
from property import audit
from property.contents import CORRECTIONS, KEYS, PICTURES, RUNS, TEXTS, USERS, Content
from property.driver import Driver, Fault
from property.operations import Add, Delete, DeleteAll, Maintain, Operation, Restore, Update
from support import START

if TYPE_CHECKING:
    from datetime import datetime

texts = st.sampled_from(TEXTS).map(lambda text: Content(text=text))
pictures = st.builds(Content, text=st.sampled_from(("", TEXTS[0], TEXTS[4])), picture=st.integers(0, len(PICTURES) - 1))
bare = st.integers(0, len(PICTURES) - 1).map(lambda number: Content(picture=number))
scopes = st.builds(Scope, user_id=st.sampled_from(USERS), run_id=st.sampled_from(RUNS))
tags = st.sampled_from(((), (), ("a",), ("a", "b")))
metadata = st.sampled_from(("{}", "{}", '{"n": 1}', '{"n": true}', '{"deep": [null, "x"]}'))
#: Hours until a memory expires; None for never, less than none for one that had expired when it was added.
hours = st.sampled_from((None, None, None, None, 0, 2, -1))
#: Which memory a call is about: a place among their ids.
picks = st.integers(0, 999)
errors = st.sampled_from((BackendError, StoreFull, OSError)).map(lambda kind: kind("a fault that the test asked for"))
calls = st.sampled_from((None, None, WRITES, MEDIA, frozenset({"embed"})))
when = st.sampled_from(("before", "after"))
faults = st.builds(
    Fault, nth=st.sampled_from((1, 1, 2, 2, 3, 4, 6)), when=when, error=errors, calls=calls, reopen=st.booleans()
)
#: One call in four fails somewhere, if it comes so far.
fault = st.one_of(st.none(), st.none(), st.none(), faults)

#: Memories from which on all of a user's are deleted at once; else there would never be many.
MANY = 9


class StoreMachine(RuleBasedStateMachine):
    """The rules."""

    kind: ClassVar[Literal["lancedb", "memory"]] = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(self.kind)

    def teardown(self) -> None:
        """Looks at everything once more."""
        self.driver.end()

    def _id(self, pick: int) -> str:
        """One of the ids; most often one of a memory that is alive."""
        chains, now = self.driver.model.chains, self.driver.now
        alive = sorted(id_ for id_, chain in chains.items() if chain.alive(now))
        ids = alive if alive and pick % 8 else sorted(chains)
        return ids[pick // 8 % len(ids)]

    def _expiry(self, hours: int | None) -> datetime | None:
        """Half past some full hour, so that the clock's small steps do not matter."""
        if hours is None:
            return None
        passed = (self.driver.now - START) // timedelta(hours=1)
        return START + timedelta(hours=passed + hours, minutes=30)

    @initialize(count=st.integers(0, 12))
    def fill(self, count: int) -> None:
        """A few memories to begin with, some of them with versions."""
        for number in range(count):
            scope = Scope(user_id=USERS[number % 3], run_id=RUNS[number % 2])
            content = Content(text=TEXTS[number % 5], picture=None if number % 2 else number % 3)
            self.driver.do(Add(scope=scope, contents=(content,), key=KEYS[0] if number % 4 == 0 else None))

    # -- writing

    @rule(scope=scopes, content=texts | pictures, tags=tags, metadata=metadata, hours=hours, fault=fault)
    def add(
        self,
        scope: Scope,
        content: Content,
        tags: tuple[str, ...],
        metadata: str,
        hours: int | None,
        fault: Fault | None,
    ) -> None:
        """One part, often one that is there already."""
        expires_at = self._expiry(hours)
        self.driver.do(
            Add(scope=scope, contents=(content,), tags=tags, metadata=metadata, expires_at=expires_at), fault
        )

    @rule(scope=scopes, contents=st.lists(texts | bare, min_size=2, max_size=5), tags=tags, fault=fault)
    def add_batch(self, scope: Scope, contents: list[Content], tags: tuple[str, ...], fault: Fault | None) -> None:
        """Several parts in one call, some of them twice."""
        self.driver.do(Add(scope=scope, contents=tuple(contents), tags=tags), fault)

    @rule(
        scope=scopes,
        content=texts | pictures,
        key=st.sampled_from(KEYS),
        hours=hours,
        version=st.none() | st.integers(0, 3),
        fault=fault,
    )
    def upsert(
        self, scope: Scope, content: Content, key: str, hours: int | None, version: int | None, fault: Fault | None
    ) -> None:
        """A memory under a key, perhaps only if it is at a version."""
        expires_at = self._expiry(hours)
        self.driver.do(Add(scope=scope, contents=(content,), key=key, expires_at=expires_at, version=version), fault)

    @precondition(lambda self: self.driver.model.chains)
    @rule(
        pick=picks,
        text=st.none() | st.sampled_from(CORRECTIONS),
        tags=st.none() | tags,
        metadata=metadata,
        version=st.sampled_from((None, None, 0, -1)),
        fault=fault,
    )
    def update(
        self,
        pick: int,
        text: str | None,
        tags: tuple[str, ...] | None,
        metadata: str,
        version: int | None,
        fault: Fault | None,
    ) -> None:
        """A correction; with the right version (0), or a stale one."""
        id_ = self._id(pick)
        at = None if version is None else len(self.driver.model.chains[id_].versions) + version
        self.driver.do(Update(id=id_, text=text, tags=tags, metadata=metadata, version=at), fault)

    @precondition(lambda self: self.driver.model.chains)
    @rule(pick=picks, version=st.sampled_from((None, None, 0, -1)), fault=fault)
    def delete(self, pick: int, version: int | None, fault: Fault | None) -> None:
        """A deletion; with the right version (0), or a stale one."""
        id_ = self._id(pick)
        at = None if version is None else len(self.driver.model.chains[id_].versions) + version
        self.driver.do(Delete(id=id_, version=at), fault)

    @precondition(lambda self: self.driver.model.chains)
    @rule(pick=picks, fault=fault)
    def erase(self, pick: int, fault: Fault | None) -> None:
        """A memory is removed for good."""
        self.driver.do(Delete(id=self._id(pick), erase=True), fault)

    @precondition(lambda self: len(self.driver.model.chains) > MANY)
    @rule(scope=scopes, erase=st.booleans(), fault=fault)
    def delete_all(self, scope: Scope, *, erase: bool, fault: Fault | None) -> None:
        """A user's or a conversation's memories go."""
        self.driver.do(DeleteAll(scope=scope, erase=erase), fault)

    @precondition(lambda self: self.driver.model.chains)
    @rule(pick=picks, version=st.integers(1, 4), fault=fault)
    def restore(self, pick: int, version: int, fault: Fault | None) -> None:
        """An earlier version comes back, also of a deleted memory."""
        self.driver.do(Restore(id=self._id(pick), version=version), fault)

    @precondition(lambda self: self.driver.model.chains)
    @rule(pick=picks, tags=tags, labels=metadata, same=st.booleans(), fault=fault)
    def say_again(self, pick: int, tags: tuple[str, ...], labels: str, *, same: bool, fault: Fault | None) -> None:
        """The same once more, also what was deleted or has expired, perhaps with something new said about it."""
        chain = self.driver.model.chains[self._id(pick)]
        said = next(version for version in reversed(chain.versions) if version.content is not None)
        assert said.content is not None
        again = Add(
            scope=chain.scope,
            contents=(said.content,),
            key=said.key,
            tags=said.tags if same else tags,
            metadata=said.metadata if same else labels,
            expires_at=said.expires_at,
        )
        self.driver.do(again, fault)

    # -- reading

    @rule(scope=scopes, text=st.sampled_from((*TEXTS, *CORRECTIONS)))
    def search(self, scope: Scope, text: str) -> None:
        """A question in the very words of a memory that is perhaps there."""
        driver = self.driver
        audit.check_search(driver.memory, driver.model, driver.now, scope, text)

    @rule(pick=picks)
    def look_back(self, pick: int) -> None:
        """A read of a past moment."""
        driver = self.driver
        moment = driver.moments[pick % len(driver.moments)]
        audit.check_past(driver.memory, driver.model, moment, driver.now)

    @precondition(lambda self: self.driver.model.chains)
    @rule(pick=picks)
    def steal(self, pick: int) -> None:
        """Somebody else's memory."""
        id_ = self._id(pick)
        audit.check_foreign(self.driver.memory, id_, self.driver.model.chains[id_].scope)

    @rule()
    def look_at_everything(self) -> None:
        """All versions and originals."""
        audit.check_everything(self.driver.memory, self.driver.model, self.driver.now)

    # -- what happens to a store

    @rule(hours=st.integers(1, 3))
    def wait(self, hours: int) -> None:
        """Time goes by, and memories expire."""
        self.driver.clock.advance(hours=hours)

    @rule(fault=fault)
    def maintain(self, fault: Fault | None) -> None:
        """Upkeep at once."""
        self.driver.do(Maintain(), fault)

    @rule()
    def restart(self) -> None:
        """The program ends and starts again."""
        self.driver.restart()

    @rule()
    def walk_away(self) -> None:
        """The program forgets to close its memory."""
        self.driver.abandon()

    @rule()
    def switch(self) -> None:
        """A second handle on the same store takes over."""
        self.driver.switch()

    @rule(dimension=st.sampled_from((64, 96)), fault=fault)
    def reindex(self, dimension: int, fault: Fault | None) -> None:
        """Another embedder, or the same again."""
        self.driver.reindex(dimension, fault)

    @rule()
    def export(self) -> None:
        """A backup, brought into an empty store."""
        self.driver.export()

    @precondition(lambda self: self.driver.archive)
    @rule(fault=fault)
    def import_back(self, fault: Fault | None) -> None:
        """An older backup is brought into the store that wrote it."""
        self.driver.import_back(fault)

    @invariant()
    def lists_agree(self) -> None:
        """After each step."""
        self.driver.check()


class LanceMachine(StoreMachine):
    """The same on LanceDB."""

    kind = "lancedb"


def _writes(scope: Scope, contents: list[Content], pick: int) -> list[Operation]:
    """What a process does that will be killed: batches, and new versions of two memories."""
    return [
        Add(
            scope=scope, contents=(contents[number % len(contents)],), key=KEYS[number % 2], tags=(f"k{pick + number}",)
        )
        if number % 3
        else Add(scope=scope, contents=tuple(contents), tags=(f"t{pick + number}",))
        for number in range(12)
    ]


class KilledMachine(LanceMachine):
    """The same with other processes that are killed: each costs two seconds to start."""

    @rule(
        scope=scopes,
        contents=st.lists(texts | bare, min_size=1, max_size=3),
        pick=picks,
        acknowledged=st.integers(0, 12),
    )
    def kill(self, scope: Scope, contents: list[Content], pick: int, acknowledged: int) -> None:
        """Another process writes and is killed at some call."""
        self.driver.kill(_writes(scope, contents, pick), acknowledged)


def _profile(examples: int, steps: int, *, slow: bool) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=not slow,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def test_in_memory() -> None:
    """Whatever is done in whatever order, the store without files is what a dictionary says."""
    run_state_machine_as_test(StoreMachine, settings=_profile(30, 35, slow=False))


def test_lancedb() -> None:
    """The same on LanceDB, with rows moving between its tiers meanwhile."""
    run_state_machine_as_test(LanceMachine, settings=_profile(6, 35, slow=False))


def test_killed_writers() -> None:
    """What a second process had acknowledged when it was killed is there, the call it was at wholly or not at all."""
    driver = Driver("lancedb")
    contents = [Content(text=TEXTS[0]), Content(picture=0), Content(text=TEXTS[0])]
    for pick, acknowledged in enumerate((1, 6, 10)):
        driver.kill(_writes(Scope(user_id=USERS[pick % 2]), contents, pick * 100), acknowledged)
        driver.check()
        driver.do(DeleteAll(scope=Scope(user_id=USERS[pick % 2]), erase=pick == 1))
    driver.end()


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("machine", "share"), [(StoreMachine, 1.0), (LanceMachine, 0.5), (KilledMachine, 0.05)])
def test_many(machine: type[StoreMachine], share: float) -> None:
    """Thousands of other runs."""
    examples = int(os.environ.get("MEMPLUG_PROPERTY_EXAMPLES", "2000"))
    test = seeded(int(os.environ.get("MEMPLUG_PROPERTY_SEED", "0")))(machine)
    run_state_machine_as_test(test, settings=_profile(max(1, int(examples * share)), 60, slow=True))
