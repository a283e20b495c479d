"""What `doctor` looks at in the bound repositories: readable, on a branch, not diverged, green."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.cli.finding import Finding, fault, note, ok
from swarm.cli.output import line
from swarm.contract.errors import SwarmError
from swarm.runtime.detect import outside_git

if TYPE_CHECKING:
    from swarm.core.evidence import CheckEnded
    from swarm.runtime.home import Home
    from swarm.runtime.settings import Settings

PATIENCE = 30.0  #: seconds for one question to git


def repositories(settings: Settings, place: Home) -> Iterator[Finding]:
    """Findings about every bound repository. Looks; fetches only into clones that are there."""
    from swarm.runtime.wiring import private_clones  # noqa: PLC0415 - imports every adapter

    forge = private_clones(settings, place)
    for name, repository in settings.repositories.items():
        path = repository.path
        clone = forge.clone(name)
        try:
            if (clone.folder / "HEAD").exists():
                tip, lacking = asyncio.run(clone.compared())
                found = _compared(f"{name}: {path}, main at {tip[:12]}", lacking, clone.pulling)
            else:
                asyncio.run(clone.theirs())
                found = ok("repository", f"{name}: {path}, not cloned yet")
        except SwarmError as error:
            found = fault("repository", f"{name}: {error.message}", error.fix)
        yield found
        if _changed(path):
            said = f"{name}: the working copy has changes; Swarm sees commits alone"
            yield note("repository", said, "Commit them when missions shall build on them.")


def broken(settings: Settings, place: Home) -> Iterator[Finding]:
    """What keeps bound repositories from being followed; fetches nothing, so it is quick."""
    from swarm.runtime.wiring import private_clones  # noqa: PLC0415 - imports every adapter

    forge = private_clones(settings, place)
    for name in settings.repositories:
        try:
            asyncio.run(forge.clone(name).theirs())
        except SwarmError as error:
            yield fault("repository", f"{name}: {error.message}", error.fix)


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


def _changed(path: Path) -> bool:
    """Whether files of the working copy are not as committed; False where git does not say.

    Git reads no repository of another account, and so it shall be: to compare files it runs what
    the repository's own settings call a filter, and root would run it for whoever wrote those.
    """
    try:
        done = subprocess.run(
            ("git", "-C", str(path), "-c", "core.fsmonitor=false",
             "status", "--porcelain", "--untracked-files=no"),
            capture_output=True,
            timeout=PATIENCE,
            env=outside_git(),
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and bool(done.stdout)
