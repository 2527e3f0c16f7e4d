"""The first part of `memplug.testing.backend.BackendContract`: versions, and which of them is current."""

# ruff: noqa: S101 - tests assert, and numbers are their point
from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memplug.exceptions import EmbedderMismatch, MalformedInput, VersionConflict
from memplug.testing.records import (
    DIMENSION,
    EVERYTHING,
    at,
    changed,
    chosen,
    deletion,
    direction,
    full_record,
    ids,
    record,
)
from memplug.values.filters import Compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.plugins.protocols import Backend


class VersioningContract(ABC):
    """How versions are kept, and what is current when."""

    #: Whether a store is still there when it is opened again at the same place.
    persistent: bool = True

    @abstractmethod
    def open_backend(self, folder: Path) -> Backend:
        """Opens the store that belongs to a folder, made with `PROFILE`."""

    def disturb(self, backend: Backend, step: int) -> None:  # noqa: B027 - most backends have nothing to do here
        """Does upkeep that must not be noticeable; the property test calls it between writes and reads.

        Args:
            backend: The store.
            step: Any number; says how far to go.
        """

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        """An empty store."""
        backend = self.open_backend(tmp_path / "store")
        yield backend
        backend.close()

    # -- versions

    def test_round_trip(self, backend: Backend) -> None:
        """Every field of a record comes back exactly as it was committed."""
        full = full_record()
        backend.commit([full])
        found = backend.latest([full.id])[full.id]
        assert found.item == full.item
        assert (found.terms, found.identity, found.context) == (full.terms, full.identity, full.context)
        assert found.vector is not None
        assert full.vector is not None
        np.testing.assert_array_equal(found.vector, full.vector)

    def test_bare_round_trip(self, backend: Backend) -> None:
        """What was not set comes back as not set, and an empty text as an empty text."""
        bare = record("bare")
        blank = record("blank", key="", bucket="", metadata={"": None})
        backend.commit([bare, blank])
        found = backend.latest(["bare", "blank"])
        assert found["bare"].item == bare.item
        assert found["blank"].item == blank.item
        assert found["bare"].vector is None

    def test_unknown_ids(self, backend: Backend) -> None:
        """An id that was never committed is in no answer and has no versions."""
        assert backend.latest(["nobody"]) == {}
        assert backend.latest([]) == {}
        assert backend.versions("nobody") == []

    def test_versions_in_order(self, backend: Backend) -> None:
        """All versions come back oldest first, each ending where the next begins."""
        first = record("a", text="one")
        second = changed(first, text="two")
        third = deletion(second)
        for one in (first, second, third):
            backend.commit([one])
        found = backend.versions("a")
        assert [(one.version, one.item.text, one.item.deleted) for one in found] == [
            (1, "one", False),
            (2, "two", False),
            (3, "", True),
        ]
        assert [one.item.valid_to for one in found] == [at(1), at(2), None]

    def test_latest_shows_deletion(self, backend: Backend) -> None:
        """The highest version is the latest one even where it is a deletion."""
        first = record("a", text="one")
        backend.commit([first])
        backend.commit([deletion(first)])
        assert backend.latest(["a"])["a"].item.deleted

    def test_revival(self, backend: Backend) -> None:
        """After a deletion the next version is current again."""
        first = record("a", text="one")
        gone = deletion(first)
        for one in (first, gone, changed(gone, text="again", deleted=False)):
            backend.commit([one])
        assert [(one.version, one.item.text) for one in backend.select(chosen())] == [(3, "again")]

    @pytest.mark.parametrize("version", [0, 2, 3, -1])
    def test_new_id_starts_at_one(self, backend: Backend, version: int) -> None:
        """A new id cannot begin with any other version than 1."""
        with pytest.raises(VersionConflict) as caught:
            backend.commit([record("a", version=version)])
        assert caught.value.current == {"a": 0}

    @pytest.mark.parametrize("version", [1, 2, 4])
    def test_conflict_names_current(self, backend: Backend, version: int) -> None:
        """A version that is not the next one is refused, and the error says which one is current."""
        first = record("a")
        backend.commit([first])
        backend.commit([changed(first)])
        with pytest.raises(VersionConflict) as caught:
            backend.commit([record("a", version=version)])
        assert caught.value.current == {"a": 2}

    def test_conflict_writes_nothing(self, backend: Backend) -> None:
        """One conflict in a batch keeps all of the batch out."""
        backend.commit([record("a")])
        with pytest.raises(VersionConflict) as caught:
            backend.commit([record("b"), record("a"), record("c")])
        assert caught.value.current == {"a": 1}
        assert backend.latest(["b", "c"]) == {}
        assert backend.count(EVERYTHING) == 1

    def test_conflict_with_deletion(self, backend: Backend) -> None:
        """A deleted id keeps its version numbers: it cannot begin again at 1."""
        first = record("a")
        backend.commit([first])
        backend.commit([deletion(first)])
        with pytest.raises(VersionConflict) as caught:
            backend.commit([record("a")])
        assert caught.value.current == {"a": 2}

    def test_id_twice_in_batch(self, backend: Backend) -> None:
        """One commit cannot hold the same id twice, and writes nothing then."""
        with pytest.raises(MalformedInput):
            backend.commit([record("a"), record("b"), record("a", version=2)])
        assert backend.count(EVERYTHING) == 0

    def test_empty_commit(self, backend: Backend) -> None:
        """Committing nothing does nothing."""
        backend.commit([])
        assert backend.count(EVERYTHING) == 0

    def test_wrong_dimension(self, backend: Backend) -> None:
        """A vector of another length is refused, stored or asked with."""
        with pytest.raises(EmbedderMismatch):
            backend.commit([record("a", vector=np.ones(DIMENSION + 1, dtype=np.float32))])
        with pytest.raises(EmbedderMismatch):
            backend.nearest(np.ones(DIMENSION - 1, dtype=np.float32), chosen())

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_vector_that_is_no_number(self, backend: Backend, bad: float) -> None:
        """A vector with NaN or infinity is refused."""
        vector = direction(1)
        vector[3] = bad
        with pytest.raises(MalformedInput):
            backend.commit([record("a", vector=vector)])

    # -- what is current

    def test_update_wins_everywhere(self, backend: Backend) -> None:
        """After an update no read finds what the older version said."""
        first = record("a", text="old", vector=direction(1), tags=("old",))
        backend.commit([first])
        new = replace(changed(first, text="new", tags=("new",)), vector=direction(0, 1))
        backend.commit([new])
        assert backend.select(chosen(Compare("tags", "eq", "old"))) == []
        assert backend.match(["old"], chosen()) == []
        assert ids(backend.match(["new"], chosen())) == ["a"]
        assert [round(match.score, 4) for match in backend.nearest(direction(1), chosen())] == [0]
        assert backend.count(Compare("text", "eq", "old")) == 0

    def test_deletion_hides_everywhere(self, backend: Backend) -> None:
        """A deleted record is in no read but `latest` and `versions`."""
        first = record("a", text="word", vector=direction(1))
        backend.commit([first, record("b", text="word", vector=direction(1))])
        backend.commit([deletion(first)])
        assert ids(backend.select(chosen())) == ["b"]
        assert ids(backend.nearest(direction(1), chosen())) == ["b"]
        assert ids(backend.match(["word"], chosen())) == ["b"]
        assert backend.count(EVERYTHING) == 1

    def test_as_of(self, backend: Backend) -> None:
        """A read as of a moment sees what was current then, in all four reads."""
        first = record("a", text="one", vector=direction(1), seconds=10)
        second = replace(changed(first, seconds=10, text="two"), vector=direction(0, 1))
        for one in (first, second, deletion(second, seconds=10)):
            backend.commit([one])
        seen = {}
        for moment in (9, 10, 19, 20, 29, 30, 40):
            selection = chosen(as_of=at(moment))
            texts = [one.item.text for one in backend.select(selection)]
            assert [match.record.item.text for match in backend.nearest(direction(1, 1), selection)] == texts
            assert [match.record.item.text for match in backend.match(["one", "two"], selection)] == texts
            assert backend.count(EVERYTHING, as_of=at(moment)) == len(texts)
            seen[moment] = texts
        assert seen == {9: [], 10: ["one"], 19: ["one"], 20: ["two"], 29: ["two"], 30: [], 40: []}

    def test_as_of_says_until_when(self, backend: Backend) -> None:
        """A record of the past says when it ended, wherever it and its successor are kept."""
        first = record("a", text="one", vector=direction(1), seconds=1)
        backend.commit([first])
        self.disturb(backend, 3)
        backend.commit([changed(first, seconds=5, text="one")])
        selection = chosen(as_of=at(2))
        found = [backend.select(selection)[0], *(match.record for match in backend.match(["one"], selection))]
        found += [match.record for match in backend.nearest(direction(1), selection)]
        assert [one.item.valid_to for one in found] == [at(6)] * 3
        assert [one.item.valid_to for one in backend.select(chosen(as_of=at(7)))] == [None]

    def test_as_of_filters_what_was(self, backend: Backend) -> None:
        """A filter as of a moment looks at the version of that moment, not at the one of now."""
        first = record("a", tags=("old",))
        backend.commit([first])
        backend.commit([changed(first, seconds=10, tags=("new",))])
        old, new = Compare("tags", "eq", "old"), Compare("tags", "eq", "new")
        assert (backend.count(old, as_of=at(5)), backend.count(new, as_of=at(5))) == (1, 0)
        assert (backend.count(old, as_of=at(10)), backend.count(new, as_of=at(10))) == (0, 1)

    def test_clock_that_ran_backwards(self, backend: Backend) -> None:
        """Where a later version claims an earlier moment, the higher version wins from then on."""
        first = record("a", text="one", seconds=5)
        second = changed(first, seconds=5, text="two")
        third = changed(second, seconds=-2, text="three")
        for one in (first, second, third):
            backend.commit([one])
            self.disturb(backend, 3)
        seen = [[one.item.text for one in backend.select(chosen(as_of=at(moment)))] for moment in (4, 5, 7, 8, 9, 10)]
        assert seen == [[], ["one"], ["one"], ["three"], ["three"], ["three"]]
