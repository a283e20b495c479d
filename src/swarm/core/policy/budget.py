"""Money is reserved before dispatch, for the run and all its fix attempts (FAIL-5, T18)."""

from __future__ import annotations

from swarm.core.policy.retries import FIXES_MAX
from swarm.core.snapshot import AgentBinding, Budget


def reservation(agent: AgentBinding) -> int:
    """What one mission reserves, in micro-units: retries spend from the same reservation."""
    return agent.cost * (1 + FIXES_MAX)


def carries(budget: Budget | None, amount: int) -> bool:
    """True when the window can carry one more reservation.

    An unbound budget carries only what costs nothing: absence is no permission to spend.
    """
    if amount == 0:
        return budget is None or budget.left >= 0
    return budget is not None and budget.left >= amount
