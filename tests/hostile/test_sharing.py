"""Shared buckets against who should not: every verb, every role, own and others' memories, and ways around it all."""

from __future__ import annotations

import ast
import inspect
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import memplug
from memplug import Media, Memory, hookimpl
from memplug.exceptions import AccessDenied, InputTooLarge, MemplugError, NotFound, ScopeError
from memplug.values.bucket import ROLES
from memplug.values.scope import SCOPE_FIELDS, Scope
from memplug.values.source import Source
from skills import manifest
from support import HOSTILE, Clock, png

BACKENDS = ("lancedb", "memory")
#: Characters that the id of a user or a bucket may have to be registered.
LONGEST = 512
#: All ways to stand to a bucket: each role, never having had one, and having lost it.
STANDINGS = (*ROLES, "stranger", "former")
#: How Wang acts in the bucket.
WANG: dict[str, Any] = {"user_id": "wang", "bucket": "team"}


class Eyes:
    """Sees the same in every picture."""

    name = "eyes"

    @hookimpl
    def register_describers(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register("eyes", lambda: self)

    def accepts(self, media: Media) -> bool:
        """Takes everything."""
        return bool(media.data)

    def describe(self, media: Media, *, context: str) -> str:  # noqa: ARG002 - the contract's
        """Always the same."""
        return "a red picture"


def opened(backend: str, folder: Path, clock: Clock | None = None, *, plugins: tuple[object, ...] = ()) -> Memory:
    """An empty store."""
    location = str(folder / "store") if backend == "lancedb" else "memory://"
    return Memory(location, embedder="hashing:64", clock=clock, plugins=plugins)


def stand(memory: Memory, standing: str) -> None:
    """Gives Wang a standing in Olga's bucket; where he is its owner, she never was."""
    if standing == "owner":
        return
    memory.buckets.unshare("team", "wang", by="olga")
    if standing in ROLES:
        memory.buckets.share("team", "wang", standing, by="olga")


def text(name: str, author: str) -> str:
    """Words that each case finds again; the limit is what feedback corrects."""
    return f"The {name} limit of {author} is 800 yuan."


#: What reads one memory, given its id and key; each must give it away, or say that there is none.
READS: dict[str, Callable[[Memory, str, str, dict[str, Any]], object]] = {
    "get": lambda memory, id_, _, ids: memory.get(id_, **ids),
    "get by key": lambda memory, _, key, ids: memory.get(key=key, **ids),
    "history": lambda memory, id_, _, ids: memory.history(id_, **ids),
    "media": lambda memory, id_, _, ids: memory.media(id_, **ids),
    "open_media": lambda memory, id_, _, ids: memory.open_media(id_, thumbnail=True, **ids).close(),
    "get_all": lambda memory, id_, _, ids: _among(memory.get_all(pieces=True, limit=1_000, **ids), id_),
    "get_all of the user": lambda memory, id_, _, ids: (
        _among(memory.get_all(limit=1_000, filters={"user_id": "wang", "bucket": {"in": ["team"]}}), id_)
        if ids == WANG
        else None
    ),
    "search": lambda memory, id_, key, ids: _among(memory.search(key, top_k=1_000, **ids), id_),
    "search beside": lambda memory, id_, key, ids: _among(
        memory.search(key, top_k=1_000, user_id=ids["user_id"], buckets=["team"]), id_
    ),
    "search in the past": lambda memory, id_, key, ids: _among(
        memory.search(key, top_k=1_000, as_of=_before(memory, id_), **ids), id_
    ),
    "search by filter": lambda memory, id_, key, ids: _among(memory.search(key, top_k=1_000, filters=ids), id_),
    "skill": lambda memory, _, key, ids: memory.skill(key.replace(" ", "-"), **ids),
    "view": lambda memory, id_, _, ids: memory.scoped(**ids).get(id_),
    "view beside": lambda memory, id_, key, ids: _among(
        memory.scoped(user_id=ids["user_id"], buckets=["team"]).search(key, top_k=1_000), id_
    ),
}
#: What changes one memory.
CHANGES: dict[str, Callable[[Memory, str, dict[str, Any]], object]] = {
    "update": lambda memory, id_, ids: memory.update(id_, tags=["x"], **ids),
    "restore": lambda memory, id_, ids: memory.restore(id_, 1, **ids),
    "describe": lambda memory, id_, ids: memory.describe(id_, **ids),
    "delete": lambda memory, id_, ids: memory.delete(id_, **ids),
    "erase": lambda memory, id_, ids: memory.delete(id_, erase=True, **ids),
    "view": lambda memory, id_, ids: memory.scoped(**ids).delete(id_),
}


def _among(found: Any, id_: str) -> None:
    if id_ not in {one.id for one in found}:
        raise NotFound("not listed")


def _before(memory: Memory, id_: str) -> Any:
    """A moment at which the memory was there with its first words."""
    return memory.history(id_)[0].valid_from + timedelta(microseconds=1)


def _filled(
    memory: Memory, cases: tuple[str, ...], authors: tuple[str, ...] = ("wang", "li")
) -> dict[tuple[str, str], str]:
    """One memory for each case and author, with an original; Wang adds his while he may."""
    memory.buckets.share("team", "li", "contributor", by=memory.buckets.get("team").owner)
    found = {}
    for author in authors:
        for name in cases:
            ids: dict[str, Any] = {"user_id": author, "bucket": "team"}
            key = f"{name} {author}"
            if name == "skill":
                [id_] = memory.add(Source(data=manifest(key.replace(" ", "-")).encode(), name="SKILL.md"), **ids).ids
            else:
                [id_] = memory.add(png(), description=text(name, author), key=key, **ids).ids
            found[author, name] = id_
    return found


def _registered(memory: Memory, standing: str) -> None:
    memory.buckets.create("team", owner="wang" if standing == "owner" else "olga")
    if standing not in ("owner", "stranger"):
        memory.buckets.share("team", "wang", "contributor", by="olga")


def _authors(standing: str) -> tuple[str, ...]:
    """Whose memories there can be: a stranger never added any."""
    return ("li",) if standing == "stranger" else ("wang", "li")


def _told(call: Callable[[], object]) -> str:
    """What came of a call: ``done``, or the code of the error."""
    try:
        call()
    except MemplugError as error:
        return error.code
    return "done"


@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_reading(backend: str, standing: str, tmp_path: Path) -> None:
    """Every role reads all of the bucket, whoever added it; without one nothing of it is there, not even one's own."""
    with opened(backend, tmp_path, Clock()) as memory:
        _registered(memory, standing)
        ids = _filled(memory, tuple(READS), _authors(standing))
        stand(memory, standing)
        want = "done" if standing in ROLES else "item.not_found"
        for (author, name), id_ in ids.items():
            read = partial(READS[name], memory, id_, f"{name} {author}")
            if name == "get_all of the user":
                assert _told(partial(read, WANG)) == (want if author == "wang" else "item.not_found"), (name, author)
                continue
            assert _told(partial(read, WANG)) == want, (name, author)
            assert (
                _told(partial(read, {"user_id": "olga" if standing != "owner" else "wang", "bucket": "team"})) == "done"
            )
        mine = {item.id for item in memory.get_all(limit=1_000, user_id="wang")}
        assert mine == ({id_ for (author, _), id_ in ids.items() if author == "wang"} if want == "done" else set())


@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_changing(backend: str, standing: str, tmp_path: Path) -> None:
    """Contributors change what they added, editors everything; who only reads is refused, others find nothing."""
    with opened(backend, tmp_path, plugins=(Eyes(),)) as memory:
        _registered(memory, standing)
        ids = _filled(memory, tuple(CHANGES), _authors(standing))
        stand(memory, standing)
        for (author, name), id_ in ids.items():
            before = memory.history(id_)
            told = _told(partial(CHANGES[name], memory, id_, WANG))
            assert told == _allowed(standing, own=author == "wang"), (name, author)
            if told != "done":
                assert memory.history(id_) == before
            # Under the user alone there are one's own, and nobody else's, whatever the role.
            alone = _told(partial(CHANGES["restore"], memory, ids[author, "restore"], {"user_id": "wang"}))
            assert alone == (_allowed(standing, own=True) if author == "wang" else "item.not_found")


def _allowed(standing: str, *, own: bool) -> str:
    if standing not in ROLES:
        return "item.not_found"
    may = ("contributor", "editor", "owner") if own else ("editor", "owner")
    return "done" if standing in may else "scope.denied"


@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_adding(backend: str, standing: str, tmp_path: Path) -> None:
    """Contributors and more add, by every way in; what others add is refused, and nothing of it is stored."""
    with opened(backend, tmp_path) as memory:
        memory.add("from Wang, before", **WANG)
        memory.export(tmp_path / "wang.zip", user_id="wang")
        memory.delete_all(erase=True, **WANG)
        (tmp_path / "lines.jsonl").write_text('{"content": "a line", "bucket": "team"}\n')
        _registered(memory, standing)
        stand(memory, standing)
        may = standing in ("contributor", "editor", "owner")
        ways: tuple[Callable[[], object], ...] = (
            partial(memory.add, "a text", **WANG),
            partial(memory.add, png(), key="k", **WANG),
            partial(memory.add, "it is too slow", kind="feedback", **WANG),
            partial(memory.add, "in a run", run_id="monday", **WANG),
            partial(memory.feedback, "it is too slow, I say", **WANG),
            partial(memory.scoped(user_id="wang").add, "by a view", bucket="team"),
        )
        for way in ways:
            assert _told(way) == ("done" if may else "scope.denied")
        (tmp_path / "mem0.json").write_text('[{"id": "1", "memory": "of mem0", "user_id": "wang"}]')
        for name, bucket in (("wang.zip", None), ("lines.jsonl", None), ("mem0.json", "team")):
            report = memory.import_(tmp_path / name, user_id="wang", bucket=bucket)
            assert (report.added, [one.error.code for one in report.rejected]) == (
                (1, []) if may else (0, ["scope.denied"])
            )
        assert len(memory.get_all(bucket="team")) == (9 if may else 0)


@pytest.mark.parametrize("erase", [False, True])
@pytest.mark.parametrize("standing", STANDINGS)
def test_deleting_all(standing: str, erase: bool, tmp_path: Path) -> None:
    """Of a bucket goes what one may delete; of a user what is theirs and not in a bucket where they may not."""
    with opened("memory", tmp_path) as memory:
        _registered(memory, standing)
        memory.buckets.share("team", "li", "contributor", by="wang" if standing == "owner" else "olga")
        for author in ("wang", "li"):
            memory.add(f"private of {author}", user_id=author)
        for author in _authors(standing):
            memory.add(f"shared by {author}", user_id=author, bucket="team")
        stand(memory, standing)
        call = partial(memory.delete_all, erase=erase, **WANG)
        if standing == "viewer":
            assert _told(call) == "scope.denied"
        else:
            assert call() == {"contributor": 1, "editor": 2, "owner": 2}.get(standing, 0)
        memory.add("shared by li", user_id="li", bucket="team")
        assert memory.delete_all(user_id="wang", erase=erase) == 1
        left = {"shared by li", *({"shared by wang"} if standing in ("viewer", "former") else ())}
        assert {item.text for item in memory.get_all(bucket="team")} == left
        assert {item.text for item in memory.get_all(user_id="li")} == {"shared by li", "private of li"}


@pytest.mark.parametrize("standing", STANDINGS)
def test_correcting(standing: str, tmp_path: Path) -> None:
    """Feedback corrects what its user may change. The rest of what it is about is told to who may see it."""
    with opened("memory", tmp_path) as memory:
        _registered(memory, standing)
        _filled(memory, ("wine",), _authors(standing))
        memory.add("My wine limit is 800 yuan.", user_id="wang")
        stand(memory, standing)
        result = memory.feedback("The wine limit is 600 yuan, not 800 yuan.", user_id="wang", buckets=["team"])
        corrected = {one.after for one in result.corrections}
        shared = {f"The wine limit of {author} is 600 yuan." for author in _authors(standing)}
        own = "The wine limit of wang is 600 yuan."
        may = {"contributor": {own}, "editor": shared, "owner": shared}.get(standing, set())
        seen = shared if standing in ROLES else set()
        assert (result.event, corrected) == ("corrected", may | {"My wine limit is 600 yuan."})
        assert {one.after for one in result.candidates} == seen - may
        assert bool(result.reason) is bool(seen - may)
        now = {item.text for item in memory.get_all(bucket="team")}
        assert now == may | {words.replace("600", "800") for words in shared - may}
        memory.undo(result, user_id="wang", buckets=["team"])
        assert {item.text for item in memory.get_all(bucket="team")} == {one.replace("600", "800") for one in shared}


def test_an_archive_of_a_bucket_holds_what_its_reader_sees(tmp_path: Path) -> None:
    """A viewer's export is the bucket, a stranger's is empty; a former contributor's holds nothing of it."""
    with opened("memory", tmp_path) as memory:
        _registered(memory, "former")
        _filled(memory, ("get",))
        memory.add("private", user_id="wang")
        for standing, bucket, own in (("viewer", 2, 2), ("former", 0, 1)):
            stand(memory, standing)
            assert memory.export(tmp_path / "bucket.zip", **WANG).memories == bucket
            assert memory.export(tmp_path / "own.zip", user_id="wang").memories == own


def test_every_verb_is_in_the_tables() -> None:
    """A new verb must say here what it does in a shared bucket."""
    named = {
        name
        for name, function in inspect.getmembers(Memory, inspect.isfunction)
        if not name.startswith("_") and "**ids" in str(inspect.signature(function))
    }
    tested = {"get", "get_all", "history", "media", "open_media", "search", "skill", "scoped"}
    tested |= {"context", "chat", "chat_stream"}  # they read by `search`, and remember by `add`
    tested |= {"draft_skill"}  # in tests/unit/test_skill_drafts.py
    tested |= {"extract"}  # in tests/unit/test_extraction_memory.py
    tested |= {"update", "restore", "describe", "delete", "add", "feedback", "undo", "delete_all", "import_", "export"}
    assert named == tested


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_leaves_learns_nothing_more(backend: str, tmp_path: Path) -> None:
    """What others made of one's words later is not found under one's own name, nor in the past; sharing undoes it."""
    with opened(backend, tmp_path, Clock()) as memory:
        _registered(memory, "former")
        [id_] = memory.add("my words", **WANG).ids
        memory.buckets.unshare("team", "wang", by="wang")
        item = memory.update(id_, "their secret", user_id="olga", bucket="team")
        for ids in ({"user_id": "wang"}, WANG, {"user_id": "wang", "filters": {"bucket": "team"}}):
            assert not memory.search("words secret", **ids)
            assert not memory.search("words", as_of=item.valid_from - timedelta(microseconds=1), **ids)
            assert not memory.get_all(**ids)
        with pytest.raises(NotFound):
            memory.history(id_, user_id="wang")
        memory.buckets.share("team", "wang", "viewer", by="olga")
        assert [hit.text for hit in memory.search("secret", user_id="wang")] == ["their secret"]


def test_a_refusal_says_no_more_than_the_caller_knows(tmp_path: Path) -> None:
    """A bucket without a role, one that is empty, and one that nobody made are alike to who reads."""
    with opened("memory", tmp_path) as memory:
        memory.buckets.create("secret", owner="olga", title="Layoffs")
        [id_] = memory.add("the secret", user_id="olga", bucket="secret").ids
        for bucket in ("secret", "nowhere"):
            ids: dict[str, Any] = {"user_id": "wang", "bucket": bucket}
            told = [_told(partial(READS[name], memory, id_, "the secret", ids)) for name in ("get", "history", "media")]
            assert told == ["item.not_found"] * 3
            assert (len(memory.search("secret", **ids)), memory.delete_all(**ids)) == (0, 0)
            calls = (
                partial(memory.buckets.get, bucket, by="wang"),
                partial(memory.buckets.share, bucket, "wang", "viewer", by="wang"),
                partial(memory.buckets.unshare, bucket, "olga", by="wang"),
                partial(memory.buckets.delete, bucket, by="wang"),
            )
            for call in calls:
                with pytest.raises(NotFound) as caught:
                    call()
                assert str(caught.value).replace(bucket, "x") == "there is no shared bucket 'x' here"
        with pytest.raises(AccessDenied) as refused:
            memory.add("mine", user_id="wang", bucket="secret")
        assert "olga" not in str(refused.value)
        assert "Layoffs" not in str(refused.value)


@pytest.fixture(scope="module", params=BACKENDS)
def bobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A store with Bob's bucket, in which each hostile user will have one too."""
    with opened(request.param, tmp_path_factory.mktemp("bobs")) as memory:
        memory.buckets.create("bob", owner="bob")
        memory.add("the secret of bob", user_id="bob", bucket="bob")
        yield memory


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_ids_are_only_ids(bobs: Memory, number: int) -> None:
    """Whatever users and buckets are called, a role is theirs alone and nobody else's."""
    name, friend = HOSTILE[number], f"friend{number}"
    scopes: tuple[dict[str, Any], ...] = ({"user_id": name, "bucket": "bob"}, {"user_id": name})
    for ids in scopes:
        assert not bobs.search("secret", buckets=["bob"], **ids)
    with pytest.raises(AccessDenied):
        bobs.add("x", user_id=name, bucket="bob")
    if len(name) > LONGEST:
        with pytest.raises(InputTooLarge):
            bobs.buckets.create(name, owner="bob")
        return
    bobs.buckets.create(name, owner=name)
    bobs.add("the secret of another", user_id=name, bucket=name)
    bobs.buckets.share(name, friend, "viewer", by=name)
    assert not bobs.search("secret", user_id="bob", bucket=name)
    assert [hit.text for hit in bobs.search("secret", user_id=friend, bucket=name)] == ["the secret of another"]
    assert [one.id for one in bobs.buckets.list(name)] == [name]
    assert bobs.buckets.get(name).roles == {name: "owner", friend: "viewer"}
    assert bobs.buckets.get("bob").roles == {"bob": "owner"}


@pytest.mark.parametrize("name", ["memplug:", "memplug:buckets", "memplug:tasks", "memplug:team", "memplug:wang"])
def test_what_memplug_keeps_for_itself_is_nobodys_scope(name: str, tmp_path: Path) -> None:
    """No verb takes such an id, in no field, filter, line or list; nor the id of a record there."""
    with opened("memory", tmp_path) as memory:
        memory.buckets.create("team", owner="wang")
        entries = [one.id for one in memory.engine.store.rights.entries(bucket="team")]
        for field in SCOPE_FIELDS:
            ids: dict[str, Any] = {field: name}
            calls: tuple[Callable[[], object], ...] = (
                partial(memory.add, "x", **ids),
                partial(memory.get_all, **ids),
                partial(memory.search, "x", **ids),
                partial(memory.search, "x", filters=ids),
                partial(memory.search, "x", user_id="wang", buckets=[name]),
                partial(memory.feedback, "x, not y", user_id="wang", buckets=[name]),
                partial(memory.delete_all, **ids),
                partial(memory.export, tmp_path / "x.zip", **ids),
                partial(memory.scoped, **ids),
                partial(memory.scoped(user_id="wang").add, "x", **ids),
                partial(memory.buckets.create, name, owner="wang"),
                partial(memory.buckets.create, "other", owner=name),
                partial(memory.buckets.share, "team", name, "viewer", by="wang"),
            )
            for call in calls:
                with pytest.raises(ScopeError):
                    call()
            (tmp_path / "x.jsonl").write_text(f'{{"content": "x", "{field}": "{name}"}}\n')
            assert [one.error.code for one in memory.import_(tmp_path / "x.jsonl").rejected] == ["scope.invalid"]
        for id_ in entries:
            for act in (memory.get, memory.history, memory.delete, partial(memory.update, tags=["x"])):
                with pytest.raises(NotFound):
                    act(id_)
        assert memory.buckets.get("team").roles == {"wang": "owner"}


def test_roles_come_back_with_a_whole_store_alone(tmp_path: Path) -> None:
    """An archive of a store brings roles along. Into a scope they do not come, and forged ones come nowhere."""
    with opened("memory", tmp_path) as memory:
        _registered(memory, "viewer")
        _filled(memory, ("get",))
        stand(memory, "viewer")
        memory.export(tmp_path / "all.zip")
    with opened("memory", tmp_path) as other:
        report = other.import_(tmp_path / "all.zip")
        assert (report.rejected, report.added) == ((), 6)
        assert other.buckets.get("team").roles == {"li": "contributor", "olga": "owner", "wang": "viewer"}
        assert _told(partial(other.add, "x", **WANG)) == "scope.denied"
        assert other.import_(tmp_path / "all.zip").unchanged == 6
    with opened("memory", tmp_path) as other:
        report = other.import_(tmp_path / "all.zip", user_id="wang")
        assert (report.added, {one.error.code for one in report.rejected}) == (2, {"scope.invalid"})
        assert not other.buckets.list("wang")


FORGED: tuple[dict[str, Any], ...] = (
    {"key": "other"},
    {"kind": "text"},
    {"user_id": "wang"},
    {"agent_id": "wang"},
    {"bucket": "team"},
    {"run_id": "memplug:tasks"},
    {"metadata": {"role": "god"}},
    {"expires_at": "2026-01-02T00:00:00+00:00"},
    {"id": "a" * 26},
)


@pytest.mark.parametrize("change", FORGED, ids=str)
def test_a_forged_role_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """A record that memplug would not write is none of its own, wherever it says that it lies."""
    with opened("memory", tmp_path, Clock()) as memory:
        memory.buckets.create("team", owner="wang")
        memory.export(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        names = {name: archive.read(name) for name in archive.namelist()}
    [lines] = [name for name in names if name.endswith(".jsonl")]
    records = [json.loads(line) for line in names[lines].splitlines()]
    names[lines] = b"".join(
        json.dumps(one | (change if one["kind"] == "member" else {})).encode() + b"\n" for one in records
    )
    with zipfile.ZipFile(tmp_path / "forged.zip", "w") as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    with opened("memory", tmp_path, Clock()) as other:
        report = other.import_(tmp_path / "forged.zip")
        assert (report.added, [one.error.code for one in report.rejected]) == (1, ["scope.invalid"])
        with pytest.raises(NotFound):
            other.buckets.get("team")
        assert _told(partial(other.add, "x", **WANG)) == "scope.denied"


#: Who looks without asking for rights, each with the reason that they need not.
_TRUSTED = {
    "memplug.pipelines.drawn.drawn_from": "facts of turns that are being removed, in their scope, by who may",
    "memplug.pipelines.editing._pieces_ever": "pieces of a memory that its editor may remove",
    "memplug.pipelines.editions._wholes": "only those of exactly the scope that is added to count",
    "memplug.pipelines.editions._is_edition": "the same",
    "memplug.pipelines.pieces.pieces_of": "pieces of a memory that was let through",
    "memplug.pipelines.lessons.lessons_of": "the lessons of tools whose uses are being removed, by who may",
    "memplug.pipelines.toolbook.uses": "counted for the memory of a tool of exactly the same scope",
    "memplug.pipelines.turns._stored": "numbers of turns alone, for one that is added",
}
#: Who writes, each with what lets it in.
_WRITERS = {
    "memplug.langchain.store_expiry._put_off": "the store's own items, found in its own scope",
    "memplug.pipelines.claim._write": "a task, which is memplug's own",
    "memplug.pipelines.correcting._apply": "each record was asked for to change",
    "memplug.pipelines.describing.attempt": "what `add` was let in with; `again` asks for the record to change",
    "memplug.pipelines.describing.again": "the same",
    "memplug.pipelines.describing._postpone": "the record was asked for to change",
    "memplug.pipelines.documents._settle": "what `add` was let in with",
    "memplug.pipelines.documents.attempt": "the same",
    "memplug.pipelines.editing.attempt": "the record was asked for to change; tools are counted from what is left",
    "memplug.pipelines.editing._recount": "the same",
    "memplug.pipelines.editing._append": "the same",
    "memplug.pipelines.editing._erase": "the ids were asked for to change",
    "memplug.pipelines.editing._keep": "what is left of facts whose turn was",
    "memplug.pipelines.editing._hide": "the records were asked for to change",
    "memplug.pipelines.editing.restore": "the record was asked for to change",
    "memplug.pipelines.describing.finish": "what `add` was let in with",
    "memplug.pipelines.ingest._attempted": "admits every scope",
    "memplug.pipelines.lessons.attempt": "what `add` was let in with; a lesson lies where its uses do",
    "memplug.pipelines.lessons._stored": "the same",
    "memplug.pipelines.lessons._forget": "a lesson of uses that somebody erased who may",
    "memplug.pipelines.remembering._commit": "admits the scope; each fact that is changed was asked for to change",
    "memplug.pipelines.sharing._commit": "who shares was looked up in the same attempt",
    "memplug.pipelines.sharing.delete": "by its owner",
    "memplug.pipelines.steps.attempt": "what `add` was let in with; only its status changes",
    "memplug.pipelines.steps.mark_failed": "the same",
    "memplug.pipelines.transfer._commit": "admits every memory as it arrives",
    "memplug.pipelines.transfer._heal": "bytes of a record that is there",
    "memplug.pipelines.worker.adopt": "tasks are nobody's",
    "memplug.pipelines.worker.revive": "what `add` was let in with; only its status changes",
}


def _calls(names: set[str]) -> Iterator[tuple[str, ast.Call, str]]:
    """The calls of these names above the store: the function that makes them, the call and the name."""
    package = Path(memplug.__file__).parent
    for path in sorted(package.rglob("*.py")):
        module = ".".join(("memplug", *path.relative_to(package).with_suffix("").parts))
        if module.startswith(("memplug.backends.", "memplug.testing.", "memplug.store", "memplug.rights")):
            continue
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call):
                        name = ast.unparse(node.func).rpartition(".")[2]
                        if name in names:
                            yield f"{module}.{function.name}", node, name


def test_nobody_goes_around_the_rights() -> None:
    """Who looks without rights and who writes is listed, with what lets them."""
    trusted = {place for place, call, _ in _calls({"View"}) if any(one.arg == "trusted" for one in call.keywords)}
    assert trusted == set(_TRUSTED)
    stores = {
        place
        for place, call, name in _calls({"commit", "erase"})
        if "store" in ast.unparse(call.func) or "backend" in ast.unparse(call.func)
    }
    assert stores == set(_WRITERS)


def test_who_acts_is_no_word_of_a_call(tmp_path: Path) -> None:
    """A caller cannot say that somebody else acts; nor does acting make two scopes of one."""
    with opened("memory", tmp_path) as memory:
        for verb in (partial(memory.search, "x"), memory.get_all, partial(memory.add, "x")):
            with pytest.raises(TypeError):
                verb(user_id="wang", acting="olga")  # type: ignore[call-arg] # the wrong word is the point
    assert Scope(bucket="b").beside("c") == Scope(bucket="c")
