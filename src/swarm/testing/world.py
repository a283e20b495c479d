"""A small world in memory that carries out orders at once and remembers each effect by its key.

For tests of the shell and for benchmarks: it is not a simulation of faults. Every port promises
that a repeated order has no second effect; this world keeps a journal, so a test can see it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
from swarm.core.evidence import (
    Aborted,
    ArtifactJudged,
    ArtifactResult,
    CheckEnded,
    CheckResult,
    CitationRead,
    Fact,
    Landed,
    LiveSeen,
    LookTaken,
    MainSeen,
    Notified,
    Promoted,
    Restaged,
    Reverted,
    RunEnded,
    RunResult,
    Synced,
    TrafficSet,
)
from swarm.core.ids import OrderKey, RunId, evidence_id
from swarm.core.nouns import Change
from swarm.core.rollout.counts import ArmCounts, LatencyHistogram, Look
from swarm.ports.reply import Done, Later, Reply


class World:
    """All ports in one: keyed effects, a linear main per repository, a service with traffic.

    red:        checks that are red on every changed commit.
    bad_errors: extra share of bad requests of every new version, 0..1.
    journal:    how often each order's effect really happened (1, whatever was repeated).
    asked:      how often each order was asked for.
    facts:      what came of each order, by its key.
    fences:     the newest that each target has seen, and each landing that was asked after.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.red: set[str] = set()
        self.bad_errors = 0.0
        self.delay = timedelta(0)
        self.main: dict[str, str] = {}
        self.stable: dict[str, str] = {}
        self.journal: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.facts: dict[str, Fact] = {}
        self.fences: dict[str, int] = {}
        self._exposed: dict[str, tuple[int, datetime]] = {}
        self._born = now()

    async def _once(self, order: Order, make: Callable[[dict[str, Any]], Fact]) -> Reply:
        self.asked[order.key] += 1
        if self.delay:
            await asyncio.sleep(self.delay.total_seconds())
        if order.key not in self.facts:
            self.journal[order.key] += 1
            common = {"id": evidence_id(order.key), "at": self.now(), "source": "world"}
            self.facts[order.key] = make(common)
        return Done(fact=self.facts[order.key])

    def tip(self, repo: str) -> str:
        """Where a repository's main stands."""
        return self.main.setdefault(repo, "main0000")

    async def run(self, order: StartRun) -> Reply:
        """Every agent changes one file."""
        base = order.onto or order.base or self.tip(order.repo)
        made = Change(
            repo=order.repo,
            branch=f"swarm/{order.mission}",
            base=base,
            head=f"{order.run}-head",
            tree=f"{order.run}-tree",
            paths=order.brief.allowed_paths or ("README.md",),
            lines_added=1,
            lines_removed=0,
        )
        return await self._once(
            order,
            lambda common: RunEnded(
                **common,
                run=order.run,
                attempt=order.attempt,
                result=RunResult.CHANGED,
                change=made,
            ),
        )

    async def stop(self, name: RunId | OrderKey) -> None:
        """Nothing runs, so nothing has to be stopped."""

    async def check(self, order: RunCheck) -> Reply:
        """Red where the world was told so, on changed commits only."""
        red = order.check in self.red and order.commit != order.base
        result = CheckResult.RED if red else CheckResult.GREEN
        return await self._once(
            order,
            lambda common: CheckEnded(
                **common, check=order.check, commit=order.commit, result=result, detail="seen"
            ),
        )

    async def read(self, order: ReadCitation) -> Reply:
        """Whatever is cited still says what it said."""
        return await self._once(
            order,
            lambda common: CitationRead(
                **common,
                citation=order.cited.citation,
                origin=order.cited.origin,
                gone=False,
                claims=True,
            ),
        )

    async def restage(self, order: Restage) -> Reply:
        """A change applies on top of anything."""
        moved = Change(
            repo=order.repo,
            branch=order.change.branch,
            base=order.onto,
            head=f"{order.change.head}-on-{order.onto[-8:]}",
            tree=order.change.tree,
            paths=order.change.paths,
            lines_added=1,
            lines_removed=0,
        )
        return await self._once(
            order,
            lambda common: Restaged(
                **common, old_head=order.change.head, onto=order.onto, change=moved
            ),
        )

    async def land(self, order: Land) -> Reply:
        """Compare and swap."""

        def swap(common: dict[str, Any]) -> Fact:
            landed = self.tip(order.repo) == order.base
            if landed:
                self.main[order.repo] = order.head
            tip = self.tip(order.repo)
            return Landed(**common, repo=order.repo, commit=order.head, landed=landed, main=tip)

        closed = self.fences.get(order.key, 0)
        if order.key not in self.facts and order.fence < closed:
            return Later(delay=timedelta(seconds=2), reason="LandingHeld", capacity=True)
        if order.base == order.head and order.key not in self.facts:
            self.fences[order.key] = order.fence
            asked = Landed(
                id=evidence_id(order.key), at=self.now(), source="world", repo=order.repo,
                commit=order.head, landed=False, main=self.tip(order.repo),
            )  # fmt: skip
            return Done(fact=asked)  # a question is no attempt: the key may still land
        return await self._once(order, swap)

    async def revert(self, order: Revert) -> Reply:
        """A new commit on main."""

        def undo(common: dict[str, Any]) -> Fact:
            self.main[order.repo] = f"undo-{order.commit}"
            undone = self.main[order.repo]
            return Reverted(
                **common, repo=order.repo, undone=order.commit, commit=undone, reverted=True
            )

        return await self._once(order, undo)

    async def main_of(self, order: SeeMain) -> Reply:
        """Where main stands."""
        tip = self.tip(order.repo)
        return await self._once(
            order, lambda common: MainSeen(**common, repo=order.repo, commit=tip)
        )

    async def judge(self, order: JudgeArtifact) -> Reply:
        """Everything is signed."""
        return await self._once(
            order,
            lambda common: ArtifactJudged(
                **common, commit=order.commit, result=ArtifactResult.VERIFIED, identity="world"
            ),
        )

    def overtaken(self, order: Sync | SetTraffic | Promote) -> Later | None:
        """Later where the target has seen an order that was claimed after this one."""
        if order.key in self.facts or order.fence >= self.fences.get(order.target, 0):
            return None
        return Later(delay=timedelta(seconds=2), reason="TargetLocked", capacity=True)

    def _saw(self, order: Sync | SetTraffic | Promote | Abort) -> None:
        self.fences[order.target] = max(order.fence, self.fences.get(order.target, 0))

    async def sync(self, order: Sync) -> Reply:
        """A new version is healthy at once."""
        if (later := self.overtaken(order)) is not None:
            return later
        self._saw(order)
        stable = self.stable.setdefault(order.target, "main0000")
        return await self._once(
            order,
            lambda common: Synced(
                **common,
                target=order.target,
                revision=order.revision,
                healthy=True,
                stable=stable,
            ),
        )

    async def set_traffic(self, order: SetTraffic) -> Reply:
        """The split is in force at once."""
        if (later := self.overtaken(order)) is not None:
            return later
        self._saw(order)
        self._exposed[order.target] = (order.percent, self.now())
        return await self._once(
            order,
            lambda common: TrafficSet(
                **common, target=order.target, step=order.step, percent=order.percent
            ),
        )

    async def promote(self, order: Promote) -> Reply:
        """The new version is the only one."""
        if (later := self.overtaken(order)) is not None:
            return later
        self._saw(order)
        self.stable[order.target] = order.revision
        return await self._once(
            order,
            lambda common: Promoted(**common, target=order.target, revision=order.revision),
        )

    async def abort(self, order: Abort) -> Reply:
        """The stable version answers, also where another one was promoted meanwhile."""
        self._saw(order)
        self._exposed.pop(order.target, None)
        if order.stable:
            self.stable[order.target] = order.stable
        return await self._once(
            order,
            lambda common: Aborted(
                **common,
                target=order.target,
                revision=order.revision,
                serving=order.stable,
                proven=True,
            ),
        )

    async def live(self, order: SeeLive) -> Reply:
        """What the target runs."""
        stable = self.stable.setdefault(order.target, "main0000")
        return await self._once(
            order,
            lambda common: LiveSeen(
                **common, target=order.target, stable=stable, canary="", healthy=True
            ),
        )

    async def look(self, order: TakeLook) -> Reply:
        """A million requests a second, so that a test waits for few looks; 0.1 % of them bad."""
        percent, _ = self._exposed.get(order.target, (0, self.now()))
        seconds = (self.now() - self._born).total_seconds()
        total = seconds * 1_000_000
        canary = total * percent / 100
        bad = 0.001 + self.bad_errors
        look = Look(
            observed_at=self.now(),
            traffic_percent=percent,
            canary=_arm(canary, canary * bad),
            stable=_arm(total + 1_000_000, (total + 1_000_000) * 0.001),
        )
        return await self._once(
            order,
            lambda common: LookTaken(
                **common, target=order.target, step=order.step, number=order.number, look=look
            ),
        )

    async def notify(self, order: Notify) -> Reply:
        """The owner heard it."""
        return await self._once(order, lambda common: Notified(**common, channel=order.channel))


class WorldForge:
    """The forge of a world; its own class because `main` is a field there."""

    def __init__(self, world: World) -> None:
        self.restage, self.land, self.revert = world.restage, world.land, world.revert
        self.main = world.main_of


def _arm(total: float, bad: float) -> ArmCounts:
    buckets = (total * 0.5, total, total)
    latency = LatencyHistogram(edges=(0.005, 0.01, 0.1), cumulative=buckets, total=total)
    return ArmCounts(total=total, bad=min(bad, total), latency=latency)
