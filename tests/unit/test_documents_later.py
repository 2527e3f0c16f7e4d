"""Documents whose words come later: large ones that are read in the background, and pages that a describer reads."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Draft, Limits, Media, Memory, hookimpl
from memplug.exceptions import InputRejected, InputTooLarge, UnsupportedInput
from memplug.pipelines.tasks import Task, waiting
from memplug.values.source import Source
from pdfs import paragraphs, pdf
from support import png

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

#: Everything with more than a line of text is large.
LIMITS = Limits(parse_later_bytes=50, task_pause=0.0)
SCAN = b"1 1 m 2 2 l S\n" * 40


def handbook(*sections: str) -> bytes:
    """A document with a section for each word."""
    words = "\n\n".join(
        f"## {name}\n\nAll about {name.lower()} stands here, in a sentence or two." for name in sections
    )
    return f"# Handbook\n\n{words}\n".encode()


THREE = handbook("Returns", "Shipping", "Prices")


def page(words: str) -> Any:
    """A page of text."""
    return paragraphs((12, words))


MIXED = pdf(page("The first page has text."), SCAN, page("The third page has text, too."), SCAN, title="Minutes")


class Scanner:
    """Reads pages as it is told to, or fails so; remembers what it was asked."""

    def __init__(self, words: Mapping[int, Any] | None = None, *errors: Exception, name: str = "scanner") -> None:
        self.name = name
        self.words = {2: "Words of page two.", 4: "Words of page four."} if words is None else words
        self.errors = list(errors)
        self.asked: list[tuple[int, ...]] = []
        self.described: list[str] = []

    @hookimpl
    def register_describers(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register(self.name, lambda: self)

    def accepts(self, media: Media) -> bool:
        """Takes PDFs and pictures."""
        return media.content_type in {"application/pdf", "image/png"}

    def describe(self, media: Media, *, context: str) -> str:  # noqa: ARG002 - the contract's
        """What is in a picture."""
        self.described.append(media.content_type)
        return "a picture"

    def pages(self, media: Media, numbers: Sequence[int], *, context: str) -> Mapping[int, Any]:  # noqa: ARG002
        """What is on the pages; also on some that nobody asked for."""
        assert media.data.startswith(b"%PDF")
        self.asked.append(tuple(numbers))
        if self.errors:
            raise self.errors.pop(0)
        return self.words


class Guard:
    """Refuses what is forbidden."""

    @hookimpl
    def before_add(self, drafts: list[Draft]) -> list[Draft]:
        """Looks at everything that is to be stored."""
        return [draft for draft in drafts if "forbidden" not in draft.text]


def opened(location: Path | str, *plugins: object, limits: Limits = LIMITS) -> Memory:
    """A store with plugins."""
    return Memory(location, embedder="hashing:64", plugins=plugins, limits=limits)


@pytest.fixture
def memory() -> Iterator[Memory]:
    """A store in memory."""
    with opened("memory://") as memory:
        yield memory


def left(store: Path, data: bytes, **labels: Any) -> Any:
    """The result of an `add` in a process that ends before it has read the document."""
    with opened(store) as memory:
        memory.engine.worker.close()
        return memory.add(file(data), user_id="u", wait=False, **labels)


def file(data: bytes, name: str = "handbook.md") -> Source:
    """A file."""
    return Source(data=data, name=name)


def later(memory: Memory, data: bytes = THREE, name: str = "handbook.md", **labels: Any) -> Any:
    """The outcome of a document that was added without waiting, once its task has ended."""
    result = memory.add(file(data, name), user_id="u", wait=False, **labels)
    if result.task_id is not None:
        assert memory.wait(result.task_id, 60).state == "completed"
    return result.outcomes[0]


def held(memory: Memory) -> list[tuple[Any, ...]]:
    """Everything that is told of each memory, apart from ids and the times of storing."""
    found = memory.get_all(user_id="u", pieces=True)
    told = [
        (
            *(item.kind, item.text, item.key, item.tags, dict(item.metadata), item.status, item.part_of is None),
            *(item.content_type, item.occurred_at, item.expires_at, item.source.page, item.source.section),
            *(item.source.position, item.source.role, item.source.file, item.citation, item.error),
        )
        for item in found
    ]
    return sorted(told, key=repr)


def passages(memory: Memory) -> list[tuple[int | None, str]]:
    """The pages and words of all passages, in their order."""
    pieces = [item for item in memory.get_all(user_id="u", pieces=True, limit=1_000) if item.part_of]
    return sorted(((one.source.page, one.text) for one in pieces[::-1]), key=lambda one: one[0] or 0)


def test_a_large_document_is_there_at_once_and_read_afterwards(tmp_path: Path) -> None:
    """Found by its name and the user's words, its original whole; then by its passages, which cite it."""
    result = left(tmp_path, THREE, description="rules of the shop")
    assert [(one.event, one.pieces) for one in result.outcomes] == [("pending", 0)]
    with opened(tmp_path) as memory:
        item = memory.get(result.ids[0])
        assert (item.status, item.text, item.metadata) == ("pending", "handbook.md\nrules of the shop", {})
        assert memory.media(item.id) == THREE
        assert memory.search("rules of the shop", user_id="u")[0].id == item.id
        assert memory.search("handbook", user_id="u")[0].id == item.id
        assert memory.work() is None
        status = memory.status(str(result.task_id))
        assert (status.state, status.updated) == ("completed", result.ids)
        assert memory.get(item.id).status == "ready"
        hit = memory.search("all about shipping", user_id="u")[0]
        assert (hit.citation, hit.item.part_of) == ("handbook.md, § Handbook \u203a Shipping", item.id)


@pytest.mark.parametrize("key", [None, "rules"])
def test_nothing_is_told_otherwise_than_where_add_waits(memory: Memory, key: str | None) -> None:
    """Whole and passages are as they would be, with everything that the caller said."""
    labels: dict[str, Any] = {
        "key": key,
        "tags": ["shop"],
        "metadata": {"team": "sales", "title": "Ours"},
        "description": "rules",
        "occurred_at": "2026-03-01",
        "expires_at": "2999-01-01",
        "content_type": "text/csv",
    }
    later(memory, MIXED, "minutes.pdf", **labels)
    with opened("memory://") as waiting_:
        waiting_.add(file(MIXED, "minutes.pdf"), user_id="u", **labels)
        assert held(memory) == held(waiting_)
        for query in ("first page", "rules", "minutes"):
            assert [hit.text for hit in memory.search(query, user_id="u")] == [
                hit.text for hit in waiting_.search(query, user_id="u")
            ]


def test_a_document_of_just_the_limit_is_read_at_once() -> None:
    """One byte more, and it is read later."""
    with opened("memory://", limits=Limits(parse_later_bytes=len(THREE))) as memory:
        result = memory.add([file(THREE), file(THREE + b"\n", "other.md")], user_id="u", wait=False)
        assert [one.event for one in result.outcomes] == ["added", "pending"]
        assert len(memory.wait(str(result.task_id), 60).updated) == 1
    with opened("memory://", limits=Limits(parse_later_bytes=1)) as memory:
        assert memory.add(file(THREE), user_id="u").outcomes[0].event == "added"


def test_what_cannot_be_read_says_why(memory: Memory) -> None:
    """It fails with the code and the words that `add` would have had; the original stays, and is not tried again."""
    broken = b"%PDF-1.7\n" + bytes(500)
    result = memory.add([file(broken, "a.pdf"), file(THREE)], user_id="u", wait=False)
    status = memory.wait(str(result.task_id), 60)
    bad, good = (memory.get(id_) for id_ in result.ids)
    with pytest.raises(InputRejected) as caught:
        memory.add(file(broken, "a.pdf"), user_id="other")
    assert (bad.status, bad.error) == ("failed", f"{caught.value.code}: {str(caught.value).removeprefix('a.pdf: ')}")
    assert (status.state, status.error, good.status) == ("failed", bad.error, "ready")
    assert memory.media(bad.id) == broken
    assert memory.work() is None


def test_what_is_known_at_once_is_refused_at_once(memory: Memory) -> None:
    """Types that are not read, too many bytes and too many files never become pending."""
    with pytest.raises(UnsupportedInput):
        memory.add(
            Source(data=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), name="old.doc"), user_id="u", wait=False
        )
    result = memory.add([file(handbook(f"S{n}"), f"{n}.md") for n in range(21)], user_id="u", wait=False)
    assert [one.event for one in result.outcomes] == ["pending"] * 20 + ["rejected"]
    limits = Limits(parse_later_bytes=1, document_bytes=len(THREE) - 1)
    with opened("memory://", limits=limits) as small, pytest.raises(InputTooLarge):
        small.add(file(THREE), user_id="u", wait=False)


def test_the_same_document_again_adds_nothing(tmp_path: Path) -> None:
    """Neither while it is pending nor once it is read; under another name it is the same, too."""
    first, second = left(tmp_path, THREE), left(tmp_path, THREE)
    assert (second.outcomes[0].event, second.ids, second.task_id) == ("duplicate", first.ids, None)
    with opened(tmp_path) as memory:
        assert len(waiting(memory.engine.store)) == 1
        memory.work()
        before = held(memory)
        for name in ("handbook.md", "copy.md"):
            outcome = later(memory, name=name)
            assert (outcome.event, outcome.id) == ("duplicate", first.ids[0])
        assert memory.add(file(THREE), user_id="u").outcomes[0].event == "duplicate"
        assert (held(memory), waiting(memory.engine.store)) == (before, [])


def test_waiting_for_what_is_pending_reads_it(tmp_path: Path) -> None:
    """The same document added again, now with time: it is read at once, and its task has nothing left to do."""
    first = left(tmp_path, THREE)
    with opened(tmp_path) as memory:
        second = memory.add(file(THREE), user_id="u")
        assert (second.ids, second.outcomes[0].event) == (first.ids, "updated")
        assert len(passages(memory)) == 3
        assert memory.status(str(first.task_id)).state == "completed"


def test_new_labels_reach_the_passages(memory: Memory) -> None:
    """The document again with another tag: whole and passages have it, and nothing is there twice."""
    later(memory, tags=["a"])
    assert later(memory, tags=["b"]).event == "updated"
    items = memory.get_all(user_id="u", pieces=True)
    assert ([item.tags for item in items], len(items)) == ([("a", "b")] * 4, 4)


def test_a_new_edition_replaces_only_what_changed(tmp_path: Path) -> None:
    """Once it is read it turns out to be one: the earlier document gets the new version, as the status says."""
    with opened(tmp_path) as memory:
        old = later(memory).id
        ids = {item.text: item.id for item in memory.get_all(user_id="u", pieces=True) if item.part_of}
    data = handbook("Returns", "Shipping", "Opening")
    result = left(tmp_path, data)
    assert result.ids[0] != old
    with opened(tmp_path) as memory:
        assert memory.work() is None
        status = memory.status(str(result.task_id))
        assert (status.state, status.updated, status.deleted) == ("completed", (old,), ())
        assert [item.id for item in memory.get_all(user_id="u")] == [old]
        assert (memory.media(old), [item.status for item in memory.history(old)][-2:]) == (data, ["ready", "ready"])
        now = {item.text: item.id for item in memory.get_all(user_id="u", pieces=True) if item.part_of}
        assert [text.split()[2] for text in ids.keys() - now.keys()] == ["prices"]
        assert [text.split()[2] for text in now.keys() - ids.keys()] == ["opening"]
        assert all(now[text] == ids[text] for text in now.keys() & ids.keys())
        assert memory.doctor().ok


def test_an_old_edition_that_is_read_late_takes_no_newer_ones_place(tmp_path: Path) -> None:
    """Read after a newer edition was stored, it stands for itself, and so do two editions that came together."""
    newer, newest = handbook("Returns", "Shipping", "New"), handbook("Returns", "Shipping", "Newest")
    old = left(tmp_path, THREE).ids
    with opened(tmp_path) as memory:
        new = memory.add(file(newer), user_id="u").ids
        assert memory.work() is None
        assert (memory.media(new[0]), memory.media(old[0])) == (newer, THREE)
        assert len(memory.history(new[0])) == 1
        together = memory.add([file(newest), file(THREE)], user_id="v", wait=False)
        assert memory.wait(str(together.task_id), 60).state == "completed"
        assert [memory.media(id_) for id_ in together.ids] == [newest, THREE]
        assert memory.search("Prices", user_id="v", top_k=1)[0].item.part_of == together.ids[1]


def test_what_breaks_a_limit_once_it_is_read_says_so_at_once(tmp_path: Path) -> None:
    """Metadata that is too much beside what was found in it: the code and the reason, and no further try."""
    limits = Limits(parse_later_bytes=50, task_pause=60.0, metadata_bytes=60)
    with opened(tmp_path, limits=limits) as memory:
        result = memory.add(file(MIXED, "m.pdf"), user_id="u", wait=False, metadata={"x": "y" * 40})
        assert memory.wait(str(result.task_id), 30).state == "failed"
        item = memory.get(result.ids[0])
    assert (item.status, item.metadata) == ("failed", {"x": "y" * 40})
    assert str(item.error).startswith("input.too_large: ")


def test_under_a_key_the_old_passages_stay_until_the_new_ones_come(tmp_path: Path) -> None:
    """One id, one commit from the one edition to the other; the same bytes again change nothing."""
    with opened(tmp_path) as memory:
        id_ = later(memory, key="rules").id
    result = left(tmp_path, handbook("Opening"), key="rules")
    assert (result.ids, result.outcomes[0].event) == ((id_,), "updated")
    with opened(tmp_path) as memory:
        assert len(passages(memory)) == 3
        memory.work()
        assert [text.split()[2] for _, text in passages(memory)] == ["opening"]
        assert later(memory, handbook("Opening"), key="rules").event == "unchanged"
        assert memory.get(id_).version == 4


def test_a_deleted_document_stays_so_and_can_come_back(tmp_path: Path) -> None:
    """Deleted before its turn it is not read; added again it is whole, also with passages that it had before."""
    result = left(tmp_path, THREE)
    with opened(tmp_path) as memory:
        memory.delete(result.ids[0])
        memory.work()
        assert memory.status(str(result.task_id)).deleted == result.ids
        for _ in range(2):
            assert later(memory).event == "pending"
            assert len(passages(memory)) == 3
            memory.delete(result.ids[0])


def test_words_that_somebody_gives_it_meanwhile_stay(tmp_path: Path) -> None:
    """What `update` said of a document that is pending, or was read before, is what it goes on being known by."""
    [id_] = left(tmp_path, THREE, description="rules").ids
    with opened(tmp_path) as memory:
        memory.update(id_, "The blue book", tags=["shop"])
        assert memory.work() is None
        assert (memory.get(id_).status, memory.get(id_).text, len(passages(memory))) == ("ready", "The blue book", 3)
        memory.update(id_, "The red book")
        assert later(memory, tags=["new"]).event == "updated"
        assert (memory.get(id_).text, memory.get(id_).tags) == ("The red book", ("new", "shop"))
        assert len(passages(memory)) == 3


@pytest.mark.parametrize("deleted", [False, True])
def test_a_version_from_before_it_was_read_comes_back_whole(tmp_path: Path, *, deleted: bool) -> None:
    """Restored, it is not left pending for ever, and its passages are there."""
    [id_] = left(tmp_path, THREE).ids
    with opened(tmp_path) as memory:
        assert memory.work() is None
        words = passages(memory)
        if deleted:
            memory.delete(id_)
        assert memory.restore(id_, 1).status == "pending"
        for record in waiting(memory.engine.store):  # none, where the background was faster
            assert memory.wait(Task.of(record).id, 60).state == "completed"
        assert (memory.get(id_).status, passages(memory)) == ("ready", words)
        assert len(words) == 3


def test_a_passage_that_was_taken_away_stays_away(memory: Memory) -> None:
    """The document again, with a new tag, so that it is read once more."""
    later(memory)
    piece = next(item for item in memory.get_all(user_id="u", pieces=True) if "shipping" in item.text)
    memory.delete(piece.id)
    assert later(memory, tags=["new"]).event == "updated"
    assert len(passages(memory)) == 2


def test_guards_see_what_is_read_later() -> None:
    """A passage that one leaves out is not stored; a document that one refuses fails, and says so."""
    data = handbook("Returns") + b"\n## More\n\nThis is forbidden.\n"
    with opened("memory://", Guard()) as memory:
        later(memory, data)
        assert len(passages(memory)) == 1
        title = b"# The forbidden book\n\nSome words that make it a large document.\n"
        result = memory.add(file(title, "b.md"), user_id="u", wait=False)
        assert memory.wait(str(result.task_id), 60).state == "failed"
        assert "before_add" in str(memory.get(result.ids[0]).error)


def test_an_archive_brings_what_is_to_be_read(tmp_path: Path) -> None:
    """A document that was pending when it was exported is read where it is imported."""
    with opened(tmp_path / "one") as memory:
        memory.engine.worker.close()
        memory.add(file(THREE), user_id="u", wait=False)
        memory.export(tmp_path / "all.zip")
    with opened(tmp_path / "two") as memory:
        memory.import_(tmp_path / "all.zip")
        assert memory.work() is None
        assert len(passages(memory)) == 3
        assert memory.doctor().ok


PROGRAM = """
    import os, signal, sys
    from memplug import Limits, Memory
    from memplug.values.source import Source
    data = "\\n\\n".join(f"# Part {n}\\n\\nThis is what part {n} says." for n in range(900)).encode()
    memory = Memory(sys.argv[1], embedder="hashing:64", limits=Limits(parse_later_bytes=100))
    result = memory.add(Source(data=data, name="big.md"), user_id="u", wait=False)
    print(result.task_id, flush=True)
    if sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    memory.wait(result.task_id)
"""


def test_what_a_killed_process_was_reading_is_read_by_the_next(tmp_path: Path) -> None:
    """Kill -9 while it reads: the next process reads it, once, and it is as if nothing had happened."""
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "store")]
    done = subprocess.run([*program, "kill"], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    with opened(tmp_path / "store") as memory:
        while memory.work() is not None:
            pass
        status = memory.status(done.stdout.strip())
        assert status.state == "completed"
        assert [item.status for item in memory.history(status.updated[0])] == ["pending", "ready"]
        assert len(passages(memory)) == 900


READER = """
    import os, signal, sys
    from memplug import Limits, Memory, hookimpl

    class Scanner:
        name = "scanner"
        @hookimpl
        def register_describers(self, register):
            register("scanner", lambda: self)
        def accepts(self, media):
            return media.content_type == "application/pdf"
        def describe(self, media, *, context):
            return ""
        def pages(self, media, numbers, *, context):
            os.kill(os.getpid(), signal.SIGKILL)

    memory = Memory(sys.argv[1], embedder="hashing:64", plugins=[Scanner()])
    result = memory.add(sys.stdin.buffer.read(), user_id="u", wait=False)
    os.write(1, result.task_id.encode())
    memory.wait(result.task_id)
"""


def test_what_a_killed_process_was_reading_from_pages_is_read_by_the_next(tmp_path: Path) -> None:
    """Kill -9 inside the describer: the text pages stand, the others are read once by whoever goes on."""
    program = [sys.executable, "-c", textwrap.dedent(READER), str(tmp_path / "store")]
    done = subprocess.run(program, input=MIXED, stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    with opened(tmp_path / "store") as memory:
        assert [one for one, _ in passages(memory)] == [1, 3]
    with opened(tmp_path / "store", Scanner()) as memory:
        assert memory.work() is None
        assert memory.status(done.stdout.decode()).state == "completed"
        assert [one for one, _ in passages(memory)] == [1, 2, 3, 4]
        assert memory.doctor().ok


def test_scanned_pages_are_read_where_a_describer_can() -> None:
    """Their words become passages that cite the page, between those of the pages that had text."""
    scanner = Scanner()
    with opened("memory://", scanner) as memory:
        memory.add(file(MIXED, "minutes.pdf"), user_id="u")
        assert passages(memory) == [
            (1, "The first page has text."),
            (2, "Words of page two."),
            (3, "The third page has text, too."),
            (4, "Words of page four."),
        ]
        hit = memory.search("words of page two", user_id="u")[0]
        assert (hit.citation, hit.metadata["read_by"]) == ("minutes.pdf, page 2", "scanner")
        [whole] = memory.get_all(user_id="u")
        assert (whole.text, dict(whole.metadata)) == ("Minutes", {"title": "Minutes", "pages": 4})
        assert (scanner.asked, scanner.described) == ([(2, 4)], [])
        memory.add(png(), user_id="u")
        assert (scanner.asked, scanner.described) == ([(2, 4)], ["image/png"])


@pytest.mark.parametrize("limits", [LIMITS, Limits(task_pause=0.0)], ids=["large", "small"])
def test_scanned_pages_are_read_later_where_add_does_not_wait(limits: Limits) -> None:
    """The text of the other pages is there before; in the end all is as where it waits."""
    texts: list[list[str]] = []
    stores: list[Memory] = []

    class Looking(Scanner):
        def pages(self, media: Media, numbers: Sequence[int], *, context: str) -> Mapping[int, Any]:
            texts.append([text for _, text in passages(stores[0])])
            return super().pages(media, numbers, context=context)

    with opened("memory://", Looking(), limits=limits) as memory:
        stores.append(memory)
        result = memory.add(file(MIXED, "minutes.pdf"), user_id="u", wait=False)
        assert result.outcomes[0].event == "pending"
        assert memory.wait(str(result.task_id), 60).state == "completed"
        assert texts == [["The first page has text.", "The third page has text, too."]]
        with opened("memory://", Scanner(), limits=limits) as other:
            other.add(file(MIXED, "minutes.pdf"), user_id="u")
            assert held(memory) == held(other)


def test_without_such_a_describer_pages_stay_listed_until_there_is_one(tmp_path: Path) -> None:
    """Nothing is pending; the same document again, with the describer, brings their words, at once or later."""
    for wait in (True, False):
        store = tmp_path / str(wait)
        small = Limits(task_pause=0.0)
        with opened(store, limits=small) as memory:
            result = memory.add(file(MIXED, "minutes.pdf"), user_id="u", wait=wait)
            assert result.outcomes[0].event == "added"
            assert memory.get(result.ids[0]).metadata["scanned_pages"] == [2, 4]
        with opened(store, Scanner(), limits=small) as memory:
            again = memory.add(file(MIXED, "minutes.pdf"), user_id="u", wait=wait)
            assert (again.ids, again.outcomes[0].event) == (result.ids, "updated")
            if again.task_id:
                memory.wait(again.task_id, 60)
            assert len(passages(memory)) == 4
            assert "scanned_pages" not in memory.get(result.ids[0]).metadata
        with opened(store, limits=small) as memory:
            assert memory.add(file(MIXED, "minutes.pdf"), user_id="u", wait=wait).outcomes[0].event == "duplicate"
            assert len(passages(memory)) == 4


def test_a_page_without_words_is_looked_at_once() -> None:
    """It is listed no more, and the same document again is nothing new."""
    scanner = Scanner({2: "Words of page two.", 4: " \n"})
    with opened("memory://", scanner, limits=Limits()) as memory:
        memory.add(file(MIXED, "minutes.pdf"), user_id="u")
        assert len(passages(memory)) == 3
        assert "scanned_pages" not in memory.get_all(user_id="u")[0].metadata
        again = memory.add(file(MIXED, "minutes.pdf"), user_id="u", wait=False)
        assert (again.outcomes[0].event, again.task_id, scanner.asked) == ("duplicate", None, [(2, 4)])


def test_a_page_that_could_not_be_looked_at_stays_listed() -> None:
    """The others are read, and the same document again offers it again."""
    scanner = Scanner({2: "Words of page two."})
    with opened("memory://", scanner, limits=Limits()) as memory:
        memory.add(file(MIXED, "minutes.pdf"), user_id="u")
        [whole] = memory.get_all(user_id="u")
        assert (len(passages(memory)), whole.status, whole.metadata["scanned_pages"]) == (3, "ready", [4])
        scanner.words = {2: "Words of page two.", 4: "Words of page four."}
        memory.add(file(MIXED, "minutes.pdf"), user_id="u")
        assert len(passages(memory)) == 4
        assert "scanned_pages" not in memory.get_all(user_id="u")[0].metadata


def test_what_one_describer_cannot_read_the_next_is_shown() -> None:
    """Each page has the words of the first that finds some, and says whose they are."""
    first, second = Scanner({2: "Two."}, name="ocr"), Scanner({2: "Never asked.", 4: "Four."}, name="eyes")
    with opened("memory://", first, second) as memory:
        memory.add(file(MIXED, "minutes.pdf"), user_id="u")
        pieces = memory.get_all(user_id="u", pieces=True)
        read = {item.text: item.metadata["read_by"] for item in pieces if "read_by" in item.metadata}
        assert read == {"Two.": "ocr", "Four.": "eyes"}
        assert (first.asked, second.asked) == ([(2, 4)], [(4,)])


def test_a_describer_that_fails_is_tried_again_and_then_told_of() -> None:
    """The pages with text are there all the while; at last the document says why, and which pages are left."""
    busy = [RuntimeError("out of paper") for _ in range(LIMITS.task_tries)]
    with opened("memory://", Scanner(None, *busy[:-1])) as memory:
        later(memory, MIXED, "minutes.pdf")
        assert len(passages(memory)) == 4
    with opened("memory://", Scanner(None, *busy)) as memory:
        result = memory.add(file(MIXED, "minutes.pdf"), user_id="u", wait=False)
        status = memory.wait(str(result.task_id), 60)
        item = memory.get(result.ids[0])
        assert (status.state, item.status, item.metadata["scanned_pages"]) == ("failed", "failed", [2, 4])
        assert "scanner: out of paper" in str(item.error)
        assert len(passages(memory)) == 2
    with opened("memory://", Scanner(None, *busy)) as memory:
        [outcome] = memory.add(file(MIXED, "minutes.pdf"), user_id="u").outcomes
        assert memory.get(str(outcome.id)).status == "failed"
        assert memory.add(file(MIXED, "minutes.pdf"), user_id="u").outcomes[0].event == "duplicate"
        assert memory.add(file(MIXED, "minutes.pdf"), user_id="u").outcomes[0].event == "duplicate"
        assert memory.add(file(MIXED, "minutes.pdf"), user_id="u").outcomes[0].event == "updated"
        assert (memory.get(str(outcome.id)).status, len(passages(memory))) == ("ready", 4)


def test_nonsense_from_a_describer_is_its_failure() -> None:
    """Numbers that nobody asked for are passed over; what is no text is an error in the status."""
    with opened("memory://", Scanner({2: "Two.", 4: 4})) as memory:
        [outcome] = memory.add(file(MIXED, "minutes.pdf"), user_id="u").outcomes
        assert memory.get(str(outcome.id)).status == "failed"
        assert len(passages(memory)) == 2
    with opened("memory://", Scanner({2: "Two.", 1: "One!", 99: "Ninety-nine"})) as memory:
        memory.add(file(MIXED, "minutes.pdf"), user_id="u")
        assert len(passages(memory)) == 3


def test_a_scan_without_any_text_is_read_whole() -> None:
    """A long page falls into several passages of that page; labels are theirs, too, and the name finds them."""
    words = "\n\n".join(f"Paragraph {n} of the scan says something of its own." for n in range(60))
    with opened("memory://", Scanner({1: words})) as memory:
        later(memory, pdf(SCAN), "scan-2026.pdf", tags=["letters"], metadata={"team": "sales"})
        found = memory.get_all(user_id="u", pieces=True)
        pieces = [item for item in found if item.part_of]
        assert len(pieces) > 1
        assert {item.source.page for item in pieces} == {1}
        assert {(item.tags, item.metadata["team"]) for item in found} == {(("letters",), "sales")}
        assert "\n\n".join(text for _, text in passages(memory)) == words
        assert memory.search("paragraph 42", user_id="u")[0].citation == "scan-2026.pdf, page 1"
