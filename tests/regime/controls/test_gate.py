"""The gate, control by control: each row is one order that must not go out, and why."""

import time
from dataclasses import replace

import pytest

from swarm.regime.controls import events as happened
from swarm.regime.controls import order_checks
from swarm.regime.controls.decision import Control, Ruling
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import Side, order_hash
from swarm.regime.controls.override import Override
from swarm.regime.controls.pretrade import pretrade
from swarm.regime.limits.caps import CapitalCap, NearDuplicate, Permission, Repetition, VenueLimits
from swarm.regime.limits.instrument import SECOND, MessageRate, ShortSale
from swarm.regime.nouns import DEFENSIVENESS, LADDER, Regime, Rung
from swarm.testing.trading import (
    CENT,
    NOON,
    collar,
    filled,
    in_force,
    instrument,
    ledger,
    limit_set,
    metrics,
    regime_limits,
    rung_caps,
    sent,
    trade_order,
)

pytestmark = pytest.mark.req("REG-10")

#: One lot of ACME at 10,000 ticks counts with the collar's worst price: 10,050 cents.
LOT = 10_050 * CENT
BUY, SELL = Side.BUY, Side.SELL


def judge(limits=None, events=(), order=None, at=NOON, exception=None):
    """Ask the gate about one order after these events."""
    held = in_force(limits)
    book = ledger(held, *events)
    return pretrade(order or trade_order(), held, book, at, exception)


def reasons(decision):
    return {(one.control, one.reason) for one in decision.refusals}


def acme(**given):
    """The plain set with another ACME."""
    return limit_set(instruments=(instrument(**given), instrument("CRUDE", sector="oil")))


def test_a_plain_order_passes():
    decision = judge()
    assert decision.refusals == ()
    assert decision.ruling is Ruling.ACCEPT
    assert decision.limits_hash == in_force().hash
    assert (decision.regime, decision.rung) == (Regime.TREND, Rung.FULL)


def kill(scope):
    return happened.Killed(kill="k-1", scope=scope, by="tom", reason="odd fills", at_ns=NOON)


def marked(price):
    return happened.Marked(symbol="ACME", price=price, at_ns=NOON)


def status(**given):
    plain = happened.StatusSeen(
        venue="paper", symbol="ACME", in_session=True, halted=False, at_ns=NOON
    )
    return replace(plain, **given)


TRIPPED = happened.Tripped(latch="l-1", strategy="drift", cause="too often", at_ns=NOON)
LOCATED = happened.Located(
    reference="loc-1", account="main", symbol="ACME", quantity=10, until_ns=NOON + SECOND
)
BROKEN = happened.Broken(broken="b-1", venue="paper", detail="a fill is missing", at_ns=NOON)
DOUBT = happened.Doubted(venue="paper", orders=("o-7",), at_ns=NOON)
BAD_NUMBERS = [0, -10, 1.0, float("nan"), float("inf"), True, None, "10", 10**16]

CASES = [
    # 1: capital by firm, account, sector and instrument; working and filled count alike
    (1, "CapitalExceeded", limit_set(firm=10 * LOT - 1), (), trade_order()),
    (1, "CapitalExceeded",
     limit_set(accounts=(CapitalCap(name="main", capital=10 * LOT - 1),
                         CapitalCap(name="spare", capital=LOT * 99))), (), trade_order()),
    (1, "CapitalExceeded",
     limit_set(sectors=(CapitalCap(name="tech", capital=10 * LOT - 1),
                        CapitalCap(name="oil", capital=0))), (), trade_order()),
    (1, "CapitalExceeded", acme(capital=20 * LOT - 1), [sent()], trade_order("o-2")),
    (1, "CapitalExceeded", acme(capital=20 * LOT - 1), [sent(), filled("o-1", 10)],
     trade_order("o-2")),
    (1, "CapitalExceeded", acme(capital=10 * LOT),
     [sent(trade_order("o-1", account="spare", quantity=1))], trade_order("o-2")),
    # 2: the collar, each order and over a period
    (2, "PriceOutside", None, (), trade_order(price=10_051)),
    (2, "PriceOutside", None, (), trade_order(price=9_949, side=SELL)),
    (2, "PriceOutside", acme(collar=collar(share_ppm=1_000)), (), trade_order(price=10_011)),
    (2, "PriceOutside", None, [marked(-40)], trade_order(price=11)),
    (2, "PriceOutside", None, (), trade_order(price=-10_000)),
    (2, "ReferenceZero", None, [marked(0)], trade_order(price=0)),
    (2, "PriceDrifted", None, [marked(10_000 + 49 * step) for step in (1, 2)],
     trade_order(price=10_101)),
    (2, "PriceDrifted", None, [marked(10_000 - 49 * step) for step in (1, 2)],
     trade_order(price=9_899, side=SELL)),
    (2, "PriceDrifted", None,
     [sent(trade_order("o-0", price=9_950)), marked(10_045)], trade_order(price=10_051)),
    # 3 and 4: the size of one order; no limits is no trade
    (3, "NotionalTooLarge", acme(max_notional=10 * 10_000 * CENT - 1), (), trade_order()),
    (3, "NotionalTooLarge", acme(max_notional=10 * 10_000 * CENT - 1), (),
     trade_order(price=9_950)),
    (4, "QuantityTooLarge", None, (), trade_order(quantity=1_001)),
    (4, "LimitsNotConfigured", None, (), trade_order(symbol="OTHER")),
    # 5: messages; what went before counts whatever it was
    (5, "TooManyMessages", acme(messages=MessageRate(count=1, window_ns=SECOND)),
     [sent(trade_order("o-0", price=9_990))], trade_order()),
    (5, "TooManyMessages", acme(messages=MessageRate(count=2, window_ns=SECOND)),
     [happened.Messaged(venue="paper", symbol="ACME", at_ns=NOON)] * 2, trade_order()),
    (5, "TooManyMessages",
     limit_set(venues=(VenueLimits(name="paper", messages=MessageRate(count=1, window_ns=SECOND)),
                       VenueLimits(name="dark", messages=MessageRate(count=9, window_ns=SECOND)))),
     [happened.Messaged(venue="paper", symbol="CRUDE", at_ns=NOON)], trade_order()),
    # 6: repeated execution
    (6, "StrategyOff", None, [TRIPPED], trade_order()),
    (6, "RepeatedExecution",
     limit_set(repetition=Repetition(most=2, window_ns=60 * SECOND, near=NearDuplicate.FLAG,
                                     duplicate_ns=1)),
     [sent(trade_order("o-7")), sent(trade_order("o-8"))], trade_order()),
    # 7: duplicates
    (7, "NearDuplicate",
     limit_set(repetition=Repetition(most=99, window_ns=SECOND, near=NearDuplicate.REFUSE,
                                     duplicate_ns=SECOND)), [sent()], trade_order("o-2")),
    (7, "IdReused", None, [sent()], trade_order(quantity=11)),
    (7, "NothingToReplace", None, (), trade_order(replaces="o-0")),
    (7, "ReplacesAnother", None, [sent()], trade_order("o-2", replaces="o-1", side=SELL)),
    # 8: what is out there is not known
    (8, "OrdersInDoubt", None, [DOUBT], trade_order()),
    # 9: permissions and the restricted list
    (9, "NotPermitted", None, (), trade_order(trader="bot")),
    (9, "NotPermitted", None, (), trade_order(account="other")),
    (9, "NotPermitted", None, (), trade_order(account="spare", symbol="CRUDE")),
    (9, "NotPermitted", None, (), trade_order(account="spare", venue="dark")),
    (9, "NotPermitted", None, (), trade_order(venue="elsewhere")),
    (9, "Restricted", limit_set(restricted=("ACME",)), (), trade_order()),
    # 10: halts, sessions, short sales
    (10, "Halted", None, [status(halted=True)], trade_order()),
    (10, "OutOfSession", None, [status(in_session=False)], trade_order()),
    (10, "ShortSale", acme(short_sale=ShortSale.FORBIDDEN), (), trade_order(side=SELL)),
    (10, "LocateMissing", acme(short_sale=ShortSale.LOCATE), (), trade_order(side=SELL)),
    (10, "LocateMissing", acme(short_sale=ShortSale.LOCATE), [LOCATED],
     trade_order(side=SELL, locate="loc-2")),
    (10, "LocateMissing", acme(short_sale=ShortSale.LOCATE), [replace(LOCATED, account="spare")],
     trade_order(side=SELL, locate="loc-1")),
    (10, "LocateTooSmall", acme(short_sale=ShortSale.LOCATE), [replace(LOCATED, quantity=9)],
     trade_order(side=SELL, locate="loc-1")),
    (10, "LocateTooSmall", acme(short_sale=ShortSale.LOCATE),
     [LOCATED, sent(trade_order("o-0", side=SELL, quantity=1))],
     trade_order(side=SELL, locate="loc-1")),
    (10, "ShortSale", acme(short_sale=ShortSale.FORBIDDEN),
     [sent(trade_order("o-0", quantity=10))], trade_order(side=SELL)),
    # 11: own thresholds by regime
    (11, "ExposureExceeded",
     limit_set(regimes=tuple(regime_limits(one, exposure=(36 * LOT) >> (2 * DEFENSIVENESS[one]))
                             for one in Regime)),
     [happened.RegimeSeen(regime=Regime.STRESSED_LIQUIDITY, at_ns=NOON)], trade_order()),
    (11, "ConcentrationExceeded",
     limit_set(regimes=tuple(regime_limits(one, exposure=40 * LOT, concentration_ppm=249_999)
                             for one in Regime)), (), trade_order()),
    (11, "LimitBreached", None,
     [happened.MetricsSeen(metrics=metrics(drawdown_ppm=15_001))], trade_order()),
    (11, "LimitBreached", None,
     [happened.MetricsSeen(metrics=metrics(slippage_ppm=None))], trade_order()),
    # 13: the kill switch, in each scope
    *((13, "Killed", None, [kill(scope)], trade_order())
      for scope in ("*", "account:main", "strategy:drift", "venue:paper", "trader:tom")),
    # 16: books that differ
    (16, "BooksDiffer", None, [BROKEN], trade_order()),
    # 19: the rung
    (19, "OnPaperOnly", None,
     [happened.RungSet(strategy="drift", rung=Rung.SHADOW, at_ns=NOON)], trade_order()),
    (19, "RungExceeded", limit_set(rungs=tuple(rung_caps(one, symbols=1) for one in LADDER)),
     [sent(trade_order("o-0", symbol="CRUDE"))], trade_order()),
    (19, "RungExceeded", limit_set(rungs=tuple(rung_caps(one, venues=1) for one in LADDER)),
     [sent(trade_order("o-0", venue="dark"))], trade_order()),
    (19, "RungExceeded", limit_set(rungs=tuple(rung_caps(one, positions=1) for one in LADDER)),
     [sent(trade_order("o-0", symbol="CRUDE")), filled("o-0", 10)], trade_order()),
    (19, "RungExceeded",
     limit_set(rungs=tuple(rung_caps(one, capital=10 * LOT - 1) for one in LADDER)), (),
     trade_order()),
    # 20: revisions that nobody signed off
    (20, "ReleaseUnknown", None, (), trade_order(sha="bad0")),
    (20, "ReleaseUnknown", None, (), trade_order(strategy="new")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "reason", "limits", "events", "order"),
    [pytest.param(*case, id=f"{case[0]}-{case[1]}-{i}") for i, case in enumerate(CASES)],
)
def test_an_order_that_a_control_forbids_is_refused_by_name(number, reason, limits, events, order):
    decision = judge(limits, events, order)
    assert decision.ruling is Ruling.REJECT
    assert (Control(number), reason) in reasons(decision)


@pytest.mark.parametrize(
    ("limits", "events", "order"),
    [
        pytest.param(limit_set(firm=10 * LOT), (), trade_order(), id="exactly-at-the-cap"),
        pytest.param(None, (), trade_order(price=10_050), id="exactly-at-the-collar"),
        pytest.param(acme(collar=collar(window_ticks=20_000)), [marked(-40)],
                     trade_order(price=-90),
                     id="negative-prices-have-a-collar-too"),
        pytest.param(acme(max_notional=10 * 10_000 * CENT), (), trade_order(), id="largest-value"),
        pytest.param(acme(capital=10 * LOT), [sent(), filled("o-1", 10)],
                     trade_order("o-2", side=SELL), id="reducing-at-the-cap"),
        pytest.param(None, [sent(), filled("o-1", 10), BROKEN, DOUBT],
                     trade_order("o-2", side=SELL), id="reducing-while-books-differ"),
        pytest.param(None, [sent(), filled("o-1", 10),
                            happened.MetricsSeen(metrics=metrics(drawdown_ppm=90_000))],
                     trade_order("o-2", side=SELL), id="reducing-in-a-drawdown"),
        pytest.param(acme(short_sale=ShortSale.LOCATE), [LOCATED],
                     trade_order(side=SELL, locate="loc-1"), id="a-covered-short-sale"),
        pytest.param(None, [kill("strategy:mean"), kill("venue:dark")], trade_order(),
                     id="a-kill-of-something-else"),
    ],
)  # fmt: skip
def test_an_order_within_every_limit_passes(limits, events, order):
    assert reasons(judge(limits, events, order)) == set()


@pytest.mark.parametrize(
    "order",
    [
        *(trade_order(quantity=bad) for bad in BAD_NUMBERS),
        *(trade_order(price=bad) for bad in BAD_NUMBERS[2:]),
        trade_order(side="buy"),
        trade_order(side=SELL, quantity=-10),
        trade_order(made_ns=1.5),
        *(trade_order(**{name: bad}) for name in ("trader", "client", "strategy", "account")
          for bad in ("", " ", None, "x" * 129, "a\x1bb", 7)),
        {"id": "o-1"},
        None,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_before_anything_looks_at_it(order):
    held = in_force()
    decision = pretrade(order, held, ledger(held), NOON)
    assert decision.ruling is Ruling.REJECT
    assert {one.control for one in decision.refusals} == {Control.MALFORMED}


@pytest.mark.parametrize(
    ("reason", "at"),
    [
        pytest.param("ReferenceStale", NOON + 5 * SECOND + 1, id="reference"),
        pytest.param("StatusStale", NOON + 10 * SECOND + 1, id="status"),
        pytest.param("RegimeUnknown", NOON + 60 * SECOND + 1, id="regime"),
        pytest.param("ReferenceStale", NOON - 1, id="a-reference-from-the-future"),
        pytest.param("ReleaseNotYet", NOON - SECOND - 1, id="before-the-release"),
    ],
)
def test_what_is_too_old_counts_as_nothing(reason, at):
    assert reason in {one.reason for one in judge(at=at).refusals}


def test_an_instrument_that_was_never_priced_or_spoken_of_is_refused():
    held = in_force()
    bare = Ledger()
    bare.hold_against(held)
    found = {one.reason for one in pretrade(trade_order(), held, bare, NOON).refusals}
    assert {"ReferenceMissing", "StatusMissing", "RegimeUnknown", "RungUnknown"} <= found
    assert "ValueUnknown" in found


def test_a_position_that_nobody_can_value_stops_growth_everywhere():
    adopted = happened.Adopted(account="main", symbol="GONE", position=5, price=10, at_ns=NOON)
    assert "ValueUnknown" in {one.reason for one in judge(events=[adopted]).refusals}


@pytest.mark.parametrize("limits", [None, limit_set(), "all of them"])
def test_without_limits_in_force_nothing_passes(limits):
    """Also not with a LimitSet that nobody signed."""
    book = ledger(in_force())
    decision = pretrade(trade_order(), limits, book, NOON)
    assert reasons(decision) == {(Control.CONTROL, "LimitsMissing")}


def test_a_change_of_caps_holds_before_the_next_order():
    old, new = in_force(), in_force(limit_set(version=2, firm=10 * LOT - 1))
    book = ledger(old)
    assert pretrade(trade_order(), old, book, NOON).ruling is Ruling.ACCEPT
    # Neither mixes: the ledger has to count by the new set first.
    assert reasons(pretrade(trade_order(), new, book, NOON)) == {(Control.CONTROL, "LimitsDiffer")}
    book.hold_against(new)
    found = pretrade(trade_order(), new, book, NOON)
    assert (Control.CAPITAL, "CapitalExceeded") in reasons(found)


def test_a_regime_tightens_at_the_tick_of_its_transition():
    limits = limit_set(
        regimes=tuple(
            regime_limits(one, exposure=20 * LOT if one in ("trend", "mean-revert") else 9 * LOT)
            for one in Regime
        )
    )
    held = in_force(limits)
    book = ledger(held)
    assert pretrade(trade_order(), held, book, NOON).ruling is Ruling.ACCEPT
    book.apply(happened.RegimeSeen(regime=Regime.UNCERTAIN, at_ns=NOON))
    found = pretrade(trade_order(), held, book, NOON)
    assert (Control.RISK, "ExposureExceeded") in reasons(found)


def test_the_same_id_is_answered_and_never_sent_again():
    decision = judge(events=[sent()])
    assert decision.ruling is Ruling.REPEAT


def test_a_near_duplicate_is_flagged_where_the_limits_say_so():
    decision = judge(events=[sent()], order=trade_order("o-2"))
    assert decision.ruling is Ruling.ACCEPT
    assert decision.flags == ("near duplicate of o-1",)
    later = judge(events=[sent()], order=trade_order("o-2"), at=NOON + SECOND)
    assert later.flags == ()


def test_messages_are_counted_in_a_sliding_window():
    limits = acme(messages=MessageRate(count=2, window_ns=SECOND))
    held = in_force(limits)
    last = NOON + SECOND - 1
    book = ledger(held, sent(trade_order("o-1"), NOON), sent(trade_order("o-2"), last))
    early = pretrade(trade_order("o-3"), held, book, last)
    assert (Control.MESSAGES, "TooManyMessages") in reasons(early)
    assert reasons(pretrade(trade_order("o-3"), held, book, NOON + SECOND)) == set()


def test_one_application_too_many_trips_and_only_a_person_ends_it():
    rule = Repetition(most=2, window_ns=60 * SECOND, near=NearDuplicate.FLAG, duplicate_ns=1)
    held = in_force(limit_set(repetition=rule))
    book = ledger(held, sent(trade_order("o-1")), sent(trade_order("o-2")))
    decision = pretrade(trade_order("o-3"), held, book, NOON)
    (trip,) = decision.trips
    assert trip.strategy == "drift"
    book.apply(happened.Tripped(latch="l-1", strategy="drift", cause=trip.cause, at_ns=NOON))
    for later in (1, 61 * SECOND, 10**6 * SECOND):
        found = pretrade(trade_order("o-3"), held, book, NOON + later)
        assert (Control.THROTTLE, "StrategyOff") in reasons(found)
    other = pretrade(trade_order("o-4", strategy="mean"), held, book, NOON)
    assert reasons(other) == set()
    book.apply(happened.ReEnabled(latch="l-1", nonce="n-1", by="sol", at_ns=NOON))
    assert pretrade(trade_order("o-3"), held, book, NOON).ruling is Ruling.ACCEPT


def test_an_override_sets_one_control_aside_for_one_order():
    order = trade_order(price=10_090)
    exception = Override(
        order_hash=order_hash(order), control=Control.COLLAR, expires_ns=NOON + SECOND,
        verified_by="ada", authorised_by="sol", nonce="n-1",
    )  # fmt: skip
    assert judge(order=order).ruling is Ruling.REJECT
    decision = judge(order=order, exception=exception)
    assert (decision.ruling, decision.overridden) == (Ruling.ACCEPT, Control.COLLAR)
    for order_, at, events in [
        (replace(order, quantity=11), NOON, ()),
        (order, NOON + SECOND, ()),
        (order, NOON, [happened.ExceptionUsed(order="o-1", nonce="n-1", at_ns=NOON)]),
        (replace(order, quantity=1_001), NOON, ()),
    ]:
        found = judge(order=order_, at=at, events=events, exception=exception)
        assert found.ruling is Ruling.REJECT


def test_a_control_that_breaks_says_no(monkeypatch):
    held = in_force()
    book = ledger(held)
    book.prices["ACME"] = None
    book.prices["ACME"] = type("Odd", (), {"ticks": "ten", "at_ns": NOON})()
    decision = pretrade(trade_order(), held, book, NOON)
    assert decision.ruling is Ruling.REJECT
    assert "ControlBroke" in {one.reason for one in decision.refusals}


def test_a_ruling_is_no_boolean():
    with pytest.raises(TypeError):
        bool(judge().ruling)


def test_every_refusal_says_what_is_wrong():
    for _, _, limits, events, order in CASES:
        assert all(len(one.detail) > 8 for one in judge(limits, events, order).refusals)
    assert order_checks.malformed(trade_order()) is None


def test_permissions_are_by_person_and_account():
    one = Permission(account="main", trader="tom", venues=("paper",), symbols=("ACME",))
    assert one.covers("paper", "ACME")
    assert not one.covers("paper", "CRUDE")
    assert not one.covers("dark", "ACME")


def test_the_gate_is_quick():
    """A loose bound for any machine; the figure is measured in benchmarks/regime_controls.py."""
    held = in_force()
    book = ledger(held)
    begun = time.process_time()
    for number in range(500):
        pretrade(trade_order(f"o-{number}"), held, book, NOON)
    assert (time.process_time() - begun) / 500 < 0.002
