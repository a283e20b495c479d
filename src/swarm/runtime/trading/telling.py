"""What a running order path is told all the time: prices, sessions, regime, rungs, its measures."""

from __future__ import annotations

import contextlib
import json

from pydantic import TypeAdapter

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.rungs import Rungs
from swarm.adapters.postgres.store.regime.states import RegimeStates
from swarm.ports.venue import Unreachable
from swarm.regime.controls.events import (
    Marked,
    MetricsSeen,
    RegimeSeen,
    RungSet,
    StatusSeen,
)
from swarm.regime.controls.measures import Measures
from swarm.regime.nouns import Posture, Regime
from swarm.runtime.trading.place import TradingPlace, replace
from swarm.runtime.trading.state import TradingState

_MEASURES = TypeAdapter(tuple[RegimeSeen, MetricsSeen])


async def market(state: TradingState) -> tuple[str, ...]:
    """Prices and sessions of every venue; gives the venues that could not be asked."""
    silent = []
    for name, venue in state.venues.items():
        seen = await venue.market()
        if isinstance(seen, Unreachable):
            silent.append(name)
            continue
        for one in seen:
            if one.symbol not in state.limits.instruments:
                continue
            price = one.last
            if one.bid is not None and one.ask is not None:
                price = (one.bid + one.ask) // 2
            if price is not None:
                state.mark(Marked(symbol=one.symbol, price=price, at_ns=one.at_ns))
            state.see(
                StatusSeen(
                    venue=name, symbol=one.symbol, in_session=one.in_session, halted=one.halted,
                    at_ns=one.at_ns,
                )
            )  # fmt: skip
    return tuple(silent)


async def regime(state: TradingState, database: Database, stream: str) -> None:
    """The newest stored regime of the stream.

    A posture that is not normal counts as `uncertain`, whose limits are the strictest; a frozen
    one says nothing, so that what was said grows old and nothing more may grow.
    """
    for found in await RegimeStates(database).history(stream, 1):
        posture = found.record.get("posture")
        if posture == Posture.FROZEN:
            return
        normal = posture == Posture.NORMAL
        now = Regime(found.record["id"]) if normal else Regime.UNCERTAIN
        state.see(RegimeSeen(regime=now, at_ns=found.at_ns))


async def rungs(state: TradingState, database: Database) -> None:
    """Where every strategy stands."""
    now = state.clock()
    for strategy, rung in (await Rungs(database).now()).items():
        if state.ledger.rungs.get(strategy) is not rung:
            state.see(RungSet(strategy=strategy, rung=rung, at_ns=now))


def measures(state: TradingState, place: TradingPlace) -> None:
    """What trading costs and loses now: to the gate, and by a file to the monitor."""
    now, known = state.clock(), state.ledger.regime
    regime_now = known[0] if known else Regime.UNCERTAIN
    before = (state.measures.day, state.measures.opening)
    found = MetricsSeen(metrics=state.measures.metrics(state.ledger, state.limits, regime_now, now))
    if (state.measures.day, state.measures.opening) != before:
        day = {"day": state.measures.day, "opening": state.measures.opening}
        replace(place.day, json.dumps(day).encode())
    state.see(found)
    if known is not None:
        told = (RegimeSeen(regime=known[0], at_ns=known[1]), found)
        replace(place.measures, _MEASURES.dump_json(told))


def resume_day(measures: Measures, place: TradingPlace) -> None:
    """What today is known to have opened with; when nobody knows, the capital counts."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, OverflowError):
        held = json.loads(place.day.read_bytes())
        measures.day, measures.opening = int(held["day"]), int(held["opening"])
