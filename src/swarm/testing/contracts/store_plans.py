"""The plans that the contract of a store has it write down, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from swarm.core.decision import Land, OpenMission, Plan, RunCheck, SetTraffic, StartRun
from swarm.core.ids import NeedId, mission_id, order_key, run_id
from swarm.core.nouns import Brief, MissionKind, Risk, ValidationContract

LEASE = timedelta(minutes=1)
CLASS = "tidy"
_CONTRACT = ValidationContract(
    checks=("lint",),
    targets=(),
    allowed_paths=("src",),
    error_increase=0.2,
    latency_increase=0.15,
    observe_for=timedelta(minutes=10),
    evidence_wanted=(),
)


def plan(*, orders: Sequence[object] = (), records: Sequence[object] = ()) -> Plan:
    """A plan of these orders and records."""
    return Plan(
        orders=tuple(orders),  # type: ignore[arg-type]
        records=tuple(records),  # type: ignore[arg-type]
        standings=(),
        look_again=None,
        idle_reason="NothingToDo",
    )


def opening(need: NeedId, at: datetime, round_: int = 0) -> OpenMission:
    """The record that opens a mission for it."""
    return OpenMission(
        id=mission_id(need, round_), need=need, kind=MissionKind.DELIVER,
        parent=None, depth=0, mission_class=CLASS, risk=Risk.R1, repo="acme/shop", title="Mend it",
        agent="tidy", contract=_CONTRACT, reserve=0, rank_terms=(("value", 1.0),), at=at,
    )  # fmt: skip


def start_run(mission: str, policy: str) -> StartRun:
    """A forward order."""
    run = run_id(mission, 0)  # type: ignore[arg-type]
    brief = Brief(run=run, goal="g", facts=(), allowed_paths=("src",), checks=(), rule="")
    return StartRun(
        key=order_key(mission, "run", "0"), mission=mission, mission_class=CLASS,  # type: ignore[arg-type]
        policy_hash=policy, run=run, attempt=0, agent="tidy", repo="acme/shop", base="", onto="",
        brief=brief, deadline=LEASE,
    )  # fmt: skip


def land(mission: str, policy: str) -> Land:
    """A forward order that moves main."""
    return Land(
        key=order_key(mission, "land", "c1"), mission=mission, mission_class=CLASS,  # type: ignore[arg-type]
        policy_hash=policy, repo="acme/shop", base="b", head="c1",
    )  # fmt: skip


def set_traffic(mission: str, policy: str) -> SetTraffic:
    """A forward order that passes a gate."""
    return SetTraffic(
        key=order_key(mission, "traffic", "1"), mission=mission, mission_class=CLASS,  # type: ignore[arg-type]
        policy_hash=policy, target="orders", revision="c1", step=1, percent=50,
    )  # fmt: skip


def run_check(mission: str, policy: str) -> RunCheck:
    """An order that only observes."""
    return RunCheck(
        key=order_key(mission, "check", "c1", "lint"), mission=mission, mission_class=CLASS,  # type: ignore[arg-type]
        policy_hash=policy, forward=False, check="lint", repo="acme/shop", commit="c1", base="b",
        deadline=LEASE,
    )  # fmt: skip
