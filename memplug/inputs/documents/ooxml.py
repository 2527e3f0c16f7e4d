"""Office files (DOCX, PPTX, XLSX): a ZIP of XML parts that refer to each other, read part by part as a stream."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote
from xml.parsers.expat import ExpatError

from memplug.exceptions import MalformedInput, UnsafeInput
from memplug.inputs.documents.formats import find_format
from memplug.safety.zip_directory import BROKEN, ZipRules, open_zip
from memplug.values.limits import MB

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterator

#: A large presentation has about 1,500 parts; the text of 500 pages has 20 MB of XML.
RULES = ZipRules(entries=2_000, total=200 * MB)
_CHUNK = 1 << 16
_OLE = b"\xd0\xcf\x11\xe0"

#: What XML calls an element's attributes, as pairs one after another.
Attributes = list[str]


class Handler(Protocol):
    """Follows the elements of a part; names come without their namespace."""

    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins."""
        ...

    def end(self, name: str) -> None:
        """An element ends."""
        ...

    def data(self, text: str) -> None:
        """Text, in pieces."""
        ...


def attribute(attributes: Attributes, name: str, default: str = "") -> str:
    """An attribute by its name, whatever its namespace."""
    for place in range(0, len(attributes), 2):
        if attributes[place] == name or attributes[place].endswith("}" + name):
            return attributes[place + 1]
    return default


def is_on(value: str) -> bool:
    """What a switch says; one that is there and says nothing is on."""
    return value not in {"0", "false", "off", "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Where a part refers to.

    Args:
        kind: The last word of its type: ``header``, ``slide``.
        target: The name of the other part.
    """

    kind: str
    target: str


class Package:
    """An Office file, open for reading.

    Args:
        data: The whole file.

    Raises:
        EncryptedInput, UnsupportedInput: It is no ZIP but an OLE container: encrypted, or of an older Office.
        InputRejected: See `memplug.safety.zip_directory.open_zip`.
    """

    def __init__(self, data: bytes) -> None:
        if data.startswith(_OLE):
            find_format(data)  # raises, and says which it is
        self._file = open_zip(data, RULES)
        # Part names do not depend on case, and some writers begin them with a slash or use the other one.
        self._infos = {_plain(info.filename): info for info in self._file.infolist()}

    def has(self, part: str) -> bool:
        """Whether there is a part of this name."""
        return _plain(part) in self._infos

    def main(self, default: str) -> str:
        """The part where reading begins."""
        found = [one.target for one in self.relations("").values() if one.kind == "officeDocument"]
        part = next((one for one in found if self.has(one)), default)
        if not self.has(part):
            raise MalformedInput(f"the Office file is damaged: it has no {part}")
        return part

    def title(self) -> str:
        """As its properties give it, or an empty string."""
        texts = Texts({"title"})
        self.follow("docProps/core.xml", texts)
        return " ".join(texts.found)

    def relations(self, part: str) -> dict[str, Relation]:
        """What a part refers to inside the file, by id, in order."""
        folder, name = posixpath.split(part)
        found = _Relations(folder)
        self.follow(posixpath.join(folder, "_rels", f"{name}.rels"), found)
        return found.found

    def related(self, part: str, kind: str) -> list[str]:
        """The parts of one kind that a part refers to, in order, each once."""
        targets = [one.target for one in self.relations(part).values() if one.kind == kind and self.has(one.target)]
        return list(dict.fromkeys(targets))

    def follow_main(self, part: str, root: str, handler: Handler) -> None:
        """Reads the part where reading begins.

        Raises:
            MalformedInput: Its outermost element is not ``root``, so it is a document of another kind.
            UnsafeInput: See `follow`.
        """
        if self.follow(part, handler) != root:
            raise MalformedInput(f"the Office file's {part} is none of this kind: it has no {root}")

    def follow(self, part: str, handler: Handler) -> str:
        """Reads a part as a stream, and gives its outermost element; one that is not there has nothing in it.

        Raises:
            MalformedInput: It is damaged, or no XML.
            UnsafeInput: It declares entities, which no Office program does.
        """
        info = self._infos.get(_plain(part))
        return _follow(self._chunks(info), handler, part) if info is not None else ""

    def _chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        try:
            with self._file.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except BROKEN as error:
            raise MalformedInput(f"the Office file's {info.filename[:80]!r} is damaged: {error}") from error


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


def _follow(chunks: Iterator[bytes], handler: Handler, part: str) -> str:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import XMLParser

    # Its own handlers against entities stay in place; asking expat for the rest takes a third of the time that its
    # tree takes, and no memory.
    expat = XMLParser(forbid_dtd=True).parser
    start, end = handler.start, handler.end
    root = ""

    def begin(name: str, attributes: Attributes) -> None:
        start(name[name.rfind("}") + 1 :], attributes)

    def begin_root(name: str, attributes: Attributes) -> None:
        nonlocal root
        root = name[name.rfind("}") + 1 :]
        expat.StartElementHandler = begin
        begin(name, attributes)

    expat.StartElementHandler = begin_root
    expat.EndElementHandler = lambda name: end(name[name.rfind("}") + 1 :])
    expat.CharacterDataHandler = handler.data
    expat.buffer_text = True
    try:
        for chunk in chunks:
            expat.Parse(chunk, False)  # noqa: FBT003 - has no name
        expat.Parse(b"", True)  # noqa: FBT003
    except DefusedXmlException as error:
        raise UnsafeInput(f"the Office file's {part} declares entities, which only serve to do harm") from error
    except ExpatError as error:
        raise MalformedInput(f"the Office file's {part} is damaged: {error}") from error
    return root


class _Relations:
    """Follows a part of relations.

    Args:
        folder: The folder that targets are relative to.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.found: dict[str, Relation] = {}

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        if name != "Relationship" or attribute(attributes, "TargetMode") == "External":
            return
        target = unquote(attribute(attributes, "Target"))
        path = posixpath.normpath(posixpath.join("/", self._folder, target)).lstrip("/")
        kind = attribute(attributes, "Type").rpartition("/")[2]
        self.found[attribute(attributes, "Id")] = Relation(kind=kind, target=path)

    def end(self, name: str) -> None:
        """See `Handler`."""

    def data(self, text: str) -> None:
        """See `Handler`."""


class Texts:
    """Follows a part for the text of some elements.

    Args:
        names: The elements.
        within: Another that bundles those inside it into one text, if any.
    """

    def __init__(self, names: set[str], *, within: str | None = None) -> None:
        self._names, self._within = names, within
        self._open: list[str] | None = None
        self._bundle: list[str] = []
        self.found: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:  # noqa: ARG002 - see `Handler`
        """See `Handler`."""
        self._open = [] if name in self._names else None

    def end(self, name: str) -> None:
        """See `Handler`."""
        if name in self._names and self._open is not None:
            (self.found if self._within is None else self._bundle).append("".join(self._open))
        self._open = None
        if name == self._within:
            self.found.append("".join(self._bundle))
            self._bundle = []

    def data(self, text: str) -> None:
        """See `Handler`."""
        if self._open is not None:
            self._open.append(text)


class Switch:
    """Lets a handler say what it does with each element in a method of its own, and leaves out whole branches.

    Args:
        starts, ends: What to call for an element, by its name.
        skipped: Elements that are left out with all that is inside.
    """

    def __init__(
        self,
        starts: dict[str, Callable[[Attributes], None]],
        ends: dict[str, Callable[[], None]],
        skipped: frozenset[str] = frozenset(),
    ) -> None:
        self._starts, self._ends, self._skipped = starts, ends, skipped
        self._depth = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        if self._depth or name in self._skipped:
            self._depth += 1
        elif (call := self._starts.get(name)) is not None:
            call(attributes)

    def end(self, name: str) -> None:
        """See `Handler`."""
        if self._depth:
            self._depth -= 1
        elif (call := self._ends.get(name)) is not None:
            call()

    @property
    def skipping(self) -> bool:
        """Whether this is inside a branch that is left out."""
        return self._depth > 0
