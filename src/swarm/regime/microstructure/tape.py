"""One bar of quotes and trades of one stream, measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swarm.regime.elementary import dlog, lane_sum
from swarm.regime.errors import BadObservation
from swarm.regime.kernel import inner
from swarm.regime.microstructure.trades import Costs, costs, prevailing

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

_HALF_PI = 1.5707963267948966
_MEDIAN = 1.4193583020224412  # pi / (6 - 4 sqrt(3) + pi)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What came from `begins` to before `ends`, in ns UTC; Q quotes of L levels, T trades.

    Times within a side never fall; several events at one moment keep their order. bids and asks:
    shape (Q, L), prices from the touch outwards; *_sizes: the same shape, in units of the asset;
    NaN where a level is empty. prices, sizes: shape (T,), above 0.
    """

    begins: int
    ends: int
    quoted_at: Integers
    bids: Array
    bid_sizes: Array
    asks: Array
    ask_sizes: Array
    traded_at: Integers
    prices: Array
    sizes: Array

    def __post_init__(self) -> None:
        shape = (self.quoted_at.size, self.bids.shape[-1])
        for name in ("bids", "bid_sizes", "asks", "ask_sizes"):
            if getattr(self, name).shape != shape or not shape[1]:
                raise BadObservation(name, f"have shape {getattr(self, name).shape}", f"{shape}")
        for name in ("prices", "sizes"):
            values = getattr(self, name)
            if values.shape != self.traded_at.shape:
                raise BadObservation(name, f"have shape {values.shape}", f"{self.traded_at.shape}")
            if not (np.isfinite(values) & (values > 0.0)).all():
                raise BadObservation(name, "have one that is not above 0", "a trade that was made")
        for name in ("quoted_at", "traded_at"):
            times = getattr(self, name)
            if np.any(np.diff(times) < 0):
                raise BadObservation(name, "goes back in time", "the order in which they came")
            if times.size and not self.begins <= times[0] <= times[-1] < self.ends:
                raise BadObservation(name, "leaves the bar", "a time within the bar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Of one bar; NaN where nothing came that tells.

    spread:    quoted, relative to the mid, weighted with the time it stood.
    touch:     notional at the touch, and `depth` within some distance of the mid: the smaller side,
               averaged over time.
    change:    of the mid over the bar, relative.
    flow:      size bought minus size sold.
    amihud:    |change| over the notional that was traded.
    variance:  realised, of the log mid; `bipower` and `median` are robust to jumps.
    costs:     of each trade.
    quote_age: ns from the last quote to the end of the bar; -1 when there was none.
    crossed:   the last quote has its bid at or above its ask.
    """

    spread: float
    touch: float
    depth: float
    change: float
    flow: float
    amihud: float
    variance: float
    bipower: float
    median: float
    costs: Costs
    quote_age: int
    crossed: bool


def measure(bar: Bar, within: float = 0.001, horizon: int = 60_000_000_000) -> Measures:
    """The measures of a bar. within: of the mid, for `depth`; horizon: ns, for realised spreads.

    Quotes that lack a side, or are crossed or locked, have no mid: they end what stood before, and
    while they stand nothing does. A trade whose horizon lies beyond the bar has no realised spread
    yet.
    """
    bid, ask = bar.bids[:, 0], bar.asks[:, 0]
    whole = np.isfinite(bid) & np.isfinite(ask) & (bid > 0.0) & (bid < ask)
    mid = 0.5 * (bid[whole] + ask[whole])
    stood = np.diff(bar.quoted_at, append=bar.ends)[whole].astype(np.float64)
    standing = np.full(bid.size, np.nan)
    standing[whole] = mid
    later = _at(standing, bar, bar.traded_at + horizon)
    paid = costs(bar.prices, _at(standing, bar, bar.traded_at), later)
    near = [
        _depth(bar.bids[whole], bar.bid_sizes[whole], mid, within),
        _depth(bar.asks[whole], bar.ask_sizes[whole], mid, within),
    ]
    change = float(mid[-1] / mid[0] - 1.0) if mid.size > 1 else np.nan
    notional = _sum(bar.prices * bar.sizes)
    moves = np.zeros(max(mid.size - 1, 0))
    _returns(mid, moves)
    variance, bipower, median = _variances(moves)
    return Measures(
        spread=_mean((ask[whole] - bid[whole]) / mid, stood),
        touch=_mean(np.minimum(near[0][0], near[1][0]), stood),
        depth=_mean(np.minimum(near[0][1], near[1][1]), stood),
        change=change,
        flow=_sum(paid.side * bar.sizes),
        amihud=abs(change) / notional if notional > 0.0 else np.nan,
        variance=variance,
        bipower=bipower,
        median=median,
        costs=paid,
        quote_age=int(bar.ends - bar.quoted_at[-1]) if bar.quoted_at.size else -1,
        crossed=bool(bar.quoted_at.size and bid[-1] >= ask[-1]),
    )


def _at(mid: Array, bar: Bar, asked_at: Integers) -> Array:
    """The mid that stands at each moment; NaN before the first quote and from the bar's end on."""
    place = prevailing(bar.quoted_at, asked_at)
    known = (place >= 0) & (asked_at < bar.ends)
    return np.where(known, mid[place], np.nan) if mid.size else np.full(asked_at.size, np.nan)


def _depth(prices: Array, sizes: Array, mid: Array, within: float) -> tuple[Array, Array]:
    """Notional of one side at the touch, and within a distance of the mid."""
    notional = np.nan_to_num(prices * sizes)
    near = np.abs(prices - mid[:, None]) <= within * mid[:, None]
    total = np.zeros(len(mid))
    for level in range(prices.shape[1]):  # in order: numpy's own sums have no fixed one
        total += np.where(near[:, level], notional[:, level], 0.0)
    return notional[:, 0], total


def _sum(values: Array) -> float:
    return lane_sum(np.ascontiguousarray(values), values.size)


def _mean(values: Array, weights: Array) -> float:
    total = _sum(weights)
    return _sum(values * weights) / total if total > 0.0 else np.nan


@inner
def _returns(mid: Array, moves: Array) -> None:
    for i in range(moves.size):
        moves[i] = dlog(mid[i + 1] / mid[i])


def _variances(r: Array) -> tuple[float, float, float]:
    """Realised, bipower and median realised variance of n returns; NaN where too few.

    Source: Barndorff-Nielsen and Shephard 2004; Andersen, Dobrev and Schaumburg 2012.
    """
    n, size = r.size, np.abs(r)
    bipower = median = np.nan
    if n > 1:
        bipower = _HALF_PI * n / (n - 1) * _sum(size[1:] * size[:-1])
    if n > 2:  # noqa: PLR2004 - a median of three
        a, b, c = size[:-2], size[1:-1], size[2:]
        middle = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
        median = _MEDIAN * n / (n - 2) * _sum(middle * middle)
    return (_sum(r * r) if n else np.nan), bipower, median
