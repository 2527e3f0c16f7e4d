"""Skills as an input type, and on their way back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memplug import AsyncMemory, Limits, Memory, Skill
from memplug.exceptions import (
    InputRejected,
    InputTooLarge,
    MalformedInput,
    NotFound,
    ScopeError,
    UnsafeInput,
)
from memplug.inputs.skill import SkillInput
from memplug.plugins.protocols import ParseContext
from memplug.skills.folder import pack_folder
from memplug.skills.package import open_package
from memplug.testing.inputs import InputTypeContract, image_part, png
from memplug.values.draft import Draft, Part
from memplug.values.source import Source
from skills import PDF_FORMS, RETURNS, SAMPLES, manifest, skill_zip
from support import Clock

FILES: Mapping[str, bytes | str] = {
    "SKILL.md": RETURNS,
    "references/policy.md": "# Policy\n\nOpened software is exchanged.\n",
    "scripts/refund.sh": "#!/bin/sh\nexit 1\n",
    "assets/logo.bin": bytes(range(256)),
    "assets/empty": b"",
}
ZIP = skill_zip(FILES, folder="returns")
NAME = "Customer Return Processing"


@pytest.fixture
def light() -> Iterator[Memory]:
    """An empty memory in this process, for what does not depend on the backend."""
    with Memory("memory://", embedder="hashing:256") as opened:
        yield opened


def part(data: bytes, **fields: Any) -> Part:
    """A part of bytes under a name, as an input type sees it."""
    return Part(index=0, source=Source(data=data, name=fields.pop("name", None)), **fields)


class TestSkillInput(InputTypeContract):
    """SkillInput keeps the promises of every input type."""

    def make(self) -> SkillInput:
        """The input type."""
        return SkillInput()

    def samples(self) -> Sequence[Part]:
        """Its own forms."""
        single = [part(text.encode(), name="SKILL.md") for text in SAMPLES.values()]
        zipped = [part(ZIP), part(skill_zip(FILES)), part(skill_zip({"x/skill.md": manifest()}))]
        return [*single, *zipped, part(RETURNS.encode(), kind="skill"), Part(index=0, text=RETURNS, kind="skill")]

    def strangers(self) -> Sequence[Part]:
        """Other types' parts: a document that mentions skills, archives without one, an Office file with one."""
        office = skill_zip({"[Content_Types].xml": "<Types/>", "word/document.xml": "<w/>", "SKILL.md": "x"})
        others = [b"# SKILL.md\n", skill_zip({"README.md": "x"}), skill_zip({"a/b/SKILL.md": manifest()}), office]
        return [Part(index=0, text=RETURNS), image_part(png()), part(ZIP, kind="blob"), *map(part, others)]

    def broken(self) -> Sequence[Part]:
        """Parts to refuse."""
        parts = [part(data, kind="skill") for data in (b"", b"# x", ZIP[:-5], png(), b"\xff\xfe")]
        return [*parts, part(b"no front matter", name="skill.md"), Part(index=0, kind="skill")]


def draft(data: bytes, *, context: ParseContext | None = None, **fields: Any) -> Draft:
    """The only draft of a skill."""
    [found] = SkillInput().parse(part(data, kind="skill", **fields), context or ParseContext())
    return found


@pytest.mark.parametrize(("name", "text"), SAMPLES.items())
def test_samples_come_back_as_they_are(name: str, text: str, light: Memory) -> None:
    """Each sample is found by its description, and its text comes back to the letter, Chinese included."""
    for other in SAMPLES.values():
        light.add(other.encode(), kind="skill", user_id="u")
    skill = light.skill(name, user_id="u")
    assert (skill.name, skill.read("SKILL.md").decode()) == (name, text)
    assert text.endswith(skill.body)
    assert light.search(skill.description, user_id="u", kinds=["skill"])[0].text == f"{name}: {skill.description}"


def test_every_file_comes_back_byte_for_byte(memory: Memory) -> None:
    """All files of a ZIP, with paths as seen from the skill's folder, and the ZIP itself."""
    [outcome] = memory.add(ZIP, user_id="u").outcomes
    skill = memory.skill(NAME, user_id="u")
    assert {file.path: file.size for file in skill.files} == {path: len(data) for path, data in FILES.items()}
    for path, data in FILES.items():
        assert skill.read(path) == (data.encode() if isinstance(data, str) else data)
    assert (outcome.event, outcome.kind) == ("added", "skill")
    assert memory.media(str(outcome.id)) == ZIP
    assert memory.search("software exchanged refund", user_id="u")[0].media == ZIP


def test_recall_shows_name_and_description(memory: Memory) -> None:
    """A hit is short whatever the skill holds; headings and names of files find it too, code does not."""
    body = f"{PDF_FORMS}\n{'words of no use ' * 2_000}"
    memory.add(skill_zip({"SKILL.md": body, "references/zugferd-invoices.md": "x"}), user_id="u")
    memory.add("something else about comments and programs", user_id="u")
    for question in ("fill in PDF forms", "scanned forms", "zugferd"):
        hit = memory.search(question, user_id="u")[0]
        assert (hit.kind, hit.text.partition(":")[0]) == ("skill", "pdf-forms")
        assert len(hit.text) < 150
    context = draft(body.encode()).context
    assert context == "PDF forms\nScanned forms"


def test_what_is_noted_of_a_skill() -> None:
    """Name, description, licence, files with digests and warnings stand in the metadata."""
    found = draft(skill_zip({"SKILL.md": PDF_FORMS, "a.txt": "x"}, folder="forms"), name="forms.zip")
    about = found.metadata["skill"]
    assert (about["name"], about["license"], about["file_count"]) == ("pdf-forms", "Apache-2.0", 2)
    assert about["bytes"] == len(PDF_FORMS) + 1
    assert about["files"][1] == {"path": "a.txt", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    assert about["warnings"] == ["the name is not that of its folder, 'forms'"]
    assert found.media is not None
    assert (found.content_type, found.media.name) == ("application/zip", "forms.zip")
    assert draft(RETURNS.encode()).content_type == "text/markdown"


def test_two_hundred_long_paths_are_all_there(light: Memory) -> None:
    """What has no room in the metadata is named there and comes from the original, and the metadata keeps its limit."""
    paths = [f"references/{n:03}-{'语' * 180}.md" for n in range(199)]
    light.add(skill_zip({"SKILL.md": manifest("wide"), **dict.fromkeys(paths, "x")}), user_id="u")
    skill = light.skill("wide", user_id="u")
    assert [file.path for file in skill.files] == ["SKILL.md", *paths]
    about = skill.item.metadata["skill"]
    assert (about["file_count"], about["left_out"], "files" in about) == (200, ["files"], False)
    assert len(json.dumps(skill.item.metadata).encode()) <= Limits().metadata_bytes // 2
    assert skill.read(paths[-1]) == b"x"


def test_the_same_again_is_unchanged_and_another_edition_a_version(memory: Memory) -> None:
    """A skill's place is its name in the scope: no second one, and the edition before stays readable."""
    first = memory.add(ZIP, user_id="u").outcomes[0]
    again = memory.add(ZIP, user_id="u").outcomes[0]
    edition = skill_zip({"SKILL.md": RETURNS.replace("30 days", "60 days")})
    new = memory.add(edition, user_id="u").outcomes[0]
    assert [one.event for one in (first, again, new)] == ["added", "unchanged", "updated"]
    assert {one.id for one in (first, again, new)} == {first.id}
    assert "60 days" in memory.skill(NAME, user_id="u").body
    old = memory.skill(NAME, version=1, user_id="u")
    assert ("30 days" in old.body, len(old.files)) == (True, 5)
    with pytest.raises(NotFound, match="no version 7"):
        memory.skill(NAME, version=7, user_id="u")


def test_two_editions_in_one_input_are_told_apart(memory: Memory) -> None:
    """The same skill twice is one memory; two of one name that differ cannot be stored at once, and that is said."""
    same = memory.add([ZIP, ZIP, "a text"], user_id="u").outcomes
    assert [one.event for one in same] == ["added", "duplicate", "added"]
    other = skill_zip({"SKILL.md": manifest("b"), "x": "1"}), skill_zip({"SKILL.md": manifest("b"), "x": "2"})
    outcomes = memory.add([*other, "another text"], user_id="u").outcomes
    assert [one.event for one in outcomes] == ["added", "rejected", "added"]
    assert "one after the other" in str(outcomes[1].error)
    assert memory.skill("b", user_id="u").read("x") == b"1"


def test_a_deleted_skill_is_gone_and_comes_back(memory: Memory) -> None:
    """Deletion, restoring and erasure hold for skills as for all memories."""
    id_ = memory.add(ZIP, user_id="u").ids[0]
    memory.delete(id_, user_id="u")
    with pytest.raises(NotFound):
        memory.skill(NAME, user_id="u")
    memory.restore(id_, 1, user_id="u")
    assert memory.skill(NAME, user_id="u").name == NAME
    memory.delete(id_, erase=True, user_id="u")
    assert list(memory.engine.store.backend.list_media()) == []
    assert memory.add(ZIP, user_id="u").outcomes[0].event == "added"


def test_skills_lie_in_scopes(memory: Memory) -> None:
    """Another user's skill is not found; one of a narrower scope is, and one of exactly this scope comes first."""
    memory.add(manifest("tool", "narrow").encode(), kind="skill", user_id="u", bucket="kb")
    memory.add(manifest("tool", "another's").encode(), kind="skill", user_id="v")
    assert memory.skill("tool", user_id="u").description == "narrow"
    memory.add(manifest("tool", "exact").encode(), kind="skill", user_id="u")
    assert memory.skill("tool", user_id="u").description == "exact"
    assert memory.skill("tool", user_id="u", bucket="kb").description == "narrow"
    with pytest.raises(NotFound, match="none was added here"):
        memory.skill("tool", user_id="w")
    with pytest.raises(ScopeError):
        memory.skill("tool")


def test_near_names_are_told(light: Memory) -> None:
    """A name or path that does not exist is NotFound, and the hint names what may have been meant, here only."""
    light.add(ZIP, user_id="u")
    light.add(manifest("customer-secret").encode(), kind="skill", user_id="v")
    with pytest.raises(NotFound, match=r"there are: Customer Return Processing\)$"):
        light.skill("customer-return-processing", user_id="u")
    skill = light.skill(f" {NAME}\n", user_id="u")
    with pytest.raises(NotFound, match=r"references/policy\.md"):
        skill.read("reference/policy.md")
    for path in ("", "/SKILL.md", "./SKILL.md", "returns/SKILL.md", "../SKILL.md", "skill.md", "references"):
        with pytest.raises(NotFound):
            skill.read(path)


def test_a_key_names_another_place(light: Memory) -> None:
    """Under a key, a skill lies there and is found by its name all the same, also with metadata of the caller's own."""
    light.add(manifest("keyed").encode(), kind="skill", key="a/b", metadata={"skill": "mine"}, user_id="u")
    skill = light.skill("keyed", user_id="u")
    assert (skill.item.key, skill.item.metadata) == ("a/b", {"skill": "mine"})
    assert light.get(key="a/b", user_id="u").id == skill.item.id


def test_more_skills_than_a_page_are_looked_through(light: Memory) -> None:
    """A skill under a key is found behind 600 others."""
    light.add(manifest("first").encode(), kind="skill", key="k", user_id="u")
    light.add([manifest(f"skill-{n}").encode() for n in range(600)], kind="skill", user_id="u")
    assert light.skill("first", user_id="u").item.key == "k"


ENCODED = base64.b64encode(ZIP).decode()


@pytest.mark.parametrize(
    "content",
    [
        {"type": "skill", "name": "returns.zip", "content": ENCODED},
        {"type": "skill", "content": f"data:application/zip;base64,{ENCODED}"},
        {"type": "skill", "content": ZIP},
        {"type": "skill", "name": "returns.md", "content": RETURNS},
        {"type": "skill", "content": f"data:text/markdown;base64,{base64.b64encode(RETURNS.encode()).decode()}"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "skill", "content": ENCODED}]},
        {"type": "file", "file": {"file_data": ENCODED, "filename": "returns.zip"}},
        {"type": "file", "file": {"file_data": base64.b64encode(RETURNS.encode()).decode(), "filename": "SKILL.md"}},
        [{"type": "skill", "content": ENCODED}],
        Source(data=RETURNS.encode(), name="SKILL.md"),
    ],
)
def test_forms_of_handing_in(content: object, light: Memory) -> None:
    """MemOS's part with URL, data URL or base64, OpenAI's file, bytes and sources all give the skill."""
    light.add(content, user_id="u")
    assert light.skill(NAME, user_id="u").body.startswith("\n# Customer Return Processing")


def test_a_skill_is_read_from_a_path_and_a_text(light: Memory, tmp_path: Path) -> None:
    """A file of the right name is a skill by itself, another name or a text says so by its kind."""
    (tmp_path / "skill.md").write_text(manifest("by-name"), encoding="utf-8")
    (tmp_path / "x.md").write_text(manifest("by-kind"), encoding="utf-8")
    light.add([tmp_path / "skill.md", tmp_path / "x.md"], user_id="u")
    light.add(tmp_path / "x.md", kind="skill", user_id="u")
    light.add(manifest("by-text"), kind="skill", user_id="u")
    kinds = [light.skill(name, user_id="u").item.media for name in ("by-name", "by-kind", "by-text")]
    assert [media.name if media else None for media in kinds] == ["skill.md", "x.md", ""]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "skill"}, "no content"),
        ({"type": "skill", "content": " "}, "no content"),
        ({"type": "skill", "content": 7}, "no content"),
        ({"type": "skill", "content": "not base64!"}, "base64"),
        ({"type": "skill", "content": ENCODED + "\n"}, "base64"),
        ({"type": "skill", "content": "data:text/markdown;base64,***"}, "base64"),
        ({"type": "skill", "content": "---\nname: \ud800\n---"}, "UTF-8"),
    ],
)
def test_broken_parts_are_refused(block: Mapping[str, Any], words: str, light: Memory) -> None:
    """A part without content, or with damaged base64, says so."""
    with pytest.raises(MalformedInput, match=words):
        light.add(block, user_id="u")


def test_a_folder_is_taken_as_its_zip(light: Memory, tmp_path: Path) -> None:
    """A folder with a SKILL.md gives the same bytes whenever it is packed; hidden files and folders are in it."""
    folder = tmp_path / "returns"
    for path, data in {**FILES, ".hidden": b"h"}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data.encode() if isinstance(data, str) else data)
    assert light.add(folder, user_id="u").outcomes[0].event == "added"
    for member in folder.rglob("*"):
        os.utime(member, (1, 1))
    assert light.add(folder, user_id="u", kind="skill").outcomes[0].event == "unchanged"
    skill = light.skill(NAME, user_id="u")
    assert {file.path for file in skill.files} == {*FILES, ".hidden"}
    assert skill.item.media is not None
    assert skill.item.media.name == "returns.zip"
    assert pack_folder(folder, Limits()) == light.media(skill.item.id)


def test_links_and_pipes_in_a_folder_are_refused(light: Memory, tmp_path: Path) -> None:
    """Nothing outside the folder gets in by a link, and nothing waits on a pipe."""
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "SKILL.md").write_text(manifest(), encoding="utf-8")
    for make in (
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.symlink_to(tmp_path),
        lambda path: path.symlink_to("nowhere"),
        os.mkfifo,
    ):
        make(folder / "odd")
        with pytest.raises(UnsafeInput):
            light.add(folder, user_id="u")
        (folder / "odd").unlink()
    with pytest.raises(MalformedInput, match="directory"):
        light.add(tmp_path, user_id="u")


SMALL = Limits(skill_bytes=400, skill_zip_bytes=4_000, skill_files=5, skill_file_bytes=1_000, skill_total_bytes=2_500)


def _sized(size: int) -> bytes:
    """A file that does not pack."""
    return hashlib.shake_256(b"x").digest(size)


@pytest.mark.parametrize(
    ("at", "over"),
    [
        (manifest().encode().ljust(400), manifest().encode().ljust(401)),
        (
            skill_zip({"SKILL.md": manifest().encode().ljust(400)}),
            skill_zip({"SKILL.md": manifest().encode().ljust(401)}),
        ),
        (
            skill_zip({"SKILL.md": manifest(), **{str(n): b"" for n in range(4)}}),
            skill_zip({"SKILL.md": manifest(), **{str(n): b"" for n in range(5)}}),
        ),
        (
            skill_zip({"SKILL.md": manifest(), "a": _sized(1_000)}),
            skill_zip({"SKILL.md": manifest(), "a": _sized(1_001)}),
        ),
        (
            skill_zip(
                {"SKILL.md": manifest().encode().ljust(400), "a": _sized(1_000), "b": _sized(1_000), "c": _sized(100)}
            ),
            skill_zip(
                {"SKILL.md": manifest().encode().ljust(400), "a": _sized(1_000), "b": _sized(1_000), "c": _sized(101)}
            ),
        ),
    ],
    ids=["skill_bytes", "skill_bytes in a ZIP", "skill_files", "skill_file_bytes", "skill_total_bytes"],
)
def test_limits_are_exact(at: bytes, over: bytes) -> None:
    """A value equal to a limit is taken, one more is too large."""
    assert draft(at, context=ParseContext(limits=SMALL))
    with pytest.raises(InputTooLarge):
        draft(over, context=ParseContext(limits=SMALL))


def test_the_size_of_a_zip_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    """A ZIP of exactly ``skill_zip_bytes`` is taken, from bytes, base64 and a path; one byte more is not."""
    data = skill_zip({"SKILL.md": manifest(), "a": _sized(500)})
    (tmp_path / "x.zip").write_bytes(data)
    block = {"type": "skill", "content": base64.b64encode(data).decode()}
    for limit in (len(data), len(data) - 1):
        with Memory("memory://", embedder="hashing:64", limits=replace(Limits(), skill_zip_bytes=limit)) as memory:
            for content in (data, block, tmp_path / "x.zip"):
                if limit == len(data):
                    assert memory.add(content, kind="skill", user_id="u").ids
                else:
                    with pytest.raises(InputTooLarge):
                        memory.add(content, kind="skill", user_id="u")


@pytest.mark.parametrize("over", ["files", "bytes", "file", "levels"])
def test_a_folder_keeps_to_the_limits(over: str, tmp_path: Path) -> None:
    """A folder is measured while it is read, so that one of a million files ends early."""
    folder = tmp_path / "s"
    folder.mkdir()
    files: dict[str, bytes] = {
        "files": {str(n): b"" for n in range(5)},
        "bytes": {str(n): _sized(1_000) for n in range(4)},
        "file": {"a": _sized(1_001)},
        "levels": {"/".join("abcdefgh") + "/x": b""},
    }[over]
    for path, data in {"SKILL.md": manifest().encode(), **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    with pytest.raises(InputTooLarge):
        pack_folder(folder, SMALL)


def test_strict_memories_keep_to_the_specification(tmp_path: Path) -> None:
    """With ``strict_skills`` a broken rule is an error with its reason; what keeps to all of them is taken."""
    good = skill_zip({"SKILL.md": PDF_FORMS}, folder="pdf-forms")
    lower = skill_zip({"skill.md": PDF_FORMS}, folder="pdf-forms")
    with Memory("memory://", embedder="hashing:64", strict_skills=True) as memory:
        assert memory.add(good, user_id="u").ids
        for data, words in ((ZIP, "lowercase"), (lower, "must be called SKILL.md")):
            with pytest.raises(MalformedInput, match=words):
                memory.add(data, user_id="u")
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "SKILL.md").write_text(PDF_FORMS, encoding="utf-8")
        with pytest.raises(MalformedInput, match="not that of its folder, 'other'"):
            memory.add(tmp_path / "other", user_id="u")
    with Memory("memory://", embedder="hashing:64") as memory:
        memory.add(lower, user_id="u")
        skill = memory.skill("pdf-forms", user_id="u")
        assert skill.warnings == ("the file is called skill.md, not SKILL.md",)
        assert skill.read("skill.md").decode() == PDF_FORMS


def test_the_value_tells_what_the_front_matter_says(light: Memory) -> None:
    """`Skill.metadata` is all of the front matter, as words; its memory says whose and which version it is."""
    light.add(PDF_FORMS.encode(), kind="skill", user_id="u", tags=["office"])
    skill = light.skill("pdf-forms", user_id="u")
    assert isinstance(skill, Skill)
    assert skill.metadata["metadata"] == {"author": "example-org", "version": "1.10"}
    assert (skill.item.tags, skill.item.version, skill.item.kind) == (("office",), 1, "skill")
    assert PDF_FORMS[:200] not in repr(skill)


def test_other_faces_have_the_verb() -> None:
    """A scoped memory and the async one give skills too."""

    async def program() -> str:
        async with AsyncMemory("memory://", embedder="hashing:64") as memory:
            bound = memory.scoped(user_id="u")
            await bound.add(ZIP)
            return (await bound.skill(NAME)).name + (await memory.skill(NAME, user_id="u")).name

    assert asyncio.run(program()) == NAME * 2
    with Memory("memory://", embedder="hashing:64") as memory:
        memory.scoped(user_id="u").add(ZIP)
        assert memory.scoped(user_id="u").skill(NAME).read("assets/empty") == b""


def test_an_export_carries_skills(memory: Memory, tmp_path: Path) -> None:
    """Export and import give the skill back with all its files and editions, and no second one when added again."""
    memory.add(ZIP, user_id="u")
    memory.add(RETURNS.encode(), kind="skill", user_id="u")
    memory.export(tmp_path / "all.zip")
    with Memory("memory://", embedder="hashing:256", clock=Clock()) as other:
        other.import_(tmp_path / "all.zip")
        assert other.skill(NAME, user_id="u").read("SKILL.md").decode() == RETURNS
        assert other.skill(NAME, version=1, user_id="u").read("assets/logo.bin") == FILES["assets/logo.bin"]
        assert other.add(RETURNS.encode(), kind="skill", user_id="u").outcomes[0].event == "unchanged"


def test_a_forged_import_is_judged_when_it_is_read(light: Memory, tmp_path: Path) -> None:
    """An archive can bring a skill whose original is none: reading it is a typed error, and nothing is unpacked."""
    light.add(ZIP, user_id="u")
    light.export(tmp_path / "all.zip")
    hostile = skill_zip({"SKILL.md": RETURNS, "../evil": "x"})
    with zipfile.ZipFile(tmp_path / "all.zip") as old, zipfile.ZipFile(tmp_path / "forged.zip", "w") as new:
        for info in old.infolist():
            data, digest = old.read(info), hashlib.sha256(ZIP).hexdigest()
            forged = hashlib.sha256(hostile).hexdigest()
            if info.filename.endswith(".jsonl"):
                data = data.replace(digest.encode(), forged.encode())
                data = data.replace(f'"size": {len(ZIP)}'.encode(), f'"size": {len(hostile)}'.encode())
                data = data.replace(f'"size":{len(ZIP)}'.encode(), f'"size":{len(hostile)}'.encode())
            new.writestr(info.filename.replace(digest, forged), hostile if digest in info.filename else data)
    with Memory("memory://", embedder="hashing:256") as other:
        report = other.import_(tmp_path / "forged.zip")
        assert report.added == 1, report
        with pytest.raises(UnsafeInput):
            other.skill(NAME, user_id="u")


def test_a_packed_folder_is_a_package(tmp_path: Path) -> None:
    """What a folder is packed into passes the same judgement as an archive of anybody's, or is refused as one."""
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "SKILL.md").write_text(manifest(), encoding="utf-8")
    assert open_package(pack_folder(folder, Limits()), Limits()).folder == "s"
    (folder / "con.txt").write_bytes(b"x")
    with pytest.raises(InputRejected):
        open_package(pack_folder(folder, Limits()), Limits())
