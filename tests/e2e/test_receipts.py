"""Forty real receipts, as a user would add them: without a word."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

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
