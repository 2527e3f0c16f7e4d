"""Every error that memplug raises: one tree, each with a stable ``code``.

The code is what the CLI, REST and MCP doors share; the message is for people and may change, except where a
reference system fixed it to the letter (`InvalidImageError`, `FileSizeError`).

    MemplugError
    ├── InputRejected            input.rejected            the caller's input, and what is wrong with it
    │   ├── UnsupportedInput     input.unsupported
    │   │   └── InvalidImageError    input.image.invalid
    │   ├── InputTooLarge        input.too_large
    │   │   └── FileSizeError        input.image.too_large
    │   ├── MalformedInput       input.malformed
    │   ├── UnsafeInput          input.unsafe
    │   │   └── EncryptedInput       input.encrypted
    │   └── FetchError           input.fetch
    ├── FilterError              filter.invalid
    ├── ScopeError               scope.invalid
    │   └── AccessDenied         scope.denied
    ├── NotFound                 item.not_found
    ├── VersionConflict          item.conflict
    ├── ConfigError              config.invalid
    │   ├── NoStore              store.not_found
    │   ├── EmbedderMismatch     store.embedder_mismatch
    │   └── MissingExtra         config.missing_extra
    ├── PluginError              plugin.failed
    ├── ModelError               model.failed
    │   ├── ModelRefused         model.refused
    │   ├── ModelUnavailable     model.unavailable
    │   └── ModelAnswerError     model.answer
    └── BackendError             backend.failed
        ├── StoreBusy            backend.busy
        ├── StoreReadOnly        backend.read_only
        └── StoreFull            backend.full
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.values.outcome import AddResult


class MemplugError(Exception):
    """The root of every error that memplug raises on purpose."""

    #: Stable, dotted name of this kind of error; safe to compare and to send over the wire.
    code: ClassVar[str] = "memplug"

    #: What to do about it, where that can be said in one sentence.
    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    @property
    def message(self) -> str:
        """The words for people, without code or hint."""
        return str(self.args[0]) if self.args else ""

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InputRejected(MemplugError):
    """Something handed in was refused; everything else that came with it is intact."""

    code = "input.rejected"

    #: The outcomes of all parts of the same `add`, where the error ended one (no part was stored).
    result: AddResult | None = None


class UnsupportedInput(InputRejected):
    """No input type takes this form of input."""

    code = "input.unsupported"


class InvalidImageError(UnsupportedInput):
    """The bytes are not an image that memplug takes, or the image is damaged."""

    code = "input.image.invalid"


class InputTooLarge(InputRejected):
    """The input is over one of the numbers in `memplug.Limits`."""

    code = "input.too_large"


class FileSizeError(InputTooLarge):
    """An image is over the size limit."""

    code = "input.image.too_large"


class MalformedInput(InputRejected):
    """The input has a known form but does not keep to it."""

    code = "input.malformed"


class UnsafeInput(InputRejected):
    """The input was refused because taking it in could do harm."""

    code = "input.unsafe"


class EncryptedInput(UnsafeInput):
    """A file that only opens with a password."""

    code = "input.encrypted"


class FetchError(InputRejected):
    """A URL could not be fetched."""

    code = "input.fetch"


class FilterError(MemplugError):
    """A filter has an operator, field or shape that memplug does not know, or is too large."""

    code = "filter.invalid"


class ScopeError(MemplugError):
    """A call names no scope, or one that cannot be used."""

    code = "scope.invalid"


class AccessDenied(ScopeError):
    """A user may not do that in a shared bucket. What a user may not even see is missing instead (`NotFound`)."""

    code = "scope.denied"


class NotFound(MemplugError, LookupError):
    """There is no such memory inside the scope that was given."""

    code = "item.not_found"


class VersionConflict(MemplugError):
    """Somebody else changed the memory first.

    Attributes:
        current: The version that is current now, by id (0 where the id does not exist).
    """

    code = "item.conflict"

    def __init__(self, message: str, *, current: Mapping[str, int], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.current = dict(current)


class ConfigError(MemplugError):
    """A setting is wrong or two settings exclude each other."""

    code = "config.invalid"


class NoStore(ConfigError):
    """There is no store at that place, and this call may not make one."""

    code = "store.not_found"


class EmbedderMismatch(ConfigError):
    """The store was made with another embedder than the one it is opened with."""

    code = "store.embedder_mismatch"
    hint = "open it with the embedder that made it, or run `memplug reindex`"


class MissingExtra(ConfigError, ImportError):
    """An optional dependency is not installed; the message names the extra."""

    code = "config.missing_extra"


class PluginError(MemplugError):
    """A plugin failed; ``__cause__`` is what it raised.

    Attributes:
        plugin: The plugin's registered name.
        hook: The hook, or the object's method, that failed.
        retryable: Whether the same call may succeed later without a change.
    """

    code = "plugin.failed"

    def __init__(
        self, message: str, *, plugin: str, hook: str, hint: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.plugin = plugin
        self.hook = hook
        self.retryable = retryable


class ModelError(MemplugError):
    """A chat model could not answer. Its server's own words stay in ``__cause__``: some repeat the key in them.

    Attributes:
        retryable: Whether the same question may be answered later without a change.
        retry_after: Seconds after which the server wants to be asked again, where it said so.
    """

    code = "model.failed"
    retryable: bool = False

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ModelRefused(ModelError):
    """The server does not take the key, the model or the question; asking again changes nothing."""

    code = "model.refused"


class ModelUnavailable(ModelError):
    """The server cannot be reached, is too slow, fails, or has too much to do."""

    code = "model.unavailable"
    retryable = True


class ModelAnswerError(ModelError):
    """The answer cannot be used: it is not the JSON that was asked for, it breaks off, or is empty."""

    code = "model.answer"
    retryable = True


class BackendError(MemplugError):
    """The store could not do what was asked; ``__cause__`` is what it raised.

    Attributes:
        retryable: Whether the same call may succeed later without a change.
    """

    code = "backend.failed"
    retryable: bool = False


class StoreBusy(BackendError):
    """Another process holds the store for longer than this call waits."""

    code = "backend.busy"
    retryable = True


class StoreReadOnly(BackendError):
    """The store was opened read-only, or its folder cannot be written."""

    code = "backend.read_only"


class StoreFull(BackendError):
    """The disk or quota is full; the store stays readable and recovers once there is room."""

    code = "backend.full"
    retryable = True


__all__ = [
    "AccessDenied",
    "BackendError",
    "ConfigError",
    "EmbedderMismatch",
    "EncryptedInput",
    "FetchError",
    "FileSizeError",
    "FilterError",
    "InputRejected",
    "InputTooLarge",
    "InvalidImageError",
    "MalformedInput",
    "MemplugError",
    "MissingExtra",
    "ModelAnswerError",
    "ModelError",
    "ModelRefused",
    "ModelUnavailable",
    "NoStore",
    "NotFound",
    "PluginError",
    "ScopeError",
    "StoreBusy",
    "StoreFull",
    "StoreReadOnly",
    "UnsafeInput",
    "UnsupportedInput",
    "VersionConflict",
]
