"""Which stages of the loop the spec switched off: they begin nothing (API-9).

No stage stands for protection: what has landed is watched, judged and rolled back with all of them
off, as under a freeze (docs/decisions/0005).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from swarm.contract.execution import StageExecution
from swarm.contract.swarm import SwarmSpec

Stage = Literal["discover", "plan", "implement", "verify"]


def off(spec: SwarmSpec, stage: Stage) -> str:
    """Which field switched the stage off, as a sentence; empty while it is on."""
    said = _said(spec, stage)
    return "" if said is None or said.enabled else f"spec.execution.{stage}.enabled is false"


def discover_every(spec: SwarmSpec) -> timedelta:
    """Pause between two readings of a source that has none of its own."""
    said = _said(spec, "discover")
    return spec.cadence.discover_every if said is None or said.every is None else said.every


def _said(spec: SwarmSpec, stage: Stage) -> StageExecution | None:
    said: StageExecution | None = getattr(spec.execution, stage, None)
    return said
