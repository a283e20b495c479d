"""Takes an agent's work: reads it, judges it, and only then writes one commit on our own ref.

Whatever the agent staged, committed or just left lying is one difference to the base; the commit
is ours. A fix attempt starts from the failing commit but stands on the same commit of main as
that one did, so that a change is always exactly one commit on top of main.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from swarm.adapters.local.git.clone import PrivateClone
from swarm.adapters.local.git.commits import (
    ATTEMPT,
    MISSION,
    RUN,
    Author,
    Commit,
    is_ancestor,
    message,
    read_commit,
    write_commit,
)
from swarm.adapters.local.git.diff import changed_lines, touched_paths
from swarm.adapters.local.git.errors import CommitUnknown, FolderUnreadable, GitFailed
from swarm.adapters.local.git.secrets import values_in
from swarm.adapters.local.git.survey import survey, write_tree
from swarm.core.decision import StartRun
from swarm.core.nouns import Change
from swarm.core.policy.intake import (
    IntakeRules,
    Rule,
    TouchedPath,
    Violation,
    guarded,
    judge,
    tests_removed,
)

RUNS = "refs/swarm/runs/"
_REF_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?![./]))*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What came of a run: a change, or violations, or (both empty) no difference at all."""

    change: Change | None = None
    violations: tuple[Violation, ...] = ()


def branch_of(mission: str) -> str:
    """The branch on which a mission's change stands, in the private clone."""
    return f"swarm/{mission}"


async def take_change(
    clone: PrivateClone,
    order: StartRun,
    folder: Path,
    *,
    base: str,
    at: datetime,
    secrets: Sequence[str] = (),
) -> Intake:
    """Take what the agent left in `folder`, which was exported from commit `base`.

    at: when the run ended; it becomes the commit's date, so that a repeated intake of the same
        folder gives the same commit.
    secrets: the agent's own credentials, which are refused whatever form they have.

    A run whose change was taken before gives that change again, whatever the folder holds now.
    Raises FolderUnreadable when the folder is gone or something still writes to it.
    """
    await clone.open()
    git = clone.git
    _require_ref_part(order.mission, order.run)
    start = await read_commit(git, base)
    root = await _root(clone, order, start)
    earlier = await clone.read(RUNS + order.run)
    if earlier:
        await _show(clone, earlier, order)
        return Intake(change=await describe(clone, await read_commit(git, earlier), order.mission))
    rules = clone.settings.intake.rules(order.brief.allowed_paths)
    try:
        taken = await survey(git, folder, root.tree, rules)
    except OSError as error:
        raise FolderUnreadable(f"{folder}: {error}") from error
    violations = await asyncio.to_thread(judge, taken.touched, rules)
    violations += await asyncio.to_thread(values_in, taken.touched, taken.contents, secrets)
    if taken.endless:
        violations = (_endless(), *violations)
    if violations:
        return Intake(violations=violations)
    tree = await write_tree(git, root.tree, taken) if taken.touched else root.tree
    if tree in {start.tree, root.tree}:
        return Intake()
    # What git stored is what was judged, to the last path, mode and line; else nothing is made.
    touched = await touched_paths(git, root.tree, tree, rules, scan=False)
    if touched != taken.touched:
        raise GitFailed(f"{folder} changed while it was read, or git stored something else")
    author = Author(name=clone.settings.author_name, email=clone.settings.author_email, at=at)
    trailers = ((MISSION, order.mission), (RUN, order.run), (ATTEMPT, str(order.attempt)))
    # The need's own title says what the commit is for; the goal is the same for every mission.
    text = message(next(iter(order.brief.facts), order.brief.goal), trailers)
    commit = await write_commit(git, tree, (root.id,), text, author)
    if not await clone.move(RUNS + order.run, commit, ""):
        commit = await clone.read(RUNS + order.run)
    await _show(clone, commit, order)
    return Intake(change=await describe(clone, await read_commit(git, commit), order.mission))


async def describe(clone: PrivateClone, head: Commit, mission: str) -> Change:
    """The Change that a commit of ours is, with the facts that risk rules look at."""
    base = await read_commit(clone.git, head.parents[0])
    rules = clone.settings.intake.rules(())
    touched = await touched_paths(clone.git, base.tree, head.tree, rules, scan=False)
    return await as_change(clone, (base, head), touched, mission)


async def as_change(
    clone: PrivateClone,
    ends: tuple[Commit, Commit],
    touched: tuple[TouchedPath, ...],
    mission: str,
) -> Change:
    """The Change from base to head. Its risk is left at R0: the core raises it from the paths."""
    base, head = ends
    added, removed = await changed_lines(clone.git, base.tree, head.tree)
    rules: IntakeRules = clone.settings.intake.rules(())
    return Change(
        repo=clone.name,
        branch=branch_of(mission),
        base=base.id,
        head=head.id,
        tree=head.tree,
        paths=tuple(item.path for item in touched),
        lines_added=added,
        lines_removed=removed,
        guarded=guarded(touched, rules),
        tests_removed=tests_removed(touched),
    )


async def _root(clone: PrivateClone, order: StartRun, start: Commit) -> Commit:
    """The commit of main that the whole change is measured against and will stand on."""
    if order.onto in {"", start.id}:
        return start
    root = await read_commit(clone.git, order.onto)
    if not await is_ancestor(clone.git, root.id, start.id):
        raise CommitUnknown(f"{start.id} is not built on {root.id}")
    return root


async def _show(clone: PrivateClone, commit: str, order: StartRun) -> None:
    """Point the mission's branch at the commit, unless a later attempt stands there."""
    ref = f"refs/heads/{branch_of(order.mission)}"
    for _ in range(3):
        there = await clone.read(ref)
        if there == commit:
            break
        if there:
            attempt = (await read_commit(clone.git, there)).trailer(ATTEMPT)
            if attempt.isdigit() and int(attempt) > order.attempt:
                return
        if await clone.move(ref, commit, there):
            break
    await clone.push(branch_of(order.mission))


def _endless() -> Violation:
    return Violation(
        rule=Rule.TOO_MANY_FILES, path="(patch)", what="so many new files that counting stopped"
    )


def _require_ref_part(*names: str) -> None:
    for name in names:
        if not _REF_PART.fullmatch(name) or name.endswith((".lock", ".")):
            raise CommitUnknown(f"{name[:80]!r} cannot name a branch")
