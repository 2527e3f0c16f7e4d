"""Archives as somebody other than memplug may write them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

MOMENT = "2024-01-01T00:00:00+00:00"
LATER = "2024-01-02T00:00:00+00:00"


def id_of(name: str) -> str:
    """An id of memplug's form."""
    return base64.b32encode(hashlib.sha256(name.encode()).digest()[:16]).decode().rstrip("=").lower()


def line(name: str = "one", **fields: Any) -> dict[str, Any]:
    """One version of one memory of user u, with other fields where they are given."""
    found = {"id": id_of(name), "kind": "text", "text": name, "created_at": MOMENT, "updated_at": MOMENT}
    return found | {"user_id": "u", "version": 1} | fields


def tombstone(name: str = "one", **fields: Any) -> dict[str, Any]:
    """The second version of a memory: its deletion."""
    return line(name, text="", version=2, updated_at=LATER, deleted=True, **fields)


def write_archive(
    path: Path,
    lines: Sequence[Mapping[str, Any] | str],
    *,
    media: Mapping[str, bytes] | None = None,
    manifest: Mapping[str, Any] | None = None,
    method: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """An archive with these lines (texts as they are) and these media by digest."""
    with zipfile.ZipFile(path, "w", method) as file:
        for digest, data in (media or {}).items():
            file.writestr(f"media/{digest}", data)
        text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines)
        file.writestr("memories.jsonl", text)
        file.writestr("manifest.json", json.dumps({"format": "memplug-archive", "version": 1, **(manifest or {})}))
    return path


def digest_of(data: bytes) -> str:
    """The name of an original."""
    return hashlib.sha256(data).hexdigest()


def media_of(data: bytes, **fields: Any) -> dict[str, Any]:
    """What a line says of a PNG."""
    return {"digest": digest_of(data), "size": len(data), "content_type": "image/png"} | fields


def webp() -> bytes:
    """A small WebP picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "green").save(buffer, "WEBP")
    return buffer.getvalue()
