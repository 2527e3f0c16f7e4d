"""What mem0 2.2.1 and MemOS 2.0.33 lose without a word, each loss tried on a store on disk.

The list is that of the project's research: what their released packages were seen or read to do with input that they
take. Each row names the system and the loss, hands in what is lost there, and looks for it here: it is stored and
found, or its outcome is a typed error that says why not.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from memplug import Draft, Media, Memory, Scope, Source, hookimpl
from memplug.backends.inmemory import open_inmemory
from memplug.exceptions import (
    BackendError,
    FetchError,
    FilterError,
    InputRejected,
    InputTooLarge,
    InvalidImageError,
    MalformedInput,
    MemplugError,
    NotFound,
    UnsafeInput,
)
from pdfs import pdf
from skills import RETURNS, skill_zip
from support import png

if TYPE_CHECKING:
    from memplug.plugins.protocols import Backend, BackendRequest
    from memplug.scoped import ScopedMemory
    from memplug.values.item import MemoryItem, Record

HANDBOOK = b"# Returns\n\nWithin thirty days.\n\n# Shipping\n\nFree over fifty euros.\n"
BOOKLET = pdf([(72, 700, 12, "The warranty lasts seven years.")])
SERVED = {"/a.pdf": BOOKLET, "/a.txt": b"The kettle is blue.", "/a.mdx": HANDBOOK, "/a.png": png("blue")}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a row works on.

    Args:
        memory: A store on disk that all rows share.
        user: A view of it that is this row's alone.
        site: A server on this machine that has `SERVED`; everything else is missing there.
        folder: An empty folder.
    """

    memory: Memory
    user: ScopedMemory
    site: str
    folder: Path

    def items(self, **more: Any) -> list[MemoryItem]:
        """All memories of the row, oldest first."""
        return list(reversed(self.user.get_all(limit=1_000, **more).items))

    def texts(self) -> list[str]:
        """Their words."""
        return [item.text for item in self.items()]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One row.

    Args:
        system: Whose.
        what: What is lost.
        check: Shows that it is not lost here.
    """

    system: str
    what: str
    check: Callable[[Ground], None]


LOSSES: list[Loss] = []
Check = Callable[[Ground], None]


def loss(system: str, what: str) -> Callable[[Check], Check]:
    """Puts a check into the table."""

    def listed(check: Check) -> Check:
        LOSSES.append(Loss(system=system, what=what, check=check))
        return check

    return listed


mem0, memos = partial(loss, "mem0"), partial(loss, "MemOS")


def data_url(data: bytes, type_: str) -> str:
    """Bytes as a data URL."""
    return f"data:{type_};base64,{base64.b64encode(data).decode()}"


def image_url(url: str) -> dict[str, Any]:
    """A part, as OpenAI has it."""
    return {"type": "image_url", "image_url": {"url": url}}


class Vision:
    """A vision model that always says the same, and nothing of what the user said."""

    name = "slips"

    @hookimpl
    def register_describers(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register("slips", lambda: self)

    def accepts(self, media: Media) -> bool:
        """Looks at everything."""
        return media.content_type.startswith("image/")

    def describe(self, media: Media, *, context: str) -> str:
        """The high level description."""
        del context
        return f"a {media.width} pixels wide slip of paper"


# mem0: what reaches the memory -----------------------------------------------------------------------------

TEXT = {"type": "text", "text": "My receipt number is A-77."}


@mem0("the user's text beside a picture is replaced by the vision model's description")
def _text_beside_a_picture(ground: Ground) -> None:
    with Memory(ground.folder / "store", embedder="hashing:256", plugins=[Vision()]) as memory:
        message = {"role": "user", "content": [TEXT, image_url(data_url(png(), "image/png"))]}
        memory.add([message], user_id="u")
        texts = [item.text for item in memory.get_all(user_id="u")]
        assert sorted(texts) == [
            "My receipt number is A-77.",
            "My receipt number is A-77.\na 40 pixels wide slip of paper",
        ]
        assert memory.search("A-77", user_id="u")[0].text.startswith("My receipt")


@mem0("a text in list form is sent to the model and replaced by its answer")
def _text_in_list_form(ground: Ground) -> None:
    ground.user.add([{"role": "user", "content": [{"type": "text", "text": "I am allergic to peanuts."}]}])
    assert ground.texts() == ["I am allergic to peanuts."]


@mem0("a message with a picture is dropped where there is no vision model")
def _picture_without_vision(ground: Ground) -> None:
    for number, url in enumerate((data_url(png(), "image/png"), f"{ground.site}/a.png")):
        [outcome] = ground.user.add([{"role": "user", "content": [image_url(url)]}]).outcomes
        assert (outcome.event, outcome.kind) == ("added", "image")
        assert ground.user.media(str(outcome.id)) == (png(), SERVED["/a.png"])[number]


@mem0("content that is a single part instead of a list is dropped")
def _single_part(ground: Ground) -> None:
    ground.user.add({"role": "user", "content": image_url(data_url(png(), "image/png"))})
    ground.user.add({"role": "user", "content": TEXT})
    assert [item.kind for item in ground.items()] == ["image", "text"]


@mem0("pdf_url, txt_url and mdx_url parts become the Python repr of their dict")
def _document_urls(ground: Ground) -> None:
    for name, words in (("pdf", "The warranty lasts seven years."), ("txt", "The kettle is blue."), ("mdx", "Within")):
        part = {"type": f"{name}_url", f"{name}_url": {"url": f"{ground.site}/a.{name}"}}
        [outcome] = ground.user.add({"role": "user", "content": part}).outcomes
        assert (outcome.event, outcome.kind) == ("added", "document")
        assert words in ground.user.search(words, top_k=1)[0].text
        assert ground.user.media(str(outcome.id)) == SERVED[f"/a.{name}"]
    assert not any("_url" in item.text for item in ground.items(pieces=True))


@mem0("the same parts with infer=False end in a TypeError")
def _document_urls_without_inference(ground: Ground) -> None:
    part = {"type": "pdf_url", "pdf_url": {"url": data_url(BOOKLET, "application/pdf")}}
    [outcome] = ground.user.add([{"role": "user", "content": part}], infer=False).outcomes
    assert (outcome.event, outcome.pieces) == ("added", 1)


CALL = {"id": "call_9", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}


@mem0("tool calls and their results become an empty text")
def _tool_calls(ground: Ground) -> None:
    calling = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    ground.user.add([calling, {"role": "tool", "tool_call_id": "call_9", "content": "7C"}])
    [use] = ground.items(filters={"metadata.tool_call": "*"})
    assert use.metadata["tool_call"]["arguments"] == {"city": "Oslo"}
    assert use.text == 'get_weather(city="Oslo")\n→ 7C'


@mem0("a tool's message is stored raw, without a link to its call")
def _linked_results(ground: Ground) -> None:
    ground.user.add([{"role": "tool", "tool_call_id": "call_9", "content": "7C"}], infer=False)
    ground.user.add([{"role": "assistant", "tool_calls": [CALL]}], infer=False)
    [use] = ground.items(filters={"metadata.tool_call": "*"})
    assert (use.metadata["tool_call"]["name"], use.metadata["tool_call"]["result"]) == ("get_weather", "7C")
    assert (use.source.tool_call, use.version) == ("call_9", 2)


@mem0("a picture that is broken, even in a data URL, is a bare Exception of downloading, and ends the whole call")
def _broken_picture(ground: Ground) -> None:
    broken = image_url(data_url(b"\x89PNG broken", "image/png"))
    result = ground.user.add([{"role": "user", "content": [TEXT, broken]}, {"role": "user", "content": "and more"}])
    assert [outcome.event for outcome in result.outcomes] == ["added", "rejected", "added"]
    assert type(result.outcomes[1].error) is InvalidImageError
    assert ground.texts() == ["My receipt number is A-77.", "and more"]


@mem0("a picture part without url is a bare ValueError that ends the whole call")
def _part_without_url(ground: Ground) -> None:
    result = ground.user.add([{"role": "user", "content": [{"type": "image_url"}, TEXT]}])
    assert [type(outcome.error) for outcome in result.outcomes] == [MalformedInput, type(None)]


@mem0("messages of other roles than system, user and assistant are left out")
def _other_roles(ground: Ground) -> None:
    roles = ("system", "user", "assistant", "developer", "narrator")
    outcomes = [
        outcome for role in roles for outcome in _tried(ground, {"role": role, "content": f"words of a {role}"})
    ]
    kept = [outcome.text for outcome in outcomes if outcome.error is None]
    assert kept[:3] == ["words of a system", "words of a user", "words of a assistant"]
    assert len(outcomes) == len(roles)
    assert all(outcome.text or isinstance(outcome.error, InputRejected) for outcome in outcomes)


def _tried(ground: Ground, content: Any) -> Sequence[Any]:
    try:
        return ground.user.add([content, "beside"]).outcomes[:1]
    except InputRejected as error:
        return error.result.outcomes[:1] if error.result is not None else ()


@mem0("items that are no messages are dropped from a list")
def _items_that_are_no_messages(ground: Ground) -> None:
    result = ground.user.add(["one", 7, {"role": "user"}, None, {"content": "two"}, {"type": "never heard of"}])
    assert len(result.outcomes) == 6
    assert [outcome.text for outcome in result.outcomes if outcome.error is None] == ["one", "two"]
    assert all(isinstance(outcome.error, InputRejected) for outcome in result.rejected)


@mem0("who said it, by name, is dropped")
def _speakers(ground: Ground) -> None:
    ground.user.add([{"role": "user", "name": "Wang", "content": "I like tea."}])
    assert [(item.source.speaker, item.source.role) for item in ground.items()] == [("Wang", "user")]


# mem0: extraction, embedding, storing ----------------------------------------------------------------------


class Broken:
    """An extractor whose model answers with bad JSON."""

    name = "broken"

    @hookimpl
    def register_extractors(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register("broken", lambda: self)

    def extract(self, drafts: Sequence[Draft], scope: Scope) -> list[Draft]:
        """Reads the answer."""
        found: list[Draft] = json.loads(f'{{"facts": ["{drafts[0].text} {scope.user_id}')
        return found


@mem0("bad JSON from the extraction model loses the whole message")
def _bad_extraction(ground: Ground) -> None:
    with Memory(ground.folder / "store", embedder="hashing:256", plugins=[Broken()]) as memory:
        memory.add("I am allergic to peanuts.", user_id="u")
        assert [item.text for item in memory.get_all(user_id="u")] == ["I am allergic to peanuts."]


class Choosy:
    """An embedder that fails at one of the texts."""

    name, dimension = "choosy", 8

    def embed(self, texts: Sequence[str]) -> Any:
        """Vectors."""
        if any("peanuts" in text for text in texts):
            raise RuntimeError("the server has had enough")
        return np.full((len(texts), 8), 8**-0.5, np.float32)

    def embed_query(self, text: str) -> Any:
        """One vector."""
        return self.embed([text])[0]


@mem0("a fact that cannot be embedded is dropped, and the call succeeds")
def _failed_embedding(ground: Ground) -> None:
    with Memory(ground.folder / "store", embedder=Choosy()) as memory:
        memory.add("I like tea.", user_id="u")
        with pytest.raises(MemplugError):
            memory.add(["I like rice.", "I am allergic to peanuts."], user_id="u")
        assert [item.text for item in memory.get_all(user_id="u")] == ["I like tea."]


class Full:
    """A backend whose disk is full whenever it is to store rice."""

    @hookimpl
    def register_backends(self, register: Callable[[str, Callable[[BackendRequest], Any]], None]) -> None:
        """Offers itself."""
        register("full", lambda request: _Full(open_inmemory(replace(request, location="memory://"))))


class _Full:
    def __init__(self, inner: Backend) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def commit(self, records: Sequence[Record]) -> None:
        """Fails at some."""
        if any("rice" in record.item.text for record in records):
            raise BackendError("no room for rice")
        self._inner.commit(records)


@mem0("a failed write is logged, and the result says ADD for what was never stored")
def _failed_write(ground: Ground) -> None:
    del ground
    with Memory("full://x", embedder="hashing:64", plugins=[Full()]) as memory:
        with pytest.raises(BackendError, match="no room"):
            memory.add(["I like tea.", "I like rice."], user_id="u")
        assert len(memory.get_all(user_id="u")) == 0


@mem0("what is said again is known again only among ten neighbours, and what is like them may be dropped")
def _duplicates(ground: Ground) -> None:
    words = [f"I have {count} cats." for count in range(12)]
    ground.user.add(words)
    again = ground.user.add(words[:1]).outcomes[0]
    assert (again.event, again.id) == ("duplicate", ground.items()[0].id)
    assert ground.texts() == words


# mem0: deleting and finding --------------------------------------------------------------------------------


@mem0("delete copies the deleted text into the history, where it stays")
def _deleted_text(ground: Ground) -> None:
    [kept] = ground.user.add("My old code is xylophonequartz.").ids
    ground.user.delete(kept)
    assert "xylophonequartz" not in ground.user.history(kept)[-1].text
    [gone] = ground.user.add("My new code is xylophonegranite.").ids
    ground.user.delete(gone, erase=True)
    with pytest.raises(NotFound):
        ground.user.history(gone)
    assert not _on_disk(ground, b"xylophonegranite")


@mem0("delete_all leaves the last messages of the conversation behind, for later extractions to read")
def _deleted_conversation(ground: Ground) -> None:
    ground.user.add([{"role": "user", "content": f"xylophonebasalt {n}"} for n in range(12)], run_id="r")
    assert ground.user.delete_all(erase=True) == 12
    assert ground.items() == []
    assert not _on_disk(ground, b"xylophonebasalt")


def _on_disk(ground: Ground, words: bytes) -> bool:
    """Whether any file of the store holds these words."""
    files = [path for path in Path(ground.memory.settings.location).rglob("*") if path.is_file()]
    assert files
    return any(words in path.read_bytes() for path in files)


@mem0("nested AND, OR and NOT become fields of these names, or nothing")
def _nested_filters(ground: Ground) -> None:
    for team, price in (("a", 1), ("a", 5), ("b", 9)):
        ground.user.add(f"{team} {price}", metadata={"team": team, "price": price})
    nested = {"AND": [{"OR": [{"team": "a"}, {"price": {"gte": 9}}]}, {"NOT": [{"price": {"lt": 5}}]}]}
    assert {item.text for item in ground.items(filters=nested)} == {"a 5", "b 9"}
    assert {hit.text for hit in ground.user.search("a b", filters=nested)} == {"a 5", "b 9"}


@mem0("an operator that the vector store does not know is dropped, and everything comes back")
def _unknown_operators(ground: Ground) -> None:
    ground.user.add("a", metadata={"price": 1})
    for wrong in ({"price": {"above": 0}}, {"XOR": [{"price": 1}]}, {"AND": [7]}):
        with pytest.raises(FilterError):
            ground.user.search("a", filters=wrong)


@mem0("what matches by words only is never found, since only neighbours by meaning are scored")
def _words_only(ground: Ground) -> None:
    ground.user.add([f"A note about the weather in spring, number {n}." for n in range(80)])
    ground.user.add("ZX-4711-QQ")
    assert ground.user.search("ZX-4711-QQ", top_k=1)[0].text == "ZX-4711-QQ"


@mem0("a correction is added beside what was wrong, and both are found")
def _corrections(ground: Ground) -> None:
    ground.user.add("The limit for office software is 800 yuan.")
    ground.user.feedback("The limit for office software is 600 yuan, not 800 yuan.")
    assert [hit.text for hit in ground.user.search("limit for office software")] == [
        "The limit for office software is 600 yuan."
    ]


# MemOS: pictures and documents -----------------------------------------------------------------------------


@memos("a picture that cannot be read becomes a memory that it was analysed, with its whole Base64 as words")
def _analysed_pictures(ground: Ground) -> None:
    missing = image_url(f"{ground.site}/missing.png")
    broken = image_url(data_url(b"no picture at all" * 10, "image/png"))
    result = ground.user.add([{"role": "user", "content": [missing, broken, TEXT]}])
    assert [type(outcome.error) for outcome in result.outcomes] == [FetchError, InvalidImageError, type(None)]
    ground.user.add({"role": "user", "content": image_url(data_url(png(), "image/png"))})
    assert not any("base64" in item.text or "http" in item.text for item in ground.items(pieces=True))


@memos("a Base64 document gives an empty text")
def _base64_documents(ground: Ground) -> None:
    for encoded in (base64.b64encode(BOOKLET).decode(), data_url(BOOKLET, "application/pdf")):
        file = {"type": "file", "file": {"file_data": encoded, "filename": "booklet.pdf"}}
        ground.user.add([{"role": "user", "content": [file]}])
    [hit] = ground.user.search("how long is the warranty?", top_k=1)
    assert (hit.text, hit.citation) == ("The warranty lasts seven years.", "booklet.pdf, page 1")
    [document] = ground.items()
    assert ground.user.media(document.id) == BOOKLET


@memos("a local document gives an empty text")
def _local_documents(ground: Ground) -> None:
    path = ground.folder / "handbook.md"
    path.write_bytes(HANDBOOK)
    ground.user.add(path)
    assert ground.user.search("free over fifty euros", top_k=1)[0].text == "Free over fifty euros."


@memos("a download that failed becomes a memory that it failed")
def _failed_downloads(ground: Ground) -> None:
    file = {"type": "file", "file": {"file_data": f"{ground.site}/missing.pdf"}}
    result = ground.user.add([{"role": "user", "content": [file, TEXT]}])
    assert type(result.outcomes[0].error) is FetchError
    assert "missing.pdf" in str(result.outcomes[0].error)
    assert ground.texts() == ["My receipt number is A-77."]


@memos("a file from inside the private network is fetched, of any size")
def _private_addresses(ground: Ground) -> None:
    for host in ("localhost:1", "169.254.169.254", "[::1]:1", "10.0.0.1"):
        result = ground.user.add([{"type": "file", "file": {"file_data": f"http://{host}/a.pdf"}}, "beside"])
        assert type(result.outcomes[0].error) is UnsafeInput


@memos("no result carries the picture, the file, or the page that it is from")
def _results(ground: Ground) -> None:
    ground.user.add(Source(data=png(), name="receipt.png"), description="dinner with Li")
    ground.user.add(Source(data=BOOKLET, name="booklet.pdf"))
    picture, page = (ground.user.search(words, top_k=1)[0] for words in ("dinner with Li", "warranty"))
    assert (picture.kind, picture.media) == ("image", png())
    assert (page.citation, page.item.source.page) == ("booklet.pdf, page 1", 1)


# MemOS: tools, feedback, skills ----------------------------------------------------------------------------


@memos("what was learnt of tools stays empty unless a model finds something")
def _tool_memory(ground: Ground) -> None:
    for number, answer in enumerate(("7C", "Error: no such city")):
        call = {**CALL, "id": f"call_{number}"}
        ground.user.add(
            [
                {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": f"call_{number}", "content": answer},
            ]
        )
    [tool] = ground.items(filters={"tool.name": "get_weather"})
    counts = tool.metadata["tool"]
    assert (counts["calls"], counts["ok"], counts["errors"]) == (2, 1, 1)
    assert ground.user.search("how do I find out the weather?", kinds=["tool_call"])[0].id == tool.id


@memos("a correction with the same letters (12, 21) is refused, since it compares sets of characters")
def _same_letters(ground: Ground) -> None:
    ground.user.add("I own 12 cats.")
    assert ground.user.feedback("I own 21 cats, not 12 cats.").event == "corrected"
    assert ground.texts() == ["I own 21 cats."]


@memos("a correction that changes most of a text is added, and what was wrong stays active")
def _large_changes(ground: Ground) -> None:
    ground.user.add("The door code is 4711.")
    assert ground.user.feedback("The door code is 98765432109876543210, not 4711.").event == "corrected"
    assert ground.texts() == ["The door code is 98765432109876543210."]


@memos("feedback without a conversation, or that cannot be understood, returns an empty record")
def _lost_feedback(ground: Ground) -> None:
    result = ground.user.feedback("You are always so slow on Mondays.")
    assert (result.event, bool(result.reason)) == ("noted", True)
    assert [(item.kind, item.text) for item in ground.items()] == [("feedback", "You are always so slow on Mondays.")]


SKILL: dict[str, bytes | str] = {
    "SKILL.md": RETURNS,
    "scripts/pickup.sh": "#!/bin/sh\n# a script that is no Python, and longer than twenty characters\n",
    "scripts/label.py": "print('a label that is longer than twenty characters')\n",
    "references/policy.md": "- Opened software is exchanged, never refunded.\n" * 20,
    "examples/letter.txt": "Dear customer, thank you for your letter.",
    "assets/logo.png": png(),
}


@memos(
    "a skill's steps, preferences and scripts are cut to 20 characters; other scripts, references, examples are gone"
)
def _whole_skills(ground: Ground) -> None:
    ground.user.add(Source(data=skill_zip(SKILL), name="returns.zip"))
    skill = ground.user.skill("Customer Return Processing")
    assert {file.path: skill.read(file.path) for file in skill.files} == {
        path: text.encode() if isinstance(text, str) else text for path, text in SKILL.items()
    }
    assert skill.body.strip() == RETURNS.partition("---\n\n")[2].strip()


@memos("a skill is only taken by a URL, and one in Base64 is not")
def _skills_in_base64(ground: Ground) -> None:
    part = {"type": "skill", "name": "returns.zip", "content": base64.b64encode(skill_zip(SKILL)).decode()}
    assert ground.user.add(part).outcomes[0].kind == "skill"


@memos("a skill in an archive that is damaged, or lacks a name, or has one anywhere, gives nothing, or another skill")
def _refused_skills(ground: Ground) -> None:
    wrong: dict[str, bytes] = {
        "damaged": skill_zip(SKILL)[:-40],
        "no name": skill_zip({"SKILL.md": "---\ndescription: x\n---\n"}),
        "no manifest": skill_zip({"README.md": "x"}),
        "too deep": skill_zip({"a/b/SKILL.md": RETURNS, "c.txt": "x"}),
        "leads elsewhere": skill_zip({"SKILL.md": RETURNS, "../x": "x"}),
        "too many": skill_zip({"SKILL.md": RETURNS, **{f"{n}.txt": "x" for n in range(200)}}),
    }
    for name, data in wrong.items():
        result = ground.user.add(["beside", {"type": "skill", "name": f"{name}.zip", "data": data}])
        assert [outcome.event for outcome in result.outcomes][1] == "rejected", name
        assert type(result.outcomes[1].error) in {MalformedInput, InputTooLarge, UnsafeInput}, name
    assert {item.kind for item in ground.items()} == {"text"}


@memos("a description in quotes, or of several lines, breaks")
def _front_matter(ground: Ground) -> None:
    for style, expected in (('"Use it: when \\"asked\\""', 'Use it: when "asked"'), (">\n  two\n  lines", "two lines")):
        text = f"---\nname: style-{len(style)}\ndescription: {style}\n---\nbody\n"
        ground.user.add(Source(data=text.encode(), name="SKILL.md"))
        assert ground.user.skill(f"style-{len(style)}").description.strip() == expected


# The table -------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Serves what there is."""
        body = SERVED.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """The store on disk."""
    place = tmp_path_factory.mktemp("losses") / "store"
    with Memory(place, allow_hosts=["127.0.0.1"]) as memory:
        yield memory
        assert memory.doctor().ok


@pytest.mark.parametrize("row", LOSSES, ids=lambda row: f"{row.system}: {row.what}")
def test_what_others_lose_is_here(shared: Memory, site: str, tmp_path: Path, row: Loss) -> None:
    """It is stored and found, or rejected with its reason; see the table above."""
    user = shared.scoped(user_id=f"{row.system} {row.what}"[:200])
    row.check(Ground(memory=shared, user=user, site=site, folder=tmp_path))


def test_nothing_of_a_picture_is_lost_on_its_way() -> None:
    """Bytes that are handed in and bytes that come back are the same, by each way in."""
    data = png("green", (33, 21))
    ways: list[Any] = [
        data,
        io.BytesIO(data).getvalue(),
        Source(data=data),
        {"role": "user", "content": [image_url(data_url(data, "image/png"))]},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(data).decode()},
        },
    ]
    with Memory("memory://", embedder="hashing:64") as memory:
        for number, way in enumerate(ways):
            [id_] = memory.add(way, user_id=f"u{number}").ids
            assert memory.media(id_) == data
