"""Files as LlamaIndex documents, read by memplug's input types, without storing anything."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.llamaindex.documents import made_document
from memplug.llamaindex.metadata import merged
from memplug.llamaindex.pictures import Pictures
from memplug.pipelines.unstored import Unstored
from memplug.safety.media_type import IMAGE_TYPES
from memplug.values.limits import Limits
from memplug.values.source import Source

if TYPE_CHECKING:
    from memplug.values.draft import Draft


class MemplugFileReader(BaseReader):
    """Reads any file that memplug takes: PDF, Office, Markdown, HTML, tables, JSON, pictures, and what plugins add.

        reader = MemplugFileReader()
        SimpleDirectoryReader("papers", file_extractor={".pdf": reader, ".docx": reader, ".png": reader}).load_data()

    A document becomes one LlamaIndex document per passage, with its ``file``, ``page`` and ``section``; a picture an
    `ImageDocument` with its path, and what describers (OCR, a vision model) read in it for text. The limits and guards
    of memplug hold: each file is parsed in a process that is killed when it takes too long or too much memory. Ids are
    the same at each load of the same path, so that loading again replaces what changed.

    Args:
        plugins: Plugin modules or objects beside the installed ones.
        limits: The bounds on what is read.
        media_folder: Where copies of pictures are kept that come from another file system than the local one.
        describe: Whether describers look at pictures.
    """

    def __init__(
        self,
        *,
        plugins: Sequence[object] = (),
        limits: Limits | None = None,
        media_folder: str | Path | None = None,
        describe: bool = True,
    ) -> None:
        self._plugins = tuple(plugins)
        self._limits = limits or Limits()
        self._pictures = Pictures(folder=Path(media_folder) if media_folder is not None else None)
        self._describe = describe
        self._unstored: Unstored | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For `SimpleDirectoryReader(num_workers=…)`, which sends readers to other processes."""
        return {**vars(self), "_unstored": None}

    def lazy_load_data(
        self,
        file: str | os.PathLike[str],
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
        **_: Any,
    ) -> Iterator[Document]:
        """The documents of one file.

        Args:
            file: The file.
            extra_info: Metadata for each document, as `SimpleDirectoryReader` gives it.
            fs: The fsspec file system that the file is in; None means the local one.

        Raises:
            InputRejected: The file breaks a limit, is damaged, encrypted or unsafe, or nothing reads its type.
            ConfigError: It is a picture of another file system, and no ``media_folder`` is named.
        """
        path = os.fspath(file)
        where = path if fs is not None else str(Path(path).absolute())
        for number, (draft, piece) in enumerate(self._drafts(path, fs)):
            yield self._document(draft, piece, where, number, extra_info or {}, local=fs is None)

    def _drafts(self, path: str, fs: Any) -> Iterator[tuple[Draft, Draft]]:
        """What the file gave: each passage beside the whole that it is of, or the whole itself where it has none."""
        if self._unstored is None:
            self._unstored = Unstored.open(plugins=self._plugins, limits=self._limits, describe=self._describe)
        content = Source(path=Path(path)) if fs is None else self._fetched(path, fs)
        yield from self._unstored.drafts(content)

    def _fetched(self, path: str, fs: Any) -> Source:
        try:
            if (size := fs.size(path)) is not None and size > self._limits.file_bytes:
                raise InputTooLarge(f"{path} has {size:,} bytes; at most {self._limits.file_bytes:,} are taken")
            with fs.open(path, "rb") as opened:
                return Source(data=opened.read(self._limits.file_bytes + 1), name=path.rpartition("/")[2])
        except OSError as error:
            raise MalformedInput(f"cannot read {path!r}: {error.strerror or error}") from error

    def _document(
        self, whole: Draft, piece: Draft, path: str, number: int, extra: Mapping[str, Any], *, local: bool
    ) -> Document:
        media = whole.media
        source = piece.source
        known = {
            "kind": piece.kind,
            "title": whole.metadata.get("title"),
            "file": source.file or (media.name if media else None),
            "page": source.page,
            "section": source.section,
            "content_type": whole.content_type,
        }
        own = {name: value for name, value in whole.metadata.items() if name != "title"}
        metadata = merged(known, own) | dict(extra)
        text = piece.text.strip() or whole.context.strip() or (media.name if media else "")
        id_ = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path}#{number}"))
        if media is None or media.content_type not in IMAGE_TYPES:
            return made_document(id_, text, metadata, extra)
        picture = Path(path)
        if not local:
            digest = hashlib.sha256(media.data).hexdigest()
            picture = self._pictures.kept(media.data, digest=digest, content_type=media.content_type)
        return made_document(id_, text, metadata, extra, picture, media.content_type)
