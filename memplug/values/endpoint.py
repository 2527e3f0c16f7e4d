"""How a server of models is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memplug.values.prompt import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a model costs, in any currency.

    Args:
        input, output: Price of a million tokens that are sent, and of a million that come back.
    """

    input: float
    output: float

    def cost(self, usage: Usage) -> float:
        """What so many tokens cost."""
        return (usage.input_tokens * self.input + usage.output_tokens * self.output) / 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How a server of models is reached, and how patiently. It holds no key, only where one is.

    Args:
        base_url: Where the server is; None means the variable ``OPENAI_BASE_URL``, else the service's own address.
        api_key_env: Name of the environment variable that holds the key. None means ``OPENAI_API_KEY`` where
            ``base_url`` is None too, and else no key: one is only sent where it is meant to go.
        timeout: Seconds without an answer, or without the next piece of a streamed one, after which one is given up.
        retries: How often a request is sent again after a failure that may pass.
        concurrency: Most requests at once; further ones wait for their turn.
        vision: Whether the chat model may be shown pictures.
        prices: What it costs; None where nobody said.
    """

    base_url: str | None = None
    api_key_env: str | None = None
    timeout: float = 60.0
    retries: int = 2
    concurrency: int = 4
    vision: bool = False
    prices: Prices | None = None
