"""Small objects under a prefix: written whole, read whole, and replaced only as they were last seen."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError, PreconditionError

from memplug.backends.lancedb.trouble import kind_of
from memplug.exceptions import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memplug.backends.lancedb.access import Access

#: What says that an object is still the one that was seen: its ETag, and its generation where the store counts.
Stamp = tuple[str | None, str | None]
_CHUNK = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object that was read."""

    data: bytes
    stamp: Stamp


class Objects:
    """The objects under the prefix of a store.

    Args:
        access: How to reach it.
        large: See `Access.opened`.
    """

    def __init__(self, access: Access, *, large: bool = False) -> None:
        self._access = access
        self._store: Any = access.opened(large=large)

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, RuntimeError, ValueError) as error:
            words = self._access.hidden((str(error).splitlines() or [""])[0])[:500]
            if isinstance(error, NotSupportedError) or "not implemented" in words.lower():
                hint = "memplug needs an object store with conditional writes (If-None-Match, If-Match)"
                raise BackendError(f"cannot {action}: {words}", hint=hint) from None
            raise kind_of(error)(f"cannot {action} at {self._access.url!r}: {words}") from None

    def get(self, name: str) -> Found | None:
        """An object; None where there is none."""
        with self._errors(f"read {name}"):
            try:
                found = obstore.get(self._store, name)
                return Found(data=bytes(found.bytes()), stamp=_stamp(found.meta))
            except FileNotFoundError:
                return None

    def head(self, name: str) -> Stamp | None:
        """What `get` would say of it, without its bytes."""
        with self._errors(f"look for {name}"):
            try:
                return _stamp(obstore.head(self._store, name))
            except FileNotFoundError:
                return None

    def put(self, name: str, data: bytes) -> None:
        """Writes an object, whatever was there. In one request: what is cut off leaves nothing behind."""
        with self._errors(f"write {name}"):
            obstore.put(self._store, name, data, use_multipart=False)

    def create(self, name: str, data: bytes) -> Stamp | None:
        """Writes an object where there is none; None where there is one."""
        with self._errors(f"write {name}"):
            try:
                return _stamp(obstore.put(self._store, name, data, mode="create"))
            except (AlreadyExistsError, PreconditionError):
                return None

    def swap(self, name: str, data: bytes, stamp: Stamp) -> Stamp | None:
        """Replaces an object that is still the one that was seen; None where it is not."""
        seen = {key: value for key, value in zip(("e_tag", "version"), stamp, strict=True) if value is not None}
        with self._errors(f"write {name}"):
            try:
                return _stamp(obstore.put(self._store, name, data, mode=seen))  # type: ignore[arg-type]
            except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                return None

    def delete(self, names: Sequence[str]) -> None:
        """Removes objects; what is not there is passed over."""
        for start in range(0, len(names), _CHUNK):
            with self._errors("remove objects"):
                try:
                    obstore.delete(self._store, list(names[start : start + _CHUNK]))
                except FileNotFoundError:  # one of them, which Google and Azure tell; the others are still there
                    for name in names[start : start + _CHUNK]:
                        self._delete_one(name)

    def _delete_one(self, name: str) -> None:
        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            return

    def names(self, prefix: str) -> list[str]:
        """Every object below a prefix."""
        with self._errors("list objects"):
            return [str(one["path"]) for page in obstore.list(self._store, prefix, chunk_size=_CHUNK) for one in page]

    def folders(self, prefix: str) -> list[str]:
        """The names between a prefix and the next slash."""
        with self._errors("list objects"):
            found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
        return [path.rstrip("/").rpartition("/")[2] for path in found]


def _stamp(meta: Any) -> Stamp:
    return meta.get("e_tag"), meta.get("version")
