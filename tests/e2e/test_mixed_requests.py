"""Requests with good and broken parts: each part has its outcome, and no bad one takes a good one with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from hostile.bombs import docx, paragraph
from memplug import Limits, Memory, Source
from memplug.exceptions import (
    InputRejected,
    InputTooLarge,
    InvalidImageError,
    MalformedInput,
    UnsafeInput,
    UnsupportedInput,
)
from pdfs import pdf
from skills import RETURNS, skill_zip
from support import png

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.values.outcome import AddResult


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """A store on disk, which must be well in the end."""
    with Memory(tmp_path / "store", embedder="hashing:64") as opened:
        yield opened
        assert opened.doctor().ok


def files(number: int) -> list[Source]:
    """So many good documents, of five kinds in turn."""
    kinds = ("txt", "md", "csv", "pdf", "docx")
    return [_file(n, kinds[n % len(kinds)]) for n in range(number)]


def _file(number: int, kind: str) -> Source:
    words = f"document number {number}"
    made: dict[str, Callable[[], bytes]] = {
        "txt": words.encode,
        "md": f"# Title {number}\n\n{words}\n".encode,
        "csv": f"Name,Number\n{words},{number}\n".encode,
        "pdf": lambda: pdf([(72, 700, 12, words)]),
        "docx": lambda: docx(paragraph(words)),
    }
    return Source(data=made[kind](), name=f"file{number}.{kind}")


def events(result: AddResult) -> list[str]:
    """The outcomes' words."""
    return [outcome.event for outcome in result.outcomes]


@pytest.mark.parametrize(
    ("broken", "error", "words"),
    [
        (Source(data=b"%PDF-1.7\nbroken", name="broken.pdf"), MalformedInput, "broken.pdf: "),
        (Source(data=b"x" * 3_001, name="large.txt"), InputTooLarge, "large.txt: .* at most 3,000 are taken"),
        (Source(data=pdf(*[[(9, 9, 9, "x")]] * 4), name="long.pdf"), InputTooLarge, "long.pdf: .*3 that are taken"),
    ],
)
@pytest.mark.parametrize("place", [0, 7, 19])
def test_twenty_files_of_which_one_is_broken(
    tmp_path: Path, broken: Source, error: type[InputRejected], words: str, place: int
) -> None:
    """Nineteen are added, and one is rejected with an error that names it and the limit, wherever it stands."""
    limits = Limits(document_bytes=3_000, document_pages=3)
    with Memory(tmp_path / "store", embedder="hashing:64", limits=limits) as memory:
        given = files(19)
        result = memory.add([*given[:place], broken, *given[place:]], user_id="u")
        assert events(result) == ["added"] * place + ["rejected"] + ["added"] * (19 - place)
        rejected = result.rejected[0].error
        assert type(rejected) is error
        with pytest.raises(error, match=words):
            raise rejected
        assert memory.search("document number 11", user_id="u")[0].item.source.file in {None, "file11.md"}
        assert len(memory.get_all(user_id="u")) == 19


def test_twenty_one_documents(memory: Memory) -> None:
    """The last one is rejected by its name, with the number that is taken; other kinds do not count."""
    result = memory.add(["a text", png(), *files(21)], user_id="u")
    assert events(result) == ["added"] * 22 + ["rejected"]
    assert str(result.rejected[0].error).startswith("file20.txt: one add takes at most 20 documents")
    assert type(result.rejected[0].error) is InputTooLarge
    assert events(memory.add(files(21)[20:], user_id="u")) == ["added"]


def test_a_broken_document_takes_no_good_one_s_place(tmp_path: Path) -> None:
    """A broken one and as many good ones as are taken are all added; what is refused is not read without end."""
    broken = [Source(data=b"%PDF-1.7\n" + bytes([n]), name=f"b{n}.pdf") for n in range(7)]
    with Memory(tmp_path / "store", embedder="hashing:64", limits=Limits(documents=3)) as memory:
        assert events(memory.add([broken[0], *files(3)], user_id="u")) == ["rejected", *["added"] * 3]
        with pytest.raises(MalformedInput) as caught:
            memory.add(broken, user_id="u")
        assert caught.value.result is not None
        errors = [type(outcome.error) for outcome in caught.value.result.outcomes]
        assert errors == [MalformedInput] * 6 + [InputTooLarge]


def test_more_than_is_taken_together(tmp_path: Path) -> None:
    """The document that would pass the sum is rejected by its name, and a smaller one behind it still fits."""
    limits = Limits(documents_bytes=100)
    sizes = (60, 41, 40, 1)
    given = [Source(data=bytes([65 + n]) * size, name=f"{n}.txt") for n, size in enumerate(sizes)]
    with Memory(tmp_path / "store", embedder="hashing:64", limits=limits) as memory:
        result = memory.add(given, user_id="u")
        assert events(result) == ["added", "rejected", "added", "rejected"]
        assert str(result.outcomes[1].error).startswith("1.txt: the documents of one add may have 100 bytes together")


CALL = {"id": "c1", "type": "function", "function": {"name": "get_order", "arguments": '{"id": 7}'}}
GOOD: dict[str, list[Any]] = {
    "text": [{"role": "user", "content": "The purchase limit for office software is 800 yuan."}],
    "image": [Source(data=png(), name="receipt.png")],
    "document": [Source(data=b"# Returns\n\nWithin thirty days.\n", name="handbook.md")],
    "tool_call": [
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "shipped"},
    ],
    "skill": [Source(data=skill_zip({"SKILL.md": RETURNS}), name="returns.zip")],
    "feedback": [{"type": "feedback", "text": "The purchase limit for office software is 600 yuan, not 800 yuan."}],
    "blob": [{"type": "blob", "key": "firmware", "data": "AAECAw==", "content_type": "application/x-firmware"}],
}
BROKEN: dict[str, tuple[Any, type[InputRejected]]] = {
    "text": ({"role": "user", "content": "half a surrogate \ud800"}, MalformedInput),
    "image": (Source(data=b"\x89PNG broken", name="broken.png"), InvalidImageError),
    "document": (Source(data=b"%PDF-1.7\nbroken", name="broken.pdf"), MalformedInput),
    "tool_call": ({"role": "assistant", "tool_calls": [{"id": "c2", "function": {"arguments": "{}"}}]}, MalformedInput),
    "skill": (Source(data=skill_zip({"SKILL.md": RETURNS, "../evil": "x"}), name="evil.zip"), UnsafeInput),
    "feedback": ({"type": "feedback", "text": "  "}, MalformedInput),
    "blob": ({"type": "blob", "key": "", "data": "AAECAw==", "content_type": "a/b"}, MalformedInput),
}


@pytest.mark.parametrize("order", ["good first", "broken first", "in turn"])
def test_every_kind_with_a_broken_one_of_each(memory: Memory, order: str) -> None:
    """One request of all six inputs: what is good is stored and found, what is broken has an error of its own."""
    good: list[tuple[str | None, Any]] = [(kind, part) for kind, parts in GOOD.items() for part in parts]
    broken: list[tuple[str | None, Any]] = [(None, part) for part, _ in BROKEN.values()]
    request = {"good first": good + broken, "broken first": broken + good}.get(order)
    if request is None:
        request = [one for kind in GOOD for one in ((None, BROKEN[kind][0]), *((kind, part) for part in GOOD[kind]))]
    result = memory.add([part for _, part in request], user_id="u")
    assert [outcome.part for outcome in result.outcomes] == list(range(len(request)))
    wanted = iter(error for _, error in BROKEN.values())
    for (kind, _), outcome in zip(request, result.outcomes, strict=True):
        if kind is None:
            assert type(outcome.error) is next(wanted)
        else:
            assert outcome.error is None
            assert outcome.event == ("updated" if kind == "feedback" else "added")
            assert outcome.kind == ("text" if kind == "feedback" else kind)
    assert memory.search("purchase limit", user_id="u")[0].text == "The purchase limit for office software is 600 yuan."
    assert memory.skill("Customer Return Processing", user_id="u").files
    assert memory.media(memory.get(key="firmware", user_id="u").id) == b"\0\1\2\3"
    assert memory.search("how do I look up an order?", user_id="u", kinds=["tool_call"])


def test_a_request_of_which_nothing_is_good(memory: Memory) -> None:
    """The error is the first part's and has the outcomes of all; nothing is stored."""
    with pytest.raises(MalformedInput) as caught:
        memory.add([part for part, _ in BROKEN.values()] + [object()], user_id="u")
    assert caught.value.result is not None
    assert [type(outcome.error) for outcome in caught.value.result.outcomes] == [
        *(error for _, error in BROKEN.values()),
        UnsupportedInput,
    ]
    assert len(memory.get_all(user_id="u")) == 0
    assert list(memory.engine.store.backend.list_media()) == []
