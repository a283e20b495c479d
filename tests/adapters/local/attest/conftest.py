"""A commit in a private clone, and keys made by the real tools."""

import asyncio
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from swarm.adapters.local.attest.attestations import LocalAttestations
from swarm.adapters.local.attest.sign import make_pem_key, make_ssh_key
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.core.decision import JudgeArtifact
from swarm.core.ids import MissionId, order_key

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DATES = {"GIT_AUTHOR_DATE": "@1772000000 +0000", "GIT_COMMITTER_DATE": "@1772000000 +0000"}


def run(*argv, stdin=b"", cwd=None, check=True):
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_GLOBAL": "/dev/null", **DATES}
    done = subprocess.run(
        [str(part) for part in argv],
        input=stdin,
        cwd=cwd,
        env=env,
        check=check,
        capture_output=True,
    )
    return done.stdout


@pytest.fixture(scope="session")
def keys(tmp_path_factory, ssh_keygen):
    """One folder of throw-away keys: SSH builder, other and RSA; PEM builder and other."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("builder", "other"):
        run(ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name)
        make_pem_key(folder / f"{name}.pem")
    return folder


def forge_on(user, data):
    return LocalForge({"app": RepositorySettings(path=user)}, data)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A user repository of two commits, and a private clone of it that is copied for each test."""
    folder = tmp_path_factory.mktemp("made")
    user = folder / "user"
    run("git", "init", "-q", "-b", "main", user)
    for text in ("one", "two"):
        (user / "a.txt").write_text(text)
        run("git", "-C", user, "add", "-A")
        author = ("-c", "user.name=o", "-c", "user.email=o@x")
        run("git", "-C", user, *author, "commit", "-q", "-m", text)
    asyncio.run(forge_on(user, folder / "data").clone("app").open())
    commit, older = run("git", "-C", user, "rev-list", "main").decode().split()
    return SimpleNamespace(user=user, data=folder / "data", commit=commit, older=older)


@pytest.fixture
async def place(made, keys, tmp_path):
    """Everything a test needs: the clone, two commits, keys, and how to judge."""
    shutil.copytree(made.data, tmp_path / "data")
    forge = forge_on(made.user, tmp_path / "data")
    await forge.clone("app").open()
    commit = made.commit
    here = SimpleNamespace(
        tmp=tmp_path, clone=forge.clone("app").folder, commit=commit, older=made.older, keys=keys,
        now=NOW, forge=forge,
    )  # fmt: skip

    def order(commit=commit):
        mission = MissionId("m-1")
        return JudgeArtifact(
            key=order_key(mission, "judge-artifact", commit), mission=mission,
            mission_class="c", policy_hash="p", repo="app", commit=commit,
        )  # fmt: skip

    async def judge(settings, commit=commit):
        asked = {"app": settings} if settings else {}
        hand = LocalAttestations(asked, forge, tmp_path / "attest", now=lambda: here.now)
        return await hand.judge(order(commit))

    here.judge = judge
    return here


@pytest.fixture
def program():
    return run


__all__ = ["NOW", "make_ssh_key", "timedelta"]
