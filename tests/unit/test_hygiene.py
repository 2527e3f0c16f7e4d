"""Write hygiene: what says nothing new is recognised, in the whole scope, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplug import Memory
from memplug.exceptions import ConfigError
from memplug.lexical.chatter import chatter
from memplug.lexical.sameness import same_words
from memplug.pipelines.hygiene import near_duplicates
from memplug.pipelines.identity import draft_identity
from memplug.safety.quoting import QUOTING_RULE, quoted
from memplug.values.draft import Draft
from memplug.values.scope import Scope
from memplug.values.source import Provenance
from support import START

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FACT = "Wang is allergic to peanuts and to shellfish."


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """A store on disk."""
    with Memory(tmp_path / "store", embedder="hashing:64") as opened:
        yield opened


def said(role: str, content: Any) -> dict[str, Any]:
    """A message."""
    return {"role": role, "content": content}


def texts(memory: Memory, **ids: Any) -> list[str]:
    """What a scope holds, sorted."""
    return sorted(item.text for item in memory.get_all(**ids))


# -- the same words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I owe Li $1,299.00!", "i owe Li $1299"),
        ("Rent: 1.299,50 €", "rent 1299.50€"),
        ("1'299 francs", "1299 francs"),
        ("100 % wool", "100% wool"),
        ("我 对花生过敏。", "我对花生过敏"),
        ("It\u2019s a well-known \u201cplace\u201d \u2013 really", "it's a well known place really"),
        ("\uff28\uff45\uff4c\uff4c\uff4f\uff0c\uff12 cats", "hello 2 cats"),
        ("Really??", "really ?"),
        ("  tea\n\n and   cake ", "Tea and cake"),
    ],
)
def test_form_does_not_count(one: str, other: str) -> None:
    """Case, punctuation, white space and the look of numbers make no difference."""
    assert same_words(one) == same_words(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I have 2 cats", "I have 3 cats"),
        ("I like tea.", "I like tea?"),
        ("I like tea", "I do not like tea"),
        ("Li likes Wang", "Wang likes Li"),
        ("-5 degrees", "5 degrees"),
        ("I write C++", "I write C"),
        ("Python 3.10", "Python 3.1"),
        ("at 10:30", "at 1030"),
        ("1.5 cups", "15 cups"),
        ("5 $", "5 €"),
        ("I love it 😀", "I love it 😡"),
        ("5%", "5"),
    ],
)
def test_meaning_counts(one: str, other: str) -> None:
    """Numbers, negations, order, signs, questions and emoji make another text."""
    assert same_words(one) != same_words(other)


@given(st.text())
def test_the_form_is_stable(text: str) -> None:
    """What is in that form already stays so, and white space around a text never counts."""
    form = same_words(text)
    assert same_words(f"  {text}\n") == form
    assert form == form.strip()


def test_facts_are_one_memory_in_whatever_form() -> None:
    """What was drawn from turns is told by its words; raw turns keep each form, and each time, apart."""
    fact = Draft(part=0, kind="fact", text=FACT, source=Provenance(role="user", derived_from=("a",)))
    same = replace(
        fact, text=FACT.upper().rstrip("."), source=replace(fact.source, derived_from=("b",)), occurred_at=START
    )
    other = replace(fact, text=FACT.replace("peanuts", "walnuts"))
    assert draft_identity(fact) == draft_identity(same) != draft_identity(other)
    event = replace(fact, kind="event", occurred_at=START)
    assert draft_identity(event) == draft_identity(replace(event, occurred_at=START.replace(hour=5)))
    assert draft_identity(event) != draft_identity(replace(event, occurred_at=START.replace(day=5)))
    turn = Draft(part=0, kind="text", text=FACT, source=Provenance(role="user"))
    assert (
        len({draft_identity(one) for one in (turn, replace(turn, text=FACT.upper()), replace(turn, occurred_at=START))})
        == 3
    )


# -- near duplicates ----------------------------------------------------------------------------------------


def test_a_duplicate_is_found_in_the_whole_scope(memory: Memory) -> None:
    """However much was said since, in whatever conversation, by whatever form; never another user's."""
    [id_] = memory.add(FACT, user_id="wang", run_id="first").ids
    memory.add(
        [said("user", f"Note {number} about peanuts and allergies") for number in range(300)],
        user_id="wang",
        run_id="b",
    )
    memory.add(FACT, user_id="eve")
    engine = memory.engine
    [[first, *rest], [], [near, *_]] = near_duplicates(
        engine.store,
        engine.embedder,
        Scope(user_id="wang"),
        [FACT.lower().replace(".", " !"), "...", "Wang is allergic to walnuts and to shellfish"],
    )
    assert (first.record.id, first.same, first.similarity) == (id_, True, 1.0)
    assert not any(twin.same for twin in rest)
    assert len(rest) <= 4
    assert (near.record.id, near.same) == (id_, False)
    assert 0.5 < near.similarity < 1


def test_what_is_gone_is_no_duplicate(memory: Memory) -> None:
    """Deleted memories and those of other kinds are not looked at."""
    [id_] = memory.add(FACT, user_id="wang").ids
    engine, scope = memory.engine, Scope(user_id="wang")
    assert near_duplicates(engine.store, engine.embedder, scope, [FACT], kinds=["fact"]) == [[]]
    [[found]] = near_duplicates(engine.store, engine.embedder, scope, [FACT], kinds=["text"])
    assert found.same
    memory.delete(id_, user_id="wang")
    assert near_duplicates(engine.store, engine.embedder, scope, [FACT]) == [[]]
    assert near_duplicates(engine.store, engine.embedder, scope, []) == []


# -- what was recalled --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["assistant", "tool"])
def test_what_was_handed_out_is_not_stored_again(memory: Memory, role: str) -> None:
    """An answer that is a recalled memory to the letter is a duplicate of it, also in another conversation."""
    [id_] = memory.add(said("user", FACT), user_id="wang", run_id="monday").ids
    memory.search("peanuts", user_id="wang")
    for _ in range(3):
        [outcome] = memory.add(said(role, f"“{FACT.upper()}”"), user_id="wang", run_id="tuesday").outcomes
        assert (outcome.event, outcome.id, outcome.version) == ("duplicate", id_, 1)
        assert outcome.reason.startswith("recalled")
    assert texts(memory, user_id="wang") == [FACT]


def test_what_nobody_recalled_is_stored(memory: Memory) -> None:
    """The same words are a turn of their own where they were not handed out, where a user says them, or others add."""
    memory.add(said("user", FACT), user_id="wang", run_id="a")
    assert memory.add(said("assistant", FACT), user_id="wang", run_id="b").outcomes[0].event == "added"
    memory.search("peanuts", user_id="wang")
    assert memory.add(said("user", FACT), user_id="wang", run_id="c").outcomes[0].event == "added"
    assert memory.add(said("assistant", FACT), user_id="eve").outcomes[0].event == "added"
    assert (
        memory.add(said("assistant", f"{FACT} Shall I look for a recipe?"), user_id="wang").outcomes[0].event == "added"
    )
    assert memory.add(said("assistant", FACT), user_id="wang", key="mine").outcomes[0].event == "added"


@pytest.mark.parametrize(
    ("known", "new"),
    [
        ("The price is 1.50 yuan for each litre.", "The price is 150 yuan for each litre."),
        ("The freezer is kept at -18 degrees.", "The freezer is kept at 18 degrees."),
        ("The flat costs 800 € in each month.", "The flat costs 800 $ in each month."),
        ("The last train leaves at 10:15 in summer.", "The last train leaves at 1015 in summer."),
        ("Wang likes C++ more than any other.", "Wang likes C# more than any other."),
    ],
)
def test_what_tells_something_else_is_no_repetition(memory: Memory, known: str, new: str) -> None:
    """Signs and points change what is meant: such an answer is stored, and so is one that is quoted."""
    memory.add(said("user", known), user_id="wang", run_id="a")
    memory.search(known, user_id="wang")
    assert memory.add(said("user", quoted(new, origin="web")), user_id="wang", run_id="b").outcomes[0].event == "added"
    assert memory.add(said("assistant", new), user_id="wang", run_id="b").outcomes[0].event == "added"


@pytest.mark.parametrize("form", ["**{}**", "- {}", "> {}", "### {}", "_{}_", "* *{}*"])
def test_markdown_around_a_repetition_does_not_count(memory: Memory, form: str) -> None:
    """Assistants set what they repeat in bold, or in lists."""
    memory.add(said("user", FACT), user_id="wang", run_id="a")
    memory.search("peanuts", user_id="wang")
    [outcome] = memory.add(said("assistant", form.format(FACT)), user_id="wang", run_id="b").outcomes
    assert outcome.event == "duplicate"


def test_words_beside_the_rule_of_quoting_stay(memory: Memory) -> None:
    """An application that puts everything on one line loses nothing of what its user said."""
    memory.add(said("user", FACT), user_id="wang", run_id="a")
    context = memory.context("peanuts", user_id="wang")
    message = f"{context} {QUOTING_RULE} My dog is called Rex."
    [outcome] = memory.add(said("user", message), user_id="wang", run_id="b").outcomes
    assert (outcome.event, outcome.text) == ("added", "My dog is called Rex.")


def test_short_words_and_what_was_deleted_are_said_anew(memory: Memory) -> None:
    """A "yes" comes back by itself; and what was deleted since is nobody's duplicate."""
    ids = memory.add([said("user", "Yes, please."), said("user", FACT)], user_id="wang", run_id="a").ids
    memory.search("yes please peanuts", user_id="wang")
    assert memory.add(said("assistant", "Yes, please."), user_id="wang", run_id="b").outcomes[0].event == "added"
    memory.delete(ids[1], user_id="wang")
    assert memory.add(said("assistant", FACT), user_id="wang", run_id="b").outcomes[0].event == "added"


def test_nothing_of_another_user_shows(memory: Memory) -> None:
    """That Eve was shown the same words says nothing to Wang, nor Wang's to Eve."""
    [wangs] = memory.add(said("user", FACT), user_id="wang").ids
    [eves] = memory.add(said("user", FACT), user_id="eve").ids
    memory.search("peanuts", user_id="eve")
    assert memory.add(said("assistant", FACT), user_id="wang", run_id="r").outcomes[0].event == "added"
    memory.search("peanuts", user_id="wang", filters={"role": "user"})
    assert memory.add(said("assistant", FACT), user_id="wang", run_id="s").outcomes[0].id == wangs
    assert memory.add(said("assistant", FACT), user_id="eve", run_id="s").outcomes[0].id == eves


def test_what_a_knowledge_base_said_is_not_stored_as_a_users(memory: Memory) -> None:
    """What was found in a bucket beside a user's memories comes back to them; to others it is new."""
    [rule] = memory.add(FACT, bucket="kb").ids
    block = str(memory.context("peanuts", user_id="wang", buckets=["kb"]))
    [outcome] = memory.add(said("assistant", FACT), user_id="wang", run_id="r").outcomes
    assert (outcome.event, outcome.id) == ("duplicate", rule)
    [outcome] = memory.add(said("user", f"{block}\nWhat can I cook?"), user_id="wang", run_id="r").outcomes
    assert outcome.text == "What can I cook?"
    assert memory.add(said("assistant", FACT), user_id="eve").outcomes[0].event == "added"


def test_what_a_shared_bucket_said_counts_while_it_is_shared(memory: Memory) -> None:
    """Without a role any more, the words are the user's own again, and nothing tells of the bucket."""
    memory.buckets.create("team", owner="olga")
    memory.buckets.share("team", "wang", "viewer", by="olga")
    memory.add(FACT, user_id="olga", bucket="team")
    memory.search("peanuts", user_id="wang", bucket="team")
    assert memory.add(said("assistant", FACT), user_id="wang").outcomes[0].event == "duplicate"
    memory.buckets.unshare("team", "wang", by="olga")
    assert memory.add(said("assistant", FACT), user_id="wang").outcomes[0].event == "added"


def test_quoted_memories_are_recognised_by_every_process(tmp_path: Path) -> None:
    """What an application put before the user's words is cut out again; a message of nothing else is a duplicate."""
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        [id_] = memory.add(said("user", FACT), user_id="wang", run_id="a").ids
    block = quoted(FACT, origin="user, Wang")
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        [outcome] = memory.add(said("user", f"{block}\n\nWhat can I cook?"), user_id="wang", run_id="b").outcomes
        assert (outcome.event, outcome.text) == ("added", "What can I cook?")
        [outcome] = memory.add(said("user", f"{block} {block}"), user_id="wang", run_id="b").outcomes
        assert (outcome.event, outcome.id) == ("duplicate", id_)
        assert texts(memory, user_id="wang") == sorted([FACT, "What can I cook?"])


def test_a_context_that_comes_back_leaves_nothing(memory: Memory) -> None:
    """The whole of what `Memory.context` gives goes, with its numbers, dates and rule; the user's words stay."""
    memory.add([said("user", FACT), said("user", "I moved to Berlin in spring.")], user_id="wang", run_id="a")
    context = memory.context("where do I live, and what am I allergic to?", user_id="wang")
    assert len(context.hits) == 2
    message = f"{QUOTING_RULE}\n{context}\n\nWhat can I cook?"
    assert memory.add(said("user", message), user_id="wang", run_id="b").outcomes[0].text == "What can I cook?"
    assert memory.add(said("assistant", str(context)), user_id="wang", run_id="b").outcomes[0].event == "duplicate"
    assert len(texts(memory, user_id="wang")) == 3


def test_a_long_memory_that_was_cut_short_is_recognised(memory: Memory) -> None:
    """An ellipsis at the end of a quotation stands for the rest."""
    long = " ".join(f"Chapter {number} tells of town {number}." for number in range(80))
    [id_] = memory.add(long, user_id="wang").ids
    [outcome] = memory.add(said("assistant", quoted(long[:500] + "…", origin="text")), user_id="wang").outcomes
    assert (outcome.event, outcome.id) == ("duplicate", id_)


def test_a_quotation_of_something_else_stays(memory: Memory) -> None:
    """Only what the scope holds is cut out: nothing that is new goes with it, and no other user's memory tells."""
    memory.add(FACT, user_id="eve")
    message = f"{quoted(FACT, origin='user')} and {quoted('My flight leaves at seven on Monday.', origin='web')}"
    [outcome] = memory.add(said("user", message), user_id="wang").outcomes
    assert (outcome.event, outcome.text) == ("added", message)


def test_a_tool_that_looks_into_the_memory_stores_nothing_twice(memory: Memory) -> None:
    """The use of the tool is kept and counted; what it recalled is only named, and found once."""
    [id_] = memory.add(said("user", FACT), user_id="wang").ids
    hits = memory.search("peanuts", user_id="wang")
    call = {"id": "c1", "type": "function", "function": {"name": "recall", "arguments": '{"query": "food"}'}}
    result = {"results": [{"memory": hits[0].text, "score": 0.9}], "note": "one memory was found in the store"}
    use = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps(result)},
    ]
    memory.add(use, user_id="wang", run_id="r")
    again = memory.add(use, user_id="wang", run_id="r")
    assert {outcome.event for outcome in again.outcomes} <= {"duplicate", "unchanged"}
    [kept] = [item for item in memory.get_all(user_id="wang") if "tool_call" in item.metadata]
    assert kept.metadata["tool_call"]["result"] == {
        "results": [{"memory": f"[memory {id_}]", "score": 0.9}],
        "note": "one memory was found in the store",
    }
    assert "shellfish" not in kept.text
    assert [hit.id for hit in memory.search("shellfish", user_id="wang") if "shellfish" in hit.text] == [id_]


def test_a_conversation_in_a_loop_stays_small(memory: Memory) -> None:
    """Fifty rounds of recalling and repeating leave one memory of it, and each question once."""
    memory.add(said("user", FACT), user_id="wang", run_id="0")
    for number in range(50):
        hit = memory.search("what is Wang allergic to?", user_id="wang", top_k=1)[0]
        round_ = [said("user", f"Question {number}: what am I allergic to?"), said("assistant", hit.text)]
        memory.add(round_, user_id="wang", run_id=str(number))
    kept = texts(memory, user_id="wang")
    assert kept.count(FACT) == 1
    assert len(kept) <= 51


# -- chatter ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Hi!", "greeting"),
        ("Hello there, good morning 🌞", "greeting"),
        ("你好\uff01", "greeting"),
        ("Bonjour, ça va ?", "greeting"),
        ("Thanks a lot 😊", "thanks"),
        ("谢谢你\uff0c再见", "thanks"),
        ("Bye, see you tomorrow!", "goodbye"),
        ("до свидания", "goodbye"),
        ("oh, got it", "acknowledgement"),
        ("안녕하세요!", "greeting"),
        ("おはようございます。", "greeting"),
    ],
)
def test_chatter_is_told_by_its_table(text: str, rule: str) -> None:
    """A message of nothing but such phrases is chatter, and the rule says of which kind."""
    assert chatter(text) == rule


@pytest.mark.parametrize(
    "text",
    ["", "!!!", "😀", "yes", "no", "ok", "Sure!", "great", "好的", "是", "Hi Bob", "thanks for the pizza", "hi 5",
     "你好世界", "Good morning, I moved to Berlin", "bye bye 2024", "hi" * 200, "hellothere", "I got it.",
     "I understand", "Yo", "um", "Bis morgen!", "Hasta mañana.", "à demain", "收到", "\u041f\u043e\u043a\u0430"],
)  # fmt: skip
def test_what_may_say_something_is_no_chatter(text: str) -> None:
    """Answers, names, numbers and everything else are kept."""
    assert chatter(text) is None


def test_chatter_is_kept_unless_the_user_says_so(memory: Memory, tmp_path: Path) -> None:
    """By default a greeting is a turn like others; with ``skip`` its outcome names the rule, and the rest is stored."""
    talk = [said("user", "Hi!"), said("user", "I moved to Berlin."), said("assistant", "Got it, thanks!")]
    assert [one.event for one in memory.add(talk, user_id="wang", run_id="a").outcomes] == ["added"] * 3
    with Memory(tmp_path / "other", embedder="hashing:64", chatter="skip") as strict:
        result = strict.add(talk, user_id="wang", run_id="a")
        assert [(one.event, one.reason) for one in result.outcomes] == [
            ("skipped", "chatter: greeting"),
            ("added", ""),
            ("skipped", "chatter: acknowledgement"),
        ]
        assert result["results"][0] == {"id": None, "memory": "Hi!", "event": "NONE"}
        assert strict.add("Good morning!", user_id="wang").ids == ()
        assert texts(strict, user_id="wang") == ["I moved to Berlin."]
        assert strict.add("Good morning!", user_id="wang", key="greeting").outcomes[0].event == "added"


def test_a_slip_in_the_setting_is_an_error() -> None:
    """Not silence about what is kept."""
    with pytest.raises(ConfigError, match="chatter must be"):
        Memory("memory://", chatter="drop")  # type: ignore[arg-type]


# -- whose words they are -----------------------------------------------------------------------------------


def test_who_said_it_is_kept_and_can_be_asked_for(memory: Memory) -> None:
    """An assistant's words stay the assistant's, whatever they say of the user; a filter tells them apart."""
    memory.add([said("user", "I like tea."), said("assistant", "You like coffee, too.")], user_id="wang", run_id="a")
    assert {hit.text: hit.item.source.role for hit in memory.search("like coffee tea", user_id="wang")} == {
        "I like tea.": "user",
        "You like coffee, too.": "assistant",
    }
    found = memory.search("what do I like, coffee?", user_id="wang", filters={"role": "user"})
    assert [hit.text for hit in found] == ["I like tea."]
