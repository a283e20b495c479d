"""The status as the store keeps it; the store writes it only when its meaning changed (API-7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm.contract.status_object import SwarmStatus
from swarm.core.decision import Plan
from swarm.core.phase import Figures, report
from swarm.core.snapshot import Snapshot


def status_of(
    snapshot: Snapshot, plan: Plan, figures: Figures, written: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The status after a plan, in its outside form. `written` is the stored one, {} at first."""
    before = SwarmStatus.model_validate(written) if written else None
    now = report(snapshot, plan, figures, before)
    return now.model_dump(mode="json", by_alias=True, exclude_none=True)
