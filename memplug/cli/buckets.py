"""The commands for shared buckets: who owns them, and who may do what in them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from memplug.cli.command import Commands, command
from memplug.cli.documents import bucket_document
from memplug.cli.failures import NOT_FOUND
from memplug.cli.listing import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.cli.invocation import Invocation
    from memplug.cli.screen import Screen
    from memplug.values.bucket import Bucket

#: The roles that an owner may give. `memplug.values.bucket` has them, too; `--help` must not load that much.
_ROLES = click.Choice(("viewer", "contributor", "editor"))


def _by(words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option that says who acts; there must be somebody."""
    return click.option(
        *("--user", "-u", "by"), envvar="MEMPLUG_USER", show_envvar=True, metavar="ID", required=True, help=words
    )


@command("create")
@click.argument("bucket_id", metavar="BUCKET")
@click.option("--title", default="", help="What to call it.")
@click.option("--description", default="", help="What it is for.")
@click.option("--adopt", is_flag=True, help="Also take over what others put into a bucket of that name before.")
@_by("Who owns it.")
def create(invocation: Invocation, *, bucket_id: str, title: str, description: str, adopt: bool, by: str) -> None:
    """Register a bucket as shared.

    From then on only those reach it to whom its owner gives a role.
    """
    with invocation.open() as memory:
        bucket = memory.buckets.create(bucket_id, owner=by, title=title, description=description, adopt=adopt)
    _answer(invocation, "created", bucket)


@command("list")
@_by("Whose roles.")
def list_(invocation: Invocation, *, by: str) -> None:
    """List the shared buckets in which a user has a role."""
    with invocation.open(read_only=True) as memory:
        found = memory.buckets.list(by)
    document = {"buckets": [bucket_document(bucket) for bucket in found]}
    invocation.answer(document, lambda screen: _show_all(screen, found, by))
    if not found:
        invocation.note("none")


@command("share")
@click.argument("bucket_id", metavar="BUCKET")
@click.argument("member", metavar="USER")
@click.argument("role", type=_ROLES)
@_by("Who shares it: its owner.")
def share(invocation: Invocation, *, bucket_id: str, member: str, role: Any, by: str) -> None:
    """Give a user a role in a bucket.

    A viewer reads; a contributor also adds, and changes what they added; an editor also changes what others added.
    """
    with invocation.open() as memory:
        bucket = memory.buckets.share(bucket_id, member, role, by=by)
    _answer(invocation, "shared", bucket)


@command("unshare")
@click.argument("bucket_id", metavar="BUCKET")
@click.argument("member", metavar="USER")
@_by("Who takes it away: the owner, or the user who leaves.")
def unshare(invocation: Invocation, *, bucket_id: str, member: str, by: str) -> None:
    """Take a user's role away; what they added stays."""
    with invocation.open() as memory:
        bucket = memory.buckets.unshare(bucket_id, member, by=by)
    _answer(invocation, "unshared", bucket)


@command("delete")
@click.argument("bucket_id", metavar="BUCKET")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--erase", is_flag=True, help="Also remove it from disk for good, which frees its name.")
@_by("Who deletes it: its owner.")
def delete(invocation: Invocation, *, bucket_id: str, yes: bool, erase: bool, by: str) -> None:
    """Delete a bucket with all that lies in it."""
    if not yes:
        _ask(invocation, bucket_id, erase=erase)
    with invocation.open() as memory:
        count = memory.buckets.delete(bucket_id, by=by, erase=erase)
    word = "erased" if erase else "deleted"
    invocation.answer(
        {word: count}, lambda screen: screen.line((word, "green"), f"  {bucket_id} with {count} memories")
    )


buckets = Commands(
    "buckets", help="Shared buckets: create, share and delete them.", commands=(create, list_, share, unshare, delete)
)


def _ask(invocation: Invocation, bucket_id: str, *, erase: bool) -> None:
    """Makes sure that somebody means it.

    Raises:
        UsageError: Nobody is there to answer.
        Exit: The answer was no.
    """
    if invocation.json:
        raise click.UsageError("buckets delete with --json needs --yes")
    what = "Erase for good" if erase else "Delete"
    invocation.err.line(f"{what} the bucket {invocation.err.clip(bucket_id, 200)} with all that lies in it? [y/N]")
    answer = sys.stdin.readline()
    if not answer:
        raise click.UsageError("nobody answered; --yes deletes without asking")
    if answer.strip().lower() not in {"y", "yes"}:
        raise click.exceptions.Exit(NOT_FOUND)


def _answer(invocation: Invocation, word: str, bucket: Bucket) -> None:
    invocation.answer({"bucket": bucket_document(bucket)}, lambda screen: _show(screen, word, bucket))


def _show(screen: Screen, word: str, bucket: Bucket) -> None:
    people = ", ".join(f"{user} ({role})" for user, role in sorted(bucket.roles.items()))
    screen.line((word, "green"), f"  {bucket.id}")
    screen.fields(("title", bucket.title), ("about", bucket.description), ("people", people))


def _show_all(screen: Screen, found: tuple[Bucket, ...], user: str) -> None:
    from memplug.cli.screen import Column

    if not found:
        return
    columns = [
        Column(name="bucket"),
        Column(name="title", text=True),
        Column(name="role", style="magenta"),
        Column(name="owner"),
        Column(name="people", right=True),
        Column(name="since", style="dim"),
    ]
    rows = [
        [one.id, one.title, one.roles.get(user, ""), one.owner, str(len(one.roles)), moment(one.created_at)]
        for one in found
    ]
    screen.table(columns, rows)
