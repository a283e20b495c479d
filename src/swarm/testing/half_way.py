"""A mission that is half-way: what happened to it, told fact by fact, and what is decided then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from swarm.core.decide import decide
from swarm.core.decision import Settle, Standing
from swarm.core.evidence import (
    Aborted,
    ArtifactJudged,
    ArtifactResult,
    CheckEnded,
    CheckResult,
    Fact,
    Landed,
    LookTaken,
    OrderRefused,
    Promoted,
    RegimeRead,
    Restaged,
    Reverted,
    RunEnded,
    RunResult,
    Synced,
    TrafficSet,
)
from swarm.core.ids import ApprovalId, FreezeId, MissionId, evidence_id, order_key, run_id
from swarm.core.nouns import Approval, Change, Freeze, MissionKind, OutcomeKind, Risk
from swarm.core.rollout.counts import ArmCounts, LatencyHistogram, Look
from swarm.core.snapshot import Mission, OpenOrder, Snapshot
from swarm.testing.builders import NOON, REPO, TARGET, change, mission, snapshot, spec
from swarm.testing.paper import said

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
HEAD, BASE = "head0001", "main0001"
DELIVERY: dict[str, Any] = {
    "repoAllowlist": [REPO], "requiredChecks": ["lint"], "deploymentTargets": [TARGET],
}  # fmt: skip
T = TypeVar("T")


class Evidence:
    """Facts of one mission, each under the id of the order that it settles."""

    def __init__(self, me: Mission | None = None) -> None:
        self.me = me or mission(1, contract=replace(mission(1).contract, checks=("lint",)))
        self.facts: list[Fact] = []
        self.at = NOON - HOUR

    def _add(self, kind: Callable[..., Fact], *parts: str, **fields: Any) -> Self:
        id_ = evidence_id(order_key(self.me.id, *parts))
        self.at += SECOND
        fields.setdefault("at", self.at)
        self.facts.append(kind(id=id_, **fields))
        return self

    def ran(self, result: RunResult = RunResult.CHANGED, made: Change | None = None) -> Self:
        """The next run ended; with a change of `HEAD` unless it says otherwise."""
        attempt = sum(isinstance(fact, RunEnded) for fact in self.facts)
        if result is RunResult.CHANGED:
            made = made or change(head=HEAD, base=BASE)
        return self._add(
            RunEnded, "run", str(attempt), run=run_id(self.me.id, attempt), attempt=attempt,
            result=result, change=made,
        )  # fmt: skip

    def checked(
        self,
        result: CheckResult = CheckResult.GREEN,
        commit: str = HEAD,
        check: str = "lint",
        **over: Any,
    ) -> Self:
        """A check ended."""
        return self._add(
            CheckEnded, "check", commit, check, check=check, commit=commit, result=result, **over
        )

    def attested(self, result: ArtifactResult = ArtifactResult.VERIFIED) -> Self:
        """Its artefact was judged."""
        return self._add(ArtifactJudged, "artifact", HEAD, commit=HEAD, result=result)

    def green(self) -> Self:
        """All that must be there before it may land."""
        return self.ran().checked().attested()

    def landed(self, *, landed: bool = True, main: str = HEAD) -> Self:
        """It is on main; or not, because main is there."""
        return self._add(
            Landed, "land", HEAD, BASE, repo=REPO, commit=HEAD, landed=landed, main=main
        )

    def restaged(self, made: Change | None = None, onto: str = "main0002") -> Self:
        """It was put on top of a main that moved; without a change there was a conflict."""
        return self._add(
            Restaged,
            "restage",
            HEAD,
            onto,
            old_head=HEAD,
            onto=onto,
            change=made,
            detail="conflict",
        )

    def synced(self, target: str = TARGET, *, healthy: bool = True, stable: str = BASE) -> Self:
        """A target has both versions."""
        return self._add(
            Synced, "sync", target, HEAD, target=target, revision=HEAD, healthy=healthy,
            stable=stable,
        )  # fmt: skip

    def exposed(self, step: int, percent: int, target: str = TARGET, **over: Any) -> Self:
        """The canary has that share."""
        return self._add(
            TrafficSet, "traffic", target, HEAD, str(step), target=target, step=step,
            percent=percent, **over,
        )  # fmt: skip

    def looked(
        self, look: Look, step: int = 0, number: int = 0, regime: RegimeRead | None = None
    ) -> Self:
        """A look at the canary, said when it was taken."""
        return self._add(
            LookTaken, "look", TARGET, HEAD, f"{step}.{number}", target=TARGET, step=step,
            number=number, look=look, at=look.observed_at, regime=regime,
        )  # fmt: skip

    def promoted(self, target: str = TARGET, revision: str = HEAD) -> Self:
        """All traffic is its own."""
        return self._add(Promoted, "promote", target, HEAD, target=target, revision=revision)

    def aborted(self, *again: str, target: str = TARGET, proven: bool = True, **over: Any) -> Self:
        """It was taken off a target."""
        return self._add(
            Aborted, "abort", target, HEAD, *again, target=target, revision=HEAD, serving=BASE,
            proven=proven, **over,
        )  # fmt: skip

    def refused(self, verb: str, *parts: str, **over: Any) -> Self:
        """An order was refused for good."""
        return self._add(
            OrderRefused, verb, *parts, verb=verb, reason="NotHere", detail="no", **over
        )

    def reverted(self, *, reverted: bool = True) -> Self:
        """It was taken back on main."""
        return self._add(
            Reverted, "revert", HEAD, repo=REPO, undone=HEAD, commit="undo0001", reverted=reverted
        )

    def spoken(self, word: str, at: datetime | None = None) -> Self:
        """A person said a word on it."""
        self.facts.append(said(self.me.id, word, at or self.at + SECOND))
        return self

    def mission(self, **over: Any) -> Mission:
        """The mission that knows all this."""
        facts = tuple(self.facts)
        return replace(self.me, facts=facts, version=len(facts), **over)

    def snapshot(self, **over: Any) -> Snapshot:
        """A world with this mission alone."""
        fields = {"spec": spec(delivery=DELIVERY), "missions": (self.mission(),)}
        return snapshot(**{**fields, **over})


def orders(snap: Snapshot, kind: type[T]) -> list[T]:
    """The orders of that kind in the plan of this tick."""
    return [order for order in decide(snap).orders if isinstance(order, kind)]


def records(snap: Snapshot, kind: type[T]) -> list[T]:
    """The records of that kind in the plan of this tick."""
    return [record for record in decide(snap).records if isinstance(record, kind)]


def standing(snap: Snapshot, id_: str = "m-1") -> Standing:
    """Where the plan says that a mission stands."""
    return dict(decide(snap).standings)[MissionId(id_)]


def outcome(snap: Snapshot) -> tuple[OutcomeKind, str, bool]:
    """How the one mission that ends in this tick ends: kind, reason, whether it is a failure."""
    (settled,) = records(snap, Settle)
    return settled.outcome.kind, settled.outcome.reason, settled.outcome.counts_as_failure


def next_tick(snap: Snapshot, **over: Any) -> Snapshot:
    """The snapshot after this tick's orders were issued and its standings kept."""
    plan = decide(snap)
    stood = dict(plan.standings)
    missions = tuple(
        replace(
            one,
            standing=stood.get(one.id, one.standing),
            orders=(
                *one.orders,
                *(
                    OpenOrder(key=o.key, kind=o.kind, issued_at=snap.now, begun=True)
                    for o in plan.orders
                    if o.mission == one.id and o.key not in {known.key for known in one.orders}
                ),
            ),
        )
        for one in snap.missions
    )
    return replace(snap, missions=missions, **over)


def hold(scope: str = "tidy", **over: Any) -> Freeze:
    """An open freeze of a class."""
    fields = {
        "id": FreezeId("f-1"), "mission_class": scope, "reason": "Drill", "detail": "",
        "cause": "m-9", "since": NOON - HOUR, "until": NOON + HOUR,
    }  # fmt: skip
    return Freeze(**{**fields, **over})


def requalifying(**over: Any) -> Mission:
    """The mission that is to lift that freeze."""
    contract = replace(mission(7).contract, checks=("lint",))
    return mission(
        7, kind=MissionKind.REQUALIFY, need=None, freeze="f-1", contract=contract, **over
    )


def approved(evidence: Evidence, **over: Any) -> Snapshot:
    """The same mission as R2, with a person's yes to it."""
    fields = {
        "id": ApprovalId("a-1"), "mission": "m-1", "commit": HEAD, "policy_hash": "policy-1",
        "approver": "alice", "reason": "ok", "granted": True, "at": NOON - HOUR,
        "expires_at": NOON + HOUR,
    }  # fmt: skip
    answer = Approval(**{**fields, **over})
    me = evidence.mission(approvals=(answer,), risk=Risk.R2)
    return evidence.snapshot(missions=(me,), spec=spec(mode="assisted", delivery=DELIVERY))


def elsewhere(repo: str, targets: tuple[str, ...] = (TARGET,)) -> Mission:
    """A mission of that repository in the middle of its rollout, opened before all others."""
    contract = replace(mission(2).contract, checks=("lint",), targets=targets)
    me = mission(2, repo=repo, opened_at=NOON - HOUR, contract=contract)
    return Evidence(me).green().landed().synced().exposed(0, 10).mission()


def arm(total: float, edges: tuple[float, ...] = (0.01, 0.1)) -> ArmCounts:
    """So many requests, none of them bad, all between these edges (seconds) or below."""
    latency = LatencyHistogram(edges=edges, cumulative=(total / 2, total), total=total)
    return ArmCounts(total=total, bad=0.0, latency=latency)


def look(at: datetime, total: float = 1_000.0, percent: int = 10, **over: Any) -> Look:
    """Counters of both arms, in which nothing is wrong."""
    return Look(
        observed_at=at, traffic_percent=percent, canary=arm(total, **over), stable=arm(9 * total)
    )


def rolling(**over: Any) -> Evidence:
    """A mission at the first step of its rollout."""
    return Evidence().green().landed().synced().exposed(0, 10, **over)
