"""The status as the store keeps it; the store writes it only when its meaning changed (API-7)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from swarm.contract.status_object import Condition, SwarmStatus
from swarm.core.decision import Plan
from swarm.core.ids import SwarmId
from swarm.core.phase import Figures, report
from swarm.core.snapshot import Snapshot

#: By swarm, what was read and told last: a cache, because parsing costs more than the rest.
_KNOWN: dict[SwarmId, tuple[tuple[Mapping[str, Any], SwarmStatus | None], ...]] = {}


def status_of(
    snapshot: Snapshot, plan: Plan, figures: Figures, written: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The status after a plan, in its outside form. `written` is the stored one, {} at first."""
    before = _read(snapshot.swarm, written) if written else None
    now = report(snapshot, plan, figures, before)
    told = now.model_dump(mode="json", exclude_none=True, exclude={"conditions"})
    told["conditions"] = [_told(one) for one in now.conditions]
    _KNOWN[snapshot.swarm] = ((told, now), (written, before))  # the store may not write it
    return told


@lru_cache(maxsize=4_096)
def _told(condition: Condition) -> dict[str, Any]:
    """One condition in its outside form; most are the very ones of the tick before."""
    return condition.model_dump(mode="json", exclude_none=True)


def _read(swarm: SwarmId, written: Mapping[str, Any]) -> SwarmStatus:
    for told, status in _KNOWN.get(swarm, ()):
        if status is not None and told == written:
            return status
    return SwarmStatus.model_validate(written)
