"""A stalled feed rightly stopped trading, and its first fresh tick started it again (P69)."""

import pytest

from swarm.contract.profiles import profile
from swarm.regime.capital.freeze import (
    FreezeLatch,
    Health,
    ResumeProof,
    Trip,
    Unmet,
    resume,
    trip,
    tripped,
)
from swarm.regime.controls import events as happened
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.order import Side
from swarm.regime.controls.pretrade import pretrade
from swarm.regime.limits.instrument import SECOND
from swarm.regime.nouns import Regime, Rung
from swarm.testing.trading import NOON, filled, in_force, ledger, metrics, sent, trade_order

pytestmark = pytest.mark.req("REG-4", "FRZ-5")
HOUR = 3_600 * SECOND
QUANT = profile("quant").thresholds


def market(book, at):
    """Everything but the regime is fresh at this time."""
    book.apply(happened.MetricsSeen(metrics=metrics(at_ns=at)))
    for symbol in ("ACME", "CRUDE"):
        book.apply(happened.Marked(symbol=symbol, price=10_000, at_ns=at))
        seen = happened.StatusSeen(
            venue="paper", symbol=symbol, in_session=True, halted=False, at_ns=at
        )
        book.apply(seen)


def test_while_the_regime_is_stale_nothing_grows_and_what_reduces_goes_on():
    held = in_force()
    book = ledger(held, sent(), filled("o-1", 10))
    for hours in (1, 2, 9):
        now = NOON + hours * HOUR
        market(book, now)
        more = pretrade(trade_order("o-2", made_ns=now), held, book, now)
        assert "RegimeUnknown" in {one.reason for one in more.refusals}
        less = trade_order("o-3", side=Side.SELL, made_ns=now)
        assert pretrade(less, held, book, now).ruling is Ruling.ACCEPT
    assert not book.kills, "staleness is a rule, and no switch that somebody must find"
    assert book.known_latch("drift") is None
    book.apply(happened.RegimeSeen(regime=Regime.TREND, at_ns=now))
    again = pretrade(trade_order("o-4", made_ns=now), held, book, now)
    assert again.ruling is Ruling.ACCEPT, "the gate itself holds nothing when all is fresh"


def test_equity_that_nobody_knew_freezes_and_the_way_back_is_the_ladder():
    """Fresh numbers alone resume nothing: window, shadow stage, one percent, then all of it."""
    blind = Health(drawdown_ppm=None)
    assert tripped(blind, QUANT) == {Trip.EQUITY_UNKNOWN}
    held = trip(FreezeLatch(), tripped(blind, QUANT), now=0, shortest=HOUR)
    assert held.ceiling is Rung.SHADOW
    fresh = Health(drawdown_ppm=0)
    assert trip(held, tripped(fresh, QUANT), now=9 * HOUR, shortest=HOUR) == held
    unmet = (Unmet.OUTSIDE_WINDOW, Unmet.NO_SHADOW_PROOF)
    assert resume(held, ResumeProof(), now=9 * HOUR) == (held, unmet)
    proof = ResumeProof(window=(HOUR, 99 * HOUR), shadow_passed=8 * HOUR)
    probing, unmet = resume(held, proof, now=9 * HOUR)
    assert (unmet, probing.ceiling) == ((), Rung.ONE)
    assert resume(probing, proof, now=10 * HOUR)[0].ceiling is Rung.ONE
    stale = trip(probing, tripped(blind, QUANT), now=11 * HOUR, shortest=HOUR)
    assert stale.ceiling is Rung.SHADOW, "stale once more, and all of it begins anew"
