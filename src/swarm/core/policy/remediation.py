"""A gate failure opens one mission that repairs it; repairs of repairs are bounded (MODE-4)."""

from __future__ import annotations

from datetime import datetime

from swarm.core.decision import OpenMission
from swarm.core.ids import mission_id
from swarm.core.nouns import MissionKind, Risk
from swarm.core.snapshot import Mission

DEPTH_MAX = 1  #: a repair that fails as well is a person's business


def of(mission: Mission, why: str, reserve: int, now: datetime) -> OpenMission | None:
    """The mission that repairs what this one failed at; None at the bound."""
    if mission.kind is MissionKind.REQUALIFY or mission.depth >= DEPTH_MAX:
        return None
    return OpenMission(
        id=mission_id(mission.id, -1),
        need=mission.need,
        kind=MissionKind.REMEDIATE,
        parent=mission.id,
        depth=mission.depth + 1,
        mission_class=mission.mission_class,
        risk=max(mission.risk, Risk.R1),
        repo=mission.repo,
        title=f"Repair: {mission.title}",
        agent=mission.agent,
        contract=mission.contract,
        reserve=reserve,
        rank_terms=(("repairs", 0.0),),
        at=now,
        cause=why,
    )
