"""Reading happens in processes of its own: started when needed, bounded, and gone when nobody needs them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageDraw, ImageFont

import memplug_ocr
from memplug import Memory
from memplug.exceptions import PluginError
from memplug_ocr import Settings, read
from memplug_ocr.reader import bytes_of
from memplug_ocr.workers import Workers, shared

Write = Callable[..., Image.Image]


@pytest.fixture
def workers() -> Iterator[Workers]:
    """The one process that reads by default, not there yet."""
    memplug_ocr.close()
    yield shared(1)
    memplug_ocr.close()


def running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def crowded() -> Image.Image:
    """A page of small print, which takes many seconds to read."""
    picture = Image.new("L", (1_280, 1_280), 255)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(9)
    for top in range(0, 1_280, 11):
        pen.text((0, top), f"{top} many words in a small print " * 9, font=font, fill=0)
    return picture


def test_nothing_of_it_is_loaded_by_the_program(write: Write) -> None:
    """Neither the models nor what runs them, and at import not even Pillow."""
    heavy = '{"rapidocr", "onnxruntime", "cv2", "pypdfium2"} & set(sys.modules)'
    program = (
        "import sys, memplug_ocr; print('PIL' in sys.modules, 'numpy' in sys.modules)\n"
        f"found = memplug_ocr.read(sys.stdin.buffer.read()); print({heavy} or 'nothing', found.text)\n"
        "from memplug_ocr.workers import shared; print(*shared(1).pids)"
    )
    picture = bytes_of(write("Total 60.30"))
    path = os.pathsep.join(sys.path)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input=picture,
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    loaded, said, pid = ended.stdout.decode().splitlines()
    assert (loaded, said, ended.stderr) == ("False False", "nothing Total 60.30", b"")
    assert not running(int(pid))  # it ended with the program


def test_one_process_serves_all_threads(workers: Workers, write: Write) -> None:
    """Started by the first picture; each thread gets its own picture's words."""
    assert workers.pids == []
    pictures = [write(f"number {number}") for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        texts = [found.text for found in threads.map(read, pictures)]
    assert texts == [f"number {number}" for number in range(6)]
    assert len(workers.pids) == 1


def test_as_many_processes_as_are_set(write: Write) -> None:
    """Where there are two, two pictures are read at once, and a single one does not need the second."""
    settings = Settings(workers=2)
    assert read(write("alone"), settings=settings).text == "alone"
    assert len(shared(2).pids) == 1
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda text: read(write(text), settings=settings).text, ("one", "two") * 3))
    assert found == ["one", "two"] * 3
    assert len(shared(2).pids) == 2


def test_a_picture_that_takes_too_long_is_given_up(workers: Workers, write: Write) -> None:
    """With a typed error that names the setting, and the process is gone; the next picture gets another."""
    read(write("warm"))
    [pid] = workers.pids
    started = time.monotonic()
    with pytest.raises(PluginError, match=r"more than 1 seconds \(MEMPLUG_OCR_SECONDS"):
        read(crowded(), settings=Settings(seconds=1.0))
    assert time.monotonic() - started < 30  # a bound that only a hang breaks
    assert not running(pid)
    assert read(write("Total 60.30")).text == "Total 60.30"


def test_a_picture_that_takes_too_much_memory_is_given_up(workers: Workers) -> None:
    """With a typed error that names the setting, and the process is gone."""
    with pytest.raises(PluginError, match=r"more than 600 MB \(.*MEMPLUG_OCR_MEMORY_MB"):
        read(crowded(), settings=Settings(memory_mb=600))
    assert workers.pids == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of threads, which is the point
def test_a_forked_child_has_a_process_of_its_own(workers: Workers, write: Write) -> None:
    """Also where it is forked while a thread reads, and the parent keeps its own."""
    picture = bytes_of(write("Total 60.30"))
    read(picture)
    before = workers.pids
    thread = threading.Thread(target=read, args=(crowded().crop((0, 0, 400, 200)),))
    thread.start()
    while not any(workers._waiting.values()):
        time.sleep(0.01)
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = workers.pids == [] and read(picture).text == "Total 60.30" and workers.pids != before
            memplug_ocr.close()
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()
    assert workers.pids == before


def test_a_memory_that_is_closed_ends_it(workers: Workers, write: Write) -> None:
    """The last one does; what is read later starts it anew, and closing twice does nothing more."""
    picture = bytes_of(write("Total 60.30"))
    one, other = (Memory("memory://", plugins=[memplug_ocr], embedder="hashing:64") for _ in range(2))
    for memory in (one, other):
        memory.add(picture, user_id="u")
    [pid] = workers.pids
    one.close()
    one.close()
    assert workers.pids == [pid]
    other.close()
    assert (workers.pids, running(pid)) == ([], False)
    assert read(picture).text == "Total 60.30"
