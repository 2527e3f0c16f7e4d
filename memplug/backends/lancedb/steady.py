"""Finishing a step of LanceDB before an interruption goes on.

LanceDB works in threads of its own. A Ctrl-C or an alarm only ends the waiting for them, so that a lock would be let
go of while the write that it protects is still under way. Python delivers signals to the main thread alone.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: The thread that takes the steps, for the process of that id: starting one for each took five times as long.
_steps: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
_worker = 0


def steadily(step: Callable[[], T]) -> T:
    """Runs a step where no signal reaches it; what interrupts the caller is raised once the step has ended.

    A second interruption, of somebody impatient, waits as well, and is not raised beside the first.
    """
    if threading.get_ident() != threading.main_thread().ident or sys.is_finalizing():
        return step()
    task: Future[T] = Future()
    try:
        _hand_over(task, step)
        return task.result()
    except RuntimeError:
        if not task.cancel():
            raise
        return step()  # there can be no further thread: too many, or the interpreter is ending
    except BaseException:
        if not task.cancel():
            _outlast(task)
        raise


def _hand_over(task: Future[T], step: Callable[[], T]) -> None:
    """Has the thread take a step. Only the main thread comes here, so that one is enough; a fork loses it."""
    global _steps, _worker  # noqa: PLW0603 - one thread for the process
    if _worker != os.getpid():
        _steps = SimpleQueue()
        # Not `Thread.start`, which an interruption leaves half done, with noise.
        _thread.start_new_thread(_work, (_steps,))
        _worker = os.getpid()
    _steps.put((task, step))


def _outlast(task: Future[T]) -> None:
    while not task.done():
        try:
            wait([task])
        except BaseException:  # noqa: BLE001, S112 - the first one is raised by the caller
            continue


def _work(steps: SimpleQueue[tuple[Future[Any], Callable[[], Any]]]) -> None:
    while True:
        _take(*steps.get())


def _take(task: Future[Any], step: Callable[[], Any]) -> None:
    if not task.set_running_or_notify_cancel():
        return
    try:
        task.set_result(step())
    except BaseException as error:  # noqa: BLE001 - raised again by `Future.result`, in the thread that asked
        task.set_exception(error)
