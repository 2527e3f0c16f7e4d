"""Archives of arbitrary stores: the round trip is exact, and an import that was cut off anywhere ends the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archives import digest_of, id_of, media_of, webp, write_archive
from memplug import Memory, Scope
from memplug.embedders.hashing import HashingEmbedder
from memplug.pipelines import transfer
from memplug.pipelines.identity import keyed_id
from memplug.safety.text import clean
from support import png

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2025, 1, 1, tzinfo=UTC)
RED, BLUE, SMALL, OTHER = png("red"), png("blue"), webp(), b"%PDF-1.4 no picture"
MEDIA = {digest_of(data): data for data in (RED, BLUE, SMALL, OTHER)}

_words = st.text(max_size=30)
_said = _words.filter(lambda text: bool(clean(text).strip()))
_optional = st.none() | _words
_moments = st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)
_source = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from((None, "user", "assistant", "system", "tool", "document", "web")),
        **dict.fromkeys(("speaker", "message", "file", "section", "url", "tool_call"), _optional),
        **dict.fromkeys(("position", "page"), st.none() | st.integers(0, 2**31 - 1)),
        "derived_from": st.lists(_words, max_size=2),
    },
)
_media = st.none() | st.sampled_from(
    (
        media_of(RED, width=40, height=30, name="red.png", thumbnail=digest_of(SMALL), phash="0" * 16),
        media_of(BLUE),
        media_of(OTHER, content_type="application/pdf", name="ü.pdf"),
    )
)
_content = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(("text", "image", "note")),
        "text": _said,
        "tags": st.lists(_said, max_size=3),
        "metadata": st.dictionaries(_words, _json, max_size=3),
        "source": _source,
        "context": _words,
        "occurred_at": _moments,
        "expires_at": st.none() | st.sampled_from((START, NOW, NOW + timedelta(days=9))),
    },
    optional={
        "status": st.sampled_from(("pending", "ready", "failed")),
        "error": _optional,
        "content_type": st.sampled_from(("text/plain", "text/markdown")),
        "identity": st.sampled_from(("", id_of("some content"))),
        "media": _media,
    },
)
_SCOPES: tuple[dict[str, str], ...] = (
    {"user_id": "a"},
    {"user_id": "a", "run_id": "r"},
    {"agent_id": "é", "bucket": "b"},
)


def plain(value: Any) -> Any:
    """Moments as text."""
    return value.isoformat() if isinstance(value, datetime) else value


@st.composite
def memories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The lines of an archive: memories of three scopes with their versions, some of them deletions."""
    lines = []
    for number in range(draw(st.integers(1, 5))):
        ids = draw(st.sampled_from(_SCOPES))
        key = draw(st.none() | st.just(f"key {number}"))
        id_ = id_of(f"{number}") if key is None else keyed_id(Scope(**ids), key)
        contents = draw(st.lists(st.none() | _content, min_size=1, max_size=4))
        for version, content in enumerate(contents, start=1):
            updated = START + timedelta(days=number, seconds=version)
            base = {"id": id_, "version": version, "created_at": plain(START), "updated_at": plain(updated)} | ids
            if content is None and version > 1:
                lines.append(base | {"kind": "text", "deleted": True})
            else:
                said: dict[str, Any] = content or {"kind": "text", "text": "x"}
                media = said.get("media")
                if media and media["content_type"] == "application/pdf" and said["kind"] == "image":
                    said = said | {"kind": "text"}
                lines.append(
                    base | {name: plain(value) for name, value in said.items()} | ({"key": key} if key else {})
                )
    return lines


@dataclass(slots=True)
class Breaking:
    """An embedder that stops the program at one of its calls; what has no words is embedded too."""

    left: int
    name: str = "hashing:64"
    dimension: int = 64
    _inner: HashingEmbedder = field(default_factory=lambda: HashingEmbedder("64"))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors, until it is over."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self._inner.embed(texts)


def opened(embedder: Any = "hashing:64") -> Memory:
    """An empty memory in the year after that of the memories."""
    return Memory("memory://", embedder=embedder, clock=lambda: NOW)


def everything(memory: Memory, ids: set[str]) -> dict[str, list[Any]]:
    """All versions of some memories, with what they are found by, and their originals."""
    backend = memory.engine.store.backend
    found = {}
    for id_ in ids:
        versions = backend.versions(id_)
        media = [memory.engine.store.holds_media(digest) for one in versions for digest in one.item.digests]
        assert all(media)
        found[id_] = [(repr(one.item), one.identity, one.context, one.terms) for one in versions]
    return {id_: versions for id_, versions in found.items() if versions}


def current(memory: Memory, ids: set[str]) -> set[str]:
    """Those of some memories that are there now: neither deleted nor expired."""
    latest = memory.engine.store.backend.latest(sorted(ids))
    return {
        id_
        for id_, one in latest.items()
        if not one.item.deleted and (one.item.expires_at is None or one.item.expires_at > NOW)
    }


@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(lines=memories(), cut=st.integers(0, 12))
def test_the_round_trip_is_exact_wherever_it_was_cut_off(lines: list[dict[str, Any]], cut: int) -> None:
    """Every field of every version, originals and deletions included, of all that is current; and nothing else."""
    ids = {line["id"] for line in lines}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, opened() as first:
        report = first.import_(write_archive(Path(folder, "given.zip"), lines, media=MEDIA))
        assert (report.added, report.rejected) == (len(ids), ())
        there = current(first, ids)
        exported = first.export(Path(folder, "all.zip"))
        assert (exported.memories, exported.missing) == (len(there), ())
        patch.setattr(transfer, "_BATCH", 1)
        breaking = Breaking(left=cut)
        with opened(breaking) as second:
            try:
                second.import_(Path(folder, "all.zip"))
            except KeyboardInterrupt:
                breaking.left = 1_000
            report = second.import_(Path(folder, "all.zip"))
            assert (report.added + report.updated + report.unchanged, report.rejected) == (len(there), ())
            assert everything(second, ids) == everything(first, there)
            assert second.import_(Path(folder, "all.zip")).unchanged == len(there)
            second.export(Path(folder, "again.zip"))
        assert Path(folder, "again.zip").stat().st_size == Path(folder, "all.zip").stat().st_size
