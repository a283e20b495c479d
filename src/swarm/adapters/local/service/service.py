"""A local service as a rollout target: deploy, split, promote, abort, observe.

Every changing method takes a key and is carried out once under it: repeated after a crash, late
or by another controller it returns what it came to and changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from swarm.adapters.local.service import detached, observing, scrape, state
from swarm.adapters.local.service.errors import BadTarget, NoStable, TargetHeld
from swarm.adapters.local.service.front import Front
from swarm.adapters.local.service.hold import held
from swarm.adapters.local.service.moves import Moves, Parts
from swarm.adapters.local.service.observing import LiveState, Proof
from swarm.adapters.local.service.settings import ServiceSettings
from swarm.adapters.local.service.versions import Versions
from swarm.core.rollout.counts import Look

_WHOLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What starting a version came to. `stable` is the revision beside it, "" when none."""

    revision: str
    healthy: bool
    stable: str
    detail: str = ""


class LocalService:
    """One target. Holds no state of its own: any number of controllers may have one each.

    repository: what its checkouts are commits of; None where nobody holds them as well.
    """

    def __init__(
        self, settings: ServiceSettings, folder: Path, repository: Path | None = None
    ) -> None:
        silence = settings.request_timeout.total_seconds()
        self._parts = Parts(
            settings=settings,
            folder=folder,
            versions=Versions(settings, folder, repository),
            front=Front(folder, settings.port, silence),
        )

    async def bootstrap(self, revision: str, checkout: Path, key: str) -> Deployed:
        """Have a first version serve; one that is on record and does not run is started again.

        Raises BadTarget when another revision is the stable one; that is a rollout's work.
        """
        async with self._changing() as moves:
            if (known := moves.target.outcome(key)) is not None:
                return Deployed(**json.loads(known))
            stable = moves.target.stable
            if stable is not None and stable.revision != revision:
                raise BadTarget(
                    f"{self._parts.settings.name} runs {stable.revision} already; "
                    f"{revision} comes by a rollout"
                )
            health = await moves.bring_up("stable", revision, checkout)
            return await _remember(
                moves, key, Deployed(revision=revision, stable="", **asdict(health))
            )

    async def start_canary(
        self, revision: str, checkout: Path, key: str, fence: int = 0
    ) -> Deployed:
        """Start a revision beside the stable one, without traffic, and wait for its health.

        fence: of the claim, here and below; a late order under an older one raises TargetLocked.
        A version that does not become healthy is ended; the answer says why. Raises TargetHeld
        when another canary is there, NoStable before the first version, BadTarget for a
        revision, checkout or command that cannot be used.
        """
        async with self._changing() as moves:
            if (known := moves.target.outcome(key)) is not None:
                return Deployed(**json.loads(known))
            moves.admit(fence)
            name, target = self._parts.settings.name, moves.target
            if target.stable is None or not target.stable.ready:
                raise NoStable(f"{name} has no stable version that serves yet")
            if target.canary is not None and target.canary.revision != revision:
                raise TargetHeld(f"{name} has the canary {target.canary.revision}")
            stable = target.stable.revision
            if stable == revision:
                done = Deployed(revision=revision, stable=stable, healthy=True, detail="is stable")
            else:
                health = await moves.bring_up("canary", revision, checkout)
                done = Deployed(revision=revision, stable=stable, **asdict(health))
            return await _remember(moves, key, done, fence)

    async def set_traffic(
        self, percent: int, key: str, revision: str | None = None, fence: int = 0
    ) -> int:
        """Give the canary so much of the traffic; returns the share in force.

        revision: the canary that is meant; an order for another one is refused (NoCanary).
        """
        if not 0 <= percent <= _WHOLE:
            raise BadTarget(f"percent is {percent}; it lies in 0..100")
        async with self._changing() as moves:
            if moves.target.outcome(key) is None:
                moves.admit(fence)
                moves.canary(revision)
                changed = replace(moves.target, percent=percent)
                moves.save(changed.remembering(key, str(percent), fence))
            return await moves.in_force()

    async def promote(self, key: str, revision: str | None = None, fence: int = 0) -> str:
        """Make the canary the only version, end the old one, return what its process says.

        Raises NoCanary when there is none, or it is another revision, or it is not healthy.
        """
        async with self._changing() as moves:
            if moves.target.outcome(key) is None:
                moves.admit(fence)
                await moves.promote(key, revision, fence)
            await moves.in_force()
            if moves.target.previous is not None:
                await moves.retire(moves.target.previous)
            stable = moves.target.stable
            return await observing.named(self._parts, stable) if stable else ""

    async def abort(
        self, key: str, revision: str | None = None, stable: str | None = None, fence: int = 0
    ) -> Proof:
        """Take a revision off the target, and prove through the proxy that the old one serves.

        revision: what to take off: the canary, or the stable one if it was promoted already.
                  None: whatever the canary is.
        stable:   what must serve afterwards; None: the stable version on record.
        fence:    a way back is never too late, and no step forward that was claimed before it
                  comes after it.
        Raises NothingToGoBackTo when no good version is left. An abort without proof is not
        remembered, so that repeating it tries again.
        """
        async with self._changing() as moves:
            if (known := moves.target.outcome(key)) is not None:
                return Proof(**json.loads(known))
            await moves.take_off(revision, stable)
            await moves.in_force()
            await moves.restore_stable()
            proof = await observing.proof(self._parts, moves.target)
            if proof.proven and stable is not None and proof.serving != stable:
                detail = f"{proof.serving} serves, and {stable} should"
                proof = replace(proof, proven=False, detail=detail)
            if proof.proven:
                moves.save(moves.target.remembering(key, json.dumps(asdict(proof)), fence))
            return proof

    async def heal(self) -> LiveState:
        """Start the proxy and the stable version again where they ended or are not themselves.

        A dead canary stays dead: its end is evidence.
        """
        async with self._changing() as moves:
            if moves.target.stable is not None:
                await moves.in_force()
                await moves.restore_stable()
        return await self.live()

    async def live(self) -> LiveState:
        """Ask the running processes. Changes nothing, and needs no lock."""
        return await observing.live(self._parts, state.read(self._parts.folder))

    async def read_look(self, canary: str | None = None) -> Look:
        """Both arms' counters and the split, in one scrape. Raises ProxyDown if we cannot ask.

        canary: the revision that is asked about, where it matters which one is tried.
        """
        text = await self._parts.front.metrics()
        return scrape.look_from(text, datetime.now(UTC), canary)

    async def stop(self) -> None:
        """End everything of this target. What is stable stays on record; `heal` starts it."""
        async with self._changing() as moves:
            await self._parts.front.stop()
            for version in moves.target.versions():
                await self._parts.versions.stop(version)
            everything = detached.Process(pid=0, started="", mark=f"{self._parts.folder}#")
            await detached.end(everything, within=1.0)
            stable = moves.target.stable
            if stable is not None:
                stable = replace(stable, pid=0, started="", ready=False)
            moves.save(replace(moves.target, stable=stable, canary=None, percent=0))

    async def clean(self) -> None:
        """End everything and remove the target's folder; nothing is left."""
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._parts.folder)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Moves]:
        """The target, held alone while it changes. Raises TargetLocked."""
        self._parts.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        patience = 2 * self._parts.settings.start_within.total_seconds()
        async with held(self._parts.folder, patience):
            yield Moves(self._parts)


async def _remember(moves: Moves, key: str, done: Deployed, fence: int = 0) -> Deployed:
    moves.save(moves.target.remembering(key, json.dumps(asdict(done)), fence))
    await moves.in_force()
    return done
