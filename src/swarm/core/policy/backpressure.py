"""What is open or pending stops more from being begun (LOOP-5, law 8)."""

from __future__ import annotations

from collections.abc import Iterable

from swarm.contract.counted import counted
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


def no_slot(open_missions: int, standings: Iterable[Standing]) -> str:
    """Why no more are opened, and how many of those that are open somebody could let go on."""
    held = sum(standing.reason in _HELD for standing in standings)
    wait = f"; {held} of them wait for a freeze, an approval or a dark source" if held else ""
    return f"{Reason.NO_FREE_SLOT}: {counted(open_missions, 'mission')} open{wait}"
