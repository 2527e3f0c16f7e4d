"""The journal that single commits go to: cut off, damaged, full, shared, moved on and erased."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from memplug.backends.lancedb.backend import LanceBackend
from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.journal import Journal
from memplug.backends.lancedb.recent import Batch
from memplug.backends.lancedb.rows import encoded
from memplug.exceptions import BackendError, ConfigError, MalformedInput, StoreFull
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import EVERYTHING, PROFILE, changed, chosen, direction, full_record, ids, record
from memplug.values.item import MediaRef
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.backends.lancedb.session import Session
    from memplug.values.item import Record

NOBODY = cast("Session", None)
"""What a journal on a local disk does not ask when it appends."""


def opened(folder: Path, **fields: Any) -> LanceBackend:
    """The store in a folder."""
    asked: dict[str, Any] = {"location": str(folder), "profile": PROFILE} | fields
    return LanceBackend(BackendRequest(**asked))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LanceBackend]:
    """An empty store in ``tmp_path / "store"``."""
    backend = opened(tmp_path / "store")
    yield backend
    backend.close()


def _journal(folder: Path, *, durable: bool = False) -> Journal:
    """A journal as a process sees it that opens it now."""
    journal = Journal(folder, PROFILE.dimension, durable=durable)
    journal.refresh()
    return journal


def _batch(journal: Journal, *records: Record) -> Batch:
    return Batch(records=list(records), form=journal.packed(records))


def _append(journal: Journal, *records: Record) -> None:
    journal.append(NOBODY, [_batch(journal, *records)])


def _held(journal: Journal) -> dict[str, tuple[Any, ...]]:
    """All that it says, by id."""
    return {one.id: _content(one) for one in journal.overlay.everything()}


def _content(one: Record) -> tuple[Any, ...]:
    vector = None if one.vector is None else one.vector.tobytes()
    return one.item, one.terms, one.identity, one.context, vector


def _one(id_: str) -> Record:
    return record(id_, text=f"words of {id_}", vector=None if id_ == "b1" else direction(1, ord(id_[0])))


#: Three commits.
COMMITS = ([_one("a")], [_one("b1"), _one("b2")], [_one("c")])


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, list[int]]:
    """A folder with these commits in one file, and where each of them ends."""
    folder = tmp_path / "journal"
    journal = Journal(folder, PROFILE.dimension, durable=False)
    journal.make()
    ends = []
    for commit in COMMITS:
        _append(journal, *commit)
        ends.append((folder / "000001.log").stat().st_size)
    return folder, ends


def _expected(*commits: list[Record]) -> dict[str, tuple[Any, ...]]:
    return {one.id: _content(one) for commit in commits for one in commit}


def test_everything_comes_back(made: tuple[Path, list[int]]) -> None:
    """Records come back from the file exactly, with every field and every number."""
    journal = _journal(made[0])
    _append(journal, full_record(), record("deleted", deleted=True))
    again = _journal(made[0])
    assert _held(again) == _held(journal) == _expected(*COMMITS, [full_record(), record("deleted", deleted=True)])
    assert again.damage() == again.doubles() == []


def test_cut_off_anywhere(made: tuple[Path, list[int]]) -> None:
    """Of a commit that was cut off nothing shows, those before it are whole, and the next one takes its place."""
    folder, ends = made
    log = folder / "000001.log"
    whole = log.read_bytes()
    for size in range(ends[1], ends[2]):
        log.write_bytes(whole[:size])
        reader, writer = _journal(folder), _journal(folder)
        assert _held(reader) == _expected(*COMMITS[:2])
        _append(writer, _one("d"))
        assert _held(reader) == _held(_journal(folder)) == _expected(*COMMITS[:2], [_one("d")])
        assert [path.name for path in folder.iterdir()] == ["000001.log"]
        assert writer.damage() == []


@pytest.mark.parametrize("flip", [0xFF, 0x01])
def test_any_byte_damaged(made: tuple[Path, list[int]], flip: int) -> None:
    """Whichever byte is another one: its commit is missing whole, the others are whole, and no byte is thrown away."""
    folder, ends = made
    log, begins = folder / "000001.log", [0, *ends[:-1]]
    whole = log.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= flip
        log.write_bytes(damaged)
        rest = [commit for begin, end, commit in zip(begins, ends, COMMITS, strict=True) if not begin <= place < end]
        reader, writer = _journal(folder), _journal(folder)
        assert _held(reader) == _expected(*rest)
        _append(writer, _one("d"))
        assert _held(reader) == _held(_journal(folder)) == _expected(*rest, [_one("d")])
        assert writer.damage() == ["000001.log"]
        assert log.read_bytes() == damaged
        (folder / "000002.log").unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data, ends: data[: ends[0]] + bytes(ends[1] - ends[0]) + data[ends[1] :],
        lambda data, ends: data[: ends[0]] + data[ends[0] + 30 :],
        lambda data, ends: data[: ends[0]] + b"\xffMJ\x01" * 9 + data[ends[0] + 60 :],
    ],
)
def test_frames_behind_damage(made: tuple[Path, list[int]], spoil: Callable[[bytes, list[int]], bytes]) -> None:
    """What is behind zeros, behind a hole or behind nonsense is found."""
    folder, ends = made
    log = folder / "000001.log"
    log.write_bytes(spoil(log.read_bytes(), ends))
    assert _held(_journal(folder)) == _expected(COMMITS[0], COMMITS[2])


def test_damage_is_set_aside(store: LanceBackend, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged commit is told of, kept beside what is moved on, named by the doctor, and gone with an erasure."""
    for word in ("first", "spoiltword", "last"):
        store.commit([record(word, text=word)])
    store.close()
    [log] = (tmp_path / "store").glob("tables/*.journal/*.log")
    log.write_bytes(log.read_bytes().replace(b"spoiltword", b"SPOILTword"))
    with caplog.at_level(logging.WARNING):
        again = opened(tmp_path / "store")
        assert "is damaged" in caplog.text
        again.commit([record("next")])
        again.maintain()
        assert "set aside" in caplog.text
    assert sorted(again.ids(EVERYTHING)) == ["first", "last", "next"]
    assert b"SPOILTword" in log.with_suffix(".torn").read_bytes()
    for repair in (False, True):
        wrong = {found.name: (found.wrong, found.repaired) for found in again.examine(repair=repair)}
        assert wrong["no damaged commits"] == (("000001.torn",), 0)
    again.erase(["last"])
    assert list((tmp_path / "store").rglob("*.torn")) == []
    assert all(found.wrong == () for found in again.examine(repair=False))
    again.close()


def test_reader_of_a_damaged_store(store: LanceBackend, tmp_path: Path) -> None:
    """A reader that may write nothing shows what can be read, also what is committed later."""
    store.commit([record("a")])
    [log] = (tmp_path / "store").glob("tables/*.journal/*.log")
    with log.open("ab") as file:
        file.write(b"\0" * 100)
    reader = opened(tmp_path / "store", read_only=True)
    assert ids(reader.select(chosen())) == ["a"]
    store.commit([record("b")])
    assert sorted(ids(reader.select(chosen()))) == ["a", "b"]
    store.maintain()
    assert sorted(ids(reader.select(chosen()))) == ["a", "b"]
    reader.close()


# -- no room


def test_no_room_for_a_commit(store: LanceBackend, tmp_path: Path) -> None:
    """A commit for which there is no room is one typed error, leaves no byte, and works once there is room."""
    resource = pytest.importorskip("resource")
    store.commit([record("a")])
    [log] = (tmp_path / "store").glob("tables/*.journal/*.log")
    reader, size = opened(tmp_path / "store", read_only=True), log.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 1, 19, 20, 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, before[1]))
        try:
            with pytest.raises(StoreFull):
                store.commit([record("b", text="a word " * 100)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert log.stat().st_size == size
        assert ids(store.select(chosen())) == ids(reader.select(chosen())) == ["a"]
    store.commit([record("b", text="a word " * 100)])
    assert sorted(ids(reader.select(chosen()))) == ["a", "b"]
    reader.close()


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="this system has no fdatasync")
def test_taken_back_commit(made: tuple[Path, list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that could not be synced is nowhere, also not at a reader who saw it; nor is it taken for the next."""
    folder, _ = made
    reader, writer = _journal(folder), _journal(folder, durable=True)
    seen: list[bool] = []

    def full(_: int) -> None:
        seen.append("d" in _held(reader))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        with pytest.raises(StoreFull):
            _append(writer, record("d", text="one"), _one("e"))
    assert seen == [True]
    assert _held(writer) == _expected(*COMMITS)
    _append(writer, record("d", text="two"))
    for journal in (writer, reader, _journal(folder)):
        assert _held(journal) == _expected(*COMMITS, [record("d", text="two")])


# -- several processes, moving on, erasing

_WRITER = """
import sys
from memplug.backends.lancedb import open_lancedb, upkeep
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import *
upkeep.FOLD_ROWS = 7
store = open_lancedb(BackendRequest(location=sys.argv[1], profile=PROFILE))
for n in range(60):
    store.commit([record(f"{sys.argv[2]}-{n}-{part}", text="word") for part in range(2)])
    print(n, flush=True)
store.close()
"""


def test_readers_beside_writers(tmp_path: Path) -> None:
    """While two processes commit and move on, a reader sees each commit from its acknowledgement on, and never half."""
    folder = tmp_path / "store"
    opened(folder).close()
    reader = opened(folder, read_only=True)
    command = [sys.executable, "-c", _WRITER, str(folder)]
    children = [subprocess.Popen([*command, str(run)], stdout=subprocess.PIPE, text=True) for run in range(2)]
    acknowledged: set[str] = set()

    def follow(run: int) -> None:
        for line in cast("Any", children[run].stdout):
            acknowledged.update(f"{run}-{line.strip()}-{part}" for part in range(2))

    threads = [threading.Thread(target=follow, args=(run,)) for run in range(2)]
    for thread in threads:
        thread.start()
    looks = 0
    while any(thread.is_alive() for thread in threads):
        before = set(acknowledged)
        found = ids(reader.select(chosen(limit=10_000)))
        assert before <= set(found), "a commit that was acknowledged is not seen"
        assert len(found) == len(set(found)), "a commit is seen twice"
        assert len(found) % 2 == 0, "a commit is seen half"
        looks += 1
    for child, thread in zip(children, threads, strict=True):
        thread.join()
        assert child.wait() == 0
        cast("Any", child.stdout).close()
    assert looks > 3
    assert len(ids(reader.select(chosen(limit=10_000)))) == 240
    reader.close()


def test_old_handles(store: LanceBackend, tmp_path: Path) -> None:
    """Handles that slept while another one moved on, erased and wrote go on with what is there now."""
    sleeping = [opened(tmp_path / "store", profile=None) for _ in range(4)]
    store.commit([record("a"), record("b")])
    assert [len(handle.ids(EVERYTHING)) for handle in sleeping] == [2] * 4
    with store._session.upkeep.held():
        Fold.of(store._session).run()
    assert sleeping[0].count(EVERYTHING) == 2
    store.commit([changed(record("a"))])
    store.erase(["b"])
    assert sleeping[1].ids(EVERYTHING) == {"a"}
    store.commit([record("c")])
    assert sleeping[2].latest(["a", "b", "c"]).keys() == {"a", "c"}
    sleeping[3].commit([record("b", text="again")])
    assert [handle.ids(EVERYTHING) for handle in (store, *sleeping)] == [{"a", "b", "c"}] * 5
    assert sorted(path.name for path in (tmp_path / "store" / "tables").glob("recent-*")) == ["recent-2.journal"]
    for handle in sleeping:
        handle.close()


def test_segments_go_in_order(store: LanceBackend, tmp_path: Path) -> None:
    """Wherever the removal of what was moved on stops, what is left says nothing but the truth."""
    first = record("a", text="one")
    for steps in range(3):  # three moves that never came to their end
        store.commit([first if steps == 0 else changed(first, text="two")])
        first = first if steps == 0 else changed(first, text="two")
        fold = Fold.of(store._session)
        fold.archive()
        fold.settle()
    journal = tmp_path / "store" / "tables" / "recent-1.journal"
    files = sorted(path.name for path in journal.iterdir())
    assert len(files) == 4
    for gone in range(4):
        copy = shutil.copytree(tmp_path / "store", tmp_path / f"copy{gone}")
        for name in files[:gone]:
            (copy / "tables" / "recent-1.journal" / name).unlink()
        left = opened(copy)
        assert [one.version for one in left.versions("a")] == [1, 2, 3]
        assert [(one.version, one.item.text) for one in left.select(chosen())] == [(3, "two")]
        assert left.match(["one"], chosen()) == []
        left.close()


def test_killed_move_leaves_no_file(store: LanceBackend, tmp_path: Path) -> None:
    """What moves that were cut off left in the journal is gone after the next one."""
    for n in range(3):
        store.commit([record(f"id{n}")])
        Fold.of(store._session)
    store.maintain()
    names = [path.name for path in (tmp_path / "store" / "tables" / "recent-1.journal").iterdir()]
    assert len(names) == 1
    assert store.count(EVERYTHING) == 3


def test_table_of_before(store: LanceBackend, tmp_path: Path) -> None:
    """A store that keeps single commits in a table, as none that was released does, is refused untouched."""
    store.commit([record("a")])
    store.close()
    tables = tmp_path / "store" / "tables"
    (tables / "recent-1.journal").rename(tables / "recent-1.lance")
    for read_only in (False, True):
        with pytest.raises(ConfigError, match="unreleased memplug") as caught:
            opened(tmp_path / "store", read_only=read_only)
        assert "export" in str(caught.value.hint)
    assert (tables / "recent-1.lance" / "000001.log").stat().st_size > 0
    (tables / "recent-1.lance").rename(tables / "elsewhere")
    with pytest.raises(BackendError, match="cannot"):
        opened(tmp_path / "store")


# -- what a journal takes


@pytest.mark.parametrize(
    "wrong",
    [
        record("half \ud800"),
        record("a", text="half \ud800"),
        record("a", tags=("half \ud800",)),
        record("a", key="half \ud800"),
        record("a", key=7),
        record("a", tags=(7,)),
        record("a", metadata={"x": object()}),
        record("a", metadata={"x": {1, 2}}),
        record("a", version=2**63),
        record("a", deleted="yes"),
        record("a", source=Provenance(speaker="half \ud800")),
        record("a", source=Provenance(position=2**63)),
        record("a", media=MediaRef(digest="\ud800", size=1, content_type="x")),
        record("a", created_at="yesterday"),
    ],
)
def test_what_no_table_takes_is_refused(made: tuple[Path, list[int]], wrong: Record) -> None:
    """A record that could not be moved on to a table is refused when it is committed, not later."""
    with pytest.raises((MalformedInput, AttributeError)):
        encoded([wrong], PROFILE.dimension)
    with pytest.raises(MalformedInput):
        _journal(made[0]).packed([wrong])
