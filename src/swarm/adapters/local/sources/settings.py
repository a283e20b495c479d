"""What the installation file says about a source on this machine, by kind."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from swarm.contract.rules import Span
from swarm.ports.source_settings import Bytes, ClassName, Share, SourceSettings

ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"


class Format(StrEnum):
    """What a command prints."""

    LINES = "jsonl"  #: one JSON object per line, see `SignalLine`
    SARIF = "sarif"  #: SARIF 2.1.0, as most scanners write it
    RUFF = "ruff"  #: what `ruff check --output-format=json` writes


class CommandSettings(SourceSettings):
    """A command that reports findings: a linter, a scanner, or a script of your own."""

    kind: Literal["command"] = Field(description="A command that reports findings.")
    run: tuple[Annotated[str, Field(max_length=4_096)], ...] = Field(
        min_length=1,
        max_length=200,
        description="Program and arguments, never a shell line. `{python}` is this Python.",
        examples=[["ruff", "check", "--output-format=json", "."]],
    )
    format: Format = Field(default=Format.LINES, description="What the command prints.")
    by_hand_class: ClassName | None = Field(
        default=None,
        description="Mission class of what `ruff --fix` would not repair, for `format` `ruff`, so"
        " that no agent which runs it is given that. Unset: `mission_class`.",
    )
    workdir: Path | None = Field(
        default=None,
        description="Folder to run in, as it is. Unset: a clean checkout of `repo`'s main, made"
        " for this reading and thrown away.",
    )
    ok_exit_codes: tuple[Annotated[int, Field(ge=0, le=255)], ...] = Field(
        default=(0, 1),
        min_length=1,
        description="Exit codes with which the output counts. Most linters end with 1 when they"
        " found something.",
    )
    environment: tuple[Annotated[str, Field(pattern=ENVIRONMENT_NAME)], ...] = Field(
        default=(),
        max_length=100,
        description="Names of further environment variables that the command may see. PATH, HOME"
        " and the locale it always sees, nothing else.",
    )
    repeat_after: Annotated[timedelta, Span(least="1m", most="8760h")] = Field(
        default=timedelta(days=1),
        description="A finding that is still there is told again after this long; before that,"
        " only new findings are. A checkout that did not change is not even looked at.",
    )
    trust: Share = Field(
        default=0.6,
        description="How likely a single finding is true. Two independent tools of 0.6 reach a"
        " confidence of 0.84.",
    )
    timeout: Annotated[timedelta, Span(least="100ms", most="6h")] = Field(
        default=timedelta(minutes=5), description="Longest time that the command may run."
    )
    max_bytes: Bytes = Field(
        default=32 * 1024 * 1024, description="Most bytes that the command may print."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.run[0].strip():
            raise ValueError("`run` begins with the program, which is empty here")
        if any("\0" in word for word in (*self.run, str(self.workdir))):
            raise ValueError("`run` or `workdir` holds a NUL character, which no program is given")
        if self.workdir is None and not self.repo:
            raise ValueError("set `repo` for a clean checkout, or `workdir` for a folder as it is")
        if self.by_hand_class is not None and self.format is not Format.RUFF:
            raise ValueError('`by_hand_class` is for `format = "ruff"`: no other tells of repairs')
        return self


class ResultsSettings(SourceSettings):
    """Result files of tests in JUnit XML; every failure and error is a signal."""

    kind: Literal["junit"] = Field(description="Result files of tests.")
    files: tuple[Annotated[str, Field(min_length=1, max_length=4_096)], ...] = Field(
        min_length=1,
        max_length=50,
        description="Result files; a name may hold * and ?.",
        examples=[["/srv/ci/results/*.xml"]],
    )
    workdir: Path = Field(
        default=Path(),
        description="Folder that relative names in `files` and in results start from.",
    )
    max_age: Annotated[timedelta, Span(least="1m", most="8760h")] | None = Field(
        default=None,
        description="A newest result file older than this is reported as down: tests that stopped"
        " running are not green.",
    )
    trust: Share = Field(default=0.9, description="How likely a failure is a real one.")
    max_bytes: Bytes = Field(
        default=16 * 1024 * 1024, description="Most bytes of one result file that are read."
    )


LocalSource = Annotated[CommandSettings | ResultsSettings, Field(discriminator="kind")]
"""Every kind of source on this machine; the field `kind` tells which."""
