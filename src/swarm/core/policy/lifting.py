"""What ends a freeze: requalification missions once the window has passed, then the lift."""

from __future__ import annotations

from datetime import UTC, datetime

from swarm.core.decision import LiftFreeze, OpenMission, Record
from swarm.core.ids import MissionId, mission_id
from swarm.core.nouns import Freeze, MissionKind, Risk, ValidationContract
from swarm.core.policy import freeze
from swarm.core.snapshot import Snapshot


def records(snapshot: Snapshot) -> tuple[Record, ...]:
    """Freezes to lift, and requalification missions to open, at this instant."""
    found: list[Record] = []
    for hold in sorted(snapshot.freezes, key=lambda hold: hold.id):
        if freeze.lifts_by_itself(hold, snapshot.now, snapshot.resuming):
            found.append(LiftFreeze(freeze=hold.id, by="policy", at=snapshot.now))
        elif freeze.wants_requalification(hold, snapshot.now):
            mission = _requalification(hold, snapshot)
            if mission is not None:
                found.append(mission)
    return tuple(found)


def look_again(snapshot: Snapshot) -> datetime | None:
    """When the next freeze window passes, requalification may begin, or resuming is allowed."""
    times = []
    for hold in snapshot.freezes:
        if hold.until is not None and snapshot.now < hold.until:
            times.append(hold.until)
        elif freeze.wants_requalification(hold, snapshot.now):
            times.append(_round_start(hold, _round(hold, snapshot) + 1, snapshot))
        elif hold.until is not None and not hold.needs_token:
            opening = snapshot.resuming.next_opening(snapshot.now)
            times += [opening] if opening is not None else []
    return min(times, default=None)


def _requalification(hold: Freeze, snapshot: Snapshot) -> OpenMission | None:
    if any(one.freeze == hold.id or one.id == hold.cause for one in snapshot.missions):
        return None  # it is under way; or what opened the freeze is not taken back yet
    repo = _repo(hold, snapshot)
    if repo is None:
        return None
    id_ = _round_id(hold, snapshot)
    if any(item.mission == id_ for item in snapshot.settled):
        return None  # this round was tried; the next one begins by itself
    bound = dict(snapshot.installation.targets)
    wanted = snapshot.spec.delivery.deployment_targets
    contract = ValidationContract(
        checks=snapshot.spec.delivery.required_checks,
        targets=tuple(name for name in wanted if bound.get(name) == repo),
        allowed_paths=(f".swarm/requalify/{hold.id}",),  # it writes nothing, so it meets nobody
        error_increase=0.0,
        latency_increase=0.0,
        observe_for=snapshot.installation.slo.window,
        evidence_wanted=("code_quality",),
    )
    return OpenMission(
        id=id_,
        need=None,
        kind=MissionKind.REQUALIFY,
        parent=None,
        depth=0,
        mission_class=hold.mission_class,
        risk=Risk.R0,
        repo=repo,
        title=f"Requalify after freeze: {hold.reason}",
        agent="",
        contract=contract,
        reserve=0,
        rank_terms=(),
        at=snapshot.now,
        freeze=hold.id,
        cause=f"{hold.reason}: {hold.detail}",
    )


def _round_id(hold: Freeze, snapshot: Snapshot) -> MissionId:
    """The try of this round.

    A freeze that is extended keeps its id, and policy may change how long a round is: the window's
    end, or when it was extended without one, and that length tell the tries apart.
    """
    end = hold.until or hold.extended
    told = end.astimezone(UTC).isoformat() if end else "open-ended"
    every = snapshot.spec.risk.freeze_duration.total_seconds()
    return mission_id(f"{hold.id}@{told}/{every}", _round(hold, snapshot))


def _repo(hold: Freeze, snapshot: Snapshot) -> str | None:
    """The repository to prove: where the cause worked, else its class last, else the first."""
    allowed = snapshot.spec.delivery.repo_allowlist
    ended = snapshot.settled[::-1]
    worked = [item.repo for item in ended if item.mission == hold.cause]
    worked += [item.repo for item in ended if item.mission_class == hold.mission_class]
    known = [repo for repo in worked if repo in allowed]
    return next(iter((*known, *allowed)), None)


def _round(hold: Freeze, snapshot: Snapshot) -> int:
    """Which try this is: one per freezeDuration since the window ended, from 0."""
    return int((snapshot.now - _begin(hold)) / snapshot.spec.risk.freeze_duration)


def _round_start(hold: Freeze, number: int, snapshot: Snapshot) -> datetime:
    return _begin(hold) + number * snapshot.spec.risk.freeze_duration


def _begin(hold: Freeze) -> datetime:
    return hold.until or hold.extended or hold.since
