"""Knows what was handed out, so that it is recognised when it comes back as if it were new.

An assistant is given memories and repeats them; a tool that looks into the memory returns them; what an application
puts before the user's words stands in the user's message. Stored again and again, a memory becomes the one that is
always found: in an audit of a mem0 store (its issue 4573) 97.8 % of 10,134 entries were such, one of them 668 times.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from memplug.exceptions import NotFound
from memplug.lexical.analyzer import query_terms
from memplug.lexical.sameness import same_words
from memplug.safety.quoting import QUOTING_RULE, neutral, quotations
from memplug.store import View
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memplug.store import Store
    from memplug.values.item import MemoryItem, Record

#: Texts that are known at a time; an assistant answers within a few of its user's questions.
_KNOWN = 4_096
#: Memories of one text that are known: several users can have said the same.
_EACH = 16
#: Shortest text by its letters and digits, which is half where a letter is a word. "Yes" comes back by itself.
_SHORTEST, _SHORTEST_DENSE = 16, 8
#: Memories that are looked at for the words of a quotation of another process's.
_MATCHED = 50
#: What `Memory.context` puts before each.
_HEAD = re.compile(r"(?:^|(?<=\n))\[\d+\] \d{4}-\d{2}-\d{2}\n\Z")
_NOT_SAID = re.compile(r"[\W_]+")
#: Marks of Markdown, which assistants put around what they repeat: emphasis, headings and quotations.
_MARKDOWN = re.compile(r"(?m)(?<!\w)(?:[*_`]+|~~)(?=\S)|(?<=\S)(?:[*_`]+|~~)(?!\w)|^[ \t]*(?:#{1,6}|>+|[*+-])[ \t]")


@dataclass(slots=True, kw_only=True)
class Recalled:
    """The memories that this process handed out lately. Keeps digests of their words, not the words.

    What stands in quotation marks of memplug's own (`memplug.safety.quoting`) is recognised whoever handed it out.

    Args:
        store: Where memories are.
    """

    store: Store
    _ids: OrderedDict[bytes, tuple[tuple[str, str | None], ...]] = field(
        default_factory=OrderedDict, init=False, repr=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def told(self, items: Iterable[MemoryItem], scope: Scope) -> None:
        """Keeps in mind that these were handed out.

        Args:
            items: They.
            scope: Who asked for them; what lies in a bucket is known again for the same user alone.
        """
        known = [(key, item) for item in items if (key := _key(item.text)) is not None]
        with self._lock:
            for key, item in known:
                self._keep(key, item)
                if item.bucket is not None:
                    self._keep(_asked(key, scope), item)
            while len(self._ids) > _KNOWN:
                self._ids.popitem(last=False)

    def _keep(self, key: bytes, item: MemoryItem) -> None:
        one = (item.id, item.bucket)
        others = [other for other in self._ids.pop(key, ()) if other != one]
        self._ids[key] = (one, *others[: _EACH - 1])

    def memory_of(self, text: str, scope: Scope) -> Record | None:
        """The memory that was handed out with just these words, and that the scope's user still has; or None.

        Punctuation, case and white space do not count, nor does Markdown; whatever else may change the meaning does
        (`memplug.lexical.sameness`). A conversation may repeat what was said in another one of the same user, and what
        they found in a bucket beside their own memories.
        """
        if (key := _key(text)) is None:
            return None
        with self._lock:
            own, beside = self._ids.get(key, ()), self._ids.get(_asked(key, scope), ())
        places = [(id_, _around(scope)) for id_, _ in own]
        places += [(id_, scope.beside(bucket)) for id_, bucket in beside if bucket is not None]
        found = (self._current(id_, place) for id_, place in places)
        return next((record for record in found if record is not None), None)

    def without(self, text: str, scope: Scope) -> tuple[str, list[Record]]:
        """The text without the quotations in which memplug handed out what the scope holds, and what they held.

        With them goes what memplug wrote around them. Nothing else is touched: a quotation that holds anything else
        stays as it is.
        """
        parts, place, found = [], 0, []
        for start, end, inner in quotations(text):
            record = self.memory_of(inner, scope) or self._stored(inner, scope)
            if record is not None:
                parts.append(_HEAD.sub("", text[place:start]))
                place = end
                found.append(record)
        if not found:
            return text, found
        return "".join([*parts, text[place:]]).replace(QUOTING_RULE, "").strip(), found

    def referring(self, value: Any, scope: Scope) -> Any:
        """A JSON value in which each text, or line of one, that was handed out is only named: ``[memory ID]``."""
        if isinstance(value, dict):
            return {name: self.referring(inner, scope) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.referring(inner, scope) for inner in value]
        return self._referring(value, scope) if isinstance(value, str) else value

    def _referring(self, text: str, scope: Scope) -> str:
        if (record := self.memory_of(text, scope)) is not None:
            return _named(record)
        text, found = self.without(text, scope)
        lines = text.splitlines(keepends=True) if len(text) > _SHORTEST_DENSE else [text]
        told = []
        for line in lines:
            record = self.memory_of(line, scope)
            told.append(line if record is None else line.replace(line.strip(), _named(record)))
        return "\n".join(words for words in ("".join(told), *map(_named, found)) if words)

    def _current(self, id_: str, scope: Scope) -> Record | None:
        try:
            return self.store.get(id_, scope)
        except NotFound:
            # Another user's, or gone since: then it is said anew.
            return None

    def _stored(self, text: str, scope: Scope) -> Record | None:
        """The memory with the words of a quotation, in the whole of the scope."""
        terms = query_terms(text)
        if _key(text) is None or not terms:
            return None
        matches = self.store.match(terms, View(scope=_around(scope)), limit=_MATCHED)
        said, cut = _said(text), text.rstrip().endswith("…")
        for one in matches:
            whole = _said(neutral(one.record.item.text))
            if whole == said or (cut and whole.startswith(said)):
                return one.record
        return None


def _key(text: str) -> bytes | None:
    """Names a text by its words; None where it is so short that it comes back by itself."""
    letters = _NOT_SAID.sub("", text)
    if len(letters) < (_SHORTEST if letters.isascii() else _SHORTEST_DENSE):
        return None
    said = _said(text)
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _asked(key: bytes, scope: Scope) -> bytes:
    """Names a text that was handed out to the user of a scope, or to a scope that has none."""
    asker = scope.ids if scope.user_id is None else {"user_id": scope.user_id}
    return blake2b(repr(sorted(asker.items())).encode(), key=key, digest_size=16).digest()


def _said(text: str) -> str:
    return same_words(_MARKDOWN.sub("", text))


def _around(scope: Scope) -> Scope:
    """All conversations of the same user; where there is no user, the scope itself."""
    if scope.user_id is None or scope.run_id is None:
        return scope
    return Scope(**{name: id_ for name, id_ in scope.ids.items() if name != "run_id"}, acting=scope.acting)


def _named(record: Record) -> str:
    return f"[memory {record.id}]"
