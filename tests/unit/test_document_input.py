"""Documents as an input type, and as parts of one request."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Limits, Memory
from memplug.exceptions import EncryptedInput, InputTooLarge, MalformedInput, UnsupportedInput
from memplug.inputs.document import DocumentInput
from memplug.plugins.protocols import ParseContext
from memplug.testing.inputs import InputTypeContract, png
from memplug.values.draft import Draft, Part
from memplug.values.source import Source
from pdfs import pdf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HANDBOOK = b"""# Handbook

## Returns

Goods may be returned within 14 days.

## Shipping

Free over 50 euros.
"""
FILES = {
    "handbook.md": HANDBOOK,
    "guide.mdx": b"import A from 'a'\n\n# Guide\n\n<A>Press the button.</A>\n",
    "page.html": b"<!doctype html><title>Page</title><h1>Top</h1><p>Some text.",
    "data.json": b'[{"id": 1, "name": "Li"}]',
    "lines.jsonl": b'{"id": 1, "name": "Li"}\n{"id": 2, "name": "Wu"}\n',
    "feed.xml": b"<feed><entry><title>News</title></entry></feed>",
    "prices.csv": b"Item,Price\nTea,5\n",
    "prices.tsv": b"Item\tPrice\nTea\t5\n",
    "letter.txt": "Schöne Grüße aus München und aus Köln.".encode("cp1252"),
    "main.py": b"def main():\n    return 1\n",
}


def part(data: bytes, name: str | None = None, *, media_type: str | None = None, **fields: Any) -> Part:
    """A part of bytes with a name."""
    return Part(index=0, source=Source(data=data, name=name, media_type=media_type), **fields)


def draft(found: Part, limits: Limits | None = None) -> Draft:
    """The only draft of a document."""
    assert DocumentInput().accepts(found)
    (one,) = DocumentInput().parse(found, ParseContext(limits=limits or Limits()))
    return one


class TestDocumentInput(InputTypeContract):
    """DocumentInput keeps the promises of every input type."""

    def make(self) -> DocumentInput:
        """The input type."""
        return DocumentInput()

    def samples(self) -> Sequence[Part]:
        """Its own forms."""
        files = [part(data, name) for name, data in FILES.items()]
        return [*files, part(HANDBOOK), part(b"words", kind="document"), Part(index=0, text="words", kind="document")]

    def strangers(self) -> Sequence[Part]:
        """Other types' parts."""
        binary = part(bytes(range(256)))
        return [
            Part(index=0, text="x"),
            part(png()),
            binary,
            part(HANDBOOK, kind="skill"),
            part(b"PK\x03\x04" + bytes(60)),
        ]

    def broken(self) -> Sequence[Part]:
        """Parts to refuse."""
        texts = [
            part(data, kind="document")
            for data in (b"", b" \n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", png(), b"\0" * 50)
        ]
        return [*texts, part(b"<a><!-- --></a>", "a.xml"), Part(index=0, kind="document"), part(b"%PDF-1.7\n", "a.pdf")]


@pytest.mark.parametrize(("name", "data"), FILES.items())
def test_the_original_is_kept_and_the_text_falls_into_passages(name: str, data: bytes) -> None:
    """Each format gives one draft with the bytes, and at least one passage that cites the file."""
    found = draft(part(data, name))
    assert found.media is not None
    assert (found.media.data, found.media.name, found.kind) == (data, name, "document")
    assert found.content_type == found.media.content_type
    assert found.pieces
    for position, piece in enumerate(found.pieces):
        assert (piece.kind, piece.source.file, piece.source.position) == ("document", name, position)
        assert piece.media is None
        assert piece.text.strip() == piece.text != ""


def test_a_document_is_known_by_its_title_and_headings() -> None:
    """Its own words are few; a document without a title is known by its name, one without both by its first words."""
    assert draft(part(HANDBOOK, "a.md")).text == "Handbook\nReturns · Shipping"
    assert draft(part(b"words", "notes.txt")).text == "notes.txt"
    assert draft(part(b"The first words of a text.\n\nMore.")).text == "The first words of a text."
    many = "# T\n\n" + "".join(f"## A heading of some length {n}\n\nx\n\n" for n in range(100))
    assert len(draft(part(many.encode(), "a.md")).text) < 600


def test_a_passage_cites_its_place() -> None:
    """File and section stand in its source; headings, title and the words of the file's name help to find it."""
    found = draft(part(HANDBOOK, "shop_rules-2026.md"))
    returns, shipping = found.pieces
    assert returns.text == "Goods may be returned within 14 days."
    assert (returns.source.file, returns.source.section) == ("shop_rules-2026.md", "Handbook \u203a Returns")
    assert "Returns" in returns.context
    assert "shop rules 2026" in returns.context
    assert "Shipping" not in returns.context
    assert (shipping.text, shipping.source.section) == ("Free over 50 euros.", "Handbook \u203a Shipping")


def test_the_words_are_the_documents_and_not_the_users() -> None:
    """A passage is quoted material, whoever handed it in; what came from the web or a tool stays known as that."""
    found = draft(part(HANDBOOK, "a.md", role="user", speaker="Caroline"))
    assert (found.source.role, found.source.speaker) == ("user", "Caroline")
    assert {(piece.source.role, piece.source.speaker) for piece in found.pieces} == {("document", None)}
    for given, role in (("assistant", "document"), ("web", "web"), ("tool", "tool")):
        pieces = draft(part(HANDBOOK, "a.md", role=given)).pieces
        assert {piece.source.role for piece in pieces} == {role}


def test_words_sent_along_stay_with_the_document() -> None:
    """Description and text of the message find the document; they are put into no passage's mouth."""
    found = draft(part(HANDBOOK, "a.md", description="our rules", context="please keep this"))
    assert "our rules" in found.context
    assert "please keep this" in found.context
    assert all("our rules" not in f"{piece.text}{piece.context}" for piece in found.pieces)


def test_only_what_is_known_is_metadata() -> None:
    """Title, pages, warnings and a contradicting type, where there are such."""
    assert draft(part(b"words", "a.txt")).metadata == {}
    assert draft(part(HANDBOOK, "a.txt")).metadata == {}
    assert draft(part(HANDBOOK, "a.md")).metadata == {"title": "Handbook"}
    assert draft(part(b"words", "a.pdf")).metadata == {"declared_type": "application/pdf"}
    assert (
        draft(part(b"<!doctype html><p>x", media_type="application/pdf")).metadata["declared_type"] == "application/pdf"
    )
    assert "not valid JSON" in draft(part(b"{,}", "a.json")).metadata["warnings"][0]


def test_pages_are_cited() -> None:
    """A passage of a PDF knows its page, and the document how many it has."""
    data = pdf([(72, 700, 12, "Returns take 14 days.")], [(72, 700, 12, "Shipping is free.")], title="Rules")
    found = draft(part(data, "rules.pdf"))
    assert (found.metadata["title"], found.metadata["pages"], found.content_type) == ("Rules", 2, "application/pdf")
    assert [(piece.source.page, piece.text) for piece in found.pieces] == [
        (1, "Returns take 14 days."),
        (2, "Shipping is free."),
    ]


@pytest.mark.parametrize("name", ["pages", "scanned_pages", "read_by"])
def test_what_later_steps_go_by_is_not_the_callers_to_say(name: str) -> None:
    """A caller's own list of scans would have other pages read; what equals the reader's is no contradiction."""
    with Memory("memory://", embedder="hashing:64") as memory:
        scan = pdf([(72, 700, 12, "words on the first page")], b"1 1 m 2 2 l S\n" * 40)
        with pytest.raises(MalformedInput, match=f"'{name}' is taken by what is kept of a document"):
            memory.add(Source(data=scan, name="scan.pdf"), user_id="u", metadata={name: [7]})
        assert memory.get_all(user_id="u").items == ()
        memory.add(Source(data=scan, name="scan.pdf"), user_id="u")
        [item] = memory.get_all(user_id="u").items
        again = memory.add(Source(data=scan, name="scan.pdf"), user_id="u", metadata=item.metadata)
        assert [one.event for one in again.outcomes] == ["duplicate"]
        memory.add("A note", user_id="u", metadata={name: [7]})  # a text knows no pages of its own


def test_a_scan_is_kept_without_passages() -> None:
    """Pages that show something and have no text are listed, for OCR; the document is there and nothing failed."""
    found = draft(part(pdf(b"1 1 m 2 2 l S\n" * 40), "scan.pdf"))
    assert (found.pieces, found.error, found.pending) == ((), None, False)
    assert found.metadata == {"pages": 1, "scanned_pages": [1]}
    assert found.text == "scan.pdf"


def test_limits_of_one_document() -> None:
    """Bytes, characters and pages: as many as the limit are taken, one more is not, and the words name the number."""
    size = len(b"12345 67890")
    for limits, over in (
        (Limits(document_bytes=size), Limits(document_bytes=size - 1)),
        (Limits(document_characters=size), Limits(document_characters=size - 1)),
    ):
        assert draft(part(b"12345 67890", "a.txt"), limits).pieces
        with pytest.raises(InputTooLarge, match="10"):
            draft(part(b"12345 67890", "a.txt"), over)
    two = pdf([(72, 700, 12, "one")], [(72, 700, 12, "two")])
    assert draft(part(two), Limits(document_pages=2)).pieces
    with pytest.raises(InputTooLarge, match="1"):
        draft(part(two), Limits(document_pages=1))


def test_errors_of_the_worker_come_back_as_themselves() -> None:
    """Old and encrypted Office files, damaged ones and empty ones: each by its own error."""
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)
    for data, error in (
        (ole + "WordDocument".encode("utf-16-le"), UnsupportedInput),
        (ole + "EncryptedPackage".encode("utf-16-le"), EncryptedInput),
        (b"%PDF-1.7\nnothing", MalformedInput),
        (b"<html><script>x</script>", MalformedInput),
    ):
        with pytest.raises(error):
            draft(part(data))


# Several of them in one request ---------------------------------------------------------------------------


@pytest.fixture
def wang() -> Iterator[Any]:
    """A memory of one user."""
    with Memory("memory://", embedder="hashing:64", limits=Limits(documents_bytes=1_000)) as memory:
        yield memory.scoped(user_id="wang")


def test_a_file_on_disk_is_found_by_what_it_says(wang: Any, tmp_path: Path) -> None:
    """A path is enough; the hit is the passage, with the file and the section it stands in."""
    (tmp_path / "handbook.md").write_bytes(HANDBOOK)
    wang.add(tmp_path / "handbook.md", description="rules of the shop")
    hit = wang.search("may I return goods after days?")[0]
    assert hit.text == "Goods may be returned within 14 days."
    assert (hit.item.source.file, hit.item.source.section) == ("handbook.md", "Handbook \u203a Returns")
    assert wang.media(wang.search("rules of the shop")[0].id) == HANDBOOK
    assert wang.add(str(tmp_path / "handbook.md")).outcomes[0].kind == "text"


def test_twenty_documents_are_taken_and_the_next_is_refused(wang: Any) -> None:
    """The first twenty stand, the 21st is rejected by its own number with the limit, and texts are not counted."""
    files = [Source(data=f"document {n}".encode(), name=f"{n}.txt") for n in range(21)]
    result = wang.add(["a text", *files, "another text"])
    assert [outcome.part for outcome in result.rejected] == [21]
    error = result.rejected[0].error
    assert isinstance(error, InputTooLarge)
    assert "20 documents" in str(error)
    assert [outcome.event for outcome in result.outcomes if outcome.event != "rejected"] == ["added"] * 22


def test_documents_may_only_be_so_large_together(wang: Any) -> None:
    """The one that passes the limit is rejected; a smaller one after it still fits, to the last byte."""
    sizes = (600, 401, 400, 1)
    result = wang.add([Source(data=str(n).encode() * size, name=f"{n}.txt") for n, size in enumerate(sizes)])
    assert [outcome.event for outcome in result.outcomes] == ["added", "rejected", "added", "rejected"]
    assert "1,000 bytes together" in str(result.rejected[0].error)


def test_a_broken_document_costs_only_itself(wang: Any) -> None:
    """Of twenty files one is broken: nineteen are added, and one is rejected with an error that says why."""
    files = [Source(data=f"document {n}".encode(), name=f"{n}.txt") for n in range(20)]
    files[7] = Source(data=b"%PDF-1.7\nnothing", name="7.pdf")
    result = wang.add(files)
    assert [outcome.event for outcome in result.outcomes].count("added") == 19
    assert [(outcome.part, outcome.error.code) for outcome in result.rejected] == [(7, "input.malformed")]


def test_a_new_edition_replaces_only_what_changed(wang: Any, tmp_path: Path) -> None:
    """The same file adds nothing; another edition of it changes the passages that differ, and no others."""
    path = tmp_path / "handbook.md"
    path.write_bytes(HANDBOOK)
    (first,) = wang.add(path).outcomes
    assert wang.add(path).outcomes[0].event == "duplicate"
    shipping = wang.search("free over euros")[0]
    path.write_bytes(HANDBOOK.replace(b"14", b"30"))
    (second,) = wang.add(path).outcomes
    assert (second.event, second.id) == ("updated", first.id)
    assert "30 days" in wang.search("goods returned days")[0].text
    assert not any("14 days" in hit.text for hit in wang.search("goods returned 14 days"))
    again = wang.search("free over euros")[0]
    assert (again.id, again.item.version) == (shipping.id, shipping.item.version)


class _Files(http.server.BaseHTTPRequestHandler):
    """Serves one document whatever is asked for."""

    def do_GET(self) -> None:
        """Answers."""
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(HANDBOOK)))
        self.end_headers()
        self.wfile.write(HANDBOOK)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Says nothing."""


def test_memos_file_by_url_is_fetched_and_read() -> None:
    """A URL with a blank in it, as on MemOS's page, gives the document under its name."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    try:
        with Memory("memory://", embedder="hashing:64", allow_hosts=[host]) as memory:
            url = f"http://{host}/file/MemOS 2.md"
            message = {"role": "user", "content": [{"type": "file", "file": {"file_data": url}}]}
            (outcome,) = memory.add([message], user_id="wang").outcomes
            assert (outcome.event, outcome.kind) == ("added", "document")
            hit = memory.search("goods returned", user_id="wang")[0]
            assert (hit.item.source.file, hit.item.source.role) == ("MemOS 2.md", "document")
    finally:
        server.shutdown()
        server.server_close()
