"""URLs that mean harm, against real servers on this machine."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Memory
from memplug.exceptions import (
    ConfigError,
    FetchError,
    FileSizeError,
    InputRejected,
    InputTooLarge,
    MalformedInput,
    UnsafeInput,
)
from memplug.inputs.loading import load
from memplug.inputs.parts import unpack
from memplug.safety.addresses import why_denied
from memplug.safety.fetch import Fetcher, system_resolver
from memplug.testing.inputs import png
from memplug.values.draft import Part
from memplug.values.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

PNG = png()
LIMITS = Limits(fetch_seconds=5.0)

Talk = Callable[[socket.socket, bytes], None]


class Server:
    """A server that says whatever bytes a test wants it to, and keeps what it was asked."""

    def __init__(self, talk: Talk, context: ssl.SSLContext | None = None) -> None:
        self._talk = talk
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[bytes] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stops."""
        # A thread that waits in accept() is not woken by close(), but by a last visitor.
        self._stopping = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(5)
        self._listener.close()

    _stopping = False

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopping:
                connection.close()
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            try:
                channel = self._context.wrap_socket(connection, server_side=True) if self._context else connection
                with channel:
                    request = b""
                    while b"\r\n\r\n" not in request and (received := channel.recv(65_536)):
                        request += received
                    self.asked.append(request)
                    self._talk(channel, request)
            except OSError:
                return  # the client had enough, which is what most tests here are about


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers, and stops them in the end."""
    servers: list[Server] = []

    def start(talk: Talk, context: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(talk, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def answer(body: bytes = PNG, status: str = "200 OK", **headers: str) -> Talk:
    """Says one whole answer."""
    lines = {"Content-Type": "image/png", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return lambda channel, _: channel.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)


def redirect(where: str) -> Talk:
    """Leads on."""
    return answer(b"", "302 Found", Location=where)


def fetcher(limits: Limits = LIMITS, *allow: str, **options: Any) -> Fetcher:
    """A fetcher to which the loopback address is allowed, or the given hosts."""
    return Fetcher(limits, allow_hosts=allow or ("127.0.0.1",), **options)


def at(addresses: dict[str, Sequence[str]]) -> Callable[[str, int], Sequence[str]]:
    """A resolver that knows these names, and of others what the system knows."""
    return lambda host, port: addresses[host] if host in addresses else system_resolver(host, port)


# What is fetched ------------------------------------------------------------------------------------------


def test_a_picture_is_fetched_from_an_allowed_host(serve: Callable[..., Server]) -> None:
    """The body, the declared type, the address and the file name of a URL come back."""
    server = serve(answer(Content_Type="image/PNG; charset=binary"))
    found = fetcher().fetch(f"{server.url}/pics/my%20menu.png?size=1#top")
    assert (found.data, found.media_type, found.name) == (PNG, "image/png", "my menu.png")
    assert found.url.startswith(f"{server.url}/pics/my%20menu.png")
    assert server.asked[0].startswith(b"GET /pics/my%20menu.png?size=1 HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in server.asked[0]


def test_a_url_part_is_loaded_with_its_origin(serve: Callable[..., Server]) -> None:
    """An image_url part gets its bytes, name and origin."""
    server = serve(answer())
    url = f"{server.url}/menu.png"
    (part,) = unpack(
        {"type": "image_url", "image_url": {"url": url}}, description=None, content_type=None, kind=None, limits=LIMITS
    )
    assert isinstance(part, Part)
    source = load(part, LIMITS, fetcher()).source
    assert source is not None
    assert (source.data, source.name, source.origin, source.media_type) == (PNG, "menu.png", url, "image/png")


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_compressed_answers_are_unpacked(coding: str, serve: Callable[..., Server]) -> None:
    """An answer in gzip gives its content."""
    assert fetcher().fetch(serve(answer(gzip.compress(PNG), Content_Encoding=coding)).url).data == PNG


def test_a_chunked_answer_is_put_together(serve: Callable[..., Server]) -> None:
    """An answer in chunks, without a length, gives its content."""

    def talk(channel: socket.socket, _: bytes) -> None:
        channel.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert fetcher().fetch(serve(talk).url).data == b"abcde"


def test_redirects_are_followed_as_far_as_the_limit(serve: Callable[..., Server]) -> None:
    """As many redirects as the limit are followed, relative ones too; one more is an error."""

    def talk(channel: socket.socket, request: bytes) -> None:
        left = int(request.split()[1].strip(b"/"))
        (redirect(f"/{left - 1}") if left else answer())(channel, request)

    server = serve(talk)
    assert fetcher().fetch(f"{server.url}/5").data == PNG
    with pytest.raises(FetchError, match="more than 5 redirects"):
        fetcher().fetch(f"{server.url}/6")
    assert len(server.asked) == 6 + 6


# Where nobody is led --------------------------------------------------------------------------------------

HOSTILE_HOSTS = """
    127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 127.0.0.1. 127。0。0。1 ①②⑦.0.0.1 0.0.0.0 0
    localhost LOCALHOST localhost. 10.0.0.1 172.16.0.1 192.168.1.1 100.100.100.200 169.254.169.254 169.254.170.2
    168.63.129.16 192.0.0.192 198.18.0.1 224.0.0.1 255.255.255.255 [::] [::1] [0:0:0:0:0:0:0:1] [::127.0.0.1]
    [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:a9fe:a9fe] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::]
    [2001:0:7f00:1::1] [2606:4700::5efe:7f00:1] [2606:4700::200:5efe:a00:1] [fd00:ec2::254] [fe80::1] [fec0::1]
    [ff02::1]
"""


@pytest.mark.parametrize("host", HOSTILE_HOSTS.split())
def test_no_spelling_of_a_private_address_is_fetched(host: str, serve: Callable[..., Server]) -> None:
    """Decimal, octal, hexadecimal, Unicode and embedded forms of private addresses are refused; nobody is asked."""
    server = serve(answer())
    with pytest.raises(InputRejected) as caught:
        Fetcher(LIMITS).fetch(f"http://{host}:{server.port}/x.png")
    assert isinstance(caught.value, UnsafeInput | MalformedInput | FetchError)
    if not isinstance(caught.value, UnsafeInput):
        assert any(words in str(caught.value) for words in ("Invalid IDNA", "Invalid IPv4", "there is no host"))
    assert server.connections == 0


def test_the_refusal_names_the_setting() -> None:
    """Whoever wants to fetch from their own machine learns how."""
    with pytest.raises(UnsafeInput) as caught:
        Fetcher(LIMITS).fetch("http://127.0.0.1:9/x.png")
    assert "127.0.0.1, which is not public: loopback" in str(caught.value)
    assert "Memory(allow_hosts=['127.0.0.1'])" in str(caught.value)
    assert "MEMPLUG_ALLOW_HOSTS=127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    """The table does not refuse the web itself, nor IPv4 servers seen through NAT64."""
    assert why_denied(address) is None


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("10.255.255.255", "11.0.0.0"),
        ("100.64.0.0", "100.63.255.255"),
        ("172.31.255.255", "172.32.0.0"),
        ("168.63.129.16", "168.63.129.17"),
        ("192.0.0.255", "192.0.1.0"),
        ("223.255.255.255", "223.255.255.254"),
        ("3fff:fff:ffff::", "4000::"),
        ("2001:1ff::1", "2001:200::1"),
    ],
)
def test_the_table_ends_where_its_ranges_end(inside: str, outside: str) -> None:
    """Ranges are refused to their last address and no further (4000:: and on are not handed out at all)."""
    assert (why_denied(inside) is not None) is (inside != "223.255.255.255")
    assert (why_denied(outside) is not None) is (outside == "4000::")


def test_a_redirect_to_a_private_address_is_refused(serve: Callable[..., Server]) -> None:
    """A server that is allowed cannot lead on to one that is not."""
    inner = serve(answer(b"secret"))
    outer = serve(redirect(f"http://localhost:{inner.port}/latest/meta-data"))
    with pytest.raises(UnsafeInput, match="localhost has the address"):
        fetcher(LIMITS, f"127.0.0.1:{outer.port}").fetch(outer.url)
    assert (outer.connections, inner.connections) == (1, 0)


@pytest.mark.parametrize("where", ["file:///etc/passwd", "gopher://127.0.0.1/", "data:image/png;base64,AAAA"])
def test_a_redirect_to_another_scheme_is_refused(where: str, serve: Callable[..., Server]) -> None:
    """A redirect leads to http and https only."""
    with pytest.raises(UnsafeInput, match="scheme"):
        fetcher().fetch(serve(redirect(where)).url)


@pytest.mark.parametrize("where", ["http://me:pw@127.0.0.1/", "//me@127.0.0.1/x"])
def test_credentials_are_refused_everywhere(where: str, serve: Callable[..., Server]) -> None:
    """A URL with a user name is refused, also behind a redirect, and the error does not repeat the password."""
    with pytest.raises(UnsafeInput, match="user name") as caught:
        fetcher().fetch(serve(redirect(where)).url)
    assert "pw" not in str(caught.value)
    with pytest.raises(UnsafeInput, match="user name"):
        fetcher().fetch("http://me@127.0.0.1/")


def test_a_name_is_resolved_once_and_connected_to_where_it_was_checked(serve: Callable[..., Server]) -> None:
    """A name whose second answer is private (DNS rebinding) is never asked for a second answer."""
    server = serve(answer())
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host}:{port}")
        return next(answers)

    # Nothing answers at 93.184.216.34 from here; what matters is that nobody looks again and finds the server.
    with pytest.raises(FetchError):
        Fetcher(Limits(fetch_seconds=0.5), resolver=rebinding).fetch(f"http://rebind.test:{server.port}/")
    assert asked == [f"rebind.test:{server.port}"]
    assert server.connections == 0


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["2606:4700::1111", "::1"]])
def test_one_private_address_among_others_is_enough(addresses: list[str], serve: Callable[..., Server]) -> None:
    """A name is refused where any of its addresses is private, whatever its order."""
    server = serve(answer())
    for known in (addresses, addresses[::-1]):
        with pytest.raises(UnsafeInput, match="not public"):
            Fetcher(LIMITS, resolver=at({"mixed.test": known})).fetch(f"http://mixed.test:{server.port}/")
    assert server.connections == 0


def test_the_request_carries_the_name_and_goes_to_the_address(serve: Callable[..., Server]) -> None:
    """The Host header is the URL's name, also for a name in another script; the connection goes to its address."""
    server = serve(answer())
    found = fetcher(LIMITS, "Bücher.test", resolver=at({"xn--bcher-kva.test": ["127.0.0.1"]}))
    assert found.fetch(f"http://bücher.test:{server.port}/").data == PNG
    assert f"\r\nHost: xn--bcher-kva.test:{server.port}\r\n".encode() in server.asked[0]


def test_the_next_address_is_tried_where_the_first_is_dead(serve: Callable[..., Server]) -> None:
    """A name with a dead first address is fetched from its second."""
    server = serve(answer())
    found = fetcher(LIMITS, "two.test", resolver=at({"two.test": ["127.0.0.2", "127.0.0.1"]}))
    assert found.fetch(f"http://two.test:{server.port}/").data == PNG


@pytest.mark.parametrize(
    "allow", ["127.0.0.1", "127.0.0.1:{port}", "LOCALHOST", "localhost.", "[::1]", "[0:0::1]:{port}"]
)
def test_allowed_hosts_in_all_spellings(allow: str, serve: Callable[..., Server]) -> None:
    """A host is allowed with or without its port, in any case and spelling."""
    server = serve(answer())
    host = {"1": "127.0.0.1", "L": "localhost", "l": "localhost", "[": "[::1]"}[allow[0]]
    resolver = at({"::1": ["127.0.0.1"], "localhost": ["127.0.0.1"]})
    found = fetcher(LIMITS, allow.format(port=server.port), resolver=resolver)
    assert found.fetch(f"http://{host}:{server.port}/").data == PNG


@pytest.mark.parametrize("allow", ["127.0.0.1:1", "127.0.0.2", "localhost", "2130706433", "1.127.0.0.1", "*"])
def test_allowing_one_host_allows_no_other(allow: str, serve: Callable[..., Server]) -> None:
    """Another port, a name for the same address, and a longer name are not allowed along."""
    with pytest.raises(UnsafeInput):
        fetcher(LIMITS, allow).fetch(serve(answer()).url)


@pytest.mark.parametrize("entry", ["http://localhost", "a b", "", "host:port", "me@host", "[::1"])
def test_an_entry_that_is_no_host_is_a_config_error(entry: str) -> None:
    """A mistake in the setting is said when it is made, not when the first URL comes."""
    with pytest.raises(ConfigError, match="allow_hosts"):
        Fetcher(LIMITS, allow_hosts=[entry])


def test_one_text_is_not_a_list_of_hosts() -> None:
    """A text in place of a list is not read letter by letter."""
    with pytest.raises(ConfigError, match="list of hosts"):
        Fetcher(LIMITS, allow_hosts="localhost")


@pytest.mark.parametrize(
    "url", ["", "x", "http://", "http:///x", "//127.0.0.1/", "http://a\r\nb/", "http://h:99999999/"]
)
def test_what_is_no_url_is_malformed(url: str) -> None:
    """Text that is no URL is refused as such."""
    with pytest.raises(MalformedInput, match="not a URL"):
        fetcher().fetch(url)


def test_proxies_from_the_environment_are_not_used(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy, which would fetch for us what we must not, is not taken from the environment."""
    proxy, server = serve(answer(b"proxied")), serve(answer())
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert fetcher().fetch(server.url).data == PNG
    assert proxy.connections == 0


# What is not waited for -----------------------------------------------------------------------------------


def drip(start: bytes, each: bytes) -> Talk:
    """Says something every tenth of a second, for ever."""

    def talk(channel: socket.socket, _: bytes) -> None:
        channel.sendall(start)
        while True:
            time.sleep(0.1)
            channel.sendall(each)

    return talk


@pytest.mark.parametrize(
    "talk",
    [
        drip(b"", b""),
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["silent", "header", "hints", "body", "chunks"],
)
def test_a_slow_server_meets_the_deadline(talk: Talk, serve: Callable[..., Server]) -> None:
    """Silence and every kind of dripping end at the deadline for the whole, not for each read."""
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"longer than 0\.5 s"):
        fetcher(Limits(fetch_seconds=0.5)).fetch(serve(talk).url)
    assert 0.4 < time.monotonic() - started < 1.5


def test_redirects_share_one_deadline(serve: Callable[..., Server]) -> None:
    """Redirects that each take a while are within one deadline together."""

    def talk(channel: socket.socket, request: bytes) -> None:
        time.sleep(0.2)
        redirect("/again")(channel, request)

    with pytest.raises(FetchError, match="longer than"):
        fetcher(Limits(fetch_seconds=0.5)).fetch(serve(talk).url)


def test_a_resolver_that_hangs_meets_the_deadline() -> None:
    """A name server that does not answer is not waited for beyond the deadline."""
    release = threading.Event()

    def hanging(*_: object) -> Sequence[str]:
        release.wait(10)
        return []

    started = time.monotonic()
    with pytest.raises(FetchError, match="longer than"):
        Fetcher(Limits(fetch_seconds=0.3), resolver=hanging).fetch("http://slow.test/")
    assert time.monotonic() - started < 1.5
    release.set()


# What is not swallowed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [True, False])
def test_the_body_is_limited(length: bool, serve: Callable[..., Server]) -> None:
    """As many bytes as the limit pass; one more is too large, declared or not."""

    def body(size: int) -> Server:
        if length:
            return serve(answer(b"x" * size))
        return serve(lambda channel, _: channel.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * size))

    limits = Limits(fetch_bytes=1000, fetch_seconds=5)
    assert len(fetcher(limits).fetch(body(1000).url).data) == 1000
    with pytest.raises(InputTooLarge, match="1,000 bytes"):
        fetcher(limits).fetch(body(1001).url)
    assert len(fetcher(limits).fetch(body(500).url, limit=500).data) == 500
    with pytest.raises(InputTooLarge, match="500 bytes"):
        fetcher(limits).fetch(body(501).url, limit=500)


def test_an_endless_body_is_left(serve: Callable[..., Server]) -> None:
    """A body without end is left as soon as it is too large."""

    def talk(channel: socket.socket, _: bytes) -> None:
        channel.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            channel.sendall(b"x" * 65_536)

    with pytest.raises(InputTooLarge):
        fetcher(Limits(fetch_bytes=1_000_000, fetch_seconds=10)).fetch(serve(talk).url)


def test_endless_overhead_is_left(serve: Callable[..., Server]) -> None:
    """Early hints without end, which never become a body, are counted too."""

    def talk(channel: socket.socket, _: bytes) -> None:
        while True:
            channel.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000)

    with pytest.raises(InputTooLarge):
        fetcher(Limits(fetch_bytes=1000, fetch_seconds=30)).fetch(serve(talk).url)


def test_a_gzip_bomb_is_left(serve: Callable[..., Server]) -> None:
    """Gzip that holds sixty megabytes is left when it passes the limit; n bytes inside pass, n + 1 do not."""
    limits = Limits(fetch_bytes=2_000_000, fetch_seconds=10)
    bomb = serve(answer(gzip.compress(bytes(60_000_000), 9), Content_Encoding="gzip"))
    tracemalloc.start()
    with pytest.raises(InputTooLarge):
        fetcher(limits).fetch(bomb.url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    exact = serve(answer(gzip.compress(bytes(2_000_000)), Content_Encoding="gzip"))
    assert len(fetcher(limits).fetch(exact.url).data) == 2_000_000
    with pytest.raises(InputTooLarge):
        fetcher(limits).fetch(serve(answer(gzip.compress(bytes(2_000_001)), Content_Encoding="gzip")).url)


def test_a_picture_over_its_limit_says_so_in_the_fixed_words(serve: Callable[..., Server]) -> None:
    """An image URL has the limit of an image and its words, and is not fetched beyond it."""
    limits = Limits(image_bytes=len(PNG), fetch_seconds=5)

    def load_from(server: Server) -> bytes | None:
        (part,) = unpack(
            {"type": "image_url", "image_url": server.url},
            description=None,
            content_type=None,
            kind=None,
            limits=limits,
        )
        assert isinstance(part, Part)
        source = load(part, limits, fetcher(limits)).source
        return source.data if source else None

    assert load_from(serve(answer())) == PNG
    with pytest.raises(FileSizeError, match="Image too large"):
        load_from(serve(answer(PNG + b"x")))


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (answer(b"", "404 Not Found"), "answered with status 404"),
        (answer(b"", "500 Oops"), "answered with status 500"),
        (answer(b"", "204 No Content"), "answered with status 204"),
        (answer(b"", "302 Found"), "answered with status 302"),
        (answer(b"xx", Content_Encoding="br"), "compressed its answer as 'br'"),
        (answer(gzip.compress(PNG)[:-9], Content_Encoding="gzip"), "gzip ends too early"),
        (answer(gzip.compress(PNG) + b"more", Content_Encoding="gzip"), "behind the end"),
        (answer(b"no gzip", Content_Encoding="gzip"), "gzip is damaged"),
        (answer(PNG, Content_Length=str(len(PNG) + 5)), "could not be fetched"),
        (lambda channel, _: channel.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"), "could not be fetched"),
        (lambda channel, _: channel.sendall(b""), "could not be fetched"),
        (lambda channel, _: channel.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000), "could not be fetched"),
    ],
)
def test_a_bad_answer_is_a_fetch_error(talk: Talk, words: str, serve: Callable[..., Server]) -> None:
    """An error status, a damaged or half answer, and another protocol end in one error that says what came."""
    with pytest.raises(FetchError, match=words) as caught:
        fetcher().fetch(serve(talk).url + "/x?token=secret")
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_a_fetch_error() -> None:
    """A closed port and an unknown name are fetch errors that name the host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
        fetcher().fetch(f"http://127.0.0.1:{port}/")
    with pytest.raises(FetchError, match="there is no host"):
        fetcher().fetch("http://nowhere.invalid/")
    with pytest.raises(FetchError, match=r"there is no host|no address"):
        fetcher().fetch(f"http://{'a' * 70}.test/")


# Encryption -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for ``picture.test`` that signs itself, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    command = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=picture.test",
        "-addext", "subjectAltName=DNS:picture.test", "-keyout", "key.pem", "-out", "cert.pem",
    ]  # fmt: skip
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    (folder / "both.pem").write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return folder / "both.pem"


def test_the_certificate_must_be_the_names(certificate: Path, serve: Callable[..., Server]) -> None:
    """Over https, SNI and certificate are those of the URL's name although the connection goes to an address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    wanted: list[str | None] = []
    context.set_servername_callback(lambda _socket, name, _context: wanted.append(name))
    server = serve(answer(), context)
    trusting = ssl.create_default_context(cafile=str(certificate))
    names = at({"picture.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})
    https = fetcher(LIMITS, "picture.test", "other.test", resolver=names, ssl_context=trusting)
    assert https.fetch(f"https://picture.test:{server.port}/").data == PNG
    with pytest.raises(FetchError, match="certificate"):
        https.fetch(f"https://other.test:{server.port}/")
    assert wanted == ["picture.test", "other.test"]
    with pytest.raises(FetchError, match="certificate"):
        fetcher(LIMITS, "picture.test", resolver=names).fetch(f"https://picture.test:{server.port}/")


def test_a_server_can_turn_fetching_off(tmp_path: Path, serve: Callable[..., Server]) -> None:
    """Then no URL of an input is fetched, also none of an allowed host; other parts of the input are stored."""
    server = serve(answer())
    with Memory(tmp_path, embedder="hashing:64", fetch_urls=False, allow_hosts=["127.0.0.1"]) as memory:
        part = {"type": "image_url", "image_url": {"url": f"http://127.0.0.1:{server.port}/x.png"}}
        message = {"role": "user", "content": [{"type": "text", "text": "look"}, part]}
        outcomes = memory.add(message, user_id="u").outcomes
    assert [one.event for one in outcomes] == ["added", "rejected"]
    assert isinstance(outcomes[1].error, UnsafeInput)
    assert "not fetched here" in str(outcomes[1].error)
