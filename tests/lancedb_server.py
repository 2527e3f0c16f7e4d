"""A stand-in for LanceDB Cloud and Enterprise: the protocol that LanceDB's remote client speaks, over local tables.

It was written against the client of LanceDB 0.40 and its source, never against the service itself. What the service
does by itself it does as well: indexes are made after the answer, and `LanceServer.tend` compacts tables and forgets
old versions at any moment. A request that memplug must never make is answered with an error, and kept (`unwanted`).

    python tests/lancedb_server.py FOLDER          # prints the port that it listens at
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import lancedb
import pyarrow as pa
from lancedb.index import FTS, Bitmap, BTree
from lancedb.query import ColumnOrdering, MatchQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

KEY = "a-key-for-tests-of-db"
#: The version that it claims to have: the newest whose answers the client knows apart.
_VERSION = "0.5.0"
_TYPES = {pa.string(): "string", pa.int64(): "int64", pa.bool_(): "bool", pa.float32(): "float"}
_JSON, _ARROW = "application/json", "application/vnd.apache.arrow.file"
_AT_ONCE = timedelta(milliseconds=1)


class LanceServer:
    """A running server, with what tests ask of it.

    Args:
        folder: Where the databases are, a folder each.

    Attributes:
        endpoint: Its address.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, str(Path(__file__)), str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.endpoint = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def options(self) -> dict[str, str]:
        """What a store needs to reach it."""
        return {"host_override": self.endpoint, "api_key": KEY, "region": "us-east-1"}

    def calls(self) -> list[str]:
        """What was asked for since the last time that this was asked, as ``query recent-1``; in order."""
        return list(self._ask("calls"))

    def unwanted(self) -> list[str]:
        """All requests ever that a client must not make."""
        return list(self._ask("unwanted"))

    def tend(self) -> None:
        """Does what the service does in the background: compacts, extends indexes, forgets old versions."""
        self._ask("tend")

    def fail(self, pattern: str, status: int, *, times: int = 1, done: bool = False) -> None:
        """Answers the next calls that a pattern is found in with an error.

        Args:
            pattern: Of a call, as `calls` has it.
            status: Of the answer; 0 closes the connection without one.
            times: How many calls.
            done: Whether what was asked for is done all the same.
        """
        self._ask("fail", pattern=pattern, status=status, times=times, done=int(done))

    def mend(self) -> None:
        """Forgets what was to go wrong."""
        self._ask("mend")

    def hold(self, pattern: str) -> None:
        """Has the next call that a pattern is found in wait, before it is done, until `let_go`."""
        self._ask("hold", pattern=pattern)

    def holds(self) -> bool:
        """Whether a call waits."""
        return bool(self._ask("holds"))

    def let_go(self) -> None:
        """Ends the waiting."""
        self._ask("let_go")

    def become(self, *, sorts: bool = True, tells: bool = True, index_after: float = 0.0) -> None:
        """Makes it another kind of service.

        Args:
            sorts: Whether it knows the order that a query asks for; older ones pass it over.
            tells: Whether it says which version a write made; older ones do not.
            index_after: Seconds after which it begins with an index.
        """
        self._ask("become", sorts=int(sorts), tells=int(tells), index_after=index_after)

    def kept(self, database: str) -> dict[str, list[pa.Table]]:
        """Every version of every table of a database; all that a client could ever read."""

        async def read() -> dict[str, list[pa.Table]]:
            connection = await lancedb.connect_async(self.folder / database)
            found: dict[str, list[pa.Table]] = {}
            for name in (await connection.list_tables(limit=10_000)).tables:
                table = await connection.open_table(name)
                found[name] = []
                for version in await table.list_versions():
                    await table.checkout(version["version"])
                    found[name].append(await table.to_arrow())
            return found

        return asyncio.run(read())

    def _ask(self, name: str, **arguments: Any) -> Any:
        url = f"{self.endpoint}/-/{name}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own server
            return json.loads(answer.read())


class _Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(slots=True)
class _Fault:
    """What is to go wrong."""

    pattern: str
    status: int = 0
    times: int = 1
    done: bool = False
    held: bool = False


@dataclass(slots=True)
class _Request:
    """One request, taken apart."""

    database: str
    table: str
    query: dict[str, str]
    body: bytes

    @property
    def held(self) -> dict[str, Any]:
        return dict(json.loads(self.body or b"{}"))

    @property
    def rows(self) -> pa.Table:
        return pa.ipc.open_stream(self.body).read_all()


class _Service:
    """The databases, all used from one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.connections: dict[str, Any] = {}
        self.tasks: set[Any] = set()
        self.building: Counter[str] = Counter()
        self.sorts, self.tells, self.index_after = True, True, 0.0

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def database(self, name: str) -> Any:
        if name not in self.connections:
            # Without this every read of a table would be of the version that it was first opened at.
            interval = timedelta(0)
            self.connections[name] = await lancedb.connect_async(self.folder / name, read_consistency_interval=interval)
        return self.connections[name]

    async def table(self, asked: _Request, version: int | None = None) -> Any:
        try:
            table = await (await self.database(asked.database)).open_table(asked.table)
            if version is not None:
                await table.checkout(version)
        except (ValueError, RuntimeError) as error:
            raise _Refused(404, f"Table not found: {asked.table}: {error}") from error
        return table

    async def list(self, asked: _Request) -> Any:
        page = await (await self.database(asked.database)).list_tables(
            page_token=asked.query.get("page_token"), limit=int(asked.query.get("limit", "10"))
        )
        return {"tables": list(page.tables), "page_token": page.page_token}

    async def create(self, asked: _Request) -> Any:
        database = await self.database(asked.database)
        try:
            await database.create_table(asked.table, asked.rows, mode=asked.query.get("mode", "create"))
        except ValueError as error:
            raise _Refused(400, str(error)) from error
        return {}

    async def drop(self, asked: _Request) -> Any:
        await self.table(asked)
        await (await self.database(asked.database)).drop_table(asked.table)
        return {}

    async def describe(self, asked: _Request) -> Any:
        table = await self.table(asked, asked.held.get("version"))
        schema = await table.schema()
        return {"version": await table.version(), "schema": {"fields": [_field(one) for one in schema]}}

    async def insert(self, asked: _Request) -> Any:
        table = await self.table(asked)
        return self._told(await table.add(asked.rows))

    async def merge_insert(self, asked: _Request) -> Any:
        builder = (await self.table(asked)).merge_insert(asked.query["on"])
        if asked.query.get("when_matched_update_all") == "true":
            builder = builder.when_matched_update_all(where=asked.query.get("when_matched_update_all_filt"))
        if asked.query.get("when_not_matched_insert_all") == "true":
            builder = builder.when_not_matched_insert_all()
        merged = await builder.execute(asked.rows, on_bad_vectors="null")  # else it refuses a row without one
        names = ("num_inserted_rows", "num_updated_rows", "num_deleted_rows")
        return self._told(merged) | {name: getattr(merged, name) for name in names}

    def _told(self, made: Any) -> dict[str, int]:
        return {"version": made.version if self.tells else 0}

    async def delete(self, asked: _Request) -> Any:
        return self._told(await (await self.table(asked)).delete(asked.held["predicate"]))

    async def count_rows(self, asked: _Request) -> Any:
        held = asked.held
        return await (await self.table(asked, held.get("version"))).count_rows(held.get("predicate"))

    async def query(self, asked: _Request) -> Any:
        held = asked.held
        query = (await self.table(asked, held["version"])).query()
        if held["vector"]:
            query = query.nearest_to(held["vector"]).column(held["vector_column"]).distance_type(held["distance_type"])
            query = query.bypass_vector_index() if held.get("bypass_vector_index") else query
        if words := held.get("full_text_query"):
            match = words["query"]["match"]
            query = query.nearest_to_text(MatchQuery(match["terms"], match["column"]))
        if "filter" in held:
            query = query.where(held["filter"])
        if "order_by" in held and self.sorts:
            query = query.order_by([ColumnOrdering(**one) for one in held["order_by"]])
        found = await query.select(held["columns"]).limit(held["k"]).to_arrow()
        buffer = io.BytesIO()
        with pa.ipc.new_file(buffer, found.schema) as writer:
            writer.write_table(found)
        return buffer.getvalue()

    async def create_index(self, asked: _Request) -> Any:
        """Answers first, and makes the index then."""
        held = asked.held
        names = ("base_tokenizer", "max_token_length", "stem", "lower_case", "remove_stop_words", "ascii_folding")
        kinds: dict[str, Callable[[], Any]] = {
            "BTREE": BTree,
            "BITMAP": Bitmap,
            "FTS": lambda: FTS(with_position=held["with_position"], **{name: held[name] for name in names}),
        }
        table = await self.table(asked)
        name = f"{asked.database}/{asked.table}"
        self.building[name] += 1
        task = asyncio.ensure_future(self._built(table, name, held["column"], kinds[held["index_type"]]()))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return {}

    async def _built(self, table: Any, name: str, column: str, config: Any) -> None:
        try:
            await asyncio.sleep(self.index_after)
            await table.create_index(column, config=config)
        finally:
            self.building[name] -= 1

    async def indexes(self, asked: _Request) -> Any:
        found = await (await self.table(asked)).list_indices()
        return {
            "indexes": [{"index_name": one.name, "columns": one.columns, "index_type": one.index_type} for one in found]
        }

    async def index_stats(self, asked: _Request) -> Any:
        table = await self.table(asked)
        if (stats := await table.index_stats(asked.query["index"])) is None:
            raise _Refused(404, "no such index")
        names = ("num_indexed_rows", "num_unindexed_rows", "index_type")
        return {name: getattr(stats, name) for name in names}

    async def tend(self) -> None:
        for database in await asyncio.to_thread(lambda: [path.name for path in self.folder.iterdir()]):
            connection = await self.database(database)
            for name in (await connection.list_tables(limit=10_000)).tables:
                if not self.building[f"{database}/{name}"]:
                    # A write came between, or the table was dropped: then it is left for the next time.
                    with contextlib.suppress(RuntimeError, ValueError, OSError):
                        table = await connection.open_table(name)
                        await table.optimize(cleanup_older_than=_AT_ONCE)


def _field(one: pa.Field) -> dict[str, Any]:
    if pa.types.is_fixed_size_list(one.type):
        held = {"type": "fixed_size_list", "fields": [_field(one.type.value_field)], "length": one.type.list_size}
    else:
        held = {"type": _TYPES[one.type]}
    return {"name": one.name, "nullable": one.nullable, "type": held}


#: What a client may ask of a table: the end of its path, and the answer.
_TABLE = re.compile(r"^/v1/table/(?P<table>[^/]+)/(?P<verb>.+?)/?$")
_STATS = re.compile(r"^index/(?P<index>[^/]+)/stats$")
_VERBS = {
    "create": _Service.create,
    "drop": _Service.drop,
    "describe": _Service.describe,
    "insert": _Service.insert,
    "merge_insert": _Service.merge_insert,
    "delete": _Service.delete,
    "count_rows": _Service.count_rows,
    "query": _Service.query,
    "create_index": _Service.create_index,
    "index/list": _Service.indexes,
    "index/stats": _Service.index_stats,
}


@dataclass(slots=True)
class _Desk:
    """Takes requests, and keeps what tests want to know of them."""

    service: _Service
    seen: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    faults: list[_Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: bool = False
    open: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes, str]:
        """Status, bytes and type of the answer; status 0 stands for none."""
        parts = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path.startswith("/-/"):
            return 200, json.dumps(self._told(parts.path.removeprefix("/-/"), query)).encode(), _JSON
        if headers.get("x-api-key") != KEY:
            # As unkind as can be: whatever shows this shows the key.
            return 401, f"Unauthorized: bad key {headers.get('x-api-key')}".encode(), "text/plain"
        asked = _Request(headers.get("x-lancedb-database", "nameless"), "", query, body)
        try:
            found = self._done(parts.path, asked)
        except _Refused as error:
            return error.status, str(error).encode(), "text/plain"
        except (ValueError, RuntimeError, KeyError, OSError) as error:
            return 400, f"{type(error).__name__}: {error}".encode(), "text/plain"
        return (200, found, _ARROW) if isinstance(found, bytes) else (200, json.dumps(found).encode(), _JSON)

    def _done(self, path: str, asked: _Request) -> Any:
        if re.fullmatch(r"/v1/(table/|namespace/[^/]*/table/list)", path):
            call, verb = "list", _Service.list
        elif (found := _TABLE.match(path)) and (known := self._known(found["verb"], asked)):
            asked.table = found["table"]
            call, verb = f"{known} {asked.table}", _VERBS[known]
        else:
            with self.lock:
                self.wrong.append(path)
            raise _Refused(501, f"{path} must never be asked for")
        with self.lock:
            self.seen.append(call)
            fault = next((one for one in self.faults if one.times > 0 and re.search(one.pattern, call)), None)
            if fault is not None:
                fault.times -= 1
        if fault is not None and fault.held:
            self.waiting = True
            self.open.wait(60)
        found = self.service.run(verb(self.service, asked)) if fault is None or fault.done or fault.held else None
        if fault is None or fault.held:
            return found
        raise _Refused(fault.status, "something went wrong")

    @staticmethod
    def _known(verb: str, asked: _Request) -> str | None:
        if stats := _STATS.match(verb):
            asked.query["index"] = stats["index"]
            return "index/stats"
        return verb if verb in _VERBS else None

    def _told(self, name: str, query: dict[str, str]) -> object:
        with self.lock:
            if name == "calls":
                seen, self.seen = self.seen, []
                return seen
            if name == "unwanted":
                return self.wrong
            if name == "fail":
                done = query["done"] == "1"
                self.faults.append(_Fault(query["pattern"], int(query["status"]), int(query["times"]), done))
            if name == "hold":
                self.waiting = False
                self.open.clear()
                self.faults.append(_Fault(query["pattern"], held=True))
            if name == "mend":
                self.faults.clear()
        if name == "let_go":
            self.open.set()
        if name == "become":
            self.service.sorts, self.service.tells = query["sorts"] == "1", query["tells"] == "1"
            self.service.index_after = float(query["index_after"])
        if name == "tend":
            self.service.run(self.service.tend())
        return self.waiting


def serve(folder: Path) -> None:
    """Listens until the process is killed."""
    desk = _Desk(_Service(folder))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer in two pieces waits for the client to acknowledge the first: 40 ms.
        wbufsize = -1

        def do_POST(self) -> None:
            status, body, kind = desk.answer(self.path, self.headers, self._body())
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in (("content-type", kind), ("content-length", str(len(body)))):
                self.send_header(name, value)
            self.send_header("phalanx-version", _VERSION)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the name that the base class calls

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", "0")))
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)  # noqa: T201 - for whoever started it
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
