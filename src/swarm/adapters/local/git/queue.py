"""The three moves on protected main: put a change on top, land it, undo it. Each may be repeated.

The queue is serial because each move is a compare-and-swap: whoever comes second is told, and
what was tested is exactly what lands. Reverting is protection: it goes on while the user's
branch cannot be read or has diverged.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime

from swarm.adapters.local.begin import MayBegin
from swarm.adapters.local.git import asked
from swarm.adapters.local.git.clone import PrivateClone
from swarm.adapters.local.git.commits import (
    MISSION,
    REVERTS,
    Author,
    Commit,
    is_ancestor,
    message,
    read_commit,
    write_commit,
)
from swarm.adapters.local.git.diff import touched_paths
from swarm.adapters.local.git.errors import CommitUnknown, GitFailed, LandingHeld
from swarm.adapters.local.git.intake import as_change, branch_of
from swarm.adapters.local.git.merge import merge_trees
from swarm.contract.errors import SwarmError
from swarm.core.decision import Land, Restage, Revert
from swarm.core.nouns import Change
from swarm.core.policy.intake import judge

#: Tries at a compare-and-swap; each loss means that another writer won a turn.
_TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A change on top of the new main, or None and why not."""

    change: Change | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Whether main took the move, where main stands, and what was said on the way."""

    done: bool
    main: str
    detail: str = ""


async def put_on_top(clone: PrivateClone, order: Restage) -> Put:
    """Apply the change's difference to `onto` as one new commit, and judge the result again.

    The new commit keeps message, author and date, so a repetition gives the same id.
    """
    await clone.open()
    git, change = clone.git, order.change
    head, base = await read_commit(git, change.head), await read_commit(git, change.base)
    onto = await read_commit(git, order.onto)
    merged = await merge_trees(git, base=base.tree, ours=onto.tree, theirs=head.tree)
    if merged.conflicts:
        return Put(change=None, detail=f"conflicts in {', '.join(merged.conflicts[:5])}")
    if merged.tree == onto.tree:
        return Put(change=None, detail="main already contains this change")
    # Only what was taken before may be touched now; a guarded path was allowed then or never.
    rules = clone.settings.intake.rules(change.paths)
    touched = await touched_paths(git, onto.tree, merged.tree, rules, scan=True)
    violations = await asyncio.to_thread(judge, touched, rules)
    if violations:
        return Put(change=None, detail=str(violations[0]))
    author = Author(name=clone.settings.author_name, email=clone.settings.author_email, at=head.at)
    commit = await write_commit(git, merged.tree, (onto.id,), head.message, author)
    new = await read_commit(git, commit)
    mission = head.trailer(MISSION) or order.mission
    ref = f"refs/heads/{branch_of(mission)}"
    # Where a later attempt stands on the branch already, this restage is history: it stays.
    if await clone.read(ref) == change.head:
        await clone.move(ref, commit, change.head)
    if await clone.read(ref) == commit:
        await clone.push(branch_of(mission))
    return Put(change=await as_change(clone, (onto, new), touched, mission))


async def land(clone: PrivateClone, order: Land, may_begin: MayBegin) -> Turn:
    """Move main from base to head; a head that main already contains has landed.

    From head to head it is a question, and closes the landing to older claims; see `asked`.
    may_begin: asked with the order's key right before main moves.
    Raises CommitUnknown when head is not built on base: main would lose commits; LandingHeld.
    """
    head = await read_commit_opened(clone, order.head)
    base = await read_commit(clone.git, order.base)
    if base.id == head.id:
        await asked.after(clone, head.id, order.fence)
    if await is_ancestor(clone.git, head.id, await clone.tip()):
        return Turn(done=True, main=head.id)
    if not await is_ancestor(clone.git, base.id, head.id):
        raise CommitUnknown(f"{head.id} is not built on {base.id}")
    for _ in range(_TRIES):
        main = await clone.follow()
        if await is_ancestor(clone.git, head.id, main):
            return Turn(done=True, main=head.id)
        if main != base.id:
            return Turn(done=False, main=main, detail=f"main had moved to {main}")
        # Following a branch with much news takes seconds, and a freeze holds within one.
        if not await may_begin(order.key):
            raise LandingHeld(f"{head.id} was held back while main was looked at")
        if await clone.move_main(head.id, base.id, order.fence):
            # The landing is done; that its tidying failed is no reason to say otherwise.
            with contextlib.suppress(SwarmError):
                await clone.tidy()
            return Turn(done=True, main=head.id)
    raise GitFailed(f"main of {clone.name!r} kept moving")


async def undo(clone: PrivateClone, order: Revert, now: datetime) -> Turn:
    """Take the landed commit's difference back with a new commit on main; done once for all.

    A user's branch that moved is taken over first where that is possible, and else left alone.
    """
    landed = await read_commit_opened(clone, order.commit)
    with contextlib.suppress(SwarmError):
        await clone.follow()
    for _ in range(_TRIES):
        main = await read_commit(clone.git, await clone.tip())
        if not await is_ancestor(clone.git, landed.id, main.id):
            return Turn(done=False, main=main.id, detail=f"{landed.id} is not on main")
        earlier = await _undone_by(clone, landed.id, main.id)
        if earlier:
            return Turn(done=True, main=earlier)
        turn = await _undo_on(clone, landed, main, order, now)
        if turn is not None:
            return turn
    raise GitFailed(f"main of {clone.name!r} kept moving")


async def _undo_on(
    clone: PrivateClone, landed: Commit, main: Commit, order: Revert, now: datetime
) -> Turn | None:
    git = clone.git
    before = await empty_tree(clone)
    if landed.parents:
        before = (await read_commit(git, landed.parents[0])).tree
    merged = await merge_trees(git, base=landed.tree, ours=main.tree, theirs=before)
    if merged.conflicts:
        names = ", ".join(merged.conflicts[:5])
        return Turn(done=False, main=main.id, detail=f"conflicts in {names}")
    if merged.tree == main.tree:
        return Turn(done=True, main=main.id, detail="main has lost that change already")
    # Never before the commit it follows: some tools read history by date.
    author = Author(
        name=clone.settings.author_name, email=clone.settings.author_email, at=max(now, main.at)
    )
    title = f'Revert "{landed.message.splitlines()[0] if landed.message else landed.id}"'
    text = message(
        title,
        ((REVERTS, landed.id), (MISSION, order.mission)),
        body=f"This reverts commit {landed.id}.",
    )
    commit = await write_commit(git, merged.tree, (main.id,), text, author)
    if await clone.move_main(commit, main.id):
        return Turn(done=True, main=commit)
    return None


async def _undone_by(clone: PrivateClone, landed: str, main: str) -> str:
    """The commit between `landed` and `main` that reverts it, by its trailer; "" when none."""
    form = f"%H %(trailers:key={REVERTS},valueonly,separator=%x2C)"
    said = await clone.git.run(
        "log",
        "--first-parent",
        "--no-show-signature",
        f"--format={form}",
        f"{landed}..{main}",
        "--",
    )
    for line in said.text.splitlines():
        commit, _, undone = line.partition(" ")
        if landed in undone.split(","):
            return commit
    return ""


async def empty_tree(clone: PrivateClone) -> str:
    """The id of the tree without entries, in the repository's own hash."""
    return (await clone.git.run("hash-object", "-t", "tree", "-w", "--stdin")).text


async def read_commit_opened(clone: PrivateClone, commit: str) -> Commit:
    """Read a commit of a clone that may not have been opened yet."""
    await clone.open()
    return await read_commit(clone.git, commit)
