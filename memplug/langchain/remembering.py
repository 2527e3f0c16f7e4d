"""Stores the messages of a run, whole or one by one."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage

from memplug.exceptions import InputRejected
from memplug.langchain.messages import inputs_of
from memplug.scoped import ScopedMemory
from memplug.values.outcome import AddResult

log = logging.getLogger("memplug.langchain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembering:
    """How messages are stored.

    Args:
        without_tools: Names of tools whose calls and results are not remembered.
        wait: As of `Memory.add`.
    """

    without_tools: Collection[str] = ()
    wait: bool = True

    def remember(self, view: ScopedMemory, messages: Sequence[BaseMessage], conversation: str | None) -> None:
        """Stores messages in one step; where they are too much for one, or cannot be read, each by itself.

        A part that memplug refuses is logged with its code, and never takes another with it.

        Raises:
            MemplugError: The store failed; nothing was stored.
        """
        inputs = inputs_of(messages, without_tools=self.without_tools)
        if not inputs:
            return
        try:
            _told(self._added(view, inputs, conversation))
        except InputRejected as error:
            if len(inputs) == 1:
                _refused(error)
            else:
                self._each(view, inputs, conversation)

    def _each(self, view: ScopedMemory, inputs: Sequence[dict[str, Any]], conversation: str | None) -> None:
        for one in inputs:
            try:
                _told(self._added(view, [one], conversation))
            except InputRejected as error:
                _refused(error)

    def _added(self, view: ScopedMemory, inputs: list[dict[str, Any]], conversation: str | None) -> AddResult:
        return view.add(inputs, wait=self.wait, run_id=conversation)


def _told(result: AddResult) -> None:
    for outcome in result.rejected:
        log.warning("a part of a message was not remembered: %s", outcome.error.code if outcome.error else "")


def _refused(error: InputRejected) -> None:
    log.warning("a message was not remembered: %s", error.code)
