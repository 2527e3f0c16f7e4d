"""Taking apart what a caller hands in, and bringing the bytes of each part here."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from memplug.exceptions import (
    FileSizeError,
    InputRejected,
    InputTooLarge,
    InvalidImageError,
    MalformedInput,
    UnsafeInput,
    UnsupportedInput,
)
from memplug.inputs.loading import load
from memplug.inputs.parts import Refused, unpack
from memplug.safety.fetch import Fetcher
from memplug.testing.inputs import encoded, jpeg, jpeg_with_exif, picture, png
from memplug.values.draft import Part
from memplug.values.limits import Limits
from memplug.values.source import Source

PNG = png()
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
LIMITS = Limits()


def unpacked(content: object, *, limits: Limits = LIMITS, **said: Any) -> list[Part | Refused]:
    """What the content gives."""
    return unpack(content, **{"description": None, "content_type": None, "kind": None, **said}, limits=limits)


def parts(content: object, **said: Any) -> list[Part]:
    """What the content gives, where nothing of it is refused."""
    found = unpacked(content, **said)
    assert all(isinstance(part, Part) for part in found), found
    return [part for part in found if isinstance(part, Part)]


def part(content: object, **said: Any) -> Part:
    """The content's only part."""
    (found,) = parts(content, **said)
    return found


def refused(content: object) -> InputRejected:
    """Why the content's only part is refused."""
    (found,) = unpacked(content)
    assert isinstance(found, Refused)
    return found.error


def loaded(content: object, *, limits: Limits = LIMITS, **said: Any) -> Source:
    """The content's only part with its bytes here."""
    source = load(part(content, **said), limits, Fetcher(limits)).source
    assert source is not None
    return source


# What may be handed in ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hello", "", "/etc/passwd", "https://example.com/a.png", "photo.png", "你好"])
def test_a_string_is_text_whatever_it_looks_like(text: str) -> None:
    """A string is never opened as a path nor fetched as a URL."""
    assert (part(text).text, part(text).source, part(text).kind) == (text, None, None)


def test_a_string_that_is_a_data_url_is_its_picture() -> None:
    """An image data URL handed in as a string gives the picture's bytes."""
    assert part(PNG_URL).kind == "image"
    assert loaded(PNG_URL).data == PNG
    assert loaded(f"  {PNG_URL}\n").data == PNG
    assert loaded(PNG_URL.replace("image/png", "IMAGE/PNG;charset=x")).data == PNG


def test_words_about_data_urls_stay_words() -> None:
    """A sentence that begins with the prefix of a data URL is text."""
    for text in ("data:image/png;base64, is the prefix", "data:image/png;base64,", "data:text/plain;base64,aGVsbG8="):
        assert part(text).text == text


@pytest.mark.parametrize("data", [PNG, bytearray(PNG), memoryview(PNG)])
def test_bytes_of_any_type_are_a_source(data: object) -> None:
    """Bytes, bytearrays and memoryviews give the same bytes."""
    assert loaded(data).data == PNG
    assert type(loaded(data).data) is bytes


def test_a_path_is_a_file(tmp_path: Path) -> None:
    """A path gives the file's bytes and name."""
    (tmp_path / "receipt.png").write_bytes(PNG)
    found = loaded(tmp_path / "receipt.png")
    assert (found.data, found.name) == (PNG, "receipt.png")


def test_a_source_keeps_what_it_says() -> None:
    """A Source passes with its name and type; the call's content type fills in where it has none."""
    assert part(Source(data=PNG, media_type="image/png"), content_type="image/gif").source == Source(
        data=PNG, media_type="image/png"
    )
    assert part(Source(data=PNG, name="a"), content_type="image/gif").source == Source(
        data=PNG, media_type="image/gif", name="a"
    )


def test_a_pil_image_becomes_an_upright_png_without_metadata(tmp_path: Path) -> None:
    """A PIL image keeps its pixels and file name, is turned upright, and loses where it was taken."""
    path = tmp_path / "holiday.jpg"
    path.write_bytes(jpeg_with_exif(orientation=6))
    with Image.open(path) as image:
        found = loaded(image)
        pixels = image.convert("RGB").transpose(Image.Transpose.ROTATE_270)
    assert found.name is not None
    assert Source(data=b"", name=found.name).label == "holiday.jpg"
    assert found.data is not None
    again = Image.open(io.BytesIO(found.data))
    assert (again.format, again.size, dict(again.getexif())) == ("PNG", (64, 96), {})
    assert again.tobytes() == pixels.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "HSV"])
def test_pil_images_of_every_common_mode_are_taken(mode: str) -> None:
    """Modes that PNG has keep every pixel; the others become RGB."""
    image = picture().convert("L").convert(mode) if mode == "I;16" else picture(mode=mode)
    data = loaded(image).data
    assert data is not None
    again = Image.open(io.BytesIO(data))
    assert again.mode == (mode if mode not in {"CMYK", "YCbCr", "HSV"} else "RGB")
    assert again.tobytes() == (image if again.mode == mode else image.convert("RGB")).tobytes()


def test_a_pil_image_that_cannot_be_png_is_refused() -> None:
    """A floating point image, and one whose file is damaged, are invalid images."""
    with pytest.raises(InvalidImageError, match="mode F"):
        loaded(Image.new("F", (4, 4)))
    with Image.open(io.BytesIO(jpeg(size=(400, 300))[:2000])) as broken, pytest.raises(InvalidImageError):
        loaded(broken)


def test_a_pil_image_has_the_limit_on_pixels() -> None:
    """As many pixels as the limit pass, one more does not."""
    limits = Limits(image_pixels=100)
    assert loaded(Image.new("L", (10, 10)), limits=limits).data
    with pytest.raises(InputTooLarge):
        loaded(Image.new("L", (101, 1)), limits=limits)


@pytest.mark.parametrize("thing", [None, 5, 1.5, {1, 2}, object(), iter(["a"]), (text for text in ("a",))])
def test_an_unknown_object_alone_is_a_typed_error(thing: object) -> None:
    """Something that is no input at all is said at once, with what would be one."""
    with pytest.raises(UnsupportedInput, match="nothing is known of objects of type"):
        unpacked(thing)


def test_an_unknown_object_in_a_list_costs_only_itself() -> None:
    """A bad item of a list is refused under its own number, and the others go on."""
    found = unpacked(["a", 5, ["nested"], {"foo": 1}, "b"])
    assert [type(one).__name__ for one in found] == ["Part", "Refused", "Refused", "Refused", "Part"]
    assert [one.index for one in found] == [0, 1, 2, 3, 4]


def test_an_empty_list_has_no_parts() -> None:
    """Nothing in, nothing out."""
    assert unpacked([]) == []
    assert unpacked(()) == []


# Messages -------------------------------------------------------------------------------------------------


def test_mem0s_conversation_with_a_picture() -> None:
    """The first program of mem0's page: a text, and a message whose content is one part dict."""
    first, second = parts(
        [
            {"role": "user", "content": "Hi, my name is Alice."},
            {"role": "user", "content": {"type": "image_url", "image_url": {"url": "https://example.com/menu.jpg"}}},
        ]
    )
    assert (first.text, first.message, first.context) == ("Hi, my name is Alice.", 0, "")
    assert (second.source, second.kind, second.message) == (Source(url="https://example.com/menu.jpg"), "image", 1)


def test_text_sent_along_is_the_pictures_context() -> None:
    """Texts and pictures of one message share its number, and the texts are the pictures' context."""
    first, second, third = parts(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What's in this image?"},
                {"type": "image_url", "image_url": {"url": PNG_URL}},
                "and who?",
            ],
        }
    )
    assert [one.message for one in (first, second, third)] == [0, 0, 0]
    assert (first.context, second.context, third.context) == ("", "What's in this image?\nand who?", "")


def test_memos_tool_messages() -> None:
    """MemOS's tool messages: each call is a part for plugins, the answer is text that knows its call."""
    call = {"id": "call_123", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    asked, answered = parts(
        [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_123", "content": [{"type": "text", "text": '{"t":"7°C"}'}]},
        ]
    )
    assert (asked.kind, asked.value, asked.role, asked.text) == ("tool_call", call, "assistant", None)
    assert (answered.text, answered.role, answered.kind) == ('{"t":"7°C"}', "tool", None)
    assert isinstance(answered.value, dict)
    assert answered.value["tool_call_id"] == "call_123"


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ({"type": "tool_use", "id": "1", "name": "f", "input": {}}, "tool_call"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio"),
        ({"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}, "video"),
        ({"type": "hologram"}, "hologram"),
    ],
)
def test_forms_for_plugins_are_handed_on_whole(block: dict[str, Any], kind: str) -> None:
    """A form that memplug itself does not read keeps its dict and says what it is."""
    for content in (block, [block], {"role": "user", "content": block}, {"role": "user", "content": [block]}):
        assert (part(content).kind, part(content).value) == (kind, block)


def test_the_callers_kind_wins_where_the_form_leaves_it_open() -> None:
    """A kind of the call's own goes to texts, sources and files, not to pictures and tool calls."""
    said = [
        part.kind
        for part in parts([{"type": "file", "url": "https://a.b/c"}, "a", PNG, {"type": "tool_use"}], kind="skill")
    ]
    assert said == ["skill", "skill", "skill", "tool_call"]
    assert part(PNG_URL, kind="feedback").kind == "image"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": PNG_URL},
        {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}},
        {"type": "input_image", "image_url": PNG_URL},
        {"type": "image", "url": PNG_URL},
        {"type": "image", "base64": PNG_URL.partition(",")[2], "mime_type": "image/png"},
        {"type": "image", "source_type": "base64", "data": PNG_URL.partition(",")[2], "mime_type": "image/png"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG_URL.partition(",")[2]}},
        {"type": "image", "source": {"type": "url", "url": PNG_URL}},
        {"type": "non_standard", "value": {"type": "image_url", "image_url": PNG_URL}},
    ],
)
def test_all_forms_of_an_image_part_give_the_picture(block: dict[str, Any]) -> None:
    """OpenAI's, mem0's, LangChain's and Anthropic's image parts all give the same bytes."""
    found = loaded({"role": "user", "content": [block]})
    assert (found.data, found.media_type) == (PNG, "image/png")


@pytest.mark.parametrize(
    ("block", "error", "words"),
    [
        ({"type": "image", "file_id": "file-1"}, UnsupportedInput, "file_id"),
        ({"type": "input_image", "file_id": "file-1"}, UnsupportedInput, "file_id"),
        ({"type": "image_url"}, MalformedInput, "no url"),
        ({"type": "image_url", "image_url": {}}, MalformedInput, "no url"),
        ({"type": "image_url", "image_url": {"url": 5}}, MalformedInput, "no url"),
        ({"type": "image", "base64": "!!!aGVsbG8="}, MalformedInput, "base64 is damaged"),
        ({"type": "image", "source": {"type": "image", "source": {}}}, MalformedInput, "no url"),
        ({"type": "text"}, MalformedInput, "text as a string"),
        ({"type": "text", "text": {"value": "x"}}, MalformedInput, "text as a string"),
        ({"type": 5}, MalformedInput, "role and content"),
        ({}, MalformedInput, "role and content"),
    ],
)
def test_a_damaged_part_says_what_is_wrong_and_costs_only_itself(
    block: dict[str, Any], error: type[InputRejected], words: str
) -> None:
    """A part that lacks what its form needs is refused in clear words; the text beside it stays."""
    bad, good = unpacked({"role": "user", "content": [block, {"type": "text", "text": "beside it"}]})
    assert isinstance(bad, Refused)
    assert isinstance(bad.error, error)
    assert words in str(bad.error)
    assert isinstance(good, Part)
    assert (good.text, good.index) == ("beside it", 1)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user"},
        {"role": "user", "content": None},
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": None, "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": []},
    ],
)
def test_a_message_without_content_still_has_a_part(message: dict[str, Any]) -> None:
    """A message that holds nothing gives an empty text, so that it gets an outcome."""
    assert part(message).text == ""


@pytest.mark.parametrize("content", [None, "", []])
def test_empty_content_beside_tool_calls_is_no_part(content: object) -> None:
    """Clients send an empty content with tool calls; only the calls are parts. Words beside them are one more."""
    call = {"id": "c"}
    assert part({"role": "assistant", "content": content, "tool_calls": [call]}).value == call
    spoken, called = sorted(
        parts({"role": "assistant", "content": "I look it up.", "tool_calls": [call]}), key=lambda one: one.text is None
    )
    assert (spoken.text, called.kind) == ("I look it up.", "tool_call")


def test_damaged_tool_calls_are_refused() -> None:
    """Tool calls that are no list, or no dicts, are refused by number."""
    assert "must be a list" in str(refused({"role": "assistant", "tool_calls": "x"}))
    assert "must be a dict" in str(refused({"role": "assistant", "tool_calls": [5]}))


@pytest.mark.parametrize(
    ("word", "role"),
    [
        ("user", "user"),
        ("human", "user"),
        ("ai", "assistant"),
        ("assistant", "assistant"),
        ("developer", "system"),
        ("system", "system"),
        ("function", "tool"),
        ("tool", "tool"),
        ("User", "user"),
        (None, "user"),
    ],
)
def test_roles_of_all_libraries_are_understood(word: str | None, role: str) -> None:
    """OpenAI's and LangChain's words for a role become ours."""
    assert part({"role": word, "content": "x"}).role == role


@pytest.mark.parametrize("word", ["robot", "", 5, ["user"]])
def test_an_unknown_role_costs_only_its_message(word: object) -> None:
    """A message of an unknown role is refused with the roles there are; the next one is read."""
    bad, good = unpacked([{"role": word, "content": "x"}, "y"])
    assert isinstance(bad, Refused)
    assert "unknown role" in str(bad.error)
    assert "assistant" in str(bad.error)
    assert isinstance(good, Part)


def test_a_name_is_the_speaker() -> None:
    """A message's name says who speaks; a tool's name does not."""
    assert part({"role": "user", "name": "Caroline", "content": "x"}).speaker == "Caroline"
    assert part({"role": "user", "name": "", "content": "x"}).speaker is None
    assert part({"role": "tool", "name": "get_weather", "content": "x"}).speaker is None
    assert "name must be text" in str(refused({"role": "user", "name": 5, "content": "x"}))


@pytest.mark.parametrize("field", ["occurred_at", "chat_time", "timestamp", "created_at"])
@pytest.mark.parametrize(
    "value", ["2026-11-20T18:00:00Z", "2026-11-20 18:00", "2026-11-20 18:00:00", 1795197600, 1795197600.0]
)
def test_a_message_may_say_when(field: str, value: object) -> None:
    """All usual fields and spellings of a moment are read; without a zone it is UTC."""
    assert part({"role": "user", "content": "x", field: value}).occurred_at == datetime(2026, 11, 20, 18, tzinfo=UTC)


@pytest.mark.parametrize("value", ["yesterday", "", 1795197600000, float("nan"), float("inf"), True, [], {}])
def test_a_time_that_is_none_costs_only_its_message(value: object) -> None:
    """A bad time is refused with the spellings there are; the next message is read."""
    bad, good = unpacked([{"role": "user", "content": "x", "chat_time": value}, "y"])
    assert isinstance(bad, Refused)
    assert isinstance(bad.error, MalformedInput)
    assert "ISO 8601" in str(bad.error)
    assert isinstance(good, Part)


def test_bare_items_are_messages_of_their_own() -> None:
    """In a list of bare items each is one message, so an unrelated text is no picture's context."""
    first, second = parts(["a shopping list", PNG])
    assert (first.message, second.message, second.context) == (0, 1, "")


def test_a_list_of_part_dicts_is_one_message() -> None:
    """A list that holds part dicts and no message is the content of one message."""
    first, second = parts(["what is this?", {"type": "image_url", "image_url": PNG_URL}])
    assert (first.message, second.message, second.context) == (0, 0, "what is this?")


def test_messages_and_bare_items_mix() -> None:
    """Messages, texts, pictures and paths in one list keep their order and numbers."""
    found = parts(
        [
            {"role": "assistant", "content": ["a", PNG]},
            "b",
            Path("c.png"),
            picture(),
            {"role": "user", "content": "d"},
            Source(data=b"e"),
        ]
    )
    assert [one.index for one in found] == list(range(7))
    assert [one.message for one in found] == [0, 0, 1, 2, 3, 4, 5]
    assert [one.role for one in found][:3] == ["assistant", "assistant", "user"]


def test_a_description_goes_with_every_part() -> None:
    """The user's words about the input reach each of its parts."""
    assert [one.description for one in parts(["a", PNG], description="mine")] == ["mine", "mine"]


def test_objects_of_other_libraries_are_read_by_shape() -> None:
    """An object with role and content, such as OpenAI's, is a message, and its calls become dicts."""
    call = SimpleNamespace(model_dump=lambda: {"id": "c"})
    message = SimpleNamespace(role="assistant", content=None, tool_calls=[call])
    assert part(message).value == {"id": "c"}


# Limits ---------------------------------------------------------------------------------------------------


def test_the_number_of_parts_is_limited() -> None:
    """As many parts as the limit pass; one more refuses the request."""
    limits = Limits(parts=3)
    assert len(unpacked(["a"] * 3, limits=limits)) == 3
    assert len(unpacked({"role": "user", "content": ["a"] * 3}, limits=limits)) == 3
    for content in (["a"] * 4, {"role": "user", "content": ["a"] * 4}):
        with pytest.raises(InputTooLarge, match="3 parts"):
            unpacked(content, limits=limits)


def test_the_text_of_a_request_is_limited_together() -> None:
    """All texts and the description count together; as many tokens as the limit pass."""
    limits = Limits(text_tokens=10)
    assert unpacked(["word " * 5, {"role": "user", "content": "word " * 4}], description="word", limits=limits)
    for content, description in ((["word " * 5] * 2, "word"), (["word " * 11], None), ([], "word " * 11)):
        with pytest.raises(InputTooLarge, match="10 tokens"):
            unpacked(content, description=description, limits=limits)


def test_the_bytes_of_a_picture_are_limited_before_they_are_read(tmp_path: Path) -> None:
    """A file, bytes or data URL of as many bytes as the limit pass; one more is FileSizeError in its fixed words."""
    limits = Limits(image_bytes=len(PNG))
    path = tmp_path / "a"
    path.write_bytes(PNG)
    for content in (path, PNG, PNG_URL, {"type": "image", "base64": PNG_URL.partition(",")[2]}):
        assert loaded(content, limits=limits).data == PNG
    path.write_bytes(PNG + b"x")
    more = "data:image/png;base64," + base64.b64encode(PNG + b"x").decode()
    for content in (path, PNG + b"x", more):
        with pytest.raises(FileSizeError, match=r"^Image too large\. Maximum: [0-9,]+ bytes$"):
            loaded(content, limits=limits)
    (found,) = unpacked([{"type": "image", "base64": more.partition(",")[2]}], limits=limits)
    assert isinstance(found, Refused)
    assert isinstance(found.error, FileSizeError)


def test_other_bytes_have_the_limit_of_what_is_fetched(tmp_path: Path) -> None:
    """What is no picture may be as large as what is fetched, and not a byte larger."""
    limits = Limits(image_bytes=4, fetch_bytes=10, file_bytes=10)
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 10)
    assert loaded(path, limits=limits).data == b"x" * 10
    path.write_bytes(b"x" * 11)
    for content in (path, b"x" * 11):
        with pytest.raises(InputTooLarge, match="11 bytes"):
            loaded(content, limits=limits)
    with pytest.raises(FileSizeError):
        loaded(path.rename(tmp_path / "a.png"), limits=limits)


def test_the_default_limit_has_the_fixed_words() -> None:
    """Ten binary megabytes pass; one byte more says so to the letter."""
    head = PNG[:64]
    assert len(loaded(head + bytes(10 * 1_048_576 - 64)).data or b"") == 10_485_760
    with pytest.raises(FileSizeError) as caught:
        loaded(head + bytes(10 * 1_048_576 - 63))
    assert str(caught.value) == caught.value.message == "Image too large. Maximum: 10MB"


# Files and data URLs --------------------------------------------------------------------------------------


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """A path to nothing is a malformed input that names it."""
    with pytest.raises(MalformedInput, match=r"no such file: .*nothing\.png"):
        loaded(tmp_path / "nothing.png")
    with pytest.raises(MalformedInput, match="cannot read"):
        loaded(Path("a\0b"))


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    """A link to a picture is that picture."""
    (tmp_path / "real.png").write_bytes(PNG)
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    assert loaded(tmp_path / "link.png").data == PNG


def test_a_percent_encoded_data_url_is_decoded() -> None:
    """Data URLs without base64, and base64 that was percent-encoded, give their bytes."""
    source = Source(url="data:text/plain;charset=utf-8,caf%C3%A9%20au%20lait")
    assert loaded(source).data == "café au lait".encode()
    assert loaded(source).media_type == "text/plain"
    assert loaded(Source(url=PNG_URL.replace("+", "%2B").replace("=", "%3D"))).data == PNG


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,!!!aGVsbG8=",
        "data:image/png;base64,aGVs bG8=",
        "data:image/png;base64,aGVsbG8",
        "data:image/png;base64,aGVsbG8=trailing",
        "data:image/png;base64,aGVs\nbG8=",
        "data:image/png;base64",
        "data:" + "x" * 2000 + ",",
    ],
)
def test_a_damaged_data_url_is_refused(url: str) -> None:
    """Blanks, strange characters, missing padding and trailing text in base64 are never skipped over."""
    with pytest.raises(MalformedInput):
        loaded(Source(url=url))


def test_a_percent_encoded_data_url_is_limited() -> None:
    """Percent-encoded data has the same limit, at n and n + 1."""
    limits = Limits(file_bytes=5)
    assert loaded(Source(url="data:,%41%41%41%41%41"), limits=limits).data == b"AAAAA"
    for url in ("data:,AAAAAA", "data:," + "%41" * 6, "data:," + "A" * 1000):
        with pytest.raises(InputTooLarge):
            loaded(Source(url=url), limits=limits)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/a", "gopher://x", "javascript:alert(1)"])
def test_other_schemes_are_never_opened(url: str) -> None:
    """An image_url cannot be used to read a local file."""
    with pytest.raises(UnsafeInput, match="scheme"):
        loaded({"type": "image_url", "image_url": {"url": url}})


def test_bare_base64_in_a_url_says_what_is_missing() -> None:
    """Base64 without the data URL around it is refused with what to put before it."""
    with pytest.raises(MalformedInput, match="data:image/png;base64"):
        loaded({"type": "image_url", "image_url": {"url": PNG_URL.partition(",")[2]}})


def test_a_part_without_bytes_is_left_as_it_is() -> None:
    """Texts and parts for plugins pass through loading unchanged."""
    for one in (part("x"), part({"type": "hologram"})):
        assert load(one, LIMITS, Fetcher(LIMITS)) is one


def test_an_encoded_copy_of_a_jpeg_keeps_its_bytes() -> None:
    """Bytes are never re-encoded on the way in."""
    data = encoded(picture(), "JPEG", quality=30)
    assert loaded(data).data == data
