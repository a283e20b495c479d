"""Select: the highest-value needs that policy allows right now, each refusal with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter

from swarm.contract.verdict import Answer, Verdict
from swarm.core.decision import GiveVerdict, OpenMission, RejectNeed, Standing
from swarm.core.gates import discovery_quality
from swarm.core.ids import NeedId, mission_id
from swarm.core.nouns import MissionKind, Need, NeedState, Risk, ValidationContract
from swarm.core.policy import (
    backpressure,
    budget,
    exclusive,
    freeze,
    overlap,
    ranking,
    risk,
    stages,
)
from swarm.core.policy.freeze import EVERYTHING
from swarm.core.reasons import Reason
from swarm.core.snapshot import AgentBinding, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What selecting came to: missions to open, needs that leave the backlog, and why not more.

    founded:     what Gate 1 said of each of those missions.
    passed_over: need, reason, detail for needs that ranked above the last chosen one (or the
                 first few, when none was chosen).
    look_again:  when the budget's window ends, if money is what is missing.
    """

    opened: tuple[OpenMission, ...] = ()
    founded: tuple[GiveVerdict, ...] = ()
    rejected: tuple[RejectNeed, ...] = ()
    passed_over: tuple[tuple[NeedId, str, str], ...] = ()
    idle_reason: str = ""
    look_again: datetime | None = None


PASSED_OVER_KEPT = 20


def choose(
    snapshot: Snapshot,
    occupied: overlap.Occupied,
    open_missions: int,
    standings: Iterable[Standing],
) -> Selection:
    """Fill the free slots, best need first; `occupied` counts what is opened here from then on.

    Cost: one pass over the needs until slots are full.
    """
    blocked = _nothing_at_all(snapshot, open_missions, standings)
    if blocked is not None:
        return Selection(idle_reason=blocked, look_again=_window_ends(snapshot, [blocked]))
    slots = snapshot.installation.max_missions - open_missions
    taken = 0  # micro-units that this very tick reserves
    opened: list[OpenMission] = []
    founded: list[GiveVerdict] = []
    rejected: list[RejectNeed] = []
    passed: list[tuple[NeedId, str, str]] = []
    policy = snapshot.spec.discovery
    dark, named = len(snapshot.dark), len(policy.sources)
    for declared in _ranked(snapshot):
        if len(opened) >= slots:
            break
        need = _raised(declared, snapshot)
        gate = discovery_quality.judge(need, policy, dark, named)
        if (never := _never(need, gate)) is not None:
            rejected.append(_rejected(need, never, snapshot))
            continue
        agent = agent_for(need, snapshot)
        reserve = budget.reservation(agent) if agent else 0
        why = (
            refusal(need, snapshot, occupied)
            or _waits(gate)
            or _cannot_pay(reserve, taken, snapshot)
        )
        if why is not None or agent is None:
            if len(passed) < PASSED_OVER_KEPT and why is not None:
                passed.append((need.id, *why))
            continue
        terms = ranking.terms(declared, snapshot.now, _bias(need, snapshot))
        mission = _open(need, agent, reserve, terms, snapshot)
        taken += reserve
        for resource in overlap.resources(need.repo, need.paths):
            occupied.add(resource, mission.id)
        opened.append(mission)
        founded.append(_founded(mission, gate))
    idle = "" if opened else _idle(rejected, passed)
    return Selection(
        opened=tuple(opened),
        founded=tuple(founded),
        rejected=tuple(rejected),
        passed_over=tuple(passed),
        idle_reason=idle,
        look_again=_window_ends(snapshot, [reason for _, reason, _ in passed]),
    )


def _ranked(snapshot: Snapshot) -> list[Need]:
    """The needs, best first: static rank plus what was learned about their class; then by id."""
    bias = dict(snapshot.class_bias)
    ranked = sorted(snapshot.needs, key=attrgetter("id"))
    # Two stable sorts: ten thousand needs at each tick, so without a tuple for each.
    if bias:
        ranked.sort(key=lambda need: need.rank + bias.get(need.mission_class, 0.0), reverse=True)
    else:
        ranked.sort(key=attrgetter("rank"), reverse=True)
    return ranked


def _raised(need: Need, snapshot: Snapshot) -> Need:
    """The need under the class of the paths that it names, whatever its source says (MODE-1)."""
    level = risk.of_paths(need.risk, need.paths, snapshot.installation.risk_rules).risk
    return need if level is need.risk else replace(need, risk=level)


def _never(need: Need, gate: Verdict) -> tuple[Reason, str] | None:
    """Why it leaves the backlog until new evidence comes; None while it may stay.

    What waiting does not change may not stay: it is the oldest before long, and a tick reads no
    more than the best few hundred.
    """
    if gate.answer is Answer.FAIL:
        return Reason(gate.reason), gate.detail
    if (path := exclusive.touched(need.paths)) is not None:
        return Reason.EXCLUSIVE_CONTROL, f"{path!r} is changed by people alone"
    return None


def _bias(need: Need, snapshot: Snapshot) -> float:
    return dict(snapshot.class_bias).get(need.mission_class, 0.0)


def _waits(gate: Verdict) -> tuple[Reason, str] | None:
    return (Reason(gate.reason), gate.detail) if gate.answer is Answer.WAIT else None


def _cannot_pay(reserve: int, taken: int, snapshot: Snapshot) -> tuple[Reason, str] | None:
    """Why the window cannot carry the reservation; None if it can."""
    if snapshot.budget is None:
        name = snapshot.spec.risk.budget_ref
        return (Reason.BUDGET_UNKNOWN, f"{name!r} is bound to nothing") if reserve else None
    left = snapshot.budget.left - taken
    if reserve > left:
        return Reason.BUDGET_EXHAUSTED, f"{reserve} of {left} micro-units would be reserved"
    return None


def _window_ends(snapshot: Snapshot, reasons: Iterable[str]) -> datetime | None:
    short = any(reason.startswith(Reason.BUDGET_EXHAUSTED) for reason in reasons)
    return snapshot.budget.window_ends if short and snapshot.budget is not None else None


def refusal(
    need: Need, snapshot: Snapshot, occupied: overlap.Occupied
) -> tuple[Reason, str] | None:
    """Why this need may not be taken now; None if it may. Also what `why` prints."""
    if need.state is not NeedState.OPEN:
        return Reason.ALREADY_OPEN, f"the need is {need.state}"
    if need.not_before is not None and snapshot.now < need.not_before:
        return Reason.NOT_BEFORE, f"rests until {need.not_before:%Y-%m-%d %H:%M} UTC"
    if (why := _out_of_bounds(need, snapshot)) is not None:
        return why
    hold = freeze.holding(snapshot.freezes, need.mission_class)
    if hold is not None:
        return Reason.FROZEN, f"{hold.mission_class}: {hold.reason}"
    if need.risk >= Risk.R2 and (dark := snapshot.dark):
        return Reason.DISCOVERY_DEGRADED, f"{dark[0].name} is dark and this is R{need.risk:d}"
    if agent_for(need, snapshot) is None:
        rule = f", rule {need.rule!r}" if need.rule else ""
        return Reason.NO_AGENT, f"no agent takes class {need.mission_class!r}{rule}"
    meets = occupied.meets(need.repo, need.paths)
    if meets is not None:
        return Reason.REPOSITORY_BUSY, f"{meets[0]} writes to the same paths"
    return None


def _out_of_bounds(need: Need, snapshot: Snapshot) -> tuple[Reason, str] | None:
    """Why what the need names may not be changed here."""
    if not need.repo:
        return Reason.NO_REPOSITORY, "it names no repository that could be changed"
    if need.repo not in snapshot.spec.delivery.repo_allowlist:
        return Reason.REPOSITORY_NOT_ALLOWED, f"{need.repo!r} is not in delivery.repoAllowlist"
    return None


def agent_for(need: Need, snapshot: Snapshot) -> AgentBinding | None:
    """The first bound agent that takes this class and rule."""
    for agent in snapshot.installation.agents:
        takes_class = not agent.classes or need.mission_class in agent.classes
        if takes_class and (not agent.rules or need.rule in agent.rules):
            return agent
    return None


def _nothing_at_all(
    snapshot: Snapshot, open_missions: int, standings: Iterable[Standing]
) -> str | None:
    hold = freeze.holding(snapshot.freezes, EVERYTHING)
    if hold is not None:
        return f"{Reason.FROZEN}: {hold.reason}"
    # A mission whose agent is never sent would only take a slot, so neither may be off.
    if off := stages.off(snapshot.spec, "plan") or stages.off(snapshot.spec, "implement"):
        return f"{Reason.STAGE_OFF}: {off}"
    if open_missions >= snapshot.installation.max_missions:
        return backpressure.no_slot(open_missions, standings)
    waiting = backpressure.pending(snapshot.missions)
    if waiting >= snapshot.installation.max_pending:
        return f"{Reason.BACKPRESSURE}: {waiting} dispatched runs have not begun"
    if not budget.carries(snapshot.budget, 0):
        return f"{Reason.BUDGET_EXHAUSTED}: the window is overdrawn"
    return None


def _idle(rejected: list[RejectNeed], passed: list[tuple[NeedId, str, str]]) -> str:
    if passed:
        need, reason, detail = passed[0]
        return f"{reason}: {need}: {detail}"
    if rejected:
        return f"{rejected[0].reason}: {rejected[0].need}: {rejected[0].detail}"
    return f"{Reason.NOTHING_TO_DO}: no need is open that may be chosen now"


def _founded(mission: OpenMission, verdict: Verdict) -> GiveVerdict:
    gate = discovery_quality
    return GiveVerdict(
        mission=mission.id, gate=gate.NAME, subject=gate.SUBJECT, verdict=verdict, at=mission.at
    )


def _rejected(need: Need, why: tuple[Reason, str], snapshot: Snapshot) -> RejectNeed:
    reason, detail = why
    return RejectNeed(
        need=need.id, signals=need.signals, reason=reason, detail=detail, at=snapshot.now
    )


def _open(
    need: Need,
    agent: AgentBinding,
    reserve: int,
    rank_terms: tuple[tuple[str, float], ...],
    snapshot: Snapshot,
) -> OpenMission:
    return OpenMission(
        id=mission_id(need.id, need.rounds),
        need=need.id,
        kind=MissionKind.DELIVER,
        parent=None,
        depth=0,
        mission_class=need.mission_class,
        risk=need.risk,
        repo=need.repo,
        title=need.title,
        agent=agent.name,
        contract=contract_for(need.repo, need.paths, snapshot),
        reserve=reserve,
        rank_terms=rank_terms,
        at=snapshot.now,
    )


def contract_for(repo: str, paths: tuple[str, ...], snapshot: Snapshot) -> ValidationContract:
    """What will count as success, before any code exists (LOOP-6)."""
    bound = dict(snapshot.installation.targets)
    wanted = snapshot.spec.delivery.deployment_targets
    targets = tuple(name for name in wanted if bound.get(name) == repo)
    canary = snapshot.installation.canary
    return ValidationContract(
        checks=snapshot.spec.delivery.required_checks,
        targets=targets,
        allowed_paths=paths,
        error_increase=canary.error_increase,
        latency_increase=canary.p95_increase or 0.0,
        observe_for=snapshot.installation.slo.window,
        evidence_wanted=(
            "discovery_quality",
            "code_quality",
            "merge_policy",
            "supply_chain",
            "progressive_rollout",
            "post_deploy_slo",
        ),
    )
