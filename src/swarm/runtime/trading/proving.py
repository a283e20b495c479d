"""What a running order path shows of its controls, kept as evidence: limits, books, kills."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from typing import Any

import structlog

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.contract.errors import Unavailable
from swarm.contract.profiles import profile
from swarm.regime.capital.freeze import Health, Trip, drawdown_limit, tripped
from swarm.regime.capital.ladder import LadderReason
from swarm.regime.limits.by_regime import Metrics
from swarm.runtime.events import Event
from swarm.runtime.regime.demotion import step_down
from swarm.runtime.regime.promotion import LIMITS_SEEN
from swarm.runtime.trading.state import TradingState

SAY_EVERY = 120.0  #: seconds between two words on the limits; one lasts five minutes
PROFILE = "quant"  #: whose thresholds hold for whatever trades
PROVE_EVERY = 3_600.0  #: seconds between two proofs that the books agree
log = structlog.get_logger()


class Proving:
    """Writes when there is something to say. A lost database loses evidence, and never invents it.

    me: who saw it.    stream: whose ticks count for the ladder.
    """

    def __init__(self, database: Database, me: str, stream: str = "") -> None:
        self._database, self._me, self._stream = database, me, stream
        self._evidences = ControlEvidences(database)
        self._agreed = float("-inf")
        self._said: dict[str, tuple[bool, float]] = {}

    async def limits(self, state: TradingState) -> None:
        """Whether every strategy keeps the limits of the regime, and the profile's drawdown.

        Those that are released count too: the first step up the ladder needs this word. At once
        when it changes, else every two minutes. What is not known is not said: a gate that hears
        nothing waits. With each word of a breach every strategy goes one rung down (REG-7).
        """
        ledger, now = state.ledger, state.clock()
        if ledger.regime is None or not state.limits.fresh(ledger.regime[1], now):
            return
        found = state.limits.verify(ledger.regime[0], ledger.metrics, now)
        broken = [one.sentence for one in found if one.found is not None]
        broken += _fallen(ledger.metrics)
        if found and not broken:
            return
        released = {strategy for strategy, _ in state.limits.releases}
        for strategy in sorted(released | ledger.rungs.keys()):
            was, at = self._said.get(strategy, (None, float("-inf")))
            if was == (not broken) and time.monotonic() - at < SAY_EVERY:
                continue
            body = {"regime": str(ledger.regime[0]), "breaches": broken,
                    "limits": state.limits.hash}  # fmt: skip
            await self._add(LIMITS_SEEN, strategy, body, passed=not broken)
            if broken:
                await self._down(strategy, broken)
            self._said[strategy] = (not broken, time.monotonic())

    async def _down(self, strategy: str, broken: list[str]) -> None:
        why = "; ".join(broken)[:500]
        lowered = await step_down(
            self._database,
            strategy,
            stream=self._stream,
            reason=f"{LadderReason.LIMIT_BREACHED}: {why}",
            by=self._me,
            now=time.time_ns(),
        )
        if lowered is not None:
            log.warning(Event.RUNG_LOWERED, strategy=strategy, rung=lowered.rung.label, detail=why)

    async def books(self, state: TradingState) -> None:
        """Whether the books agree with every venue's, once an hour."""
        if time.monotonic() - self._agreed < PROVE_EVERY:
            return
        broken = {"breaks": [one.detail for one in state.ledger.breaks.values()]}
        await self._add("reconciliation", "every venue", broken, passed=not state.ledger.breaks)
        self._agreed = time.monotonic()

    async def killed(self, kill: str, asked: Collection[str], deaf: Collection[str]) -> None:
        """That a kill of everything reached these venues, or not. No database delays it."""
        with contextlib.suppress(Unavailable):
            for venue in asked:
                await self._add("kill-drill", venue, {"kill": kill}, passed=venue not in deaf)

    async def _add(self, kind: str, subject: str, body: dict[str, Any], *, passed: bool) -> None:
        seen = {"by": self._me, **body}
        await self._evidences.add(kind, subject, time.time_ns(), seen, passed=passed)


def _fallen(metrics: Metrics | None) -> list[str]:
    """What the profile says of the drawdown, however much more the limit set allows.

    Whoever trades through this order path is held to `quant`, the profile of trading.
    """
    if metrics is None or metrics.drawdown_ppm is None:
        return []
    held_to = profile(PROFILE).thresholds
    if Trip.DRAWDOWN not in tripped(Health(drawdown_ppm=metrics.drawdown_ppm), held_to):
        return []
    limit = drawdown_limit(held_to)
    return [f"drawdown_ppm is {metrics.drawdown_ppm}; the profile {PROFILE} freezes at {limit}"]
