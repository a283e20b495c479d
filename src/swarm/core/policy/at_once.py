"""What freezes a class with one failure, at the moment of its verdict (GATE-6, REG-8, FRZ-5)."""

from __future__ import annotations

from swarm.core.ids import freeze_id
from swarm.core.nouns import Freeze
from swarm.core.reasons import Reason
from swarm.core.snapshot import Mission, Snapshot

_WORSE = {
    Reason.SLO_REGRESSED: "made the service worse after full exposure",
    Reason.LIMIT_BREACHED: "broke a limit of its regime",
}


def of(mission: Mission, reason: Reason, detail: str, snapshot: Snapshot) -> Freeze | None:
    """The freeze of the mission's class, where such a failure opens one; the same one each time."""
    if (what := _WORSE.get(reason)) is None:
        return None
    return Freeze(
        id=freeze_id(snapshot.swarm, mission.mission_class, f"{reason}:{mission.id}"),
        mission_class=mission.mission_class,
        reason=reason,
        detail=f"{mission.id} {what}: {detail}",
        cause=mission.id,
        since=snapshot.now,
        until=snapshot.now + snapshot.spec.risk.freeze_duration,
        needs_token=snapshot.installation.needs_token,
    )
