"""What a memory is found by: the user's words beside those of describers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from memplug import Memory
from memplug.embedders.hashing import HashingEmbedder
from memplug.plugins.hookspecs import hookimpl
from memplug.values.draft import Media
from support import png

SEEN = "\n".join(f"{number} x item {number * 7} {number}.50" for number in range(1, 60))


class Reader:
    """Reads the same long receipt in every picture."""

    name = "reader"

    @hookimpl
    def register_describers(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register(self.name, lambda: self)

    def accepts(self, media: Media) -> bool:
        """Takes pictures."""
        return media.content_type.startswith("image/")

    def describe(self, media: Media, *, context: str) -> str:  # noqa: ARG002 - the Protocol's shape
        """What stands there."""
        return SEEN


@pytest.mark.parametrize("wait", [True, False])
def test_users_words_and_describers_have_the_same_say(*, wait: bool) -> None:
    """However many words describers find: the vector lies in the middle of both, now as well as later."""
    embedder = HashingEmbedder("512")
    own, seen = embedder.embed(["dinner with my sister", SEEN])
    with Memory("memory://", plugins=[Reader()], embedder="hashing:512") as memory:
        result = memory.add(png(), user_id="u", description="dinner with my sister", wait=wait)
        if result.task_id:
            memory.wait(result.task_id)
        vector = memory.engine.store.get(result.ids[0], None).vector
    assert vector is not None
    assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-6)
    assert float(vector @ own) == pytest.approx(float(vector @ seen), abs=1e-6)


def test_a_picture_without_a_users_words_is_found_by_what_is_seen() -> None:
    """There is nothing beside it; the words are those of the describer alone."""
    with Memory("memory://", plugins=[Reader()], embedder="hashing:512") as memory:
        [id_] = memory.add(png(), user_id="u").ids
        vector = memory.engine.store.get(id_, None).vector
        assert vector is not None
        assert vector.tolist() == pytest.approx(HashingEmbedder("512").embed([SEEN])[0].tolist(), abs=1e-6)
        assert memory.search("item 49", user_id="u")[0].id == id_
