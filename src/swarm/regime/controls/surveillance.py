"""Signs of manipulation in our own orders. Heuristics, and said so: they find the plain cases.

Control 18; RTS 6 Article 13 wants every order watched by automated means. What is flagged here is
looked at by a person; nothing is decided on it. What is not flagged is not thereby innocent: across
venues, across firms and over days these rules see nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import PPM, SECOND


class Step(StrEnum):
    """What became of an order at one moment."""

    SENT = "sent"  #: it went out
    FILLED = "filled"  #: some of it was traded
    CANCELLED = "cancelled"  #: the rest was taken back


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """One step of one order. execution: the venue's id of the trade, the same for both sides."""

    step: Step
    at_ns: int
    order: str
    account: str
    symbol: str
    side: Side
    price: int
    execution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something for a person to look at. rule: `cross-trade`, `cancel-ratio` or `layering`."""

    rule: str
    symbol: str
    orders: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchfulness:
    """From when on something is a sign. Starting values; a desk sets its own.

    cancel_ppm, cancel_least: cancelled of sent orders in an instrument, once there were so many.
    layers:    cancelled orders on one side at different prices around a trade on the other side.
    within_ns: all of it within this time.
    """

    cancel_ppm: int = 950_000
    cancel_least: int = 100
    layers: int = 4
    within_ns: int = 10 * SECOND


def flags(steps: Sequence[Footprint], rule: Watchfulness | None = None) -> tuple[Flag, ...]:
    """Every sign in these steps, which are in order of time. Cost: trades times cancellations."""
    watch = rule or Watchfulness()
    by_symbol: defaultdict[str, list[Footprint]] = defaultdict(list)
    for step in steps:
        by_symbol[step.symbol].append(step)
    found: list[Flag] = []
    for symbol, own in sorted(by_symbol.items()):
        found += _crossed(symbol, own)
        found += _cancelled(symbol, own, watch)
        found += _layered(symbol, own, watch)
    return tuple(found)


def _crossed(symbol: str, steps: Iterable[Footprint]) -> list[Flag]:
    """Both sides of one trade are ours: it moved nothing but the tape."""
    sides: defaultdict[str, dict[Side, Footprint]] = defaultdict(dict)
    for step in steps:
        if step.step is Step.FILLED and step.execution:
            sides[step.execution][step.side] = step
    return [
        Flag(
            rule="cross-trade",
            symbol=symbol,
            orders=tuple(sorted(one.order for one in both.values())),
            detail=f"both sides of {execution} are ours",
        )
        for execution, both in sides.items()
        if len(both) == len(Side)
    ]


def _cancelled(symbol: str, steps: Sequence[Footprint], watch: Watchfulness) -> list[Flag]:
    sent = sum(one.step is Step.SENT for one in steps)
    gone = sum(one.step is Step.CANCELLED for one in steps)
    if sent < watch.cancel_least or gone * PPM < watch.cancel_ppm * sent:
        return []
    return [
        Flag(rule="cancel-ratio", symbol=symbol, orders=(), detail=f"{gone} of {sent} cancelled")
    ]


def _layered(symbol: str, steps: Sequence[Footprint], watch: Watchfulness) -> list[Flag]:
    """Many prices shown on one side, a trade on the other, and then the show is taken back."""
    sent = {one.order: one for one in steps if one.step is Step.SENT}
    traded = {one.order for one in steps if one.step is Step.FILLED}
    found = []
    for trade in (one for one in steps if one.step is Step.FILLED):
        shown = [
            sent[one.order]
            for one in steps
            if one.step is Step.CANCELLED
            and one.side is trade.side.other
            and one.order in sent
            and one.order not in traded
            and trade.at_ns <= one.at_ns <= trade.at_ns + watch.within_ns
            and trade.at_ns - watch.within_ns <= sent[one.order].at_ns <= trade.at_ns
        ]
        if len({one.price for one in shown}) >= watch.layers:
            orders = tuple(sorted(one.order for one in shown))
            detail = f"{len(orders)} orders shown against {trade.order} and taken back"
            found.append(Flag(rule="layering", symbol=symbol, orders=orders, detail=detail))
    return found
