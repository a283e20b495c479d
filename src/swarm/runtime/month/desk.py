"""The desk: real engine, ladder, allocation, freeze, gate and order path; a paper venue."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.rules import PaperRules
from swarm.adapters.paper.venue import PaperVenue
from swarm.contract.profiles import profile
from swarm.ports.gate_records import GateRecord, GateRecords
from swarm.regime.capital import freeze
from swarm.regime.capital.allocation import AllocationRule, Situation, allocate, nothing
from swarm.regime.capital.ladder import LadderReason, LadderRule, RungEvidence
from swarm.regime.controls import events as happened
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.measures import Measures
from swarm.regime.controls.order import Side, TradeOrder
from swarm.regime.engine.record import RegimeRecord, record, return_votes
from swarm.regime.engine.state import empty
from swarm.regime.engine.step import Observation, advance
from swarm.regime.limits.by_regime import Metrics
from swarm.regime.nouns import HIDDEN, Posture, Regime
from swarm.runtime.month.experts import EXPERTS, GIVEN_UP, Stance, look
from swarm.runtime.month.limits import CENT, PEOPLE, REVISION, TRADER, VENUE, in_force
from swarm.runtime.month.market import (
    BAR_NS,
    BARS,
    DAY_NS,
    OPEN_NS,
    SYMBOL,
    Bar,
    Learned,
    Market,
    learned,
)
from swarm.runtime.trading import telling
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.path import OrderPath
from swarm.runtime.trading.state import TradingState

MICRO_EQUITY = 1_000_000 * 1_000_000
OUT_DAY, OUT_FROM, OUT_BARS = 15, 20, 12  #: the venue does not answer, on a day of many orders
THIN_DAY = 4  #: first day of so few offers that each trade costs too much; they end with the day
#: on which a limit broke, because when somebody begins to trade its climb decides.
FREEZE_LEAST_NS = DAY_NS
PROBE_BARS = 40  #: that one percent has to hold out after a freeze
WINDOW_BARS = 12  #: each morning's explicit window for resuming
HALF_SPREAD, THIN_SPREAD = 1, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that happened, with its reason."""

    day: int
    bar: int
    kind: str
    text: str


@dataclass(slots=True, kw_only=True)
class Day:
    """One day as it is printed."""

    day: int
    truth: Regime
    regime: str = ""
    posture: str = ""
    rungs: dict[str, str] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    equity: int | None = None  #: micro-units; None: something held has no price
    drawdown_ppm: int = 0
    accepted: int = 0
    refused: int = 0


class HeldRecords:
    """`ports.gate_records.GateRecords` in memory, for a month that nobody keeps."""

    def __init__(self) -> None:
        self.held: list[GateRecord] = []

    async def open(self) -> tuple[GateRecord, ...]:
        """All that it holds."""
        return tuple(self.held)

    async def append(self, records: Sequence[tuple[int, GateRecord]]) -> None:
        """Keep them."""
        self.held += [one for _, one in records]


class Desk:
    """One desk through one month. told: what happened, in order. days: one for each begun."""

    def __init__(self, known: Learned, seed: int, folder: Path, records: GateRecords) -> None:
        self.now = OPEN_NS
        self.told: list[Told] = []
        self.days: list[Day] = []
        self._params, self._engine = known.params, empty(1, known.params)
        self._memory = known.memory
        self._dice = random.Random(f"desk {seed}")  # noqa: S311 - a seeded draw, no secret
        out = OPEN_NS + OUT_DAY * DAY_NS + OUT_FROM * BAR_NS
        self.exchange = PaperExchange(
            [SYMBOL], PaperRules(outages=((out, out + OUT_BARS * BAR_NS),))
        )
        self.limits = in_force()
        self.measures = Measures(capital=MICRO_EQUITY)
        venue = PaperVenue(VENUE, self.exchange, lambda: self.now)
        self.path = OrderPath(
            TradingState(
                limits=self.limits,
                roster=PEOPLE,
                venues={VENUE: venue},
                records=records,
                kill_file=KillFile(folder / "kills"),
                clock=lambda: self.now,
                measures=self.measures,
            )
        )
        self.stances = {expert.name: Stance(expert) for expert in EXPERTS}
        self._given_up: list[list[float]] = [[] for _ in range(GIVEN_UP)]
        self._before = nothing(EXPERTS)
        self.latch = freeze.FreezeLatch()
        self._held_to = profile("quant").thresholds
        self._clean = 0
        self._price = 0
        self._quotes: list[str] = []
        self._orders = 0
        self._silent = False
        self._broke_on: int | None = None

    # --- one bar ---------------------------------------------------------------------------------

    async def live(self, bar: Bar) -> None:
        """Everything that happens at the end of one bar."""
        if bar.number == 0:
            self.days.append(Day(day=bar.day, truth=bar.truth))
            if not self.path.state.opened:
                self._say(bar, "memory", self._memory.sentence)
                await self.path.open()
        self.now = bar.at_ns
        ret = math.log(bar.price / self._price) if self._price else math.nan
        self._price = bar.price
        self._quote(bar)
        await telling.market(self.path.state)
        seen = self._regime(bar, ret)
        metrics = self.measures.metrics(self.path.state.ledger, self.limits, seen.id, self.now)
        broken = self.limits.verify(seen.id, metrics, self.now)
        self._freeze(bar, metrics, why=[one.sentence for one in broken])
        if not math.isnan(ret):
            self._ladder(bar, seen, ret, breach=bool(broken))
        self._allocate(bar, seen)
        self._tell_gate(seen, metrics)
        await self._trade(bar)
        await self._follow(bar)
        self._close(bar, seen, metrics)

    def _quote(self, bar: Bar) -> None:
        thin = bar.day >= THIN_DAY and self._broke_on in {None, bar.day}
        half = THIN_SPREAD if thin else HALF_SPREAD
        for one in self._quotes:
            self.exchange.withdraw(SYMBOL, one, self.now)
        self._quotes = [
            self.exchange.quote(SYMBOL, side, bar.price + sign * half, 50_000, self.now)
            for side, sign in ((Side.BUY, -1), (Side.SELL, 1))
        ]

    def _regime(self, bar: Bar, ret: float) -> RegimeRecord:
        seen = Observation(at=self.now, values=np.array([100.0 * ret]))
        for change in advance(self._engine, seen, self._params):
            if change.said is not change.before:
                why = ", ".join(change.reasons.names)
                votes = return_votes(self._engine, 0, self._params).sentence
                self._say(bar, "regime", f"{change.before} -> {change.said}: {why}; {votes}")
        return record(self._engine, 0, self._params)

    @property
    def equity(self) -> int | None:
        """Capital and what positions have made since, micro-units."""
        return self.measures.equity(self.limits)

    # --- freezing, climbing, allocating ----------------------------------------------------------

    def _freeze(self, bar: Bar, metrics: Metrics, *, why: list[str]) -> None:
        ledger = self.path.state.ledger
        health = freeze.Health(
            drawdown_ppm=metrics.drawdown_ppm,
            breaches=len(why),
            throttled=bool(ledger.latches),
            killed=bool(ledger.kills),
        )
        before = self.latch
        if trips := freeze.tripped(health, self._held_to):
            self.latch = freeze.trip(before, trips, self.now, FREEZE_LEAST_NS)
            self._clean = 0
            self._broke_on = bar.day if self._broke_on is None else self._broke_on
            if not before.trips or before.probing is not None:
                self._say(bar, "freeze", f"{', '.join(sorted(trips))}: {'; '.join(why)}")
            return
        if not before.trips:
            return
        # Nothing is proven by nobody: one percent counts from when somebody stands on it.
        if before.probing is None or any(one.rung for one in self.stances.values()):
            self._clean += 1
        opens = OPEN_NS + bar.day * DAY_NS
        proven = self.now if self._clean >= PROBE_BARS else None
        proof = freeze.ResumeProof(
            window=(opens, opens + (WINDOW_BARS + 1) * BAR_NS),
            shadow_passed=proven,
            one_percent_passed=proven,
        )
        self.latch, _ = freeze.resume(before, proof, self.now)
        if self.latch != before:
            self._clean = 0
            probing = bool(self.latch.trips)
            what = "one percent may be tried, in the window," if probing else "lifted"
            where = "in shadow" if probing else "on one percent"
            self._say(bar, "resume", f"{what} after {PROBE_BARS} clean bars {where}")

    def _ladder(self, bar: Bar, seen: RegimeRecord, ret: float, *, breach: bool) -> None:
        for one in self._given_up:
            one.append(0.0006 * self._dice.gauss(0.0, 1.0))
        excess = {
            name: stance.observe(seen.id, stance.see(ret, bar.day, self._dice.gauss(0.0, 1.0)))
            for name, stance in self.stances.items()
        }
        look(self.stances, self._given_up, len(self._given_up[0]))
        for name, stance in self.stances.items():
            evidence = RungEvidence(
                regime=seen.id,
                excess=excess[name],
                breach=breach,
                finding=stance.finding,
                ceiling=self.latch.ceiling,
            )
            before, why = stance.climb(evidence, LadderRule())
            if stance.rung is not before:
                reasons = ", ".join(why)
                self._say(bar, "rung", f"{name}: {before.label} -> {stance.rung.label}: {reasons}")
            elif LadderReason.WORSE_THAN_BASELINE in why and bar.number == 0:
                self._say(bar, "rung", f"{name}: stays in shadow: {', '.join(why)}")

    def _allocate(self, bar: Bar, seen: RegimeRecord) -> None:
        situation = Situation(
            posterior=_posterior(seen),
            posture=self.latch.posture(seen.posture),
            rungs={name: one.rung for name, one in self.stances.items()},
            memory=self._memory,
        )
        made = allocate(EXPERTS, situation, self._before, AllocationRule(group_caps={}))
        if made.held_back and not self._before.held_back and bar.number == 0:
            self._say(bar, "shares", "a bound fell, so nobody is raised")
        self._before = made

    # --- trading ---------------------------------------------------------------------------------

    def _tell_gate(self, seen: RegimeRecord, metrics: Metrics) -> None:
        see: Callable[[happened.LedgerEvent], None] = self.path.state.see
        now = self.now
        see(happened.RegimeSeen(regime=seen.id, at_ns=now))
        see(happened.MetricsSeen(metrics=metrics))
        for name, stance in self.stances.items():
            see(happened.RungSet(strategy=name, rung=stance.rung, at_ns=now))

    async def _trade(self, bar: Bar) -> None:
        for name, share in zip(self._before.names, self._before.capital_shares, strict=True):
            worth = share * self.measures.opening
            wanted = self.stances[name].side * int(worth / (self._price * CENT))
            lots = wanted - self.path.state.ledger.strategies.cell(name, SYMBOL).held
            if lots:
                await self._order(bar, name, lots)

    async def _order(self, bar: Bar, name: str, lots: int) -> None:
        side = Side.BUY if lots > 0 else Side.SELL
        self._orders += 1
        limit = self._price + (20 if lots > 0 else -20)
        order = TradeOrder(
            id=f"o-{self._orders}", strategy=name, sha=REVISION, trader=TRADER, client="house",
            account=name, venue=VENUE, symbol=SYMBOL, side=side, quantity=abs(lots), price=limit,
            made_ns=self.now,
        )  # fmt: skip
        decision = await self.path.submit(order)
        day = self.days[-1]
        if decision.ruling is Ruling.ACCEPT:
            day.accepted += 1
            return
        day.refused += 1
        if day.refused == 1:
            why = "; ".join(
                f"control {one.control.value}, {one.reason}: {one.detail}"
                for one in decision.refusals[:2]
            )
            self._say(bar, "refused", f"{name} {side} {abs(lots)}: {why}")

    async def _follow(self, bar: Bar) -> None:
        self.now += 1_000_000
        silent = bool(await self.path.follow())
        if silent is not self._silent:
            self._say(bar, "venue", "paper does not answer" if silent else "paper answers again")
        if self._silent and not silent:
            found = await self.path.agree()
            self._say(bar, "venue", f"books compared: {len(found)} differences")
        self._silent = silent
        self.now += self.measures.settle_ns
        await telling.market(self.path.state)

    def _close(self, bar: Bar, seen: RegimeRecord, metrics: Metrics) -> None:
        day = self.days[-1]
        day.drawdown_ppm = max(day.drawdown_ppm, metrics.drawdown_ppm or 0)
        if bar.number < BARS - 1:
            return
        day.regime, day.posture = str(seen.id), str(self.latch.posture(Posture(seen.posture)))
        day.rungs = {name: one.rung.label for name, one in self.stances.items()}
        day.shares = dict(zip(self._before.names, self._before.capital_shares, strict=True))
        day.equity = self.equity

    def _say(self, bar: Bar, kind: str, text: str) -> None:
        self.told.append(Told(day=bar.day, bar=bar.number, kind=kind, text=text))

    def digest(self) -> str:
        """A hash of everything that happened: the same seed gives the same."""
        whole = repr((self.told, self.days, self.equity, self._engine.tick)).encode()
        return hashlib.sha256(whole).hexdigest()


def _posterior(seen: RegimeRecord) -> tuple[float, ...]:
    total = math.fsum(seen.posterior)
    return tuple(p / total for p in seen.posterior) if total > 0 else (1 / len(HIDDEN),) * 4


async def lived(
    seed: int, days: int, folder: Path, records: GateRecords, progress: Callable[[int], None]
) -> Desk:
    """A desk after so many days; the same seed gives the same. Cost: 0.1 s a day and a fit."""
    desk = Desk(learned(seed), seed, folder, records)
    for bar in Market(seed + 1).days(days):
        await desk.live(bar)
        if bar.number == BARS - 1:
            progress(bar.day + 1)
    return desk
