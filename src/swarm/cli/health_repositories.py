"""What `doctor` looks at in the bound repositories: readable, on a branch, not diverged, green."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.cli.finding import Finding, fault, note, ok
from swarm.cli.output import line
from swarm.contract.errors import SwarmError

if TYPE_CHECKING:
    from swarm.core.evidence import CheckEnded
    from swarm.runtime.home import Home
    from swarm.runtime.settings import Settings

PATIENCE = 30.0  #: seconds for one question to git
#: What the controller follows depends on no git settings of an account or a machine.
_AS_THE_CONTROLLER = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_ALLOW_PROTOCOL": "file",
}
_DETACHED = "Check a branch out, or set `branch` in [repositories.NAME] of swarm.toml."


def repositories(settings: Settings, place: Home) -> Iterator[Finding]:
    """Findings about every bound repository. Looks; fetches only into clones that are there."""
    from swarm.runtime.wiring import private_clones  # noqa: PLC0415 - imports every adapter

    forge = private_clones(settings, place)
    for name, repository in settings.repositories.items():
        path = repository.path.expanduser().absolute()
        found = _read(name, path, repository.branch)
        clone = forge.clone(name)
        if found is None and (clone.folder / "HEAD").exists():
            try:
                tip, lacking = asyncio.run(clone.compared())
            except SwarmError as error:
                found = fault("repository", f"{name}: {error.message}", error.fix)
            else:
                found = _compared(f"{name}: {path}, main at {tip[:12]}", lacking, clone.pulling)
        yield found or ok("repository", f"{name}: {path}, not cloned yet")
        if _git(path, "status", "--porcelain", "--untracked-files=no"):
            said = f"{name}: the working copy has changes; Swarm sees commits alone"
            yield note("repository", said, "Commit them when missions shall build on them.")


def broken(settings: Settings) -> Iterator[Finding]:
    """What keeps bound repositories from being followed; looks at no clone, so it is quick."""
    for name, repository in settings.repositories.items():
        found = _read(name, repository.path.expanduser().absolute(), repository.branch)
        if found is not None:
            yield found


def mains(
    settings: Settings, place: Home, specs: dict[str, dict[str, list[str]]]
) -> Iterator[Finding]:
    """Run the required checks on each main, now. specs: repositories and checks by Swarm."""
    from swarm.runtime.tryout import is_red, try_checks  # noqa: PLC0415 - imports every adapter

    wanted: dict[str, set[str]] = {}
    for spec in specs.values():
        for repo in spec["repositories"]:
            bound = {name for name in spec["checks"] if name in settings.checks}
            wanted.setdefault(repo, set()).update(bound)
    for repo, names in sorted(wanted.items()):
        if repo not in settings.repositories or not names:
            continue
        try:
            facts = asyncio.run(try_checks(settings, place, repo=repo, names=sorted(names)))
        except SwarmError as error:
            yield fault("main", f"{repo}: {error.message}", error.fix)
            continue
        for fact in facts:
            yield _red(repo, fact) if is_red(fact) else _green(repo, fact)


def _compared(said: str, lacking: int, pulling: str) -> Finding:
    if not lacking:
        return ok("repository", said)
    told = f"{said}; your branch lacks {lacking} of its commits"
    return note("repository", told, f"Take over what landed, in your working copy: {pulling}")


def _green(repo: str, fact: CheckEnded) -> Finding:
    return ok("main", f"{repo}: {fact.check} is green at {fact.commit[:12]}, {fact.seconds:.1f} s")


def _red(repo: str, fact: CheckEnded) -> Finding:
    last = [words for words in fact.detail.splitlines() if words.strip()][-1:]
    said = f"{repo}: {fact.check} is {fact.result} on main at {fact.commit[:12]}"
    told = f"{said}: {line(last[0])[:200]}" if last else said
    return fault("main", told, "Mend main first: no change can be told from what is red already.")


def _read(name: str, path: Path, branch: str) -> Finding | None:
    """What is wrong with the repository itself; None when it can be followed."""
    if not path.is_dir():
        fix = f"Mend `path` in [repositories] of swarm.toml for {name}."
        return fault("repository", f"{name}: {path} is no folder", fix)
    refs = _git(path, "ls-remote", "--symref", str(path), environment=_AS_THE_CONTROLLER)
    if refs is None:
        return fault("repository", f"{name}: {path} cannot be read as a git repository",
                     "Name the top folder of a repository that this account may read.")  # fmt: skip
    heads = [ref.partition("\t")[2] for ref in refs.splitlines() if not ref.startswith("ref: ")]
    if not heads:
        return fault("repository", f"{name}: {path} has no commit yet", "Make a first commit.")
    if branch and f"refs/heads/{branch}" not in heads:
        return fault("repository", f"{name}: there is no branch {branch!r}",
                     "Name a branch that exists, or make it.")  # fmt: skip
    if not branch and "ref: refs/heads/" not in refs:
        return fault("repository", f"{name}: HEAD is on no branch", _DETACHED)
    return None


def _git(path: Path, *arguments: str, environment: Mapping[str, str] = {}) -> str | None:
    """What git says, or None when it refuses. No hook and no filter of theirs is run."""
    command = ("git", "-C", str(path), "-c", "safe.directory=*", "-c", "core.fsmonitor=false")
    try:
        done = subprocess.run(
            (*command, *arguments),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            env={**os.environ, **environment},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
