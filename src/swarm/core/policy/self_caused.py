"""A need that our own work brings about again and again: a loop, not a need (T19).

A repair raises an alert, the alert becomes a need, its mission raises the next alert. Each looks
well founded, so nothing else would ever stop it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from swarm.core.decision import OpenFreeze, RejectNeed
from swarm.core.ids import freeze_id
from swarm.core.nouns import Freeze, Need, NeedState
from swarm.core.reasons import Reason
from swarm.core.snapshot import Snapshot

OWN_ROUNDS_MAX = 3  #: twice may be a repair that needed a repair; the third time is a pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """The loops that were found, as records.

    known: the snapshot without their needs and with their classes frozen.
    """

    records: tuple[RejectNeed | OpenFreeze, ...]
    known: Snapshot


def caught(snapshot: Snapshot) -> Caught:
    """Refuse every need of a loop and freeze its class, once for each round.

    A refused one opens again only when our own work causes it once more (`policy.backlog`), so
    what is open here was never answered. Cost: one look at each need.
    """
    loops = sorted(filter(_is_loop, snapshot.needs), key=lambda need: need.id)
    if not loops:
        return Caught(records=(), known=snapshot)
    rejected = tuple(
        RejectNeed(
            need=need.id, signals=need.signals, reason=Reason.SELF_CAUSED_LOOP,
            detail=_times(need), at=snapshot.now,
        )
        for need in loops
    )  # fmt: skip
    first = {need.mission_class: need for need in reversed(loops)}
    holds = tuple(_freeze(first[name], snapshot) for name in sorted(first))
    known = replace(
        snapshot,
        needs=tuple(need for need in snapshot.needs if not _is_loop(need)),
        freezes=(*snapshot.freezes, *holds),
    )
    return Caught(records=(*rejected, *(OpenFreeze(freeze=hold) for hold in holds)), known=known)


def _is_loop(need: Need) -> bool:
    return need.own_rounds >= OWN_ROUNDS_MAX and need.state is NeedState.OPEN


def _times(need: Need) -> str:
    return f"our own work caused it {need.own_rounds} times"


def _freeze(need: Need, snapshot: Snapshot) -> Freeze:
    cause = f"{Reason.SELF_CAUSED_LOOP}:{need.id}:{need.own_rounds}"
    return Freeze(
        id=freeze_id(snapshot.swarm, need.mission_class, cause),
        mission_class=need.mission_class,
        reason=Reason.SELF_CAUSED_LOOP,
        detail=f"{need.id}: {_times(need)}",
        cause=need.id,
        since=snapshot.now,
        until=snapshot.now + snapshot.spec.risk.freeze_duration,
        needs_token=snapshot.installation.needs_token,
    )
