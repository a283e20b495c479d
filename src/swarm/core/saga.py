"""The rollback saga: abort, prove that the old revision serves, revert on main, deny (law 6).

Every step is protection: a freeze never holds it back, and it repeats until it is proven. Only
what a target refuses for good is left to a person, who is told, and who may ask again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from swarm.contract.verdict import Verdict
from swarm.core.decision import Abort, OpenFreeze, Order, VoidOrder
from swarm.core.evidence import OrderRefused
from swarm.core.findings import Findings
from swarm.core.ids import evidence_id
from swarm.core.nouns import OutcomeKind
from swarm.core.orders import Orders
from swarm.core.policy import at_once
from swarm.core.reasons import Reason
from swarm.core.rollout.counts import ArmCounts
from swarm.core.saying import (
    Ending,
    Saying,
    View,
    held_words,
    merge_queue,
    settled,
    target_resources,
)
from swarm.core.snapshot import Mission, OpenOrder

#: Pause before a proof that failed is asked for again: a target needs seconds to come back.
PROVE_EVERY = timedelta(seconds=15)
#: A start that was begun is waited for, so that it does not come up after it was taken off; but
#: a freeze may keep its answer away, and a freeze never holds protection back.
SYNC_PATIENCE = timedelta(minutes=10)
#: What a person wanted, and what the target or an earlier rollback is the reason of.
_NO_FAILURES = {Reason.CANCELLED, Reason.TARGET_DRIFTED, Reason.DIGEST_DENIED}
_OWN_REASONS = {Reason.LIMIT_BREACHED, Reason.CANARY_UNDECIDED, Reason.TARGET_DRIFTED}
_GIVE_UP = ("cancel", "reject")  #: words that leave a target as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """The next thing the saga does, or waits for."""

    doing: str
    orders: tuple[Order, ...] = ()
    records: tuple[VoidOrder, ...] = ()
    reason: Reason = Reason.ROLLING_BACK
    look_again: datetime | None = None


def roll_back(
    room: str, mission: Mission, found: Findings, view: View, why: tuple[Reason, str]
) -> Saying:
    """The next step of taking back what this mission landed; `why` is reason and sentence."""
    reason, detail = why
    if (step := _next_step(mission, found, view)) is not None:
        return Saying(
            room=room,
            reason=step.reason,
            detail=f"{reason}: {detail}",
            next_action=step.doing,
            orders=step.orders,
            records=step.records,
            look_again=step.look_again,
        ).holding(*holds(mission))
    reverted = found.reverted is not None and found.reverted.reverted
    stuck = _refusals(mission, found, view)
    left = [] if reverted else ["main could not be reverted by itself"]
    left += [f"{name} refused to be taken back: {fact.detail}" for name, fact in stuck.items()]
    ending = Ending(
        kind=OutcomeKind.FAILED if stuck else OutcomeKind.ROLLED_BACK,
        reason=reason,
        detail="; ".join((detail, *left)),
        counts=_counts(reason, found),
        retry_at=view.now + view.snapshot.installation.need_cooldown,
        deny=_denied(mission, found),
    )
    return settled(room, mission, found, view.now, ending)


def failed(
    room: str, mission: Mission, found: Findings, view: View, why: tuple[Reason, str]
) -> Saying:
    """The first step, at the verdict that says so; some failures freeze the class then and there.

    Taking it back may last for as long as a target does not answer.
    """
    word = roll_back(room, mission, found, view, why)
    hold = at_once.of(mission, *why, view.snapshot)
    if hold is None:
        return word
    channel = view.snapshot.spec.owner.channel
    tell = Orders(mission, view.snapshot).notify(channel, f"frozen-{hold.id}", held_words(hold))
    return replace(word, orders=(*word.orders, tell)).recording(OpenFreeze(freeze=hold))


def named(verdict: Verdict, otherwise: Reason) -> tuple[Reason, str]:
    """Why a failed verdict takes it back; `otherwise` where it only says that its gate failed."""
    own = verdict.reason in _OWN_REASONS
    return Reason(verdict.reason) if own else otherwise, verdict.detail


def _counts(reason: Reason, found: Findings) -> bool:
    """Whether the change failed; not where nobody could see how it did (law 4)."""
    if reason is not Reason.CANARY_UNDECIDED:
        return reason not in _NO_FAILURES
    looks = [taken.look.canary for target in found.targets.values() for taken in target.looks]
    return any(isinstance(canary, ArmCounts) and canary.total > 0 for canary in looks)


def holds(mission: Mission) -> tuple[str, ...]:
    """What a landed mission holds to its end: every target, and main where it is exposed.

    Whoever landed behind it would carry its change to the target, proven or not.
    """
    targets = sorted(target_resources(mission))
    return (*targets, merge_queue(mission.repo)) if targets else ()


def started(found: Findings) -> bool:
    """True once any step of the saga was ordered or done: it then runs to its end."""
    begun = any(target.aborted is not None for target in found.targets.values())
    ordered = any(order.kind in {"abort", "revert"} for order in found.open_orders.values())
    tried = any(fact.verb in {"abort", "revert"} for fact in found.refused)
    return begun or ordered or tried or found.reverted is not None


def _next_step(mission: Mission, found: Findings, view: View) -> _Step | None:
    stuck = _refusals(mission, found, view)
    for name in mission.contract.targets:
        if name not in stuck and (step := _abort(name, mission, found, view)) is not None:
            return step
    refused = any(fact.verb == "revert" for fact in found.refused)
    if found.reverted is None and not refused:
        order = Orders(mission, view.snapshot).revert(found.revision)
        return _Step(doing=f"main undoes {found.revision[:8]}", orders=(order,))
    return _ask_a_person(stuck, mission, found, view)


def _abort(name: str, mission: Mission, found: Findings, view: View) -> _Step | None:
    """What is left to do at one target; None once the old revision is proven to serve."""
    target, order = found.target(name), _tries(name, mission, found, view)[-1]
    last, syncing = target.aborted, _syncing(name, mission, found, view)
    if last is not None and last.proven and not target.resynced and _over(syncing, view):
        return None
    void: tuple[VoidOrder, ...] = ()
    if syncing is not None and syncing.idle:
        # Once the target has room for it, it would come up after it was taken off.
        why = Reason.ROLLING_BACK
        void = (VoidOrder(mission=mission.id, order=syncing.key, reason=why),)
        if not syncing.begun:
            return _Step(doing=f"starting it at {name} is taken back", records=void)
    elif syncing is not None and not _over(syncing, view):
        doing = f"{name} is still starting it; then it is taken off"
        return _Step(doing=doing, look_again=syncing.issued_at + SYNC_PATIENCE)
    tried = last is not None or found.is_open(order.key) is not None
    if target.synced is None and syncing is None and not tried:
        return None
    if last is not None and not target.resynced and view.now < last.at + PROVE_EVERY:
        again = last.at + PROVE_EVERY
        return _Step(doing=f"{name} is asked again", records=void, look_again=again)
    back = order.stable[:8] or "what it ran before"
    doing = f"{name} goes back to {back}, proven by asking it"
    return _Step(doing=doing, orders=(order,), records=void)


def _over(syncing: OpenOrder | None, view: View) -> bool:
    """Whether no start is waited for: a freeze may keep the answer of one away for ever."""
    if syncing is None:
        return True
    return not syncing.idle and view.now >= syncing.issued_at + SYNC_PATIENCE


def _syncing(name: str, mission: Mission, found: Findings, view: View) -> OpenOrder | None:
    """The order that starts the new revision at a target, where it is open."""
    return found.is_open(Orders(mission, view.snapshot).sync(name, found.revision).key)


def _tries(name: str, mission: Mission, found: Findings, view: View) -> tuple[Abort, ...]:
    """The aborts of one target so far, and the one that comes next, each under its own key."""
    synced = found.target(name).synced
    stable = synced.stable if synced is not None else ""
    return Orders(mission, view.snapshot).aborts(name, found.revision, stable, found)


def _refusals(mission: Mission, found: Findings, view: View) -> dict[str, OrderRefused]:
    """Targets that refused to be taken back, and that nobody asked to try again since."""
    by_id = {fact.id: fact for fact in found.refused if fact.verb == "abort"}
    person, stuck = found.said("retry", *_GIVE_UP), {}
    for name in mission.contract.targets:
        aborted = found.target(name).aborted
        tried = [evidence_id(order.key) for order in _tries(name, mission, found, view)]
        facts = [by_id[id_] for id_ in tried if id_ in by_id]
        if not facts or (aborted is not None and aborted.proven):
            continue
        if person is None or person.said != "retry" or person.at <= facts[-1].at:
            stuck[name] = facts[-1]
    return stuck


def _ask_a_person(
    stuck: dict[str, OrderRefused], mission: Mission, found: Findings, view: View
) -> _Step | None:
    """Wait for `retry`; a person who cancels now takes the target over as it is."""
    if not stuck:
        return None
    name, fact = next(iter(stuck.items()))
    person = found.said("retry", *_GIVE_UP)
    if person is not None and person.said in _GIVE_UP and person.at > fact.at:
        return None
    text = f"{mission.title}: {name} refused to be taken back: {fact.reason}: {fact.detail}"
    channel = view.snapshot.spec.owner.channel
    tell = Orders(mission, view.snapshot).notify(channel, f"stuck-{fact.id}", text)
    return _Step(
        doing=f"mend {name}, then `swarmctl mission retry`; `cancel` gives it up",
        orders=(tell,),
        reason=Reason.ROLLBACK_REFUSED,
    )


def _denied(mission: Mission, found: Findings) -> tuple[tuple[str, str], ...]:
    return tuple((name, found.revision) for name in mission.contract.targets)
