"""What a mission's evidence says, read once per judgement. The latest fact of a kind wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile

from swarm.core.evidence import (
    Aborted,
    ArtifactJudged,
    CheckEnded,
    CitationRead,
    Fact,
    Landed,
    LiveSeen,
    LookTaken,
    MainSeen,
    Notified,
    OrderRefused,
    PersonSaid,
    Promoted,
    Restaged,
    Reverted,
    RunEnded,
    Synced,
    TrafficSet,
)
from swarm.core.nouns import Change
from swarm.core.snapshot import Mission, OpenOrder

AGAINST = ("cancel", "reject", "rollback")  #: what people say to have a mission end or go back


@dataclass(slots=True)
class TargetFindings:
    """What is known about this mission's rollout at one target.

    resynced: whether it was started once more after it was taken off, by an order that came late.
    traffic: the newest exposure of each rollout step, in the order in which they came.
    looks:   in the order of observation, which is not that of the steps: a policy that changes
             the steps in the middle of a rollout has the smaller ones looked at again.
    """

    synced: Synced | None = None
    resynced: bool = False
    traffic: dict[int, TrafficSet] = field(default_factory=dict)
    looks: list[LookTaken] = field(default_factory=list)
    last_look: dict[int, LookTaken] = field(default_factory=dict)
    promoted: Promoted | None = None
    aborted: Aborted | None = None
    live: LiveSeen | None = None

    def add_look(self, taken: LookTaken) -> None:
        """Keep a look; one that is not later than the last says nothing.

        Two controllers' clocks may disagree by a moment, and counters read at the same instant
        hold no increase.
        """
        self.last_look[taken.step] = taken
        if not self.looks or taken.look.observed_at > self.looks[-1].look.observed_at:
            self.looks.append(taken)

    def looks_at(self, step: int) -> list[LookTaken]:
        """The looks of one step, oldest first."""
        return [taken for taken in self.looks if taken.step == step]

    def set_since(self, step: int) -> tuple[int, ...]:
        """Steps that were set after this one was: while there are some, it is not in force."""
        return tuple(takewhile(lambda other: other != step, reversed(self.traffic)))

    def in_force(self, taken: LookTaken) -> bool:
        """Whether a look saw the split that was set before it; at another it proves nothing."""
        exposed = self.traffic.get(taken.step)
        if exposed is None or taken.at < exposed.at:
            return True
        return taken.look.traffic_percent == exposed.percent


@dataclass(slots=True)
class Findings:
    """The evidence of one mission, sorted by what it is about.

    runs:        finished runs, oldest first; attempts used = len(runs).
    change:      the newest exact change, None before the first and after a failed restage.
    restaged:    what put the present change on top of a moved main; None where nothing did.
    conflict:    the restage that failed, until a run brings a change that stands on its `onto`.
    tried_since: whether a run ended after that conflict.
    moved_to:    where main had moved when landing the present change was refused.
    words:       what people said, oldest first; nobody's word takes another's back.
    answered:    ids of all facts; an order whose fact is here is settled, whatever it said.
    """

    runs: list[RunEnded] = field(default_factory=list)
    change: Change | None = None
    restaged: Restaged | None = None
    conflict: Restaged | None = None
    tried_since: bool = False
    checks: dict[tuple[str, str], CheckEnded] = field(default_factory=dict)
    artifacts: dict[str, ArtifactJudged] = field(default_factory=dict)
    landed: Landed | None = None
    moved_to: str | None = None
    answered: set[str] = field(default_factory=set)
    targets: dict[str, TargetFindings] = field(default_factory=dict)
    reverted: Reverted | None = None
    refused: list[OrderRefused] = field(default_factory=list)
    words: list[PersonSaid] = field(default_factory=list)
    main: MainSeen | None = None
    cited: dict[str, list[CitationRead]] = field(default_factory=dict)
    open_orders: dict[str, OpenOrder] = field(default_factory=dict)

    def target(self, name: str) -> TargetFindings:
        """The findings at one target; empty ones where nothing happened yet."""
        known = self.targets.get(name)
        if known is None:
            known = self.targets[name] = TargetFindings()
        return known

    def is_open(self, key: str) -> OpenOrder | None:
        """The order of that key if it was issued and is not settled."""
        return self.open_orders.get(key)

    def said(self, *words: str) -> PersonSaid | None:
        """The newest of these words; None where nobody said one of them."""
        return next((word for word in reversed(self.words) if word.said in words), None)

    @property
    def against(self) -> PersonSaid | None:
        """The newest word against the mission, whatever else was said before a decision saw it."""
        return self.said(*AGAINST)

    @property
    def revision(self) -> str:
        """The commit that landed, which the targets are to run; empty before it did."""
        return "" if self.landed is None else self.landed.commit

    @property
    def cost(self) -> int:
        """What the runs cost so far, in micro-units."""
        return sum(run.cost for run in self.runs)


def read(mission: Mission) -> Findings:
    """Sort a mission's facts. Cost: one pass over the facts."""
    found = Findings(open_orders={order.key: order for order in mission.orders})
    for fact in mission.facts:
        found.answered.add(fact.id)
        if isinstance(fact, LookTaken):  # there are the most of them
            found.target(fact.target).add_look(fact)
        else:
            _sort(found, fact)
    return found


def _sort(found: Findings, fact: Fact) -> None:
    match fact:
        case Synced() | TrafficSet() | Promoted() | Aborted() | LiveSeen():
            _sort_target(found.target(fact.target), fact)
        case RunEnded() | Restaged() | Landed() | Reverted() | MainSeen():
            _sort_change(found, fact)
        case CheckEnded():
            found.checks[fact.check, fact.commit] = fact
        case ArtifactJudged():
            found.artifacts[fact.commit] = fact
        case OrderRefused():
            found.refused.append(fact)
        case PersonSaid():
            found.words.append(fact)
        case CitationRead():
            found.cited.setdefault(fact.citation, []).append(fact)
        case Notified():
            pass


def _sort_change(found: Findings, fact: RunEnded | Restaged | Landed | Reverted | MainSeen) -> None:
    match fact:
        case RunEnded():
            found.runs.append(fact)
            found.tried_since = True
            if fact.change is not None:
                found.change, found.conflict, found.moved_to = fact.change, None, None
                found.restaged = None
        case Restaged():
            found.change, found.moved_to, found.tried_since = fact.change, None, False
            found.conflict = fact if fact.change is None else None
            found.restaged = fact if fact.change is not None else None
        case Landed():
            found.landed = fact if fact.landed else found.landed
            found.moved_to = None if fact.landed else fact.main
        case Reverted():
            found.reverted = fact
        case MainSeen():
            found.main = fact


def _sort_target(
    target: TargetFindings,
    fact: Synced | TrafficSet | Promoted | Aborted | LiveSeen,
) -> None:
    match fact:
        case Synced():
            target.synced, target.resynced = fact, target.aborted is not None
        case TrafficSet():
            target.traffic.pop(fact.step, None)
            target.traffic[fact.step] = fact
        case Promoted():
            target.promoted = fact
        case Aborted():
            target.aborted, target.resynced = fact, False
        case LiveSeen():
            target.live = fact
