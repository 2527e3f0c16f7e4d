"""markitdown in an environment of its own, without memplug: reads what each line names, and tells how long it took.

A line is a path as JSON; the answer is ``{"seconds", "text", "error"}``.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Answers until nobody asks any more."""
    converter = importlib.import_module("markitdown").MarkItDown(enable_plugins=False)
    for line in sys.stdin:
        path = Path(json.loads(line))
        data = path.read_bytes()
        text, error = "", ""
        started = time.perf_counter()
        try:
            text = converter.convert_stream(io.BytesIO(data), file_extension=path.suffix).text_content
        except Exception as caught:  # noqa: BLE001 - whatever it is, it is the answer
            error = type(caught).__name__
        answer = {"seconds": time.perf_counter() - started, "text": text, "error": error}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
