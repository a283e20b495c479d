"""The status as the store keeps it, or nothing new when its meaning did not change (API-7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm.contract.status_object import SwarmStatus
from swarm.core import phase
from swarm.core.decision import Plan
from swarm.core.snapshot import Snapshot
from swarm.ports.store import Figures


def status_of(snapshot: Snapshot, plan: Plan, figures: Figures) -> Mapping[str, Any]:
    """The status to store: the written one itself while its meaning is unchanged."""
    before = SwarmStatus.model_validate(figures.written) if figures.written else None
    numbers = phase.Figures(
        discoveries_24h=figures.discoveries_24h,
        missions_24h=figures.missions_24h,
        success_24h=figures.success_24h,
        last_production_change=figures.last_change,
        last_discover_at=figures.discovered_at,
    )
    now = phase.report(snapshot, plan, numbers, before)
    if before is not None and phase.same_meaning(before, now):
        return figures.written
    return now.model_dump(mode="json", by_alias=True, exclude_none=True)
