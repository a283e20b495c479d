"""Clean checkouts for commands that look at a repository, and whose commits changed what."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from swarm.adapters.local.git import scratch
from swarm.adapters.local.git.commits import MISSION, REVERTS
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.sources.errors import CheckoutFailed
from swarm.contract.errors import SwarmError
from swarm.core.ids import MissionId

MOST_COMMITS = 500  #: commits looked at for who changed what; older ones cause nothing new

_PREFIX = "source-"
_MISSION = re.compile(r"m-[0-9a-f]{20}")


class Checkouts:
    """Gives the tip of a bound repository's main, and folders with exactly one commit.

    folder: where the checkouts are made. They are gone when their reading is over; what a kill
            left of one is removed by a later reading.
    """

    def __init__(self, forge: LocalForge, folder: Path) -> None:
        self._forge = forge
        self._folder = folder

    async def tip(self, repo: str) -> str:
        """The commit that main is at now. Raises CheckoutFailed."""
        try:
            return await self._forge.clone(repo).follow()
        except SwarmError as error:
            raise CheckoutFailed(f"{repo}: {error.message}", remedy=error.fix) from error

    @asynccontextmanager
    async def at(self, repo: str, commit: str) -> AsyncIterator[Path]:
        """A folder with that commit as a repository of its own, without a remote."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(scratch.sweep, self._folder, _PREFIX, scratch.WORK_LEFT_BEHIND)
        top = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=_PREFIX, dir=self._folder))
        try:
            try:
                await self._forge.export(repo, commit, top / "work", with_history=True)
            except (SwarmError, OSError) as error:
                raise CheckoutFailed(f"{repo} at {commit[:12]}: {error}") from error
            yield top / "work"
        finally:
            await asyncio.to_thread(shutil.rmtree, top, ignore_errors=True)
        # A clone in which nothing ever lands is packed too. Behind a reading, and not where main is
        # followed: whoever heals a target or takes a change back does not wait for that.
        with suppress(SwarmError):
            await self._forge.clone(repo).tidy()

    async def causes(self, repo: str, old: str, new: str) -> dict[str, MissionId]:
        """Paths whose newest change between two commits was made by a mission of ours.

        What cannot be told (history rewritten, `old` gone) was caused by nobody we know. A
        revert brings back what was there before, so its mission did not cause it.
        """
        if not old or old == new:
            return {}
        form = f"%x01%(trailers:key={MISSION},valueonly)%x02%(trailers:key={REVERTS},valueonly)%x02"
        try:
            said = await self._forge.clone(repo).git.run(
                "log",
                "--no-show-signature",
                f"--max-count={MOST_COMMITS}",
                f"--format={form}",
                "--name-only",
                "-z",
                "--no-renames",
                f"{old}..{new}",
                "--",
            )
        except SwarmError:
            return {}
        return _newest(said.text)


def _newest(log: str) -> dict[str, MissionId]:
    newest: dict[str, str] = {}
    for entry in log.split("\x01")[1:]:
        mission, reverts, names = entry.split("\x02", 2)
        cause = "" if reverts.strip() else mission.strip()
        for name in names.split("\0"):
            if path := name.strip("\n"):
                newest.setdefault(path, cause)
    return {path: MissionId(cause) for path, cause in newest.items() if _MISSION.fullmatch(cause)}
