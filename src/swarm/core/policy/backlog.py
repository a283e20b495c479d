"""How a need grows with what is said about it: heat, citations, confidence, rank, state.

What a hostile or broken source can do is bounded here: repeating itself within one reading heats a
need once, claiming another time moves the heat by a week at most, and saying more from one origin
is one citation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from swarm.core.ids import NeedId, SignalId
from swarm.core.nouns import Need, NeedState, Risk, Signal
from swarm.core.policy import ranking
from swarm.core.policy.citation import Claim, Grounds, anchors, ground
from swarm.core.policy.self_caused import OWN_ROUNDS_MAX

LOOK_BACK = timedelta(days=7)  #: an older saying heats as if it were a week old
WEIGHT_LEAST = 1e-3  #: a deposit's weight is a trust; zero has no logarithm
PATHS_MOST = 64
_UNMOVED = (NeedState.OPEN, NeedState.TAKEN)  #: states that no signal changes


class Citation(NamedTuple):
    """What one origin says for a need. Repeats of one origin are one citation.

    Whether it is independent of the others depends on them, so that is weighed with all at hand.

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


class Known(NamedTuple):
    """A need that is there already, with its citations by origin.

    texts: what the signals behind external citations say; absent: nobody knows any more.
    """

    need: Need
    state_at: datetime
    citations: Mapping[str, Citation]
    texts: Mapping[SignalId, str] = MappingProxyType({})


class Growth(NamedTuple):
    """A need after new signals.

    citations:  those that are new or stronger than before.    opened: it is open and was not.
    cited_anew: independent origins that did not count before.
    trusts:     of the need's origins, in their order.
    """

    need: Need
    citations: tuple[Citation, ...]
    cited_anew: int
    opened: bool
    trusts: tuple[float, ...]


class Kept(NamedTuple):
    """As much of a need as repetition asks about. trusts: of its cited origins, in their order."""

    id: NeedId
    state: NeedState
    risk: Risk
    value: float
    cost: int
    external: bool
    own_rounds: int
    heat: float
    confidence: float
    first_seen: datetime
    last_seen: datetime
    signals: int
    origins: Sequence[str]
    trusts: Sequence[float]


class Warmth(NamedTuple):
    """All that repeating changes of a need."""

    need: NeedId
    rank: float
    heat: float
    last_seen: datetime
    signals: int


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
        return min(1.0, max(0.0, signal.trust * self.trust.get(signal.source, 1.0)))

    def said_at(self, signal: Signal) -> datetime:
        """When it was said, as far as we believe it."""
        return max(self.now - LOOK_BACK, min(self.now, signal.observed_at))


def grow(
    id_: NeedId, known: Known | None, signals: Sequence[Signal], seen: Circumstances
) -> Growth:
    """The need after these signals, which are new and all say it; at least one.

    A need that is new is first seen now: an old article that is read today must not look like
    years of waiting. Cost: a need is built once, for a storm is ten thousand of these.
    """
    if known is None and len(signals) == 1:
        return _first(id_, signals[0], seen)
    before = known.citations if known else {}
    fresh = _citations(before, signals, seen)
    need = known.need if known else None
    grounds = _grounds({**before, **fresh}, known.texts if known else {}, signals)
    anew = len(set(grounds.origins).difference(need.origins if need else ()))
    first = signals[0]
    heat = _heated(need.heat if need else None, signals, seen)
    risk, value, cost, own, said, external = _most(signals, seen)
    opened = known is None or _reopens(known, signals, grounds.citations, own)
    closed = None if opened else need
    if need is not None:
        risk, value = max(risk, need.risk), max(value, need.value)
        cost, own = max(cost, need.cost), max(own, need.own_rounds)
        said, external = max(said, need.last_seen), external or need.external
    first_seen = need.first_seen if need else seen.now
    grown = Need(
        id=id_,
        title=need.title if need else first.title,
        body=need.body if need else first.body,
        mission_class=need.mission_class if need else first.mission_class,
        repo=need.repo if need else first.repo,
        paths=need.paths if need else tuple(sorted(first.paths))[:PATHS_MOST],
        rule=need.rule if need else first.rule,
        risk=risk,
        value=value,
        cost=cost,
        confidence=grounds.confidence,
        citations=grounds.citations,
        cited=grounds.citations > 0,
        heard=grounds.heard,
        anchored=grounds.anchored,
        external=external,
        signals=(need.signals if need else 0) + len(signals),
        heat=heat,
        rank=ranking.static_rank(
            ranking.worth(value=value, cost=cost, confidence=grounds.confidence, risk=risk),
            heat=heat,
            first_seen=first_seen,
        ),
        first_seen=first_seen,
        last_seen=said,
        state=closed.state if closed else NeedState.OPEN,
        not_before=closed.not_before if closed else None,
        rounds=need.rounds if need else 0,
        own_rounds=own,
        origins=grounds.origins,
    )
    return Growth(grown, tuple(fresh.values()), anew, opened, grounds.trusts)


def _first(id_: NeedId, signal: Signal, seen: Circumstances) -> Growth:
    """The need that one signal makes: the other common case, spelled out."""
    said, trust, value = seen.said_at(signal), seen.trust_in(signal), _value(signal)
    cited = bool(signal.citation)
    sure = 1.0 - (1.0 - trust) if cited else 0.0  # to the last bit what `confidence` gives
    heat = ranking.deposit(None, said, max(WEIGHT_LEAST, trust))
    need = Need(
        id=id_,
        title=signal.title,
        body=signal.body,
        mission_class=signal.mission_class,
        repo=signal.repo,
        paths=tuple(sorted(signal.paths))[:PATHS_MOST],
        rule=signal.rule,
        risk=signal.risk,
        value=value,
        cost=signal.cost,
        confidence=sure,
        citations=int(cited),
        cited=cited,
        heard=int(cited),
        anchored=cited and anchors(trust, external=signal.external),
        external=signal.external,
        signals=1,
        heat=heat,
        rank=ranking.static_rank(
            ranking.worth(value=value, cost=signal.cost, confidence=sure, risk=signal.risk),
            heat=heat,
            first_seen=seen.now,
        ),
        first_seen=seen.now,
        last_seen=said,
        own_rounds=seen.own_rounds.get(signal.id, 0),
        origins=(signal.origin,) if cited else (),
    )
    citation = Citation(
        signal.origin, signal.citation, signal.source, signal.external, trust, signal.id, said
    )
    return Growth(need, (citation,), int(cited), opened=True, trusts=(trust,) if cited else ())


def warm(kept: Kept, signal: Signal, seen: Circumstances) -> Warmth | None:
    """What a signal that says nothing new changes; None when it says more, or reopens the need.

    The common case of a storm, at a fraction of the cost of `grow`, with the same result.
    """
    if signal.origin not in kept.origins:
        return None
    trust = seen.trust_in(signal)
    if (
        (signal.citation and trust > kept.trusts[kept.origins.index(signal.origin)])
        or kept.state not in _UNMOVED
        or signal.risk > kept.risk
        or _value(signal) > kept.value
        or signal.cost > kept.cost
        or signal.external > kept.external
        or seen.own_rounds.get(signal.id, 0) > kept.own_rounds
    ):
        return None
    at = seen.said_at(signal)
    heat = ranking.deposit(kept.heat, at, max(WEIGHT_LEAST, trust))
    rank = ranking.static_rank(
        ranking.worth(value=kept.value, cost=kept.cost, confidence=kept.confidence, risk=kept.risk),
        heat=heat,
        first_seen=kept.first_seen,
    )
    return Warmth(kept.id, rank, heat, max(at, kept.last_seen), kept.signals + 1)


def _most(
    signals: Sequence[Signal], seen: Circumstances
) -> tuple[Risk, float, int, int, datetime, bool]:
    """The highest risk, value, cost, own rounds and time of these signals; any external?"""
    return (
        max(signal.risk for signal in signals),
        max(_value(signal) for signal in signals),
        max(signal.cost for signal in signals),
        max(seen.own_rounds.get(signal.id, 0) for signal in signals),
        max(seen.said_at(signal) for signal in signals),
        any(signal.external for signal in signals),
    )


def words_of(title: str, body: str) -> str:
    """The words of a signal by which a mirror of it is known."""
    return f"{title}\n{body}".strip()


def _grounds(
    citations: Mapping[str, Citation], texts: Mapping[SignalId, str], signals: Sequence[Signal]
) -> Grounds:
    """What all citations of a need amount to together."""
    now = {signal.id: words_of(signal.title, signal.body) for signal in signals if signal.external}
    return ground(
        Claim(
            origin=cited.origin,
            citation=cited.citation,
            external=cited.external,
            trust=cited.trust,
            text=now.get(cited.signal) or texts.get(cited.signal, ""),
            at=cited.at,
        )
        for cited in citations.values()
    )


def _reopens(known: Known, signals: Sequence[Signal], citations: int, own: int) -> bool:
    """Whether new evidence makes a closed need a need again.

    Rejected: only another independent citation. Done: only what was said after it was done, for
    what was said before may have been read late. Expired: anything. Taken: its mission has it.
    A loop of our own work: only its next round, which freezes its class anew.
    """
    state = known.need.state
    if state is NeedState.REJECTED and known.need.own_rounds >= OWN_ROUNDS_MAX:
        return own > known.need.own_rounds
    if state is NeedState.REJECTED:
        return citations > known.need.citations
    if state is NeedState.DONE:
        return any(signal.observed_at > known.state_at for signal in signals)
    return state is NeedState.EXPIRED


def _citations(
    before: Mapping[str, Citation], signals: Sequence[Signal], seen: Circumstances
) -> dict[str, Citation]:
    """New citations by origin, and known ones that became stronger."""
    fresh: dict[str, Citation] = {}
    for signal in signals:
        trust = seen.trust_in(signal)
        best = fresh.get(signal.origin) or before.get(signal.origin)
        strength = (bool(signal.citation), trust)
        if best is None or strength > (bool(best.citation), best.trust):
            fresh[signal.origin] = Citation(
                origin=signal.origin,
                citation=signal.citation,
                source=signal.source,
                external=signal.external,
                trust=trust,
                signal=signal.id,
                at=seen.said_at(signal),
            )
    return fresh


def _heated(heat: float | None, signals: Sequence[Signal], seen: Circumstances) -> float:
    """One deposit per origin and reading: its latest saying, of several then the strongest."""
    latest: dict[str, tuple[datetime, float]] = {}
    for signal in signals:
        said = seen.said_at(signal), max(WEIGHT_LEAST, seen.trust_in(signal))
        latest[signal.origin] = max(said, latest.get(signal.origin, said))
    for at, weight in latest.values():
        heat = ranking.deposit(heat, at, weight)
    assert heat is not None  # noqa: S101 - there is at least one signal
    return heat


def _value(signal: Signal) -> float:
    return signal.value if math.isfinite(signal.value) and signal.value > 0 else 1.0
