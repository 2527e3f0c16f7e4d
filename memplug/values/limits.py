"""Every number that bounds an input, in one place."""

from __future__ import annotations

from dataclasses import dataclass

KB = 1_000
MB = 1_000_000
KIB = 1_024
MIB = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits on what is taken in. Sizes are bytes; a value equal to a limit is accepted.

    Megabytes are binary (10 MB = 10,485,760 bytes) where a reference system's users upload files, since that
    is what their file managers show.
    """

    #: One image file (MemoryPlugin: "up to 10MB").
    image_bytes: int = 10 * MIB
    #: Width times height of one image; beyond this a small file can eat all memory.
    image_pixels: int = 40_000_000
    #: Longer side of a thumbnail, in pixels.
    thumbnail_side: int = 256
    #: Longer side of a picture that is sent to a model, in pixels. Servers shrink what is larger before they look at it
    #: (Anthropic to 1,568; OpenAI to 2,048 and then the shorter side to 768), so more only costs time.
    model_image_side: int = 1_568
    #: Text of one request, in tokens (MemOS: 40,000), counted by `memplug.safety.text.count_tokens`.
    text_tokens: int = 40_000
    #: Caller's key for a memory, in characters (Hive: 512).
    key_length: int = 512
    #: One blob under a key, decoded (Hive: 10 MB).
    blob_bytes: int = 10 * MIB
    #: Parts (messages and media) of one `add`.
    parts: int = 100_000
    #: Tags of one memory, and characters of one tag.
    tags: int = 100
    tag_length: int = 200
    #: Metadata of one memory as JSON text, in bytes, and its nesting.
    metadata_bytes: int = 64 * KB
    metadata_depth: int = 20
    #: A search query, in characters; the rest of a longer one would only blur it, so it is refused.
    query_length: int = 20_000
    #: Hits of one search, and items of one page.
    top_k: int = 1_000
    #: Conditions of one filter, its nesting, and values of one ``in``. LanceDB 0.40 kills the process at a
    #: chain of 1,000 ORs, and takes 10,000 values of one ``IN`` in 71 ms.
    filter_conditions: int = 200
    filter_depth: int = 16
    filter_values: int = 10_000
    #: Any other file, from a path, bytes or a data URL.
    file_bytes: int = 100 * MIB
    #: Documents of one `add` (MemOS: 20 files, 100 MB and 500 pages each), and all their bytes together.
    documents: int = 20
    document_bytes: int = 100 * MIB
    document_pages: int = 500
    documents_bytes: int = 300 * MIB
    #: Characters of text taken from one document; 500 full pages have about 2,000,000.
    document_characters: int = 5_000_000
    #: A document over so many bytes is read in the background where `add` need not wait. Up to here, reading takes at
    #: most about 0.1 s (CSV and JSON; text 0.01 s), and storing the passages as long again.
    parse_later_bytes: int = 256 * KIB
    #: Nesting of one JSON or XML document.
    document_depth: int = 100
    #: Cells of one spreadsheet or CSV file.
    document_cells: int = 2_000_000
    #: What the process that reads one document may use: bytes of memory, and seconds on the clock.
    parser_bytes: int = 1_000 * MB
    parser_seconds: float = 20.0
    #: A single skill file, and a ZIP of one (MemOS: 100 KB, 20 MB, 200 files; 10 MB for each file inside), and all
    #: files in it together.
    skill_bytes: int = 100 * KIB
    skill_zip_bytes: int = 20 * MIB
    skill_files: int = 200
    skill_file_bytes: int = 10 * MIB
    skill_total_bytes: int = 100 * MIB
    #: Text of a conversation that one question to a model shows, in tokens; the rest comes with the next question. With
    #: what is known, the rules and the answer, it fits into the 8,000 tokens of small models.
    extraction_tokens: int = 4_000
    #: How often a step in the background is tried, and the pause before the second try in seconds; each further one is
    #: four times as long.
    task_tries: int = 3
    task_pause: float = 1.0
    #: A fetched URL: bytes on the wire and decoded, redirects followed, and seconds altogether.
    fetch_bytes: int = 100 * MIB
    fetch_redirects: int = 5
    fetch_seconds: float = 15.0
