"""The formats that can be imported, by the words that name them."""

from __future__ import annotations

from memplug.exceptions import ConfigError

ARCHIVE, LINES, MEM0, CHATGPT, CLAUDE = "memplug", "jsonl", "mem0", "chatgpt", "claude"
FORMATS = (ARCHIVE, LINES, MEM0, CHATGPT, CLAUDE)


def check_format(format_: str | None) -> None:
    """Refuses a format that there is not.

    Raises:
        ConfigError: It is none of `FORMATS`.
    """
    if format_ is not None and format_ not in FORMATS:
        raise ConfigError(f"there is no format {format_!r:.60}", hint=f"one of {', '.join(FORMATS)}")
