"""Every number of `Limits`: as many are taken, one more is a typed error, and everything else stands.

A field without a row here fails `test_every_limit_has_a_row`. The defaults beside the fields are those of the
reference systems where these have one, so that a change of `Limits` has to be meant.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hostile.bombs import docx, drivel, paragraph, presentation, xlsx
from memplug import Limits, Media, Memory, Source, hookimpl
from memplug.exceptions import (
    FetchError,
    FileSizeError,
    FilterError,
    InputRejected,
    InputTooLarge,
    MalformedInput,
    MemplugError,
)
from pdfs import pdf
from skills import manifest
from support import png
from zips import STORED, Entry, pack

if TYPE_CHECKING:
    from memplug.values.scope import ScopeIds

MIB, KIB = 1_048_576, 1_024
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One limit.

    Args:
        default: What `Limits` has by itself, in bytes, characters, seconds …
        n: The limit that is tried.
        part: Makes content of a size, which is added alone and beside a text.
        call: Or does what the limit is about, at a size.
        error: What one more is.
        words: What that says: the limit, and the file's name where it has one.
        also: Other limits for the trial.
    """

    default: float
    n: int
    part: Callable[[int], Any] | None = None
    call: Callable[[Memory, int], object] | None = None
    error: type[MemplugError] = InputTooLarge
    words: str = ""
    also: dict[str, Any] | None = None


def text_file(name: str) -> Callable[[int], Source]:
    """A text file of so many bytes."""
    return lambda size: Source(data=(drivel(size)[: size - 1] + "x").encode(), name=name)


def skill(size: int) -> Source:
    """A SKILL.md of so many bytes."""
    text = manifest()
    return Source(data=(text + "x" * (size - len(text))).encode(), name="SKILL.md")


def skill_zip(size: int = 0, *, files: int = 1, each: int = 1, total: int = 0) -> Source:
    """The ZIP of a skill: of so many bytes, or of so many files, or with a file of so many, or that many in all."""
    main = Entry(name="SKILL.md", data=manifest().encode(), method=STORED)
    more = [Entry(name=f"{n}.txt", data=b"x" * each, method=STORED) for n in range(files - 1)]
    if total:
        more = [Entry(name="a.txt", data=b"x" * (total - len(main.data)), method=STORED)]
    if size:
        bare = len(pack([main, Entry(name="a.txt", data=b"", method=STORED)]))
        more = [Entry(name="a.txt", data=b"x" * (size - bare), method=STORED)]
    return Source(data=pack([main, *more]), name="skill.zip")


def nested(levels: int) -> Any:
    """A value inside so many dicts, the metadata itself being the first."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def documents(number: int, size: int = 10) -> list[Source]:
    """So many documents, all different."""
    return [Source(data=f"{n:05}".encode() + b"x" * (size - 5), name=f"{n}.txt") for n in range(number)]


def metadata(size: int) -> dict[str, str]:
    """Metadata of so many bytes as JSON."""
    return {"a": "x" * (size - len(json.dumps({"a": ""})))}


def deep_filter(levels: int) -> Any:
    """A condition under so many levels."""
    found: Any = {"team": "x"}
    for _ in range(levels):
        found = {"NOT": [found]}
    return found


def csv(cells: int) -> Source:
    """A table of one row with so many cells below none."""
    return Source(data=",".join(["x"] * cells).encode(), name="a.csv")


USER: ScopeIds = {"user_id": "u"}
PICTURE = len(png())
ROWS: dict[str, Row] = {
    "image_bytes": Row(
        default=10 * MIB,
        n=PICTURE + 7,
        part=lambda size: Source(data=png() + b"\0" * (size - PICTURE), name="receipt.png"),
        error=FileSizeError,
        words=rf"^Image too large\. Maximum: {PICTURE + 7} bytes \(receipt\.png\)$",
    ),
    "image_pixels": Row(
        default=40_000_000,
        n=60,
        part=lambda size: Source(data=png(size=(size, 1)), name="wide.png"),
        words=r"^wide\.png: .* 60 ",
    ),
    "text_tokens": Row(
        default=40_000,
        n=10,
        call=lambda memory, n: memory.add(["word " * 5, "word " * (n - 5)], **USER),
        words="10 tokens",
    ),
    "key_length": Row(default=512, n=9, call=lambda memory, n: memory.add("x", key="k" * n, **USER), words="most 9 "),
    "blob_bytes": Row(
        default=10 * MIB,
        n=30,
        part=lambda size: {"type": "blob", "key": "data/x", "data": _base64(size), "content_type": "x/y"},
        words="30 ",
    ),
    "parts": Row(
        default=100_000, n=4, call=lambda memory, n: memory.add(list("abcdefgh"[:n]), **USER), words="4 parts"
    ),
    "tags": Row(
        default=100,
        n=3,
        call=lambda memory, n: memory.add("x", tags=[f"t{k}" for k in range(n)], **USER),
        words="most 3 ",
    ),
    "tag_length": Row(
        default=200, n=6, call=lambda memory, n: memory.add("x", tags=["t" * n], **USER), words="most 6 "
    ),
    "metadata_bytes": Row(
        default=64_000, n=40, call=lambda memory, n: memory.add("x", metadata=metadata(n), **USER), words="most 40 "
    ),
    "metadata_depth": Row(
        default=20, n=3, call=lambda memory, n: memory.add("x", metadata=nested(n), **USER), words="nested too deeply"
    ),
    "query_length": Row(default=20_000, n=9, call=lambda memory, n: memory.search("q" * n, **USER), words="9 "),
    "top_k": Row(
        default=1_000,
        n=3,
        call=lambda memory, n: memory.search("q", top_k=n, **USER),
        words="at most 3 hits",
    ),
    "filter_conditions": Row(
        default=200,
        n=5,
        call=lambda memory, n: memory.search("q", filters={"OR": [{"a": k} for k in range(n)]}, **USER),
        error=FilterError,
        words="5 conditions",
    ),
    "filter_depth": Row(
        default=16,
        n=4,
        call=lambda memory, n: memory.search("q", filters=deep_filter(n), **USER),
        error=FilterError,
        words="4 levels",
    ),
    "filter_values": Row(
        default=10_000,
        n=5,
        call=lambda memory, n: memory.search("q", filters={"a": {"in": list(range(n))}}, **USER),
        error=FilterError,
        words="5 ",
    ),
    "file_bytes": Row(default=100 * MIB, n=50, part=text_file("notes.txt"), words=r"^notes\.txt: .* 50 "),
    "documents": Row(
        default=20, n=3, call=lambda memory, n: memory.add(documents(n), **USER), words=r"^3\.txt: .* 3 documents"
    ),
    "document_bytes": Row(default=100 * MIB, n=50, part=text_file("notes.txt"), words=r"^notes\.txt: .* 50 "),
    "document_pages": Row(
        default=500,
        n=2,
        part=lambda pages: Source(data=pdf(*[[(72, 700, 12, "words")]] * pages), name="a.pdf"),
        words=r"^a\.pdf: .* 2 ",
    ),
    "documents_bytes": Row(
        default=300 * MIB,
        n=30,
        call=lambda memory, n: memory.add([*documents(2), *documents(3, n - 20)[2:]], **USER),
        words=r"^2\.txt: .* 30 bytes together",
    ),
    "document_characters": Row(default=5_000_000, n=40, part=text_file("notes.txt"), words=r"^notes\.txt: .* 40 char"),
    "document_depth": Row(
        default=100,
        n=5,
        part=lambda levels: Source(data=(b'{"a":' * levels + b"1" + b"}" * levels), name="a.json"),
        words=r"^a\.json: .* 5 levels",
    ),
    "document_cells": Row(default=2_000_000, n=6, part=csv, words=r"^a\.csv: .* 6 cells"),
    "skill_bytes": Row(default=100 * KIB, n=200, part=skill, words=r"SKILL\.md has 201 bytes; at most 200 "),
    "skill_zip_bytes": Row(default=20 * MIB, n=600, part=skill_zip, words=r"^skill\.zip: .* 601 bytes; at most 600 "),
    "skill_files": Row(
        default=200, n=3, part=lambda files: skill_zip(files=files), words=r"^skill\.zip: .* 4 files; at most 3 "
    ),
    "skill_file_bytes": Row(
        default=10 * MIB, n=300, part=lambda each: skill_zip(files=2, each=each), words=r"^skill\.zip: .* 300 bytes"
    ),
    "skill_total_bytes": Row(
        default=100 * MIB, n=300, part=lambda total: skill_zip(total=total), words=r"^skill\.zip: .* 300 bytes"
    ),
}


def _base64(size: int) -> str:
    import base64

    return base64.b64encode(bytes(size)).decode()


#: Limits that refuse nothing, or need more than a number: each has a test of its own, below or in the module named.
ELSEWHERE: dict[str, tuple[float, str]] = {
    "thumbnail_side": (256, "test_a_thumbnail_is_as_small_as_it_is_to_be"),
    "parse_later_bytes": (256 * KIB, "test_what_is_read_later"),
    "task_tries": (3, "test_tries_in_the_background"),
    "task_pause": (1.0, "test_pauses_in_the_background"),
    "parser_seconds": (20.0, "test_seconds_of_a_parser"),
    "parser_bytes": (1_000_000_000, "test_memory_of_a_parser"),
    "fetch_bytes": (100 * MIB, "test_bytes_of_a_url"),
    "fetch_redirects": (5, "test_redirects_of_a_url"),
    "fetch_seconds": (15.0, "test_seconds_of_a_url"),
    "model_image_side": (1_568, "unit/test_vision.py"),
    "extraction_tokens": (4_000, "unit/test_extraction_memory.py"),
}


def test_every_limit_has_a_row() -> None:
    """A new number comes with its default, and with what happens at it and beyond it."""
    assert {one.name for one in fields(Limits)} == ROWS.keys() | ELSEWHERE.keys()
    assert not ROWS.keys() & ELSEWHERE.keys()
    for name, (_, place) in ELSEWHERE.items():
        assert place in globals() or f"{name}=" in (TESTS / place).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("name", [*ROWS, *ELSEWHERE])
def test_defaults_are_those_of_the_reference_systems(name: str) -> None:
    """As DESIGN and the seeds have them, and the README says."""
    assert getattr(Limits(), name) == (ROWS[name].default if name in ROWS else ELSEWHERE[name][0])


def held(memory: Memory) -> Any:
    """All that a store has."""
    items = memory.get_all(pieces=True, limit=min(100, memory.settings.limits.top_k), **USER).items
    return [(item.id, item.version, item.text) for item in items], sorted(memory.engine.store.backend.list_media())


@contextmanager
def limited(place: Path, name: str, row: Row) -> Iterator[Memory]:
    """A store on disk with this limit."""
    limits = Limits(**{name: row.n, **(row.also or {})})
    with Memory(place, embedder="hashing:64", limits=limits) as memory:
        yield memory
        assert memory.doctor().ok


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.part])
def test_a_part_of_n_is_taken_and_of_one_more_refused(tmp_path: Path, name: str) -> None:
    """Alone it is the error, beside something else it is the rejected outcome, and the rest of the request stands."""
    row = ROWS[name]
    assert row.part is not None
    with limited(tmp_path / "store", name, row) as memory:
        with pytest.raises(row.error, match=row.words) as caught:
            memory.add([row.part(row.n + 1)], **USER)
        assert type(caught.value) is row.error
        assert held(memory) == ([], [])
        result = memory.add(["beside", row.part(row.n + 1), row.part(row.n)], **USER)
        assert [outcome.event for outcome in result.outcomes] == ["added", "rejected", "added"]
        assert type(result.outcomes[1].error) is row.error


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.call])
def test_a_call_with_n_is_answered_and_with_one_more_refused(tmp_path: Path, name: str) -> None:
    """What is too much for one call as a whole changes nothing; of too many documents, the last one is rejected."""
    row = ROWS[name]
    assert row.call is not None
    with limited(tmp_path / "store", name, row) as memory:
        memory.add("before", **USER)
        before = held(memory)
        if name.startswith("documents"):
            result: Any = row.call(memory, row.n + 1)
            assert [outcome.event for outcome in result.outcomes][-2:] == ["added", "rejected"]
            with pytest.raises(row.error, match=row.words):
                raise result.outcomes[-1].error
        else:
            with pytest.raises(row.error, match=row.words) as caught:
                row.call(memory, row.n + 1)
            assert type(caught.value) is row.error
            assert held(memory) == before
        answered: Any = row.call(memory, row.n)
        assert not getattr(answered, "rejected", ())


@pytest.mark.parametrize(
    ("pages", "document"),
    [("slides", lambda slides: Source(data=presentation(slides, texts="words"), name="a.pptx"))],
)
def test_pages_of_other_formats(pages: str, document: Callable[[int], Source]) -> None:
    """Slides are pages."""
    with Memory("memory://", embedder="hashing:64", limits=Limits(document_pages=2)) as memory:
        assert memory.add(document(2), **USER).outcomes[0].event == "added"
        with pytest.raises(InputTooLarge, match=rf"a\.pptx: .* 3 {pages}, more than the 2"):
            memory.add(document(3), **USER)


@pytest.mark.parametrize(
    ("name", "n", "document"),
    [
        ("document_depth", 3, lambda n: Source(data=b"<a>" * (n + 1) + b"x" + b"</a>" * (n + 1), name="a.xml")),
        ("document_cells", 4, lambda n: Source(data=_sheet(n), name="a.xlsx")),
        ("document_characters", 30, lambda n: Source(data=docx(paragraph("x" * n)), name="a.docx")),
        ("document_characters", 30, lambda n: Source(data=pdf([(72, 700, 12, "x" * n)]), name="a.pdf")),
    ],
)
def test_other_formats_keep_to_the_same_limits(name: str, n: int, document: Callable[[int], Source]) -> None:
    """XML, spreadsheets, Word and PDF, each at the limit and one beyond."""
    with Memory("memory://", embedder="hashing:64", limits=Limits(**{name: n})) as memory:
        assert memory.add(document(n), **USER).outcomes[0].event == "added"
        with pytest.raises(InputTooLarge, match=rf"^a\.\w+: .* {n} "):
            memory.add(document(n + 1), **USER)


def _sheet(cells: int) -> bytes:
    return xlsx("".join(f'<row r="{n + 1}"><c r="A{n + 1}"><v>{n}</v></c></row>' for n in range(cells)))


def test_a_page_of_a_list_has_as_many_as_hits() -> None:
    """`get_all` and `search` share the number."""
    with Memory("memory://", embedder="hashing:64", limits=Limits(top_k=2)) as memory:
        memory.add(["a", "b", "c"], **USER)
        assert len(memory.get_all(limit=2, **USER)) == 2
        with pytest.raises(MalformedInput, match="1 to 2, not 3"):
            memory.get_all(limit=3, **USER)


def test_feedback_is_no_longer_than_a_question() -> None:
    """A correction is searched for, so that the limit on questions holds."""
    with Memory("memory://", embedder="hashing:64", limits=Limits(query_length=20)) as memory:
        assert memory.feedback("x" * 20, **USER).event == "noted"
        with pytest.raises(InputTooLarge, match="at most 20"):
            memory.feedback("x" * 21, **USER)


# Limits that refuse nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "small"), [(50, 50), (51, 50)])
def test_a_thumbnail_is_as_small_as_it_is_to_be(side: int, small: int) -> None:
    """A picture of that side stays as it is, a larger one is shrunk to it; the original always stays."""
    import io

    from PIL import Image

    data = png(size=(side, 20))
    with Memory("memory://", embedder="hashing:64", limits=Limits(thumbnail_side=50)) as memory:
        [id_] = memory.add(data, **USER).ids
        with memory.open_media(id_, thumbnail=True) as file, Image.open(io.BytesIO(file.read())) as thumbnail:
            assert max(thumbnail.size) == small
        assert memory.media(id_) == data


@pytest.mark.parametrize(("size", "event"), [(40, "added"), (41, "pending")])
def test_what_is_read_later(size: int, event: str) -> None:
    """A document of so many bytes is read at once, a larger one in the background where nobody waits."""
    with Memory("memory://", embedder="hashing:64", limits=Limits(parse_later_bytes=40)) as memory:
        memory.engine.worker.close()
        document = Source(data=b"x" * size, name="a.txt")
        assert memory.add(document, wait=False, **USER).outcomes[0].event == event
        assert memory.add(document, user_id="other").outcomes[0].event == "added"


class _Blind:
    """A describer that sees nothing."""

    name = "blind"

    def __init__(self) -> None:
        self.calls = 0

    @hookimpl
    def register_describers(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        register("blind", lambda: self)

    def accepts(self, media: Media) -> bool:
        return bool(media.data)

    def describe(self, media: Media, *, context: str) -> str:
        self.calls += 1
        raise RuntimeError(f"{context}{media.name}: it is dark")


@pytest.mark.parametrize("tries", [1, 2])
def test_tries_in_the_background(tries: int) -> None:
    """A step is tried so often and not once more, then it has failed with its reason."""
    blind = _Blind()
    limits = Limits(task_tries=tries, task_pause=0.0)
    with Memory("memory://", embedder="hashing:64", plugins=[blind], limits=limits) as memory:
        result = memory.add(png(), wait=False, **USER)
        status = memory.wait(str(result.task_id), 60)
        assert (status.state, blind.calls) == ("failed", tries)
        item = memory.get(result.ids[0])
        assert (item.status, "it is dark" in (item.error or "")) == ("failed", True)


def test_pauses_in_the_background(tmp_path: Path) -> None:
    """The second try comes after the pause, and none before."""
    limits = Limits(task_pause=3_600.0)
    with Memory(tmp_path, embedder="hashing:64", plugins=[_Blind()]) as memory:
        memory.engine.worker.close()
        memory.add(png(), wait=False, **USER)
    blind = _Blind()
    with Memory(tmp_path, plugins=[blind], limits=limits) as memory:
        due = memory.work()
        assert blind.calls == 1
        assert due is not None
        assert 3_000 < due <= 3_600
        assert memory.work() is not None
        assert blind.calls == 1


# Time and memory ------------------------------------------------------------------------------------------


def _long_table(rows: int = 900_000) -> Source:
    return Source(data=b"a,b\n" + b"1,2\n" * rows, name="long.csv")


def test_seconds_of_a_parser() -> None:
    """A document that takes longer is refused by its name, and the next one is read."""
    with Memory("memory://", embedder="hashing:64", limits=Limits(parser_seconds=0.2)) as memory:
        result = memory.add([_long_table(), "beside"], **USER)
        assert [outcome.event for outcome in result.outcomes] == ["rejected", "added"]
        with pytest.raises(InputTooLarge, match=r"^long\.csv: .* more than 0\.2 seconds"):
            raise result.outcomes[0].error or AssertionError
    with Memory("memory://", embedder="hashing:64") as memory:
        assert memory.add(_long_table(2), **USER).outcomes[0].event == "added"


def test_memory_of_a_parser() -> None:
    """A document that takes more is refused by its name, and one that takes less is read."""
    small, large = (
        Source(data=docx("".join(map(paragraph, drivel(size)))), name="a.docx") for size in (20_000, 150_000)
    )
    with Memory("memory://", embedder="hashing:64", limits=Limits(parser_bytes=50_000_000)) as memory:
        result = memory.add([large, small], **USER)
        assert [outcome.event for outcome in result.outcomes] == ["rejected", "added"]
        with pytest.raises(InputTooLarge, match=r"^a\.docx: .* more than 50 MB"):
            raise result.outcomes[0].error or AssertionError


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (lambda: docx("".join(map(paragraph, drivel(3_000_000)))), "endless.docx", "20 seconds"),
        (lambda: b"[" + b'{"a":1},' * 9_000_000 + b"1]", "large.json", "1,000 MB"),
    ],
)
def test_the_defaults_of_a_parser(make: Callable[[], bytes], name: str, words: str) -> None:
    """With the limits as they come: ``pytest -m slow tests/unit/test_limits.py``. The next document is read."""
    with Memory("memory://", embedder="hashing:64") as memory:
        start = time.monotonic()
        result = memory.add([Source(data=make(), name=name), text_file("a.txt")(10)], **USER)
        assert time.monotonic() - start < 60
        assert [outcome.event for outcome in result.outcomes] == ["rejected", "added"]
        assert f"{name}: reading the document took more than {words}" in str(result.outcomes[0].error)
        assert type(result.outcomes[0].error) is InputTooLarge


# URLs -----------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    """``/bytes/30`` has so many, ``/jump/2`` leads on so often, ``/wait`` says nothing until it is let go."""

    waiting = threading.Event()

    def do_GET(self) -> None:
        """Answers."""
        kind, _, number = self.path.strip("/").partition("/")
        if kind == "wait":
            self.waiting.wait(60)
        leads = kind == "jump" and int(number) > 0
        body = b"" if leads else b"x" * (int(number) if kind == "bytes" else 5)
        self.send_response(302 if leads else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if leads:
            self.send_header("Location", f"/jump/{int(number) - 1}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    _Handler.waiting.set()
    server.shutdown()
    server.server_close()
    thread.join()


def fetching(**limits: Any) -> Memory:
    """A memory that may fetch from there."""
    return Memory("memory://", embedder="hashing:64", limits=Limits(**limits), allow_hosts=["127.0.0.1"])


def outcomes(memory: Memory, url: str) -> list[InputRejected | None]:
    """What becomes of a URL beside a text, which always stands."""
    result = memory.add(["beside", Source(url=url)], **USER)
    assert result.outcomes[0].error is None
    return [one.error for one in result.outcomes[1:]]  # type: ignore[misc]


def test_bytes_of_a_url(site: str) -> None:
    """So many are fetched, and no more."""
    with fetching(fetch_bytes=30) as memory:
        assert outcomes(memory, f"{site}/bytes/30") == [None]
        [error] = outcomes(memory, f"{site}/bytes/31")
        assert type(error) is InputTooLarge
        assert "30" in str(error)


def test_redirects_of_a_url(site: str) -> None:
    """So many are followed, and no more."""
    with fetching(fetch_redirects=2) as memory:
        assert outcomes(memory, f"{site}/jump/2") == [None]
        [error] = outcomes(memory, f"{site}/jump/3")
        assert type(error) is FetchError
        assert "more than 2 redirects" in str(error)


def test_seconds_of_a_url(site: str) -> None:
    """A server that says nothing is waited for so long, and no longer."""
    with fetching(fetch_seconds=0.3) as memory:
        [error] = outcomes(memory, f"{site}/wait")
        assert type(error) is FetchError
        assert "longer than 0.3 s" in str(error)
