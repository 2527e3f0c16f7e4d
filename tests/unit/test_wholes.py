"""The doctor on documents and passages that have lost each other."""

from __future__ import annotations

import pytest

from memplug import Memory, Source
from memplug.pipelines.doctor import Check
from memplug.pipelines.versions import following, tombstone
from pdfs import pdf

HANDBOOK = Source(data=b"# Returns\n\nWithin 14 days.\n\n# Shipping\n\nFree over 50 euros.\n", name="handbook.md")
LONE, HOLLOW = "passages have their document", "documents have their passages"


def passages(memory: Memory, document: str) -> list[str]:
    """The ids of a document's passages."""
    return [item.id for item in memory.get_all(user_id="u", filters={"part_of": document})]


def checked(memory: Memory) -> dict[str, Check]:
    """The doctor's two checks."""
    checks = {check.name: check for check in memory.doctor().checks}
    return {name: checks[name] for name in (LONE, HOLLOW)}


def wrong(memory: Memory) -> dict[str, int]:
    """How many each of the two found."""
    found = checked(memory)
    assert all(check.ok is (check.found == 0) for check in found.values())
    return {name: check.found for name, check in found.items() if check.found}


def test_a_whole_store_is_well(memory: Memory) -> None:
    """Documents, scans, passages and documents that were deleted or expired, and all other kinds, are in order."""
    memory.add([HANDBOOK, "a text", Source(data=b"Tea,5\nCoffee,7\n", name="prices.csv")], user_id="u")
    memory.add(Source(data=pdf(b""), name="empty.pdf"), user_id="u")
    [first] = memory.add(Source(data=b"# One\n\nwords\n", name="one.md"), user_id="u").ids
    for id_ in passages(memory, first):
        memory.delete(id_)
    memory.delete(memory.add(Source(data=b"# Two\n\nwords\n", name="two.md"), user_id="u").ids[0])
    memory.add(Source(data=b"# Three\n\nwords\n", name="three.md"), user_id="u", expires_at="2026-01-01T00:00:00.1Z")
    assert wrong(memory) == {}
    assert memory.doctor().ok


def test_a_document_without_its_passages_is_found(memory: Memory) -> None:
    """As something that took rows away would leave it; what the report advises brings them back."""
    [id_] = memory.add(HANDBOOK, user_id="u").ids
    memory.engine.store.backend.erase(passages(memory, id_))
    assert wrong(memory) == {HOLLOW: 1}
    assert id_ in checked(memory)[HOLLOW].detail
    assert memory.search("shipping", user_id="u")[0].id == id_
    memory.delete(id_)
    memory.add(HANDBOOK, user_id="u")
    assert wrong(memory) == {}
    assert len(passages(memory, id_)) == 2


@pytest.mark.parametrize("erased", [True, False])
def test_passages_without_their_document_are_found(memory: Memory, erased: bool) -> None:
    """Whether its rows are gone or only its deletion is there; what the report advises puts it right."""
    [id_] = memory.add(HANDBOOK, user_id="u").ids
    [piece, *_] = passages(memory, id_)
    if erased:
        memory.engine.store.backend.erase([id_])
    else:
        store = memory.engine.store
        [record] = store.backend.latest([id_]).values()
        store.commit([following(tombstone(record), record, store.clock())], {})
    assert wrong(memory) == {LONE: 1}
    assert checked(memory)[LONE].detail.split()[-1] in passages(memory, id_)
    assert memory.get(piece).text
    memory.add(HANDBOOK, user_id="u")
    assert wrong(memory) == {}
