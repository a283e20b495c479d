"""Work that was dispatched and has not begun stops further dispatch (LOOP-5, law 8)."""

from __future__ import annotations

from collections.abc import Iterable

from swarm.core.snapshot import Mission


def pending(missions: Iterable[Mission]) -> int:
    """Orders that start agent work and have not begun, or wait for capacity."""
    return sum(
        order.kind == "start-run" and (not order.begun or bool(order.waits_because))
        for mission in missions
        for order in mission.orders
    )
