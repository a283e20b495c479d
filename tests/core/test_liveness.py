"""Long random lives of a swarm on paper: whatever happens meanwhile, everything ends in the end.

A world that fails, refuses, forgets to answer and moves main; people who cancel, promote and
freeze; settings that come and go. Then everything answers again, and every mission must end, every
freeze must lift, and nothing may have been done that the document forbids.
"""

import hashlib
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.verdict import Answer
from swarm.core.decide import decide
from swarm.core.decision import (
    Abort,
    JudgeArtifact,
    Land,
    Notify,
    Promote,
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
    Landed,
    LiveSeen,
    LookTaken,
    MainSeen,
    Notified,
    OrderRefused,
    Promoted,
    Restaged,
    Reverted,
    RunEnded,
    RunResult,
    Synced,
    TrafficSet,
)
from swarm.core.ids import FreezeId, evidence_id
from swarm.core.nouns import Freeze, Risk
from swarm.core.policy import freeze
from swarm.core.rollout.counts import Absent, AbsentWhy, ArmCounts, LatencyHistogram, Look
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import AgentBinding, Budget, SourceState
from swarm.testing.builders import NOON, REPO, TARGET, change, installation, need, snapshot, spec
from swarm.testing.paper import PaperStore, said

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SECOND_TARGET = "billing"
TARGETS = ((TARGET, REPO), (SECOND_TARGET, REPO))
CHECKS = frozenset({"lint", "unit-tests", "extra"})
CLASSES = ("tidy", "docs", "deps")
AGENT_COST = 100
NEVER = object()


def delivery(*, checks=("lint", "unit-tests"), steps=((10, "1m"), (100, "0s")), targets=TARGETS):
    return {
        "repoAllowlist": [REPO],
        "requiredChecks": list(checks),
        "deploymentTargets": [name for name, _ in targets],
        "rollout": {"steps": [{"setWeight": w, "pause": p} for w, p in steps]},
    }


def bound(**over):
    canary = CanaryThresholds(look_every=30 * SECOND, max_hold=6 * MINUTE)
    slo = SloThresholds(look_every=30 * SECOND, window=2 * MINUTE, max_hold=8 * MINUTE)
    fields = {
        "checks": CHECKS,
        "targets": TARGETS,
        "agents": (AgentBinding(name="tidy", cost=AGENT_COST),),
        "canary": canary,
        "slo": slo,
        "check_deadline": 10 * MINUTE,
        "need_cooldown": HOUR,
        "approval_lasts": 3 * HOUR,
        "max_missions": 3,
    }
    return installation(**{**fields, **over})


class World:
    """Everything outside: answers each order once per key, well or badly, after a while."""

    def __init__(self, rng, store):
        self.rng, self.store = rng, store
        self.calm = False
        self.main, self.commits = "main0000", 0
        self.stable = dict.fromkeys(("orders", "billing"), "main0000")
        self.canary = {}
        self.bad = set()
        self.checked = {}
        self.facts = {}
        self.exposing = {}

    def mostly(self, *choices):
        """The first choice when calm; else one of (what, weight)."""
        if self.calm:
            return choices[0][0]
        return self.rng.choices([what for what, _ in choices], [weight for _, weight in choices])[0]

    def commit(self, name):
        self.commits += 1
        return f"{name}-{self.commits:04}"

    def move_main(self):
        self.main = self.commit("other00")

    def answer(self, row, now):
        """A fact, NEVER, or (delay, capacity reason)."""
        key = row.order.key
        if key in self.facts:
            return self.facts[key]
        if not self.calm and self.rng.random() < 0.06:
            return 20 * SECOND, self.rng.choice(("", "Quota"))
        made = self._fact(row.order, {"id": evidence_id(key), "at": now, "source": "world"})
        self.facts[key] = made
        return made

    def _refuse(self, order, common):
        return OrderRefused(**common, verb=order.kind, reason="NotHere", detail="refused")

    def _fact(self, order, common):  # noqa: C901, PLR0912 - one arm per order
        if not self.calm and self.rng.random() < 0.015:
            return self._refuse(order, common)
        match order:
            case StartRun():
                return self._run(order, common)
            case RunCheck():
                return self._check(order, common)
            case Restage():
                if self.mostly((False, 8), (True, 2)):
                    return Restaged(
                        **common, old_head=order.change.head, onto=order.onto, change=None
                    )
                told = f"{order.change.head}+{order.onto}"
                head = f"on-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
                if order.change.head in self.bad:
                    self.bad.add(head)
                moved = replace(order.change, head=head, base=order.onto)
                return Restaged(**common, old_head=order.change.head, onto=order.onto, change=moved)
            case JudgeArtifact():
                result = self.mostly(
                    (ArtifactResult.VERIFIED, 30),
                    (ArtifactResult.REFUSED, 1),
                    (ArtifactResult.NOT_CONFIGURED, 1),
                )
                return ArtifactJudged(**common, commit=order.commit, result=result)
            case Land():
                landed = self.main == order.base
                self.main = order.head if landed else self.main
                return Landed(
                    **common, repo=order.repo, commit=order.head, landed=landed, main=self.main
                )
            case Sync():
                return self._sync(order, common)
            case SetTraffic():
                return TrafficSet(
                    **common, target=order.target, step=order.step, percent=order.percent
                )
            case TakeLook():
                return LookTaken(
                    **common,
                    target=order.target,
                    step=order.step,
                    number=order.number,
                    look=self._look(order, common["at"]),
                )
            case Promote():
                self.stable[order.target] = order.revision
                self.canary.pop(order.target, None)
                self.exposing.pop(order.target, None)
                return Promoted(**common, target=order.target, revision=order.revision)
            case Abort():
                proven = self.mostly((True, 8), (False, 2))
                if proven:
                    self.stable[order.target] = order.stable
                    self.canary.pop(order.target, None)
                    self.exposing.pop(order.target, None)
                return Aborted(
                    **common,
                    target=order.target,
                    revision=order.revision,
                    serving=order.stable,
                    proven=proven,
                )
            case Revert():
                reverted = self.mostly((True, 9), (False, 1))
                self.main = self.commit("undo000") if reverted else self.main
                return Reverted(
                    **common,
                    repo=order.repo,
                    undone=order.commit,
                    commit=self.main,
                    reverted=reverted,
                )
            case SeeMain():
                return MainSeen(**common, repo=order.repo, commit=self.main)
            case SeeLive():
                healthy = self.mostly((True, 9), (False, 1))
                return LiveSeen(
                    **common, target=order.target, stable="", canary="", healthy=healthy
                )
            case Notify():
                return Notified(**common, channel=order.channel)
        raise AssertionError(order)

    def _run(self, order, common):
        result = self.mostly(
            (RunResult.CHANGED, 14),
            (RunResult.FAILED, 2),
            (RunResult.TIMED_OUT, 1),
            (RunResult.NOTHING, 1),
            (RunResult.REFUSED, 1),
        )
        made = None
        if result is RunResult.CHANGED:
            risky = not self.calm and self.rng.random() < 0.15
            made = change(
                head=self.commit("change0"),
                base=order.onto or self.main,
                paths=("db/migrations/7.py",) if risky else order.brief.allowed_paths,
            )
            if not self.calm and self.rng.random() < 0.15:
                self.bad.add(made.head)
        return RunEnded(
            **common,
            run=order.run,
            attempt=order.attempt,
            result=result,
            change=made,
            cost=self.rng.randrange(AGENT_COST + 1),
        )

    def _check(self, order, common):
        if order.check not in self.store.world.installation.checks:
            result = CheckResult.NOT_CONFIGURED
        else:
            known = self.checked.get((order.check, order.commit))
            result = known or self.mostly(
                (CheckResult.GREEN, 20),
                (CheckResult.RED, 2),
                (CheckResult.NEVER_REPORTED, 1),
                (NEVER, 1),
            )
            if result is NEVER:
                return NEVER
            self.checked[order.check, order.commit] = result
        return CheckEnded(**common, check=order.check, commit=order.commit, result=result)

    def _sync(self, order, common):
        assert self.canary.get(order.target) in {None, order.revision}, "two rollouts at once"
        healthy = self.mostly((True, 9), (False, 1))
        self.canary[order.target] = order.revision
        return Synced(
            **common,
            target=order.target,
            revision=order.revision,
            healthy=healthy,
            stable=self.stable[order.target],
        )

    def _look(self, order, now):
        if not self.calm and self.rng.random() < 0.1:
            gone = Absent(why=AbsentWhy.NOT_REPORTED)
            return Look(observed_at=now, traffic_percent=10, canary=gone, stable=gone)
        percent = self.store.world.spec.delivery.rollout.steps
        percent = percent[min(order.step, len(percent) - 1)].set_weight
        seconds = (now - NOON).total_seconds() + 1
        total, share = seconds * 20_000, percent / 100
        bad = 0.2 if order.revision in self.bad else 0.001
        return Look(
            observed_at=now,
            traffic_percent=percent,
            canary=arm(total * share, bad),
            stable=arm(total, 0.001),
        )


def arm(total, bad):
    histogram = LatencyHistogram(
        edges=(0.005, 0.01, 0.05, 0.1), cumulative=(total / 2, total, total, total), total=total
    )
    return ArmCounts(total=total, bad=total * bad, latency=histogram)


class Life:
    """One random life: hours of trouble, then days of calm."""

    def __init__(self, seed, *, trouble=12 * HOUR):
        self.rng = random.Random(seed)
        budget = Budget(
            name="default-budget", cap=20_000, reserved=0, spent=0, window_ends=NOON + 24 * HOUR
        )
        start = snapshot(spec=spec(delivery=delivery()), installation=bound(), budget=budget)
        self.store = PaperStore(world=start, now=NOON, decide=self.decide)
        self.world = World(self.rng, self.store)
        self.flying = []
        self.until = NOON + trouble
        self.next_trouble = NOON
        self.policies = 0
        self.needs = 0
        self.at_this_instant = 0
        self.spoken = set()

    def decide(self, snapshot):
        self.before = snapshot
        return decide(snapshot)

    def run(self):
        for _ in range(6):
            self.new_need()
        for _ in range(30_000):
            self.disturb() if self.store.now < self.until else self.calm_down()
            if self.store.is_due():
                self.tick()
                continue
            for row in self.store.claimable():
                if self.store.begin(row):
                    self.fly(row)
            if self.finished():
                return self
            self.wait()
        raise AssertionError(f"still going at {self.store.now}: {self.open()}")

    def open(self):
        return [
            (m.id, m.kind, m.standing and (m.standing.room, m.standing.reason, m.standing.detail))
            for m in self.store.missions.values()
        ] + [("freeze", hold) for hold in self.store.world.freezes]

    def finished(self):
        return self.world.calm and not self.store.missions and not self.store.world.freezes

    def fly(self, row):
        reply = self.world.answer(row, self.store.now)
        if reply is not NEVER:
            delay = timedelta(seconds=self.rng.choice((0, 0, 1, 7, 45)))
            self.flying.append((self.store.now + delay, row, reply))

    def wait(self):
        """Turn the clock to the next thing that happens by itself."""
        times = [at for at, *_ in self.flying]
        times += [row.due_at for row in self.store.orders.values() if not row.in_hand]
        if self.store.due is not None:
            times.append(self.store.due)
        times.append(self.next_trouble if self.store.now < self.until else self.next_trouble + HOUR)
        later = [at for at in times if at > self.store.now]
        landed = [item for item in self.flying if item[0] <= self.store.now]
        if not landed:
            assert later, f"nothing will ever happen: {self.open()}"
            self.turn(min(later))
            landed = [item for item in self.flying if item[0] <= self.store.now]
        self.flying = [item for item in self.flying if item[0] > self.store.now]
        for _, row, reply in landed:
            if isinstance(reply, tuple):
                if self.store.orders.get(row.order.key) is row:
                    self.store.postpone(row, *reply)
            else:
                self.store.settle(row, reply)

    def turn(self, to):
        if to > self.store.now:
            self.at_this_instant = 0
        self.store.now = to
        window = self.store.world.budget
        if window is not None and to >= window.window_ends:
            fresh = replace(
                window,
                spent=0,
                reserved=sum(m.reserved for m in self.store.missions.values()),
                window_ends=window.window_ends + 24 * HOUR,
            )
            self.store.world = replace(self.store.world, budget=fresh)

    # --- invariants -----------------------------------------------------------------------------

    def tick(self):
        sent = set(self.store.keys)
        plan = self.store.tick()
        before = self.before
        self.at_this_instant += 1
        assert self.at_this_instant < 60, (
            f"spinning at {self.store.now}: {plan.records} {self.open()}"
        )
        keys = [order.key for order in plan.orders]
        assert len(keys) == len(set(keys))
        self.mend_by_hand()
        self.check_promotions(before, plan)
        self.check_lanes()
        self.check_money()
        self.check_memo(before, plan, sent)
        for mission in self.store.missions.values():
            standing = mission.standing
            assert standing is None or (standing.reason and standing.next_action), standing

    def mend_by_hand(self):
        """Who gives a rollback up takes the target over, and mends it."""
        for settle in self.store.ended.values():
            if "refused to be taken back" in settle.outcome.detail:
                for target, revision in settle.deny:
                    if self.world.canary.get(target) == revision:
                        del self.world.canary[target]

    def check_promotions(self, before, plan):
        """P14: nothing is promoted or exposed further after a failing verdict."""
        failed = {
            mission.id
            for mission in before.missions
            for gate, _, verdict in mission.verdicts
            if gate in {"progressive_rollout", "post_deploy_slo"} and verdict.answer is Answer.FAIL
        }
        assert not [o for o in plan.orders if o.forward and o.mission in failed]

    def check_lanes(self):
        """Law 8: one outstanding run per loop step."""
        open_runs = [r.order for r in self.store.orders.values() if isinstance(r.order, StartRun)]
        for lane in (True, False):
            runs = [o.key for o in open_runs if (o.attempt == 0) is lane]
            assert len(runs) <= 1, runs

    def check_money(self):
        window = self.store.world.budget
        if window is not None:
            assert window.reserved >= 0
            assert window.reserved + window.spent <= window.cap

    def check_memo(self, before, plan, sent):
        """Judging everything anew gives the same orders and records."""
        stale = tuple(
            m if m.standing is None else replace(m, standing=replace(m.standing, version=-1))
            for m in before.missions
        )
        again = decide(replace(before, missions=stale))
        if again.look_again == before.now:
            return  # something came free late: the next tick hands it on
        assert {o.key for o in again.orders} - sent == {o.key for o in plan.orders} - sent
        assert sorted(map(repr, again.records)) == sorted(map(repr, plan.records))

    # --- trouble --------------------------------------------------------------------------------

    def new_need(self):
        self.needs += 1
        number, rng = self.needs, self.rng
        paths = rng.choice(((f"src/file{number}.py",), ("src",), (), (f"docs/{number}.md",)))
        made = need(
            number,
            mission_class=rng.choice(CLASSES),
            risk=rng.choice((Risk.R0, Risk.R1, Risk.R1, Risk.R2, Risk.R3)),
            paths=paths,
            first_seen=self.store.now,
        )
        self.store.needs[made.id] = made
        self.store.woken = True

    def disturb(self):
        if self.store.now < self.next_trouble:
            return
        self.next_trouble = self.store.now + timedelta(seconds=self.rng.randrange(20, 500))
        trouble = {
            self.new_need: 6, self.speak: 2, self.answer_question: 4, self.hold: 1,
            self.toggle_shadow: 1, self.new_policy: 2, self.darken: 1, self.world.move_main: 1,
            self.drift: 1, self.resume: 3,
        }  # fmt: skip
        self.rng.choices(list(trouble), list(trouble.values()))[0]()

    def speak(self):
        if self.store.missions and self.rng.random() < 0.5:
            mission = self.rng.choice(sorted(self.store.missions))
            word = self.rng.choice(("cancel", "reject", "rollback", "promote", "retry"))
            self.store.say(mission, said(mission, word, self.store.now))

    def answer_question(self):
        asked = sorted(id_ for id_, q in self.store.questions.items() if q.state == "open")
        if asked:
            self.store.answer(self.rng.choice(asked), granted=self.rng.random() < 0.8)

    def hold(self):
        lasts = self.rng.choice((5 * MINUTE, 20 * MINUTE, None))
        number = len(self.store.keys)
        self.store.freeze(
            Freeze(
                id=FreezeId(f"f-person-{number}-{self.store.now:%H%M%S}"),
                mission_class=self.rng.choice((*CLASSES, "*")),
                reason="Person",
                detail="drill",
                cause="alice",
                since=self.store.now,
                until=None if lasts is None else self.store.now + lasts,
                needs_token=self.rng.random() < 0.2,
                by="alice",
            )
        )

    def toggle_shadow(self):
        self.store.change(shadow=not self.store.world.shadow and self.rng.random() < 0.4)

    def new_policy(self):
        rng = self.rng
        self.policies += 1
        checks = rng.choice((("lint",), ("lint", "unit-tests"), ("lint", "extra"), ()))
        steps = rng.choice(
            (((10, "1m"), (100, "0s")), ((100, "0s"),), ((20, "0s"), (50, "2m"), (100, "0s")))
        )
        targets = rng.choice((TARGETS, TARGETS, TARGETS[:1], ()))
        freezing = {"freezeAfterFailures": rng.choice((3, 8)), "freezeDuration": "15m"}
        agents = (AgentBinding(name="tidy", cost=AGENT_COST),)
        self.store.change(
            policy_hash=f"other-{self.policies}",
            generation=1 + self.policies,
            spec=spec(
                mode=rng.choice(("assisted", "lights-out")),
                delivery=delivery(checks=checks, steps=steps, targets=targets),
                risk=freezing,
            ),
            installation=bound(
                checks=rng.choice((CHECKS, CHECKS, CHECKS, CHECKS - {"lint"})),
                targets=rng.choice((TARGETS, TARGETS, TARGETS, TARGETS[1:])),
                agents=rng.choice((agents, agents, agents, ())),
                attests=rng.choice((frozenset({REPO}), frozenset())),
                needs_token=rng.random() < 0.2,
            ),
        )

    def darken(self):
        dark = self.store.now if self.rng.random() < 0.5 else None
        self.store.change(sources=(SourceState(name="feed", dark_since=dark, detail="down"),))

    def drift(self):
        seen = () if self.rng.random() < 0.6 else ((TARGET, "runs something else"),)
        self.store.change(drifted=seen)

    # --- calm -----------------------------------------------------------------------------------

    def calm_down(self):
        if not self.world.calm:
            self.world.calm = True
            self.world.bad.clear()
            self.world.checked.clear()
            self.store.change(
                shadow=False, drifted=(), sources=(), policy_hash="policy-calm", generation=999,
                spec=spec(mode="lights-out", delivery=delivery()), installation=bound(),
            )  # fmt: skip
        for id_, asked in self.store.questions.items():
            if asked.state == "open":
                self.store.answer(id_, granted=True)
        self.help_out()
        self.resume()

    def help_out(self):
        """A person does once what a standing asks a person for."""
        words = {"RollbackRefused": "retry", "CanaryUndecided": "rollback"}
        for mission in list(self.store.missions.values()):
            standing = mission.standing
            if standing is None or standing.reason not in words:
                continue
            if (mission.id, standing.since) not in self.spoken:
                self.spoken.add((mission.id, standing.since))
                word = said(mission.id, words[standing.reason], self.store.now)
                self.store.say(mission.id, word)

    def resume(self):
        """A person ends open-ended freezes once they are proven, and gives tokens."""
        for hold in self.store.world.freezes:
            items = freeze.checklist(hold, self.store.now, self.store.world.resuming)
            left = [item for item in items if not item.done]
            if all("token" in item.text for item in left):
                kept = tuple(one for one in self.store.world.freezes if one is not hold)
                self.store.change(freezes=kept)


@pytest.mark.fast("0")
@pytest.mark.req("VAL-2")
@pytest.mark.req("LOOP-11")
@pytest.mark.req("FRZ-3")
@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize("seed", range(3))
def test_every_mission_ends_and_every_freeze_lifts_once_the_world_is_calm(seed):
    life = Life(seed, trouble=2 * HOUR).run()
    assert not life.store.refused


@pytest.mark.slow
@pytest.mark.req("LOOP-11")
@pytest.mark.req("FRZ-3")
@pytest.mark.parametrize("seed", range(100, 116))
def test_long_lives_end_well_too(seed):
    life = Life(seed).run()
    assert not life.store.refused
    assert len(life.store.ended) > 20
