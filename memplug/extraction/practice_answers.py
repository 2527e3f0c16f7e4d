"""The forms of what a model answers that learns from uses of tools. Looked at by pydantic before anything else."""

from __future__ import annotations

from pydantic import BaseModel, Field


class RuleAnswer(BaseModel):
    """One thing that the runs teach about using the tool."""

    when: str = Field(description="the situation, without the word when")
    then: str = Field(description="what to do then, without the word then")
    runs: list[str] = Field(description="labels of the runs that show it, such as r1")
    arguments: list[str] | None = Field(
        default=None, description="names of the tool's arguments that it is about, as the runs spell them"
    )
    error: str | None = Field(
        default=None, description="words of the error that it is about, copied from a run; null if it is about none"
    )


class LessonAnswer(BaseModel):
    """One to three rules; an empty list where the runs teach nothing."""

    rules: list[RuleAnswer]


class StepAnswer(BaseModel):
    """One step of the procedure."""

    tool: str = Field(description="the tool, as the runs spell it")
    instruction: str = Field(description="what to do in this step and what to look at, in one or two sentences")
    runs: list[str] = Field(description="labels of the runs that show it, such as r1")


class CautionAnswer(BaseModel):
    """Something to watch out for."""

    text: str = Field(description="one sentence")
    runs: list[str] = Field(description="labels of the runs that show it, such as r1")


class SkillAnswer(BaseModel):
    """Instructions for a procedure that was carried out before."""

    name: str = Field(description="two to five words with hyphens between them, in lowercase: change-a-booking")
    description: str = Field(description="what the procedure does, and when to use it, in one or two sentences")
    steps: list[StepAnswer] = Field(description="one for each step of the procedure, in its order")
    cautions: list[CautionAnswer] = Field(description="what went wrong in the runs and how to avoid it; may be empty")
