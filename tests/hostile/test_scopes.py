"""Hostile scope ids: whatever a user calls itself, it sees its own memories and nobody else's."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import memplug
from memplug import Memory
from memplug.backends.inmemory import open_inmemory
from memplug.exceptions import FilterError, NotFound, ScopeError
from memplug.plugins.protocols import BackendRequest, Match, Selection
from memplug.store import Store, View
from memplug.testing.records import PROFILE, direction, record
from memplug.values.filters import All
from memplug.values.scope import Scope
from support import HOSTILE, Clock, png

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.values.item import Record


@pytest.fixture(scope="module", params=["lancedb", "memory"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A store in which Bob and all hostile users have one memory each."""
    location = str(tmp_path_factory.mktemp("scopes") / "store") if request.param == "lancedb" else "memory://"
    with Memory(location, embedder="hashing:64") as memory:
        memory.add("the secret of bob", user_id="bob", agent_id="bob", run_id="bob", bucket="bob")
        for number, name in enumerate(HOSTILE):
            memory.add(f"the secret of number {number}", user_id=name, agent_id=name, run_id=name, bucket=name)
        yield memory


@pytest.mark.parametrize("field", ["user_id", "agent_id", "run_id", "bucket"])
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_sees_its_own_only(shared: Memory, number: int, field: str) -> None:
    """A hostile id finds exactly its own memory by search, list and filter."""
    ids: dict[str, Any] = {field: HOSTILE[number]}
    own = f"the secret of number {number}"
    assert [hit.text for hit in shared.search("secret", **ids)] == [own]
    assert [item.text for item in shared.get_all(**ids)] == [own]
    assert [hit.text for hit in shared.search("secret", filters={field: {"eq": HOSTILE[number]}})] == [own]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_filters_cannot_reach_out(shared: Memory, number: int) -> None:
    """A hostile value in a filter is a value, never a piece of a query."""
    value = HOSTILE[number]
    for filters in ({"key": value}, {"tags": {"contains": value}}, {"speaker": {"in": [value]}}, {"note": value}):
        assert not shared.search("secret", user_id="bob", filters=filters)
    assert len(shared.search("secret", user_id="bob", filters={"NOT": [{"key": value}]})) == 1


def test_a_star_is_no_user(shared: Memory) -> None:
    """In a filter, ``*`` means "is set": that names nobody, so it is no scope."""
    with pytest.raises(ScopeError):
        shared.search("secret", filters={"user_id": "*"})


@pytest.mark.parametrize("name", ["", 7, b"bob", "\ud800", "x" * 100_001, ["bob"]])
def test_ids_that_cannot_be(shared: Memory, name: object) -> None:
    """An id that is empty, no text, no Unicode or endless is a typed error for every verb."""
    for call in (
        lambda: shared.add("x", user_id=name),  # type: ignore[arg-type] # the wrong type is the point
        lambda: shared.search("x", user_id=name),  # type: ignore[arg-type] # the wrong type is the point
        lambda: shared.get_all(user_id=name),  # type: ignore[arg-type] # the wrong type is the point
        lambda: shared.delete_all(user_id=name),  # type: ignore[arg-type] # the wrong type is the point
    ):
        with pytest.raises(ScopeError):
            call()


def test_ids_of_memories_do_not_cross(shared: Memory) -> None:
    """The id of somebody's memory is of no use to anybody else."""
    [item] = shared.get_all(user_id="bob")
    for name in HOSTILE:
        with pytest.raises(NotFound):
            shared.get(item.id, user_id=name)


def test_deleting_stays_inside(tmp_path: Path) -> None:
    """`delete_all` of a hostile user deletes nothing of others, also when erasing."""
    for erase in (False, True):
        with Memory(tmp_path / str(erase), embedder="hashing:64") as memory:
            memory.add("the secret of bob", user_id="bob")
            for name in HOSTILE[:9]:
                memory.add("own", user_id=name)
                assert memory.delete_all(user_id=name, erase=erase) == 1
            assert len(memory.get_all(user_id="bob")) == 1


# -- leaks that other memories had, each as a test; the projects are named in the research


@pytest.fixture(params=["lancedb", "memory"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    """A store in which Ann and Bob have said the same things, under the same keys, in runs of the same names."""
    location = str(tmp_path / "store") if request.param == "lancedb" else "memory://"
    with Memory(location, embedder="hashing:64", clock=Clock()) as memory:
        for name in ("ann", "bob"):
            memory.add(f"the secret of {name}", user_id=name, run_id="monday", key="secret")
            memory.add(f"the secret of {name}, changed", user_id=name, run_id="monday", key="secret")
            memory.add("the shared secret", user_id=name, run_id="monday")
            memory.add(f"the tuesday of {name}", user_id=name, run_id="tuesday", agent_id="clerk", bucket="docs")
            memory.add(png("red" if name == "ann" else "blue"), user_id=name, description=f"secret picture of {name}")
        memory.maintain() if request.param == "lancedb" else None
        yield memory


def _texts(found: Any) -> set[str]:
    return {one.text for one in found}


#: Scope words that name nobody; each was once "everybody" somewhere.
NOBODY: tuple[dict[str, Any], ...] = (
    {},
    {"user_id": None},
    {"user_id": None, "agent_id": None, "run_id": None, "bucket": None},
    {"user_id": ""},
    {"filters": {}},
    {"filters": None},
    {"filters": {"AND": []}},
    {"filters": {"NOT": [{"user_id": "bob"}]}},
    {"filters": {"OR": [{"user_id": "bob"}, {"user_id": "ann"}]}},
    {"filters": {"user_id": {"in": ["ann", "bob"]}}},
    {"filters": {"user_id": {"ne": "bob"}}},
    {"filters": {"userid": "bob"}},
    {"filters": {"metadata.user_id": "bob"}},
    {"tags": []},
    {"kinds": ["text"]},
)


@pytest.mark.parametrize("ids", NOBODY, ids=str)
def test_nobody_is_not_everybody(shared: Memory, ids: dict[str, Any]) -> None:
    """A scope that is missing, empty, None, or only part of a filter is an error, and never a first or last user."""
    with pytest.raises((ScopeError, FilterError)):
        shared.search("secret", **ids)
    if not {"tags", "kinds"} & ids.keys():
        with pytest.raises((ScopeError, FilterError)):
            shared.get_all(**ids)


@pytest.mark.parametrize("ids", NOBODY[:4], ids=str)
def test_nobody_writes_or_deletes(shared: Memory, ids: dict[str, Any]) -> None:
    """No write goes anywhere without a scope, and no deletion to everybody."""
    calls: tuple[Callable[[], object], ...] = (
        lambda: shared.add("x", **ids),
        lambda: shared.delete_all(**ids),
        lambda: shared.delete_all(erase=True, **ids),
        lambda: shared.get(key="secret", **ids),
        lambda: shared.scoped(**ids),
    )
    for call in calls:
        with pytest.raises(ScopeError):
            call()
    assert _texts(shared.get_all(user_id="bob")) == {"the secret of bob"}


def test_none_beside_a_scope_changes_nothing(two: Memory) -> None:
    """An id that is None is one that was not given; the others still hold."""
    assert "the secret of ann, changed" not in _texts(two.get_all(user_id="bob", agent_id=None, bucket=None))
    assert _texts(two.get_all(user_id="bob", run_id=None, filters={})) == _texts(two.get_all(user_id="bob"))


def test_beginnings_are_no_scopes(two: Memory) -> None:
    """A user whose name begins with another's, or ends it, is somebody else."""
    for name in ("bo", "bob2", "bobby", "ob", "b%", "bob.x", "bob/x", "bob:monday"):
        two.add("own", user_id=name)
        assert _texts(two.search("secret own", user_id=name)) == {"own"}
    assert "own" not in _texts(two.get_all(user_id="bob"))


def test_every_word_of_the_scope_counts(two: Memory) -> None:
    """Of several ids all must hold, for each verb: a run of Bob's is not everybody's run of that name."""
    ids = {"user_id": "bob", "run_id": "tuesday"}
    assert _texts(two.search("secret tuesday", **ids)) == {"the tuesday of bob"}  # type: ignore[arg-type] # words
    assert _texts(two.get_all(user_id="bob", agent_id="clerk")) == {"the tuesday of bob"}
    assert _texts(two.get_all(user_id="bob", bucket="docs")) == {"the tuesday of bob"}
    assert len(two.get_all(user_id="bob", run_id="nowhere")) == 0
    assert two.delete_all(user_id="bob", run_id="tuesday") == 1
    assert "the tuesday of ann" in _texts(two.get_all(user_id="ann"))
    assert len(two.get_all(user_id="bob")) == 3


def test_foreign_ids_are_not_found(two: Memory) -> None:
    """Whoever knows the id of somebody else's memory reads, changes and deletes nothing with it; it looks unknown."""
    secret, picture = two.get(key="secret", user_id="ann", run_id="monday"), two.get_all(user_id="ann").items[0]
    assert picture.media
    bob = two.scoped(user_id="bob")
    calls: tuple[Callable[[str], object], ...] = (
        bob.get,
        bob.history,
        bob.media,
        bob.open_media,
        bob.delete,
        lambda id_: bob.delete(id_, erase=True),
        lambda id_: bob.update(id_, "mine now"),
        lambda id_: bob.restore(id_, 1),
        bob.describe,
        lambda id_: bob.describe(id_, wait=False),
    )
    for id_ in (secret.id, picture.id, "unknown"):
        for call in calls:
            with pytest.raises(NotFound) as caught:
                call(id_)
            assert "ann" not in str(caught.value)
    assert two.get(secret.id).text == "the secret of ann, changed"
    assert two.media(picture.id) == png("red")


def test_a_view_cannot_be_left(two: Memory) -> None:
    """What is bound to a user stays so, whatever its caller puts into a filter."""
    bob = two.scoped(user_id="bob")
    for filters in ({"user_id": "ann"}, {"OR": [{"user_id": "ann"}, {"user_id": "bob"}]}, {"user_id": "*"}):
        try:
            found = _texts(bob.search("secret", filters=filters)) | _texts(bob.get_all(filters=filters))
        except ScopeError:
            continue
        assert not any("ann" in text for text in found)


def test_the_past_has_scopes(two: Memory) -> None:
    """A search as of a moment, and a history, keep to the scope as the present does."""
    item = two.get(key="secret", user_id="bob", run_id="monday")
    before = item.updated_at - timedelta(microseconds=1)
    assert _texts(two.search("secret", user_id="bob", as_of=before)) == {"the secret of bob"}
    assert _texts(two.history(item.id, user_id="bob")) == {"the secret of bob", "the secret of bob, changed"}


def test_same_words_are_two_memories(two: Memory) -> None:
    """What two users say alike is stored twice: deleting one's never takes the other's, nor changes it."""
    [mine] = [item for item in two.get_all(user_id="bob") if item.text == "the shared secret"]
    two.update(mine.id, tags=["bob"])
    two.delete(mine.id, erase=True)
    [other] = [item for item in two.get_all(user_id="ann") if item.text == "the shared secret"]
    assert (other.tags, other.version) == ((), 1)
    assert mine.id != other.id


def test_deleting_deletes(two: Memory) -> None:
    """What says that it deleted did so, and a foreign scope deletes nothing and says so."""
    assert two.delete_all(user_id="nobody") == 0
    assert two.delete_all(user_id="bob") == 4
    assert len(two.get_all(user_id="bob")) == len(two.search("secret", user_id="bob")) == 0
    assert two.delete_all(user_id="bob", erase=True) == 4
    assert len(two.get_all(user_id="ann")) == 4


def test_an_export_holds_one_user(two: Memory, tmp_path: Path) -> None:
    """The archive of a scope has nobody else's memories and originals."""
    assert two.export(tmp_path / "bob.zip", user_id="bob").memories == 4
    with Memory("memory://", embedder="hashing:64") as other:
        other.import_(tmp_path / "bob.zip")
        assert len(other.get_all(user_id="bob")) == 4
        assert len(other.get_all(user_id="ann")) == 0
        assert len(list(other.engine.store.backend.list_media())) == 2


class Leaky:
    """A backend that forgets the filter: what a bug in a third party's could do."""

    def __init__(self) -> None:
        self.inner = open_inmemory(BackendRequest(location="memory://", profile=PROFILE))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def select(self, selection: Selection) -> list[Record]:
        """Everybody's."""
        return self.inner.select(Selection(where=All(()), limit=selection.limit))

    def nearest(self, vector: Any, selection: Selection) -> list[Match]:
        """Everybody's."""
        return self.inner.nearest(vector, Selection(where=All(()), limit=selection.limit))

    def match(self, terms: Any, selection: Selection) -> list[Match]:
        """Everybody's."""
        return self.inner.match(terms, Selection(where=All(()), limit=selection.limit))


def test_rows_are_checked_again() -> None:
    """A row that a backend returns from outside the scope reaches nobody."""
    leaky: Any = Leaky()
    leaky.commit([record("a", text="word", user_id="ann", vector=direction(1))])
    store, view = Store(backend=leaky), View(scope=Scope(user_id="bob"))
    reads: tuple[Callable[[], object], ...] = (
        lambda: store.select(view, limit=5),
        lambda: store.nearest(direction(1), view, limit=5),
        lambda: store.match(["word"], view, limit=5),
        lambda: list(store.pages(view.scope)),
    )
    for read in reads:
        with pytest.raises(ScopeError, match="bug in the backend"):
            read()


#: Reads of a backend by a filter: these bind no scope by themselves.
_BY_FILTER = {"select", "nearest", "match", "count", "ids"}
#: Reads by what only its owner can know or compute: an id, a digest.
_BY_NAME = {"latest", "versions", "open_media", "references", "list_media"}
#: Where scopes and the rights of users are made into filters.
_STORE = {"memplug.store", "memplug.rights"}
#: Who may make the latter, each with the reason.
_ALLOWED = {
    "memplug.binding.open_media": "the digest is of a memory that the bound view gave",
    "memplug.chatting._pictures": "the digest is of a hit of the scope",
    "memplug.langchain.store_expiry._put_off": "the ids are of items that the store found in its scope",
    "memplug.langchain.store_items.value_of": "the digest is of an item that the store found in its scope",
    "memplug.langchain.store_writing._erase": "the ids were found inside the scope; those that still are in it count",
    "memplug.reading.open_media": "the digest is of a memory that `get` gave inside the scope",
    "memplug.upkeep.maintain": "upkeep of the whole store; nothing of a memory is returned",
    "memplug.pipelines.calls.placed": "the ids are made of the scope",
    "memplug.pipelines.calls._stored": "the digest is of a record whose id is made of the scope",
    "memplug.pipelines.documents._came_before": "the id is of a memory that `Editions` found in its scope",
    "memplug.pipelines.documents._given": "the versions of a memory that `Store.get` gave",
    "memplug.pipelines.documents._read": "the digest is of a memory that `Store.get` gave",
    "memplug.pipelines.drawn._versions": "the versions of a fact that a view of the turn's scope gave",
    "memplug.pipelines.drawn.drawn_from": "the ids are a view's, of the scope of the turns that are being erased",
    "memplug.pipelines.editing.erase": "the ids were found inside the caller's scope",
    "memplug.pipelines.editions._is_edition": "the ids are made of the id of a memory that lies in exactly the scope",
    "memplug.pipelines.lessons.due": "the ids are made of the scope",
    "memplug.pipelines.lessons._learnt": "the same",
    "memplug.pipelines.lessons._taught": "the ids are those that a view of the scope gave",
    "memplug.pipelines.lessons.without": "the ids are made of the scope of uses that were let go",
    "memplug.pipelines.lessons._finish": "the ids are those that the task was committed with",
    "memplug.pipelines.lessons._stored": "the same",
    "memplug.pipelines.lessons.attempt": "the same",
    "memplug.pipelines.lessons._forget": "the same",
    "memplug.pipelines.lessons._there": "the ids are of uses that a view of the lesson's scope gave",
    "memplug.pipelines.pieces.fate": "the ids are made of the whole's, which was looked up in the scope",
    "memplug.pipelines.pieces.returning": "the same",
    "memplug.pipelines.remembering.finish": "the ids are those that the task was committed with",
    "memplug.pipelines.remembering._finish": "the same",
    "memplug.pipelines.remembering.attempt": "the same",
    "memplug.pipelines.skills.find_skill": "the digest is of a memory that `Store.get` or a view gave",
    "memplug.pipelines.tasks._followed": "the ids are those that a task's own memories say they became",
    "memplug.pipelines.tasks.open_items": "the ids are those that the task was committed with",
    "memplug.pipelines.tasks.task_record": "a task's id is drawn, and known to who began it",
    "memplug.pipelines.tasks.status_of": "a task's id is drawn, and known to who began it; so are the memories of it",
    "memplug.pipelines.toolbook.recounted": "the ids are made of the scope of uses that were let go",
    "memplug.pipelines.toolbook.written": "the ids are made of the scope",
    "memplug.pipelines.tooling.about_tools": "the same",
    "memplug.pipelines.describing._media": "the digest is of a memory that `Store.get` gave",
    "memplug.pipelines.recall._load": "the digest is of a hit, which was checked",
    "memplug.pipelines.exporting._write": "the record came from the scope's pages",
    "memplug.pipelines.exporting._write_media": "the digest is of a record that came from the scope's pages",
    "memplug.pipelines.doctor.examine": "upkeep of the whole store; asks for no id",
    "memplug.pipelines.doctor._look_at_media": "upkeep of the whole store",
    "memplug.pipelines.doctor._orphans": "upkeep of the whole store",
    "memplug.pipelines.editing._erase": "the ids were found inside the scope",
    "memplug.pipelines.planning._placed": "the ids are made of the scope; a foreign record is told by `_foreign`",
    "memplug.pipelines.transfer._plans": "the ids are the archive's; a memory is brought in only as the same one",
    "memplug.pipelines.transfer._settle": "the same",
    "memplug.pipelines.transfer._stored": "the same",
    "memplug.pipelines.wholes._has_words": "upkeep of the whole store",
    "memplug.pipelines.wholes._is_there": "the same",
    "memplug.pipelines.wholes.hollow": "the same",
    "memplug.pipelines.wholes.lone_pieces": "the same",
    "memplug.pipelines.foreign.importing._news": "the ids are made of the scope",
}


def _backend_reads() -> Iterator[tuple[str, str]]:
    """Every place above the store that reads from a backend itself: the function and the method."""
    package = Path(memplug.__file__).parent
    for path in sorted(package.rglob("*.py")):
        name = ".".join(("memplug", *path.relative_to(package).with_suffix("").parts))
        if name.startswith(("memplug.backends.", "memplug.testing.")) or name in _STORE:
            continue
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Attribute) and _is_backend(node.value, function):
                        yield f"{name}.{function.name}", node.attr


def _is_backend(node: ast.expr, function: ast.AST) -> bool:
    """Whether an expression is a backend: an attribute or a variable of that name, or a variable that was given one."""
    if isinstance(node, ast.Attribute):
        return node.attr == "backend"
    aliases = {
        target.id
        for one in ast.walk(function)
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Attribute) and one.value.attr == "backend"
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    return isinstance(node, ast.Name) and (node.id == "backend" or node.id in aliases)


def test_nobody_goes_around_the_store() -> None:
    """No module above `memplug.store` reads from a backend by a filter; by an id or digest only who is listed."""
    found = set(_backend_reads())
    assert found, "the test does not see what it looks for"
    assert {place for place in found if place[1] in _BY_FILTER} == set()
    readers = {function for function, method in found if method in _BY_NAME}
    assert readers - _ALLOWED.keys() == set()
    assert _ALLOWED.keys() - readers == set()
