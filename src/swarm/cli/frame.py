"""What `watch` sees at one moment, and what has changed since the moment before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from swarm.cli.gate_strip import Gate, GateState, gates_of
from swarm.cli.output import line

if TYPE_CHECKING:
    from swarm.adapters.postgres.store.desk.look import Look

GATES_MOST = 500
ENDINGS_READ = 50  #: more do not end between two looks
ENDED_KEPT = 5  #: missions that ended while somebody watched and stay in sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One mission at one moment. next_at: when something happens by itself, if that is known."""

    id: str
    title: str
    risk: int
    outcome: str
    reason: str
    detail: str
    next_action: str
    next_at: datetime | None
    opened_at: datetime
    strip: tuple[Gate, ...]

    @property
    def current(self) -> Gate:
        """The gate that speaks: the first one that has not passed, else the last."""
        over = {GateState.PASSED, GateState.NOT_CONFIGURED, GateState.SKIPPED}
        return next((gate for gate in self.strip if gate.state not in over), self.strip[-1])

    @property
    def words(self) -> str:
        """Where it stands, without glyphs."""
        if self.outcome != "open":
            return self.outcome
        if self.current.state is GateState.AHEAD:
            return f"before {self.current.label}"
        return f"{self.current.label} {self.current.state}"

    def meaning(self) -> tuple[str, ...]:
        """What makes two sights of it different to a person."""
        states = ",".join(gate.state for gate in self.strip)
        return (self.outcome, self.reason, self.detail, self.next_action, states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """All that is watched, at one moment.

    swarms:   (name, phase, a sentence on what it does or why it is idle).
    missions: open ones by id, and the last few that ended while we watched.
    alerts:   what only a person can move.
    endings:  missions that had ended, as far back as one look reaches.
    """

    at: datetime
    swarms: tuple[tuple[str, str, str], ...]
    missions: Mapping[str, Seen]
    alerts: tuple[str, ...]
    endings: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One thing that changed. subject: a mission's id or a Swarm's name."""

    at: datetime
    subject: str
    words: str
    detail: str = ""
    title: str = ""


async def look_around(look: Look, swarm: str | None, before: Frame | None, now: datetime) -> Frame:
    """Read the present moment. swarm: the id of one, None for all."""
    rows = await look.rows("swarms", swarm)
    found = await look.rows("missions", swarm, state="open", limit=100)
    known = {row["id"] for row in found}
    earlier = before.missions if before else {}
    endings = [row["mission"] for row in await look.rows("outcomes", swarm, limit=ENDINGS_READ)]
    for id_ in reversed(endings):
        # Ended since the last look; perhaps it was not even open then.
        if before is not None and id_ not in before.endings and id_ not in known:
            found += await look.rows("missions", like=id_, limit=1)
    missions = {}
    for row in found:
        gates = await look.rows("gates", like=row["id"], limit=GATES_MOST)
        missions[row["id"]] = _seen(row, gates)
    over = [seen for seen in earlier.values() if seen.outcome != "open" and seen.id not in missions]
    missions.update({seen.id: seen for seen in over[-ENDED_KEPT:]})
    approvals = await look.rows("approvals", swarm, state="open")
    freezes = await look.rows("freezes", swarm, state="open")
    return Frame(
        at=now,
        swarms=tuple(_swarm(row) for row in rows),
        missions=missions,
        alerts=(*(_asked(row) for row in approvals), *(_frozen(row) for row in freezes)),
        endings=frozenset(endings),
    )


def changes(before: Frame | None, after: Frame) -> list[Movement]:
    """What a person would want to know of, in a stable order; all of it at the first look."""
    found = []
    told = {one[0]: one[1:] for one in before.swarms} if before else {}
    for name, phase, words in after.swarms:
        if told.get(name) != (phase, words):
            found.append(Movement(at=after.at, subject=name, words=phase, detail=words))
    earlier = before.missions if before else {}
    for id_, seen in after.missions.items():
        old = earlier.get(id_)
        if old is None or old.meaning() != seen.meaning():
            found.append(_moved(after.at, seen))
    known = set(before.alerts) if before else set()
    new = [alert for alert in after.alerts if alert not in known]
    found += [Movement(at=after.at, subject="you", words=alert) for alert in new]
    return found


def _moved(at: datetime, seen: Seen) -> Movement:
    detail = f"{seen.reason}: {seen.detail}" if seen.detail else seen.reason
    if seen.next_action and seen.outcome == "open":
        detail = f"{detail}; next: {seen.next_action}"
    return Movement(at=at, subject=seen.id, words=seen.words, detail=detail, title=seen.title)


def _seen(row: Mapping[str, Any], gates: list[dict[str, Any]]) -> Seen:
    strip = gates_of(
        gates,
        ended=row["outcome"] != "open",
        reason=row["reason"] or "",
    )
    return Seen(
        id=row["id"],
        title=line(row["title"]),
        risk=row["risk"],
        outcome=row["outcome"],
        reason=row["reason"] or "New",
        detail=line(row["detail"] or ""),
        next_action=line(row["next_action"] or ""),
        next_at=row["look_again"],
        opened_at=row["opened_at"],
        strip=strip,
    )


def _swarm(row: Mapping[str, Any]) -> tuple[str, str, str]:
    status = row["status"] or {}
    doing = [one for one in status.get("conditions", ()) if one["type"] == "Progressing"]
    words = line(doing[0].get("message", "")) if doing else "no controller has looked at it yet"
    return (f"{row['namespace']}/{row['name']}", status.get("phase", "New"), words)


def _asked(row: Mapping[str, Any]) -> str:
    return f"approve {row['mission'][:10]}? {line(row['title'])}"


def _frozen(row: Mapping[str, Any]) -> str:
    scope = "everything" if row["mission_class"] == "*" else f"class {line(row['mission_class'])}"
    return f"{scope} is frozen: {row['reason']}; swarmctl describe freeze"
