"""One controller's hands: every order goes over its line to the ground, with its fence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from swarm.core.decision import (
    Abort,
    JudgeArtifact,
    Land,
    Notify,
    Order,
    Promote,
    ReadCitation,
    Restage,
    Revert,
    RunCheck,
    SeeLive,
    SeeMain,
    SetTraffic,
    StartRun,
    Sync,
    TakeLook,
)
from swarm.core.evidence import Fact, LiveSeen, LookTaken, MainSeen
from swarm.core.ids import OrderKey, RunId, evidence_id
from swarm.core.reasons import Reason
from swarm.core.rollout.counts import Absent, AbsentWhy, ArmCounts
from swarm.ports.reply import Done, Later, Reply
from swarm.testing.simulation.ground import SOON, Asked, Ground
from swarm.testing.simulation.line import Line, Peer, at_once
from swarm.testing.simulation.ports import StorePorts


class Reach:
    """Every port that acts, for one controller; `Forge.main` lies in `ForgeReach`."""

    def __init__(
        self, ground: Ground, line: Line, peer: Peer, store: StorePorts, skew: timedelta
    ) -> None:
        self.ground, self._line, self._peer, self._store = ground, line, peer, store
        self._skew = skew
        self._told: dict[tuple[str, str], LiveSeen | LookTaken] = {}

    async def ask(
        self,
        order: Order,
        effect: Callable[[Any], Awaitable[Reply]],
        stale: Callable[[], Reply] | None = None,
    ) -> Reply:
        """Carry one order over; a late copy of it still says when it was allowed."""
        begun_at, fence = self._store.begun.get(order.key, (None, None))
        asked = Asked(begun_at, fence, self._skew)

        def arrive() -> Reply:
            self.ground.by(asked)
            return at_once(effect(order))

        return await self._line.call(order.kind, arrive, self._peer, stale, order.mission)

    async def run(self, order: StartRun) -> Reply:
        """Agent work; one that works already is followed, whatever holds it back by now."""
        if not self.ground.started(order) and not await self._store.may_begin(order.key):
            return Later(delay=SOON, reason=Reason.FROZEN, capacity=True)
        return await self.ask(order, self.ground.run)

    async def stop(self, name: RunId | OrderKey) -> None:
        """End a run or a check; nothing runs here that could be ended."""
        await self.ground.stop(name)

    async def read(self, order: ReadCitation) -> Reply:
        """A citation, once more."""
        return await self.ask(order, self.ground.read)

    async def check(self, order: RunCheck) -> Reply:
        """A required check."""
        return await self.ask(order, self.ground.check)

    async def restage(self, order: Restage) -> Reply:
        """A change on top of the moved main."""
        return await self.ask(order, self.ground.restage)

    async def land(self, order: Land) -> Reply:
        """Main from base to head."""
        return await self.ask(order, self.ground.land)

    async def revert(self, order: Revert) -> Reply:
        """A landed commit undone."""
        return await self.ask(order, self.ground.revert)

    async def main_of(self, order: SeeMain) -> Reply:
        """Where main stands; a stale mirror says where it stood before."""

        def stale() -> Reply:
            self.ground.by(Asked(skew=self._skew))
            common = {"id": evidence_id(order.key), "at": self.ground.now(), "source": "mirror"}
            seen = self.ground.behind(order.repo)
            return Done(fact=MainSeen(**common, repo=order.repo, commit=seen))  # type: ignore[arg-type]

        return await self.ask(order, self.ground.main_of, stale)

    async def judge(self, order: JudgeArtifact) -> Reply:
        """Signature and provenance."""
        return await self.ask(order, self.ground.judge)

    async def sync(self, order: Sync) -> Reply:
        """A revision beside the stable one."""
        return await self.ask(order, self.ground.sync)

    async def set_traffic(self, order: SetTraffic) -> Reply:
        """A share of the traffic."""
        return await self.ask(order, self.ground.set_traffic)

    async def promote(self, order: Promote) -> Reply:
        """A revision as the only one."""
        return await self.ask(order, self.ground.promote)

    async def abort(self, order: Abort) -> Reply:
        """A revision taken off."""
        return await self.ask(order, self.ground.abort)

    async def live(self, order: SeeLive) -> Reply:
        """What a target runs; a cache says what it ran when it was asked before."""
        return await self._read(order, self.ground.live)

    async def look(self, order: TakeLook) -> Reply:
        """Both arms' counters; a cache says what they were when they were read before."""
        return await self._read(order, self.ground.look)

    async def _read(
        self, order: SeeLive | TakeLook, effect: Callable[[Any], Awaitable[Reply]]
    ) -> Reply:
        asked = (order.kind, order.target)
        known = self._told.get(asked)
        stale = None if known is None else lambda: Done(fact=self._again(order, known))
        reply = await self.ask(order, effect, stale)
        if isinstance(reply, Done) and isinstance(reply.fact, LiveSeen | LookTaken):
            self._told[asked] = reply.fact
        return reply

    def _again(self, order: SeeLive | TakeLook, known: LiveSeen | LookTaken) -> Fact:
        """An answer given before, to this question: with its id and the asker's time."""
        self.ground.by(Asked(skew=self._skew))
        now = self.ground.now()
        fact = replace(known, id=evidence_id(order.key), at=now)
        if not isinstance(fact, LookTaken) or not isinstance(order, TakeLook):
            return fact
        look = replace(fact.look, observed_at=now)
        if isinstance(look.canary, ArmCounts) and look.canary.epoch != order.revision:
            another = Absent(why=AbsentWhy.NOT_REPORTED, detail="no such version is running")
            look = replace(look, canary=another)
        return replace(fact, step=order.step, number=order.number, look=look)

    async def notify(self, order: Notify) -> Reply:
        """A word to the owner."""
        return await self.ask(order, self.ground.notify)


class ForgeReach:
    """`ports.hands.Forge` of a reach."""

    def __init__(self, reach: Reach) -> None:
        self.restage, self.land, self.revert = reach.restage, reach.land, reach.revert
        self.main = reach.main_of
