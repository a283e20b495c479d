"""What is open or pending stops more from being begun (LOOP-5, law 8)."""

from __future__ import annotations

from collections.abc import Iterable

from swarm.core.decision import Standing
from swarm.core.reasons import Reason
from swarm.core.snapshot import Mission

#: Where a mission stands that waits for something which may take a night or longer.
_HELD = frozenset({Reason.FROZEN, Reason.APPROVAL_NEEDED, Reason.DISCOVERY_DEGRADED})


def pending(missions: Iterable[Mission]) -> int:
    """Orders that start agent work and have not begun, or wait for capacity."""
    return sum(
        order.kind == "start-run" and (not order.begun or bool(order.waits_because))
        for mission in missions
        for order in mission.orders
    )


def free_slots(most: int, open_missions: int, standings: Iterable[Standing]) -> int:
    """How many missions may be opened now; most: how many may be open.

    Where all of them wait for a freeze, a person or a dark source, one goes on beside them, or they
    would hold up everything else for as long. With those that come to wait as well, there are at
    most as many again.
    """
    if open_missions < most or open_missions >= 2 * most:
        return max(0, most - open_missions)
    held = sum(standing.reason in _HELD for standing in standings)
    return int(held == open_missions)
