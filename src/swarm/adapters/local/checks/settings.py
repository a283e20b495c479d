"""What the installation file says about one required check."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import Field, model_validator

from swarm.adapters.local.checks import definition
from swarm.adapters.local.process import command, environment
from swarm.adapters.local.process.spec import Confine, Network
from swarm.contract.rules import Span
from swarm.ports.source_settings import SettingsBlock

Inside = Annotated[str, Field(max_length=1_000)]


def _inside(name: str, path: str) -> list[str]:
    parts = PurePosixPath(path).parts
    if path and (path.startswith(("/", "~")) or ".." in parts):
        return [f"{name}: {path!r} must be a path inside the repository, without a leading /"]
    return []


class CheckSettings(SettingsBlock):
    """A command that says by its exit code whether a commit is good: 0 is green.

    What it *is* stands here, in the installation, where no change can reach it. Files of the
    repository that say what it does (a script, a Makefile, a tool's own settings) are guarded when
    a change is taken in.
    """

    run: tuple[command.Argument, ...] = Field(
        min_length=1,
        max_length=200,
        description="Program and arguments, never a shell line. `{python}` is this Python.",
        examples=[["ruff", "check", "."], ["{python}", "-m", "pytest", "-q"]],
    )
    timeout: Annotated[timedelta, Span(least="1s", most="24h")] = Field(
        default=timedelta(minutes=30),
        description="A run that takes longer is ended and counts as a check that never reported.",
    )
    reruns: int = Field(
        default=1,
        ge=0,
        le=5,
        description="How often a red check is run again before it counts as red. Green after red"
        " is green, with the number of reruns on record. 0 for checks that cannot be flaky.",
    )
    directory: Inside = Field(default="", description="Folder of the repository to run in.")
    env: tuple[Annotated[str, Field(pattern=environment.NAME)], ...] = Field(
        default=(),
        max_length=100,
        description="Names of environment variables that it may see, besides PATH, a private HOME"
        " and TMPDIR, and the locale. A credential must also be in `own_credentials`.",
    )
    own_credentials: tuple[Annotated[str, Field(pattern=environment.NAME)], ...] = Field(
        default=(),
        max_length=20,
        description="Those of `env` that are credentials. Code that an agent wrote runs in a"
        " check, and could read them: best leave this empty.",
    )
    path: tuple[Path, ...] = Field(
        default=(),
        max_length=20,
        description="Folders to look in for programs before PATH, such as a project's .venv/bin.",
    )
    git: bool = Field(
        default=False,
        description="Whether the checkout is a git repository of its own, with up to 100 commits"
        " of history. Without, it is the files alone.",
    )
    junit: Inside = Field(
        default="",
        description="JUnit XML file that it writes, below `directory`. With it, a change that"
        " runs fewer tests than its base is red, and so is one that leaves the file out.",
    )
    fewer_tests: bool = Field(
        default=False, description="Whether a change may run fewer tests than its base."
    )
    reuse_for: Annotated[timedelta, Span(least="0s", most="720h")] = Field(
        default=timedelta(hours=24),
        description="How long a green result counts for the same files again, so that nothing is"
        " tested twice. 0s never reuses.",
    )
    confine: Confine = Field(
        default=Confine.AUTO,
        description="Whether the kernel keeps it inside its checkout, HOME and TMPDIR (Landlock):"
        " `auto` where it can, `require` or not at all, `off` never.",
    )
    network: Network = Field(
        default=Network.HOST,
        description="`none` leaves it a loopback of its own and no other network: code that an"
        " agent wrote runs in a check. `host` is what this machine reaches. Where the machine"
        " cannot do it, `none` does not run it at all.",
    )
    writable: tuple[Path, ...] = Field(
        default=(),
        max_length=20,
        description="Further folders that it may write to, such as a package cache.",
    )
    processes: int = Field(
        default=512, ge=8, le=32_768, description="Most processes that it may run at a time."
    )

    @model_validator(mode="after")
    def _acceptable(self) -> Self:
        found = command.problems(self.run)
        found += environment.refused_names(self.env, self.own_credentials)
        found += _inside("directory", self.directory) + _inside("junit", self.junit)
        if found:
            raise ValueError("; ".join(found))
        return self

    def defined_in(self) -> tuple[str, ...]:
        """Files of the repository that say what it does, as globs from the top."""
        return definition.files(self.run, self.directory)

    def definition(self) -> str:
        """A hash over everything that decides what this check is; another one tests anew."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:20]
