"""The git program itself: what keeps it from starting is no fault of ours and passes."""

from __future__ import annotations

import os
import resource

import pytest

from swarm.adapters.local.git.errors import GitFailed
from swarm.adapters.local.git.plumbing import Git


@pytest.mark.req("FAIL-6")
async def test_a_machine_with_nothing_left_is_waited_for(repo):
    """Too many open files or processes pass; what cannot start git says so and is asked again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    git = Git(repo.path / ".git")
    await git.run("rev-parse", "HEAD")
    free = os.dup(0)
    os.close(free)  # the lowest number that is free: from here on no file opens any more
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(GitFailed, match="could not be started"):
            await git.run("rev-parse", "HEAD")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (await git.run("rev-parse", "HEAD")).code == 0
