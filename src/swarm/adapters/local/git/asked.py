"""A landing that was asked after is closed to whoever was told to make it before that.

Who asks hears "not landed", and everybody acts on it; a request that was under way all the time
must not land then. So the question leaves the fence of its claim beside the change, under the same
lock under which main moves. An order that is issued anew has a newer fence, and lands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm.adapters.local.git.errors import LandingHeld
from swarm.adapters.local.git.plumbing import Git

if TYPE_CHECKING:
    from swarm.adapters.local.git.clone import PrivateClone

ASKED = "refs/swarm/asked/"


async def after(clone: PrivateClone, commit: str, fence: int) -> None:
    """From now on main moves to `commit` under no older fence than this one."""
    ref = ASKED + commit
    async with clone.writing(ref) as git:
        if fence > await _newest(git, commit):
            noted = await git.run("hash-object", "-w", "--stdin", stdin=str(fence).encode())
            await git.run("update-ref", ref, noted.text)


async def admit(git: Git, commit: str, fence: int | None) -> None:
    """Raise LandingHeld where `commit` was asked after under a newer fence.

    git: under the clone's lock.    fence: of a landing; None of what moves main on its own.
    """
    if fence is not None and fence < await _newest(git, commit):
        raise LandingHeld(f"{commit} was asked after since, when it had not landed")


async def _newest(git: Git, commit: str) -> int:
    found = await git.run("rev-parse", "--verify", "--quiet", ASKED + commit, ok=(0, 1))
    return int((await git.run("cat-file", "blob", found.text)).text) if found.code == 0 else 0
