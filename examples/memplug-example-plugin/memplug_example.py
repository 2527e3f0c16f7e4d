"""An example plugin: it remembers vCards, and lets contacts rank higher when a question asks for a number.

Everything that memplug brings itself is registered through the same hooks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from memplug import Draft, Part, Provenance, hookimpl
from memplug.exceptions import MalformedInput

if TYPE_CHECKING:
    import click

    from memplug.plugins.hookspecs import Register
    from memplug.plugins.protocols import Candidate, InputType, ParseContext, Question, Ranker

_BEGIN = "BEGIN:VCARD"
_FIELD = re.compile(r"^(?P<name>[A-Z]+)(?:;[^:]*)?:(?P<value>.+)$", re.MULTILINE)
_ASKS = re.compile(r"\b(?:phone|number|mail|reach|call)\b", re.IGNORECASE)


class ContactInput:
    """Takes texts that are vCards. Being asked before memplug's own types, it sees them first."""

    name = "contact"

    def accepts(self, part: Part) -> bool:
        """Whether the text begins as a vCard does."""
        return part.text is not None and part.text.lstrip().upper().startswith(_BEGIN)

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:  # noqa: ARG002 - the Protocol's shape
        """One memory per card.

        Raises:
            MalformedInput: The card has no name.
        """
        fields = {found["name"]: found["value"].strip() for found in _FIELD.finditer(part.text or "")}
        if "FN" not in fields:
            raise MalformedInput("a vCard needs a name (FN)")
        reach = [fields[name] for name in ("TEL", "EMAIL") if name in fields]
        yield Draft(
            part=part.index,
            kind=self.name,
            text=f"{fields['FN']}: {', '.join(reach) or 'no number'}",
            content_type="text/vcard",
            source=Provenance(role=part.role, speaker=part.speaker),
        )


class ContactRanker:
    """Lets contacts come first where the question asks how to reach somebody."""

    name = "contact"

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[float]:
        """For each contact half of what the best possible memory gets, or nothing."""
        share = 0.5 if _ASKS.search(question.text) else 0.0
        return [share if candidate.record.item.kind == "contact" else 0.0 for candidate in candidates]


@hookimpl
def register_input_types(register: Register[Callable[[], InputType]]) -> None:
    """Offers `ContactInput`."""
    register("contact", ContactInput)


@hookimpl
def register_rankers(register: Register[Callable[[], Ranker]]) -> None:
    """Offers `ContactRanker`."""
    register("contact", ContactRanker)


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Adds ``memplug vcard``."""
    import click

    @cli.command()
    @click.argument("name")
    @click.argument("number")
    def vcard(name: str, number: str) -> None:
        """Print a vCard that `memplug add -` takes."""
        click.echo(f"{_BEGIN}\nVERSION:4.0\nFN:{name}\nTEL:{number}\nEND:VCARD")
