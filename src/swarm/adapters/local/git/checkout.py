"""A folder with exactly one commit in it, for an agent (a real repository) or a check (files).

The folder knows nothing of where it came from: no remote, no credentials, no shared objects, no
hooks. Files are byte for byte what the commit holds: no line-end conversion, no filters, LFS
pointers stay pointers, submodules stay empty folders.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from swarm.adapters.local.git.clone import ATTRIBUTES
from swarm.adapters.local.git.commits import read_commit
from swarm.adapters.local.git.errors import CheckoutTaken
from swarm.adapters.local.git.plumbing import Git
from swarm.adapters.local.git.scratch import PREFIX, scratch, sweep

#: What an agent gets to read of the past; a whole history can be gigabytes for each run.
HISTORY_DEPTH = 100

CHECKOUT_TIMEOUT = timedelta(minutes=10)

#: A checkout is thrown away with its run; only the private clone must survive a power cut.
_UNSYNCED = ("-c", "core.fsync=none")
_SERVE = "git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true upload-pack"


async def export(repo_git_dir: Path, commit: str, into: Path, *, with_history: bool) -> None:
    """Write `commit` of the repository at `repo_git_dir` to the folder `into`.

    with_history: True makes a git repository of its own, on a branch `work`, with up to 100
                  commits of history; False writes the files alone.

    `into` must be absent or empty (CheckoutTaken). It appears complete or not at all.
    Raises CommitUnknown when the commit is not there.
    """
    git = Git(repo_git_dir, timeout=CHECKOUT_TIMEOUT)
    await read_commit(git, commit)
    fresh = await asyncio.to_thread(_prepare, into)
    try:
        if with_history:
            await _repository(git, commit, fresh)
        else:
            await _files(git, commit, fresh)
        fresh.replace(into)
    finally:
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)


def _prepare(into: Path) -> Path:
    """A fresh folder beside `into`, which must be free."""
    if into.is_symlink() or (into.exists() and (not into.is_dir() or any(into.iterdir()))):
        raise CheckoutTaken(f"{into} is there and not empty")
    into.parent.mkdir(parents=True, exist_ok=True)
    sweep(into.parent, PREFIX)
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=into.parent))


async def _files(git: Git, commit: str, into: Path) -> None:
    with scratch(into.parent) as folder:
        there = git.with_environment(GIT_INDEX_FILE=str(folder / "index"), GIT_WORK_TREE=str(into))
        await there.run("read-tree", "-m", "-u", commit)


async def _repository(git: Git, commit: str, into: Path) -> None:
    own = Git(into / ".git", timeout=CHECKOUT_TIMEOUT)
    kind = "sha256" if len(commit) == 64 else "sha1"  # noqa: PLR2004 - digits of a SHA-256 id
    await own.run(
        "init", "--quiet", "--template=", f"--object-format={kind}", "--initial-branch=work"
    )
    (into / ".git" / "info").mkdir(exist_ok=True)
    (into / ".git" / "info" / "attributes").write_text(ATTRIBUTES)
    fetcher = own.with_environment(GIT_ALLOW_PROTOCOL="file")
    await fetcher.run(
        *_UNSYNCED,
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--update-shallow",
        f"--depth={HISTORY_DEPTH}",
        f"--upload-pack={_SERVE}",
        str(git.folder),
        commit,
    )
    for key, value in (
        ("user.name", "Agent"),
        ("user.email", "agent@localhost"),
        ("core.bare", "false"),
        ("core.logAllRefUpdates", "false"),
        ("gc.auto", "0"),
    ):
        await own.run("config", key, value)
    await own.run(*_UNSYNCED, "update-ref", "refs/heads/work", commit)
    await own.with_environment(GIT_WORK_TREE=str(into)).run("read-tree", "-m", "-u", commit)
