"""Passages: nothing is lost, none is too long, each knows its place, and a change stays where it is."""
# ruff: noqa: RUF001 - signs of other scripts, and those that paths are shown with

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplug.inputs.documents import jsons, markdown, plain, tables
from memplug.inputs.documents.chunking import LONGEST, SHORTEST, Passage, passages
from memplug.inputs.documents.reading import Block, Reading
from memplug.values.limits import Limits

LIMITS = Limits()


def para(text: str, **fields: object) -> Block:
    """A paragraph."""
    return Block(kind="paragraph", text=text, **fields)  # type: ignore[arg-type] # a test's shorthand


def heading(text: str, level: int, page: int | None = None) -> Block:
    """A heading."""
    return Block(kind="heading", text=text, level=level, page=page)


def cut(*blocks: Block) -> list[Passage]:
    """The passages of a document of these blocks."""
    return passages(Reading(blocks=blocks))


def prose(seed: int, sentences: int) -> str:
    """Sentences of random words, the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    words = (
        "limit",
        "office",
        "software",
        "six",
        "hundred",
        "yuan",
        "and",
        "returns",
        "take",
        "thirty",
        "days",
        "receipt",
    )
    return " ".join(
        " ".join(draw.choice(words) for _ in range(draw.randint(4, 20))).capitalize() + "." for _ in range(sentences)
    )


def bare(text: str) -> str:
    """A text without blanks, to compare what was cut at them."""
    return "".join(text.split())


BLOCKS = st.lists(
    st.builds(
        Block,
        kind=st.sampled_from(("heading", "paragraph", "item", "row", "code")),
        text=st.one_of(
            st.text(min_size=1, max_size=30).filter(lambda text: text.strip() == text),
            st.builds(
                lambda word, n: (word * n).strip(),
                st.sampled_from(("word ", "。語", "Ab. ", "x", "l\n", "é")),
                st.integers(1, 3_000),
            ),
        ),
        level=st.integers(1, 4),
        page=st.sampled_from((None, 1, 2)),
        section=st.sampled_from(("", "$.a", "$.b")),
    ),
    max_size=12,
)


@given(BLOCKS)
def test_nothing_is_lost_and_nothing_is_too_long(blocks: list[Block]) -> None:
    """All characters are in a passage or, of a heading, in the path of one; none has more than the limit."""
    found = cut(*blocks)
    assert all(0 < len(one.text) <= LONGEST for one in found)
    assert [one.position for one in found] == list(range(len(found)))
    text = bare("".join(one.text for one in found))
    paths = {name for one in found for name in one.headings}
    for block in blocks:
        if block.kind == "heading":
            assert block.text in paths or bare(block.text) in text or block.text[:120] in {p[:120] for p in paths}
    rest = "".join(bare(block.text) for block in blocks if block.kind != "heading")
    assert len(text) >= len(rest)
    assert bare("".join(one.text for one in cut(*(b for b in blocks if b.kind != "heading")))) == rest


@given(BLOCKS)
def test_the_same_document_gives_the_same_passages(blocks: list[Block]) -> None:
    """Also in another process: nothing depends on the order of a set or a salted hash."""
    assert cut(*blocks) == cut(*blocks)


def test_a_passage_knows_page_path_and_section() -> None:
    """What a hit cites: the page, the headings above it, and where a record stands."""
    found = cut(
        heading("Handbook", 1, 1),
        para("Welcome.", page=1),
        heading("Returns", 2, 1),
        heading("Deadlines", 3, 1),
        para("14 days.", page=1),
        para("Or 30.", page=2),
        heading("Shipping", 2, 2),
        Block(kind="row", text="a: 1", page=2, section="row 2"),
        Block(kind="row", text="a: 2", page=2, section="row 3"),
    )
    assert [(one.text, one.page, one.path) for one in found] == [
        ("Welcome.", 1, "Handbook"),
        ("14 days.", 1, "Handbook › Returns › Deadlines"),
        ("Or 30.", 2, "Handbook › Returns › Deadlines"),
        ("a: 1\na: 2", 2, "Handbook › Shipping › row 2 – row 3"),
    ]


def test_a_heading_that_nothing_stands_under_is_a_passage() -> None:
    """A slide that has a title only, and the last heading of a document, can be found."""
    found = cut(heading("Title slide", 1, 1), heading("Agenda", 1, 2), para("x", page=2), heading("The end", 2, 3))
    assert [(one.text, one.page, one.headings) for one in found] == [
        ("Title slide", 1, ()),
        ("x", 2, ("Agenda",)),
        ("The end", 3, ("Agenda",)),
    ]


def test_an_endless_heading_is_cut_in_paths_only() -> None:
    """Some documents set whole paragraphs as headings; their words stay."""
    long = "word " * 50 + "end"
    found = cut(heading(long, 1), para("below"))
    assert [one.text for one in found] == [f"{long}\n\nbelow"]
    assert found[0].headings == (f"{long[:120]}…",)


def test_passages_of_running_text_have_about_a_thousand_characters() -> None:
    """None that more follows is shorter than the least, and on average they have the size that embedders like."""
    for kind in (1, 100):
        found = cut(*(para(prose(seed, 400 // kind)) for seed in range(kind)))
        sizes = [len(one.text) for one in found[:-1]]
        assert all(SHORTEST <= size <= LONGEST for size in sizes)
        assert 800 <= sum(sizes) / len(sizes) <= 1_300


def test_paragraphs_that_fit_stay_whole() -> None:
    """A passage ends behind a paragraph wherever it may."""
    texts = [prose(seed, 6) for seed in range(40)]
    found = cut(*map(para, texts))
    assert [text for one in found for text in one.text.split("\n\n")] == texts


def test_long_paragraphs_are_cut_behind_sentences() -> None:
    """Also in Chinese and Japanese, where no blank follows; closing quotes stay with their sentence."""
    for text in (
        prose(1, 300),
        "这是第一句话。“他说了什么？”她问道！" * 200,
        '"Is it?" he said. (Yes, 3.5 cm.) ' * 200,
    ):
        found = cut(para(text.strip()))
        assert len(found) > 1
        assert all(one.text[-1] in '.。！”)"' for one in found)
        assert bare("".join(one.text for one in found)) == bare(text)


def test_code_is_whole_where_a_passage_can_hold_it() -> None:
    """A function is not torn apart to fill up the passage before it; a long file falls between its functions."""
    function = "def f():\n" + "    x = 1\n" * 60 + "    return x"
    found = cut(para(prose(1, 5)), *(Block(kind="code", text=function) for _ in range(3)))
    assert sum(one.text.count(function) for one in found) == 3
    long = cut(Block(kind="code", text="\n\n".join([function] * 9)))
    assert bare("".join(one.text for one in long)) == bare(function * 9)
    assert all(one.text.startswith("def f") and one.text.endswith("return x") for one in long)


def test_a_text_without_any_place_to_cut_is_cut() -> None:
    """A line of a million letters, but never inside what a reader sees as one character."""
    assert {len(one.text) for one in cut(para("x" * 100_000))} <= {LONGEST, 100_000 % LONGEST}
    family = "👩\u200d👩\u200d👧"
    assert all(one.text[0] == "👩" for one in cut(para(family * 1_000)))
    assert all(one.text[0] == "e" for one in cut(para("e\u0301" * 5_000)))


def test_lists_and_rows_stay_lines() -> None:
    """Items and rows of one passage stand on lines of their own, paragraphs between blank lines."""
    found = cut(para("Intro:"), Block(kind="item", text="- a"), Block(kind="item", text="- b"), para("End."))
    assert [one.text for one in found] == ["Intro:\n- a\n- b\n\nEnd."]


# What a change changes ------------------------------------------------------------------------------------


def chapter(number: int, text: str) -> str:
    """A chapter in Markdown."""
    return f"## Chapter {number}\n\n{text}\n\n"


@given(st.integers(0, 5), st.text("ab .\n#", max_size=300), st.integers(0, 40))
def test_a_change_in_one_section_leaves_all_others(where: int, words: str, sentences: int) -> None:
    """Whatever is put into a chapter, the passages of the other chapters are the same, word for word and in order."""
    chapters = [prose(number, 30) for number in range(6)]
    changed = list(chapters)
    changed[where] = prose(99, sentences) + " " + words.replace("#", "")
    before, after = (
        passages(markdown.read("".join(map(chapter, range(6), one)).encode(), LIMITS)) for one in (chapters, changed)
    )
    for number in range(6):
        if number != where:
            name = f"Chapter {number}"
            assert [(p.text, p.path) for p in before if name in p.path] == [
                (p.text, p.path) for p in after if name in p.path
            ]


@pytest.mark.parametrize("text", [prose(5, 1_200), "\n\n".join(prose(seed, 8) for seed in range(150))])
def test_a_sentence_put_in_changes_few_passages_of_a_text_without_sections(text: str) -> None:
    """Passages fall as they did before soon behind the change, so that a new edition replaces little."""
    before = {one.text for one in passages(plain.read(text.encode(), LIMITS))}
    for place in (0, len(text) // 3, len(text) // 2):
        at = text.find(" ", place) + 1
        after = [one.text for one in passages(plain.read(f"{text[:at]}New words here. {text[at:]}".encode(), LIMITS))]
        assert sum(one not in before for one in after) <= 8 < len(before) / 5


def test_a_row_put_in_changes_few_passages_of_a_table() -> None:
    """The same for tables and JSON: records go into passages by what they say, not by their number."""
    rows = [f"{n * 7_919 % 10_007},name {n},{prose(n, 1)}" for n in range(600)]
    records = [{"id": n * 7_919 % 10_007, "text": prose(n, 1)} for n in range(600)]

    def of_table(lines: list[str]) -> list[str]:
        return [one.text for one in passages(tables.read("\n".join(["id,name,text", *lines]).encode(), LIMITS))]

    def of_json(values: list[dict[str, object]]) -> list[str]:
        import json

        return [one.text for one in passages(jsons.read(json.dumps(values).encode(), LIMITS))]

    before, after = set(of_table(rows)), of_table([*rows[:5], "1,new,Something new.", *rows[5:]])
    assert sum(one not in before for one in after) <= 8 < len(before) / 5
    before, after = set(of_json(list(records))), of_json([*records[:5], {"id": 1, "text": "New."}, *records[5:]])
    assert sum(one not in before for one in after) <= 8 < len(before) / 5
