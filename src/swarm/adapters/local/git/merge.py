"""Three-way merges of trees, without a working tree and without history.

git 2.38 finds the merge base from history only, so the three trees are wrapped in commits that
nothing refers to: base, and ours and theirs on top of it. They carry a fixed date and name, so a
repeated merge writes no new object.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from swarm.adapters.local.git.commits import Author, write_commit
from swarm.adapters.local.git.plumbing import Git

_NOBODY = Author(name="merge", email="merge@invalid", at=datetime(2000, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What came of a merge; with conflicts, the tree holds markers and must not be used."""

    tree: str
    conflicts: tuple[str, ...]


async def merge_trees(git: Git, *, base: str, ours: str, theirs: str) -> Merged:
    """Apply what leads from tree `base` to tree `theirs` on top of tree `ours`.

    Renames are not followed: a change to a file that the other side renamed is a conflict, since
    following it could carry the change to a path that the mission was never allowed to touch.
    """
    root = await write_commit(git, base, (), "base\n", _NOBODY)
    one, other = await asyncio.gather(
        write_commit(git, ours, (root,), "ours\n", _NOBODY),
        write_commit(git, theirs, (root,), "theirs\n", _NOBODY),
    )
    said = await git.run(
        "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", one, other, ok=(0, 1)
    )
    tree, *names = said.out.decode("utf-8", "surrogateescape").split("\0")
    conflicts = tuple(name for name in names if name)
    if said.code and not conflicts:
        conflicts = ("(unnamed)",)
    return Merged(tree=tree.strip(), conflicts=conflicts)
