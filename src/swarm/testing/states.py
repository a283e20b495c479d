"""Every combination of what decides a mission's next move, as evidence that decide can read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from swarm.contract.swarm import SwarmSpec
from swarm.core.evidence import (
    Aborted,
    ArtifactJudged,
    ArtifactResult,
    CheckEnded,
    CheckResult,
    Fact,
    Landed,
    LookTaken,
    Promoted,
    Restaged,
    Reverted,
    RunEnded,
    RunResult,
    Synced,
    TrafficSet,
)
from swarm.core.ids import ApprovalId, EvidenceId, FreezeId, OrderKey, run_id
from swarm.core.nouns import Approval, Change, Freeze, Risk
from swarm.core.rollout.counts import ArmCounts, LatencyHistogram, Look
from swarm.core.snapshot import Mission, OpenOrder, Snapshot
from swarm.testing.builders import NOON, REPO, TARGET, change, installation, mission, snapshot, spec

_LOOKS, _REQUESTS_PER_SECOND, _ERRORS = 8, 20_000.0, 0.001
BASE, HEAD = "main0001", "head0001"


@dataclass(frozen=True, kw_only=True)
class State:
    """One point of the state space. Every field is a word of the document."""

    mode: str = "lights-out"
    risk: Risk = Risk.R1
    frozen: str = "no"  # no | class | swarm | other-class
    shadow: bool = False
    attested: bool = True
    r3_allowed: bool = False
    off: str = ""  # plan | implement | verify: the stage that is switched off
    checks: str = "green"  # none-required | unasked | pending | green | red | never | unbound
    base: str = "unknown"  # unknown | green | red: the same check on main
    fixes: int = 0  # fix attempts already made
    run: str = "changed"  # none | open | changed | nothing | failed | timed-out | refused
    approval: str = "none"  # none | granted | denied | other-commit | other-policy | expired
    artifact: str = "none"  # none | verified | refused
    main: str = "here"  # here | moved | conflict
    rollout: str = "not-landed"
    # not-landed | landed | unhealthy | synced | watching | undecided | failing | passed | last
    # | slo-watching | slo-failing | slo-held | promoted | aborting | aborted | reverted


POLICY = [
    State(mode=mode, risk=risk, frozen=frozen, shadow=shadow, attested=attested, r3_allowed=allowed)
    for mode, risk, frozen, shadow, attested, allowed in itertools.product(
        ("assisted", "lights-out"),
        Risk,
        ("no", "class", "swarm", "other-class"),
        (False, True),
        (True, False),
        (False, True),
    )
]
#: Not times all others: a stage that is off is asked of after them, and the space stays small.
POLICY += [
    State(mode=mode, risk=risk, off=off)
    for mode, risk, off in itertools.product(
        ("assisted", "lights-out"), Risk, ("plan", "implement", "verify")
    )
]


def work() -> list[dict[str, Any]]:
    """Every stage of the work, policy left aside."""
    stages: list[dict[str, Any]] = [
        {"run": "none"},
        {"run": "open"},
        {"run": "nothing"},
        {"run": "refused"},
    ]
    for run, fixes in itertools.product(("failed", "timed-out"), (0, 1, 2, 3)):
        stages.append({"run": run, "fixes": fixes})
    stages += [{"checks": word} for word in ("none-required", "unasked", "pending", "unbound")]
    for checks, base, fixes in itertools.product(
        ("red", "never"), ("unknown", "green", "red"), (0, 1, 2, 3)
    ):
        stages.append({"checks": checks, "base": base, "fixes": fixes})
    for approval, artifact, main in itertools.product(
        ("none", "granted", "denied", "other-commit", "other-policy", "expired"),
        ("none", "verified", "refused"),
        ("here", "moved", "conflict"),
    ):
        stages.append({"approval": approval, "artifact": artifact, "main": main})
    stages += [
        {"rollout": word, "artifact": "verified"}
        for word in (
            "landed", "unhealthy", "synced", "watching", "undecided", "failing", "passed", "last",
            "slo-watching", "slo-failing", "slo-held", "promoted", "aborting", "aborted",
            "reverted",
        )
    ]  # fmt: skip
    return stages


def every_state() -> list[State]:
    """The whole space: each stage of the work under each policy."""
    return [replace(policy, **stage) for policy in POLICY for stage in work()]


def build(state: State) -> Snapshot:
    """The snapshot that this state describes; one mission, opened an hour ago."""
    allowed = frozenset({REPO, TARGET}) if state.r3_allowed else frozenset()
    bound = installation(
        attests=frozenset({REPO}) if state.attested else frozenset(),
        r3_allowed=allowed,
        checks=frozenset() if state.checks == "unbound" else frozenset({"lint"}),
    )
    snap = snapshot(
        spec=_spec(state.mode, state.off, () if state.checks == "none-required" else ("lint",)),
        installation=bound,
        shadow=state.shadow,
        freezes=_freezes(state),
        policy_hash="policy-1",
    )
    return replace(snap, missions=(_Evidence(state, snap).mission(),))


@cache
def _spec(mode: str, off: str, checks: tuple[str, ...]) -> SwarmSpec:
    delivery = {
        "repoAllowlist": [REPO],
        "requiredChecks": list(checks),
        "deploymentTargets": [TARGET],
    }
    stages = {"execution": {off: {"enabled": False}}} if off else {}
    return spec(mode=mode, delivery=delivery, **stages)


def _freezes(state: State) -> tuple[Freeze, ...]:
    scope = {"class": "tidy", "swarm": "*", "other-class": "docs"}.get(state.frozen)
    if scope is None:
        return ()
    hold = Freeze(
        id=FreezeId("f-1"),
        mission_class=scope,
        reason="Drill",
        detail="",
        cause="m-9",
        since=NOON,
        until=NOON + timedelta(hours=1),
    )
    return (hold,)


class _Evidence:
    """Collects the facts of one state, one minute apart, the newest one at noon."""

    def __init__(self, state: State, snap: Snapshot) -> None:
        self.state, self.snap = state, snap
        self.facts: list[Fact] = []
        self.me = mission(1)
        self.orders: list[OpenOrder] = []

    def mission(self) -> Mission:
        """The mission with everything collected."""
        state = self.state
        checks = () if state.checks == "none-required" else ("lint",)
        empty = mission(1, risk=state.risk, opened_at=NOON - timedelta(hours=2))
        self.me = replace(empty, contract=replace(empty.contract, checks=checks))
        self._runs()
        if state.run == "changed":
            self._checks()
            self._delivery()
            self._rollout()
        facts = tuple(self.facts)
        return replace(
            self.me,
            facts=facts,
            orders=tuple(self.orders),
            approvals=self._approvals(),
            version=len(facts),
        )

    def add(self, kind: Callable[..., Fact], **fields: Any) -> None:
        """One more fact; all but the looks and the exposures are an hour old."""
        fields.setdefault("at", NOON - timedelta(hours=1))
        self.facts.append(kind(id=EvidenceId(f"e-{len(self.facts)}"), **fields))

    def order(self, key: str, kind: str = "run-check") -> None:
        """One order that was issued a minute ago and is not settled."""
        issued = NOON - timedelta(minutes=1)
        self.orders.append(OpenOrder(key=OrderKey(key), kind=kind, issued_at=issued, begun=True))

    def _runs(self) -> None:
        state = self.state
        for attempt in range(state.fixes):
            self._run(attempt, RunResult.CHANGED, change(head=f"old{attempt}"))
        if state.run == "open":
            self.order(f"{self.me.id}/run/{state.fixes}", "start-run")
        elif state.run != "none":
            made = change(head=HEAD, base=BASE) if state.run == "changed" else None
            self._run(state.fixes, RunResult(state.run), made)

    def _run(self, attempt: int, result: RunResult, made: Change | None) -> None:
        self.add(
            RunEnded,
            run=run_id(self.me.id, attempt),
            attempt=attempt,
            result=result,
            change=made,
            violations=("Symlink: a: link",) if result is RunResult.REFUSED else (),
        )

    def _checks(self) -> None:
        state = self.state
        results = {
            "green": CheckResult.GREEN,
            "red": CheckResult.RED,
            "never": CheckResult.NEVER_REPORTED,
            "unbound": CheckResult.NOT_CONFIGURED,
        }
        if state.checks in results:
            self.add(CheckEnded, check="lint", commit=HEAD, result=results[state.checks])
        if state.checks == "pending":
            self.order(f"{self.me.id}/check/{HEAD}/lint")
        if state.base != "unknown":
            self.add(CheckEnded, check="lint", commit=BASE, result=results[state.base])

    def _delivery(self) -> None:
        state = self.state
        if state.artifact != "none":
            self.add(ArtifactJudged, commit=HEAD, result=ArtifactResult(state.artifact))
        if state.main == "moved":
            self.add(Landed, repo=REPO, commit=HEAD, landed=False, main="main0002")
        if state.main == "conflict":
            self.add(Restaged, old_head=HEAD, onto="main0002", change=None, detail="conflict")

    def _rollout(self) -> None:
        """The facts of every step up to the one that the state names."""
        word = self.state.rollout
        if word == "not-landed":
            return
        self.add(Landed, repo=REPO, commit=HEAD, landed=True, main=HEAD)
        if word == "landed":
            return
        healthy = word != "unhealthy"
        self.add(Synced, target=TARGET, revision=HEAD, healthy=healthy, stable=BASE)
        if word in {"unhealthy", "synced"}:
            return
        self._expose(0, 10, just_now=word == "watching")
        if word in {"watching", "undecided"}:
            return
        self._looks(0, 10, bad=word == "failing")
        if word not in {"failing", "passed"}:
            self._full_exposure(word)

    def _full_exposure(self, word: str) -> None:
        self._expose(1, 30)
        self._looks(1, 30)
        if word == "last":
            return
        self._expose(2, 100)
        if word == "slo-watching":
            return
        self._looks(2, 100, bad=word not in {"slo-held", "promoted"})
        if word == "promoted":
            self.add(Promoted, target=TARGET, revision=HEAD)
        if word == "aborting":
            self.order(f"{self.me.id}/abort/{TARGET}/{HEAD}", "abort")
        if word in {"aborted", "reverted"}:
            self.add(Aborted, target=TARGET, revision=HEAD, serving=BASE, proven=True)
        if word == "reverted":
            self.add(Reverted, repo=REPO, undone=HEAD, commit="revert1", reverted=True)

    def _begun(self, step: int) -> datetime:
        """When a step began, 20 minutes before the next: its last look is a minute old at noon."""
        newest = {"passed": 0, "failing": 0, "last": 1}.get(self.state.rollout, 2)
        return NOON - timedelta(minutes=20 * (newest - step + 1))

    def _expose(self, step: int, percent: int, *, just_now: bool = False) -> None:
        begun = NOON - timedelta(minutes=1) if just_now else self._begun(step)
        self.add(TrafficSet, target=TARGET, step=step, percent=percent, at=begun)

    def _looks(self, step: int, percent: int, *, bad: bool = False) -> None:
        """Looks at one step, enough good or bad ones to settle it."""
        begun = self._begun(step)
        for number in range(_LOOKS):
            seconds = number * 19 * 60 / (_LOOKS - 1)
            total = (20 * 60 * step + seconds) * _REQUESTS_PER_SECOND
            canary = total * percent / 100
            stable = 10_000_000 + total - canary
            look = Look(
                observed_at=begun + timedelta(seconds=seconds),
                traffic_percent=percent,
                canary=_arm(canary, canary * (0.2 if bad else _ERRORS)),
                stable=_arm(stable, stable * _ERRORS),
            )
            fact = LookTaken(
                id=EvidenceId(f"e-{len(self.facts)}"),
                at=look.observed_at,
                target=TARGET,
                step=step,
                number=number,
                look=look,
            )
            self.facts.append(fact)

    def _approvals(self) -> tuple[Approval, ...]:
        word = self.state.approval
        if word == "none":
            return ()
        late = NOON - timedelta(hours=1) if word == "expired" else NOON + timedelta(hours=1)
        answer = Approval(
            id=ApprovalId("a-1"),
            mission=self.me.id,
            commit="other000" if word == "other-commit" else HEAD,
            policy_hash="policy-0" if word == "other-policy" else "policy-1",
            approver="alice",
            reason="read it",
            granted=word != "denied",
            at=NOON - timedelta(hours=2),
            expires_at=late,
        )
        return (answer,)


def _arm(total: float, bad: float) -> ArmCounts:
    histogram = LatencyHistogram(
        edges=(0.005, 0.01, 0.05, 0.1), cumulative=(total / 2, total, total, total), total=total
    )
    return ArmCounts(total=total, bad=min(bad, total), latency=histogram)
