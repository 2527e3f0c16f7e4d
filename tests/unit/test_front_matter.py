"""The front matter of a SKILL.md: read as words, within bounds, leniently or to the letter."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.skills.manifest import Manifest, read_manifest
from skills import SAMPLES, manifest


def read(front: str, *, body: str = "", strict: bool = False, folder: str = "") -> Manifest:
    """The manifest with this front matter."""
    return read_manifest(f"---\n{front}\n---\n{body}".encode("utf-8", "surrogatepass"), strict=strict, folder=folder)


@pytest.mark.parametrize(("name", "text"), SAMPLES.items())
def test_samples_are_read(name: str, text: str) -> None:
    """Name, description and body of skills as people share them."""
    found = read_manifest(text.encode())
    assert found.name == name
    assert found.description
    assert text.endswith(found.body)
    assert "---" not in found.body


def test_values_are_words() -> None:
    """Nothing is taken for a truth value, a number, a date or nothing, as YAML would."""
    found = read("name: no\ndescription: 1.10\nlicense: ~\nmetadata:\n  date: 2026-01-01\n  octal: 0o17\n  yes: on")
    assert (found.name, found.description, found.fields["license"]) == ("no", "1.10", "~")
    assert found.fields["metadata"] == {"date": "2026-01-01", "octal": "0o17", "yes": "on"}


def test_every_form_of_text_is_read() -> None:
    """Quoted, folded and literal texts, tags and line ends of Windows, and a byte order mark."""
    text = "---\r\nname: 'it''s'\r\ndescription: >\r\n  one\r\n  two\r\nlicense: |\r\n  a\r\n  b\r\n---\r\nbody\r\n"
    found = read_manifest(b"\xef\xbb\xbf" + text.encode())
    assert (found.name, found.description, found.fields["license"], found.body) == (
        "it's",
        "one two",
        "a\nb\n",
        "body\n",
    )


def test_three_hyphens_in_a_value_end_nothing() -> None:
    """Only a line of its own ends the front matter; a rule in the body belongs to the body."""
    found = read("name: a\ndescription: before --- after", body="# x\n\n---\n\ny")
    assert (found.description, found.body) == ("before --- after", "# x\n\n---\n\ny")


def test_a_colon_in_a_value_is_mended() -> None:
    """A value that can only be meant as words is read as words, with a warning; to the letter it is an error."""
    front = 'name: a\ndescription: Use when: the user says "file: it"'
    found = read(front)
    assert found.description == 'Use when: the user says "file: it"'
    assert found.warnings == ("a value in the front matter needs quotes around it",)
    with pytest.raises(MalformedInput, match="no YAML"):
        read(front, strict=True)


REFUSED: Mapping[str, str] = {
    "aliases": "name: a\ndescription: &x d\nother: *x",
    "alias bomb": "name: a\ndescription: d\na: &a [x, x]\n"
    + "\n".join(f"{after}: &{after} [*{one}, *{one}]" for one, after in zip("abcdefgh", "bcdefghi", strict=True)),
    "merge by alias": "name: a\ndescription: d\nbase: &b {x: y}\nother:\n  <<: *b",
    "equal names": "name: a\ndescription: d\nname: b",
    "equal names below": "name: a\ndescription: d\nmetadata: {x: y, x: z}",
    "name is a list": "name: a\ndescription: d\n[x, y]: z",
    "10,000 brackets": "name: a\ndescription: " + "[" * 10_000,
    "10,000 braces": "name: a\ndescription: " + "{" * 10_000,
    "10,000 hyphens": "- " * 10_000,
    "nine levels": "name: a\ndescription: d\nx: " + "[" * 8 + "y" + "]" * 8,
    "501 values": "name: a\ndescription: d\n" + "\n".join(f"x{n}: y" for n in range(248)),
    "several documents": "name: a\ndescription: d\n--- b\n",
    "no mapping": "- name\n- description",
    "only a text": "name",
    "tab": "\tname: a",
    "half a pair": 'name: "\\ud800"\ndescription: d',
    "half a pair below": 'name: a\ndescription: d\nmetadata: {x: ["\\udfff"]}',
    "beyond Unicode": 'name: "\\UFFFFFFFF"\ndescription: d',
    "just beyond Unicode": 'name: "\\U00110000"\ndescription: d',
    "unknown directive": "%YAML 9.9\nname: a",
    "not closed": 'name: "a\ndescription: d',
    "no name": "description: d",
    "no description": "name: a",
    "name in capitals": "Name: a\ndescription: d",
    "empty name": "name:\ndescription: d",
    "blank name": 'name: " "\ndescription: d',
    "invisible name": 'name: "\\0"\ndescription: d',
    "empty description": "name: a\ndescription: ''",
    "list of names": "name: [a]\ndescription: d",
    "mapping as description": "name: a\ndescription: {x: y}",
    "empty": "",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_front_matter_of_a_skill_is_refused(case: str) -> None:
    """A bomb, two meanings, or no name and description: one typed error with words, and nothing guessed."""
    with pytest.raises(MalformedInput) as caught:
        read(REFUSED[case])
    assert caught.value.code == "input.malformed"
    assert caught.value.message


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("description: d", "has no name"),
        ("name: a", "has no description"),
        ("name: a\ndescription:", "the description in the front matter of the SKILL.md is empty"),
        ("name: [a]\ndescription: d", "the name in the front matter of the SKILL.md must be a text"),
        ("name: a\ndescription: d\nname: b", "there twice"),
        ("name: a\ndescription: [", r"no YAML: .* \(line \d\)"),
    ],
)
def test_the_reason_is_told(front: str, words: str) -> None:
    """The error names what is missing or wrong, and the line where YAML ends."""
    with pytest.raises(MalformedInput, match=words):
        read(front)


def test_the_bounds_are_exact() -> None:
    """500 values and 8 levels are read, and a front matter of 64,000 characters; one more is not."""
    many = "name: a\ndescription: d\n" + "\n".join(f"x{n}: y" for n in range(246))
    assert len(read(f"{many}\nz: [y]").fields) == 249
    with pytest.raises(MalformedInput, match="500 values"):
        read(f"{many}\nz: [y, y]")
    assert read("name: a\ndescription: d\nx: " + "[" * 7 + "]" * 7).fields["x"]
    comment = "name: a\ndescription: d\n#"
    assert read(comment.ljust(63_999, "x")).name == "a"
    with pytest.raises(MalformedInput, match="64,000"):
        read(comment.ljust(64_000, "x"))


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("name: Customer Return\ndescription: d", "lowercase"),
        ("name: under_score\ndescription: d", "lowercase"),
        ("name: -edge\ndescription: d", "hyphen"),
        ("name: edge-\ndescription: d", "hyphen"),
        ("name: two--hyphens\ndescription: d", "two in a row"),
        (f"name: {'a' * 65}\ndescription: d", "64 characters"),
        (f"name: a\ndescription: {'d' * 1025}", "1,024 characters"),
        (f"name: a\ndescription: d\ncompatibility: {'c' * 501}", "500 characters"),
        ("name: a\ndescription: d\ncompatibility:", "500 characters"),
        ("name: a\ndescription: d\nlicense: [MIT]", "license must be a text"),
        ("name: a\ndescription: d\nallowed-tools: [Bash, Read]", "allowed-tools must be a text"),
        ("name: a\ndescription: d\nmetadata: x", "metadata"),
        ("name: a\ndescription: d\nmetadata: {x: [y]}", "metadata"),
        ("name: a\ndescription: d\nversion: 2\nauthor: me", "unknown fields: author, version"),
    ],
)
def test_a_broken_rule_is_a_warning_or_an_error(front: str, words: str) -> None:
    """Each rule of the Agent Skills specification is noted where it is broken, and is an error in strict mode."""
    [warning] = read(front).warnings
    assert words in warning
    with pytest.raises(MalformedInput, match=words):
        read(front, strict=True)


@pytest.mark.parametrize(
    "front",
    [
        "name: a\ndescription: d",
        f"name: {'a' * 64}\ndescription: {'d' * 1024}\ncompatibility: {'c' * 500}",
        "name: pdf-2-text\ndescription: d\nlicense: MIT\nallowed-tools: Bash(git:*) Read\nmetadata: {version: '1'}",
        "name: 发票整理\ndescription: d",
    ],
)
def test_what_keeps_to_the_specification_passes_in_strict_mode(front: str) -> None:
    """Values at the bounds, all fields that there are, and letters of all languages."""
    assert read(front, strict=True).warnings == ()


def test_the_name_is_that_of_the_folder() -> None:
    """A skill in a folder of another name is noted, and an error in strict mode; composed or not is no difference."""
    assert read("name: a\ndescription: d", folder="a", strict=True).warnings == ()
    assert read("name: é\ndescription: d", folder="e\u0301", strict=True).warnings == ()
    assert read("name: a\ndescription: d", folder="b").warnings == ("the name is not that of its folder, 'b'",)
    with pytest.raises(MalformedInput, match="folder"):
        read("name: a\ndescription: d", folder="b", strict=True)


def test_a_name_is_one_line_of_visible_words() -> None:
    """Line breaks and control characters do not get into what lists show."""
    found = read('name: "two\\n lines"\ndescription: "red \\e[31malert\\u0007"')
    assert (found.name, found.description) == ("two lines", "red alert")


def test_endless_names_and_descriptions_are_refused() -> None:
    """What is longer than any use of it is too large; right at the bound it is taken with a warning."""
    assert read(f"name: {'a' * 200}\ndescription: {'d' * 20_000}").warnings
    for front in (f"name: {'a' * 201}\ndescription: d", f"name: a\ndescription: {'d' * 20_001}"):
        with pytest.raises(InputTooLarge):
            read(front)


def test_warnings_are_bounded() -> None:
    """A hundred unknown fields are one short warning."""
    found = read("name: a\ndescription: d\n" + "\n".join(f"{'x' * 300}{n}: y" for n in range(100)))
    [warning] = found.warnings
    assert warning.endswith("and 92 more")
    assert len(warning) < 500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# No front matter", "is missing"),
        ("", "is missing"),
        ("---\nname: a\ndescription: d\n", "no line --- at its end"),
        ("--- name: a", "no line --- at its end"),
        (f" {manifest()}", "is missing"),
    ],
)
def test_a_front_matter_has_two_lines_around_it(text: str, words: str) -> None:
    """Where the front matter would begin and end is said, not guessed."""
    with pytest.raises(MalformedInput, match=words):
        read_manifest(text.encode())


def test_other_encodings_are_refused() -> None:
    """A SKILL.md is UTF-8; the error says at which byte it is not."""
    with pytest.raises(MalformedInput, match=r"not UTF-8 text: .* at byte 25"):
        read_manifest("---\nname: a\ndescription: é\n---\n".encode("latin-1"))
