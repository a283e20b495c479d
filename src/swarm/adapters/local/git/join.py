"""Joining what landed on protected main with what the user committed meanwhile."""

from __future__ import annotations

from swarm.adapters.local.git.commits import Author, message, read_commit, write_commit
from swarm.adapters.local.git.merge import merge_trees
from swarm.adapters.local.git.plumbing import Git
from swarm.adapters.local.git.settings import RepositorySettings


async def join(git: Git, settings: RepositorySettings, main: str, theirs: str) -> str:
    """The commit that has both, with main as its first parent; "" where they do not merge cleanly.

    It depends on nothing but the two commits, so whoever joins them again gets the same. No ref
    moves.
    """
    bases = (await git.run("merge-base", "--all", main, theirs, ok=(0, 1))).text.split()
    if len(bases) != 1:
        return ""
    base, ours, his = [await read_commit(git, id_) for id_ in (*bases, main, theirs)]
    merged = await merge_trees(git, base=base.tree, ours=ours.tree, theirs=his.tree)
    if merged.conflicts:
        return ""
    author = Author(name=settings.author_name, email=settings.author_email, at=max(ours.at, his.at))
    text = message("Join what you committed and what landed", (), body=f"Takes over {theirs}.")
    return await write_commit(git, merged.tree, (main, theirs), text, author)
