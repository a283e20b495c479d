"""What the installation file says about one agent command."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from swarm.adapters.local.process import command, environment
from swarm.adapters.local.process.spec import Confine, Network
from swarm.contract.rules import Span
from swarm.ports.source_settings import ClassName, SettingsBlock

PLACEHOLDERS = frozenset({"python", "rule", "prompt_file", "model", "paths", "cost_cap"})
MICRO = 1_000_000
_Money = Annotated[int, Field(ge=0, le=10**12)]
_Variable = Annotated[str, Field(pattern=environment.NAME)]


class Stdin(StrEnum):
    """What the command reads on its standard input."""

    NONE = "none"  #: nothing
    PROMPT = "prompt"  #: the task


class Format(StrEnum):
    """What the command prints about itself: its cost, its errors, its limits."""

    NONE = "none"  #: nothing that is read
    CLAUDE = "claude-json"  #: claude -p --output-format json (or stream-json)
    CODEX = "codex-jsonl"  #: codex exec --json
    OPENCODE = "opencode-jsonl"  #: opencode run --format json
    GEMINI = "gemini-json"  #: gemini --output-format json
    AIDER = "aider"  #: aider's own lines


class Prices(SettingsBlock):
    """What a million tokens cost, in micro-units, for tools that print tokens and no money."""

    input: _Money = Field(default=0, description="A million tokens read, not from the cache.")
    cached: _Money = Field(default=0, description="A million tokens read from the cache.")
    output: _Money = Field(default=0, description="A million tokens written.")


class AgentSettings(SettingsBlock):
    """A command that changes files in the folder where it is started.

    It gets a clone without remote and without credentials, and hands over nothing but that
    folder: what differs there when it ends well is checked and committed by the controller.
    """

    run: tuple[command.Argument, ...] = Field(
        min_length=1,
        max_length=200,
        description="Program and arguments, never a shell line. Filled in are `{rule}`,"
        " `{paths}` (several arguments), `{model}`, `{prompt_file}`, `{cost_cap}` (in whole"
        " units, such as 2.5) and `{python}`; nothing else may stand in braces.",
        examples=[["claude", "-p", "--output-format", "json", "--permission-mode", "acceptEdits"]],
    )
    stdin: Stdin = Field(
        default=Stdin.NONE, description="`prompt` gives it the task on standard input."
    )
    result: Format = Field(
        default=Format.NONE, description="How it tells its cost, its limits and its errors."
    )
    env: tuple[_Variable, ...] = Field(
        default=(),
        max_length=100,
        description="Names of environment variables that it may see, besides PATH, a private HOME"
        " and TMPDIR, and the locale. `..._API_KEY` is taken as the key of its model; any other"
        " credential must also be in `own_credentials`.",
        examples=[["ANTHROPIC_API_KEY"], ["CODEX_HOME"]],
    )
    own_credentials: tuple[_Variable, ...] = Field(
        default=(),
        max_length=20,
        description="Those of `env` that are credentials which the tool itself needs. It can read"
        " them, and so can what it runs: never one that may write or publish.",
    )
    path: tuple[Path, ...] = Field(
        default=(), max_length=20, description="Folders to look in for programs before PATH."
    )
    model: str = Field(default="", max_length=200, description="What `{model}` stands for.")
    timeout: Annotated[timedelta, Span(least="1s", most="24h")] = Field(
        default=timedelta(minutes=30), description="A run that takes longer is ended."
    )
    output_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=64 * 1024,
        le=16 * 1024**3,
        description="A run that prints more is ended and refused.",
    )
    disk_bytes: int = Field(
        default=4 * 1024**3,
        ge=16 * 1024**2,
        le=1024**4,
        description="A run that writes more to disk is ended and refused.",
    )
    processes: int = Field(
        default=256, ge=8, le=32_768, description="A run with more processes at a time is refused."
    )
    expected_cost: _Money = Field(
        default=0,
        description="What one run is expected to cost, in micro-units of the budget's currency."
        " Reserved before it starts, and taken for its cost when it tells none.",
    )
    cost_cap: Annotated[int, Field(gt=0, le=10**12)] = Field(
        default=5 * MICRO,
        description="Most that one run may cost, repetitions after a full quota or a crash"
        " included, in micro-units. A run that tells its cost while it works is ended there.",
    )
    prices: Prices = Field(
        default=Prices(), description="Prices of its model, where it prints only tokens."
    )
    ok_exit_codes: tuple[Annotated[int, Field(ge=0, le=255)], ...] | None = Field(
        default=None,
        min_length=1,
        max_length=20,
        description="Exit codes with which what it changed is looked at. Unset: 0, and also 1 for a"
        " command that is told no task and no cost, as most linters end with 1 when something is"
        " left that they cannot repair.",
    )
    busy_exit_codes: tuple[Annotated[int, Field(ge=1, le=255)], ...] = Field(
        default=(75,),
        max_length=20,
        description="Exit codes that mean `ask me later`: the run is repeated after a pause and"
        " counts for nothing. 75 is EX_TEMPFAIL of sysexits.h.",
    )
    classes: tuple[ClassName, ...] = Field(
        default=(), max_length=100, description="Mission classes it takes; empty takes all."
    )
    rules: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(
        default=(), max_length=500, description="Rules of findings it takes; empty takes all."
    )
    confine: Confine = Field(
        default=Confine.AUTO,
        description="Whether the kernel keeps it inside its clone, HOME and TMPDIR, away from"
        " credential files and from other processes (Landlock): `auto` where it can, `require`"
        " or do not run it, `off` never.",
    )
    network: Network = Field(
        default=Network.HOST,
        description="`none` leaves it a loopback of its own and no other network, so that nothing"
        " it read can be sent away: right for every command that asks no model. `host` is what this"
        " machine reaches. Where the machine cannot do it, `none` does not run it at all.",
    )
    writable: tuple[Path, ...] = Field(
        default=(),
        max_length=20,
        description="Further folders that it may write to, such as its own settings folder.",
    )

    @model_validator(mode="after")
    def _acceptable(self) -> Self:
        found = command.problems(self.run)
        found += command.unknown_placeholders(self.run, PLACEHOLDERS)
        found += environment.refused_names(self.env, self.own_credentials)
        if any("{model}" in word for word in self.run) and not self.model:
            found.append("run uses {model}, so model must be set")
        if self.expected_cost > self.cost_cap:
            found.append("expected_cost is more than cost_cap")
        if found:
            raise ValueError("; ".join(found))
        return self

    @property
    def fine(self) -> tuple[int, ...]:
        """The exit codes with which its folder is looked at.

        A command that is told nothing of a failure does the same again: four runs of a linter
        over what it cannot repair would be a failed mission, and two of those a freeze.
        """
        if self.ok_exit_codes is not None:
            return self.ok_exit_codes
        told = self.stdin is Stdin.PROMPT or any("{prompt_file}" in word for word in self.run)
        return (0,) if told or self.result is not Format.NONE else (0, 1)

    @property
    def model_keys(self) -> tuple[str, ...]:
        """Those of `env` that are keys or credentials of its own."""
        return tuple(n for n in self.env if n in self.own_credentials or n.endswith("_API_KEY"))
