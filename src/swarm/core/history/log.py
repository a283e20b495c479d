"""The trail, sorted by what the rules ask for. One pass."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

from swarm.contract.verdict import Answer
from swarm.core.history.journal import Deed, Entry
from swarm.core.history.terms import Terms, terms_of
from swarm.core.trail import EventKind

EVERYTHING = "*"


class Decided(NamedTuple):
    """When something was decided, and under which policy."""

    at: datetime
    policy: str


class Given(NamedTuple):
    """One answer of a gate: when, what, and under which policy it was asked."""

    at: datetime
    answer: int
    policy: str


@dataclass(slots=True, kw_only=True)
class Opened:
    """One mission as the log tells it. verdicts: by gate and subject, in the order of time."""

    id: str
    swarm: str
    at: datetime
    body: Mapping[str, Any]
    issued: dict[str, list[Decided]] = field(default_factory=dict)  #: a voided order comes again
    #: When an order was voided, by its key and by how often it had been issued until then.
    voided: dict[tuple[str, int], datetime] = field(default_factory=dict)
    landings: dict[str, list[Decided]] = field(default_factory=dict)  #: decisions, by the commit
    verdicts: dict[tuple[str, str], list[Given]] = field(default_factory=dict)
    used: dict[str, datetime] = field(default_factory=dict)  #: commit -> when its approval was used
    said: list[tuple[datetime, str]] = field(default_factory=list)
    ended: list[Entry] = field(default_factory=list)
    froze: list[datetime] = field(default_factory=list)  #: when freezes began or grew because of it

    @property
    def mission_class(self) -> str:
        """What kind of work it is; what freezes go by."""
        return str(self.body.get("class", ""))

    @property
    def risk(self) -> int:
        """The risk it was opened with; a change may raise it."""
        return int(self.body.get("risk", 0))

    @property
    def opening(self) -> Decided:
        """When and under which policy it was opened."""
        return Decided(self.at, str(self.body.get("policy_hash", "")))

    def decided(self, key: str, at: datetime) -> Decided | None:
        """The decision that a request of that time carried; None without one."""
        times = self.issued.get(key, [])
        place = bisect_right(times, at, key=lambda one: one.at)
        return times[place - 1] if place else None

    def voided_by(self, key: str, at: datetime) -> datetime | None:
        """When the order that a request of that time carried was voided, if that was before."""
        issued = bisect_right(self.issued.get(key, []), at, key=lambda one: one.at)
        gone = self.voided.get((key, issued))
        return gone if gone is not None and gone < at else None

    def verdict(self, gate: str, subject: str, decided: Decided) -> Given | None:
        """The gate's answer about the subject that stood in a decision; None without one.

        Two decisions may share an instant, and so may their answers: the pass is then that of the
        one which went on.
        """
        given = self.verdicts.get((gate, subject), [])
        place = bisect_right(given, decided.at, key=lambda one: one.at)
        begin = bisect_left(given, decided.at, hi=place, key=lambda one: one.at)
        own = [one for one in given[begin:place] if one.policy == decided.policy]
        passed = Given(decided.at, Answer.PASS, decided.policy)
        if passed in own:
            return passed
        return own[-1] if own else (given[place - 1] if place else None)

    def passed(self, gate: str, start: str, decided: Decided) -> bool:
        """Whether the gate passed any subject that begins so, and none of them stood failed.

        It counts when it was asked in the decision itself, under the policy of that decision.
        """
        given = [
            self.verdict(gate, subject, decided)
            for _, subject in self.verdicts
            if subject.startswith(start)
        ]
        failed = any(one is not None and one.answer == Answer.FAIL for one in given)
        return not failed and Given(decided.at, Answer.PASS, decided.policy) in given

    def heard(self, words: Iterable[str], at: datetime) -> bool:
        """Whether a person had said one of these by then."""
        wanted = set(words)
        return any(when <= at and word in wanted for when, word in self.said)


@dataclass(frozen=True, slots=True)
class Lift:
    """The end of a freeze. until: of its window as it was told last; proven: after that."""

    at: datetime
    freeze: str
    until: datetime | None
    proven: bool = False


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

    def or_longer(self, other: Span) -> Span:
        """Whichever goes on longer."""
        if self.end is None or (other.end is not None and other.end <= self.end):
            return self
        return other


class Spans:
    """Spans that may overlap. Cost of a question: one bisection."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans, key=lambda span: span.start)
        self._starts = [span.start for span in ordered]
        #: Of those up to each place, the one that goes on longest: if it does not hold, none does.
        self._longest = list(accumulate(ordered, Span.or_longer))

    def at(self, at: datetime) -> Span | None:
        """One that holds an instant; None if none does."""
        place = bisect_left(self._starts, at)
        span = self._longest[place - 1] if place else None
        return span if span is not None and span.holds(at) else None


NEVER = Spans(())


class Log:
    """Missions, freezes, shadow and terms, ready to be asked. Cost: one pass over the entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.missions: dict[str, Opened] = {}
        self.doubled: list[Entry] = []
        self.unfounded: list[Entry] = []
        self.lifts: list[Lift] = []
        self._to_lift: dict[tuple[str, str], Lift] = {}  #: by swarm and freeze, as far as it is
        self._frozen: dict[tuple[str, str], list[Span]] = defaultdict(list)
        self._open: dict[tuple[str, str], list[Span]] = defaultdict(list)  #: by swarm and freeze
        self._watched: dict[str, list[Span]] = defaultdict(list)
        self._terms: dict[tuple[str, str], Terms] = {}  #: by swarm and policy
        self._told_from: dict[str, datetime] = {}  #: swarm -> when its first policy was told
        for entry in entries:
            self._take(entry)
        for (swarm, _), spans in self._open.items():
            for span in spans:
                self._frozen[swarm, span.scope].append(span)
        self._holds = {about: Spans(spans) for about, spans in self._frozen.items()}
        self._shadows = {swarm: Spans(spans) for swarm, spans in self._watched.items()}

    def hold(self, swarm: str, mission_class: str, at: datetime) -> Span | None:
        """The freeze that held a class at that time; None if none did."""
        held = (self._holds.get((swarm, scope), NEVER) for scope in (EVERYTHING, mission_class))
        return next((span for spans in held if (span := spans.at(at))), None)

    def shadow(self, swarm: str, at: datetime) -> bool:
        """Whether the swarm only watched at that time."""
        return self._shadows.get(swarm, NEVER).at(at) is not None

    def terms(self, swarm: str, policy: str) -> Terms | None:
        """What that policy allowed; None where the log does not tell."""
        return self._terms.get((swarm, policy))

    def tells_gates(self, mission: Opened) -> bool:
        """Whether the log tells what each step of this mission rested on."""
        begun = self._told_from.get(mission.swarm)
        return begun is not None and begun <= mission.at

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
        elif entry.kind == EventKind.POLICY_BOUND:
            policy = str(entry.body.get("policy_hash", ""))
            self._terms[entry.swarm, policy] = terms_of(entry.body)
            self._told_from.setdefault(entry.swarm, entry.at)
        elif entry.kind == EventKind.SHADOW_SET:
            self._shadow(entry)
        elif (mission := self.missions.get(entry.chain)) is not None:
            _grow(mission, entry)
        elif entry.kind in {EventKind.VERDICT_GIVEN, EventKind.MISSION_SETTLED}:
            self.unfounded.append(entry)

    def _freeze(self, entry: Entry) -> None:
        id_ = str(entry.body.get("freeze", ""))
        self._may_lift(entry, id_)
        begins = entry.kind in {EventKind.FREEZE_OPENED, EventKind.FREEZE_EXTENDED}
        if begins and (cause := self.missions.get(str(entry.body.get("cause", "")))) is not None:
            cause.froze.append(entry.at)
        if entry.kind == EventKind.FREEZE_OPENED:
            span = Span(str(entry.body.get("class", EVERYTHING)), entry.at, None, id_)
            self._open[entry.swarm, id_].append(span)
        elif entry.kind == EventKind.FREEZE_LIFTED:
            for span in self._open.pop((entry.swarm, id_), ()):
                self._frozen[entry.swarm, span.scope].append(replace(span, end=entry.at))

    def _may_lift(self, entry: Entry, id_: str) -> None:
        """Follow what a freeze waits for. One whose window was never told is not judged."""
        about = (entry.swarm, id_)
        if entry.kind in {EventKind.FREEZE_OPENED, EventKind.FREEZE_EXTENDED}:
            self._to_lift.pop(about, None)
            if "until" in entry.body:
                until = entry.body["until"]
                ends = None if until is None else datetime.fromisoformat(str(until))
                self._to_lift[about] = Lift(entry.at, id_, ends)
        elif (waits := self._to_lift.get(about)) is None:
            return
        elif entry.kind == EventKind.FREEZE_REQUALIFIED:
            self._to_lift[about] = replace(waits, proven=True)
        elif entry.kind == EventKind.FREEZE_LIFTED:
            self.lifts.append(replace(self._to_lift.pop(about), at=entry.at))

    def _shadow(self, entry: Entry) -> None:
        spans = self._watched[entry.swarm]
        going_on = bool(spans) and spans[-1].end is None
        if entry.body.get("shadow") and not going_on:
            spans.append(Span(EVERYTHING, entry.at, None))
        elif not entry.body.get("shadow") and going_on:
            spans[-1] = replace(spans[-1], end=entry.at)


def _grow(mission: Opened, entry: Entry) -> None:
    body = entry.body
    match entry.kind:
        case EventKind.ORDER_ISSUED:
            decided = Decided(entry.at, str(body.get("policy_hash", "")))
            key = str(body["order"])
            mission.issued.setdefault(key, []).append(decided)
            verb, _, rest = key.removeprefix(f"{mission.id}/").partition("/")
            if verb == Deed.LAND:
                mission.landings.setdefault(rest.partition("/")[0], []).append(decided)
        case EventKind.ORDER_VOIDED:
            key = str(body["order"])
            mission.voided.setdefault((key, len(mission.issued.get(key, []))), entry.at)
        case EventKind.VERDICT_GIVEN:
            about = (str(body["gate"]), str(body["subject"]))
            given = Given(entry.at, int(body["answer"]), str(body.get("policy_hash", "")))
            mission.verdicts.setdefault(about, []).append(given)
        case EventKind.APPROVAL_USED:
            mission.used[str(body["commit"])] = entry.at
        case EventKind.EVIDENCE_SEEN if body.get("said"):
            mission.said.append((entry.at, str(body["said"])))
        case EventKind.MISSION_SETTLED:
            mission.ended.append(entry)
