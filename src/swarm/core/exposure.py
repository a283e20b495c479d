"""One mission's rollout at one target: sync, step by step, observe, promote; or go back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile

from swarm.contract.choices import Mode
from swarm.contract.verdict import Answer, Verdict
from swarm.core import saga
from swarm.core.decision import GiveVerdict, Order, TakeLook
from swarm.core.evidence import TrafficSet
from swarm.core.findings import Findings, TargetFindings
from swarm.core.gates import post_deploy_slo, progressive_rollout
from swarm.core.nouns import Risk
from swarm.core.orders import Orders
from swarm.core.policy import regime_limits, risk
from swarm.core.reasons import Reason
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.saying import Content, Saying, View, Word, frozen, soonest, verdict_record
from swarm.core.snapshot import Mission, OpenOrder

ROOM = "protect"
#: Pause before a target whose split is not the wanted one is asked again; and for how long a step
#: is simply waited for, which takes a moment.
EXPOSE_EVERY = timedelta(seconds=15)
#: How long a reading may be overdue before the last one is too old to go on by. Readings are dated
#: by the machine that took them, and decisions by the database: their clocks may differ so far.
OVERDUE = timedelta(minutes=5)
#: How long a target may split its traffic as nobody set while it was asked to go on, and not say
#: that it did: it left the old split, and nobody knows whether the new one ever comes.
SETTLES_WITHIN = timedelta(minutes=5)
_ONWARD = {"set-traffic", "promote"}
_SHORTEST_ID = 7  #: digits of an abbreviated commit that a process may call itself


class Exposure:
    """The rollout of one landed commit at one target, judged once. Holds no state."""

    def __init__(self, mission: Mission, found: Findings, view: View, name: str) -> None:
        self.mission, self.found, self.view, self.name = mission, found, view, name
        self.context = (ROOM, mission, found, view)
        self.revision = found.revision
        self.target: TargetFindings = found.target(name)
        self.orders = Orders(mission, view.snapshot)
        self.steps = view.snapshot.spec.delivery.rollout.steps
        self.last = len(self.steps) - 1
        self.risk = self._risk()
        self.word_lasts = dict(view.snapshot.installation.regimes).get(name)

    def say(self) -> Word:
        """The next thing for this target; content once it runs the revision, and that alone."""
        promoted, synced = self.target.promoted, self.target.synced
        if promoted is not None:
            if _same(promoted.revision, self.revision):
                return self._drifted() or Content()
            detail = f"{self.name} says that it runs {promoted.revision[:8] or 'nothing'}"
            return self._back(Reason.TARGET_DRIFTED, detail)
        if (waiting := self._not_now()) is not None:
            return waiting
        if synced is None:
            return self._sync()
        if _same(synced.stable, self.revision):
            return Content(records=self._nothing_to_expose())
        if (lost := self._lost()) is not None:
            return lost
        for number in range(self.last):
            word = self._step(number)
            if word is not None:
                return word
        return self._observe()

    def _lost(self) -> Saying | None:
        """Back from a step that left the old split and never came to the new one.

        No gate can judge what is in neither, and no word takes it on: a person's promote and the
        operator's choice were about what was seen before.
        """
        if (asked := self._onward()) is None:
            return None
        looks = (taken for taken in reversed(self.target.looks) if taken.at >= asked.issued_at)
        astray = list(takewhile(lambda taken: not self.target.in_force(taken), looks))
        if not astray or astray[0].at - astray[-1].at < SETTLES_WITHIN:
            return None
        detail = f"{self.name} left its split by {astray[-1].at:%H:%M:%S} UTC and has not said"
        return self._back(Reason.CANARY_UNDECIDED, f"{detail} that {asked.kind} is done")

    def _onward(self) -> OpenOrder | None:
        """The step onward that was asked for and is not answered yet."""
        return next((o for o in self.found.open_orders.values() if o.kind in _ONWARD), None)

    def _risk(self) -> Risk:
        change = self.found.change
        rules = self.view.snapshot.installation.risk_rules
        return risk.of_change(self.mission.risk, change, rules).risk if change else Risk.R3

    def _not_now(self) -> Saying | None:
        """Nobody can say what the target is, or it drifted before this rollout began."""
        if self.name not in dict(self.view.snapshot.installation.targets):
            return Saying(
                room=ROOM,
                reason=Reason.TARGET_NOT_BOUND,
                detail=f"no target is bound to {self.name!r} in swarm.toml",
                next_action="goes on when it is bound; `swarmctl mission cancel` undoes main",
            )
        return self._drifted() if self.target.synced is None else None

    def _drifted(self) -> Saying | None:
        """It runs what nobody asked for; but two versions in the middle of a rollout are ours."""
        seen = dict(self.view.snapshot.drifted).get(self.name)
        if seen is None:
            return None
        return Saying(
            room=ROOM,
            reason=Reason.TARGET_DRIFTED,
            detail=f"{self.name} {seen}",
            next_action="goes on when the target runs what Git says",
        )

    def _nothing_to_expose(self) -> tuple[GiveVerdict, ...]:
        """The target runs this very revision already: there is no old version to compare with."""
        detail = f"{self.name} runs {self.revision[:8]} already; nothing was exposed"
        nothing = Verdict(
            answer=Answer.PASS, reason=Reason.NOT_CONFIGURED, detail=detail, configured=False
        )
        return (
            self._kept(progressive_rollout.NAME, self.last, nothing),
            self._kept(post_deploy_slo.NAME, self.last, nothing),
        )

    def _exposed(self, number: int) -> TrafficSet | None:
        """The exposure of a step at the weight that policy asks for now.

        None where a smaller step was set since: policy changed, and the rollout began again there.
        """
        exposed = self.target.traffic.get(number)
        if exposed is None or exposed.percent != self.steps[number].set_weight:
            return None
        went_back = any(other < number for other in self.target.set_since(number))
        return None if went_back else exposed

    def _sync(self) -> Saying:
        hold = self.view.freeze_over(self.mission)
        if hold is not None:
            return frozen(ROOM, hold)
        return Saying(
            room=ROOM,
            reason=Reason.SYNC_PENDING,
            detail=f"starting {self.revision[:8]} beside the stable version of {self.name}",
            next_action="the new version answers its health check",
            orders=(self.orders.sync(self.name, self.revision),),
        )

    def _step(self, number: int) -> Saying | None:
        """One canary step; None once the rollout has gone past it."""
        exposed = self._exposed(number)
        if exposed is None:
            return self._expose(number)
        if self._exposed(number + 1) is not None:
            return None
        limits = progressive_rollout.thresholds(self.view.snapshot.installation, self.risk)
        verdict = progressive_rollout.judge(
            self.target, number, limits, exposed.at, self.word_lasts
        )
        verdict, until = self._still(verdict, number, exposed.at, limits)
        kept = self._kept(progressive_rollout.NAME, number, verdict)
        if verdict.answer is Answer.FAIL:
            why = saga.named(verdict, Reason.CANARY_FAILED)
            return saga.failed(*self.context, why).recording(kept)
        again, pause_over = verdict.look_again, exposed.at + self.steps[number].pause
        if self.target.set_since(number):
            # A step of another policy is in force, where no look proves this one: only what this
            # one proved just now goes on from there.
            proven = verdict.answer is Answer.PASS and self.view.now >= pause_over
            return self._expose(number + 1 if proven else number).recording(kept)
        look = self._look(number, limits.look_every, verdict.detail, again, until)
        if self._goes_on(verdict, exposed, expired=self.view.now >= until):
            if self.view.now >= pause_over:
                return self._expose(number + 1, look).recording(kept)
            look = self._look(number, limits.look_every, verdict.detail, again, pause_over)
        elif self.view.now >= until:
            look = self._undecided(number, verdict, look)
        return look.recording(kept)

    def _observe(self) -> Word:
        """Full exposure, the observation window of Gate 6, then promotion."""
        exposed = self._exposed(self.last)
        if exposed is None:
            return self._expose(self.last)
        limits = self.view.snapshot.installation.slo
        verdict = post_deploy_slo.judge(self.target, self.last, limits, exposed.at, self.word_lasts)
        verdict, until = self._still(verdict, self.last, exposed.at, limits)
        kept = self._kept(post_deploy_slo.NAME, self.last, verdict)
        if verdict.answer is Answer.FAIL:
            why = saga.named(verdict, Reason.SLO_REGRESSED)
            return saga.failed(*self.context, why).recording(kept)
        again = verdict.look_again
        look = self._look(self.last, limits.look_every, verdict.detail, again, until)
        if self._goes_on(verdict, exposed, expired=self.view.now >= until):
            look = self._promote(verdict, look)
        elif self.view.now >= until:
            look = self._undecided(self.last, verdict, look)
        return look.recording(kept)

    def _still(
        self,
        verdict: Verdict,
        step: int,
        since: datetime,
        limits: CanaryThresholds | SloThresholds,
    ) -> tuple[Verdict, datetime]:
        """The verdict as it counts by now, and until when it may stay what it is.

        A pass is one until a reading is long overdue; anything else may stay for the longest hold.
        Where the next reading is long overdue, nobody sees how the new version does: a pass from
        before is none (FAIL-6). The longest hold then counts from when that reading was asked for,
        so that what only slept goes on with the first reading after it.
        """
        until, due = since + limits.max_hold, verdict.look_again or self.view.now
        if (onward := self._onward()) is not None:  # what is under way may be seen half-way
            until = max(until, onward.issued_at + SETTLES_WITHIN)
        late = max(limits.look_every, OVERDUE)
        if verdict.answer is not Answer.PASS:
            return verdict, until
        if self.view.now < due + late:
            return verdict, due + late
        reason = Reason.SLO_PENDING if step == self.last else Reason.CANARY_PENDING
        detail = f"no reading since {due - limits.look_every:%H:%M:%S} UTC; {verdict.detail}"
        open_look = self.found.is_open(self._next_look(step).key)
        asked = self.view.now if open_look is None else open_look.issued_at
        outdated = replace(verdict, answer=Answer.WAIT, reason=reason, detail=detail)
        return outdated, max(until, asked + limits.max_hold)

    def _goes_on(self, verdict: Verdict, exposed: TrafficSet, *, expired: bool) -> bool:
        """A pass, a person's promote for this very step, or the operator's choice for R0/R1.

        That choice is about counters that cannot tell two versions apart. It vouches for no money:
        what trades needs a fresh word on its limits all the same (REG-8).
        """
        promote = self.found.said("promote")
        if verdict.answer is Answer.PASS:
            return True
        if promote is not None and promote.at >= exposed.at:
            return True
        promotes = self.view.snapshot.installation.undecided_promotes
        if not (expired and promotes and self.risk <= Risk.R1):
            return False
        here = [taken for taken in self.target.looks_at(exposed.step) if taken.at >= exposed.at]
        return regime_limits.hold(here, self.word_lasts, self.view.now)

    def _undecided(self, step: int, verdict: Verdict, look: Saying) -> Saying:
        """The longest hold passed: assisted asks a person and looks on, lights-out goes back."""
        detail = f"no verdict at {self.steps[step].set_weight} %: {verdict.detail}"
        if self.view.snapshot.spec.mode is not Mode.ASSISTED:
            return self._back(Reason.CANARY_UNDECIDED, detail)
        return replace(
            look,
            reason=Reason.CANARY_UNDECIDED,
            detail=detail,
            next_action="`swarmctl mission promote` or `swarmctl mission rollback`",
            orders=(*look.orders, self._tell("undecided", step, detail)),
        )

    def _tell(self, what: str, step: int, detail: str) -> Order:
        """Something about a step, said to the owner once."""
        event = f"{what}-{self.name}-{self.revision}-{step}"
        channel = self.view.snapshot.spec.owner.channel
        return self.orders.notify(channel, event, f"{self.mission.title}: {detail}")

    def _expose(self, number: int, look: Saying | None = None) -> Saying:
        """The next share of traffic; under a freeze the present one is only watched.

        look: at the step before, where that is in force.
        Where the planner says that the step cannot be decided in time, the owner hears it before.
        """
        hold = self.view.freeze_over(self.mission)
        if hold is not None:
            return self._watch_frozen(number - 1, frozen(ROOM, hold))
        percent = self.steps[number].set_weight
        before = self.target.traffic.get(number)
        again = before.at + EXPOSE_EVERY if before is not None else self.view.now
        order = self.orders.set_traffic(self.name, self.revision, number, percent, self.found)
        detail = f"giving {percent} % of {self.name} to {self.revision[:8]}"
        saying = Saying(
            room=ROOM,
            reason=Reason.CANARY_PENDING,
            detail=detail,
            next_action="the split is in force",
            orders=(order,) if self.view.now >= again else (),
            look_again=again,
        )
        if look is not None:
            saying = self._meanwhile(saying, order, look)
        limits = progressive_rollout.thresholds(self.view.snapshot.installation, self.risk)
        outlook = progressive_rollout.outlook(self.target, percent, limits)
        if not outlook:
            return saying
        warning = f"{detail}, which may end without a verdict: {outlook}"
        return replace(
            saying,
            detail=warning,
            orders=(*saying.orders, self._tell("undecidable", number, warning)),
        )

    def _promote(self, verdict: Verdict, look: Saying) -> Saying:
        hold = self.view.freeze_over(self.mission)
        if hold is not None:
            return self._watch_frozen(self.last, frozen(ROOM, hold))
        order = self.orders.promote(self.name, self.revision)
        saying = Saying(
            room=ROOM,
            reason=Reason.SLO_HELD,
            detail=verdict.detail,
            next_action=f"{self.revision[:8]} becomes the only version of {self.name}",
            orders=(order,),
        )
        return self._meanwhile(saying, order, look)

    def _meanwhile(self, saying: Saying, order: Order, look: Saying) -> Saying:
        """The step onward; until it is done, what is exposed is looked at and judged as before.

        A target may answer late, or never, while the new version fails.
        """
        now, asked = self.view.now, self.found.is_open(order.key)
        soon = EXPOSE_EVERY + (now if asked is None else asked.issued_at)
        if now < soon:
            return replace(saying, look_again=soonest(now, saying.look_again, soon))
        orders, again = (*saying.orders, *look.orders), (saying.look_again, look.look_again)
        return replace(saying, orders=orders, look_again=soonest(now, *again))

    def _watch_frozen(self, step: int, held: Saying) -> Saying:
        """Look on at a step; at a split that is none of the present ones no gate could judge."""
        if step < 0 or self._exposed(step) is None or self.target.set_since(step):
            return self._unjudged(held)
        every = self.view.snapshot.installation.canary.look_every
        look = self._look(step, every, held.detail, held.look_again)
        return replace(look, reason=held.reason, detail=held.detail, next_action=held.next_action)

    def _unjudged(self, held: Saying) -> Saying:
        """Policy took the step in force away: it stays as long as the longest hold, and no more."""
        if not self.target.traffic:
            return held
        newest = [*self.target.traffic.values()][-1]
        until = newest.at + self.view.snapshot.installation.canary.max_hold
        if self.view.now >= until:
            detail = f"frozen at {newest.percent} % of {self.name}, which is no step any more"
            return self._back(Reason.CANARY_UNDECIDED, detail)
        return replace(held, look_again=soonest(self.view.now, held.look_again, until))

    def _look(self, step: int, every: timedelta, detail: str, *until: datetime | None) -> Saying:
        """Take the next look when it is due; otherwise say when it will be.

        until: when something is decided even if no look comes back.
        """
        last = self.target.last_look.get(step)
        due = last.at + every if last else self.view.now
        look = self._next_look(step)
        return Saying(
            room=ROOM,
            reason=Reason.SLO_PENDING if step == self.last else Reason.CANARY_PENDING,
            detail=f"{self.steps[step].set_weight} % of {self.name}: {detail}",
            next_action=f"look {look.number + 1} at {self.steps[step].set_weight} %",
            orders=(look,) if self.view.now >= due else (),
            look_again=soonest(self.view.now, due, *until),
        )

    def _next_look(self, step: int) -> TakeLook:
        last = self.target.last_look.get(step)
        number = last.number + 1 if last else 0
        return self.orders.take_look(self.name, self.revision, step, number)

    def _kept(self, gate: str, step: int, verdict: Verdict) -> GiveVerdict:
        # Each step is judged for itself: its verdict is kept under target, commit and weight.
        subject = f"{self.name}@{self.revision}#{self.steps[step].set_weight}"
        return verdict_record(self.mission, gate, subject, verdict, self.view.now)

    def _back(self, reason: Reason, detail: str) -> Saying:
        """Go back for what no gate said; kept as a failed verdict, so that later ticks know why."""
        percent = [0, *(one.percent for one in self.target.traffic.values())][-1]
        gate = post_deploy_slo if percent == self.steps[-1].set_weight else progressive_rollout
        verdict = Verdict(answer=Answer.FAIL, reason=reason, detail=detail)
        subject = f"{self.name}@{self.revision}#{percent}"
        kept = verdict_record(self.mission, gate.NAME, subject, verdict, self.view.now)
        return saga.roll_back(*self.context, (reason, detail)).recording(kept)


def _same(seen: str, wanted: str) -> bool:
    """Whether a process that calls itself `seen` runs `wanted`; commits may be abbreviated."""
    if min(len(seen), len(wanted)) < _SHORTEST_ID:
        return seen == wanted
    return seen.startswith(wanted) or wanted.startswith(seen)
