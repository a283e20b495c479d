"""One mission walked by hand from need to outcome, each step as the document tells it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.verdict import Answer
from swarm.core.decide import decide
from swarm.core.decision import (
    Abort,
    GiveVerdict,
    JudgeArtifact,
    Land,
    OpenMission,
    Promote,
    Revert,
    RunCheck,
    Settle,
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
    LookTaken,
    Promoted,
    Reverted,
    RunEnded,
    RunResult,
    Synced,
    TrafficSet,
)
from swarm.core.ids import evidence_id
from swarm.core.nouns import MissionKind, OutcomeKind
from swarm.core.rollout.counts import ArmCounts, LatencyHistogram, Look
from swarm.core.snapshot import Mission, Snapshot
from swarm.testing.builders import NOON, change, mission, need, snapshot

EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


def arm(requests, errors, slow):
    """Requests so far; the slow ones took up to 0.25 s, the rest up to 0.01 s."""
    fast = requests - slow
    counts = [fast * 0.5, fast, fast, fast, fast, requests, requests, requests]
    latency = LatencyHistogram(edges=EDGES, cumulative=tuple(counts), total=requests)
    return ArmCounts(total=requests, bad=errors, latency=latency)


class Walk:
    """A world that answers each order at once, with 1,000 requests a minute."""

    def __init__(self, *, bad_errors=0.0, red_checks=(), steps=200):
        self.bad_errors, self.red = bad_errors, set(red_checks)
        self.snap: Snapshot = snapshot(needs=(need(1),))
        self.kinds: list[str] = []
        self.settled: list[Settle] = []
        self.verdicts: list[GiveVerdict] = []
        self.opened: list[OpenMission] = []
        self.steps = steps

    def run(self):
        for _ in range(self.steps):
            plan = decide(self.snap)
            self._keep(plan)
            if self.settled and not self.snap.missions:
                return self
            orders = [o for m in self.snap.missions for o in plan.orders if o.mission == m.id]
            if orders:
                for order in orders:
                    self._answer(order)
            elif not any(isinstance(r, OpenMission) for r in plan.records):
                later = plan.look_again or self.snap.now + timedelta(seconds=30)
                self.snap = replace(self.snap, now=max(later, self.snap.now + timedelta(seconds=1)))
        raise AssertionError(f"did not end: {self.kinds[-10:]} {self.snap.missions}")

    def _keep(self, plan):
        missions = {m.id: m for m in self.snap.missions}
        for record in plan.records:
            match record:
                case OpenMission() if record.kind is MissionKind.DELIVER:
                    self.opened.append(record)
                    made = mission(1, id=record.id, contract=record.contract)
                    missions[record.id] = replace(made, opened_at=self.snap.now)
                    self.snap = replace(self.snap, needs=())
                case OpenMission():
                    self.opened.append(record)
                case GiveVerdict():
                    self.verdicts.append(record)
                    m = missions[record.mission]
                    rest = tuple(v for v in m.verdicts if v[:2] != (record.gate, record.subject))
                    kept = (*rest, (record.gate, record.subject, record.verdict))
                    missions[m.id] = replace(m, verdicts=kept)
                case Settle():
                    self.settled.append(record)
                    missions.pop(record.mission)
        for mission_id, standing in plan.standings:
            if mission_id in missions:
                missions[mission_id] = replace(missions[mission_id], standing=standing)
        self.snap = replace(self.snap, missions=tuple(missions.values()))

    def _answer(self, order):
        self.kinds.append(order.kind)
        self.snap = replace(self.snap, now=self.snap.now + timedelta(milliseconds=10))
        common = {"id": evidence_id(order.key), "at": self.snap.now, "source": "walk"}
        fact = self._fact(order, common)
        found: Mission = next(m for m in self.snap.missions if m.id == order.mission)
        grown = replace(found, facts=(*found.facts, fact), version=found.version + 1)
        others = tuple(m for m in self.snap.missions if m.id != order.mission)
        self.snap = replace(self.snap, missions=(*others, grown))

    def _fact(self, order, common):  # noqa: C901 - one arm per order
        match order:
            case StartRun():
                made = change(head=f"head{order.attempt}")
                return RunEnded(
                    **common,
                    run=order.run,
                    attempt=order.attempt,
                    result=RunResult.CHANGED,
                    change=made,
                )
            case RunCheck():
                red = (order.check, order.commit) in self.red or (order.check, "*") in self.red
                red = red and order.commit != "main0001"
                result = CheckResult.RED if red else CheckResult.GREEN
                return CheckEnded(**common, check=order.check, commit=order.commit, result=result)
            case JudgeArtifact():
                return ArtifactJudged(**common, commit=order.commit, result=ArtifactResult.VERIFIED)
            case Land():
                return Landed(
                    **common, repo=order.repo, commit=order.head, landed=True, main=order.head
                )
            case Sync():
                return Synced(
                    **common,
                    target=order.target,
                    revision=order.revision,
                    healthy=True,
                    stable="main0001",
                )
            case SetTraffic():
                self.percent, self.since = order.percent, self.snap.now
                return TrafficSet(
                    **common, target=order.target, step=order.step, percent=order.percent
                )
            case TakeLook():
                return LookTaken(
                    **common,
                    target=order.target,
                    step=order.step,
                    number=order.number,
                    look=self._look(),
                )
            case Promote():
                return Promoted(**common, target=order.target, revision=order.revision)
            case Abort():
                return Aborted(
                    **common,
                    target=order.target,
                    revision=order.revision,
                    serving=order.stable,
                    proven=True,
                )
            case Revert():
                return Reverted(
                    **common, repo=order.repo, undone=order.commit, commit="revert1", reverted=True
                )
        raise AssertionError(order)

    def _look(self):
        seconds = (self.snap.now - NOON).total_seconds()
        total = 100_000 + seconds * 200
        canary = seconds * 200 * self.percent / 100
        return Look(
            observed_at=self.snap.now,
            traffic_percent=self.percent,
            canary=arm(canary, canary * (0.01 + self.bad_errors), 0.02 * canary),
            stable=arm(total - canary, (total - canary) * 0.01, 0.02 * (total - canary)),
        )


@pytest.mark.req("LOOP-8")
def test_a_good_change_goes_through_all_rooms_and_is_delivered():
    walk = Walk().run()
    order = list(dict.fromkeys(walk.kinds))
    assert order == [
        "start-run",
        "run-check",
        "judge-artifact",
        "land",
        "sync",
        "set-traffic",
        "take-look",
        "promote",
    ]
    assert walk.kinds.count("set-traffic") == 3
    assert [s.outcome.kind for s in walk.settled] == [OutcomeKind.DELIVERED]
    passed = {v.gate for v in walk.verdicts if v.verdict.answer is Answer.PASS}
    assert passed == {
        "discovery_quality",
        "code_quality",
        "merge_policy",
        "supply_chain",
        "progressive_rollout",
        "post_deploy_slo",
    }


@pytest.mark.req("FAIL-2")
def test_a_failing_canary_rolls_back_once_and_opens_one_remediation():
    walk = Walk(bad_errors=0.2).run()
    assert walk.kinds.count("abort") == 1
    assert walk.kinds.count("revert") == 1
    assert walk.kinds[-2:] == ["abort", "revert"]
    assert [s.outcome.kind for s in walk.settled] == [OutcomeKind.ROLLED_BACK]
    assert [m.kind for m in walk.opened] == [MissionKind.DELIVER, MissionKind.REMEDIATE]


@pytest.mark.req("FAIL-1")
def test_a_red_check_gets_exactly_three_fixes_then_the_mission_fails():
    walk = Walk(red_checks={("lint", "*")}).run()
    assert walk.kinds.count("start-run") == 4
    assert "land" not in walk.kinds
    (settled,) = walk.settled
    assert (settled.outcome.kind, settled.outcome.reason) == (OutcomeKind.FAILED, "RetriesSpent")
    assert settled.outcome.counts_as_failure
