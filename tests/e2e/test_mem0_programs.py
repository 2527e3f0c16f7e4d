"""Programs written for mem0 run when only their import lines are changed.

The programs are read from mem0's page where it is at hand (see the README's section on development), so that
they are really theirs; their example.com pictures come from a server on this machine.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = "001_d34bfc7edc0ca416.txt"


class Pictures(BaseHTTPRequestHandler):
    """Serves a small JPEG at every address that ends in ``.jpg``."""

    def do_GET(self) -> None:
        """Answers."""
        buffer = io.BytesIO()
        Image.new("RGB", (64, 48), "orange").save(buffer, "JPEG")
        body = buffer.getvalue()
        self.send_response(200 if self.path.endswith(".jpg") else 404)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Says nothing."""


@pytest.fixture
def pictures() -> Iterator[str]:
    """The address of a running picture server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def programs(seeds: Path) -> list[str]:
    """The Python programs on mem0's page, as they stand there."""
    page = seeds / PAGE
    if not page.exists():
        pytest.skip(f"mem0's page {PAGE} is not at hand; set MEMPLUG_TEST_SEEDS to its folder")
    blocks = re.findall(r"```\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [block for block in blocks if "client.add" in block]


@pytest.fixture
def seeds() -> Path:
    """The folder with the pages of the reference systems."""
    default = Path(__file__).resolve().parents[3] / "shared" / "seeds"
    return Path(os.environ.get("MEMPLUG_TEST_SEEDS", default))


def run(program: str, folder: Path, allow: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process and folder of its own."""
    picture = folder / "path" / "to" / "your"
    picture.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 60), "green").save(picture / "image.jpg")
    environment = os.environ | {
        "MEMPLUG_STORE": str(folder / "store"),
        "MEMPLUG_EMBEDDER": "hashing:256",
        "MEMPLUG_ALLOW_HOSTS": allow,
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


_NEED_CLIENT = "from memplug import Memory\nclient = Memory()\n"


def test_programs_of_the_page_run(seeds: Path, pictures: str, tmp_path: Path) -> None:
    """Every program on mem0's multimodal page runs, and what it adds is found."""
    found = programs(seeds)
    assert len(found) == 5
    host = pictures.removeprefix("http://")
    for number, original in enumerate(found):
        program = original.replace("from mem0", "from memplug").replace("https://example.com", pictures)
        if "Memory()" not in program:
            # Two of the page's programs go on from the ones above them.
            program = _NEED_CLIENT + program
        folder = tmp_path / str(number)
        folder.mkdir()
        done = run(program + _LOOK, folder, host)
        assert done.returncode == 0, done.stderr
        assert "image" in done.stdout
        assert "Unexpected error" not in done.stdout


_LOOK = """
for user in ("alice", "user123"):
    for item in client.get_all(user_id=user):
        print(item.kind, item.text, len(client.media(item.id)) if item.media else "")
"""


def test_errors_are_caught_by_the_names_of_the_page(seeds: Path, tmp_path: Path) -> None:
    """The page's error handling catches a file that is no picture, and one that is too large."""
    program = next(block for block in programs(seeds) if "InvalidImageError" in block)
    program = program.replace("from mem0", "from memplug")
    broken = program.replace("https://example.com/image.jpg", "data:image/jpeg;base64,bm90IGEgcGljdHVyZQ==")
    assert "Invalid image format" in run(broken, tmp_path, "").stdout
    huge = program.replace('"https://example.com/image.jpg"', '"data:image/jpeg;base64," + "A" * 15_000_000')
    assert "Image file too large" in run(huge, tmp_path, "").stdout


def test_private_addresses_need_permission(seeds: Path, pictures: str, tmp_path: Path) -> None:
    """A URL into the private network is refused unless the host was allowed, and the message says how."""
    program = next(block for block in programs(seeds) if "InvalidImageError" in block)
    program = program.replace("from mem0", "from memplug").replace("https://example.com", pictures)
    done = run(program, tmp_path, "")
    assert "Unexpected error" in done.stdout
    assert "MEMPLUG_ALLOW_HOSTS" in done.stdout
