"""Forty real receipts, as a user would add them: without a word."""

from __future__ import annotations

import importlib.util
import io
import os
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from memplug import Memory

if TYPE_CHECKING:
    from pathlib import Path


def test_forty_receipts(data_folder: Path, tmp_path: Path) -> None:
    """Each receipt is listed, comes back byte for byte, is found by key and by name, and has a thumbnail."""
    files = sorted((data_folder / "receipts").glob("*.jpg"))
    assert len(files) == 40
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        for file in files:
            memory.add(file, user_id="wang", key=f"receipts/{file.name}")
        listed = {item.key: item for item in memory.get_all(user_id="wang")}
        assert set(listed) == {f"receipts/{file.name}" for file in files}
        for file in files:
            item = memory.get(key=f"receipts/{file.name}", user_id="wang")
            assert item == listed[item.key]
            assert item.kind == "image"
            assert item.name == file.name
            assert memory.media(item.id) == file.read_bytes()
            with memory.open_media(item.id, thumbnail=True) as thumbnail:
                picture = Image.open(io.BytesIO(thumbnail.read()))
                assert picture.format == "WEBP"
                assert max(picture.size) == 256
            assert memory.search(file.stem, user_id="wang", top_k=1)[0].id == item.id


@pytest.mark.slow
def test_forty_receipts_are_found_by_what_stands_on_them(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read by memplug-ocr and ranked as memplug ranks; the process that reads keeps to its memory."""
    if not importlib.util.find_spec("rapidocr"):
        pytest.skip("memplug-ocr is not installed: pip install -e plugins/memplug-ocr")
    for name in [name for name in os.environ if name.startswith("MEMPLUG_") and "TEST" not in name]:
        monkeypatch.delenv(name)
    from benchmarks.receipts import measured

    result = measured(data_folder / "receipts", str(tmp_path / "store"), "wordllama")
    number = len(result.ids)
    read = {name: number - len(missing) for name, missing in result.unread.items()}
    assert number == 40
    assert (read["total"] >= 39, read["date"] >= 38, read["company"] >= 34) == (True, True, True), read
    company_and_date, company_and_total = (1 - len(missing) / number for missing in result.missed.values())
    assert company_and_date >= 0.93
    assert company_and_total >= 0.97
    assert result.peak < 1_000_000_000
