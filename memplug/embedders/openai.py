"""Embeddings from OpenAI, Ollama, vLLM, or any other server that speaks ``/v1/embeddings``."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from memplug.embedders.pieces import Piece, all_pieces, batches
from memplug.embedders.rows import unit_rows
from memplug.exceptions import ConfigError, MissingExtra, PluginError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from openai import OpenAI

#: Characters of one input. OpenAI's models take 8,192 tokens, and a Chinese character can be more than one.
_PIECE = 6_000
#: Inputs and characters of one request; OpenAI takes 300,000 tokens together.
_COUNT, _CHARACTERS = 256, 200_000
#: Lengths that are known, so that opening a store asks nobody.
_KNOWN = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_REQUEST_TIMEOUT = 408
_CONFLICT = 409
_TOO_MANY = 429
_SERVER_ERROR = 500


class OpenAIEmbedder:
    """A model behind an OpenAI-compatible server. A long text is the mean of its pieces; blank texts are never sent.

    Args:
        argument: The model.
        base_url: Where the server is; else the variable ``OPENAI_BASE_URL``, else OpenAI itself.
        api_key: The key; else the variable ``OPENAI_API_KEY``. A server of one's own may need none.
        dimension: Length of its vectors; None takes it from the first answer.
        timeout: Seconds for one request.
        retries: How often a request is sent again after a failure that may pass.

    Raises:
        ConfigError: No model was named, or neither a key nor a server.
        MissingExtra: The package ``openai`` is not installed.
    """

    def __init__(
        self,
        argument: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        dimension: int | None = None,
        timeout: float = 60.0,
        retries: int = 2,
    ) -> None:
        if not argument:
            raise ConfigError("the embedder 'openai' needs a model", hint="such as openai:text-embedding-3-small")
        self.name = f"openai:{argument}"
        self._model = argument
        self._dimension = dimension or _KNOWN.get(argument)
        self._lock = threading.Lock()
        self._client = _client(base_url, api_key, timeout=timeout, retries=retries)

    @property
    def dimension(self) -> int:
        """Length of a vector; where nobody said it, one word is embedded to find out."""
        if self._dimension is None:
            self._request([Piece(row=0, text="memory")])
        if self._dimension is None:  # pragma: no cover - a request sets it or raises
            raise self._error("did not say how long its vectors are")
        return self._dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts: float32 of shape ``(len(texts), dimension)``, of unit length; zeros for a blank text.

        Raises:
            PluginError: The server refused, could not be reached or answered nonsense; ``retryable`` says whether
                the same call may succeed later.
        """
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for batch in batches(all_pieces(texts, _PIECE), count=_COUNT, characters=_CHARACTERS):
            weights = np.array([len(piece.text) for piece in batch], dtype=np.float32)
            np.add.at(rows, [piece.row for piece in batch], self._request(batch) * weights[:, None])
        return unit_rows(rows)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: float32 of shape ``(dimension,)``.

        Raises:
            PluginError: See `embed`.
        """
        row: NDArray[np.float32] = self.embed([text])[0]
        return row

    def close(self) -> None:
        """Closes the connections to the server."""
        self._client.close()

    def _request(self, batch: list[Piece]) -> NDArray[np.float32]:
        import openai

        texts = [piece.text for piece in batch]
        try:
            # "float" because several compatible servers do not know the client's default, base64.
            answer = self._client.embeddings.create(model=self._model, input=texts, encoding_format="float")
        except openai.APIStatusError as error:
            raise self._error(f"answered {error.status_code}", retryable=_passing(error.status_code)) from error
        except openai.APIConnectionError as error:
            raise self._error("cannot be reached, or answers too slowly", retryable=True) from error
        except (openai.OpenAIError, ValueError, TypeError) as error:
            raise self._error(f"gave an answer that cannot be read: {type(error).__name__}") from error
        return self._vectors(answer, len(batch))

    def _vectors(self, answer: Any, count: int) -> NDArray[np.float32]:
        try:
            ordered = sorted(answer.data, key=lambda entry: entry.index)
            rows = np.array([entry.embedding for entry in ordered], dtype=np.float32)
            places = [entry.index for entry in ordered]
        except (AttributeError, TypeError, ValueError) as error:
            raise self._error("gave an answer without vectors") from error
        if places != list(range(count)):
            raise self._error(f"gave {len(places)} vectors for {count} texts")
        if rows.ndim != 2 or not rows.shape[1] or not np.isfinite(rows).all():  # noqa: PLR2004 - rows and columns
            raise self._error("gave vectors that are none")
        self._settle(rows.shape[1])
        return unit_rows(rows)

    def _settle(self, length: int) -> None:
        with self._lock:
            if self._dimension is None:
                self._dimension = length
        if self._dimension != length:
            raise self._error(f"gives vectors of length {length} instead of {self._dimension}")

    def _error(self, problem: str, *, retryable: bool = False) -> PluginError:
        """The server's own words stay in ``__cause__``: some servers repeat the key in them."""
        hint = "the same call may succeed later" if retryable else None
        words = f"the embedding server for {self.name!r} {problem}"
        return PluginError(words, plugin=self.name, hook="embed", hint=hint, retryable=retryable)


def _passing(status: int) -> bool:
    return status in {_REQUEST_TIMEOUT, _CONFLICT, _TOO_MANY} or status >= _SERVER_ERROR


def _client(base_url: str | None, api_key: str | None, *, timeout: float, retries: int) -> OpenAI:
    url = base_url or os.environ.get("OPENAI_BASE_URL") or None
    key = api_key or os.environ.get("OPENAI_API_KEY") or None
    if url is None and key is None:
        raise ConfigError(
            "the embedder 'openai' has neither a key nor a server",
            hint="set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own",
        )
    try:
        from openai import OpenAI
    except ImportError as error:
        raise MissingExtra("the embedder 'openai' needs its extra: pip install 'memplug[openai]'") from error
    # The client insists on a key, also for servers that want none.
    return OpenAI(base_url=url, api_key=key or "none", timeout=timeout, max_retries=retries)
