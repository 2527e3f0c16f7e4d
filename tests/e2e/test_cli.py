"""The command line, command by command."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
import zipfile
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from click.testing import CliRunner
from PIL import Image
from rich.cells import cell_len

from exports import chat, said, written
from memplug import Memory
from memplug.cli.app import cli as program
from memplug.values.item import MemoryItem

if TYPE_CHECKING:
    from pathlib import Path


COMMANDS = (
    *("add", "search", "get", "list", "update", "delete", "history", "restore", "skill", "buckets"),
    *("export", "import", "reindex", "maintain", "worker", "doctor", "plugins", "demo"),
)
#: The keys of a memory in ``--json``; scripts depend on them.
ITEM_KEYS = set(MemoryItem.__dataclass_fields__) | {"valid_from"}
#: What most tests store with: fast, and it finds by words.
EMBEDDER = "hashing:64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON document that it must be."""
        document: dict[str, Any] = json.loads(self.out)
        assert self.out.count("\n") == 1
        return document


class Cli(Protocol):
    """Runs the program with these arguments."""

    def __call__(self, *args: str | Path, stdin: bytes = b"", **environ: str) -> Ran:
        """Runs it to its end."""


def clean_environment(**environ: str) -> dict[str, str]:
    """This process's environment without anything that memplug or a terminal reads, and with these."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MEMPLUG_") and name not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR", "LINES"}
    }
    return kept | {"MEMPLUG_DISABLE_PLUGINS": "all"} | environ


def _in_process(location: str) -> Cli:
    def run(*args: str | Path, stdin: bytes = b"", **environ: str) -> Ran:
        given = clean_environment(MEMPLUG_STORE=location, **({"MEMPLUG_EMBEDDER": EMBEDDER} | environ))
        whole: dict[str, str | None] = dict.fromkeys(set(os.environ) - set(given))
        done = CliRunner().invoke(program, [str(arg) for arg in args], input=stdin, env={**whole, **given})
        return Ran(code=done.exit_code, out=done.stdout, err=done.stderr)

    return run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a test's store will be."""
    return tmp_path / "store"


@pytest.fixture
def cli(store: Path) -> Cli:
    """The program inside this process, on a real LanceDB store."""
    return _in_process(str(store))


@pytest.fixture
def quick() -> Cli:
    """The program inside this process, on a store that lives in memory: for what is about words, not about storing."""
    return _in_process(f"memory://{uuid.uuid4().hex}")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small PNG file."""
    path = tmp_path / "red.png"
    Image.new("RGB", (60, 40), "red").save(path)
    return path


def one_id(cli: Cli, *args: str) -> str:
    """Adds something for wang, and returns its id."""
    [outcome] = cli("add", *args, "-u", "wang", "--json").json["outcomes"]
    id_: str = outcome["id"]
    return id_


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(quick: Cli, name: str) -> None:
    """Each command has a help page with the global options, and the program's page names each command."""
    page = quick(name, "--help")
    assert page.code == 0
    assert {"--json", "--store", "--quiet"} <= set(page.out.replace(",", " ").split())
    assert f"\n  {name} " in quick("--help").out


def test_the_help_page_tells_the_exit_codes(quick: Cli) -> None:
    """Whoever writes a script finds what the codes mean."""
    page = quick("--help").out
    assert "Exit codes:" in page
    for code, word in ((1, "no such memory"), (3, "input rejected"), (6, "rejected, the rest"), (130, "interrupted")):
        assert any(line.split()[:1] == [str(code)] and word in line for line in page.splitlines())


def test_what_is_added_is_found_listed_and_shown(cli: Cli) -> None:
    """Add, search, list and get tell of the same memory."""
    added = cli(
        "add", "I am Wang, and I like spicy food.", "--user", "wang", "--tag", "food", "--metadata", "price=12.5"
    )
    assert (added.code, added.out.split()[0]) == (0, "added")
    id_ = added.out.split()[1]
    found = cli("search", "spicy", "food", "--user", "wang")
    assert found.code == 0
    assert "I like spicy food." in found.out
    assert id_ in found.out
    assert id_ in cli("list", "--user", "wang").out
    shown = cli("get", id_, "--user", "wang").out
    assert '{"price": 12.5}' in shown
    assert shown.endswith("\n\nI am Wang, and I like spicy food.\n")


def test_json_has_stable_keys_and_iso_moments(cli: Cli) -> None:
    """With --json, in either place, stdout is one document whose keys are always the same."""
    outcome = cli("--json", "add", "tea", "-u", "wang", "--at", "2026-01-02", "--key", "drink").json["outcomes"][0]
    assert set(outcome) == {"event", "part", "id", "kind", "text", "key", "version", "error", "pieces", "reason"}
    [hit] = cli("search", "tea", "-u", "wang", "--json").json["hits"]
    assert set(hit) == ITEM_KEYS | {"score", "shares"}
    page = cli("list", "-u", "wang", "--json").json
    assert set(page) == {"ok", "memories", "cursor"}
    memory = cli("get", "--key", "drink", "-u", "wang", "--json").json["memory"]
    assert set(memory) == ITEM_KEYS
    assert memory == page["memories"][0]
    assert memory["occurred_at"] == "2026-01-02T00:00:00+00:00"
    assert datetime.fromisoformat(memory["created_at"]).tzinfo is not None


def test_explain_shows_shares_that_sum_to_the_score(cli: Cli) -> None:
    """A hit says what each ranker gave it; without --explain the shares are empty."""
    cli("add", "the boat is green", "-u", "wang")
    [hit] = cli("search", "green boat", "-u", "wang", "--explain", "--json").json["hits"]
    assert hit["shares"]
    assert sum(hit["shares"].values()) == pytest.approx(hit["score"], abs=1e-6)
    assert cli("search", "green boat", "-u", "wang", "--json").json["hits"][0]["shares"] == {}
    name = max(hit["shares"], key=lambda share: hit["shares"][share])
    assert f"{name} {hit['shares'][name]:.2f}" in cli("search", "green boat", "-u", "wang", "--explain").out


def test_search_narrows_by_kind_tag_filter_score_and_time(cli: Cli, picture: Path) -> None:
    """Each option of search leaves out what does not fit."""
    tea = one_id(cli, "green tea", "--tag", "drink", "--metadata", '{"price": 3}')
    boat = one_id(cli, "green boat", "--metadata", "price=900")
    image = one_id(cli, "--file", str(picture), "--description", "green")

    def found(*args: str) -> set[str]:
        return {hit["id"] for hit in cli("search", "green", "-u", "wang", "--json", *args).json["hits"]}

    assert found() == {tea, boat, image}
    assert found("--kind", "image") == {image}
    assert found("--tag", "drink") == {tea}
    assert found("--filter", '{"price": {"gt": 10}}') == {boat}
    assert found("--as-of", "2001-01-01") == set()
    assert found("--min-score", "0.999999") <= {tea, boat, image}
    assert len(found("-k", "1")) == 1
    listed = cli("list", "-u", "wang", "--json", "--kind", "text", "--filter", '{"price": {"lt": 10}}').json
    assert [item["id"] for item in listed["memories"]] == [tea]


def test_search_looks_into_knowledge_bases_too(cli: Cli) -> None:
    """Those that are named, beside the user's own; each hit says where it lies."""
    for scope in (("-u", "wang"), ("--bucket", "kb_a"), ("--bucket", "kb_b")):
        cli("add", "green tea", *scope)
    hits = cli("search", "tea", "-u", "wang", "--knowledge-base", "kb_a", "--json").json["hits"]
    assert {hit["bucket"] for hit in hits} == {None, "kb_a"}


def test_deleting_tells_what_was_not_allowed(cli: Cli, store: Path) -> None:
    """Of several memories those go that may; the others are told with the reason."""
    with Memory(store, embedder=EMBEDDER) as memory:
        memory.buckets.create("team", owner="olga")
        memory.buckets.share("team", "wang", "contributor", by="olga")
        ids = [memory.add("tea", user_id=name, bucket="team").ids[0] for name in ("wang", "olga")]
    ran = cli("delete", *reversed(ids), "-u", "wang", "--bucket", "team", "--json")
    assert (ran.code, ran.json["deleted"]) == (6, ids[:1])
    assert [one["error"]["code"] for one in ran.json["errors"]] == ["scope.denied"]
    assert cli("delete", ids[1], "-u", "wang", "--bucket", "team").code == 4


def test_nothing_found_is_no_error(quick: Cli) -> None:
    """A search or list without a result says so on stderr, leaves stdout empty, and exits with 0."""
    quick("add", "tea", "-u", "wang")
    for args in (("search", "tea"), ("list",)):
        empty = quick(*args, "-u", "nobody")
        assert (empty.code, empty.out) == (0, "")
        assert empty.err.startswith("nothing")
        assert quick(*args, "-u", "nobody", "--quiet").err == ""


def test_scope_comes_from_the_environment(quick: Cli) -> None:
    """MEMPLUG_USER and the others stand in for the options, and an option wins over them."""
    quick("add", "tea", MEMPLUG_USER="wang", MEMPLUG_RUN="monday")
    assert quick("search", "tea", "--json", MEMPLUG_USER="wang").json["hits"][0]["run_id"] == "monday"
    assert quick("search", "tea", "-u", "li", "--json", MEMPLUG_USER="wang").json["hits"] == []


def test_text_and_messages_come_from_stdin(quick: Cli) -> None:
    """`-` reads the text; --messages reads a conversation with speakers."""
    assert (
        quick("add", "-", "-u", "wang", "--json", stdin="喜欢喝茶".encode()).json["outcomes"][0]["text"] == "喜欢喝茶"
    )
    talk = [{"role": "user", "content": "Hi", "name": "Wang"}, {"role": "assistant", "content": "Hello"}]
    told = quick("add", "--messages", "-", "-u", "wang", "--run", "1", "--json", stdin=json.dumps(talk).encode())
    assert [outcome["event"] for outcome in told.json["outcomes"]] == ["added", "added"]
    roles = {item["source"]["role"] for item in quick("list", "--run", "1", "--json").json["memories"]}
    assert roles == {"user", "assistant"}
    bad = quick("add", "-", "-u", "wang", stdin=b"\xff\xfe\x00")
    assert (bad.code, bad.err.split(":")[0]) == (3, "error[input.malformed]")


def test_files_come_from_paths_and_stdin(cli: Cli, picture: Path, tmp_path: Path) -> None:
    """A picture is found by the text given along, and its bytes come back to the last one."""
    told = cli("add", "the red flag", "-f", picture, "-u", "wang", "--json").json["outcomes"]
    assert [outcome["kind"] for outcome in told] == ["text", "image"]
    hits = cli("search", "flag", "-u", "wang", "--kind", "image", "--json").json["hits"]
    assert [hit["id"] for hit in hits] == [told[1]["id"]]
    piped = cli("add", "--file", "-", "-u", "li", "--json", stdin=picture.read_bytes()).json["outcomes"][0]
    saved, thumbnail = tmp_path / "saved.png", tmp_path / "small.webp"
    shown = cli("get", piped["id"], "--save", saved, "--thumbnail", thumbnail, "--json").json
    assert saved.read_bytes() == picture.read_bytes()
    assert thumbnail.read_bytes()[8:12] == b"WEBP"
    assert shown["saved"] == {"original": str(saved), "thumbnail": str(thumbnail)}
    assert sorted(path.name for path in tmp_path.glob("*.*p*")) == ["red.png", "saved.png", "small.webp"]


def test_saving_never_overwrites_unasked(quick: Cli, picture: Path, tmp_path: Path) -> None:
    """A file that is there stays as it is, until --force."""
    id_ = one_id(quick, "-f", str(picture))
    taken = tmp_path / "taken"
    taken.write_text("mine")
    refused = quick("get", id_, "--save", taken)
    assert (refused.code, taken.read_text()) == (4, "mine")
    assert "--force" in refused.err
    assert quick("get", id_, "--save", taken, "--force").code == 0
    assert taken.read_bytes() == picture.read_bytes()
    lost = quick("get", id_, "--save", tmp_path / "nowhere" / "x")
    assert (lost.code, lost.err.split(":")[0]) == (5, "error[cli.file]")
    text = one_id(quick, "only words")
    assert quick("get", text, "--save", tmp_path / "none").code == 1
    assert not (tmp_path / "none").exists()


def test_a_correction_is_a_version_that_can_be_taken_back(cli: Cli) -> None:
    """Update, history, delete and restore work on versions."""
    id_ = one_id(cli, "the flight leaves at 9:40")
    assert cli("update", id_, "the flight leaves at 11:15", "-u", "wang").code == 0
    assert "11:15" in cli("search", "flight", "-u", "wang").out
    assert cli("delete", id_, "-u", "wang").out.split() == ["deleted", id_]
    assert cli("list", "-u", "wang").out == ""
    versions = cli("history", id_, "-u", "wang", "--json").json["versions"]
    assert [version["deleted"] for version in versions] == [False, False, True]
    assert "(deleted)" in cli("history", id_).out
    assert cli("restore", id_, "1", "-u", "wang", "--json").json["memory"]["version"] == 4
    assert "9:40" in cli("get", id_).out
    assert cli("restore", id_, "3").code == 1


def test_delete_all_asks_first(quick: Cli) -> None:
    """Nothing is deleted without a yes; where nobody can answer, that is wrong usage."""
    one_id(quick, "tea")
    one_id(quick, "boat")
    no = quick("delete", "--all", "-u", "wang", stdin=b"n\n")
    assert no.code == 1
    assert "Delete all memories of user wang?" in no.err
    assert quick("delete", "--all", "-u", "wang").code == 2
    assert quick("delete", "--all", "-u", "wang", "--json").code == 2
    assert quick("delete", "--all", "--yes").code == 4
    assert len(quick("list", "-u", "wang", "--json").json["memories"]) == 2
    assert quick("delete", "--all", "-u", "wang", stdin=b"y\n").out.split() == ["deleted", "2", "memories"]
    assert quick("list", "-u", "wang", "--json").json["memories"] == []


def test_deleting_some_that_are_not_there_is_partial(quick: Cli) -> None:
    """What is there is deleted, what is not is told, and the code says partial."""
    id_ = one_id(quick, "tea")
    some = quick("delete", id_, "nothing", "-u", "wang", "--json")
    assert (some.code, some.json["deleted"]) == (6, [id_])
    assert some.json["errors"][0] == {"id": "nothing", "error": some.json["errors"][0]["error"]}
    assert some.json["errors"][0]["error"]["code"] == "item.not_found"
    assert quick("delete", "nothing", "neither", "-u", "wang").code == 1
    assert quick("delete", id_, "--erase", "-u", "li").code == 1
    assert quick("delete", id_, "--erase", "-u", "wang").code == 0
    assert quick("history", id_).code == 1


def test_a_long_list_comes_in_pages(quick: Cli) -> None:
    """The cursor of a page leads to the next one, until there is none."""
    for word in ("one", "two", "three"):
        one_id(quick, word)
    first = quick("list", "-u", "wang", "--limit", "2", "--json").json
    rest = quick("list", "-u", "wang", "--limit", "2", "--cursor", first["cursor"], "--json").json
    assert [item["text"] for item in first["memories"] + rest["memories"]] == ["three", "two", "one"]
    assert rest["cursor"] is None
    assert f"--cursor {first['cursor']}" in quick("list", "-u", "wang", "--limit", "2").err


def test_export_and_import_carry_everything(cli: Cli, quick: Cli, picture: Path, tmp_path: Path) -> None:
    """An archive brings memories, versions and originals into another store, and a second time changes nothing."""
    id_ = one_id(cli, "tea")
    cli("update", id_, "green tea")
    one_id(cli, "-f", str(picture), "--description", "flag")
    archive = tmp_path / "all.zip"
    report = cli("export", archive, "--json").json
    assert (report["memories"], report["versions"]) == (2, 3)
    assert zipfile.is_zipfile(archive)
    assert cli("export", archive).code == 4
    assert quick("import", archive, "--json").json["added"] == 2
    assert quick("import", archive, "--json", MEMPLUG_USER="li").json["unchanged"] == 2
    assert quick("import", archive, "--json", "--user", "li").json["added"] == 2
    assert {item["user_id"] for item in quick("list", "--user", "li", "--json").json["memories"]} == {"li"}
    assert "green tea" in quick("get", id_, "-u", "wang").out


def test_a_bad_line_of_an_import_takes_no_other_with_it(quick: Cli, tmp_path: Path) -> None:
    """Good lines are in, bad ones are told with their number, and the code says partial."""
    lines = tmp_path / "talk.jsonl"
    lines.write_text('{"content": "tea", "user_id": "wang"}\nnot json\n{"content": "boat", "user_id": "wang"}\n')
    report = quick("import", lines, "--json")
    assert (report.code, report.json["ok"], report.json["added"]) == (6, False, 2)
    assert [rejected["line"] for rejected in report.json["rejected"]] == [2]
    assert "line 2: " in quick("import", lines).out


def test_moving_in_from_elsewhere(quick: Cli, tmp_path: Path) -> None:
    """The format is found out or named; what was left out or rejected is told in words and as data."""
    talk = chat("c1", said("user", "tea"), said("user", "edited away"), said("user", "\0"), after={3: 1})
    path = written(tmp_path / "conversations.json", [talk])
    assert quick("import", path).code == 4
    done = quick("import", path, "--user", "wang")
    assert done.code == 6
    assert done.out.splitlines()[0] == "imported  1 added, 0 updated, 0 unchanged, 1 rejected"
    assert "rejected  conversation 1 'Trip to Rome', message 2: empty text" in done.out
    assert "left out  1 messages on branches that were edited away; all branches can be asked for" in done.out
    again = quick("import", path, "--user", "wang", "--from", "chatgpt", "--all-branches", "--json").json
    assert (again["added"], again["unchanged"], again["left_out"], again["format"]) == (1, 1, {}, "chatgpt")
    assert again["rejected"][0]["place"] == "conversation 1 'Trip to Rome', message 2"
    wrong = quick("import", path, "--user", "wang", "--from", "mem0")
    assert (wrong.code, "no export of mem0, but of chatgpt" in wrong.err) == (3, True)
    assert quick("import", path, "--from", "gemini").code == 2


def test_a_partly_rejected_add_keeps_the_rest(quick: Cli, picture: Path, tmp_path: Path) -> None:
    """The outcome of each part is told; the good ones are stored."""
    fake = tmp_path / "fake.png"
    fake.write_bytes(b"\x89PNG no")
    mixed = quick("add", "-f", picture, "-f", fake, "-u", "wang", "--json")
    assert (mixed.code, mixed.json["ok"]) == (6, False)
    assert [outcome["event"] for outcome in mixed.json["outcomes"]] == ["added", "rejected"]
    assert mixed.json["outcomes"][1]["error"]["code"].startswith("input.")
    told = quick("add", "-f", picture, "-f", fake, "-u", "li").out.splitlines()
    assert [line.split()[0] for line in told] == ["added", "rejected"]
    assert len(quick("list", "-u", "wang", "--json").json["memories"]) == 1
    alone = quick("add", "-f", fake, "-u", "wang", "--json")
    assert (alone.code, alone.json["error"]["code"][:6]) == (3, "input.")
    assert [outcome["event"] for outcome in alone.json["outcomes"]] == ["rejected"]


@pytest.mark.parametrize(
    ("args", "code", "name"),
    [
        (("get", "nothing"), 1, "item.not_found"),
        (("search", "tea"), 4, "scope.invalid"),
        (("search", "tea", "-u", ""), 4, "scope.invalid"),
        (("list", "-u", "wang", "--filter", "{"), 4, "filter.invalid"),
        (("list", "-u", "wang", "--filter", '{"a": {"near": 1}}'), 4, "filter.invalid"),
        (("add", "tea", "-u", "wang", "--metadata", "price"), 4, "config.invalid"),
        (("add", "tea", "-u", "wang", "--embedder", "nonsense"), 4, "config.invalid"),
        (("add", "tea", "-u", "wang", "--store", "nonsense://x"), 4, "config.invalid"),
        (("add", "  ", "-u", "wang"), 3, "input.malformed"),
        (("add", "tea", "-u", "wang", "--at", "yesterday-ish"), 3, "input.malformed"),
        (("add", "--file", "does-not-exist.png", "-u", "wang"), 3, "input."),
        (("add", "--messages", "does-not-exist.json", "-u", "wang"), 3, "input.malformed"),
    ],
)
def test_an_error_is_one_line_or_one_object(quick: Cli, args: tuple[str, ...], code: int, name: str) -> None:
    """No traceback: ``error[code]: message`` on stderr, or with --json an object on stdout, and the right exit code."""
    one_id(quick, "something")
    told = quick(*args)
    assert (told.code, told.out) == (code, "")
    assert told.err.startswith(f"error[{name}")
    assert told.err.count("\n") == 1
    data = quick(*args, "--json")
    assert (data.code, data.err) == (code, "")
    assert data.json["ok"] is False
    assert set(data.json["error"]) == {"code", "message", "hint"}
    assert data.json["error"]["code"].startswith(name)


def test_debug_shows_where_an_error_comes_from(quick: Cli) -> None:
    """MEMPLUG_DEBUG=1 adds the traceback, which is hidden otherwise."""
    assert "Traceback" in quick("search", "tea", MEMPLUG_DEBUG="1").err
    assert "Traceback" not in quick("search", "tea", MEMPLUG_DEBUG="0").err


@pytest.mark.parametrize(
    "args",
    [("add", "-u", "x"), ("get",), ("get", "a", "--key", "b"), ("delete",), ("delete", "a", "--all"), ("nonsense",)],
)
def test_wrong_usage_is_two(quick: Cli, args: tuple[str, ...]) -> None:
    """What the program cannot make sense of exits with 2 and says how to get help."""
    wrong = quick(*args)
    assert (wrong.code, wrong.out) == (2, "")
    assert "--help" in wrong.err


def test_reading_never_makes_a_store(cli: Cli, store: Path) -> None:
    """A slip in --store is told instead of answered from a new, empty store."""
    for args in (
        ("search", "tea", "-u", "wang"),
        ("list", "-u", "wang"),
        ("get", "x"),
        ("export", "x.zip"),
        ("doctor",),
    ):
        told = cli(*args)
        assert told.code in {1, 4, 5}, args
        assert told.err.startswith("error[")
        assert not store.exists()


def test_the_store_is_examined_and_maintained(cli: Cli) -> None:
    """Doctor lists its checks and finds nothing wrong with a good store; maintain ends with 0."""
    one_id(cli, "tea")
    report = cli("doctor", "--json")
    assert (report.code, report.json["ok"]) == (0, True)
    assert {"name", "ok", "found", "repaired", "detail"} == set(report.json["checks"][0])
    assert "ok" in cli("doctor").out
    assert cli("maintain").code == 0
    assert "tea" in cli("search", "tea", "-u", "wang").out


def test_reindex_changes_the_embedder(cli: Cli) -> None:
    """Another embedder is refused until `reindex` has made the store over."""
    one_id(cli, "tea")
    assert cli("reindex", MEMPLUG_EMBEDDER="").code == 2
    refused = cli("search", "tea", "-u", "wang", "--embedder", "hashing:128", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (4, "store.embedder_mismatch")
    assert cli("reindex", "--embedder", "hashing:128", "--json").json["memories"] == 1
    assert "tea" in cli("search", "tea", "-u", "wang", "--embedder", "hashing:128").out


def test_plugins_are_listed_with_their_state(quick: Cli) -> None:
    """Name, version, hooks, state, reason and load time of each plugin."""
    rows = quick("plugins", "--json").json["plugins"]
    assert {"name", "version", "hooks", "state", "reason", "load_ms"} <= set(rows[0])
    assert {row["name"] for row in rows} >= {"memplug.inputs", "memplug.backends", "memplug.embedders"}
    page = quick("plugins").out
    assert all(row["name"] in page for row in rows)


HOSTILE = (
    "red\x1b[31m\x1b]0;title\x07 bell\x9b2J back\x08\r\u202egnp.exe\u2066 [bold]markup[/bold] :smile: \U000e0041end"
)
CONTROLS = set("\x1b\x07\x08\x9b\r\u202e\u2066\U000e0041")


def test_memory_text_has_no_power_over_the_terminal(quick: Cli) -> None:
    """Escape sequences, control characters and marks that reorder text are shown as escapes; markup stays words."""
    id_ = one_id(quick, HOSTILE, "--key", HOSTILE, "--tag", HOSTILE, "--metadata", json.dumps({"x": HOSTILE}))
    for args in (("list", "-u", "wang"), ("search", "markup", "-u", "wang"), ("get", id_), ("history", id_)):
        shown = quick(*args, COLUMNS="1000")
        assert shown.code == 0
        assert "[bold]markup[/bold] :smile:" in shown.out
        assert r"\u202egnp.exe\u2066" in shown.out
        assert not set(shown.out) & CONTROLS
    shown = quick("get", id_)
    assert shown.out.count(r"red\x1b[31m\x1b]0;title\x07 bell\x9b2J back\x08") >= 2
    answer = quick("get", id_, "--json")
    assert not set(answer.out) & CONTROLS
    assert answer.json["memory"]["metadata"] == {"x": HOSTILE}
    assert answer.json["memory"]["key"] == HOSTILE


def test_hostile_names_have_no_power_either(quick: Cli) -> None:
    """What was typed comes back in an error as escapes too."""
    for args in (("get", "\x1b[31mx"), ("add", "x", "-u", "w", "--kind", "\x1b[31m"), ("list", "-u", "\udcff")):
        told = quick(*args)
        assert told.code in {1, 3, 4}
        assert "\x1b" not in told.err


def test_wide_characters_align(quick: Cli) -> None:
    """A column starts at the same cell in every row, also behind Chinese."""
    for key, text in (("茶", "喜欢喝茶"), ("tea", "likes tea"), ("mixed茶", "tea 和 coffee")):
        quick("add", text, "-u", "wang", "--key", key)
    rows = quick("list", "-u", "wang", COLUMNS="120").out.splitlines()
    ids = {item["id"] for item in quick("list", "-u", "wang", "--json").json["memories"]}
    places = {cell_len(row[: row.index(id_)]) for row in rows for id_ in ids if id_ in row}
    assert len(places) == 1


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_a_table_fits_the_terminal(quick: Cli, columns: int) -> None:
    """No line is wider than the terminal, and a long text is cut with an ellipsis."""
    one_id(quick, "memory " * 60 + "喜欢喝茶" * 20)
    shown = quick("search", "memory", "-u", "wang", COLUMNS=str(columns)).out
    assert "…" in shown
    assert max(cell_len(line) for line in shown.splitlines()) <= columns


def test_a_pipe_gets_the_whole_text(quick: Cli) -> None:
    """Where nobody looks, nothing is cut, coloured or padded: one memory, one line."""
    text = "word " * 100 + "end"
    id_ = one_id(quick, text)
    heading, row = quick("list", "-u", "wang").out.splitlines()
    assert heading.split() == ["kind", "text", "when", "id"]
    assert text in row
    quick("update", id_, "short")
    versions = quick("history", id_).out.splitlines()
    assert [line for line in versions if line != line.rstrip()] == []


def test_color_is_for_those_who_want_it(quick: Cli) -> None:
    """FORCE_COLOR colours, NO_COLOR does not, and a pipe is plain."""
    one_id(quick, "tea")
    assert "\x1b[" in quick("list", "-u", "wang", FORCE_COLOR="1", TERM="xterm").out
    assert "\x1b[3" not in quick("list", "-u", "wang", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").out
    assert "\x1b" not in quick("list", "-u", "wang").out


def test_a_text_that_is_a_file_name_is_pointed_out(quick: Cli, picture: Path) -> None:
    """A path given as text stays text, and the program says what would remember the file."""
    added = quick("add", picture, "-u", "wang")
    assert added.out.split()[2] == "text"
    assert "--file" in added.err


def test_the_program_keeps_the_commands_it_lists() -> None:
    """The commands of this test are all there are."""
    assert sorted(program.commands) == sorted(COMMANDS)


def test_the_demo_fits_80_columns_and_can_be_kept(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is as wide as a small terminal; --keep leaves a store that the other commands read."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    page = cli("demo", "--keep", COLUMNS="80", MEMPLUG_EMBEDDER="")
    assert page.code == 0
    *lines, kept = page.out.splitlines()
    assert max(map(cell_len, lines)) <= 80
    store = kept.partition("--store ")[2].split()[0]
    listed = cli("list", "--store", store, "--user", "mei", "--json", MEMPLUG_EMBEDDER="")
    assert len(listed.json["memories"]) == 9


def test_the_demo_works_twice_in_a_store_that_is_named(cli: Cli, store: Path) -> None:
    """In the user's own store it uses a name of its own, and leaves what is there alone."""
    cli("add", "tea", "--user", "mei")
    users = {cli("demo", "--store", store, "--json").json["user"] for _ in range(2)}
    assert len(users) == 2
    assert len(cli("list", "--user", "mei", "--json").json["memories"]) == 1
