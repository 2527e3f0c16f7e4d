"""Files in messages, in the exact words of each system that people come from."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from memplug.exceptions import InputRejected, InputTooLarge, MalformedInput, UnsupportedInput
from memplug.inputs.loading import load
from memplug.inputs.parts import Refused, unpack
from memplug.safety.fetch import Fetcher
from memplug.testing.inputs import png
from memplug.values.draft import Part
from memplug.values.limits import Limits
from memplug.values.source import Source

LIMITS = Limits()
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
PDF_64 = base64.b64encode(PDF).decode()
PDF_URL = f"data:application/pdf;base64,{PDF_64}"
WORDS_64 = base64.b64encode("Grüße".encode()).decode()


def unpacked(content: object, *, limits: Limits = LIMITS, **said: Any) -> list[Part | Refused]:
    """The parts of a message."""
    return unpack(content, **{"description": None, "content_type": None, "kind": None, **said}, limits=limits)


def part(block: object, **said: Any) -> Part:
    """The only part of a message with this block."""
    (found,) = unpacked({"role": "user", "content": [block]}, **said)
    assert isinstance(found, Part), found
    return found


def loaded(block: object) -> Source:
    """The part's bytes, with what is said of them."""
    source = load(part(block), LIMITS, Fetcher(LIMITS)).source
    assert source is not None
    return source


def refused(block: object, *, limits: Limits = LIMITS) -> InputRejected:
    """Why the block is refused."""
    (found,) = unpacked({"role": "user", "content": [block]}, limits=limits)
    assert isinstance(found, Refused)
    return found.error


def test_memos_file_by_url() -> None:
    """The program on MemOS's page of raw input, with the blank in its URL."""
    found = part({"type": "file", "file": {"file_data": "https://cdn.memtensor.com.cn/file/MemOS 2.pdf"}})
    assert found.source is not None
    assert found.source.url == "https://cdn.memtensor.com.cn/file/MemOS 2.pdf"
    assert found.source.label == "MemOS 2.pdf"


def test_memos_file_as_base64() -> None:
    """For local documents, ``file_data`` is a Base64 string."""
    assert loaded({"type": "file", "file": {"file_data": PDF_64}}).data == PDF
    found = loaded({"type": "file", "file": {"file_data": WORDS_64, "filename": "a.txt"}})
    assert (found.data, found.label) == ("Grüße".encode(), "a.txt")


def test_memos_document_of_a_knowledge_base() -> None:
    """MemOS's ``add/knowledgebase-file`` says ``content``."""
    found = part({"type": "document", "content": "https://cdn.memtensor.com.cn/file/MemOS 2.pdf"})
    assert (found.kind, found.source and found.source.label) == ("document", "MemOS 2.pdf")
    assert loaded({"type": "document", "name": "a.pdf", "content": PDF_URL}).data == PDF


def test_openai_chat_file() -> None:
    """Chat Completions: a data URL with its name."""
    found = loaded({"type": "file", "file": {"filename": "draft.pdf", "file_data": PDF_URL}})
    assert (found.data, found.label, found.media_type) == (PDF, "draft.pdf", "application/pdf")


def test_openai_responses_file() -> None:
    """The Responses API: the same fields on the block itself, or a URL."""
    found = loaded({"type": "input_file", "filename": "draft.pdf", "file_data": PDF_URL})
    assert (found.data, found.label) == (PDF, "draft.pdf")
    found_by_url = part({"type": "input_file", "file_url": "https://example.com/letters/2024.pdf"})
    assert found_by_url.source == Source(url="https://example.com/letters/2024.pdf")


def test_file_url() -> None:
    """As an image_url is written: a dict around the URL, or the URL itself."""
    for given in ({"url": "https://example.com/a.pdf"}, "https://example.com/a.pdf"):
        assert part({"type": "file_url", "file_url": given}).source == Source(url="https://example.com/a.pdf")


@pytest.mark.parametrize("given", [{"url": "https://example.com/a.pdf"}, "https://example.com/a.pdf"])
def test_mem0_pdf_url(given: object) -> None:
    """mem0's PDF part, which its own library turns into the words of a dict."""
    found = part({"type": "pdf_url", "pdf_url": given})
    assert (found.kind, found.source) == (
        "document",
        Source(url="https://example.com/a.pdf", media_type="application/pdf"),
    )


@pytest.mark.parametrize(("type_", "media_type"), [("txt_url", "text/plain"), ("mdx_url", "text/mdx")])
def test_mem0_text_and_mdx_may_be_bare_base64(type_: str, media_type: str) -> None:
    """mem0's cloud takes a URL or raw base64 there."""
    found = loaded({"type": type_, type_: {"url": WORDS_64}})
    assert (found.data, found.media_type) == ("Grüße".encode(), media_type)
    assert part({"type": type_, type_: {"url": "https://example.com/a"}}).source == Source(
        url="https://example.com/a", media_type=media_type
    )


@pytest.mark.parametrize(
    "block",
    [
        {"type": "file", "base64": PDF_64, "mime_type": "application/pdf", "filename": "a.pdf"},
        {"type": "file", "base64": PDF_64, "mime_type": "application/pdf", "extras": {"filename": "a.pdf"}},
        {"type": "file", "source_type": "base64", "data": PDF_64, "mime_type": "application/pdf", "filename": "a.pdf"},
        {
            "type": "file",
            "source_type": "base64",
            "data": PDF_64,
            "mime_type": "application/pdf",
            "metadata": {"name": "a.pdf"},
        },
        {"type": "non_standard", "value": {"type": "file", "file": {"file_data": PDF_URL, "filename": "a.pdf"}}},
    ],
)
def test_langchain_file_blocks(block: dict[str, Any]) -> None:
    """Both generations of LangChain's blocks, with the name wherever it is kept."""
    found = loaded(block)
    assert (found.data, found.media_type, found.label) == (PDF, "application/pdf", "a.pdf")


def test_langchain_messages_with_files() -> None:
    """A LangChain message translates OpenAI's part into its own block; the file and its name arrive."""
    block = {"type": "file", "file": {"file_data": PDF_URL, "filename": "a.pdf"}}
    text, file = unpacked(HumanMessage([{"type": "text", "text": "my contract"}, block]))
    assert isinstance(text, Part)
    assert isinstance(file, Part)
    assert (file.context, file.source and file.source.data, file.source and file.source.label) == (
        "my contract",
        PDF,
        "a.pdf",
    )
    assert part({"type": "file", "url": "https://example.com/a.pdf"}).source == Source(url="https://example.com/a.pdf")


def test_langchain_plain_text() -> None:
    """A ``text-plain`` block is a document, with its title for a name and its context for words to find it by."""
    found = part(
        {"type": "text-plain", "text": "long text", "mime_type": "text/plain", "title": "Notes", "context": "of Li"}
    )
    assert (found.kind, found.context) == ("document", "of Li")
    assert found.source == Source(data=b"long text", media_type="text/plain", name="Notes")


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ({"type": "base64", "media_type": "application/pdf", "data": PDF_64}, PDF),
        ({"type": "text", "media_type": "text/plain", "data": "plain words"}, b"plain words"),
        ({"type": "content", "content": "plain words"}, b"plain words"),
        ({"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, b"a\n\nb"),
    ],
)
def test_anthropic_documents(source: dict[str, Any], data: bytes) -> None:
    """Anthropic's sources, with title and context; what is said about the document is not lost."""
    block = {"type": "document", "source": source, "title": "My Document", "context": "a trustworthy document"}
    found = part(block)
    assert (found.kind, found.context) == ("document", "a trustworthy document")
    assert found.source is not None
    assert (found.source.data, found.source.label) == (data, "My Document")


def test_anthropic_document_by_url() -> None:
    """A source of the type ``url``."""
    found = part({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}})
    assert found.source == Source(url="https://example.com/a.pdf")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "file", "file": {"file_id": "file-6F2"}},
        {"type": "input_file", "file_id": "file-6F2"},
        {"type": "file", "file_id": "file-6F2"},
        {"type": "document", "source": {"type": "file", "file_id": "file_011"}},
    ],
)
def test_a_file_that_lies_at_its_provider_is_refused(block: dict[str, Any]) -> None:
    """An id is no file, and nobody asks its provider for it; the words say what to pass instead."""
    error = refused(block)
    assert isinstance(error, UnsupportedInput)
    assert "file_id" in str(error)
    assert "base64" in str(error)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "file"}, "no file in it"),
        ({"type": "file", "file": {}}, "no file in it"),
        ({"type": "file", "file": {"file_data": ""}}, "no file in it"),
        ({"type": "file", "file": {"file_data": 5}}, "no file in it"),
        ({"type": "file", "file": {"file_data": "/home/li/report.pdf"}}, "base64 is damaged"),
        ({"type": "file", "file": {"file_data": "!!!aGVsbG8="}}, "base64 is damaged"),
        ({"type": "pdf_url"}, "no file in it"),
        ({"type": "pdf_url", "pdf_url": {"link": "x"}}, "no file in it"),
        ({"type": "document", "source": {"type": "base64", "data": "aGVsbG8"}}, "base64 is damaged"),
        ({"type": "document", "source": {}}, "no file in it"),
        ({"type": "text-plain", "text": "\ud800"}, "not valid Unicode"),
    ],
)
def test_a_damaged_part_says_what_is_wrong(block: dict[str, Any], words: str) -> None:
    """A part without a file, or with half of one, is refused in clear words and costs only itself."""
    error = refused(block)
    assert isinstance(error, MalformedInput)
    assert words in str(error)


def test_a_document_of_blocks_with_pictures_is_refused_whole() -> None:
    """No picture inside one is dropped in silence."""
    content = [{"type": "text", "text": "a"}, {"type": "image", "source": {"type": "base64", "data": "aGk="}}]
    assert isinstance(
        refused({"type": "document", "source": {"type": "content", "content": content}}), UnsupportedInput
    )


def test_base64_of_a_file_has_the_limit_of_files() -> None:
    """As many bytes as the limit are decoded, one more is not."""
    limits = Limits(file_bytes=len(PDF))
    assert unpacked({"role": "user", "content": [{"type": "file", "file": {"file_data": PDF_64}}]}, limits=limits)
    longer = base64.b64encode(PDF + b"x").decode()
    assert isinstance(refused({"type": "file", "file": {"file_data": longer}}, limits=limits), InputTooLarge)


def test_a_file_part_may_hold_anything() -> None:
    """A picture sent as a file is the picture; a caller's kind counts for it as for any bytes."""
    block = {"type": "file", "file": {"file_data": base64.b64encode(png()).decode()}}
    assert part(block).kind is None
    assert part(block, kind="skill").kind == "skill"
    assert part({"type": "pdf_url", "pdf_url": "https://a.b/c"}, kind="skill").kind == "skill"


def test_words_sent_along_are_the_files_context() -> None:
    """The text of the message and the file know each other."""
    text, file = unpacked(
        {
            "role": "user",
            "content": [{"type": "text", "text": "my contract"}, {"type": "file", "file": {"file_data": PDF_64}}],
        }
    )
    assert isinstance(text, Part)
    assert isinstance(file, Part)
    assert (text.message, file.message, file.context) == (0, 0, "my contract")
