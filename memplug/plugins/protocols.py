"""What a plugin's objects must be able to do: one small Protocol per kind.

Nothing has to be subclassed. An object that has these attributes is one, and `memplug.testing` has a contract
class for each kind that says whether it keeps to what is written here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, runtime_checkable

from memplug.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from memplug.values.draft import Draft, Media, Part
    from memplug.values.extraction import ExtractionRequest, Proposals
    from memplug.values.filters import Filter
    from memplug.values.item import Record
    from memplug.values.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseContext:
    """What an input type may use while it parses.

    Args:
        limits: The numbers to keep to.
        keep_location: Whether the caller asked to keep where a picture was taken.
        strict_skills: Whether a skill must keep to the Agent Skills specification to the letter.
        later: Whether what takes long may be left for a step in the background (``wait=False``).
    """

    limits: Limits = field(default_factory=Limits)
    keep_location: bool = False
    strict_skills: bool = False
    later: bool = False


class InputType(Protocol):
    """Makes drafts of one form of raw input."""

    #: The `kind` that its memories get.
    name: str

    def accepts(self, part: Part) -> bool:
        """Whether this part is its form. Cheap: looks at ``part.kind``, the first bytes, the declared type.

        ``part.source``, where there is one, already holds ``data``: files are read and URLs fetched before.
        """
        ...

    def parse(self, part: Part, context: ParseContext) -> Iterable[Draft]:
        """The memories that the part holds, at least one.

        Raises:
            InputRejected: The part breaks a limit or is not what it claims to be.
        """
        ...


class Embedder(Protocol):
    """Turns words into vectors.

    One that works on this machine says so by an attribute ``local = True``; any other is given ``[secret:kind]`` in the
    place of keys, tokens and passwords.
    """

    @property
    def name(self) -> str:
        """Names the vector space; the store remembers it and refuses another."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of stored words: float32 of shape ``(len(texts), dimension)``, rows of unit length.

        A row is all zeros where a text holds nothing to embed; such a memory is found by its words only.
        """
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: float32 of shape ``(dimension,)``, of unit length or all zeros."""
        ...


class Describer(Protocol):
    """Gives words to media: OCR, a vision model."""

    name: str

    def accepts(self, media: Media) -> bool:
        """Whether it can say something about media of this type."""
        ...

    def describe(self, media: Media, *, context: str) -> str:
        """What the media shows or says; empty where it finds nothing.

        Args:
            media: The original with what is known of it.
            context: What the user wrote along with it.
        """
        ...


@runtime_checkable
class PageDescriber(Describer, Protocol):
    """A describer that can also read single pages of a document: scans in a PDF, pictures on slides.

    Of a document of a type that it accepts, it is asked for the pages that show something and have no text, and never
    to `describe` it as a whole.
    """

    def pages(self, media: Media, numbers: Sequence[int], *, context: str) -> Mapping[int, str]:
        """The words on these pages, by their numbers, empty where there are none.

        A page that is left out could not be looked at, and stays listed in ``metadata["scanned_pages"]``.

        Args:
            media: The document.
            numbers: Which pages, counted from 1, rising.
            context: What the document is known by.
        """
        ...


class Extractor(Protocol):
    """Draws further memories from what was said: facts, preferences, tool experience."""

    name: str

    def extract(self, drafts: Sequence[Draft], scope: Scope) -> Sequence[Draft]:
        """Memories to store beside ``drafts``, never in their place; ``part`` says which part each is from."""
        ...


class PlanningExtractor(Protocol):
    """Draws facts from a conversation, and says what they change of what is known.

    It writes nothing itself: what it proposes is checked (`memplug.extraction.support`), and then stored with what it
    was drawn from in one commit.
    """

    @property
    def name(self) -> str:
        """What it is called in logs and errors."""
        ...

    def plan(self, request: ExtractionRequest) -> Proposals:
        """What is to be remembered, or corrected, by ``request.purpose``.

        Raises:
            ModelError: It could not do its work; the turns are stored all the same, and where ``retryable`` is set it
                is asked again later.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A memory that may answer a question, with what the two searches found.

    Args:
        record: The memory.
        similarity: Cosine between question and memory, -1 to 1; None where there is no vector to compare, or where
            it was not among the nearest.
        words: Lexical score (BM25 inside the scope, not normalised); 0 where no word is shared.
    """

    record: Record
    similarity: float | None
    words: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query as the rankers see it.

    Args:
        text: As the user wrote it.
        terms: Its analysed words, without stop words.
        now: When it is asked.
        dense_weight: Share of the score that similarity gets, 0 to 1; the rest is for words.
        ideal: The highest ``words`` that a memory could have for this question; 0 where no term is known.
        speakers: The speakers of candidates whom it names, as `Provenance.speaker` has them.
        scores: What the rankers before this one gave each candidate, added up, in the candidates' order; so a
            ranker can add to what is relevant already. Zeros for the first.
    """

    text: str
    terms: tuple[str, ...]
    now: datetime
    dense_weight: float = 0.5
    ideal: float = 0.0
    speakers: frozenset[str] = frozenset()
    scores: Sequence[float] = ()


class Ranker(Protocol):
    """Gives one share of the score."""

    @property
    def name(self) -> str:
        """Shown by ``explain=True``."""
        ...

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """One share per candidate, in their order; shares of all rankers are added up.

        A share of 1 is as much as the best possible memory gets from meaning and words together; most
        rankers give 0 to 0.2, or a part of ``question.scores``. Negative shares push a memory down.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProfile:
    """What a store was made with; written once, checked at each opening.

    Args:
        embedder: `Embedder.name`.
        dimension: `Embedder.dimension`.
        format: Version of memplug's layout on disk.
    """

    embedder: str
    dimension: int
    format: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRequest:
    """How to open a store.

    Args:
        location: Path or URL as the user gave it.
        profile: What to make a new store with, and what an existing one must have been made with; None opens
            whatever is there and fails where nothing is.
        read_only: Refuse every write, and work on a folder that cannot be written.
        sync: ``full`` makes each commit survive a power cut as far as the file system promises.
        options: Further settings that only this backend knows. Not shown by ``repr``: there may be credentials.
    """

    location: str
    profile: StoreProfile | None
    read_only: bool = False
    sync: Literal["normal", "full"] = "normal"
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which current memories a read is about.

    Args:
        where: The scope and everything else that must hold. Built by `memplug.store`, which is the only place
            where scopes are turned into filters; a backend applies it and knows nothing of scopes.
        limit: Most records to return; a read always has one.
        after: Continue a listing behind this ``(created_at, id)``.
        as_of: Read what was current at that moment instead of now.
        vectors: Whether the records must carry their vectors (they are most of the bytes).
    """

    where: Filter
    limit: int
    after: tuple[datetime, str] | None = None
    as_of: datetime | None = None
    vectors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A record that a search found.

    Args:
        record: Its current version.
        score: Cosine similarity (`Backend.nearest`) or the backend's own lexical score (`Backend.match`).
    """

    record: Record
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can do beyond the operations that all have.

    Args:
        erasure: `Backend.erase` leaves no byte of the content anywhere it controls. Without it nothing can be read any
            more, but others decide when the bytes leave their disks.
        maintenance: `Backend.maintain` compacts and keeps indexes. Without it that is others' work, or is not needed;
            what has expired may be removed all the same.
        several_processes: Several processes may have the same store open.
        examination: It is an `ExaminedBackend`.
    """

    erasure: bool = True
    maintenance: bool = False
    several_processes: bool = False
    examination: bool = False


class Backend(Protocol):
    """Keeps records in versions, finds them, and keeps media by digest. Safe to call from several threads.

    *Current* means: the highest version of an id, unless that version is a deletion. Only current records are
    found by `select`, `nearest`, `match` and `count`. What a filter means is defined by
    `memplug.values.filters.matches`; a backend gives the same records, only faster.
    """

    profile: StoreProfile
    capabilities: Capabilities

    def commit(self, records: Sequence[Record]) -> None:
        """Appends versions in one atomic step: all become visible, or none.

        Each record's version must be one above the highest that its id has (1 where it has none), which is
        checked in the same step, also against other processes where the backend allows several.

        Raises:
            VersionConflict: Some id has another highest version; nothing was written.
            StoreFull, StoreReadOnly, StoreBusy, BackendError: Nothing was written.
        """
        ...

    def latest(self, ids: Sequence[str]) -> dict[str, Record]:
        """The highest version of each id that exists, deletions included."""
        ...

    def versions(self, id_: str) -> list[Record]:
        """All versions of one id, oldest first, each with ``valid_to``; empty where there is none."""
        ...

    def select(self, selection: Selection) -> list[Record]:
        """Current records, newest first: by ``created_at`` falling, then ``id`` falling."""
        ...

    def nearest(self, vector: NDArray[np.float32], selection: Selection) -> list[Match]:
        """The current records with the highest cosine similarity, best first; those without vector never."""
        ...

    def match(self, terms: Sequence[str], selection: Selection) -> list[Match]:
        """Current records whose terms hold at least one of ``terms``, best first by the backend's own score."""
        ...

    def count(self, where: Filter, *, as_of: datetime | None = None) -> int:
        """How many current records satisfy a filter."""
        ...

    def ids(self, where: Filter) -> set[str]:
        """The ids that have any version, deletions included, which satisfies a filter."""
        ...

    def references(self, digests: Sequence[str]) -> set[str]:
        """Those of the digests that any version of any record still names as its original or thumbnail."""
        ...

    def erase(self, ids: Sequence[str]) -> None:
        """Removes every version of these ids and every byte of them. Media is the caller's to remove."""
        ...

    def put_media(self, digest: str, data: bytes) -> None:
        """Keeps bytes under their SHA-256; nothing happens where they are kept already."""
        ...

    def open_media(self, digest: str) -> BinaryIO:
        """The bytes as a file open for reading.

        Raises:
            NotFound: There are none under this digest.
        """
        ...

    def remove_media(self, digests: Sequence[str]) -> None:
        """Removes bytes, whether or not a record names them; a digest that is not there is passed over."""
        ...

    def release_media(self, digests: Sequence[str]) -> set[str]:
        """Removes those of the digests that no version of any record names, in one step with `commit`.

        No commit comes between the look and the removal, so a record that a concurrent `commit` brings either keeps
        its bytes or is committed after they are gone, and then its writer puts them again (`Store.commit`).

        Returns:
            What was removed.
        """
        ...

    def list_media(self) -> Iterable[str]:
        """The digests of all media."""
        ...

    def maintain(self, progress: Callable[[int, int, str], None] | None = None, *, now: datetime | None = None) -> None:
        """Does at once what otherwise happens by itself: compaction, index upkeep, removal of expired records.

        Args:
            progress: Is told ``(done, total, words)``, at the end with ``done == total``.
            now: The moment by which a record has expired or not; None means the machine's clock.
        """
        ...

    def rebuild(
        self,
        profile: StoreProfile,
        convert: Callable[[list[Record]], list[Record]],
        progress: Callable[[int, int, str], None] | None = None,
    ) -> int:
        """Gives the store another profile and every version the terms and vector that ``convert`` makes.

        Reads go on with the old ones until all are made; then the store changes over in one step. What an
        interrupted run had made is kept for the next one.

        Returns:
            How many current records there are.
        """
        ...

    def close(self) -> None:
        """Stops background work and lets go of files. Further calls fail; a second close does nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a backend looked at in its own files.

    Args:
        name: What.
        wrong: What is wrong, by id or name; empty where nothing is.
        meaning: What that means for whoever uses the store.
        repaired: How many of these were repaired.
    """

    name: str
    wrong: tuple[str, ...]
    meaning: str
    repaired: int = 0


class ExaminedBackend(Backend, Protocol):
    """A backend with things of its own to look at when a store is examined; see `Capabilities.examination`."""

    def examine(self, *, repair: bool) -> Sequence[Finding]:
        """Looks at what no other call shows: indexes, rows written twice, leftovers.

        Args:
            repair: Also repair what can be repaired without losing anything; else nothing is written.
        """
        ...
