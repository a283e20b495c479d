"""Liveness: when the trouble ends, what is open ends soon, and nothing that could go on sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from swarm.contract.swarm import SwarmSpec
from swarm.core.decide import decide
from swarm.core.decision import (
    AskApproval,
    LiftFreeze,
    MarkRequalified,
    OpenFreeze,
    OpenMission,
    RejectNeed,
    Settle,
    UseApproval,
    VoidOrder,
)
from swarm.core.ids import MissionId, SwarmId
from swarm.core.nouns import NeedState, Risk
from swarm.testing.paper import PaperStore
from swarm.testing.simulation.people import Person
from swarm.testing.simulation.scene import Scene
from swarm.testing.simulation.store import TwinStore

PERIODS, LOOK, NO_TIME = 3, timedelta(minutes=1), timedelta()
FROZEN_MOST = timedelta(days=1)
"""A freeze that nobody lifts in so long, when all is well again, is a failure."""
RUNS = 4  #: that a mission reserves money for: the first one, and three fixes
_DEEDS = (
    AskApproval, LiftFreeze, MarkRequalified, OpenFreeze, OpenMission, RejectNeed, Settle,
    UseApproval, VoidOrder,
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Calm:
    """The time after the trouble: no faults, no news, and people who answer what is asked.

    Nobody rings for a swarm but who did something to it: what only time brings about, the product
    has to wake up for by itself.
    """

    store: TwinStore
    scenes: Mapping[SwarmId, Scene]
    people: Mapping[SwarmId, Person]
    now: Callable[[], datetime]
    stuck: dict[str, str] = field(default_factory=dict)

    async def pass_by(self) -> tuple[str, ...]:
        """Let it pass; everything that did not come to its end.

        A freeze is trouble that goes on, also for missions that it does not cover: a rollout that
        it holds keeps its target, and a landing its queue. So no time of a swarm counts in which
        anything there is frozen; but the freeze has to end, and what it held after it.
        """
        before: dict[MissionId, SwarmId] = {
            MissionId(id_): swarm for swarm in self.scenes for id_ in self.store.at(swarm).missions
        }
        period = max(_period(scene.spec) for scene in self.scenes.values())
        left = dict.fromkeys(self.scenes, PERIODS * period)
        least, over = self.now() + period, self.now() + FROZEN_MOST
        while self.now() < over and (
            self.now() < least
            or any(left[swarm] > NO_TIME for swarm in before.values())
            or any(self.store.at(swarm).world.freezes for swarm in self.scenes)
        ):
            for swarm, person in self.people.items():
                paper = self.store.at(swarm)
                if person.settle_down(paper):
                    self.store.ring(swarm)
                self._sleeps(paper)
                if left[swarm] > NO_TIME:
                    before = {
                        id_: home for id_, home in before.items()
                        if home != swarm or id_ in paper.missions
                    }  # fmt: skip
                if not paper.world.freezes:
                    left[swarm] -= LOOK
            await asyncio.sleep(LOOK.total_seconds())
        for id_, swarm in sorted(before.items()):
            self._tell_open(id_, swarm, PERIODS * period)
        for swarm in self.scenes:
            self._rests(self.store.at(swarm), least - period)
        return tuple(self.stuck.values())

    def _sleeps(self, paper: PaperStore) -> None:
        """Something would be done now, and nothing wakes the swarm for it."""
        if paper.is_due():
            return
        plan = decide(paper.snapshot())
        new = [str(order.key) for order in plan.orders if order.key not in paper.keys]
        new += [type(record).__name__ for record in plan.records if isinstance(record, _DEEDS)]
        if new:
            name = f"asleep {paper.world.swarm}"
            told = f"{paper.world.swarm} sleeps at {paper.now:%d %H:%M:%S}, due {paper.due}"
            self.stuck.setdefault(name, f"{told}, although it would do now: {', '.join(new[:5])}")

    def _tell_open(self, id_: MissionId, swarm: SwarmId, periods: timedelta) -> None:
        # None: it ended too late, while another Swarm went on.
        late = self.store.at(swarm).missions.get(id_)
        standing = None if late is None else late.standing
        where = "never judged" if standing is None else f"{standing.room}: {standing.reason}"
        detail = standing.detail if standing is not None else ""
        self.stuck[id_] = f"{id_} is open {periods} after the trouble: {where}; {detail}"

    def _rests(self, paper: PaperStore, calm_since: datetime) -> None:
        """At the end no freeze is left, and no need that anybody could begin lies untouched."""
        world = paper.world
        for hold in world.freezes:
            self.stuck[hold.id] = f"{hold.id} of {hold.mission_class} was not lifted in a day"
        agents = [
            agent for agent in world.installation.agents
            if world.budget is None or RUNS * agent.cost <= world.budget.left
        ]  # fmt: skip
        if world.freezes or paper.missions or not agents:
            return
        known = {kind for agent in agents for kind in agent.classes}
        for need in paper.needs.values():
            since = max(
                paper.moved_at.get(need.id, need.first_seen), need.not_before or need.first_seen
            )
            free = need.state is NeedState.OPEN and need.risk <= Risk.R1 and since < calm_since
            if free and (not known or need.mission_class in known):
                self.stuck[need.id] = f"{need.id} lies open, and nothing is open beside it"


def _period(spec: SwarmSpec) -> timedelta:
    cadence = spec.cadence
    return max(cadence.discover_every, cadence.plan_every, cadence.implement_every)
