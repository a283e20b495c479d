"""A protected main with a serial merge queue, on private clones of local repositories.

Every method may be repeated, by another process too: what is done is found in git itself, by
commit ids that follow from their inputs, by compare-and-swap on refs, and by trailers.
Nothing is pushed unless the settings ask for it, and main never is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from swarm.adapters.local.begin import MayBegin, always
from swarm.adapters.local.git import queue
from swarm.adapters.local.git.checkout import export
from swarm.adapters.local.git.clone import PrivateClone
from swarm.adapters.local.git.commits import read_commit
from swarm.adapters.local.git.errors import (
    CloneBusy,
    CommitUnknown,
    LandingHeld,
    RepositoryUnknown,
)
from swarm.adapters.local.git.intake import Intake, take_change
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.contract.errors import SwarmError
from swarm.core.decision import Land, Restage, Revert, SeeMain, StartRun
from swarm.core.evidence import Landed, MainSeen, Restaged, Reverted
from swarm.core.ids import evidence_id
from swarm.ports.reply import Done, Later, No, Reply

SOURCE = "git"

#: A person mends a repository in minutes; a lock ends in seconds.
_MEND = timedelta(minutes=1)
_SOON = timedelta(seconds=2)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LocalForge:
    """Implements `ports.hands.Forge` for the repositories in `settings`, clones below `data`.

    now:       gives the time that facts and reverting commits carry.
    may_begin: asked with an order's key right before main moves to a change.
    """

    def __init__(
        self,
        settings: Mapping[str, RepositorySettings],
        data: Path,
        now: Callable[[], datetime] = _utc_now,
        may_begin: MayBegin = always,
    ) -> None:
        self._clones = {name: PrivateClone(name, it, data) for name, it in settings.items()}
        self._now = now
        self._may_begin = may_begin

    async def lacks(self, repo: str, commit: str) -> bool:
        """Whether a repository that is bound here has no such commit."""
        return repo in self._clones and not await self._clones[repo].knows(commit)

    def clone(self, repo: str) -> PrivateClone:
        """The private clone of a repository. Raises RepositoryUnknown."""
        if repo not in self._clones:
            known = ", ".join(sorted(self._clones)) or "none"
            raise RepositoryUnknown(f"repository {repo!r} is not bound; bound are: {known}")
        return self._clones[repo]

    def working_copy(self, repo: str) -> Path | None:
        """The user's own repository of this name; None when it is not bound."""
        clone = self._clones.get(repo)
        return clone.settings.path if clone else None

    async def base(self, order: StartRun) -> str:
        """The commit a run starts from: what the order names, else main after a look at it.

        Raises MainUnborn, MainDiverged, RepositoryUnknown, CommitUnknown.
        """
        clone = self.clone(order.repo)
        if not order.base:
            return await clone.follow()
        await clone.open()
        return (await read_commit(clone.git, order.base)).id

    async def export(self, repo: str, commit: str, into: Path, *, with_history: bool) -> None:
        """Write a commit to a folder; see `checkout.export`."""
        clone = self.clone(repo)
        await clone.open()
        await export(clone.folder, commit, into, with_history=with_history)

    async def take_change(
        self,
        order: StartRun,
        folder: Path,
        *,
        base: str,
        at: datetime,
        secrets: Sequence[str] = (),
    ) -> Intake:
        """Take what an agent left in `folder`; see `intake.take_change`."""
        clone = self.clone(order.repo)
        return await take_change(clone, order, folder, base=base, at=at, secrets=secrets)

    async def restage(self, order: Restage) -> Reply:
        """Put the change on top of `onto`; a conflict or a broken intake rule is a fact."""
        return await answer(self._restage(order))

    async def land(self, order: Land) -> Reply:
        """Compare-and-swap main from base to head."""
        return await answer(self._land(order))

    async def revert(self, order: Revert) -> Reply:
        """Undo a landed commit with a new one on main; one that conflicts is a fact."""
        return await answer(self._revert(order))

    async def main(self, order: SeeMain) -> Reply:
        """Where main stands now, after a look at the user's branch."""
        return await answer(self._main(order))

    async def _main(self, order: SeeMain) -> Reply:
        commit = await self.clone(order.repo).follow()
        return Done(
            fact=MainSeen(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                repo=order.repo,
                commit=commit,
            )
        )

    async def _restage(self, order: Restage) -> Reply:
        put = await queue.put_on_top(self.clone(order.repo), order)
        return Done(
            fact=Restaged(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                old_head=order.change.head,
                onto=order.onto,
                change=put.change,
                detail=put.detail,
            )
        )

    async def _land(self, order: Land) -> Reply:
        turn = await queue.land(self.clone(order.repo), order, self._may_begin)
        return Done(
            fact=Landed(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                repo=order.repo,
                commit=order.head,
                landed=turn.done,
                main=turn.main,
                detail=turn.detail,
            )
        )

    async def _revert(self, order: Revert) -> Reply:
        turn = await queue.undo(self.clone(order.repo), order, self._now())
        return Done(
            fact=Reverted(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                repo=order.repo,
                undone=order.commit,
                commit=turn.main,
                reverted=turn.done,
                detail=turn.detail,
            )
        )


async def answer(work: Awaitable[Reply]) -> Reply:
    """Errors become answers: unknown commits are final, everything else is asked again."""
    try:
        return await work
    except CommitUnknown as error:
        return No(reason=type(error).__name__, detail=error.message)
    except SwarmError as error:
        busy = isinstance(error, CloneBusy | LandingHeld)
        return Later(
            delay=_SOON if busy else _MEND,
            reason=type(error).__name__,
            detail=f"{error.message}. {error.fix}",
            capacity=True,
        )
