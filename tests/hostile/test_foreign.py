"""Exports of other systems that were made to do harm, or were damaged: each wrong thing is wrong alone."""

from __future__ import annotations

import json
import random
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from exports import BEGAN, chat, known, picture_part, said, talk, told, written, wrote, zipped
from memplug import Limits, Memory
from memplug.exceptions import MemplugError, UnsafeInput
from memplug.pipelines.foreign import bundle, importing, splitting
from support import png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = chat("good", said("user", "a good one"))
FILE = "file-AbC123"
ROUNDS = 150


@pytest.fixture
def memory() -> Iterator[Memory]:
    """An empty memory."""
    with Memory("memory://", embedder="hashing:64") as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write an export."""
    return tmp_path / "conversations.json"


def texts(memory: Memory) -> list[str]:
    """What a user has."""
    return sorted(item.text for item in memory.get_all(user_id="u"))


def each(name: str, values: list[Any]) -> list[dict[str, Any]]:
    """One field with each of some values."""
    return [{name: value} for value in values]


def circle() -> dict[str, Any]:
    """A conversation whose messages follow each other."""
    found = chat("c", said("user", "a"), said("user", "b"))
    found["mapping"]["c-n0"]["parent"] = "c-n2"
    return found


def island() -> dict[str, Any]:
    """A conversation with a good branch, and others that go round."""
    found = chat("c", said("user", "a"), said("user", "b"), said("user", "c"), current_node="c-n1")
    found["mapping"]["c-n2"]["parent"] = "c-n3"
    return found


@pytest.mark.parametrize(
    "bad",
    [
        *(
            "[" * 100_000 + "]" * 100_000,
            "{}",
            '{"a": NaN}',
            '{"a": 1, "a": 2}',
            '{"a": ' + "1" * 5_000 + "}",
            "[1]",
            "null",
            '"x"',
        ),
        '{"mapping": {"\\ud800": {}}}',
        b'{"mapping": "\xff"}',
        {"id": "c", "mapping": []},
        {"mapping": {}},
        {"id": 5, "mapping": {"a": {"message": said("user", "x")}}},
        {"id": "c", "mapping": {"a": 5}},
        {"id": "c", "mapping": {"a": {"message": said("user", "x")}, "b": None}},
        circle(),
        island(),
    ],
    ids=lambda bad: str(bad)[:40],
)
@pytest.mark.parametrize("branches", ["current", "all"])
def test_a_conversation_that_is_wrong_is_wrong_alone(memory: Memory, path: Path, bad: Any, branches: Any) -> None:
    """One typed error for it, and the one behind it comes in."""
    data = bad if isinstance(bad, bytes) else (bad if isinstance(bad, str) else json.dumps(bad)).encode()
    path.write_bytes(
        b"["
        + json.dumps(chat("first", said("user", "first"))).encode()
        + b","
        + data
        + b","
        + json.dumps(GOOD).encode()
        + b"]"
    )
    report = memory.import_(path, user_id="u", branches=branches)
    assert texts(memory) == ["a good one", "first"]
    assert [one.error.code for one in report.rejected][:1] in (["input.malformed"], ["input.too_large"])
    assert len(report.rejected) == 1


@pytest.mark.parametrize(
    "bad",
    [
        said("root", "x"),
        said("user", "x") | {"author": None},
        said("user", content={"content_type": "hologram"}),
        said("user", content={"content_type": "text"}),
        said("user", content={"content_type": {"a": 1}, "parts": 5}),
        *[said("user", "x") | fields for fields in each("create_time", [1e300, -1e300, "yesterday", True, []])],
        said("user", "word " * 40_001),
        said("user", "\0"),
    ],
    ids=lambda bad: str(bad)[-50:],
)
def test_a_message_that_is_wrong_is_wrong_alone(memory: Memory, path: Path, bad: Any) -> None:
    """The turns around it come in, at their places."""
    written(path, [chat("c", said("user", "before"), bad, said("user", "behind"))])
    report = memory.import_(path, user_id="u")
    assert texts(memory) == ["before", "behind"]
    assert [one.error.code for one in report.rejected] in (
        ["input.malformed"],
        ["input.too_large"],
        ["input.unsupported"],
    )
    assert report.rejected[0].where == "conversation 1 'Trip to Rome', message 2"


@pytest.mark.parametrize(
    "metadata",
    [
        {
            "attachments": [
                5,
                None,
                {"id": 5},
                {"id": "../../etc/passwd", "name": "../x"},
                {"id": "file-AbC123/../../x"},
            ]
        },
        {"attachments": {"a": 1}, "model_slug": ["x"]},
        {"is_visually_hidden_from_conversation": "yes"},
        [],
        "x",
    ],
    ids=str,
)
def test_strange_metadata_does_not_cost_the_message(memory: Memory, path: Path, metadata: Any) -> None:
    """What is of no use is not used."""
    report = memory.import_(
        written(path, [chat("c", said("user", "kept", metadata=metadata), title=["x"])]), user_id="u"
    )
    assert (texts(memory), report.rejected) == (["kept"], ())


def test_a_strange_part_takes_no_good_one_with_it(memory: Memory, path: Path) -> None:
    """The text beside it comes in, and it is counted by its type."""
    written(path, [chat("c", said("user", "kept", {"content_type": "hologram"}, 5, None, {"text": 5}))])
    report = memory.import_(path, user_id="u")
    assert (texts(memory), report.rejected) == (["kept"], ())
    assert report.left_out == {"parts of the type 'hologram'": 1, "parts of the type ''": 3}


def test_half_an_emoji_costs_nothing(memory: Memory, path: Path) -> None:
    """Titles are cut by programs; the messages of the conversation come in, with a sign for what is lost."""
    written(path, [chat("c", said("user", "hello \ud83d", name="\udc00"), title="Rome \ud83c")])
    assert memory.import_(path, user_id="u").added == 1
    [item] = memory.get_all(user_id="u")
    assert (item.text, item.metadata["title"]) == ("hello \ufffd", "Rome \ufffd")


@pytest.mark.parametrize(
    "bad",
    [
        talk("t", *[5, None]),  # type: ignore[arg-type]
        talk("t", wrote("robot", "x", "a")),
        talk("t", wrote("human", "x", "a", created_at="never")),
        talk("t", wrote("human", "x", "a"), wrote("human", "y", "a")),
        talk("t", wrote("human", "x", "a", after="b"), wrote("human", "y", "b", after="a")),
        talk("t", wrote("human", "x", "a")) | {"uuid": None},
        {"uuid": "t", "chat_messages": {}},
        {"uuid": "p", "docs": [{"content": "x", "created_at": "never"}]},
        {"name": "p", "prompt_template": "x"},
    ],
    ids=lambda bad: str(bad)[-60:],
)
def test_claude_that_is_wrong_is_wrong_alone(memory: Memory, path: Path, bad: Any) -> None:
    """Typed errors, and the conversation behind it comes in."""
    first = talk("first", wrote("human", "first", "a"))
    report = memory.import_(written(path, [first, bad, talk("good", wrote("human", "good", "a"))]), user_id="u")
    assert texts(memory) == ["first", "good"]
    assert {one.error.code for one in report.rejected} <= {"input.malformed"}
    assert report.rejected or not bad.get("uuid")


@pytest.mark.parametrize(
    "blocks",
    [
        [5, None, {}],
        [{"type": 5}],
        [{"type": "text", "text": 5}],
        [{"type": "tool_use", "input": [1]}],
        [{"type": "tool_result"}],
        {"a": 1},
    ],
    ids=str,
)
def test_strange_blocks_never_crash(memory: Memory, path: Path, blocks: Any) -> None:
    """They are left out or rejected, and the next message comes in."""
    written(path, [talk("t", wrote("human", "", "a", content=blocks), wrote("human", "good", "b"))])
    assert memory.import_(path, user_id="u").added >= 1
    assert "good" in texts(memory)


@pytest.mark.parametrize(
    "fields",
    [
        *each("memory", [None, 5, ["x"], "", "\0"]),
        *each("id", [None, "", True, []]),
        *each("user_id", [True, [], {}, 1.5, "\ud800"]),
        *each("metadata", [[], "x", 5, {"a": "x" * 70_000}, {"a": "\ud800"}]),
        *each("categories", ["food", [1], {}, ["x" * 201]]),
        *each("created_at", ["yesterday", True, 1e300, []]),
        *each("expiration_date", ["never", "9999-12-31", {}]),
        {"metadata": json.loads('{"a": 1e999}')},
        {"hash": {"a": ["x" * 70_000]}},
    ],
    ids=lambda fields: str(fields)[:50],
)
def test_a_memory_of_mem0_that_is_wrong_is_wrong_alone(memory: Memory, path: Path, fields: Any) -> None:
    """By its number, in few words."""
    memories = [
        known("1", "first", user_id="u"),
        known("2", "bad", user_id="u") | fields,
        known("3", "last", user_id="u"),
    ]
    report = memory.import_(written(path, memories))
    assert texts(memory) == ["first", "last"]
    [rejected] = report.rejected
    assert (rejected.line, rejected.error.code.partition(".")[0] in {"input", "scope"}) == (2, True)
    assert len(rejected.where) + len(str(rejected.error)) < 400


def test_what_is_too_large_is_never_whole_in_memory(
    memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversation over the limit is read past, and the next one comes in."""
    monkeypatch.setattr(splitting, "ELEMENT_BYTES", 2_000)
    monkeypatch.setattr(splitting, "_BLOCK", 500)
    report = memory.import_(written(path, [chat("c", said("user", '"[{\\' * 5_000)), GOOD]), user_id="u")
    assert (texts(memory), [(one.line, one.error.code) for one in report.rejected]) == (
        ["a good one"],
        [(1, "input.too_large")],
    )


def test_a_file_that_ends_in_the_middle(memory: Memory, path: Path) -> None:
    """A download that broke off: what is whole comes in, and the rest is told."""
    whole = json.dumps([GOOD, chat("c2", said("user", "two"))]).encode()
    for end in (len(whole) - 1, len(whole) - 40, len(json.dumps([GOOD])) + 3):
        path.write_bytes(whole[:end])
        report = memory.import_(path, user_id="u")
        assert "a good one" in texts(memory)
        assert [(one.line, "ends in the middle" in str(one.error)) for one in report.rejected] in (
            [(2, True)],
            [(3, True)],
        )


@pytest.mark.parametrize("rest", [b" x", b"]", b"}", b"[{]", b'{"a": ', b"\0"])
def test_what_stands_behind_the_end_is_told(memory: Memory, path: Path, rest: bytes) -> None:
    """And costs nothing of what came before."""
    path.write_bytes(json.dumps([GOOD]).encode() + rest)
    report = memory.import_(path, user_id="u")
    assert texts(memory) == ["a good one"]
    assert report.rejected


def test_rejections_are_bounded(memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of nothing else does not fill the memory with them; all are counted."""
    monkeypatch.setattr(importing, "_TOLD", 10)
    report = memory.import_(written(path, [GOOD, *[{}] * 30]), user_id="u")
    assert (len(report.rejected), report.left_out) == (10, {"more that could not be taken in either": 20})


@pytest.mark.parametrize(
    "data",
    [
        b'["' + b'\\"' * 400_000,
        b"[" + b" " * 2_000_000 + b"x{}]",
        b"{" + b'"a": 1, ' * 200_000 + b'"results": []}',
        b"[{" + b", ".join(b'"%d": 1' % number for number in range(200_000)) + b', "199999": 2}]',
        b"{}" * 30_000,
        b'[{"mapping": {"a": {"message": ' + b"[" * 500_000,
    ],
    ids=["quotes", "blanks", "names", "twice", "objects", "depth"],
)
@pytest.mark.parametrize("format_", ["chatgpt", "mem0", None])
def test_nothing_takes_for_ever(memory: Memory, path: Path, data: bytes, format_: Any) -> None:
    """Files that make a careless reader look at the same bytes again and again: minutes then, a moment here."""
    path.write_bytes(data)
    try:
        report = memory.import_(path, user_id="u", format=format_)
    except MemplugError as error:
        assert error.code.startswith("input.")  # noqa: PT017 - either is right
    else:
        assert (report.added, len(report.rejected) <= 50_000) == (0, True)
    assert memory.engine.store.size() == 0


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All members of all objects and lists of a value, with what holds them."""
    for name in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, name
        yield from places(value[name])


STRANGE: tuple[Any, ...] = (
    None,
    True,
    5,
    -1.5,
    2**70,
    "x",
    "",
    "\ud800",
    [],
    {},
    [5],
    {"a": 1},
    [[]],
    [{"type": "text"}],
    "c-n1",
)


def test_whatever_stands_at_any_place_there_is_no_bare_error(path: Path) -> None:
    """One value of an export is replaced by another that does not belong there; the conversation beside it comes in."""
    part = picture_part(f"file-service://{FILE}", dalle={"prompt": "x"})
    files = {"attachments": [{"id": FILE, "name": "x.png"}]}
    wild = chat(
        "c", said("user", "a", part, metadata=files), said("tool", content={"content_type": "code", "text": "x"})
    )
    block = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "x"}]}
    call = {"type": "tool_use", "id": "a", "name": "b", "input": {"content": "c"}}
    held = {"attachments": [{"file_name": "x", "extracted_content": "y"}], "files": [{"file_uuid": "z"}]}
    tame = talk("t", wrote("human", "x", "a", after="r", **held), wrote("assistant", "", "b", content=[call, block]))
    chance = random.Random(11)  # noqa: S311 - the same values each time
    with Memory("memory://", embedder="hashing:64") as memory:
        for number in range(ROUNDS):
            value = json.loads(json.dumps(wild if number % 2 else tame))
            holder, name = chance.choice(list(places(value)))
            holder[name] = chance.choice(STRANGE)
            good = GOOD if number % 2 else talk("good", wrote("human", "a good one", "a"))
            memory.import_(written(path, [good, value]), user_id="u", branches="all")
            assert "a good one" in texts(memory)
            memory.delete_all(user_id="u", erase=True)


# -- ZIPs and folders -------------------------------------------------------------------------------------------


def test_a_bomb_is_not_unpacked(memory: Memory, tmp_path: Path) -> None:
    """Neither conversations nor a picture that is packed to less than a two-hundredth."""
    zipped(tmp_path / "x.zip", {"conversations.json": b"[" + b" " * (5 << 20) + b"]"})
    with pytest.raises(UnsafeInput):
        memory.import_(tmp_path / "x.zip", user_id="u")
    look = chat("c", said("user", "look", picture_part(f"file-service://{FILE}")))
    zipped(tmp_path / "x.zip", {"conversations.json": [look], f"{FILE}.png": bytes(5 << 20)})
    report = memory.import_(tmp_path / "x.zip", user_id="u")
    assert (texts(memory), [type(one.error) for one in report.rejected]) == (["look"], [UnsafeInput])


@pytest.mark.parametrize(
    "name",
    [f"../../{FILE}.png", f"/etc/{FILE}.png", f"C:\\{FILE}.png", f"{FILE}/../../x.png", f"a/{FILE}-\x1b[31m.png"],
)
def test_names_lead_nowhere(memory: Memory, tmp_path: Path, name: str) -> None:
    """An entry is read from the ZIP, whatever path it claims; nothing is written, and the name that stays is clean."""
    look = chat("c", said("user", "look", picture_part(f"file-service://{FILE}")))
    zipped(tmp_path / "x.zip", {"conversations.json": [look], name: png()})
    memory.import_(tmp_path / "x.zip", user_id="u")
    assert [one.name for one in tmp_path.iterdir()] == ["x.zip"]
    for item in memory.get_all(user_id="u"):
        if item.media is not None:
            assert not {"/", "\\", "\x1b"} & set(item.media.name)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_that_stand_twice_or_are_packed_strangely(memory: Memory, tmp_path: Path) -> None:
    """Refused before anything is read."""
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as file:
        for _ in range(2):
            file.writestr("conversations.json", json.dumps([GOOD]))
    zipped(tmp_path / "lzma.zip", {"conversations.json": [GOOD]}, zipfile.ZIP_LZMA)
    for name in ("twice.zip", "lzma.zip"):
        with pytest.raises(MemplugError) as caught:
            memory.import_(tmp_path / name, user_id="u")
        assert caught.value.code in {"input.unsafe", "input.malformed"}
    assert memory.engine.store.size() == 0


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    """Damaged, too large, or text under a picture's name: rejected, and the words of its message stay."""
    ids = [f"file-{letter * 8}" for letter in "abc"]
    look = chat("c", said("user", "look", *(picture_part(f"file-service://{one}") for one in ids)))
    export = {"conversations.json": [look]} | dict(
        zip((f"{one}.png" for one in ids), (png()[:60], png() + bytes(3_000), b"hello"), strict=True)
    )
    with Memory("memory://", embedder="hashing:64", limits=Limits(image_bytes=2_000)) as small:
        report = small.import_(zipped(tmp_path / "x.zip", export), user_id="u")
        assert [item.text for item in small.get_all(user_id="u")] == ["look"]
        assert len(report.rejected) == 3
        assert {one.error.code.split(".")[0] for one in report.rejected} == {"input"}


def test_a_folder_of_too_many_files_is_not_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole disk is no export."""
    monkeypatch.setattr(bundle, "_FILES", 5)
    for number in range(9):
        (tmp_path / f"{number}").touch()
    with pytest.raises(MemplugError, match="more than 5 files"):
        bundle.open_bundle(tmp_path)


def test_a_damaged_export_never_ends_in_a_bare_error(tmp_path: Path) -> None:
    """Wherever a byte is wrong, what comes is a typed error or a report."""
    look = chat(
        "c", said("user", "look", picture_part(f"file-service://{FILE}")), said("assistant", 'a\\"[{é', at=BEGAN)
    )
    export = {"conversations.json": [look, GOOD], f"{FILE}.png": png()}
    chance = random.Random(7)  # noqa: S311 - the same damage each time
    packed = zipped(tmp_path / "x.zip", export).read_bytes()
    plain = json.dumps([look, talk("t", wrote("human", "x", "a")), known("1", "x")]).encode()
    with Memory("memory://", embedder="hashing:64") as memory:
        for number in range(300):
            whole = bytearray(packed if number % 2 else plain)
            whole[chance.randrange(len(whole))] = chance.randrange(256)
            damaged = tmp_path / "damaged"
            damaged.write_bytes(whole)
            try:
                report = memory.import_(damaged, user_id="u")
            except MemplugError:
                continue
            assert sum(told(report)) + len(report.left_out) > 0
