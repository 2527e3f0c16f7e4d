"""How an error ends the program: one line for people or one object for programs, and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from memplug.cli.documents import error_document, outcome_document
from memplug.cli.invocation import as_line
from memplug.exceptions import (
    BackendError,
    ConfigError,
    FilterError,
    InputRejected,
    MemplugError,
    NotFound,
    PluginError,
    ScopeError,
    VersionConflict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.cli.invocation import Invocation

DEBUG = "MEMPLUG_DEBUG"

OK, NOT_FOUND, USAGE, REJECTED, ASKED_WRONG, STORE_FAILED, PARTIAL = range(7)
BUG, INTERRUPTED, PIPE_CLOSED = 70, 130, 141

#: What each exit code means, for the help page.
MEANINGS = {
    OK: "done",
    NOT_FOUND: "no such memory, or you said no",
    USAGE: "wrong usage",
    REJECTED: "input rejected",
    ASKED_WRONG: "wrong scope, filter or setting",
    STORE_FAILED: "the store, a plugin or a file failed",
    PARTIAL: "some of it was rejected, the rest is done",
    BUG: "a bug in memplug",
    INTERRUPTED: "interrupted",
}

#: The exit code of each kind of error; the first that fits counts.
_CODES: tuple[tuple[type[MemplugError], int], ...] = (
    (NotFound, NOT_FOUND),
    (InputRejected, REJECTED),
    (ScopeError, ASKED_WRONG),
    (FilterError, ASKED_WRONG),
    (ConfigError, ASKED_WRONG),
    (VersionConflict, STORE_FAILED),
    (PluginError, STORE_FAILED),
    (BackendError, STORE_FAILED),
    (MemplugError, STORE_FAILED),
)


def exit_code(error: MemplugError) -> int:
    """The exit code that an error stands for."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def exit_code_of_several(errors: list[MemplugError], *, done: int) -> int:
    """The exit code of a command that did ``done`` things and failed at others.

    With nothing done it is that of the first error.
    """
    if not errors:
        return OK
    return PARTIAL if done else exit_code(errors[0])


@contextmanager
def reporting(invocation: Invocation) -> Iterator[None]:
    """Turns whatever ends a command into a message and click's `Exit`; click's own errors pass through."""
    try:
        yield
        sys.stdout.flush()
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _close_stdout()
        raise click.exceptions.Exit(PIPE_CLOSED) from None
    except MemplugError as error:
        _report(invocation, error)
        raise click.exceptions.Exit(exit_code(error)) from error
    except OSError as error:
        _report(invocation, _as_file_error(error))
        raise click.exceptions.Exit(STORE_FAILED) from error
    except Exception as error:
        _report_bug(invocation, error)
        raise click.exceptions.Exit(BUG) from error


class FileFailed(MemplugError):
    """A file outside the store could not be read or written."""

    code = "cli.file"


class _Bug(MemplugError):
    """Something that is no `MemplugError` came up; it should never have."""

    code = "cli.bug"
    hint = "this is a bug; the traceback on stderr says where"


def _report(invocation: Invocation, error: MemplugError) -> None:
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        traceback.print_exception(error)
    if invocation.json:
        print(as_line(_document(error)))
        return
    words = f"{error.message} ({error.hint})" if error.hint else error.message
    invocation.err.line((f"error[{error.code}]", "bold red"), f": {' '.join(words.split())}")


def _document(error: MemplugError) -> dict[str, Any]:
    """The error as data; where an `add` was refused as a whole, with the outcome of each part."""
    document: dict[str, Any] = {"ok": False, "error": error_document(error)}
    result = error.result if isinstance(error, InputRejected) else None
    if result is not None:
        document["outcomes"] = [outcome_document(outcome) for outcome in result.outcomes]
    return document


def _as_file_error(error: OSError) -> FileFailed:
    where = f"{error.filename}: " if error.filename else ""
    wrapped = FileFailed(f"{where}{error.strerror or error}")
    wrapped.__cause__ = error
    return wrapped


def _report_bug(invocation: Invocation, error: Exception) -> None:
    traceback.print_exception(error)
    _report(invocation, _Bug(f"{type(error).__name__}: {error}"))


def _close_stdout() -> None:
    """Points stdout at nothing, so that Python's own flush at the end does not complain a second time."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - lives until the process ends
