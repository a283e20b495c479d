"""The world outside, with faults of its own: agents, checks, a forge, targets, counters, a channel.

Built on `testing.world.World`, which carries each order out once under its key. What it adds: work
takes time, answers may be bad, others push to main, and every effect is written into a journal
that knows nothing of our log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
    SetTraffic,
    StartRun,
    Sync,
    TakeLook,
)
from swarm.core.evidence import (
    ArtifactJudged,
    ArtifactResult,
    CheckEnded,
    CheckResult,
    CitationRead,
    Fact,
    LiveSeen,
    LookTaken,
    Restaged,
    Reverted,
    RunEnded,
    RunResult,
    Synced,
)
from swarm.core.history.finding import Violation
from swarm.core.history.journal import Deed, Effect
from swarm.core.nouns import Change, Risk
from swarm.core.rollout.counts import Look
from swarm.ports.reply import Done, Later, No, Reply
from swarm.testing.simulation import pace, truth
from swarm.testing.simulation.cast import COST_MOST
from swarm.testing.simulation.chance import Chance, Fault
from swarm.testing.simulation.mix import Mix
from swarm.testing.simulation.place import NEVER, Place, Weather
from swarm.testing.world import World

SOON = timedelta(seconds=2)
_BAD_CHECKS = (CheckResult.RED, CheckResult.RED, CheckResult.NEVER_REPORTED, CheckResult.GREEN)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks: when the store allowed it, under which fence, and how wrong his clock is."""

    begun_at: datetime | None = None
    fence: int | None = None
    skew: timedelta = timedelta(0)


class Ground(World):
    """Every port's other end. keyed: targets know the keys of orders; off, to see it missed.

    effects: the journal.    lies: what landed although the world knew better.
    now: the clock of whoever asks.
    cost_most: what one run costs at most, in micro-units.
    """

    def __init__(self, now: Callable[[], datetime], chance: Chance, mix: Mix) -> None:
        super().__init__(now)
        self._true, self._chance, self._mix = now, chance, mix
        self.keyed, self.cost_most = True, COST_MOST
        self.effects: list[Effect] = []
        self.lies: list[Violation] = []
        self.places: dict[str, Place] = {}
        self.weather = Weather()
        self.asked_by = Asked()
        self.finished: list[Callable[[str], None]] = []
        self.bad: dict[str, int] = {}  #: heads that make their service worse, from what percent
        self._risks: dict[str, Risk] = {}  #: of heads, as their paths say
        self._ends: dict[str, datetime] = {}  #: when work under a key is done
        self._before: dict[str, str] = {}  #: where each main stood before its last move

    def by(self, asked: Asked) -> None:
        """Who asks next; his clock is what his facts are dated by."""
        self.asked_by = asked
        self.now = lambda: self._true() + asked.skew

    def _at(self) -> datetime:
        return self._true()

    def _note(self, order: Order, deed: Deed, where: str, subject: str, **more: Any) -> None:
        self.effects.append(
            Effect(
                at=self._at(),
                deed=deed,
                mission=order.mission,
                key=order.key,
                where=where,
                subject=subject,
                begun_at=self.asked_by.begun_at,
                fence=self.asked_by.fence,
                **more,
            )
        )

    async def _once(self, order: Order, make: Callable[[dict[str, Any]], Fact]) -> Reply:
        if not self.keyed:
            self.facts.pop(order.key, None)
        return await super()._once(order, make)

    def _known(self, order: Order) -> bool:
        return self.keyed and order.key in self.facts

    def _happens(self, order: Order, fault: Fault, share: float = 1.0) -> bool:
        return self._chance.happens(f"{order.key}!{fault}", fault, self._mix.rate(fault) * share)

    def _refused(self, order: Order) -> No | None:
        if not self._known(order) and self._happens(order, Fault.REFUSED, 0.1):
            return No(reason="NotHere", detail="refused for good")
        return None

    def push(self, repo: str, commit: str) -> None:
        """Somebody else pushed to main."""
        self._before[repo] = self.tip(repo)
        self.main[repo] = commit

    def behind(self, repo: str) -> str:
        """Where main stood before its last move: what a stale mirror says."""
        return self._before.get(repo, self.tip(repo))

    def place(self, target: str) -> Place:
        """One target; it serves the first main until something else is promoted."""
        return self.places.setdefault(target, Place("main0000", self._at()))

    def turn(self, place: Place, percent: int) -> None:
        """Somebody gives what is tried another share by hand, and leaves it so."""
        place.drift = "runs what nobody asked for"
        if place.canary:
            place.split(self._at(), place.canary, percent)

    # --- work that takes time --------------------------------------------------------------------

    def _under_way(self, order: StartRun | RunCheck, span: tuple[float, float]) -> Later | None:
        """Later while it works; a fault of the work is that it takes longer."""
        ends = self._ends.get(order.key)
        if ends is None:
            ends = self._ends[order.key] = self._at() + pace.lasts(self._chance, order.key, span)
        if self._at() >= ends:
            return None
        wait = min(ends - self._at(), timedelta(seconds=60))
        return Later(delay=max(wait, SOON), reason="Working")

    def started(self, order: StartRun) -> bool:
        """Whether its agent is at work here, or was."""
        return order.key in self._ends or self._known(order)

    async def run(self, order: StartRun) -> Reply:
        """An agent works for minutes; mostly it changes what it may."""
        if self._known(order):
            return await super().run(order)
        if self.weather.quota and order.key not in self._ends:
            return Later(delay=timedelta(minutes=2), reason="Quota", capacity=True)
        if (no := self._refused(order)) is not None:
            return no
        if order.key not in self._ends or not self.keyed:
            self._note(order, Deed.RUN, order.repo, order.run)
        if (later := self._under_way(order, pace.RUNS)) is not None:
            left = self._ends[order.key] - self._at()
            so_far = pace.cost_so_far(self._chance, order.key, self.cost_most, left)
            return pace.at_work(later, self._chance, order.key, so_far, quota=self.weather.quota)
        return await self._ended(order)

    async def _ended(self, order: StartRun) -> Reply:
        cost = pace.cost(self._chance, order.key, self.cost_most)
        if self._happens(order, Fault.BAD_WORK, pace.hard(self._chance, order.mission)):
            result = pace.bad_end(self._chance, order.mission, order.key)
            broke = ("Symlink: a: link",) if result is RunResult.REFUSED else ()
            return await self._once(
                order,
                lambda common: RunEnded(
                    **common, run=order.run, attempt=order.attempt, result=result,
                    violations=broke, cost=cost,
                ),
            )  # fmt: skip
        reply = await super().run(order)
        if not isinstance(reply, Done) or not isinstance(reply.fact, RunEnded):
            return reply
        made = reply.fact.change
        if made is None:
            return reply
        level = self._chance.choice(f"{order.key}/risk", (*[Risk.R0] * 6, Risk.R2, Risk.R3))
        self._risks[made.head] = level
        if self._happens(order, Fault.BAD_CHANGE):
            self.bad[made.head] = self._chance.choice(f"{order.key}/errs", (1, 1, 100))
        fact = replace(reply.fact, change=replace(made, risk=level), cost=cost)
        self.facts[order.key] = fact
        return Done(fact=fact)

    async def check(self, order: RunCheck) -> Reply:
        """Green, unless the check itself is bad; some never report, or hours too late."""
        if self._known(order):
            return await super().check(order)
        if (no := self._refused(order)) is not None:
            return no
        bad = self._happens(order, Fault.BAD_CHECK)
        result = self._chance.choice(f"{order.key}/bad", _BAD_CHECKS) if bad else CheckResult.GREEN
        late = bad and result is CheckResult.GREEN
        if (later := self._under_way(order, pace.LATE if late else pace.CHECKS)) is not None:
            return later
        return await self._once(
            order,
            lambda common: CheckEnded(
                **common, check=order.check, commit=order.commit, result=result, detail="seen"
            ),
        )

    async def read(self, order: ReadCitation) -> Reply:
        """What is cited still says what it said, mostly."""
        if self._known(order) or not self._happens(order, Fault.BAD_CITATION):
            return await super().read(order)
        cited = order.cited
        return await self._once(
            order,
            lambda common: CitationRead(
                **common, citation=cited.citation, origin=cited.origin, gone=True
            ),
        )

    async def judge(self, order: JudgeArtifact) -> Reply:
        """Signed, mostly."""
        if self._known(order) or not self._happens(order, Fault.REFUSED, 0.3):
            return await super().judge(order)
        return await self._once(
            order,
            lambda common: ArtifactJudged(
                **common, commit=order.commit, result=ArtifactResult.REFUSED, reason="unsigned"
            ),
        )

    # --- the forge -------------------------------------------------------------------------------

    async def restage(self, order: Restage) -> Reply:
        """A new exact commit on top of the moved main; sometimes it does not apply."""
        if not self._known(order) and self._happens(order, Fault.CONFLICT):
            return await self._once(
                order,
                lambda common: Restaged(
                    **common, old_head=order.change.head, onto=order.onto, change=None
                ),
            )
        told = f"{order.change.head}+{order.onto}"
        head = f"on-{hashlib.sha256(told.encode()).hexdigest()[:20]}"
        moved = replace(order.change, head=head, base=order.onto)
        self._inherit(order.change, moved)
        return await self._once(
            order,
            lambda common: Restaged(
                **common, old_head=order.change.head, onto=order.onto, change=moved
            ),
        )

    def _inherit(self, old: Change, new: Change) -> None:
        if old.head in self.bad:
            self.bad[new.head] = self.bad[old.head]
        self._risks[new.head] = self._risks.get(old.head, Risk.R0)

    async def land(self, order: Land) -> Reply:
        """Compare and swap, by whoever asks first."""
        known, before = self._known(order), self.tip(order.repo)
        reply = await super().land(order)
        if not known and before == order.base and self.tip(order.repo) == order.head:
            self._before[order.repo] = before
            risk = int(self._risks.get(order.head, Risk.R0))
            self._note(order, Deed.LAND, order.repo, order.head, risk=risk)
            self.lies += truth.landed(self.effects[-1], self.facts.values())
        return reply

    async def revert(self, order: Revert) -> Reply:
        """A new commit on main; sometimes it conflicts with what came since."""
        if self._known(order):
            return await super().revert(order)
        if self._happens(order, Fault.CONFLICT, 0.5):
            return await self._once(
                order,
                lambda common: Reverted(
                    **common, repo=order.repo, undone=order.commit, commit="", reverted=False
                ),
            )
        self._note(order, Deed.REVERT, order.repo, order.commit)
        return await super().revert(order)

    # --- targets ---------------------------------------------------------------------------------

    async def sync(self, order: Sync) -> Reply:
        """The revision beside the stable one, without traffic."""
        if self._known(order) or self.overtaken(order) is not None:
            return await super().sync(order)
        if (no := self._refused(order)) is not None:
            return no
        place = self.place(order.target)
        if place.canary not in {"", order.revision}:
            why = f"{order.target} tries {place.canary}"
            return Later(delay=timedelta(minutes=2), reason="TargetHeld", detail=why, capacity=True)
        place.split(self._at(), order.revision, 0)
        place.errs_from = self.bad.get(order.revision, NEVER)
        self._note(order, Deed.SYNC, order.target, order.revision)
        healthy = not self._happens(order, Fault.BAD_START)
        return await self._once(
            order,
            lambda common: Synced(
                **common, target=order.target, revision=order.revision, healthy=healthy,
                stable=place.stable,
            ),
        )  # fmt: skip

    async def set_traffic(self, order: SetTraffic) -> Reply:
        """The split, if this revision is what is being tried."""
        if self._known(order) or self.overtaken(order) is not None:
            return await super().set_traffic(order)
        place = self.place(order.target)
        if place.canary != order.revision:
            return No(reason="NoCanary", detail=f"{order.target} does not try {order.revision}")
        place.split(self._at(), order.revision, order.percent)
        more = {"step": order.step, "percent": order.percent}
        self._note(order, Deed.TRAFFIC, order.target, order.revision, **more)
        return await super().set_traffic(order)

    async def promote(self, order: Promote) -> Reply:
        """The revision as the only one, if it is what is being tried."""
        if self._known(order) or self.overtaken(order) is not None:
            return await super().promote(order)
        place = self.place(order.target)
        if place.canary != order.revision:
            return No(reason="NoCanary", detail=f"{order.target} does not try {order.revision}")
        place.split(self._at(), "", 0)
        place.stable = order.revision
        self._note(order, Deed.PROMOTE, order.target, order.revision)
        return await super().promote(order)

    async def abort(self, order: Abort) -> Reply:
        """The revision off the target; the stable one serves."""
        if self._known(order):
            return await super().abort(order)
        place = self.place(order.target)
        tries = self.asked[order.key]
        self.asked[order.key] += 1
        if self._chance.happens(f"{order.key}!{tries}", Fault.BAD_START, 0.2):
            return Later(delay=SOON, reason="RollbackUnproven")
        if place.canary == order.revision:
            place.split(self._at(), "", 0)
        if place.stable == order.revision and order.stable:
            place.stable = order.stable
        self._note(order, Deed.ABORT, order.target, order.revision)
        return await super().abort(replace(order, stable=place.stable))

    async def live(self, order: SeeLive) -> Reply:
        """What the target runs."""
        place = self.place(order.target)
        return await self._once(
            order,
            lambda common: LiveSeen(
                **common, target=order.target, stable=place.stable, canary=place.canary,
                healthy=not place.drift,
            ),
        )  # fmt: skip

    async def look(self, order: TakeLook) -> Reply:
        """Both arms' counters; absent while nobody can read them."""
        return await self._once(
            order,
            lambda common: LookTaken(
                **common, target=order.target, step=order.step, number=order.number,
                look=self._counters(order),
            ),
        )  # fmt: skip

    def _counters(self, order: TakeLook) -> Look:
        place = self.place(order.target)
        place.count(self._at())
        return place.look(self.now(), gone=self.weather.no_metrics)

    async def notify(self, order: Notify) -> Reply:
        """A person hears it."""
        if not self._known(order):
            self._note(order, Deed.NOTIFY, order.channel, order.event)
        return await super().notify(order)
