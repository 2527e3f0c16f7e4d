"""The command that recalls: ``search``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memplug.cli.command import command, scope_options
from memplug.cli.documents import hit_document
from memplug.cli.listing import ID, KIND, TEXT, WHEN, shown_kind, shown_text, shown_when
from memplug.cli.options import read_filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memplug.cli.invocation import Invocation
    from memplug.cli.screen import Screen
    from memplug.values.hit import Hit
    from memplug.values.scope import ScopeIds


@command("search")
@click.argument("query", nargs=-1, required=True)
@click.option("--knowledge-base", "buckets", metavar="ID", multiple=True, help="Also search this bucket. Repeatable.")
@click.option("--top-k", "-k", type=int, default=10, show_default=True, help="Most memories to show.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind: text, image, … Repeatable.")
@click.option("--tag", "tags", multiple=True, help="Only with this tag; all of them where repeated.")
@click.option("--filter", "filters", metavar="JSON", help="""Such as '{"price": {"gte": 10}}'.""")
@click.option("--min-score", type=float, help="Leave out hits below this score, 0 to 1.")
@click.option("--as-of", metavar="TIME", help="Search what was known at that moment, ISO 8601.")
@click.option("--explain", is_flag=True, help="Show what each ranker gave.")
@scope_options
def search(
    invocation: Invocation,
    *,
    query: Sequence[str],
    buckets: Sequence[str],
    top_k: int,
    kinds: Sequence[str],
    tags: Sequence[str],
    filters: str | None,
    min_score: float | None,
    as_of: str | None,
    explain: bool,
    ids: ScopeIds,
) -> None:
    """Recall the memories that answer QUERY, best first."""
    with invocation.open(read_only=True) as memory:
        hits = memory.search(
            " ".join(query),
            buckets=buckets,
            top_k=top_k,
            kinds=list(kinds) or None,
            tags=list(tags) or None,
            filters=read_filter(filters),
            min_score=min_score,
            as_of=as_of,
            explain=explain,
            **ids,
        )
    if not hits:
        invocation.note("nothing found")
    invocation.answer({"hits": [hit_document(hit) for hit in hits]}, lambda screen: show_hits(screen, hits))


def show_hits(screen: Screen, hits: Sequence[Hit]) -> None:
    """Writes hits as a table, with the shares below each where they are known."""
    from memplug.cli.screen import Column

    if not hits:
        return
    columns = [Column(name="score", right=True, style="bold"), *(Column(**column) for column in (KIND, TEXT, WHEN, ID))]
    rows = [
        [f"{hit.score:.2f}", shown_kind(hit.item), shown_text(hit.item), shown_when(hit.item), hit.id] for hit in hits
    ]
    screen.table(columns, rows, [shown_shares(hit.shares) for hit in hits])


def shown_shares(shares: Mapping[str, float]) -> str:
    """The shares that are not zero, the largest first: ``words 0.41 + meaning 0.30 - order 0.02``."""
    ordered = sorted(shares.items(), key=lambda share: -abs(share[1]))
    counted = [(name, share) for name, share in ordered if round(abs(share), 2) > 0]
    words = "".join(f" {'-' if share < 0 else '+'} {name} {abs(share):.2f}" for name, share in counted)
    return words.removeprefix(" + ").lstrip()
