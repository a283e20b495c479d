"""A shadow week and a limited lights-out week of one profile, and the owner who reads about them.

The design asks for both before anything runs by itself (VAL-4, VAL-5): first recommendations
alone, which people compare with what they would have done; then one repository of low risk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from swarm.contract.metadata import PROFILE_ANNOTATION
from swarm.contract.validate import check_swarm
from swarm.core.evidence import RunEnded
from swarm.core.ids import swarm_id
from swarm.core.nouns import Need, NeedState, ResumeWindow, Risk
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.store import BudgetTerms
from swarm.testing.paper import PaperStore
from swarm.testing.simulation.cast import Cast, Size
from swarm.testing.simulation.chance import Chance, Fault
from swarm.testing.simulation.desk import Row, digest_rows, shadow_rows
from swarm.testing.simulation.mix import Mix
from swarm.testing.simulation.scene import SOURCES, Scene, delivery
from swarm.testing.simulation.simulation import DAY, Simulation

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
UNIT = 1_000_000  #: micro-units of money
MORNING = 9 * HOUR  #: when the owner goes through what was recommended
HANDLED = 0.9  #: share of recommendations that the owner finds the time to answer
BY_HAND = 0.5  #: share of needs for which no agent is bound that the owner carries out
NO_AGENT = "deps"  #: a class that no agent takes here, so nothing recommends it

#: An ordinary fortnight: nothing is spared, and nothing happens all the time.
ORDINARY = Mix(
    store={Fault.LOST: 0.001, Fault.SLOW: 0.001},
    world={Fault.LOST: 0.01, Fault.REPLY_LOST: 0.005, Fault.SLOW: 0.005, Fault.TWICE: 0.002},
    rates={
        Fault.KILL: 0.004, Fault.STORE_DOWN: 0.002, Fault.SOURCE_DOWN: 0.003, Fault.QUOTA: 0.003,
        Fault.DRIFT: 0.002, Fault.MAIN_MOVED: 0.02, Fault.NO_METRICS: 0.003, Fault.BAD_WORK: 0.1,
        Fault.BAD_CHECK: 0.06, Fault.BAD_CHANGE: 0.08, Fault.BAD_START: 0.03, Fault.CONFLICT: 0.03,
    },
)  # fmt: skip

_WORK = {
    "control-plane": (
        "platform", "jangar", "Pin the base image of worker {number}",
        "Retry the flaky probe of service {number}", "Remove the dead flag gate-{number}",
        "Cover the reconcile path {number} with a test",
    ),
    "quant": (
        "autonomous-trading", "torghut", "Cap the order size of strategy {number}",
        "Cover fee model {number} with a test", "Refuse stale quotes on venue {number}",
        "Log the slippage of strategy {number}",
    ),
}  # fmt: skip
PROFILES = tuple(_WORK)
#: How much each source's word is worth: what a platform's linters say holds more often.
_TRUSTS = {"control-plane": (0.7, 0.8, 0.9), "quant": (0.5, 0.6, 0.9)}


def cast(profile: str) -> Cast:
    """The installation of a profile: one swarm, one repository, two controllers.

    errors: UnknownProfile.
    """
    return Cast(
        size=Size(1, 2, 15 * MINUTE),
        scenes=(_scene(profile),),
        mix=ORDINARY,
        cost_most=UNIT // 2,
        shadow=True,
    )


def _scene(profile: str) -> Scene:
    domain, name, *news = _WORK[profile]
    repo, target = f"acme/{name}", name
    manifest = {
        "apiVersion": "swarm.proompteng.ai/v1alpha1",
        "kind": "Swarm",
        "metadata": {"name": name, "annotations": {PROFILE_ANNOTATION: profile}},
        "spec": {
            "owner": {"id": "alice", "channel": "swarm://owner/platform"},
            "domains": [domain],
            "objectives": ["fewer defects"],
            "mode": "lights-out",
            "discovery": {"sources": [{"name": source} for source in SOURCES]},
            "delivery": delivery(repo, (target,)),
        },
    }
    installation = Installation(
        checks=frozenset({"lint", "unit-tests"}),
        targets=((target, repo),),
        agents=(AgentBinding(name="tidy", classes=("tidy", "docs"), cost=UNIT // 2),),
        auto_execute=frozenset({Risk.R0, Risk.R1}),  # limited: what is riskier asks
        attests=frozenset({repo}),
        max_missions=3,
        check_deadline=10 * MINUTE,
        canary=CanaryThresholds(look_every=2 * MINUTE, max_hold=20 * MINUTE),
        slo=SloThresholds(look_every=2 * MINUTE, window=6 * MINUTE, max_hold=15 * MINUTE),
        approval_lasts=12 * HOUR,
        need_cooldown=DAY,
        resume_window=ResumeWindow(opens=time(8), closes=time(12)),
    )
    return Scene(
        swarm=swarm_id("default", name),
        name=name,
        repo=repo,
        target=target,
        spec=check_swarm(manifest).spec,
        installation=installation,
        budget=BudgetTerms(name="default-budget", cap=15 * UNIT, window=DAY),
        news_every=HOUR,
        news=tuple(news),
        trusts=_TRUSTS[profile],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the store held when a report was read. kind: `daily` or `shadow`.

    shadow: whether the swarm only recommended until then.
    """

    kind: str
    at: datetime
    shadow: bool
    rows: Row


@dataclass(slots=True, kw_only=True)
class Fortnight:
    """The owner of one swarm, who lives through `days` of shadow and as many of lights-out.

    reports: what there was to be read, in order.
    agreed:  needs that were recommended, with whether the owner would have had them done.
    by_hand: needs that the owner carried out although nothing recommended them.
    acted_from: when the swarm began to act.    costs: of every run that ended, by its mission.
    """

    scene: Scene
    seed: int
    days: int = 7
    reports: list[Report] = field(default_factory=list)
    agreed: dict[str, bool] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    acted_from: datetime | None = None
    costs: dict[str, list[int]] = field(default_factory=dict)

    @property
    def lasts(self) -> timedelta:
        """Both weeks, and the moment in which the last report is read."""
        return 2 * self.days * DAY + MINUTE

    async def follow(self, simulation: Simulation) -> None:
        """Answer every morning, read every midnight, and let it act when the first week is over."""
        paper = simulation.store.swarms[self.scene.swarm].paper
        begin = simulation.now()
        for day in range(1, 2 * self.days + 1):
            await asyncio.sleep(MORNING.total_seconds())
            if paper.world.shadow and self.answer(paper):
                simulation.store.ring(self.scene.swarm)
            await asyncio.sleep((begin + day * DAY - simulation.now()).total_seconds())
            now = simulation.now()
            self._read("daily", paper, digest_rows(paper, now - DAY), now)
            if day in {self.days, 2 * self.days}:
                self._read("shadow", paper, shadow_rows(paper, begin), now)
            if day == self.days:
                self.acted_from = now
                paper.now = now
                paper.change(shadow=False)
                simulation.store.ring(self.scene.swarm)
        for fact in simulation.ground.facts.values():
            if isinstance(fact, RunEnded):
                self.costs.setdefault(fact.run.partition("-run-")[0], []).append(fact.cost)

    def answer(self, paper: PaperStore) -> int:
        """Say to what was recommended whether it is wanted; carry some of the rest out by hand.

        How often the owner agrees is what the need's confidence says; an honest one is right.
        """
        before = len(self.agreed) + len(self.by_hand)
        chance = Chance(self.seed)
        rows = shadow_rows(paper, self.reports[0].at - DAY if self.reports else paper.now - DAY)
        recommended = {row["need"] for row in rows["recommended"]}
        for need in [n for n in paper.needs.values() if n.state is NeedState.OPEN]:
            if need.id in recommended:
                self._weigh(paper, need, chance)
            elif need.mission_class == NO_AGENT and chance.number(f"{need.id}/hand") < BY_HAND:
                self.by_hand.add(need.id)
                paper.move_need(need.id, NeedState.DONE, "done by hand")
        return len(self.agreed) + len(self.by_hand) - before

    def _weigh(self, paper: PaperStore, need: Need, chance: Chance) -> None:
        if chance.number(f"{need.id}/handled") >= HANDLED:
            return
        wanted = self.agreed[need.id] = chance.number(f"{need.id}/wanted") < need.confidence
        if wanted:
            paper.move_need(need.id, NeedState.DONE, "a good idea, done by hand")
        else:
            paper.move_need(need.id, NeedState.REJECTED, "not worth it")

    def _read(self, kind: str, paper: PaperStore, rows: Mapping[str, Any], at: datetime) -> None:
        shadow = paper.world.shadow
        self.reports.append(Report(kind=kind, at=at, shadow=shadow, rows=dict(rows)))
