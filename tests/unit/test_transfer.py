"""Export and import."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from archives import line, write_archive
from memplug import Draft, Memory, Scope, hookimpl
from memplug.exceptions import ConfigError, MalformedInput, StoreFull, UnsafeInput
from memplug.pipelines import transfer
from memplug.pipelines.exporting import _writing
from memplug.testing.endpoint import ModelServer
from support import png

if TYPE_CHECKING:
    from pathlib import Path


def everything(memory: Memory) -> list[tuple[Any, ...]]:
    """All versions of all memories of the two users, with originals."""
    return [
        (version, memory.media(item.id) if item.media else None)
        for user in ("a", "b")
        for item in memory.get_all(user_id=user, limit=1_000)
        for version in memory.history(item.id)
    ]


def noise(side: int) -> bytes:
    """A PNG that does not shrink."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(side * side * 3)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def filled(memory: Memory) -> Memory:
    """A memory with versions, pictures, conversations and a deleted item."""
    memory.add(
        [{"role": "user", "name": "Ann", "content": f"turn {n} 火锅"} for n in range(5)], user_id="a", run_id="r"
    )
    [id_] = memory.add("first", user_id="a", key="k", tags=["t"], metadata={"deep": {"er": [1, None, "x"]}}).ids
    memory.update(id_, "second")
    memory.add(png("blue"), user_id="b", description="a blue square", occurred_at="2020-02-02T02:02:02+02:00")
    memory.delete(memory.add("gone", user_id="b").ids[0])
    return memory


def opened(tmp_path: Path, name: str = "other") -> Memory:
    """Another, empty memory."""
    return Memory(tmp_path / name, embedder="hashing:256")


def test_round_trip_is_exact(filled: Memory, tmp_path: Path) -> None:
    """A whole store comes back with all versions, times, ids and originals as they were."""
    report = filled.export(tmp_path / "all.zip")
    assert (report.memories, report.versions, report.media) == (7, 8, 2)
    with opened(tmp_path) as other:
        imported = other.import_(tmp_path / "all.zip")
        assert (imported.added, imported.unchanged, imported.rejected) == (7, 0, ())
        assert everything(other) == everything(filled)
        assert other.search("火锅", user_id="a")[0].text.endswith("火锅")


def test_import_twice_changes_nothing(filled: Memory, tmp_path: Path) -> None:
    """An import that is repeated passes over what is there."""
    filled.export(tmp_path / "all.zip")
    report = filled.import_(tmp_path / "all.zip")
    assert (report.added, report.updated, report.unchanged, report.rejected) == (0, 0, 7, ())


def test_later_versions_are_brought_in(filled: Memory, tmp_path: Path) -> None:
    """A store that has the first versions gets those that came after."""
    filled.export(tmp_path / "old.zip")
    with opened(tmp_path) as other:
        other.import_(tmp_path / "old.zip")
        id_ = filled.get(key="k", user_id="a").id
        filled.update(id_, "third")
        filled.export(tmp_path / "new.zip")
        report = other.import_(tmp_path / "new.zip")
        assert (report.added, report.updated, report.unchanged) == (0, 1, 6)
        assert other.get(id_).text == "third"
        other.update(id_, "went another way")
        filled.update(id_, "fourth")
        filled.export(tmp_path / "newest.zip")
        [rejection] = other.import_(tmp_path / "newest.zip").rejected
        assert rejection.error.code == "item.conflict"
        assert other.get(id_).text == "went another way"


def test_scope_export_holds_nothing_else(filled: Memory, tmp_path: Path) -> None:
    """The archive of one scope holds no line and no picture of another."""
    filled.export(tmp_path / "a.zip", user_id="a")
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        lines = [json.loads(line) for line in file.read("memories.jsonl").splitlines()]
        assert {line["user_id"] for line in lines} == {"a"}
        assert not [name for name in file.namelist() if name.startswith("media/")]


def test_import_into_another_scope(filled: Memory, tmp_path: Path) -> None:
    """Memories imported into a scope become its own and leave the originals alone."""
    filled.export(tmp_path / "a.zip", user_id="a")
    filled.import_(tmp_path / "a.zip", user_id="c")
    assert len(filled.get_all(user_id="c")) == len(filled.get_all(user_id="a")) == 6
    assert filled.get(key="k", user_id="c").id != filled.get(key="k", user_id="a").id
    assert filled.import_(tmp_path / "a.zip", user_id="c").unchanged == 6


def rewritten(source: Path, target: Path, change: Any) -> Path:
    """The archive with its entries as ``change`` gives them back."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name, data in change({name: old.read(name) for name in old.namelist()}):
            new.writestr(name, data)
    return target


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda entries: [*entries.items(), ("../../evil", b"x")], UnsafeInput),
        (lambda entries: [*entries.items(), ("media/short", b"x")], UnsafeInput),
        (lambda entries: [*entries.items(), *entries.items()], UnsafeInput),
        (lambda _: [("memories.jsonl", b"")], MalformedInput),
        (lambda entries: [*(entries | {"manifest.json": b"{}"}).items()], MalformedInput),
        (
            lambda entries: [*(entries | {"manifest.json": b'{"format":"memplug-archive","version":99}'}).items()],
            MalformedInput,
        ),
    ],
)
def test_hostile_archives(filled: Memory, tmp_path: Path, change: Any, error: type[Exception]) -> None:
    """An archive with strange entries is refused before anything of it is stored."""
    filled.export(tmp_path / "good.zip")
    with opened(tmp_path) as other:
        with pytest.raises(error):
            other.import_(rewritten(tmp_path / "good.zip", tmp_path / "bad.zip", change))
        assert other.engine.store.size() == 0


def test_bad_lines_are_rejected_alone(filled: Memory, tmp_path: Path) -> None:
    """A broken line, a foreign field and a forged picture are rejected; everything else is imported."""
    filled.export(tmp_path / "good.zip")

    def change(entries: dict[str, bytes]) -> list[tuple[str, bytes]]:
        lines = entries["memories.jsonl"].splitlines()
        lines.insert(0, b"{not json")
        lines.insert(1, json.dumps(json.loads(lines[-1]) | {"id": "x" * 26, "evil": 1}).encode())
        entries["memories.jsonl"] = b"\n".join(lines) + b"\n"
        return [(name, b"forged" if name.startswith("media/") else data) for name, data in entries.items()]

    with opened(tmp_path) as other:
        report = other.import_(rewritten(tmp_path / "good.zip", tmp_path / "bad.zip", change))
        assert (report.added, len(report.rejected)) == (6, 3)
        assert not other.get_all(user_id="b")


def test_a_store_that_went_on_is_unchanged(filled: Memory, tmp_path: Path) -> None:
    """A backup that is older than the store, with nothing in it that differs, changes nothing."""
    filled.export(tmp_path / "old.zip")
    filled.update(filled.get(key="k", user_id="a").id, "third")
    report = filled.import_(tmp_path / "old.zip")
    assert (report.unchanged, report.rejected) == (7, ())
    assert filled.get(key="k", user_id="a").text == "third"


def test_a_longer_store_that_differs_is_a_conflict(filled: Memory, tmp_path: Path) -> None:
    """Versions are compared one by one, also where the store has more of them than the archive."""
    filled.export(tmp_path / "old.zip")
    with opened(tmp_path) as other:
        for text in ("other", "words", "under", "this key"):
            other.add(text, user_id="a", key="k")
        report = other.import_(tmp_path / "old.zip")
        assert [rejection.error.code for rejection in report.rejected] == ["item.conflict"]
        assert (report.added, other.get(key="k", user_id="a").text) == (6, "this key")


def test_what_was_deleted_here_is_told(filled: Memory, tmp_path: Path) -> None:
    """A memory that was deleted after the export is no silent success: the way to it is to restore it."""
    filled.export(tmp_path / "old.zip")
    id_ = filled.get(key="k", user_id="a").id
    filled.delete(id_)
    [rejection] = filled.import_(tmp_path / "old.zip").rejected
    assert (rejection.error.code, rejection.error.hint) == ("item.conflict", "restore it")
    filled.restore(id_, 2)
    assert filled.import_(tmp_path / "old.zip").rejected == ()


def test_1_and_true_differ(memory: Memory, tmp_path: Path) -> None:
    """Versions are compared as JSON tells them apart."""
    numbers, flags = (write_archive(tmp_path / str(n), [line(metadata={"a": n})]) for n in (1, True))
    assert memory.import_(numbers).added == 1
    assert len(memory.import_(flags).rejected) == 1


def test_a_memory_that_was_deleted_and_added_again_comes_back(memory: Memory, tmp_path: Path) -> None:
    """Its deletion, which has no key, belongs to it all the same, also in another scope."""
    id_ = memory.add("v1", user_id="u", key="k").ids[0]
    memory.delete(id_)
    memory.add("v3", user_id="u", key="k")
    memory.export(tmp_path / "all.zip")
    with opened(tmp_path) as other:
        assert other.import_(tmp_path / "all.zip").added == 1
        assert other.history(id_) == memory.history(id_)
    assert memory.import_(tmp_path / "all.zip", user_id="w").added == 1
    assert [item.deleted for item in memory.history(memory.get(key="k", user_id="w").id)] == [False, True, False]


def test_lost_originals_are_healed(filled: Memory, tmp_path: Path) -> None:
    """An import of a backup brings back bytes that the store has lost, and changes nothing else."""
    filled.export(tmp_path / "all.zip")
    before = everything(filled)
    backend = filled.engine.store.backend
    backend.remove_media(list(backend.list_media()))
    assert filled.import_(tmp_path / "all.zip").unchanged == 7
    assert everything(filled) == before


class Rival:
    """A plugin that writes into the store while an import is between its look and its commit."""

    def __init__(self) -> None:
        self.write: Any = None

    @hookimpl
    def before_add(self, drafts: list[Draft], scope: Scope) -> None:
        """Writes once."""
        write, self.write = self.write, None
        if write is not None and drafts and scope.ids:
            write()


def test_a_concurrent_writer_costs_at_most_its_own_memories(filled: Memory, tmp_path: Path) -> None:
    """What the other one wrote in the same way is there, what it wrote differently is rejected, the rest comes in."""
    filled.export(tmp_path / "all.zip")
    filled.export(tmp_path / "b.zip", user_id="b")
    rival = Rival()
    with (
        opened(tmp_path) as second,
        Memory(tmp_path / "other", embedder="hashing:256", plugins=[rival]) as other,
    ):

        def write() -> None:
            second.import_(tmp_path / "b.zip")
            second.add("not the same", user_id="a", key="k")

        rival.write = write
        report = other.import_(tmp_path / "all.zip")
        assert (report.added, [one.error.code for one in report.rejected]) == (6, ["item.conflict"])
        assert other.get(key="k", user_id="a").text == "not the same"
        assert len(other.get_all(user_id="a")) == 6
        assert other.media(other.get_all(user_id="b")[0].id) == png("blue")


def test_batches_are_cut_by_bytes(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long lines make small batches, so that memory stays bounded; every memory is counted once."""
    monkeypatch.setattr(transfer, "_BATCH_BYTES", 1_000)
    lines = [line(f"{n}", text="word " * 40) for n in range(10)]
    seen: list[int] = []
    report = memory.import_(write_archive(tmp_path / "x.zip", lines), progress=lambda done, *_: seen.append(done))
    assert (report.added, seen) == (10, [3, 6, 9, 10])


# -- export -----------------------------------------------------------------------------------------------------


def test_an_export_touches_no_other_file(memory: Memory, tmp_path: Path) -> None:
    """Neither a file with a name like its own nor what a link of such a name leads to; nothing is left behind."""
    memory.add("x", user_id="u")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "o.zip.partial").write_text("my file")
    (folder / "precious").write_text("precious")
    (folder / "p.zip.partial").symlink_to(folder / "precious")
    for name in ("o.zip", "p.zip", "o.zip"):
        memory.export(folder / name)
    assert (folder / "o.zip.partial").read_text() == "my file"
    assert (folder / "precious").read_text() == "precious"
    assert len(list(folder.iterdir())) == 5


def test_an_export_that_fails_leaves_the_old_file(memory: Memory, tmp_path: Path) -> None:
    """And no part of a new one."""
    memory.add("x", user_id="u")
    folder = tmp_path / "folder"
    folder.mkdir()
    memory.export(folder / "x.zip")
    before = (folder / "x.zip").read_bytes()

    def stop(*_: object) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        memory.export(folder / "x.zip", progress=stop)
    assert [path.name for path in folder.iterdir()] == ["x.zip"]
    assert (folder / "x.zip").read_bytes() == before


def test_a_file_that_cannot_be_written_is_named(memory: Memory, tmp_path: Path) -> None:
    """A folder that is not there, and a folder where the file should be, are typed errors with its name."""
    memory.add("x", user_id="u")
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "nowhere" / "x.zip", tmp_path / "taken"):
        with pytest.raises(ConfigError, match=path.name):
            memory.export(path)
    assert not [path.name for path in tmp_path.iterdir() if "partial" in path.name]


def test_a_full_disk_is_a_full_store(memory: Memory, tmp_path: Path) -> None:
    """The system's own limit on file sizes stands for the disk; nothing of the export stays."""
    resource = pytest.importorskip("resource")
    picture = noise(600)
    memory.add(picture, user_id="u")
    folder = tmp_path / "folder"
    folder.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(ConfigError, match=r"x\.zip.*[Ll]arge"):
            memory.export(folder / "x.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(folder.iterdir()) == []
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StoreFull, match=r"x\.zip"), _writing(folder / "x.zip"):
        raise full


def test_a_lost_original_does_not_end_an_export(filled: Memory, tmp_path: Path) -> None:
    """Its memory is named in the report and exported all the same; an import elsewhere rejects only that one."""
    backend = filled.engine.store.backend
    [item] = filled.get_all(user_id="b")
    backend.remove_media(list(backend.list_media()))
    report = filled.export(tmp_path / "all.zip")
    assert (report.memories, report.media, report.missing) == (7, 0, (item.id,))
    with opened(tmp_path) as other:
        imported = other.import_(tmp_path / "all.zip")
        assert (imported.added, [one.error.code for one in imported.rejected]) == (6, ["input.malformed"])
    assert filled.import_(tmp_path / "all.zip").unchanged == 7


def test_missing_file(memory: Memory, tmp_path: Path) -> None:
    """A file that is not there is a typed error."""
    with pytest.raises(MalformedInput):
        memory.import_(tmp_path / "nowhere.jsonl")


# -- what is the same memory ------------------------------------------------------------------------------------


def test_a_scope_that_brings_back_its_own_export_has_nothing_twice(filled: Memory, tmp_path: Path) -> None:
    """Also of what it had imported itself, and of a conversation, which stays the conversation that it was."""
    filled.export(tmp_path / "a.zip", user_id="a")
    report = filled.import_(tmp_path / "a.zip", user_id="a")
    assert (report.added, report.unchanged, report.rejected) == (0, 6, ())
    assert len(filled.get_all(user_id="a", run_id="r")) == 5
    filled.import_(tmp_path / "a.zip", user_id="c")
    filled.export(tmp_path / "c.zip", user_id="c")
    report = filled.import_(tmp_path / "c.zip", user_id="c")
    assert (report.added, report.unchanged, report.rejected) == (0, 6, ())
    assert len(filled.get_all(user_id="c")) == 6


def test_a_scoped_import_into_an_empty_store_is_exact(filled: Memory, tmp_path: Path) -> None:
    """A user's own backup comes back under the ids that it had, so that a later one of the whole store meets it."""
    filled.export(tmp_path / "a.zip", user_id="a")
    filled.export(tmp_path / "all.zip")
    with opened(tmp_path) as other:
        assert other.import_(tmp_path / "a.zip", user_id="a").added == 6
        report = other.import_(tmp_path / "all.zip")
        assert (report.added, report.unchanged, report.rejected) == (1, 6, ())
        assert everything(other) == everything(filled)


def test_what_a_memory_was_corrected_to_can_be_said_again(memory: Memory) -> None:
    """A correction is about one memory; the same words said in a conversation are a turn of their own, once."""
    [id_] = memory.add("the limit is 800", user_id="u").ids
    memory.update(id_, "the limit is 600")
    said = memory.add("the limit is 600", user_id="u")
    assert [outcome.event for outcome in said.outcomes] == ["added"]
    assert [outcome.event for outcome in memory.add("the limit is 600", user_id="u").outcomes] == ["duplicate"]
    assert len(memory.get_all(user_id="u")) == 2
    [keyed] = memory.add("the limit is 800", user_id="u", key="limit").ids
    memory.update(keyed, "the limit is 600")
    assert [outcome.event for outcome in memory.add("the limit is 600", user_id="u", key="limit").outcomes] == [
        "unchanged"
    ]


def test_a_fact_that_ended_elsewhere_and_was_restored_comes_back(tmp_path: Path) -> None:
    """Its deletion names what took its place; any other words in a deletion are refused."""
    plain = {"memory": None, "kind": "fact", "turns": ["t1"], "date": None, "category": None, "implicit": False}
    with ModelServer() as server, Memory("memory://", model=server.model(), embedder="hashing:256") as memory:
        lives = {"action": "add", "text": "The user lives in Paris.", "reason": None}
        server.on("Paris", {"memories": [plain | lives]})
        old = memory.add("I live in Paris.", user_id="a", run_id="1").ids[1]
        moved = {"action": "supersede", "memory": "m1", "text": "The user lives in Berlin.", "reason": "moved"}
        server.on("Berlin", {"memories": [plain | moved]})
        new = memory.add("I live in Berlin now.", user_id="a", run_id="2").ids[1]
        memory.restore(old, 1, user_id="a")
        assert [one.source.reason for one in memory.history(old)] == [None, f"superseded by {new}", None]
        memory.export(tmp_path / "x.zip")
        before = everything(memory)
    with opened(tmp_path) as other:
        assert other.import_(tmp_path / "x.zip").rejected == ()
        assert everything(other) == before
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        lines = archive.read("memories.jsonl").decode().replace(f"superseded by {new}", "words that no guard has seen")
    with opened(tmp_path, "third") as other:
        [rejected] = other.import_(write_archive(tmp_path / "y.zip", lines.splitlines())).rejected
        assert "holds content" in rejected.error.message
