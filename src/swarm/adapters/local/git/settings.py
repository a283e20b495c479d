"""What the installation file says about one repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from swarm.adapters.local.git.commits import one_line
from swarm.core.policy.intake import IntakeRules


def _plain(text: str) -> str:
    if one_line(text, 200) != text or set(text) & set("<>"):
        msg = "must be one line of visible text without < and >"
        raise ValueError(msg)
    return text


class IntakeSettings(BaseModel):
    """What a patch for this repository may do; defaults refuse everything unusual."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    guarded: Literal["refuse", "r3"] = "refuse"
    """Changes to CI, code owners, agent instructions, hooks, our own settings, and what a check is
    defined by or reads its rules from: refused, or taken as an R3 change, which only merges under
    R3 rules."""

    guards: tuple[str, ...] = ()
    """Further globs of files that define this repository's gates, such as `tools/gates/**`."""

    executable: bool = False
    """Whether a patch may set or take the executable bit."""

    binary: bool = False
    """Whether a patch may bring binary content. Nobody can review it, so: no."""

    tests: Literal["count", "refuse"] = "refuse"
    """A patch that leaves fewer live tests than before: refused, or counted, which makes it an R2
    change. Tests are counted in the text; `checks.NAME.junit` counts those that ran."""

    max_files: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Files that one patch may touch. 100 is what other guarded forges take."""

    max_bytes: Annotated[int, Field(ge=1024, le=256 * 1024 * 1024)] = 4 * 1024 * 1024
    """Bytes that one patch may bring, over all files."""

    max_file_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    """Bytes of one changed file. No reviewed source file is larger than 1 MiB."""

    def rules(self, allowed_paths: tuple[str, ...]) -> IntakeRules:
        """The rules for a mission that may touch `allowed_paths`; empty means everything."""
        return IntakeRules(allowed_paths=allowed_paths, **self.model_dump())


class RepositorySettings(BaseModel):
    """One repository. The working copy at `path` is only read; we work on a private clone."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    path: Path
    """Top folder of your repository, or a bare one. Read by `git fetch`, never written."""

    branch: Annotated[str, Field(max_length=200)] = ""
    """The branch to protect. Empty: the branch that HEAD is on when the clone is made."""

    push: Literal["never", "branch"] = "never"
    """Whether change branches `swarm/<mission>` appear in your repository. Main never does."""

    author_name: Annotated[str, AfterValidator(_plain), Field(min_length=1, max_length=100)] = (
        "Swarm"
    )
    """Who the commits name as author and committer."""

    author_email: Annotated[str, AfterValidator(_plain), Field(min_length=3, max_length=200)] = (
        "swarm@localhost"
    )
    """The address beside that name."""

    intake: IntakeSettings = IntakeSettings()
    """What a patch may do."""

    def guarding(self, files: tuple[str, ...]) -> RepositorySettings:
        """The same repository, where these files define its gates as well."""
        guards = tuple(dict.fromkeys((*self.intake.guards, *files)))
        return self.model_copy(update={"intake": self.intake.model_copy(update={"guards": guards})})
