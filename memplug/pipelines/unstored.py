"""Input that is read by the input types and not stored."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self, cast

from memplug.exceptions import UnsupportedInput
from memplug.pipelines.parsing import Parser
from memplug.plugins.isolation import attempt
from memplug.plugins.manager import PluginManager
from memplug.plugins.protocols import ParseContext
from memplug.safety.fetch import Fetcher
from memplug.safety.media_type import IMAGE_TYPES
from memplug.values.request import AddRequest
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memplug.exceptions import MemplugError
    from memplug.plugins.protocols import Describer
    from memplug.values.draft import Draft, Media
    from memplug.values.limits import Limits
    from memplug.values.source import Source

#: Nothing is stored, so nobody's scope is meant; a request has to name one all the same.
_NOBODY = Scope(run_id="unstored")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstored:
    """Reads files; URLs are not fetched.

    Args:
        parser: Finds the input type for a file.
        describe: Whether describers look at pictures.
    """

    parser: Parser
    describe: bool = True

    @classmethod
    def open(cls, *, plugins: Sequence[object], limits: Limits, describe: bool = True) -> Self:
        """With the installed plugins and these beside them."""
        parser = Parser(
            plugins=PluginManager(plugins=plugins, environ=os.environ),
            fetcher=Fetcher(limits, enabled=False, allow_hosts=()),
            context=ParseContext(limits=limits),
        )
        return cls(parser=parser, describe=describe)

    def drafts(self, content: Source) -> Iterator[tuple[Draft, Draft]]:
        """What a file gave: each passage beside the whole that it is of, or the whole itself where it has none.

        Raises:
            InputRejected: The file breaks a limit, is damaged, encrypted or unsafe, or nothing reads its type.
        """
        parsed = self.parser.parse(AddRequest(content=content, scope=_NOBODY))
        if parsed.rejected:
            raise cast("MemplugError", parsed.rejected[0].error)
        for draft in parsed.drafts:
            whole = self._described(draft)
            yield from ((whole, piece) for piece in whole.pieces or (whole,))

    def _described(self, draft: Draft) -> Draft:
        """The draft with what describers see in its picture, behind the words that it has."""
        media = draft.media
        if media is None or media.content_type not in IMAGE_TYPES or not self.describe:
            return draft
        found = [draft.text]
        for describer in self.parser.plugins.describers():
            seen = attempt(partial(_seen, describer, media, draft.text))
            if seen.error is not None:
                raise UnsupportedInput(f"the describer {describer.name!r} failed on {media.name}") from seen.error
            found.append((seen.result or "").strip())
        return replace(draft, text="\n".join(words for words in found if words))


def _seen(describer: Describer, media: Media, context: str) -> str:
    return describer.describe(media, context=context) if describer.accepts(media) else ""
