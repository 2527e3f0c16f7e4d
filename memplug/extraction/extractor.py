"""The built-in extractor: asks a chat model what is worth remembering, or what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from memplug.extraction.prompts import correcting, remembering

if TYPE_CHECKING:
    from memplug.plugins.models import ChatModel, Toolbox
    from memplug.values.extraction import ExtractionRequest, Proposals


@dataclass(frozen=True, slots=True)
class ModelExtractor:
    """Proposes facts, preferences and events, and corrections of them.

    Args:
        model: Whom to ask.
    """

    model: ChatModel
    name: ClassVar[str] = "model"

    def plan(self, request: ExtractionRequest) -> Proposals:
        """See `memplug.plugins.protocols.PlanningExtractor`."""
        from memplug.extraction.answers import CorrectionsAnswer, FactsAnswer
        from memplug.models.structured import asked

        if request.purpose == "correct":
            corrections, _ = asked(self.model, correcting(request), CorrectionsAnswer)
            return corrections.proposals(tuple(turn.label for turn in request.turns))
        facts, _ = asked(self.model, remembering(request), FactsAnswer)
        return facts.proposals()


def model_extractor(toolbox: Toolbox) -> ModelExtractor | None:
    """The extractor for the model that the user configured; None where there is none."""
    return ModelExtractor(toolbox.model) if toolbox.model is not None else None
