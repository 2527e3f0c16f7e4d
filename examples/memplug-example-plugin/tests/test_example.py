"""The example plugin, tested as any plugin would be: in a real memory."""

from __future__ import annotations

import memplug_example
import pytest

from memplug import Memory
from memplug.exceptions import MalformedInput

CARD = "BEGIN:VCARD\nVERSION:4.0\nFN:Li Wei\nTEL;TYPE=cell:+86 138 0000 0000\nEMAIL:li@example.org\nEND:VCARD"


def test_cards_are_remembered_and_found() -> None:
    """A vCard becomes a contact, and is the first answer to the question for a number."""
    with Memory("memory://", plugins=[memplug_example], embedder="hashing:64") as memory:
        memory.add([CARD, "Li has a new number of cats"], user_id="u")
        hit = memory.search("what is the phone number of Li?", user_id="u", explain=True)[0]
        assert (hit.kind, hit.text) == ("contact", "Li Wei: +86 138 0000 0000, li@example.org")
        assert hit.shares["contact"] > 0


def test_other_texts_stay_texts() -> None:
    """What is no vCard is left to memplug's own input type."""
    with Memory("memory://", plugins=[memplug_example], embedder="hashing:64") as memory:
        assert memory.add("just a text", user_id="u").outcomes[0].kind == "text"


def test_a_card_without_name_is_refused() -> None:
    """A broken card is an error, not a memory without sense."""
    memory = Memory("memory://", plugins=[memplug_example], embedder="hashing:64")
    with memory, pytest.raises(MalformedInput, match="name"):
        memory.add("BEGIN:VCARD\nEND:VCARD", user_id="u")
