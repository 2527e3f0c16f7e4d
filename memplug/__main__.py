"""`python -m memplug` is the command line."""

from __future__ import annotations

from memplug.cli import main

if __name__ == "__main__":
    main()
