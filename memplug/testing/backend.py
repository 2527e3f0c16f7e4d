"""What every backend must do: inherit `BackendContract` and say how to open yours.

    class TestMyBackend(BackendContract):
        def open_backend(self, folder: Path) -> Backend:
            return open_mine(BackendRequest(location=f"mine://{folder}", profile=PROFILE))

Needs pytest and hypothesis (``pip install memplug[test]``).
"""

# ruff: noqa: S101, PLR2004 - tests assert, and numbers are their point
from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from memplug.exceptions import BackendError, EmbedderMismatch, MalformedInput, NotFound, VersionConflict
from memplug.plugins.protocols import Backend, ExaminedBackend, StoreProfile
from memplug.testing.records import (
    DIMENSION,
    EVERYTHING,
    PROFILE,
    START,
    at,
    changed,
    chosen,
    compare,
    deletion,
    direction,
    full_record,
    history,
    ids,
    of_user,
    record,
    snapshot,
    together,
)
from memplug.testing.samples import HOSTILE_IDS, filters, items
from memplug.testing.versioning import VersioningContract
from memplug.values.filters import All, Compare, Filter, Not
from memplug.values.item import MediaRef, Record

if TYPE_CHECKING:
    from pathlib import Path


class BackendContract(VersioningContract):
    """About sixty promises of `memplug.plugins.protocols.Backend`, each a test."""

    # -- listing

    def test_newest_first(self, backend: Backend) -> None:
        """A listing falls by creation, then by id."""
        made = [("b", 1), ("d", 2), ("a", 2), ("c", 0)]
        backend.commit([record(id_, created_at=at(second)) for id_, second in made])
        assert ids(backend.select(chosen())) == ["d", "a", "b", "c"]

    def test_update_keeps_place(self, backend: Backend) -> None:
        """An update does not move a record in the listing."""
        first = record("a", created_at=at(0))
        backend.commit([first, record("b", created_at=at(1))])
        backend.commit([changed(first, seconds=99)])
        assert ids(backend.select(chosen())) == ["b", "a"]

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
    def test_pages(self, backend: Backend, size: int) -> None:
        """Page by page a listing gives every record once and in order, ties included."""
        records = [record(f"id{n:02}", created_at=at(n // 4)) for n in range(23)]
        backend.commit(records[:15])
        self.disturb(backend, 3)
        backend.commit(records[15:])
        found: list[str] = []
        after = None
        while page := backend.select(chosen(limit=size, after=after)):
            assert len(page) <= size
            found += ids(page)
            after = (page[-1].item.created_at, page[-1].id)
        assert found == sorted(ids(records), key=lambda id_: (int(id_[2:]) // 4, id_), reverse=True)

    def test_limits(self, backend: Backend) -> None:
        """No read returns more than its limit."""
        backend.commit([record(f"id{n}", text="word", vector=direction(1, n)) for n in range(9)])
        for limit in (0, 1, 8, 9, 10):
            selection = chosen(limit=limit)
            wanted = min(limit, 9)
            assert len(backend.select(selection)) == wanted
            assert len(backend.nearest(direction(1), selection)) == wanted
            assert len(backend.match(["word"], selection)) == wanted

    def test_vectors_on_request(self, backend: Backend) -> None:
        """A read that asks for vectors gets them."""
        backend.commit([record("a", text="word", vector=direction(1, 2)), record("b", text="word")])
        selection = chosen(vectors=True)
        for found in (
            backend.select(selection),
            [match.record for match in backend.match(["word"], selection)],
            [match.record for match in backend.nearest(direction(1), selection)],
        ):
            vector = next(one.vector for one in found if one.id == "a")
            assert vector is not None
            np.testing.assert_array_equal(vector, direction(1, 2))

    # -- search

    def test_nearest_in_order(self, backend: Backend) -> None:
        """Nearest gives cosine similarities, exactly, best first."""
        generator = np.random.default_rng(7)
        vectors = generator.normal(size=(60, DIMENSION)).astype(np.float32)
        records = [record(f"id{n:02}", vector=vector) for n, vector in enumerate(vectors)]
        backend.commit(records[:40])
        self.disturb(backend, 3)
        backend.commit(records[40:])
        query = generator.normal(size=DIMENSION).astype(np.float32)
        cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
        found = backend.nearest(query, chosen(limit=10))
        assert ids(found) == [f"id{n:02}" for n in np.argsort(-cosines)[:10]]
        np.testing.assert_allclose([match.score for match in found], np.sort(cosines)[::-1][:10], atol=1e-5)

    def test_without_vector_never_nearest(self, backend: Backend) -> None:
        """A record without vector, or with one of zeros, is never near anything."""
        zeros = np.zeros(DIMENSION, dtype=np.float32)
        backend.commit([record("none"), record("zeros", vector=zeros), record("a", vector=direction(-1))])
        self.disturb(backend, 3)
        assert ids(backend.nearest(direction(1), chosen())) == ["a"]

    def test_nearest_of_large_numbers(self, backend: Backend) -> None:
        """Numbers whose squares are too large for 32 bits still give a cosine."""
        backend.commit([record("big", vector=np.full(DIMENSION, 1e25, dtype=np.float32))])
        found = backend.nearest(np.full(DIMENSION, 1e25, dtype=np.float32), chosen())
        assert [round(match.score, 4) for match in found] == [1]

    def test_query_of_zeros(self, backend: Backend) -> None:
        """A question without direction finds nothing."""
        backend.commit([record("a", vector=direction(1))])
        assert backend.nearest(np.zeros(DIMENSION, dtype=np.float32), chosen()) == []

    def test_nearest_inside_filter(self, backend: Backend) -> None:
        """The filter comes first: a user's records are found however many nearer ones others have."""
        others = [record(f"other{n}", user_id="li", vector=direction(1, n / 1000)) for n in range(50)]
        backend.commit([*others, *(record(f"mine{n}", vector=direction(-1, n)) for n in range(5))])
        found = backend.nearest(direction(1), chosen(of_user("wang"), limit=5))
        assert sorted(ids(found)) == [f"mine{n}" for n in range(5)]

    @pytest.mark.parametrize("word", ["dinner", "饺子", "café", "a_b%c", "x" * 200, "C++", "'", "AND", "*", "né\u0301"])
    def test_match_any_script(self, backend: Backend, word: str) -> None:
        """A term is found as it is, in any script, whole and with its case."""
        backend.commit([record("a", text=f"before {word} after"), record("b", text="before other after")])
        self.disturb(backend, 3)
        assert ids(backend.match([word], chosen())) == ["a"]
        assert backend.match([word + "q"], chosen()) == []

    def test_match_any_term(self, backend: Backend) -> None:
        """One shared term is enough, more are better, and none finds nothing."""
        backend.commit([record("a", text="red car"), record("b", text="red house"), record("c", text="sea")])
        found = backend.match(["red", "car", "moon"], chosen())
        assert ids(found) == ["a", "b"]
        assert found[0].score > found[1].score > 0
        assert backend.match([], chosen()) == []

    def test_match_carries_terms(self, backend: Backend) -> None:
        """A match brings the terms along, for rankers that weigh them anew."""
        backend.commit([record("a", text="red car")])
        assert backend.match(["car"], chosen())[0].record.terms == "red car"

    def test_blanks_of_other_scripts(self, backend: Backend) -> None:
        """Only ASCII blanks separate terms: what the analysis left together stays one term."""
        signs = ("\u00a0", "\u3000", "\u0085", "\x1c")
        backend.commit([record(f"id{place}", text=f"red{sign}car") for place, sign in enumerate(signs)])
        for step in (0, 3):
            self.disturb(backend, step)
            assert backend.match(["car"], chosen()) == []
            assert ids(backend.match([f"red{signs[1]}car"], chosen())) == ["id1"]

    def test_match_term_twice(self, backend: Backend) -> None:
        """A term counts once, however often it is asked for."""
        backend.commit([record("a", text="red car"), record("b", text="house")])
        for step in (0, 3):
            self.disturb(backend, step)
            once, twice = (backend.match(["car"] * times, chosen())[0].score for times in (1, 2))
            assert once == pytest.approx(twice)

    def test_match_inside_filter(self, backend: Backend) -> None:
        """The filter comes before the limit in lexical search, too."""
        backend.commit([record(f"other{n}", user_id="li", text="word word") for n in range(50)])
        backend.commit([record("mine", text="a word among many others here")])
        assert ids(backend.match(["word"], chosen(of_user("wang"), limit=3))) == ["mine"]

    # -- filters

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.differing_executors,
        ],
    )
    @given(
        before=st.lists(items(), min_size=1, max_size=6),
        after=st.lists(items(), max_size=6),
        where=filters(),
        step=st.integers(0, 3),
        moment=st.one_of(st.none(), st.integers(0, 8)),
        limit=st.integers(1, 4),
    )
    @example(before=[{}], after=[{}], where=Not(Compare("expires_at", "lte", START)), step=3, moment=None, limit=1)
    def test_filters_mean_the_same(
        self,
        backend: Backend,
        before: list[dict[str, Any]],
        after: list[dict[str, Any]],
        where: Filter,
        step: int,
        moment: int | None,
        limit: int,
    ) -> None:
        """On any records and any filter every read finds just what `memplug.values.filters.matches` says."""
        user = f"user{backend.count(EVERYTHING)}-{len(before)}-{threading.get_ident()}"
        user += f"-{hashlib.sha256(repr((before, after, where, step, moment)).encode()).hexdigest()}"
        if backend.ids(of_user(user)):
            return  # the same example once more, of which a count may show nothing
        batches = history(user, before, after)
        for place, batch in enumerate(batches):
            backend.commit(batch)
            if place == 0:
                self.disturb(backend, step)
        compare(backend, user, [one for batch in batches for one in batch], where, moment, limit)

    # -- ids

    @pytest.mark.parametrize("hostile", HOSTILE_IDS, ids=range(len(HOSTILE_IDS)))
    def test_hostile_ids(self, backend: Backend, hostile: str) -> None:
        """Any text can be an id, user, key or tag, and finds itself and nothing else."""
        held = record(hostile, user_id=hostile, key=hostile, tags=(hostile,), text="word", vector=direction(1))
        backend.commit([held, record("bystander", user_id="wang", tags=("tag",), text="word", vector=direction(1))])
        self.disturb(backend, 3)
        for name in ("id", "user_id", "key", "tags"):
            where = Compare(name, "eq", hostile)
            assert ids(backend.select(chosen(where))) == [hostile]
            assert ids(backend.nearest(direction(1), chosen(where))) == [hostile]
            assert ids(backend.match(["word"], chosen(where))) == [hostile]
            assert backend.count(where) == 1
            assert ids(backend.select(chosen(Not(where)))) == ["bystander"]
        assert list(backend.latest([hostile])) == [hostile]
        backend.commit([changed(held, text="next")])
        assert [one.version for one in backend.versions(hostile)] == [1, 2]
        backend.erase([hostile])
        assert backend.versions(hostile) == []
        assert backend.count(EVERYTHING) == 1

    # -- media

    def test_media_round_trip(self, backend: Backend) -> None:
        """Media comes back byte for byte, is listed once, and goes when it is removed."""
        data = bytes(range(256)) * 5_000
        digest = hashlib.sha256(data).hexdigest()
        for _ in range(2):
            backend.put_media(digest, data)
        with backend.open_media(digest) as file:
            assert file.read() == data
        assert list(backend.list_media()) == [digest]
        backend.remove_media([digest, "0" * 64])
        assert list(backend.list_media()) == []

    @pytest.mark.parametrize("digest", ["0" * 64, "", "../../etc/passwd", "/etc/passwd", "x"])
    def test_no_media(self, backend: Backend, digest: str) -> None:
        """There is no media under a digest that was never kept, whatever it looks like."""
        with pytest.raises(NotFound):
            backend.open_media(digest)
        backend.remove_media([digest])

    def test_references(self, backend: Backend) -> None:
        """A digest is referenced as long as any version of any record names it, as original or as thumbnail."""
        media = MediaRef(digest="1" * 64, size=1, content_type="image/png", thumbnail="2" * 64)
        first = record("a", media=media)
        backend.commit([first, record("b", media=replace(media, digest="3" * 64, thumbnail=None))])
        backend.commit([changed(first, media=None)])
        self.disturb(backend, 3)
        asked = [digit * 64 for digit in "1234"]
        assert backend.references(asked) == {"1" * 64, "2" * 64, "3" * 64}
        backend.erase(["a"])
        assert backend.references(asked) == {"3" * 64}
        assert backend.references([]) == set()

    def test_release_media(self, backend: Backend) -> None:
        """Of the digests given just those go that are kept and that no version names any more."""
        digests = [digit * 64 for digit in "123"]
        for digest in digests:
            backend.put_media(digest, b"data")
        media = MediaRef(digest=digests[0], size=4, content_type="image/png", thumbnail=digests[1])
        backend.commit([record("a", media=media)])
        backend.commit([deletion(record("a", media=media))])
        self.disturb(backend, 3)
        assert backend.release_media([]) == set()
        assert backend.release_media([*digests, "4" * 64, "no digest"]) == {digests[2]}
        assert sorted(backend.list_media()) == digests[:2]
        backend.erase(["a"])
        assert backend.release_media(digests[:1]) == {digests[0]}
        assert list(backend.list_media()) == [digests[1]]

    @pytest.mark.parametrize("half", ["\ud800", "a\udfff", "\udc80b"])
    def test_half_characters(self, backend: Backend, half: str) -> None:
        """A text with half a character, which no store can hold, is found nowhere and does no harm."""
        backend.commit([record("a", text="word"), record("b", text="word"), record("\ue000", text="word")])
        self.disturb(backend, 3)
        assert backend.latest([half, "a"]).keys() == {"a"}
        assert backend.versions(half) == []
        assert backend.references([half]) == set()
        assert backend.match([half], chosen()) == []
        assert ids(backend.select(chosen(Compare("id", "eq", half)))) == []
        listed = ids(backend.select(chosen(after=(START, half))))
        assert listed == [id_ for id_ in ("\ue000", "b", "a") if id_ < half]
        backend.erase([half])
        assert backend.count(EVERYTHING) == 3

    def test_ids_of_any_version(self, backend: Backend) -> None:
        """An id counts where any of its versions satisfies the filter, also an older or deleted one."""
        first, gone = record("a", tags=("old",)), record("gone", tags=("old",), metadata={"n": 1})
        backend.commit([first, gone, record("never", tags=("new",))])
        self.disturb(backend, 3)
        backend.commit([changed(first, tags=("new",)), deletion(gone)])
        assert backend.ids(All((Compare("tags", "eq", "old"), Not(Compare("version", "gt", 1))))) == {"a", "gone"}
        assert backend.ids(Compare("metadata.n", "eq", 1)) == {"gone"}
        assert backend.ids(EVERYTHING) == {"a", "gone", "never"}

    def test_rebuild(self, backend: Backend) -> None:
        """A rebuild gives every version another vector and terms, and the store another profile."""
        first = record("a", text="one", vector=direction(1))
        backend.commit([first, record("b", text="two", vector=direction(1))])
        self.disturb(backend, 3)
        backend.commit([changed(first, text="three")])
        told: list[tuple[int, int]] = []

        def convert(records: list[Record]) -> list[Record]:
            return [replace(one, terms=f"{one.terms} new", vector=np.ones(3, dtype=np.float32)) for one in records]

        profile = StoreProfile(embedder="other", dimension=3)
        assert backend.rebuild(profile, convert, lambda done, total, _words: told.append((done, total))) == 2
        assert backend.profile == profile
        assert told[-1][0] == told[-1][1]
        assert sorted(ids(backend.match(["new"], chosen()))) == ["a", "b"]
        assert sorted(ids(backend.nearest(np.ones(3, dtype=np.float32), chosen()))) == ["a", "b"]
        assert [(one.version, one.terms) for one in backend.versions("a")] == [(1, "one new"), (2, "three new")]
        assert ids(backend.select(chosen(as_of=at(0)))) == ["b", "a"]
        backend.commit([record("c", vector=np.ones(3, dtype=np.float32))])

    def test_rebuild_that_fails(self, backend: Backend) -> None:
        """A conversion that loses a version or gives a wrong vector changes nothing."""
        backend.commit([record("a", text="one", vector=direction(1))])
        profile = StoreProfile(embedder="other", dimension=3)
        with pytest.raises(MalformedInput):
            backend.rebuild(profile, lambda _: [])
        with pytest.raises(EmbedderMismatch):
            backend.rebuild(profile, lambda records: records)
        assert backend.profile == PROFILE
        assert ids(backend.nearest(direction(1), chosen())) == ["a"]

    # -- removal

    def test_erase(self, backend: Backend) -> None:
        """An erased id has no version left, others keep all of theirs, and the id can begin anew."""
        one, two = record("one", text="word", vector=direction(1)), record("two", text="word", vector=direction(1))
        backend.commit([one, two])
        self.disturb(backend, 3)
        backend.commit([changed(one, text="word"), changed(two, text="word")])
        backend.erase(["one", "unknown"])
        assert backend.versions("one") == []
        assert backend.latest(["one"]) == {}
        assert [found.version for found in backend.versions("two")] == [1, 2]
        assert ids(backend.match(["word"], chosen())) == ["two"]
        assert ids(backend.nearest(direction(1), chosen())) == ["two"]
        assert ids(backend.select(chosen(as_of=at(0)))) == ["two"]
        backend.commit([record("one", text="new")])
        assert backend.count(EVERYTHING) == 2

    def test_erase_nothing(self, backend: Backend) -> None:
        """Erasing no ids does nothing."""
        backend.commit([record("a")])
        backend.erase([])
        assert backend.count(EVERYTHING) == 1

    def test_maintain_changes_nothing(self, backend: Backend) -> None:
        """After maintenance every read answers as before, and progress was told to the end."""
        first = record("a", text="one", vector=direction(1))
        backend.commit([first, record("b", text="two")])
        backend.commit([changed(first, text="three")])
        before = snapshot(backend)
        told: list[tuple[int, int, str]] = []
        backend.maintain(lambda done, total, words: told.append((done, total, words)))
        backend.maintain()
        assert snapshot(backend) == before
        assert not backend.capabilities.maintenance or told[-1][0] == told[-1][1]

    def test_maintain_removes_expired(self, backend: Backend) -> None:
        """Maintenance removes what has expired, with all its versions, and nothing else."""
        if not backend.capabilities.maintenance:
            pytest.skip("this backend does no maintenance")
        now = datetime.now(UTC)
        first = record("gone")
        later = now + timedelta(hours=1)
        backend.commit([first, record("stays"), record("later", expires_at=later), record("back", expires_at=START)])
        backend.commit([changed(first, expires_at=now - timedelta(seconds=1))])
        backend.commit([changed(record("back", expires_at=START), expires_at=None)])
        backend.maintain()
        assert sorted(ids(backend.select(chosen()))) == ["back", "later", "stays"]
        assert backend.versions("gone") == []

    def test_maintain_by_a_given_clock(self, backend: Backend) -> None:
        """What has expired is judged by the moment given, where one is."""
        if not backend.capabilities.maintenance:
            pytest.skip("this backend does no maintenance")
        backend.commit([record("early", expires_at=at(10)), record("late", expires_at=at(20))])
        backend.maintain(now=at(9))
        assert backend.count(EVERYTHING) == 2
        backend.maintain(now=at(10))
        assert ids(backend.select(chosen())) == ["late"]
        backend.maintain()
        assert backend.count(EVERYTHING) == 0

    def test_examination(self, backend: Backend) -> None:
        """A whole store has nothing wrong with it, whatever upkeep was under way, and examining it changes nothing."""
        if not backend.capabilities.examination:
            pytest.skip("this backend has nothing of its own to examine")
        first = record("a", text="one", vector=direction(1))
        backend.commit([first, record("b", text="two")])
        self.disturb(backend, 3)
        backend.commit([changed(first, text="three")])
        before = snapshot(backend)
        for repair in (False, True):
            findings = cast("ExaminedBackend", backend).examine(repair=repair)
            assert [(found.wrong, found.repaired) for found in findings] == [((), 0)] * len(findings)
            assert len({found.name for found in findings}) == len(findings) > 0
        assert snapshot(backend) == before

    # -- life

    def test_reopen(self, tmp_path: Path) -> None:
        """What was committed is there when the store is opened again."""
        if not self.persistent:
            pytest.skip("this backend keeps nothing")
        first = self.open_backend(tmp_path / "store")
        full = full_record()
        first.commit([full])
        first.put_media("0" * 64, b"data")
        first.close()
        second = self.open_backend(tmp_path / "store")
        assert second.profile == PROFILE
        assert second.latest([full.id])[full.id].item == full.item
        with second.open_media("0" * 64) as file:
            assert file.read() == b"data"
        second.close()

    def test_closed(self, backend: Backend) -> None:
        """After closing every call fails with a typed error, and closing again does nothing."""
        backend.close()
        backend.close()
        for call in (
            lambda: backend.commit([record("a")]),
            lambda: backend.latest(["a"]),
            lambda: backend.select(chosen()),
            lambda: backend.count(EVERYTHING),
            lambda: backend.erase(["a"]),
            lambda: backend.put_media("0" * 64, b""),
            backend.maintain,
        ):
            with pytest.raises(BackendError):
                call()

    def test_threads_add(self, backend: Backend) -> None:
        """Eight threads that add at once lose nothing and double nothing."""

        def add(thread: int) -> None:
            for n in range(12):
                backend.commit([record(f"{thread}-{n}", text=f"word{n}")])

        together(add, threads=8)
        found = ids(backend.select(chosen()))
        assert sorted(found) == sorted(f"{thread}-{n}" for thread in range(8) for n in range(12))
        assert len(backend.match(["word3"], chosen())) == 8

    def test_threads_race(self, backend: Backend) -> None:
        """Of threads that write the same next version just one wins; the others are told what is current."""
        first = record("a")
        backend.commit([first])
        outcomes: list[str] = []

        def race(thread: int) -> None:
            try:
                backend.commit([changed(first, text=f"thread{thread}")])
                outcomes.append("won")
            except VersionConflict as error:
                outcomes.append(f"lost to {error.current['a']}")

        together(race, threads=6)
        assert sorted(outcomes) == ["lost to 2"] * 5 + ["won"]
        assert [one.version for one in backend.versions("a")] == [1, 2]

    def test_reads_during_writes(self, backend: Backend) -> None:
        """A reader beside a writer sees each batch whole or not at all, and no id twice."""
        done = threading.Event()
        bad: list[str] = []

        def read() -> None:
            while not done.is_set():
                found = ids(backend.select(chosen()))
                if len(found) != len(set(found)):
                    bad.append("twice")
                if len(found) % 3:
                    bad.append("half")

        reader = threading.Thread(target=read)
        reader.start()
        for n in range(15):
            backend.commit([record(f"{n}-{part}") for part in range(3)])
            self.disturb(backend, n % 4)
        done.set()
        reader.join()
        assert bad == []
        assert backend.count(EVERYTHING) == 45
