"""The ledger under any interleaving: what is sent counts at once, and nothing else adds to it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from swarm.regime.controls import events as happened
from swarm.regime.controls.books import FIRM
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.errors import LedgerContradiction
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import Side
from swarm.regime.controls.pretrade import pretrade
from swarm.regime.controls.windows import Beats, Extremes
from swarm.regime.limits.caps import CapitalCap
from swarm.testing.trading import (
    CENT,
    NOON,
    filled,
    in_force,
    instrument,
    ledger,
    limit_set,
    sent,
    trade_order,
)

pytestmark = pytest.mark.req("REG-10")

LOT = 10_050 * CENT
SYMBOLS = {"ACME": "tech", "CRUDE": "oil"}
CAPS = {"firm": 60 * LOT, "main": 50 * LOT, "spare": 30 * LOT, "tech": 40 * LOT, "oil": 35 * LOT,
        "ACME": 38 * LOT, "CRUDE": 33 * LOT}  # fmt: skip
LIMITS = in_force(
    limit_set(
        firm=CAPS["firm"],
        accounts=tuple(CapitalCap(name=name, capital=CAPS[name]) for name in ("main", "spare")),
        sectors=tuple(CapitalCap(name=name, capital=CAPS[name]) for name in ("tech", "oil")),
        instruments=tuple(
            instrument(name, sector=sector, capital=CAPS[name]) for name, sector in SYMBOLS.items()
        ),
    )
)


class Trading(RuleBasedStateMachine):
    """Control 1 by brute force: a second bookkeeping, of lots one by one, against every cap."""

    def __init__(self):
        super().__init__()
        self.ledger = ledger(LIMITS)
        self.orders = {}  # id -> [order, working lots, traded lots]
        self.number = 0

    @rule(
        account=st.sampled_from(["main", "main", "spare"]),
        symbol=st.sampled_from(sorted(SYMBOLS)),
        side=st.sampled_from(Side),
        quantity=st.integers(1, 25),
        price=st.integers(9_950, 10_050),
    )
    def order(self, account, symbol, side, quantity, price):
        self.number += 1
        order = trade_order(
            f"o-{self.number}", account=account, symbol=symbol, side=side, quantity=quantity,
            price=price,
        )  # fmt: skip
        if pretrade(order, LIMITS, self.ledger, NOON).ruling is Ruling.ACCEPT:
            self.ledger.apply(sent(order))
            self.orders[order.id] = [order, quantity, 0]

    def working(self):
        return [known for known in self.orders.values() if known[1]]

    @precondition(lambda self: self.working())
    @rule(data=st.data())
    def fill(self, data):
        known = data.draw(st.sampled_from(self.working()))
        lots = data.draw(st.integers(1, known[1]))
        event = filled(known[0].id, lots, execution=f"x-{known[2]}")
        self.ledger.apply(event)
        self.ledger.apply(event)  # the venue says it twice; it counts once
        known[1] -= lots
        known[2] += lots

    @precondition(lambda self: self.working())
    @rule(data=st.data(), reason=st.sampled_from(["cancelled", "refused", "never-arrived"]))
    def close(self, data, reason):
        known = data.draw(st.sampled_from(self.working()))
        for _ in range(2):
            self.ledger.apply(happened.Closed(order=known[0].id, reason=reason, at_ns=NOON))
        known[1] = 0

    @invariant()
    def working_and_filled_stay_below_every_cap(self):
        worst = {}
        for account in ("main", "spare"):
            for symbol in SYMBOLS:
                mine = [
                    known for known in self.orders.values()
                    if (known[0].account, known[0].symbol) == (account, symbol)
                ]  # fmt: skip
                held = sum(known[0].side.sign * known[2] for known in mine)
                buys = sum(known[1] for known in mine if known[0].side is Side.BUY)
                sells = sum(known[1] for known in mine if known[0].side is Side.SELL)
                worst[account, symbol] = max(abs(held + buys), abs(held - sells), abs(held)) * LOT
        found = {"firm": sum(worst.values())}
        for (account, symbol), value in worst.items():
            for name in (account, symbol, SYMBOLS[symbol]):
                found[name] = found.get(name, 0) + value
        for name, value in found.items():
            assert value <= CAPS[name], name
        totals = self.ledger.accounts.totals
        assert totals[FIRM] == found["firm"]
        assert {name: totals["account", name] for name in ("main", "spare")} == {
            name: found[name] for name in ("main", "spare")
        }


TestTrading = Trading.TestCase
TestTrading.settings = settings(stateful_step_count=30)


def test_the_same_events_give_the_same_ledger():
    events = [sent(), filled("o-1", 4), sent(trade_order("o-2", side=Side.SELL))]
    one, two = ledger(LIMITS, *events), ledger(LIMITS, *events)
    assert one.accounts.totals == two.accounts.totals
    assert one.accounts.cells == two.accounts.cells


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(filled("o-9", 1), id="a-fill-of-an-unknown-order"),
        pytest.param(filled("o-1", 11), id="more-than-was-asked"),
        pytest.param(filled("o-1", 0), id="a-fill-of-nothing"),
        pytest.param(filled("o-1", -1), id="a-fill-of-less-than-nothing"),
        pytest.param(happened.Closed(order="o-9", reason="cancelled", at_ns=NOON), id="close"),
        pytest.param(sent(trade_order(quantity=3)), id="sent-twice"),
    ],
)
def test_what_contradicts_the_ledger_is_refused_whole(event):
    book = ledger(LIMITS, sent())
    with pytest.raises(LedgerContradiction):
        book.apply(event)
    assert book.accounts.totals[FIRM] == 10 * LOT
    assert book.orders["o-1"].remaining == 10


def test_a_fill_after_the_close_is_a_contradiction():
    """Reports of a venue are numbered; one that comes after the end means that one was lost."""
    book = ledger(LIMITS, sent(), happened.Closed(order="o-1", reason="cancelled", at_ns=NOON))
    with pytest.raises(LedgerContradiction):
        book.apply(filled("o-1", 1))


def test_a_token_is_used_once():
    trip = happened.Tripped(latch="l-1", strategy="drift", cause="c", at_ns=NOON)
    back = happened.ReEnabled(latch="l-1", nonce="n-1", by="sol", at_ns=NOON)
    book = ledger(LIMITS, trip, back, trip)
    with pytest.raises(LedgerContradiction):
        book.apply(back)
    assert "l-1" in book.latches


def test_a_late_price_changes_nothing():
    book = ledger(LIMITS, happened.Marked(symbol="ACME", price=20_000, at_ns=NOON - 1))
    assert book.prices["ACME"].ticks == 10_000


def test_a_price_moves_what_is_held():
    book = ledger(LIMITS, sent(), filled("o-1", 10))
    book.apply(happened.Marked(symbol="ACME", price=-20_000, at_ns=NOON))
    assert book.accounts.totals[FIRM] == 10 * 20_050 * CENT


def test_a_ledger_of_its_own_knows_nothing():
    book = Ledger()
    assert (book.regime, book.metrics, book.limits_hash) == (None, None, "")


def test_windows_forget_what_is_too_old():
    beats, prices = Beats(), Extremes()
    for at, price in [(1, 5), (2, 9), (3, 7)]:
        beats.add(at, 2)
        prices.add(at, price, 2)
    assert prices.range(3, 2) == (7, 9)
    assert prices.range(9, 2) is None
    assert beats.full(2, 3, 2)
    assert not beats.full(2, 4, 2)
    assert not beats.full(3, 3, 10)  # the first was forgotten
