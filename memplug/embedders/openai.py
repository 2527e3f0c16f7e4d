"""Embeddings from OpenAI, Ollama, vLLM, or any other server that speaks ``/v1/embeddings``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from memplug.embedders.pieces import Piece, all_pieces, batches
from memplug.embedders.rows import unit_rows
from memplug.exceptions import ConfigError, ModelError, ModelUnavailable, PluginError
from memplug.models.connection import Connection, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from numpy.typing import NDArray

    from memplug.values.endpoint import Endpoint

#: Characters of one input. OpenAI's models take 8,192 tokens, and a Chinese character can be more than one.
_PIECE = 6_000
#: Inputs and characters of one request; OpenAI takes 300,000 tokens together.
_COUNT, _CHARACTERS = 256, 200_000
#: Lengths that are known, so that opening a store asks nobody.
_KNOWN = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}


class OpenAIEmbedder:
    """A model behind an OpenAI-compatible server. A long text is the mean of its pieces; blank texts are never sent.

    Args:
        argument: The model.
        base_url: Where the server is; else the variable ``OPENAI_BASE_URL``, else OpenAI itself.
        api_key: The key; else the variable ``OPENAI_API_KEY``. A server of one's own may need none.
        dimension: Length of its vectors; None takes it from the first answer.
        timeout: Seconds for one request.
        retries: How often a request is sent again after a failure that may pass.
        concurrency: Most requests at once.

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
        concurrency: int = 4,
    ) -> None:
        if not argument:
            raise ConfigError("the embedder 'openai' needs a model", hint="such as openai:text-embedding-3-small")
        self.name = f"openai:{argument}"
        self._model = argument
        self._dimension = dimension or _KNOWN.get(argument)
        self._lock = threading.Lock()
        self._connection = Connection(
            user="the embedder 'openai'",
            title=f"the embedding server for {self.name!r}",
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            retries=retries,
            concurrency=concurrency,
        )

    @classmethod
    def configured(cls, argument: str, endpoint: Endpoint) -> Self:
        """The model on the server that the configuration names.

        Raises:
            ConfigError: See the class; or the variable that is to hold the key holds none.
        """
        return cls(
            argument,
            base_url=endpoint.base_url,
            api_key=key_of(endpoint, "the embedder 'openai'"),
            timeout=endpoint.timeout,
            retries=endpoint.retries,
            concurrency=endpoint.concurrency,
        )

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
        self._connection.close()

    def _request(self, batch: list[Piece]) -> NDArray[np.float32]:
        texts = [piece.text for piece in batch]
        try:
            # "float" because several compatible servers do not know the client's default, base64.
            answer = self._connection.call(
                lambda client: client.embeddings.create(model=self._model, input=texts, encoding_format="float")
            )
        except ModelError as error:
            problem = error.message.removeprefix(f"{self._connection.title} ")
            raise self._error(problem, retryable=isinstance(error, ModelUnavailable)) from error
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
        words = f"{self._connection.title} {problem}"
        return PluginError(words, plugin=self.name, hook="embed", hint=hint, retryable=retryable)
