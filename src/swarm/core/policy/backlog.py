"""How a need grows with what is said about it: heat, citations, confidence, rank, state.

What a hostile or broken source can do is bounded here: repeating itself within one reading heats a
need once, claiming another time moves the heat by a week at most, and saying more from one origin
is one citation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from swarm.core.ids import NeedId, SignalId
from swarm.core.nouns import Need, NeedState, Signal
from swarm.core.policy import ranking

LOOK_BACK = timedelta(days=7)  #: an older saying heats as if it were a week old
WEIGHT_LEAST = 1e-3  #: a deposit's weight is a trust; zero has no logarithm
PATHS_MOST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """What one independent origin says for a need. Repeats of one origin are one citation.

    citation: what can be looked up; empty when nothing can.
    trust:    of the claim after learning, in [0, 1]; the highest seen of this origin.
    """

    origin: str
    citation: str
    source: str
    external: bool
    trust: float
    signal: SignalId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A need that is there already, with its citations by origin."""

    need: Need
    state_at: datetime
    citations: Mapping[str, Citation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A need after new signals.

    citations: those that are new or stronger than before.    opened: it is open and was not.
    """

    need: Need
    citations: tuple[Citation, ...]
    cited_anew: int
    opened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What growing depends on besides the signals.

    trust:      learned factor per source; absent is 1.
    own_rounds: rounds of our own work behind each signal that our own work caused.
    """

    now: datetime
    trust: Mapping[str, float] = field(default_factory=dict)
    own_rounds: Mapping[SignalId, int] = field(default_factory=dict)

    def trust_in(self, signal: Signal) -> float:
        """What a claim of this signal is worth, in [0, 1]; nonsense is worth nothing."""
        worth = signal.trust * self.trust.get(signal.source, 1.0)
        return min(1.0, worth) if worth > 0 else 0.0

    def said_at(self, signal: Signal) -> datetime:
        """When it was said, as far as we believe it."""
        return max(self.now - LOOK_BACK, min(self.now, signal.observed_at))


def confidence(citations: Iterable[Citation]) -> float:
    """How sure the cited origins make us: 1 - prod(1 - trust), origins being independent.

    What cannot be looked up adds nothing. Source: noisy-or, Pearl 1988, section 4.3.2.
    """
    doubt = 1.0
    for cited in citations:
        if cited.citation:
            doubt *= 1.0 - cited.trust
    return 1.0 - doubt


def grow(
    id_: NeedId, known: Known | None, signals: Sequence[Signal], seen: Circumstances
) -> Growth:
    """The need after these signals, which are new and all say it; at least one."""
    before = known.citations if known else {}
    fresh = _citations(before, signals, seen)
    everything = {**before, **fresh}
    cited = [item for item in everything.values() if item.citation]
    anew = sum(bool(item.citation) and _uncited(before, item.origin) for item in fresh.values())
    base = known.need if known else _first(id_, signals[0], seen)
    heat = _heated(known.need.heat if known else None, signals, seen)
    grown = replace(
        base,
        risk=max(base.risk, *(signal.risk for signal in signals)),
        value=max(base.value, *(_value(signal) for signal in signals)),
        cost=max(base.cost, *(signal.cost for signal in signals)),
        confidence=confidence(cited),
        citations=len(cited),
        cited=bool(cited),
        external=base.external or any(signal.external for signal in signals),
        signals=base.signals + len(signals),
        heat=heat,
        last_seen=max(base.last_seen, *(seen.said_at(signal) for signal in signals)),
        own_rounds=max(base.own_rounds, *(seen.own_rounds.get(s.id, 0) for s in signals)),
        origins=tuple(sorted(item.origin for item in cited)),
    )
    opened = known is None or _reopens(known, signals, anew)
    if opened:
        grown = replace(grown, state=NeedState.OPEN, not_before=None)
    return Growth(
        need=replace(grown, rank=rank_of(grown)),
        citations=tuple(fresh.values()),
        cited_anew=anew,
        opened=opened,
    )


def rank_of(need: Need) -> float:
    """The static rank that the backlog is indexed by."""
    return ranking.static_rank(
        value=need.value,
        cost=need.cost,
        confidence=need.confidence,
        risk=need.risk,
        heat=need.heat,
        first_seen=need.first_seen,
    )


def _reopens(known: Known, signals: Sequence[Signal], cited_anew: int) -> bool:
    """Whether new evidence makes a closed need a need again.

    Rejected: only another independent citation. Done: only what was said after it was done, for
    what was said before may have been read late. Expired: anything. Taken: its mission has it.
    """
    state = known.need.state
    if state is NeedState.REJECTED:
        return cited_anew > 0
    if state is NeedState.DONE:
        return any(signal.observed_at > known.state_at for signal in signals)
    return state is NeedState.EXPIRED


def _citations(
    before: Mapping[str, Citation], signals: Sequence[Signal], seen: Circumstances
) -> dict[str, Citation]:
    """New citations by origin, and known ones that became stronger."""
    fresh: dict[str, Citation] = {}
    for signal in signals:
        said = Citation(
            origin=signal.origin,
            citation=signal.citation,
            source=signal.source,
            external=signal.external,
            trust=seen.trust_in(signal),
            signal=signal.id,
            at=seen.said_at(signal),
        )
        best = fresh.get(said.origin) or before.get(said.origin)
        if best is None or _strength(said) > _strength(best):
            fresh[said.origin] = said
    return fresh


def _strength(cited: Citation) -> tuple[bool, float]:
    return bool(cited.citation), cited.trust


def _uncited(before: Mapping[str, Citation], origin: str) -> bool:
    known = before.get(origin)
    return known is None or not known.citation


def _heated(heat: float | None, signals: Sequence[Signal], seen: Circumstances) -> float:
    """One deposit per origin and reading, at the latest time the origin said it."""
    latest: dict[str, Signal] = {}
    for signal in signals:
        other = latest.get(signal.origin)
        if other is None or signal.observed_at > other.observed_at:
            latest[signal.origin] = signal
    for signal in latest.values():
        weight = max(WEIGHT_LEAST, seen.trust_in(signal))
        heat = ranking.deposit(heat, seen.said_at(signal), weight)
    assert heat is not None  # noqa: S101 - there is at least one signal
    return heat


def _value(signal: Signal) -> float:
    return signal.value if math.isfinite(signal.value) and signal.value > 0 else 1.0


def _first(id_: NeedId, signal: Signal, seen: Circumstances) -> Need:
    """The need that a first signal makes, before anything is added up.

    It is first seen now: an old article that is read today must not look like years of waiting.
    """
    return Need(
        id=id_,
        title=signal.title,
        body=signal.body,
        mission_class=signal.mission_class,
        repo=signal.repo,
        paths=tuple(sorted(signal.paths))[:PATHS_MOST],
        rule=signal.rule,
        risk=signal.risk,
        value=_value(signal),
        cost=signal.cost,
        confidence=0.0,
        citations=0,
        cited=False,
        external=False,
        signals=0,
        heat=0.0,
        rank=0.0,
        first_seen=seen.now,
        last_seen=seen.said_at(signal),
    )
