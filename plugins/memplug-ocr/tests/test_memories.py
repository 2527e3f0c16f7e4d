"""Through memplug: pictures and scanned pages are found by what stands on them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path

import pytest
from PIL import Image

import memplug_ocr
from memplug import Memory
from memplug.exceptions import PluginError
from memplug.plugins.protocols import Describer, PageDescriber
from memplug.values.draft import Media
from memplug_ocr import Settings
from memplug_ocr.describer import Ocr

Write = Callable[..., Image.Image]
Scan = Callable[[Sequence[Image.Image]], bytes]


@pytest.fixture(scope="module", autouse=True)
def describer() -> Iterator[Ocr]:
    """Keeps the process that reads from one test to the next."""
    with closing(Ocr(Settings())) as made:
        yield made


@pytest.fixture
def memory() -> Iterator[Memory]:
    """A memory that can read."""
    with Memory("memory://", plugins=[memplug_ocr], embedder="hashing:64") as opened:
        yield opened


def png(picture: Image.Image) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_it_is_there_when_it_is_installed() -> None:
    """Nothing has to be imported or named."""
    if not list(metadata.entry_points(group="memplug", name="ocr")):
        pytest.skip("memplug-ocr is on the path, but not installed")
    with Memory("memory://", embedder="hashing:64") as memory:
        [info] = [one for one in memory.engine.plugins.plugins() if one.name == "ocr"]
    assert (info.state, info.distribution, info.registered) == ("ok", "memplug-ocr", ("describer:ocr",))


def test_it_is_a_describer_of_pages(describer: Describer) -> None:
    """As memplug's protocols have it."""
    assert isinstance(describer, PageDescriber)


def test_a_bare_picture_is_found_by_what_stands_in_it(memory: Memory, write: Write) -> None:
    """The words are the memory's text; the original stays as it is."""
    data = png(write("Golden Dragon", "Total 60.30"))
    memory.add("I ate dragon fruit", user_id="u")
    [id_] = memory.add(data, user_id="u").ids
    [hit, *_] = memory.search("golden dragon 60.30", user_id="u")
    assert (hit.id, hit.kind, hit.text, hit.item.status) == (id_, "image", "Golden Dragon\nTotal 60.30", "ready")
    assert memory.media(id_) == data


def test_the_users_own_words_come_first(memory: Memory, write: Write) -> None:
    """What was read stands below them."""
    [id_] = memory.add(png(write("Total 60.30")), user_id="u", description="dinner with Li").ids
    assert memory.get(id_).text == "dinner with Li\nTotal 60.30"


def test_it_can_be_read_later(memory: Memory, write: Write) -> None:
    """In the background, where the caller does not wait."""
    result = memory.add(png(write("Total 60.30")), user_id="u", description="dinner", wait=False)
    assert result.outcomes[0].event == "pending"
    assert result.task_id is not None
    memory.wait(result.task_id)
    item = memory.get(result.ids[0])
    assert (item.text, item.status) == ("dinner\nTotal 60.30", "ready")


def test_a_picture_that_cannot_be_read_is_kept(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason; here it is memory, of which none is left for a picture."""
    monkeypatch.setenv("MEMPLUG_OCR_MEMORY_MB", "600")
    picture = png(write(*["many words in a small print, line by line"] * 30, size=40))
    with Memory("memory://", plugins=[memplug_ocr], embedder="hashing:64") as bounded:
        [id_] = bounded.add(picture, user_id="u", description="small print").ids
        item = bounded.get(id_)
    assert (item.text, item.status) == ("small print", "failed")
    assert "the picture could not be read: reading the document took more than 600 MB" in str(item.error)


def test_a_blob_that_is_no_picture_is_kept_as_it_is(memory: Memory, write: Write) -> None:
    """Broken pictures may be kept as blobs, and are no failure; whole ones are read."""
    broken, whole = png(write("Total 60.30"))[:-500], png(write("Total 60.30"))
    for wait in (True, False):
        for number, data in enumerate((broken, whole)):
            result = memory.add(data, user_id="u", key=f"{wait} {number}", kind="blob", description="shot", wait=wait)
            if result.task_id:
                memory.wait(result.task_id)
            item = memory.get(result.ids[0])
            assert (item.status, item.error) == ("ready", None)
            assert item.text == ("shot\nTotal 60.30" if data == whole else "shot")


def test_scanned_pages_are_cited(memory: Memory, write: Write, scan: Scan, tmp_path: Path) -> None:
    """A document of pictures is found by what stands on a page, with the page's number."""
    file = tmp_path / "bills.pdf"
    file.write_bytes(scan([write("Golden Dragon", "Dumplings 12.50"), write("Silver Phoenix", "Noodles 9.90")]))
    [outcome] = memory.add(file, user_id="u").outcomes
    assert outcome.event == "added"
    hit = memory.search("silver phoenix noodles", user_id="u")[0]
    assert (hit.citation, hit.text) == ("bills.pdf, page 2", "Silver Phoenix\nNoodles 9.90")
    assert hit.item.metadata["read_by"] == "ocr"
    assert "scanned_pages" not in memory.get(str(hit.item.part_of)).metadata


def test_scanned_pages_can_be_read_later(memory: Memory, write: Write, scan: Scan) -> None:
    """The document is there at once, its pages come in the background."""
    result = memory.add(scan([write("Golden Dragon"), write("Silver Phoenix")]), user_id="u", wait=False)
    assert result.task_id is not None
    memory.wait(result.task_id)
    hit = memory.search("silver phoenix", user_id="u")[0]
    assert (hit.text, hit.item.source.page) == ("Silver Phoenix", 2)


def test_a_page_that_cannot_be_read_does_not_cost_the_others(describer: Ocr, write: Write, scan: Scan) -> None:
    """It is left out, so that it stays listed as scanned; where none can be read, that is an error."""
    media = Media(data=scan([write("first page"), write("second page")]), content_type="application/pdf")
    assert describer.pages(media, [2, 7], context="") == {2: "second page"}
    with pytest.raises(PluginError, match="page 7 could not be read"):
        describer.pages(media, [7, 8], context="")


def test_a_document_that_is_made_to_take_for_ever_is_given_up(write: Write, scan: Scan) -> None:
    """After three pages that took all the memory that there is: the fourth, which could be read, is not tried."""
    words = "a narrow page takes less memory than a square one does, whatever is written on it"
    square = Image.effect_noise((1_000, 1_000), 100)
    media = Media(data=scan([square, square, square, write(words, size=16)]), content_type="application/pdf")
    with closing(Ocr(Settings(memory_mb=600))) as describer:
        with pytest.raises(PluginError, match=r"page 1 could not be read: .* 600 MB"):
            describer.pages(media, [1, 2, 3, 4], context="")
        assert describer.pages(media, [1, 4], context="") == {4: words}


def test_real_receipts_on_scanned_pages(memory: Memory, receipts: list[Path], scan: Scan) -> None:
    """Two of them in one document, each found by company and total with its page."""
    chosen = {"001": "INDAH GIFT & HOME DECO 60.30", "012": "HOME MASTER HARDWARE 15.90"}
    pages = [Image.open(file).convert("RGB") for file in receipts if file.stem in chosen]
    memory.add(scan(pages), user_id="u")
    for number, words in enumerate(chosen.values(), start=1):
        hit = memory.search(words, user_id="u")[0]
        assert hit.item.source.page == number
