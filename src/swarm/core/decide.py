"""The whole product in one function: what to do, given everything that is known.

`decide` judges only missions whose inputs moved since they were last judged: the same inputs
give the same answer, so skipping changes nothing but the cost (a property test holds this).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from swarm.core.decision import (
    LiftFreeze,
    MarkRequalified,
    OpenFreeze,
    OpenMission,
    Order,
    Plan,
    Record,
    RejectNeed,
    Settle,
    Standing,
    UseApproval,
    VoidOrder,
)
from swarm.core.findings import read
from swarm.core.holds import Holds, path_resources
from swarm.core.ids import MissionId, OrderKey
from swarm.core.loop import deliver, implement, learn, protect, requalify, select, verify
from swarm.core.nouns import Freeze
from swarm.core.policy import freeze, lifting, risk, self_caused
from swarm.core.saying import Saying, View, news, soonest
from swarm.core.snapshot import Mission, Snapshot

# What these change is judged in the next snapshot, at once.
_CHANGES_THE_NEXT_SNAPSHOT = (
    OpenMission, RejectNeed, Settle, VoidOrder, OpenFreeze, MarkRequalified, LiftFreeze,
)  # fmt: skip
ROOMS = (
    deliver.begun, implement.say, verify.say, deliver.say, protect.say, requalify.say,
)  # fmt: skip


def decide(snapshot: Snapshot) -> Plan:
    """All that one tick decides: orders, records, standings, and when to look again."""
    epoch = epoch_of(snapshot)
    holds = Holds(snapshot.missions, epoch)
    orders: list[Order] = []
    loops = self_caused.caught(snapshot)
    records: list[Record] = [*lifting.records(snapshot), *loops.records]
    standings: list[tuple[MissionId, Standing]] = []
    known, ended = loops.known, 0  # what one ending brings about binds whatever comes after it
    for mission in holds.to_judge(snapshot.now):
        word = judge(mission, holds.view(known))
        standing = _standing(mission, word, snapshot.now, epoch)
        for record in word.records:
            known = learn.after(known, record, mission)
        settle = next((record for record in word.records if isinstance(record, Settle)), None)
        holds.update(mission, standing if settle is None else None)
        orders.extend(word.orders)
        records.extend(record for record in word.records if record is not settle)
        if settle is not None:
            lesson = learn.from_ending(settle, mission, known)
            records.extend((lesson.settle, *lesson.records))
            orders.extend(lesson.orders)
            known, ended = lesson.known, ended + 1
        if mission.standing is None or _moved(mission.standing, standing):
            standings.append((mission.id, standing))
    opened = [record for record in records if isinstance(record, OpenMission)]
    for mission_opened in opened:
        holds.expect(mission_opened)
    open_missions = len(snapshot.missions) - ended + len(opened)
    selection = select.choose(known, holds.occupied, open_missions, holds.standings)
    records.extend(selection.rejected)
    for opening, gate in zip(selection.opened, selection.founded, strict=True):
        records.extend(learn.recommended(opening, known) if known.shadow else (opening,))
        records.append(gate)
    held_back = _held_back(orders, known.freezes[len(snapshot.freezes) :])
    changed = any(isinstance(record, _CHANGES_THE_NEXT_SNAPSHOT) for record in records)
    return Plan(
        orders=tuple(order for order in orders if order.key not in held_back),
        records=tuple(record for record in records if not _uses(record, held_back.values())),
        standings=tuple(standings),
        look_again=snapshot.now
        if changed or holds.unheard
        else _earliest(snapshot, holds.standings, selection.look_again),
        idle_reason=selection.idle_reason,
        selected=selection.passed_over,
    )


def judge(mission: Mission, view: View) -> Saying:
    """The first room that has something to say speaks; when none has, it is delivered."""
    found = read(mission)
    level = risk.judged(mission.risk, found.change, view.snapshot.installation.risk_rules)
    kept: list[Record] = []
    for room in ROOMS:
        word = room(mission, found, view)
        if isinstance(word, Saying):
            word = replace(word.recording(*kept), risk=level)
            return news(word, mission, found)
        kept.extend(word.records)
    word = replace(learn.delivered(mission, found, view).recording(*kept), risk=level)
    return news(word, mission, found)


def epoch_of(snapshot: Snapshot) -> str:
    """What besides its own evidence and the time a mission's standing depends on."""
    window = snapshot.budget
    return _digest(
        (snapshot.policy_hash, str(snapshot.generation), f"shadow={snapshot.shadow}"),
        snapshot.freezes,
        (snapshot.denied, frozenset(snapshot.drifted)),
        tuple(source.name for source in snapshot.dark),
        "no budget" if window is None else f"overdrawn={window.left < 0}",
    )


_Seen = frozenset[tuple[str, str]]


@lru_cache(maxsize=1_024)
def _digest(
    policy: tuple[str, ...],
    freezes: tuple[Freeze, ...],
    targets: tuple[_Seen, _Seen],
    dark: tuple[str, ...],
    money: str,
) -> str:
    """The name of these circumstances; remembered, because most ticks find those of the last.

    targets: what each was denied, and what it was seen to run.    dark: sources, by name.
    """
    denied, drifted = targets
    parts = list(policy)
    parts += sorted(
        f"{hold.id}:{hold.mission_class}:{hold.until}:{hold.reason}:{hold.detail}"
        for hold in freezes
    )
    parts += sorted(f"{target}@{revision}" for target, revision in denied)
    parts += sorted(f"{name}={seen}" for name, seen in drifted)
    parts += sorted(f"dark={name}" for name in dark)
    parts.append(money)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _standing(mission: Mission, word: Saying, now: datetime, epoch: str) -> Standing:
    before = mission.standing
    since = now
    if before is not None and (before.room, before.reason) == (word.room, word.reason):
        since = before.since
    landed = word.room == protect.ROOM
    holds = word.holds if landed else word.holds | path_resources(mission)
    return Standing(
        version=mission.version,
        epoch=epoch,
        room=word.room,
        reason=word.reason,
        detail="; ".join(part for part in (word.detail, *_held_up(mission)) if part),
        since=since,
        look_again=soonest(now, word.look_again),  # what is past wakes nobody: evidence does
        next_action=word.next_action,
        holds=holds,
        blocked_on=word.blocked_on,
        risk=word.risk,
    )


def _held_up(mission: Mission) -> list[str]:
    """Orders that cannot be carried out yet; runs and checks say so themselves."""
    told = {"start-run", "run-check"}
    orders = (order for order in mission.orders if order.waits_because and order.kind not in told)
    return [f"{order.kind} waits: {order.waits_because}" for order in orders]


def _held_back(orders: list[Order], opened: tuple[Freeze, ...]) -> dict[OrderKey, MissionId]:
    """Forward steps, and whose, that a freeze which was opened in this very tick holds back."""
    return {
        order.key: order.mission
        for order in orders
        if order.forward and freeze.holding(opened, order.mission_class) is not None
    }


def _uses(record: Record, held_back: Collection[MissionId]) -> bool:
    return isinstance(record, UseApproval) and record.approval.mission in held_back


def _moved(before: Standing, after: Standing) -> bool:
    return replace(before, since=after.since) != after


def _earliest(
    snapshot: Snapshot, standings: Iterable[Standing], selecting: datetime | None
) -> datetime | None:
    return soonest(
        snapshot.now,
        *(standing.look_again for standing in standings),
        *(need.not_before for need in snapshot.needs),
        lifting.look_again(snapshot),
        selecting,
    )
