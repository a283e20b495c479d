"""The trail, sorted by what the rules ask for. One pass."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from swarm.contract.verdict import Answer
from swarm.core.history.journal import Entry, Terms
from swarm.core.trail import EventKind

EVERYTHING = "*"


@dataclass(slots=True, kw_only=True)
class Opened:
    """One mission as the log tells it. verdicts: by gate and subject, times and answers."""

    id: str
    swarm: str
    at: datetime
    body: Mapping[str, Any]
    issued: dict[str, list[datetime]] = field(default_factory=dict)  #: a voided order comes again
    verdicts: dict[tuple[str, str], list[tuple[datetime, int]]] = field(default_factory=dict)
    used: dict[str, datetime] = field(default_factory=dict)  #: commit -> when its approval was used
    said: list[tuple[datetime, str]] = field(default_factory=list)
    ended: list[Entry] = field(default_factory=list)

    @property
    def mission_class(self) -> str:
        """What kind of work it is; what freezes go by."""
        return str(self.body.get("class", ""))

    @property
    def risk(self) -> int:
        """The risk it was opened with; a change may raise it."""
        return int(self.body.get("risk", 0))

    def decided(self, key: str, at: datetime) -> datetime | None:
        """When the order was decided that a request of that time carried; None without one."""
        times = self.issued.get(key, [])
        place = bisect_right(times, at)
        return times[place - 1] if place else None

    def verdict(self, gate: str, subject: str, at: datetime) -> int | None:
        """The gate's answer about the subject that stood at that time; None without one."""
        given = self.verdicts.get((gate, subject), [])
        place = bisect_right(given, at, key=lambda one: one[0])
        return given[place - 1][1] if place else None

    def passed(self, gate: str, start: str, at: datetime) -> bool:
        """Whether the gate passed any subject that begins so, and none of them stood failed."""
        answers = [
            self.verdict(gate, subject, at)
            for _, subject in self.verdicts
            if subject.startswith(start)
        ]
        return Answer.PASS in answers and Answer.FAIL not in answers

    def heard(self, words: Iterable[str], at: datetime) -> bool:
        """Whether a person had said one of these by then."""
        wanted = set(words)
        return any(when <= at and word in wanted for when, word in self.said)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start`, exclusive, to `end`, exclusive; no end means that it still goes on."""

    scope: str
    start: datetime
    end: datetime | None
    id: str = ""

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.start < at and (self.end is None or at < self.end)


class Log:
    """Missions, freezes, shadow and terms, ready to be asked. Cost: one pass over the entries."""

    def __init__(self, entries: Iterable[Entry], terms: Iterable[Terms]) -> None:
        self.missions: dict[str, Opened] = {}
        self.doubled: list[Entry] = []
        self.unfounded: list[Entry] = []
        self._holds: dict[str, list[Span]] = defaultdict(list)
        self._shadows: dict[str, list[Span]] = defaultdict(list)
        self._terms: dict[str, list[Terms]] = defaultdict(list)
        for entry in entries:
            self._take(entry)
        for term in terms:
            self._terms[term.swarm].append(term)

    def hold(self, swarm: str, mission_class: str, at: datetime) -> Span | None:
        """The freeze that held a class at that time; None if none did."""
        for span in self._holds.get(swarm, ()):
            if span.scope in {EVERYTHING, mission_class} and span.holds(at):
                return span
        return None

    def froze(self, swarm: str, mission_class: str, begin: datetime, end: datetime) -> bool:
        """Whether a freeze of the class began, or was open, in between."""
        return any(
            span.scope in {EVERYTHING, mission_class}
            and span.start <= end
            and (span.end is None or span.end >= begin)
            for span in self._holds.get(swarm, ())
        )

    def shadow(self, swarm: str, at: datetime) -> bool:
        """Whether the swarm only watched at that time."""
        return any(span.holds(at) for span in self._shadows.get(swarm, ()))

    def terms(self, swarm: str, at: datetime) -> Terms | None:
        """What policy allowed at that time; None where nobody noted it."""
        known = self._terms.get(swarm, [])
        place = bisect_right(known, at, key=lambda term: term.at)
        return known[place - 1] if place else None

    def _take(self, entry: Entry) -> None:
        if entry.kind == EventKind.MISSION_OPENED:
            if entry.chain in self.missions:
                self.doubled.append(entry)
            else:
                self.missions[entry.chain] = Opened(
                    id=entry.chain, swarm=entry.swarm, at=entry.at, body=entry.body
                )
        elif entry.kind.startswith("freeze."):
            self._freeze(entry)
        elif entry.kind == EventKind.SHADOW_SET:
            self._shadow(entry)
        elif (mission := self.missions.get(entry.chain)) is not None:
            _grow(mission, entry)
        elif entry.kind in {EventKind.VERDICT_GIVEN, EventKind.MISSION_SETTLED}:
            self.unfounded.append(entry)

    def _freeze(self, entry: Entry) -> None:
        spans, id_ = self._holds[entry.swarm], str(entry.body.get("freeze", ""))
        if entry.kind == EventKind.FREEZE_OPENED:
            spans.append(Span(str(entry.body.get("class", EVERYTHING)), entry.at, None, id_))
        elif entry.kind == EventKind.FREEZE_LIFTED:
            for place, span in enumerate(spans):
                if span.id == id_ and span.end is None:
                    spans[place] = Span(span.scope, span.start, entry.at, id_)

    def _shadow(self, entry: Entry) -> None:
        spans = self._shadows[entry.swarm]
        going_on = bool(spans) and spans[-1].end is None
        if entry.body.get("shadow") and not going_on:
            spans.append(Span(EVERYTHING, entry.at, None))
        elif not entry.body.get("shadow") and going_on:
            spans[-1] = Span(EVERYTHING, spans[-1].start, entry.at)


def _grow(mission: Opened, entry: Entry) -> None:
    body = entry.body
    match entry.kind:
        case EventKind.ORDER_ISSUED:
            mission.issued.setdefault(str(body["order"]), []).append(entry.at)
        case EventKind.VERDICT_GIVEN:
            about = (str(body["gate"]), str(body["subject"]))
            mission.verdicts.setdefault(about, []).append((entry.at, int(body["answer"])))
        case EventKind.APPROVAL_USED:
            mission.used[str(body["commit"])] = entry.at
        case EventKind.EVIDENCE_SEEN if body.get("said"):
            mission.said.append((entry.at, str(body["said"])))
        case EventKind.MISSION_SETTLED:
            mission.ended.append(entry)
