"""The whole product in one function: what to do, given everything that is known.

`decide` judges only missions whose inputs moved since they were last judged: the same inputs
give the same answer, so skipping changes nothing but the cost (a property test holds this).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from swarm.core.decision import (
    LiftFreeze,
    MarkRequalified,
    OpenMission,
    Order,
    Plan,
    Record,
    Settle,
    Standing,
)
from swarm.core.findings import read
from swarm.core.holds import Holds, path_resources
from swarm.core.ids import MissionId
from swarm.core.loop import deliver, implement, learn, protect, requalify, select, verify
from swarm.core.policy import lifting
from swarm.core.saying import Saying, View
from swarm.core.snapshot import Mission, Snapshot

# What is opened, ended or lifted here is judged in the next snapshot, at once.
_CHANGES_THE_NEXT_SNAPSHOT = (OpenMission, Settle, MarkRequalified, LiftFreeze)
ROOMS = (implement.say, verify.say, deliver.say, protect.say, requalify.say)


def decide(snapshot: Snapshot) -> Plan:
    """All that one tick decides: orders, records, standings, and when to look again."""
    epoch = epoch_of(snapshot)
    holds = Holds.of(snapshot.missions, epoch)
    orders: list[Order] = []
    records: list[Record] = list(lifting.records(snapshot))
    standings: list[tuple[MissionId, Standing]] = []
    settled = 0
    for mission in holds.to_judge(snapshot.now):
        word = judge(mission, View(snapshot=snapshot, held=holds.held))
        standing = _standing(mission, word, snapshot.now, epoch)
        ended = [record for record in word.records if isinstance(record, Settle)]
        holds.update(mission, standing, ended=bool(ended))
        orders.extend(word.orders)
        records.extend(record for record in word.records if not isinstance(record, Settle))
        for settle in ended:
            lesson = learn.from_ending(settle, mission, snapshot)
            records.extend((lesson.settle, *lesson.records))
        settled += len(ended)
        if mission.standing is None or _moved(mission.standing, standing):
            standings.append((mission.id, standing))
    selection = select.choose(snapshot, holds.held, len(snapshot.missions) - settled)
    records.extend(selection.rejected)
    for opened in selection.opened:
        records.extend(learn.recommended(opened, snapshot) if snapshot.shadow else (opened,))
    return Plan(
        orders=tuple(orders),
        records=tuple(records),
        standings=tuple(standings),
        look_again=(
            snapshot.now
            if any(isinstance(record, _CHANGES_THE_NEXT_SNAPSHOT) for record in records)
            else _earliest(snapshot, holds.standings, lifting.look_again(snapshot))
        ),
        idle_reason=selection.idle_reason,
        selected=selection.passed_over,
    )


def judge(mission: Mission, view: View) -> Saying:
    """The first room that has something to say speaks; when none has, it is delivered."""
    found = read(mission)
    kept: list[Record] = []
    for room in ROOMS:
        word = room(mission, found, view)
        if isinstance(word, Saying):
            return word.recording(*kept)
        kept.extend(word.records)
    return learn.delivered(mission, found, view).recording(*kept)


def epoch_of(snapshot: Snapshot) -> str:
    """What besides its own evidence and the time a mission's standing depends on."""
    parts = [snapshot.policy_hash, str(snapshot.generation)]
    parts += [f"{hold.id}:{hold.until}" for hold in snapshot.freezes]
    parts += sorted(f"{target}@{revision}" for target, revision in snapshot.denied)
    parts += [f"{name}={seen}" for name, seen in snapshot.drifted]
    parts.append("budget" if snapshot.budget else "no budget")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _standing(mission: Mission, word: Saying, now: datetime, epoch: str) -> Standing:
    before = mission.standing
    same = before is not None and (before.room, before.reason) == (word.room, word.reason)
    landed = word.room == protect.ROOM
    holds = word.holds if landed else word.holds | path_resources(mission)
    return Standing(
        version=mission.version,
        epoch=epoch,
        room=word.room,
        reason=word.reason,
        detail=word.detail,
        since=before.since if before is not None and same else now,
        look_again=word.look_again,
        next_action=word.next_action,
        holds=holds,
        blocked_on=word.blocked_on,
    )


def _moved(before: Standing, after: Standing) -> bool:
    return replace(before, since=after.since) != after


def _earliest(
    snapshot: Snapshot, standings: list[Standing], lifting_at: datetime | None
) -> datetime | None:
    times = [standing.look_again for standing in standings if standing.look_again is not None]
    times += [
        need.not_before
        for need in snapshot.needs
        if need.not_before is not None and need.not_before > snapshot.now
    ]
    if lifting_at is not None:
        times.append(lifting_at)
    return min(times, default=None)
