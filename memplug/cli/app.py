"""The program `memplug`, put together."""

from __future__ import annotations

from memplug.cli.adding import add, update
from memplug.cli.buckets import buckets
from memplug.cli.demo import demo
from memplug.cli.plugin_list import plugins
from memplug.cli.program import Program
from memplug.cli.reading import get, history, list_
from memplug.cli.removing import delete, restore
from memplug.cli.searching import search
from memplug.cli.skills import skill
from memplug.cli.upkeep import doctor, export, import_, maintain, reindex, worker

cli = Program(
    sections=(
        ("Memories", (add, search, get, list_, update, delete, history, restore)),
        ("Skills and shared buckets", (skill, buckets)),
        ("The store", (export, import_, reindex, maintain, worker, doctor)),
        ("The program", (plugins, demo)),
    )
)
