"""XML of any kind: elements and attributes with their names as words, each record with its path."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from xml.sax.handler import ContentHandler

from memplug.exceptions import UnsafeInput
from memplug.inputs.documents.branches import Branches, shown
from memplug.inputs.documents.decoding import decode, peek
from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.plain import gather as gather_plain

if TYPE_CHECKING:
    from xml.sax.xmlreader import AttributesImpl

    from memplug.inputs.documents.reading import Reading
    from memplug.values.limits import Limits

_DECLARATION = re.compile(r"\s*<\?xml\b[^>]{0,500}\?>")
_ENCODING = re.compile(r"""encoding\s*=\s*["']([\w.:-]{2,40})""")
_DOCTYPE = re.compile(r"<!DOCTYPE\s[^<>\[\]]*>")
_ROOT = re.compile(r"<[^\W\d]")
_HEAD = 1_024
_TITLE, _TITLE_DEPTH = 200, 3
#: Plain text of a branch that is kept, in case its elements turn out to be marks inside a text.
_FLOW = 2_000


def read(data: bytes, limits: Limits) -> Reading:
    """The records of an XML document; of one that is damaged, its text as it is.

    Raises:
        UnsafeInput: It defines entities, or refers to other files.
        InputTooLarge: It is nested deeper, or has more characters, than is taken.
    """
    decoded = decode(data, named=_encoding(data[:_HEAD]))
    gatherer = Gatherer(limits)
    problem = _parsed(decoded.text, gatherer, limits)
    if problem:
        gatherer = Gatherer(limits)
        gatherer.warn(f"it is not valid XML and was read as text: {problem}")
        gather_plain(decoded.text, gatherer)
    gatherer.warn(decoded.warning)
    return gatherer.reading()


def _encoding(head: bytes) -> str | None:
    declaration = _DECLARATION.match(peek(head))
    found = _ENCODING.search(declaration[0]) if declaration else None
    return found[1] if found else None


def _parsed(text: str, gatherer: Gatherer, limits: Limits) -> str:
    """Takes the records; what is wrong with the document, where it is not well-formed.

    All of it goes to the parser at once: fed in pieces, expat before 2.6 looks at a long token again with each of them.
    """
    from xml.sax import SAXParseException

    from defusedxml.common import DefusedXmlException
    from defusedxml.expatreader import create_parser

    parser = create_parser(forbid_dtd=False, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(_Handler(gatherer, limits))
    try:
        parser.feed(_without_prolog(text).encode("utf-8"))
        parser.close()
    except SAXParseException as error:
        return f"{error.getMessage()} (line {error.getLineNumber()})"
    except DefusedXmlException as error:
        words = "the XML defines entities or refers to other files, which is not taken"
        raise UnsafeInput(words, hint="write out what they stand for") from error
    return ""


def _without_prolog(text: str) -> str:
    """The document without its declaration, which is decoded already, and a document type that only names a file.

    One that defines something stays, for the parser to refuse.
    """
    root = _ROOT.search(text)
    prolog, rest = (text[: root.start()], text[root.start() :]) if root else ("", text)
    return _DOCTYPE.sub("", _DECLARATION.sub("", prolog)) + rest


class _Element:
    """An element that is open.

    Its ``own`` text is what stands in it since the last of its elements ended, its ``flow`` all plain text in it; None
    once that is too long to be a text with marks in it.
    """

    __slots__ = ("attributes", "branch", "counts", "flow", "kept", "mixed", "name", "own", "step")

    def __init__(self, name: str, step: str) -> None:
        self.name = name
        self.step = step
        self.counts: Counter[str] = Counter()
        self.attributes: list[str] = []
        self.own: list[str] = []
        self.flow: list[str] | None = []
        self.kept = 0
        self.mixed = False
        self.branch = False

    def keep(self, text: str | None) -> None:
        """Adds to the flow, as long as it is short."""
        if self.flow is None or not text:
            return
        self.kept += len(text)
        self.flow.append(text)
        if self.kept > _FLOW and not self.mixed:
            self.flow = None


class _Handler(ContentHandler):
    """Makes branches of elements as they go by. A text with marks in it (``<p>so <b>it</b> is</p>``) stays a text."""

    def __init__(self, gatherer: Gatherer, limits: Limits) -> None:
        super().__init__()
        self._gatherer = gatherer
        self._branches = Branches(gatherer, limits)
        self._open: list[_Element] = []
        self._inside = 0

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX's name
        """Begins an element."""
        step = f"/{shown(name)}"
        if self._open:
            parent = self._open[-1]
            if parent.mixed or self._turns_mixed(parent):
                self._inside += 1
                return
            parent.counts[name] += 1
            step += f"[{parent.counts[name]}]" if parent.counts[name] > 1 else ""
            self._grow(parent)
        element = _Element(name, step)
        self._open.append(element)
        said = [(key, value) for key, value in attrs.items() if not key.startswith("xmlns") and value.strip()]
        if said:
            self._grow(element)
        for key, value in said:
            element.attributes.append(f"{shown(key)}: {value}")
            self._branches.value(key, value, f"/@{shown(key)}")

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802 - SAX's name and shape
        """Ends an element."""
        if self._inside:
            self._inside -= 1
            return
        element = self._open.pop()
        flow = self._told(element)
        if self._open:
            self._open[-1].keep(flow)
            self._open[-1].flow = None if flow is None else self._open[-1].flow

    def characters(self, content: str) -> None:
        """Takes text."""
        element = self._open[-1]
        if element.mixed and element.flow is not None:
            element.flow.append(content)
        else:
            element.own.append(content)

    def _turns_mixed(self, element: _Element) -> bool:
        """Whether an element that gets one more inside is a text with marks in it; ends its own text so far."""
        own = "".join(element.own)
        element.own = []
        if not own.strip():
            element.keep(own)
            return False
        if element.flow is None or (element.branch and self._branches.spread):
            self._grow(element)
            self._branches.value("", _lines(own))
            return False
        element.flow.append(own)
        element.mixed = True
        return True

    def _grow(self, element: _Element) -> None:
        """Makes it a branch, if it is none yet."""
        if not element.branch:
            self._branches.open(element.name, element.step)
            element.branch = True

    def _told(self, element: _Element) -> str | None:
        """Takes what an element says now that it ends; its plain text, where that is kept."""
        own = "".join(element.own)
        if not element.mixed and own.strip() and element.counts and element.flow and not self._branches.spread:
            element.flow.append(own)
            element.mixed = True
        if element.mixed:
            text = "".join(element.flow or ())
            self._take(element, _lines(text))
            return text
        if not element.branch:
            self._take(element, _lines(own))
            return own
        self._branches.value("", _lines(own))
        self._branches.close(listing=max(element.counts.values(), default=0) > 1)
        return None if element.flow is None else "".join([*element.flow, own])

    def _take(self, element: _Element, text: str) -> None:
        """Takes an element for a value."""
        if element.branch:
            self._branches.replace(", ".join([*element.attributes, text]))
        elif self._open:
            self._branches.value(element.name, text, element.step)
        else:
            self._gatherer.add("paragraph", text, section=element.step)
        near = element.name.rpartition(":")[2] == "title" and len(self._open) < _TITLE_DEPTH
        if near and not self._gatherer.title and len(text) <= _TITLE:
            self._gatherer.title = " ".join(text.split())


def _lines(text: str) -> str:
    """Text without the blanks that only set its markup, line by line."""
    return "\n".join(words for line in text.split("\n") if (words := " ".join(line.split())))
