"""Archives that were made to do harm, or were damaged: each wrong memory is rejected alone, and nothing lasts of it."""

from __future__ import annotations

import io
import json
import struct
import types
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import memplug
from archives import LATER, MOMENT, digest_of, id_of, line, media_of, tombstone, webp, write_archive
from memplug import Memory, Scope
from memplug.exceptions import InputRejected, InputTooLarge, MalformedInput, MemplugError, UnsafeInput
from memplug.pipelines import archive, arrivals
from memplug.pipelines.identity import imported_id, keyed_id
from memplug.pipelines.transfer import ImportReport
from memplug.store import utc_now
from memplug.values.draft import Draft
from support import png

GOOD = line("a good one")
SURROGATE = json.dumps(line("half")).replace('"half"', '"\\ud800"')


@pytest.fixture
def memory() -> Iterator[Memory]:
    """An empty memory."""
    with Memory("memory://", embedder="hashing:64") as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write an archive."""
    return tmp_path / "archive.zip"


def guarding(**hooks: Any) -> Memory:
    """A memory with one plugin made of functions."""
    plugin = types.ModuleType("guard_of_a_test")
    for name, function in hooks.items():
        setattr(plugin, name, memplug.hookimpl(function))
    return Memory("memory://", embedder="hashing:64", plugins=[plugin])


def texts(memory: Memory, user: str = "u") -> list[str]:
    """What a user has, oldest first."""
    return sorted(item.text for item in memory.get_all(user_id=user))


def errors(report: ImportReport) -> list[MemplugError]:
    """Why things were rejected."""
    return [rejection.error for rejection in report.rejected]


def each(name: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """One field with each of some values."""
    return [{name: value} for value in values]


def of(name: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """One line for each of some values of a field."""
    return [line(**fields) for fields in each(name, values)]


BROKEN_MEDIA: list[Any] = [
    {},
    [],
    "x",
    media_of(b"x", digest=None),
    media_of(b"x", digest="A" * 64),
    media_of(b"x", digest="../../etc/passwd"),
    media_of(b"x", size=-1),
    media_of(b"x", size="1"),
    media_of(b"x", width=2**40),
    media_of(b"x", name=None),
    media_of(b"x", thumbnail=5),
    media_of(b"x", phash="xyz"),
    media_of(b"x", content_type=None),
    media_of(b"x", evil=1),
]


def without(*names: str) -> dict[str, Any]:
    """A line that lacks fields."""
    return {name: value for name, value in line().items() if name not in names}


WRONG = [(name, value) for name in line(metadata=0, source=0, tags=0) for value in (None, 5, True, [1], {"a": 1})]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pair
        for pair in WRONG
        if pair not in (("metadata", {"a": 1}), ("version", 5), ("version", True), ("user_id", None))
    ],
    ids=str,
)
def test_a_field_of_another_type_rejects_its_memory_alone(memory: Memory, path: Path, name: str, value: Any) -> None:
    """Whatever stands where text, a list or an object belongs, the store stays usable and the next memory comes in."""
    report = memory.import_(write_archive(path, [line(**{name: value}), GOOD]))
    assert (report.added, [type(error) for error in errors(report)]) == (1, [MalformedInput])
    assert report.rejected[0].line == 1
    assert texts(memory) == ["a good one"]
    assert memory.search("good", user_id="u")
    assert memory.delete_all(user_id="u") == 1


@pytest.mark.parametrize(
    "bad",
    [
        *(without(name) for name in ("id", "kind", "created_at", "updated_at", "text", "user_id")),
        *of("id", ["", "x1", "A" * 26, "a" * 27, "../" + "a" * 23]),
        *(line(created_at=value, updated_at=value) for value in ("9999-12-31T23:59:59+00:00", "yesterday", "")),
        line(updated_at="9999-12-31T23:59:59.999999-14:00"),
        line(created_at=LATER),
        *of("occurred_at", ["0001-01-01T00:00:00+14:00", "10000-01-01", 1e20, 5]),
        line(expires_at="9999-12-31T23:59:59-14:00"),
        *of("source", [["a"], "x", {"speaker": 5}, {"role": "root"}, {"strange": 1}]),
        *of("source", each("position", [2**70, 2**31, -1, 1.5, True, "1"])),
        *of("source", each("derived_from", [5, "abc", [1], None, {}])),
        *of("deleted", ["yes", 1, None]),
        *of("identity", [[1], "short", None]),
        *of("version", [0, True, "1", 2**70, 2]),
        line(context=[1]),
        line(status="nonsense"),
        *of("metadata", [{"a": "\ud800"}, json.loads('{"a": 1e400}')]),
        *of("tags", [["a", 1], "food", [""]]),
        line(key=""),
        line(key="forged"),
        line(text=" \n"),
        line(kind=""),
        line(kind="a\nb"),
        line(content_type="\x1b[31m"),
        line(evil=1),
        line(user_id=""),
        *(line(media=value, kind="image") for value in BROKEN_MEDIA),
        "{not json",
        "[" * 100_000,
        "5",
        "null",
        SURROGATE,
        "1" * 5_000,
    ],
    ids=lambda bad: str(bad)[-60:],
)
def test_a_malformed_memory_is_rejected_alone(memory: Memory, path: Path, bad: Any) -> None:
    """One typed error for it, and the memory after it comes in."""
    report = memory.import_(write_archive(path, [bad, GOOD]))
    assert (report.added, [error.code for error in errors(report)]) == (1, ["input.malformed"])
    assert texts(memory) == ["a good one"]
    assert memory.engine.store.size() == 1


@pytest.mark.parametrize(
    ("fits", "too_large"),
    [
        ({"tags": [f"t{n}" for n in range(100)]}, {"tags": [f"t{n}" for n in range(101)]}),
        ({"tags": ["t" * 200]}, {"tags": ["t" * 201]}),
        ({"metadata": {"a": "x" * 63_990}}, {"metadata": {"a": "x" * 64_000}}),
        ({"text": "word " * 40_000}, {"text": "word " * 40_001}),
    ],
)
def test_the_limits_of_add_hold_for_an_import(memory: Memory, path: Path, fits: Any, too_large: Any) -> None:
    """What is at a limit comes in; what is over it is rejected alone, as too large."""
    report = memory.import_(write_archive(path, [line("fits", **fits), line("not", **too_large)]))
    assert (report.added, [type(error) for error in errors(report)]) == (1, [InputTooLarge])


def test_a_key_is_bounded_too(memory: Memory, path: Path) -> None:
    """512 characters are a key, 513 are too many."""
    keys = ["k" * 512, "l" * 513]
    lines = [line(f"{n}", key=key, id=keyed_id(Scope(user_id="u"), key)) for n, key in enumerate(keys)]
    report = memory.import_(write_archive(path, lines))
    assert (report.added, [type(error) for error in errors(report)]) == (1, [InputTooLarge])


def test_control_characters_do_not_come_in(memory: Memory, path: Path) -> None:
    """Words are cleaned as `add` cleans them, a file name keeps no folder, and a second import finds them the same."""
    data = png()
    lines = [line(text="a\0b\x1b[31mred", source={"speaker": "An\x07n"}), line("p", kind="image", media=media_of(data))]
    lines[1]["media"]["name"] = "../..\\etc/\x1b[0mpass\0wd"
    write_archive(path, lines, media={digest_of(data): data})
    assert memory.import_(path).added == 2
    assert memory.import_(path).unchanged == 2
    picture, said = sorted(memory.get_all(user_id="u"), key=lambda item: item.kind)
    assert (said.text, said.source.speaker) == ("abred", "Ann")
    assert picture.media is not None
    assert picture.media.name == "passwd"


def test_an_overlong_line_is_rejected_alone(memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tail is no line, numbers stay right, and a memory that loses a version to it is rejected as a whole."""
    monkeypatch.setattr(archive, "LINE_BYTES", 600)
    smuggled = json.dumps(line("smuggled"))
    long = [line(text="x" * (599 - len(json.dumps(line())))), line(text="v2", version=2, error="x" * 600)]
    report = memory.import_(
        write_archive(path, [" " * 601 + smuggled, *long, "{", line("fits", text="y" * 300), " " * 300])
    )
    assert texts(memory) == ["y" * 300]
    assert [(one.line, one.error.code) for one in report.rejected] == [
        (1, "input.too_large"),
        (3, "input.too_large"),
        (4, "input.malformed"),
        (6, "input.malformed"),
    ]


# -- a memory is all its lines ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "second",
    [
        line(text="v2", version=2, updated_at=LATER, evil=1),
        line(text="v2", version=2),
        line(text="v2", version=3, updated_at=LATER),
        line(text="v2", version=1, updated_at=LATER),
        line(text="v2", version=2, updated_at=LATER, user_id="w"),
        line(text="v2", version=2, updated_at=LATER, key="k"),
        line(text="v2", version=2, updated_at="2023-01-01T00:00:00Z", created_at="2023-01-01T00:00:00Z"),
        tombstone() | {"text": "smuggled past the guards"},
        tombstone() | {"metadata": {"a": 1}},
        tombstone() | {"context": "x"},
        json.dumps(line(version=2))[:-9],
    ],
    ids=lambda second: str(second)[-60:],
)
def test_a_bad_version_rejects_its_whole_memory_once(memory: Memory, path: Path, second: Any) -> None:
    """No outdated version becomes the current one because the newer one was wrong."""
    report = memory.import_(write_archive(path, [line(text="outdated"), second, GOOD]))
    assert (report.added, len(report.rejected)) == (1, 1)
    assert texts(memory) == ["a good one"]
    assert memory.engine.store.backend.versions(id_of("one")) == []


def test_a_memory_cannot_begin_with_its_deletion(memory: Memory, path: Path) -> None:
    """Nothing to delete was there."""
    report = memory.import_(write_archive(path, [tombstone() | {"version": 1}]))
    assert [error.code for error in errors(report)] == ["input.malformed"]


def test_a_memory_at_two_places_comes_in_once(memory: Memory, path: Path) -> None:
    """The second place is rejected, whether or not it lies in the same batch, and nothing crashes."""
    report = memory.import_(write_archive(path, [line(), GOOD, line(), line(text="v2", version=2), line("last")]))
    assert (report.added, [one.line for one in report.rejected]) == (3, [3])
    assert texts(memory) == ["a good one", "last", "one"]


def test_a_second_place_is_no_way_around_a_bad_version(memory: Memory, path: Path) -> None:
    """A memory that was rejected does not come in by its outdated first version, further down."""
    report = memory.import_(write_archive(path, [line(), line(version=2, evil=1), GOOD, line()]))
    assert (report.added, [one.line for one in report.rejected]) == (1, [2, 4])
    assert texts(memory) == ["a good one"]


def test_versions_of_one_memory_are_bounded(memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One version more than the limit rejects the memory, and only it."""
    monkeypatch.setattr(arrivals, "MAX_VERSIONS", 3)
    moments = [f"2024-01-0{n}T00:00:00Z" for n in range(1, 5)]
    versions = [line(version=n + 1, created_at=MOMENT, updated_at=moment) for n, moment in enumerate(moments)]
    others = [{**one, "id": id_of("three")} for one in versions[:3]]
    report = memory.import_(write_archive(path, [*versions, *others]))
    assert (report.added, [type(error) for error in errors(report)]) == (1, [InputTooLarge])
    monkeypatch.setattr(arrivals, "MAX_BYTES", 100)
    assert [type(error) for error in errors(memory.import_(write_archive(path, [GOOD])))] == [InputTooLarge]


def test_a_report_keeps_no_lines_alive(memory: Memory, path: Path) -> None:
    """Errors come without traceback, whose frames would hold each wrong line until the end."""
    report = memory.import_(write_archive(path, ["{", line(metadata=5), line("n", created_at="x")]))
    assert len(report.rejected) == 3
    for error in errors(report):
        assert error.__traceback__ is None
        assert error.__cause__ is None or error.__cause__.__traceback__ is None


def test_no_memory_from_the_future(memory: Memory, path: Path) -> None:
    """A clock may be hours ahead of ours; more than a day is refused, or every later change would come before it."""
    hours, days = (utc_now() + timedelta(hours=hours) for hours in (23, 25))
    lines = [line(name, created_at=MOMENT, updated_at=at.isoformat()) for name, at in (("h", hours), ("d", days))]
    report = memory.import_(write_archive(path, lines))
    assert (report.added, [error.code for error in errors(report)]) == (1, ["input.malformed"])
    memory.update(id_of("h"), "can be changed")
    memory.delete(id_of("h"))


# -- whose memory it is -----------------------------------------------------------------------------------------


def test_a_key_cannot_be_squatted(memory: Memory, path: Path) -> None:
    """A line that names the place of somebody else's key, or has a key and another place, is rejected."""
    place = keyed_id(Scope(user_id="victim"), "k")
    report = memory.import_(
        write_archive(path, [line(id=place, user_id="attacker", key="x"), line(user_id="attacker", key="x")])
    )
    assert (report.added, [error.code for error in errors(report)]) == (0, ["input.malformed"] * 2)
    assert memory.add("mine", user_id="victim", key="k").outcomes[0].event == "added"


def test_an_import_cannot_take_over_a_stored_memory(memory: Memory, path: Path) -> None:
    """A later version under another scope is a conflict, and the owner's memory stays."""
    [id_] = memory.add("mine", user_id="victim").ids
    stolen = [
        line(id=id_, user_id="attacker"),
        line(id=id_, user_id="attacker", version=2, updated_at=LATER, text="stolen"),
    ]
    [error] = errors(memory.import_(write_archive(path, stolen)))
    assert (error.code, "belongs to another scope" in error.message) == ("item.conflict", True)
    assert texts(memory, "victim") == ["mine"]
    assert texts(memory, "attacker") == []


def test_two_keys_that_meet_in_one_scope(memory: Memory, path: Path) -> None:
    """The first comes in under the key, the second is rejected in clear words, and a second import says the same."""
    lines = [line(text=user, key="k", user_id=user, id=keyed_id(Scope(user_id=user), "k")) for user in ("a", "b")]
    write_archive(path, lines)
    for expected in ("added", "unchanged"):
        report = memory.import_(path, user_id="c")
        assert getattr(report, expected) == 1
        [error] = errors(report)
        assert (error.code, "key 'k'" in error.message) == ("input.malformed", True)
    assert memory.get(key="k", user_id="c").text == "a"
    assert memory.add("changed", user_id="c", key="k").outcomes[0].version == 2
    assert texts(memory, "c") == ["changed"]


def test_a_scoped_import_never_touches_an_id_of_the_archive(memory: Memory, path: Path) -> None:
    """An id that the archive forges leads to another one, made from the scope."""
    [id_] = memory.add("mine", user_id="victim").ids
    assert memory.import_(write_archive(path, [line(id=id_)]), user_id="attacker").added == 1
    assert memory.get(id_).user_id == "victim"
    assert memory.get(imported_id(Scope(user_id="attacker"), id_)).text == "one"


# -- plugins ----------------------------------------------------------------------------------------------------


def no_empty(drafts: list[Draft], scope: Scope) -> None:  # noqa: ARG001 - the hook's names
    """Refuses drafts without words, and secret ones."""
    if any(not draft.text.strip() or "SECRET" in draft.text for draft in drafts):
        raise InputRejected("not here")


def test_guards_see_no_deletions(path: Path) -> None:
    """A guard that refuses empty texts does not bring a deleted memory back to life."""
    with guarding(before_add=no_empty) as memory:
        report = memory.import_(write_archive(path, [line(text="was deleted"), tombstone(), GOOD]))
        assert (report.added, report.rejected) == (2, ())
        assert texts(memory) == ["a good one"]


def test_a_refused_version_rejects_the_memory(path: Path) -> None:
    """Neither what came before it nor its deletion is imported."""
    versions = [line(), line(text="SECRET", version=2, updated_at=LATER)]
    with guarding(before_add=no_empty) as memory:
        report = memory.import_(write_archive(path, [*versions, GOOD]))
        assert (report.added, [type(error) for error in errors(report)]) == (1, [InputRejected])
        assert texts(memory) == ["a good one"]


def test_redaction_reaches_imports_and_leaves_no_digest(path: Path) -> None:
    """A guard's words are stored instead, the content's digest is theirs, and a second import changes nothing."""

    def before_add(drafts: list[Draft], scope: Scope) -> list[Draft]:  # noqa: ARG001 - the hook's names
        return [replace(draft, text=draft.text.replace("SECRET", "***")) for draft in drafts]

    with guarding(before_add=before_add) as memory:
        write_archive(path, [line(text="my SECRET", identity=id_of("of the secret"))])
        assert memory.import_(path).added == 1
        assert memory.import_(path).unchanged == 1
        [item] = memory.get_all(user_id="u")
        assert item.text == "my ***"
        assert memory.engine.store.get(item.id, None).identity != id_of("of the secret")


def test_a_guard_cannot_move_a_memory_to_another_key(path: Path) -> None:
    """A key names the memory's place; one that a guard changes ends in a rejection, not in a wrong place."""

    def before_add(drafts: list[Draft], scope: Scope) -> list[Draft]:  # noqa: ARG001 - the hook's names
        return [replace(draft, key="stolen") for draft in drafts]

    with guarding(before_add=before_add) as memory:
        report = memory.import_(write_archive(path, [GOOD]))
        assert [error.code for error in errors(report)] == ["input.rejected"]


def test_observers_are_told(path: Path) -> None:
    """Of each memory that is new or changed once, as it is now; of one that was deleted elsewhere as deleted."""
    told: list[tuple[str, list[str]]] = []

    def after_add(items: Sequence[Any]) -> None:
        told.append(("added", [item.text for item in items]))

    def on_delete(items: Sequence[Any]) -> None:
        told.append(("deleted", [item.id for item in items]))

    with guarding(after_add=after_add, on_delete=on_delete) as memory:
        memory.import_(write_archive(path, [line(), line("two"), line("two", text="2", version=2, updated_at=LATER)]))
        memory.import_(path)
        memory.import_(write_archive(path, [line(), tombstone()]))
        assert told == [("added", ["one", "2"]), ("deleted", [id_of("one")])]


# -- originals --------------------------------------------------------------------------------------------------


def picture(**fields: Any) -> dict[str, Any]:
    """What a line says of the red picture."""
    return line("picture", kind="image", content_type="image/png", media=media_of(png(), **fields))


HTML = b"<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("bad", "media"),
    [
        (picture(), {}),
        (picture(), {digest_of(png()): b"forged"}),
        (picture(size=999), {digest_of(png()): png()}),
        (picture(content_type="image/jpeg"), {digest_of(png()): png()}),
        (picture(content_type="text/html"), {digest_of(png()): png()}),
        (line(kind="image", media=media_of(HTML, content_type="text/html")), {digest_of(HTML): HTML}),
        (line(media=media_of(HTML)), {digest_of(HTML): HTML}),
        (line(content_type="image/png", media=media_of(HTML, content_type="x/y")), {digest_of(HTML): HTML}),
        (picture(thumbnail=digest_of(HTML)), {digest_of(png()): png(), digest_of(HTML): HTML}),
        (picture(thumbnail=digest_of(HTML)), {digest_of(png()): png()}),
    ],
)
def test_an_original_is_what_its_memory_says(memory: Memory, path: Path, bad: Any, media: dict[str, bytes]) -> None:
    """Bytes that are missing, of another size or type reject the memory; none of them stays in the store."""
    report = memory.import_(write_archive(path, [bad, GOOD], media=media))
    assert (report.added, len(report.rejected)) == (1, 1)
    assert errors(report)[0].code.startswith("input.")
    assert texts(memory) == ["a good one"]
    assert list(memory.engine.store.backend.list_media()) == []


def test_true_originals_come_in(memory: Memory, path: Path) -> None:
    """A picture with its thumbnail, and a file of a type that nobody looks into."""
    small = webp()
    lines = [picture(thumbnail=digest_of(small)), line(media=media_of(HTML, content_type="text/html"))]
    media = {digest_of(data): data for data in (png(), small, HTML)}
    assert memory.import_(write_archive(path, lines, media=media)).added == 2
    assert memory.media(id_of("picture")) == png()
    assert memory.media(id_of("one")) == HTML


def test_knowing_a_digest_gives_nobody_the_bytes(memory: Memory, path: Path) -> None:
    """An archive that names a picture in the store without holding it is rejected."""
    memory.add(png(), user_id="victim")
    report = memory.import_(write_archive(path, [picture()]), user_id="attacker")
    assert (report.added, len(report.rejected)) == (0, 1)


def test_a_bomb_is_not_unpacked(memory: Memory, path: Path) -> None:
    """Media that is packed to less than a two-hundredth is refused with its memory; a little of it is no bomb."""
    bomb, small = bytes(3 << 20), bytes(1 << 20)
    lines = [line(name, media=media_of(data, content_type="x/y")) for name, data in (("bomb", bomb), ("small", small))]
    report = memory.import_(write_archive(path, lines, media={digest_of(bomb): bomb, digest_of(small): small}))
    assert (report.added, [type(error) for error in errors(report)]) == (1, [UnsafeInput])


# -- the ZIP itself ---------------------------------------------------------------------------------------------


def patched(path: Path, *, flag: int = 0, method: int | None = None, entry: str = "memories.jsonl") -> Path:
    """The archive with flags or compression method of an entry changed, in its directory and its own header."""
    with zipfile.ZipFile(path) as file:
        info = file.getinfo(entry)
    data = bytearray(path.read_bytes())
    central = data.rindex(entry.encode()) - 46
    for start, place in ((info.header_offset, 6), (central, 8)):
        old_flags, old_method = struct.unpack_from("<HH", data, start + place)
        struct.pack_into("<HH", data, start + place, old_flags | flag, old_method if method is None else method)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("entry", ["memories.jsonl", "manifest.json", f"media/{digest_of(png())}"])
@pytest.mark.parametrize(
    "change", [{"flag": 1}, {"flag": 0x40}, {"flag": 0x20}, {"method": 99}, {"method": 14}], ids=str
)
def test_strange_packing_is_a_typed_error(memory: Memory, path: Path, change: dict[str, int], entry: str) -> None:
    """Encrypted, patched or packed by an unknown or needless method: refused before or while it is read."""
    write_archive(path, [picture()], media={digest_of(png()): png()})
    patched(path, entry=entry, **change)
    if change == {"flag": 0x20} and entry.startswith("media/"):
        report = memory.import_(path)
        assert (report.added, [error.code for error in errors(report)]) == (0, ["input.malformed"])
    else:
        with pytest.raises(MalformedInput):
            memory.import_(path)
    assert memory.engine.store.size() == 0


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_needless_packers_are_refused(memory: Memory, path: Path, method: int) -> None:
    """They pack a bomb far tighter than deflate does, and no memplug writes them."""
    with pytest.raises(MalformedInput, match="deflate"):
        memory.import_(write_archive(path, [GOOD], method=method))


@pytest.mark.parametrize(
    "manifest",
    [
        *each("memories", ["abc", [1], -1, 1.5, True, None, {}]),
        {"versions": "x"},
        {"version": 99},
        {"version": "9" * 1_000},
        {"format": "other"},
    ],
    ids=str,
)
def test_a_manifest_of_another_shape_is_malformed(memory: Memory, path: Path, manifest: dict[str, Any]) -> None:
    """The archive is refused as a whole, in few words."""
    with pytest.raises(MalformedInput) as caught:
        memory.import_(write_archive(path, [GOOD], manifest=manifest))
    assert len(str(caught.value)) < 200


def test_a_manifest_that_is_no_json_is_malformed(memory: Memory, path: Path) -> None:
    """Also where it is larger than any manifest."""
    for manifest in (b"{", b"[]", b" " * (2 << 20)):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("memories.jsonl", "")
            file.writestr("manifest.json", manifest)
        with pytest.raises(MemplugError) as caught:
            memory.import_(path)
        assert caught.value.code == "input.malformed"


def test_a_refused_archive_is_closed(memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is let go of when its reader refuses it."""
    closed: list[bool] = []
    close = zipfile.ZipFile.close

    def noticed(file: zipfile.ZipFile) -> None:
        closed.append(file.fp is not None)
        close(file)

    write_archive(path, [GOOD], manifest={"version": 99})
    monkeypatch.setattr(zipfile.ZipFile, "close", noticed)
    with pytest.raises(MalformedInput) as caught:
        archive.ArchiveReader(path)
    # The error's frames still hold the reader, so that nothing but the reader itself can have closed the file.
    assert (closed[:1], caught.type) == ([True], MalformedInput)
    assert memory.engine.store.size() == 0


def test_entries_that_share_their_bytes_are_refused(memory: Memory, path: Path) -> None:
    """The trick by which a small file comes to hold thousands of large ones."""
    data = bytes(200_000)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("memories.jsonl", "")
        file.writestr("manifest.json", '{"format": "memplug-archive", "version": 1}')
        file.writestr("media/" + "0" * 64, data)
        first = file.getinfo("media/" + "0" * 64)
        for number in range(1, 50):
            copy = zipfile.ZipInfo("media/" + f"{number:064d}")
            copy.header_offset, copy.CRC = first.header_offset, first.CRC
            copy.compress_size = copy.file_size = len(data)
            file.filelist.append(copy)
    with pytest.raises(UnsafeInput, match="share"):
        memory.import_(path)


def test_media_that_would_fill_a_disk_is_refused(memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All media together may come to twenty times the archive and a bit, which packed pictures never do."""
    monkeypatch.setattr(archive, "_TOTAL_FREE", 0)
    media = {digest_of(data): data for data in (bytes([n]) * 1_000_000 for n in range(20))}
    with pytest.raises(UnsafeInput, match="come to"):
        memory.import_(write_archive(path, [], media=media))


@pytest.mark.parametrize("part", range(8))
def test_a_cut_or_changed_archive_never_ends_in_a_bare_error(memory: Memory, path: Path, part: int) -> None:
    """Wherever a byte is wrong, what comes is a typed error or a report."""
    write_archive(path, [picture(), GOOD, line()], media={digest_of(png()): png()})
    whole = path.read_bytes()
    for place in range(part, len(whole), 16):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            archive_lines(path)
            with Memory("memory://", embedder="hashing:16") as other:
                other.import_(path)
        except MemplugError:
            continue
    assert memory.engine.store.size() == 0


def archive_lines(path: Path) -> None:
    """Reads all of an archive, also where `Memory.import_` would take the file for JSON Lines."""
    reader = archive.ArchiveReader(path)
    try:
        assert isinstance(io.BytesIO(reader.media(digest_of(png()))), io.BytesIO)
        assert len(list(reader.lines())) <= 10_000
    finally:
        reader.close()
