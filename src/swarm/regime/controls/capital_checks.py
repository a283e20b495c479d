"""How much in all: capital, own thresholds by regime, and the rung. Controls 1, 11 and 19.

An order that only reduces passes all three: what is too much becomes less by it.
"""

from __future__ import annotations

from collections.abc import Iterable

from swarm.regime.controls.asked import Asked, refuse
from swarm.regime.controls.books import FIRM
from swarm.regime.controls.decision import Control, Refusal
from swarm.regime.limits.by_regime import Measure
from swarm.regime.limits.instrument import PPM
from swarm.regime.nouns import Rung


def capital(asked: Asked) -> Refusal | None:
    """Control 1: working and filled, by firm, account, sector and instrument, with this order."""
    if not asked.growth:
        return None
    order, limits, books = asked.order, asked.limits, asked.ledger.accounts
    lot = books.lot_value(order.symbol)
    if lot is None:
        detail = f"{order.symbol} has no value"
        return refuse(Control.CAPITAL, "ValueUnknown", detail)
    if unvalued := books.unvalued():
        detail = f"{unvalued[0]} is held and has no value"
        return refuse(Control.CAPITAL, "ValueUnknown", detail)
    caps = {
        FIRM: limits.limits.firm,
        ("account", order.account): limits.accounts.get(order.account),
        ("sector", asked.instrument.sector): limits.sectors.get(asked.instrument.sector),
        ("symbol", order.symbol): asked.instrument.capital,
    }
    more = asked.growth * lot
    for scope, cap in caps.items():
        if cap is None:
            return refuse(Control.CAPITAL, "CapMissing", f"{' '.join(scope)} has no cap")
        comes_to = books.totals.get(scope, 0) + more
        if comes_to > cap:
            detail = f"{' '.join(scope).strip()} would come to {comes_to}, at most {cap}"
            return refuse(Control.CAPITAL, "CapitalExceeded", detail)
    return None


def risk(asked: Asked) -> Refusal | None:
    """Control 11: the limits of the regime that is active at this moment."""
    if asked.reduces:
        return None
    order, limits, ledger, now = asked.order, asked.limits, asked.ledger, asked.now_ns
    if ledger.regime is None or not limits.fresh(ledger.regime[1], now):
        return refuse(Control.RISK, "RegimeUnknown", "no recent regime; nothing may grow")
    regime = ledger.regime[0]
    if broken := limits.verify(regime, ledger.metrics, now):
        return refuse(Control.RISK, "LimitBreached", "; ".join(one.sentence for one in broken))
    rule = limits.regimes[regime]
    more = asked.growth * (ledger.accounts.lot_value(order.symbol) or 0)
    exposure = ledger.accounts.totals.get(FIRM, 0) + more
    if exposure > rule.exposure:
        detail = f"{Measure.EXPOSURE} would be {exposure}; in {regime} at most {rule.exposure}"
        return refuse(Control.RISK, "ExposureExceeded", detail)
    alone = ledger.accounts.totals.get(("symbol", order.symbol), 0) + more
    if alone * PPM > rule.concentration_ppm * rule.exposure:
        most = rule.concentration_ppm * rule.exposure // PPM
        detail = f"{order.symbol} would come to {alone}; in {regime} at most {most}"
        return refuse(Control.RISK, "ConcentrationExceeded", detail)
    return None


def rung(asked: Asked) -> Refusal | None:
    """Control 19: how far a strategy of this rung may spread. Held here, not by the allocator."""
    order, books = asked.order, asked.ledger.strategies
    growth = books.growth(order.strategy, order.symbol, order.side, order.quantity)
    if not growth and asked.reduces:
        return None
    standing = asked.ledger.rungs.get(order.strategy)
    if standing is None:
        return refuse(Control.RUNG, "RungUnknown", f"{order.strategy} stands on no rung")
    if standing is Rung.SHADOW:
        return refuse(Control.RUNG, "OnPaperOnly", f"{order.strategy} is in shadow")
    caps = asked.limits.rungs[standing]
    total = books.totals.get(("strategy", order.strategy), 0)
    found = (
        ("capital", total + growth * (books.lot_value(order.symbol) or 0), caps.capital),
        ("venues", _with(asked.ledger.strategy_venues.get(order.strategy, ()), order.venue),
         caps.venues),
        ("symbols", _with((name for name, _ in books.of(order.strategy)), order.symbol),
         caps.symbols),
        ("positions", _with((name for name, cell in books.of(order.strategy) if cell.held),
                            order.symbol), caps.positions),
    )  # fmt: skip
    for what, comes_to, most in found:
        if comes_to > most:
            detail = f"{order.strategy} on {standing.label}: {comes_to} {what}, at most {most}"
            return refuse(Control.RUNG, "RungExceeded", detail)
    return None


def _with(names: Iterable[str], one: str) -> int:
    return len({*names, one})
