"""After the trade: books, watching, surveillance, unwinding, load, the yearly look. 14 to 22."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.regime.controls import events as happened
from swarm.regime.controls import reconcile
from swarm.regime.controls.assessment import REQUIRED, ControlEvidence, Signature, assess
from swarm.regime.controls.errors import AssessmentInvalid, UnwindImpossible
from swarm.regime.controls.order import Side
from swarm.regime.controls.stress import replay
from swarm.regime.controls.surveillance import Footprint, Step, Watchfulness, flags
from swarm.regime.controls.unwind import UnwindPolicy, unwind
from swarm.regime.controls.watch import alerts
from swarm.regime.limits.instrument import SECOND, MessageRate
from swarm.regime.limits.people import Act
from swarm.regime.nouns import Regime
from swarm.testing.trading import (
    CENT,
    NOON,
    PEOPLE,
    filled,
    in_force,
    instrument,
    ledger,
    limit_set,
    metrics,
    regime_limits,
    sent,
    trade_order,
)

pytestmark = pytest.mark.req("REG-10")
LIMITS = in_force()
LOT = 10_050 * CENT


# --- 16: reconciliation --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "working", "kinds"),
    [
        pytest.param([sent()], {"o-1": 10}, [], id="agrees"),
        pytest.param([sent()], {}, ["missing"], id="the-venue-has-it-not"),
        pytest.param([], {"o-9": 3}, ["unknown"], id="we-never-sent-it"),
        pytest.param([sent()], {"o-1": 4}, ["remaining"], id="a-fill-was-missed"),
        pytest.param([sent(), filled("o-1", 10)], {}, [], id="filled"),
        pytest.param([sent(trade_order(venue="dark"))], {}, [], id="another-venues-order"),
    ],
)
def test_orders_are_compared_with_the_venue(events, working, kinds):
    found = reconcile.orders(ledger(LIMITS, *events), "paper", working)
    assert [one.kind.value for one in found] == kinds


def test_what_may_be_on_its_way_is_no_difference_yet():
    book = ledger(LIMITS, sent())
    assert reconcile.orders(book, "paper", {}, in_flight={"o-1"}) == ()
    assert reconcile.orders(book, "paper", {"o-1": 9}, in_flight={"o-1"})


def test_a_missing_fill_shows_in_the_positions():
    book = ledger(LIMITS, sent(), filled("o-1", 4))
    assert reconcile.positions(book, {("main", "ACME"): 4}) == ()
    (one,) = reconcile.positions(book, {("main", "ACME"): 10})
    assert (one.ours, one.theirs) == (4, 10)
    assert [one.kind.value for one in reconcile.positions(book, {})] == ["position"]


# --- 15: the monitor -----------------------------------------------------------------------------


def subjects(book, limits=LIMITS, at=NOON):
    return {one.subject for one in alerts(book, limits, at)}


def test_a_quiet_market_alerts_nobody():
    assert subjects(ledger(LIMITS)) == set()


def test_the_monitor_finds_what_the_gate_could_not_see():
    """A fill that nobody asked for, a price that moved, a measure that stopped."""
    held = in_force(limit_set(firm=20 * LOT))
    book = ledger(held, sent(), filled("o-1", 10))
    assert subjects(book, held) == set()
    book.apply(happened.Marked(symbol="ACME", price=30_000, at_ns=NOON))
    assert subjects(book, held) == {"capital:firm"}
    assert len(subjects(ledger(held), held, NOON + 61 * SECOND)) == 7
    loss = happened.MetricsSeen(metrics=metrics(drawdown_ppm=15_001))
    assert subjects(ledger(held, loss), held) == {"limit:drawdown_ppm"}
    odd = happened.Adopted(account="main", symbol="GONE", position=-5, price=10, at_ns=NOON)
    assert subjects(ledger(held, odd), held) == {"value:GONE"}


def test_the_monitor_measures_exposure_itself():
    """By the regime's limit, and where nobody knows the regime, by the strictest."""
    limits = in_force(
        limit_set(
            regimes=tuple(
                regime_limits(one, exposure=(5 if one is Regime.UNCERTAIN else 50) * LOT)
                if one in {Regime.UNCERTAIN, Regime.TREND, Regime.MEAN_REVERT}
                else regime_limits(one, exposure=5 * LOT)
                for one in Regime
            )
        )
    )
    book = ledger(limits, sent())
    assert subjects(book, limits) == set()
    book.regime = None
    assert subjects(book, limits) == {"limit:exposure", "limit:concentration_ppm"}


# --- 18: surveillance ----------------------------------------------------------------------------


def step(what, order, at=0, side=Side.BUY, price=10_000, execution=""):
    return Footprint(
        step=Step(what), at_ns=NOON + at * SECOND, order=order, account="main", symbol="ACME",
        side=side, price=price, execution=execution,
    )  # fmt: skip


LAYERING = [
    *(step("sent", f"b-{n}", price=9_990 + n) for n in range(4)),
    step("sent", "s-1", 1, Side.SELL),
    step("filled", "s-1", 2, Side.SELL, execution="t-1"),
    *(step("cancelled", f"b-{n}", 3) for n in range(4)),
]
CROSSED = [
    step("sent", "b-1"),
    step("sent", "s-1", 1, Side.SELL),
    step("filled", "b-1", 1, execution="t-1"),
    step("filled", "s-1", 1, Side.SELL, execution="t-1"),
]
FLICKER = [
    step(what, f"o-{n}", n / 100, price=n) for n in range(100) for what in ("sent", "cancelled")
]


@pytest.mark.parametrize(
    ("steps", "rules"),
    [
        pytest.param(LAYERING, {"layering"}, id="layering"),
        pytest.param(CROSSED, {"cross-trade"}, id="crossed"),
        pytest.param(FLICKER, {"cancel-ratio"}, id="flicker"),
        pytest.param(LAYERING[1:], set(), id="three-layers-are-quoting"),
        pytest.param(
            [replace(one, at_ns=NOON + 60 * SECOND) if one.step == "cancelled" else one
             for one in LAYERING], set(), id="taken-back-much-later"),
        pytest.param([*LAYERING[:7], step("filled", "b-0", 3, execution="t-2"), *LAYERING[7:]],
                     set(), id="what-was-shown-was-traded"),
        pytest.param(CROSSED[:3], set(), id="the-other-side-is-somebody-elses"),
        pytest.param(FLICKER[:198], set(), id="too-few-to-tell"),
        pytest.param([], set(), id="nothing"),
    ],
)  # fmt: skip
def test_plain_manipulation_is_flagged_and_plain_trading_is_not(steps, rules):
    assert {one.rule for one in flags(steps)} == rules


def test_a_desk_sets_its_own_watchfulness():
    assert flags(LAYERING, Watchfulness(layers=5)) == ()
    (one,) = flags(LAYERING)
    assert one.orders == ("b-0", "b-1", "b-2", "b-3")


# --- 14: unwinding -------------------------------------------------------------------------------

POLICY = UnwindPolicy(participation_ppm=100_000, slice_most=50)


@given(
    held=st.dictionaries(
        st.tuples(st.sampled_from("ab"), st.sampled_from("XYZ")), st.integers(-500, 500)
    ),
    volume=st.dictionaries(st.sampled_from("XYZ"), st.integers(-5, 5_000)),
    working=st.dictionaries(
        st.tuples(st.sampled_from("ab"), st.sampled_from("XYZ")), st.integers(0, 500)
    ),
)
def test_unwinding_only_reduces_and_never_floods(held, volume, working):
    slices = unwind(held, working, volume, POLICY)
    for one in slices:
        lots = held[one.account, one.symbol]
        assert one.side is (Side.SELL if lots > 0 else Side.BUY)
        assert 0 < one.quantity <= min(50, abs(lots) - working.get((one.account, one.symbol), 0))
    for symbol in "XYZ":
        total = sum(one.quantity for one in slices if one.symbol == symbol)
        assert total <= max(0, volume.get(symbol, 0)) // 10


def test_without_a_known_volume_nothing_is_sold():
    assert unwind({("main", "ACME"): 10}, {}, {}, POLICY) == ()
    assert unwind({("main", "ACME"): 10}, {}, {"ACME": 1_000}, POLICY)[0].quantity == 10


@pytest.mark.parametrize(("share", "most"), [(0, 1), (10**6 + 1, 1), (0.1, 1), (1, 0), (1, None)])
def test_an_unwind_without_bounds_is_refused(share, most):
    with pytest.raises(UnwindImpossible):
        UnwindPolicy(participation_ppm=share, slice_most=most)


# --- 21: stress ----------------------------------------------------------------------------------


def recorded(count, gap_ns):
    return [
        trade_order(f"o-{n}", quantity=1, side=Side.BUY if n % 3 else Side.SELL,
                    made_ns=NOON + n * gap_ns)
        for n in range(count)
    ]  # fmt: skip


def test_at_twice_the_peak_no_control_is_lost():
    limits = in_force(
        limit_set(
            instruments=(
                instrument(messages=MessageRate(count=100, window_ns=SECOND)),
                instrument("CRUDE", sector="oil"),
            ),
        )
    )
    orders = recorded(400, SECOND // 80)  # 80 a second were within the rate; 160 are not
    calm = replay(orders, limits, ledger(limits), factor=1)
    loud = replay(orders, limits, ledger(limits))
    assert calm.held
    assert loud.held
    assert (calm.peak, loud.peak) == (80, 160)
    assert calm.accepted == 400
    assert loud.refused > 100
    assert replay([], limits, ledger(limits)).held


def test_a_lost_control_would_show(monkeypatch):
    """The replay does not trust the gate that it tests."""
    from swarm.regime.controls import capital_checks, pretrade

    limits = in_force(limit_set(firm=5 * LOT))
    orders = recorded(60, SECOND)
    assert replay(orders, limits, ledger(limits)).held
    broken = tuple(one for one in pretrade.CHECKS if one[1] is not capital_checks.capital)
    monkeypatch.setattr(pretrade, "CHECKS", broken)
    assert not replay(orders, limits, ledger(limits)).held


# --- 22: the self-assessment ---------------------------------------------------------------------

YEAR = (NOON, NOON + 365 * 86_400 * SECOND)
SIGNED = [Signature(by="cas", act=Act.SIGN_ASSESSMENT), Signature(by="cho", act=Act.CERTIFY)]


def proof(kind, at=1, *, passed=True, subject="all"):
    return ControlEvidence(
        id=f"{kind}-{subject}-{at}", kind=kind, subject=subject, at_ns=NOON + at, passed=passed
    )


WHOLE = [proof(kind) for kind in REQUIRED]


def test_a_whole_year_of_evidence_misses_nothing():
    made = assess(YEAR, WHOLE, SIGNED, PEOPLE)
    assert made.missing == ()
    assert made.signers == ("cas", "cho")
    assert made.id == assess(YEAR, list(reversed(WHOLE)), SIGNED, PEOPLE).id


@pytest.mark.parametrize("kind", list(REQUIRED))
def test_each_missing_piece_is_named(kind):
    without = [one for one in WHOLE if one.kind != kind]
    for evidence in (without, [*without, proof(kind, -1)], [*without, proof(kind, passed=False)]):
        (missing,) = assess(YEAR, evidence, SIGNED, PEOPLE).missing
        assert missing.startswith(f"{kind}: ")


def test_the_newest_evidence_of_a_subject_counts():
    kill = "kill-drill"
    mended = [*WHOLE, proof(kill, 2, passed=False, subject="v"), proof(kill, 3, subject="v")]
    assert assess(YEAR, mended, SIGNED, PEOPLE).missing == ()
    worse = [*mended, proof(kill, 4, passed=False, subject="v")]
    assert assess(YEAR, worse, SIGNED, PEOPLE).missing == (f"{kill}: v did not pass",)


@pytest.mark.parametrize(
    ("signatures", "missing"),
    [
        ([], {"sign-assessment: nobody signed", "certify: nobody signed"}),
        (SIGNED[:1], {"certify: nobody signed"}),
        ([SIGNED[0], Signature(by="bot", act=Act.CERTIFY)], {"certify: nobody signed"}),
        ([SIGNED[1], Signature(by="tom", act=Act.SIGN_ASSESSMENT)],
         {"sign-assessment: nobody signed"}),
    ],
)  # fmt: skip
def test_an_assessment_needs_its_signatures(signatures, missing):
    assert set(assess(YEAR, WHOLE, signatures, PEOPLE).missing) == missing


def test_a_period_turned_round_is_refused():
    with pytest.raises(AssessmentInvalid):
        assess((NOON, NOON), WHOLE, SIGNED, PEOPLE)
