"""The rollback saga: abort, prove that the old revision serves, revert on main, deny (law 6).

Every step is protection: a freeze never holds it back, and it repeats until it is proven.
"""

from __future__ import annotations

from swarm.core.decision import Order
from swarm.core.findings import Findings
from swarm.core.nouns import OutcomeKind
from swarm.core.orders import Orders
from swarm.core.reasons import Reason
from swarm.core.saying import Ending, Saying, View, settled
from swarm.core.snapshot import Mission


def roll_back(
    room: str, mission: Mission, found: Findings, view: View, why: tuple[Reason, str]
) -> Saying:
    """The next step of taking back what this mission landed; `why` is reason and sentence."""
    reason, detail = why
    step = _next_step(mission, found, view)
    if step is not None:
        order, doing = step
        return Saying(
            room=room,
            reason=Reason.ROLLING_BACK,
            detail=f"{reason}: {detail}",
            next_action=doing,
            orders=(order,),
        ).holding(*(f"target:{name}" for name in mission.contract.targets))
    reverted = found.reverted is not None and found.reverted.reverted
    ending = Ending(
        kind=OutcomeKind.ROLLED_BACK,
        reason=reason,
        detail=detail if reverted else f"{detail}; main could not be reverted by itself",
        counts=reason is not Reason.CANCELLED,
        retry_at=view.now + view.snapshot.installation.need_cooldown,
        deny=_denied(mission, found),
    )
    return settled(room, mission, found, view.now, ending)


def started(found: Findings) -> bool:
    """True once any step of the saga was ordered or done: it then runs to its end."""
    begun = any(target.aborted is not None for target in found.targets.values())
    ordered = any(order.kind in {"abort", "revert"} for order in found.open_orders.values())
    return begun or ordered or found.reverted is not None


def _next_step(mission: Mission, found: Findings, view: View) -> tuple[Order, str] | None:
    landed = found.landed
    if landed is None:
        return None
    orders = Orders(mission, view.snapshot)
    for name in mission.contract.targets:
        target = found.target(name)
        if target.synced is not None and not (target.aborted and target.aborted.proven):
            stable = target.synced.stable
            abort = orders.abort(name, landed.commit, stable)
            return abort, f"{name} goes back to {stable[:8]}, proven by asking it"
    refused = any(fact.verb == "revert" for fact in found.refused)
    if found.reverted is None and not refused:
        return orders.revert(landed.commit), f"main undoes {landed.commit[:8]}"
    return None


def _denied(mission: Mission, found: Findings) -> tuple[tuple[str, str], ...]:
    commit = found.landed.commit if found.landed else ""
    return tuple((name, commit) for name in mission.contract.targets)
