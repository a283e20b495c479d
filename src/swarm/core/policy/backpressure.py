"""What is at work or waits stops more from being begun (LOOP-5, law 8)."""

from __future__ import annotations

from collections.abc import Iterable

from swarm.core.decision import OpenMission
from swarm.core.nouns import MissionKind, Risk
from swarm.core.snapshot import Mission, Snapshot


def pending(missions: Iterable[Mission]) -> int:
    """Orders that start agent work and have not begun, or wait for capacity."""
    return sum(
        order.kind == "start-run" and (not order.begun or bool(order.waits_because))
        for mission in missions
        for order in mission.orders
    )


def slots_taken(missions: Iterable[Mission | OpenMission], snapshot: Snapshot) -> int:
    """How many count towards `max_missions`.

    What a freeze or a dark source holds does not, or all else would be held for as long. It stays
    bounded: nothing that would be held is opened meanwhile, so no class has more than the limit. A
    proof never counts: there is one for each freeze, and it writes nothing.
    """
    frozen, dark = {hold.mission_class for hold in snapshot.freezes}, bool(snapshot.dark)
    return sum(
        one.kind is not MissionKind.REQUALIFY
        and one.mission_class not in frozen
        and not (dark and one.risk >= Risk.R2)
        for one in missions
    )
