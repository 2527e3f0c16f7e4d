"""What a correction says, made out of its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: ``replace`` one value by another, ``restate`` something with a new value, ``forget`` it.
Action = Literal["replace", "restate", "forget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One correction.

    Args:
        action: What is to be done.
        about: Words that say what it is about, without the values; may be empty.
        old: The value that is wrong; empty where it is not said.
        new: The value that is right; empty where something is to be forgotten.
        statement: What holds from now on, as a sentence; empty where the correction does not say it as one.
    """

    action: Action
    about: str = ""
    old: str = ""
    new: str = ""
    statement: str = ""
