"""The LanceDB store at a service (``db://``): what goes wrong there, and what was set wrongly.

The service is a stand-in (`lancedb_server`), the client LanceDB's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from cloud_store import LEASE, opened, session_of, settings
from lancedb_server import KEY, LanceServer
from memplug.backends.lancedb import open_lancedb, upkeep
from memplug.backends.lancedb.cloud_access import KEY_VARIABLE, CloudAccess
from memplug.cli.app import cli as program
from memplug.exceptions import BackendError, ConfigError, MemplugError, StoreFull, VersionConflict
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import EVERYTHING, PROFILE, changed, chosen, ids, record
from s3_server import S3Server, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.plugins.protocols import Backend


# -- what goes wrong


def _said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_a_wrong_key(service: LanceServer, objects: S3Server, bucket: str, caplog: pytest.LogCaptureFixture) -> None:
    """A key that is refused is one typed error, which shows neither key, also where the service shows it."""
    wrong = settings(service, objects, bucket, api_key="hush-hush-hush")
    with pytest.raises(ConfigError, match="refuses the key") as caught:
        opened(service, objects, bucket, options=wrong)
    assert "hush" not in _said(caught.value) + caplog.text
    opened(service, objects, bucket).close()
    with pytest.raises(ConfigError, match="refuses the key") as caught:
        opened(service, objects, bucket, options=wrong, read_only=True)
    assert "hush" not in _said(caught.value) + caplog.text
    request = BackendRequest(location=f"db://{bucket}", profile=PROFILE, options=settings(service, objects, bucket))
    assert KEY not in repr(request) + repr(CloudAccess.of(request))


def test_nobody_answers(service: LanceServer, objects: S3Server, bucket: str) -> None:
    """An address where nobody is, is one typed error, and what is left behind keeps no store from being made."""
    nowhere = settings(service, objects, bucket, host_override="http://127.0.0.1:9")
    with pytest.raises(BackendError, match="cannot") as caught:
        opened(service, objects, bucket, options=nowhere)
    assert caught.value.retryable
    assert KEY not in _said(caught.value)
    store = opened(service, objects, bucket)
    assert store.count(EVERYTHING) == 0
    store.close()


def test_faults_of_reads(store: Backend, service: LanceServer) -> None:
    """A read is repeated where the service has a moment's trouble; where that lasts it is one typed error."""
    store.commit([record("a", text="word")])
    store.maintain()
    for status in (500, 503, 0):
        service.fail("query", status)
        assert ids(store.match(["word"], chosen(vectors=True))) == ["a"]
    service.fail("query", 502, times=20)
    with pytest.raises(BackendError, match="502") as caught:
        store.match(["word"], chosen(vectors=True))
    assert caught.value.retryable
    service.mend()
    assert ids(store.match(["word"], chosen(vectors=True))) == ["a"]


def test_faults_that_a_commit_survives(store: Backend, service: LanceServer) -> None:
    """What the service turned away is asked again; what it did without saying so is found, and not done twice."""
    faults = [(503, False), (429, False), (500, True), (504, True), (0, True)]
    for n, (status, done) in enumerate(faults):
        service.fail("insert", status, done=done)
        store.commit([record(f"{n}-one"), record(f"{n}-two")])
        assert session_of(store).catalog().recent.tier.count() == store.count(EVERYTHING) == 2 * (n + 1)
    store.maintain()
    assert session_of(store).catalog().memories.count() == store.count(EVERYTHING) == 2 * len(faults)


def test_a_fault_after_a_commit(store: Backend, service: LanceServer) -> None:
    """A commit that was written does not fail because what the table is like now cannot be asked; it shows."""
    for n in range(3):
        store.commit([record(f"id{n}")])
    service.tend()
    service.fail("describe .*recent-1", 503, times=4)
    store.commit([record("last")])
    service.mend()
    assert sorted(ids(store.select(chosen()))) == ["id0", "id1", "id2", "last"]
    assert session_of(store).catalog().recent.tier.count() == 4


def test_faults_that_end_a_commit(store: Backend, service: LanceServer) -> None:
    """Where nothing was written the commit fails with one typed error, and the same one works later."""
    for n, (status, kind) in enumerate([(500, BackendError), (0, BackendError), (507, StoreFull)]):
        service.fail("insert", status)
        with pytest.raises(kind) as caught:
            store.commit([record(f"id{n}")])
        assert caught.value.retryable
        assert store.count(EVERYTHING) == n
        store.commit([record(f"id{n}")])
        assert store.count(EVERYTHING) == n + 1


def test_a_commit_that_lands_after_its_error(service: LanceServer, objects: S3Server, bucket: str) -> None:
    """A commit that takes longer than is waited for is an error; should it land then, it is shown, and only once."""
    store = opened(service, objects, bucket, options=settings(service, objects, bucket, timeout_seconds=1))
    service.hold("insert")
    with pytest.raises(BackendError, match="same call again") as caught:
        store.commit([record("a")])
    assert caught.value.retryable
    assert store.count(EVERYTHING) == 0
    service.let_go()
    assert within(30, lambda: store.count(EVERYTHING) == 1)
    with pytest.raises(VersionConflict):
        store.commit([record("a")])
    assert session_of(store).catalog().recent.tier.count() == 1
    store.close()


@pytest.mark.parametrize(
    "call",
    ["merge_insert", "create_index", "drop", *(pytest.param(c, marks=pytest.mark.slow) for c in ("delete", "create "))],
)
def test_faults_of_upkeep(store: Backend, service: LanceServer, call: str) -> None:
    """A move or an erasure that ends halfway loses nothing and shows nothing twice; the next one ends it."""
    first = record("a", text="word")
    store.commit([first, record("b", text="word"), record("gone", text="erased")])
    store.commit([changed(first, text="word")])

    def check() -> None:
        assert sorted(ids(store.match(["word"], chosen()))) == ["a", "b"]
        assert [one.version for one in store.versions("a")] == [1, 2]

    for act in (store.maintain, partial(store.erase, ["gone"])):
        for done in (False, True):
            service.fail(call, 500, done=done)
            with contextlib.suppress(BackendError):
                act()
            check()
            service.mend()
        act()
        check()
    assert store.versions("gone") == []
    assert len(session_of(store).folder.connect().names()) == 3


def _by_itself(store: Backend) -> None:
    store.commit([record("new")])
    assert within(30, lambda: len(session_of(store).catalog().overlay) == 0)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(_by_itself, id="by itself"),
        pytest.param(lambda store: store.maintain(), id="maintain"),
        pytest.param(lambda store: store.erase(["gone"]), id="erase"),
        pytest.param(lambda store: store.examine(repair=False), id="examine"),
        pytest.param(lambda store: store.rebuild(PROFILE, lambda records: records), id="rebuild"),
    ],
)
def test_versions_that_go_under_upkeep(
    store: Backend,
    service: LanceServer,
    act: Callable[[Any], object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Upkeep that loses the version that it reads to the service's own begins anew, and warns of nothing."""
    first = record("a", text="word")
    for some in ([first, record("gone")], [record("b", text="word")]):
        store.commit(some)
        store.maintain()
    store.commit([changed(first, text="word")])
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 2)
    service.calls()
    service.hold("query .*-memories-")
    acting = threading.Thread(target=act, args=(store,))
    acting.start()
    assert within(30, service.holds)
    service.tend()
    service.let_go()
    acting.join()
    asked = [call.split()[0] for call in service.calls() if "-memories-" in call]
    assert asked.count("query") > 1, "it did not have to begin anew"
    assert sorted(ids(store.match(["word"], chosen()))) == ["a", "b"]
    assert [one.version for one in store.versions("a")] == [1, 2]
    assert caplog.text == ""


# -- settings


@pytest.mark.parametrize(
    ("location", "options", "words"),
    [
        ("db://mine", {"companion": None}, "needs an object store beside it"),
        ("db://mine", {"companion": "/a/folder"}, "s3://, gs:// or az://"),
        ("db://mine", {"companion": "db://other"}, "s3://, gs:// or az://"),
        ("db://mine", {"companion": "s3://"}, "no bucket"),
        ("db://mine", {"companion": "s3://me:hush-hush@bucket/x"}, "a bucket and a prefix"),
        ("db://mine", {"storage_options": "hush-hush"}, "dict"),
        ("db://mine", {"bucket": "hush-hush"}, "'bucket'"),
        ("db://mine", {"api_key": None}, "needs the key"),
        ("db://mine", {"api_key": "hush\nhush"}, "needs the key"),
        ("db://mine", {"region": "hush hush"}, "region"),
        ("db://mine", {"host_override": "https://me:hush-hush@host"}, "host_override"),
        ("db://mine", {"host_override": "hush-hush"}, "host_override"),
        ("db://mine", {"timeout_seconds": 0}, "timeout_seconds"),
        ("db://mine", {"lease_seconds": "5"}, "lease_seconds"),
        ("db://", {}, "name of a database"),
        ("db://me:hush-hush@mine", {}, "name of a database"),
        ("db://mine/hush-hush", {}, "name of a database"),
    ],
)
def test_wrong_settings(location: str, options: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with a location or its options is said, and what may be a secret is not."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=words) as caught:
        open_lancedb(
            BackendRequest(
                location=location, profile=PROFILE, options={"companion": "s3://bucket/x", "api_key": "key"} | options
            )
        )
    assert "hush" not in _said(caught.value)


def test_the_key_of_the_environment(
    service: LanceServer, objects: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no key is given, the one that LanceDB itself reads from the environment is taken."""
    options = settings(service, objects, bucket)
    del options["api_key"]
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    opened(service, objects, bucket, options=options).close()


def test_the_program_reaches_it(service: LanceServer, objects: S3Server, bucket: str) -> None:
    """The command line names the companion, and what else there is to set, by options or in the environment."""
    options = settings(service, objects, bucket)
    key = options.pop("api_key")
    words = [f"{name}={json.dumps(value) if isinstance(value, dict) else value}" for name, value in options.items()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMPLUG_")}
    environment |= {KEY_VARIABLE: key, "MEMPLUG_STORE": f"db://{bucket}", "MEMPLUG_EMBEDDER": "hashing:64"}

    def run(*words: str, **more: str) -> Result:
        return CliRunner().invoke(program, ["--json", *words], env=environment | more)

    typed = [part for word in words for part in ("--option", word)]
    command = [sys.executable, "-m", "memplug", "add", "I like spicy food.", "-u", "wang", *typed]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    found = run("search", "food", "-u", "wang", MEMPLUG_OPTIONS=" ".join(one.replace(" ", "") for one in words))
    assert (found.exit_code, json.loads(found.stdout)["hits"][0]["text"]) == (0, "I like spicy food.")
    lacking = run("list", "-u", "wang")
    assert (lacking.exit_code, "needs an object store beside it" in lacking.stdout) == (4, True)
    for wrong in ("hush-hush", 'storage_options={"hush-hush"'):
        refused = run("list", "-u", "wang", "--option", wrong)
        assert refused.exit_code == 4
        assert "hush" not in refused.stdout + refused.stderr


def test_companions_are_not_shared(service: LanceServer, objects: S3Server, bucket: str) -> None:
    """A companion of another database, or one that is a store by itself, is refused before anything is written."""
    store = opened(service, objects, bucket)
    with pytest.raises(ConfigError, match=f"db://{bucket}"):
        opened(service, objects, bucket, location="db://another")
    store.close()
    plain = {"storage_options": objects.storage_options, "lease_seconds": LEASE}
    other = objects.bucket()
    request = BackendRequest(location=f"s3://{other}/of/mine", profile=PROFILE, options=plain)
    open_lancedb(request).close()
    before = objects.names(other)
    with pytest.raises(ConfigError, match="a store of its own"):
        opened(service, objects, other)
    assert objects.names(other) == before
    with pytest.raises(MemplugError):
        open_lancedb(BackendRequest(location=f"s3://{bucket}/of/mine", profile=PROFILE, options=plain))


def test_databases_are_shared(store: Backend, service: LanceServer, objects: S3Server, bucket: str) -> None:
    """Stores in one database, and tables that are nobody's, leave each other alone, whatever is removed."""
    second = settings(service, objects, objects.bucket())
    other = opened(service, objects, bucket, options=second)
    for n, one in enumerate((store, other)):
        one.commit([record(f"id{n}", text="word")])
        one.maintain()
        one.erase(["nothing"])
    assert ids(store.match(["word"], chosen())) == ["id0"]
    assert ids(other.match(["word"], chosen())) == ["id1"]
    assert len(service.kept(bucket)) == 6
    assert len(session_of(store).folder.unnamed(())) == 3
    other.close()


def test_without_the_extra() -> None:
    """Where obstore is not installed, the error of a process that never saw it says what to install."""
    program = """
import sys
sys.modules |= dict.fromkeys(("obstore", "obstore.store", "obstore.exceptions"))
from memplug.backends.lancedb import open_lancedb
from memplug.exceptions import MissingExtra
from memplug.plugins.protocols import BackendRequest
for location in ("s3://bucket/x", "db://mine"):
    try:
        open_lancedb(BackendRequest(location=location, profile=None))
    except MissingExtra as error:
        print(error.hint)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stdout.count("object-storage") == 2, ended.stderr
