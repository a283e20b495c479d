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


async def test_refs_are_files_whatever_git_would_choose(tmp_path):
    """Git 3 makes tables, and a lock that a killed git left on those would stay."""
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\necho $1 $GIT_DEFAULT_REF_FORMAT\n")
    fake.chmod(0o755)
    assert (await Git(program=str(fake)).run("init")).text == "init files"
