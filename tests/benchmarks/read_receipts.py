"""Reads the text off the scanned receipts, once, for ``recall.py --receipts``.

pip install rapidocr onnxruntime        # in an environment of its own; memplug does not need them
python tests/benchmarks/read_receipts.py receipts.json
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.corpora import data_folder


def main(target: Path) -> None:
    """Writes ``{file name without ending: text}``."""
    engine = importlib.import_module("rapidocr").RapidOCR()
    pictures = sorted((data_folder() / "receipts").glob("*.jpg"))
    texts = {picture.stem: "\n".join(engine(str(picture)).txts or ()) for picture in pictures}
    target.write_text(json.dumps(texts, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
