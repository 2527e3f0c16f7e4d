"""What a file is said to be, by its declared type and its name: a hint, since its bytes decide."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.safety.media_type import declared

if TYPE_CHECKING:
    from collections.abc import Mapping

_OFFICE = "application/vnd.openxmlformats-officedocument"
#: The usual type of each format, by the format's name.
CONTENT_TYPES: Mapping[str, str] = {
    "pdf": "application/pdf",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "md": "text/markdown",
    "mdx": "text/mdx",
    "html": "text/html",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "xml": "application/xml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
}
_BY_TYPE: Mapping[str, str] = {
    **{type_: name for name, type_ in CONTENT_TYPES.items()},
    **dict.fromkeys(("application/x-pdf",), "pdf"),
    **dict.fromkeys(("text/x-markdown", "application/markdown"), "md"),
    **dict.fromkeys(("text/x-mdx", "application/mdx"), "mdx"),
    **dict.fromkeys(("application/xhtml+xml",), "html"),
    **dict.fromkeys(("text/json", "application/x-json"), "json"),
    **dict.fromkeys(("application/x-ndjson", "application/ndjson", "application/x-jsonlines"), "jsonl"),
    **dict.fromkeys(("text/xml",), "xml"),
    **dict.fromkeys(("application/csv", "text/x-csv", "application/vnd.ms-excel.csv"), "csv"),
    **dict.fromkeys(("text/tsv",), "tsv"),
    **dict.fromkeys(
        (
            "application/javascript",
            "application/yaml",
            "application/x-yaml",
            "application/toml",
            "application/x-sh",
            "application/sql",
            "application/x-python",
        ),
        "txt",
    ),
}
_BY_SUFFIX: Mapping[str, str] = {
    **{name: name for name in CONTENT_TYPES},
    **dict.fromkeys(("docm", "dotx"), "docx"),
    **dict.fromkeys(("pptm", "ppsx"), "pptx"),
    **dict.fromkeys(("xlsm", "xltx"), "xlsx"),
    **dict.fromkeys(("markdown", "mdown", "mkd"), "md"),
    **dict.fromkeys(("htm", "xhtml"), "html"),
    **dict.fromkeys(("geojson", "webmanifest", "ipynb"), "json"),
    **dict.fromkeys(("ndjson", "jsonlines"), "jsonl"),
    **dict.fromkeys(("rss", "atom", "xsd", "xsl", "xslt", "wsdl", "plist", "svg", "kml", "gpx", "opml"), "xml"),
    "tab": "tsv",
    **dict.fromkeys(
        [
            "text",
            "log",
            "rst",
            "adoc",
            "asciidoc",
            "org",
            "tex",
            "bib",
            "srt",
            "vtt",
            "ini",
            "cfg",
            "conf",
            "toml",
            "yaml",
            "yml",
            "env",
            "properties",
            "diff",
            "patch",
            "py",
            "pyi",
            "js",
            "mjs",
            "cjs",
            "ts",
            "tsx",
            "jsx",
            "java",
            "kt",
            "kts",
            "scala",
            "c",
            "h",
            "cc",
            "cpp",
            "cxx",
            "hpp",
            "cs",
            "go",
            "rs",
            "rb",
            "php",
            "pl",
            "pm",
            "lua",
            "r",
            "jl",
            "swift",
            "m",
            "mm",
            "sh",
            "bash",
            "zsh",
            "fish",
            "ps1",
            "bat",
            "cmd",
            "sql",
            "graphql",
            "proto",
            "css",
            "scss",
            "less",
            "vue",
            "svelte",
            "dart",
            "ex",
            "exs",
            "erl",
            "hs",
            "clj",
            "lisp",
            "el",
            "vim",
            "tf",
            "hcl",
            "gradle",
            "cmake",
            "mk",
            "dockerfile",
        ],
        "txt",
    ),
}
#: A server says these of any text that it does not know better; then the name may know.
_VAGUE = frozenset({"text/plain", "application/xml", "text/xml", "application/json", "application/zip"})
_STRUCTURED = re.compile(r"[^/]+/[^/]*\+(xml|json)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is said of a file.

    Args:
        type: As a MIME type; None where nothing is said.
        format: Which of the formats that would be; None where it would be none of them.
    """

    type: str | None = None
    format: str | None = None


def claim(media_type: str | None, name: str) -> Claim:
    """What a declared type says, or else the file's name; the name also where the type is one for anything."""
    said = declared(media_type, "")
    named = _BY_SUFFIX.get(name.rpartition(".")[2].lower()) if "." in name else None
    if named is not None and (said is None or said in _VAGUE):
        return Claim(type=CONTENT_TYPES[named], format=named)
    return Claim(type=said or declared(None, name), format=_format(said) if said else None)


def _format(type_: str) -> str | None:
    structured = _STRUCTURED.fullmatch(type_)
    other = structured[1] if structured else "txt" if type_.startswith("text/") else None
    return _BY_TYPE.get(type_, other)
