"""What trading costs and loses, held against sums made by hand."""

from dataclasses import replace

import pytest

from swarm.regime.controls import events as happened
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.measures import Measures
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import DAY, SECOND
from swarm.regime.nouns import Regime
from swarm.testing.trading import CENT, NOON, filled, in_force, sent, trade_order

pytestmark = pytest.mark.req("REG-10")
CAPITAL = 1_000_000 * 1_000_000  #: a million in micro-units
LIMITS = in_force()


class Story:
    """A ledger and the measures beside it, told the same."""

    def __init__(self, **given):
        self.ledger, self.measures = Ledger(), Measures(capital=CAPITAL, **given)
        self.ledger.hold_against(LIMITS)

    def tell(self, *events):
        for event in events:
            self.ledger.apply(event)
            self.measures.take_in(event, self.ledger)
        return self

    def mark(self, price, at_ns=NOON, symbol="ACME"):
        return self.tell(happened.Marked(symbol=symbol, price=price, at_ns=at_ns))

    def metrics(self, at_ns=NOON):
        return self.measures.metrics(self.ledger, LIMITS, Regime.TREND, at_ns)


def bought(story, lots, price, id_="o-1", **given):
    order = trade_order(id_, quantity=lots, price=price, **given)
    return story.tell(sent(order), filled(id_, lots, f"x-{id_}", price=price))


def test_nothing_happened_and_nothing_was_lost():
    found = Story().metrics()
    assert (found.drawdown_ppm, found.slippage_ppm, found.rejects_ppm, found.errors_ppm) == (
        0, 0, 0, 0,
    )  # fmt: skip
    assert found.at_ns == NOON


@pytest.mark.parametrize(
    ("side", "price", "ppm"),
    [
        pytest.param(Side.BUY, 10_020, 2_000, id="paid-twenty-ticks-more"),
        pytest.param(Side.BUY, 9_990, 0, id="a-gain-is-no-cost"),
        pytest.param(Side.SELL, 9_970, 3_000, id="sold-thirty-ticks-below"),
        pytest.param(Side.SELL, 10_005, 0, id="sold-above"),
    ],
)
def test_slippage_is_held_against_the_price_at_the_decision(side, price, ppm):
    story = Story().mark(10_000)
    story.tell(sent(trade_order(side=side)))
    story.mark(10_500)  # what the price does later is another measure
    story.tell(filled("o-1", 10, price=price))
    assert story.metrics().slippage_ppm == ppm


def test_slippage_is_weighted_by_what_was_traded():
    story = Story().mark(10_000)
    bought(story, 30, 10_010)
    bought(story, 10, 10_050, "o-2")
    # (30 x 10 + 10 x 50) / (40 x 10,000)
    assert story.metrics().slippage_ppm == 2_000


def test_impact_is_what_is_left_after_a_while():
    story = Story(settle_ns=5 * SECOND).mark(10_000)
    bought(story, 10, 10_000)
    story.mark(10_100, NOON + 4 * SECOND)
    assert story.metrics(NOON + 4 * SECOND).impact_ppm == 0
    story.mark(10_040, NOON + 5 * SECOND)
    assert story.metrics(NOON + 5 * SECOND).impact_ppm == 4_000
    story.mark(11_000, NOON + 6 * SECOND)  # once a trade, not at every price
    assert story.metrics(NOON + 6 * SECOND).impact_ppm == 4_000


def test_refusals_and_errors_are_shares_of_at_least_twenty():
    story = Story().mark(10_000)
    for number in range(40):
        story.tell(sent(trade_order(f"o-{number}")))
    for number in range(4):
        story.tell(happened.Closed(order=f"o-{number}", reason="refused", at_ns=NOON))
    story.tell(happened.Closed(order="o-5", reason="cancelled", at_ns=NOON))
    story.tell(happened.Unanswered(venue="paper", at_ns=NOON))
    found = story.metrics()
    assert found.rejects_ppm == 100_000
    assert found.errors_ppm == 50_000, "one of one is no share: one of twenty"


def test_what_is_older_than_the_window_counts_no_more():
    story = Story(window_ns=60 * SECOND).mark(10_000)
    bought(story, 10, 10_020)
    assert story.metrics(NOON + 59 * SECOND).slippage_ppm == 2_000
    assert story.metrics(NOON + 62 * SECOND).slippage_ppm == 0


def test_drawdown_is_the_fall_from_the_days_opening():
    story = Story().mark(10_000)
    story.metrics()
    bought(story, 100, 10_000)
    story.mark(8_000)
    # 100 lots times 2,000 ticks of a cent: 2,000 of a million.
    assert story.metrics().drawdown_ppm == 2_000
    story.mark(10_500)
    assert story.metrics().drawdown_ppm == 0
    tomorrow = (NOON // DAY + 1) * DAY
    opened = story.metrics(tomorrow)
    assert opened.drawdown_ppm == 0
    assert story.measures.opening == CAPITAL + 100 * 500 * CENT
    story.mark(10_000, tomorrow)
    assert story.metrics(tomorrow).drawdown_ppm == 100 * 500 * CENT * 1_000_000 // (
        CAPITAL + 100 * 500 * CENT
    )


def test_a_short_position_loses_when_the_price_rises():
    story = Story().mark(10_000)
    story.metrics()
    bought(story, 100, 10_000, side=Side.SELL)
    story.mark(12_000)
    assert story.metrics().drawdown_ppm == 2_000


def test_a_clock_that_is_set_back_forgets_no_loss():
    """Set back by a day and put right again, with a loss before and one in between."""
    story = bought(Story(), 100, 10_000).mark(10_000)
    assert story.metrics().drawdown_ppm == 0
    story.mark(9_500)
    lost = story.metrics().drawdown_ppm
    assert lost > 0
    assert story.metrics(at_ns=NOON - DAY).drawdown_ppm == lost
    assert story.metrics().drawdown_ppm == lost
    assert story.metrics(at_ns=NOON + DAY).drawdown_ppm == 0, "a new day"


def test_a_restart_forgets_no_loss_of_today():
    """Records are replayed without prices; what the day opened with is told, or the capital is."""
    for given in ({}, {"day": NOON // DAY, "opening": CAPITAL}):
        story = Story(**given)
        bought(story, 100, 10_000)
        assert story.metrics().drawdown_ppm is None, "held, and nobody knows what it is worth"
        story.mark(8_000)
        assert story.metrics().drawdown_ppm == 2_000


def test_what_nobody_can_value_is_not_known():
    story = Story()
    order = trade_order(symbol="NONE")
    story.tell(sent(order), filled("o-1", 10))
    found = story.metrics()
    assert (found.drawdown_ppm, found.exposure, found.concentration_ppm) == (None, None, None)


def test_what_was_lost_whole_is_all():
    story = Story(day=NOON // DAY, opening=0)
    assert story.metrics().drawdown_ppm == 1_000_000


def test_a_loss_breaches_the_limit_of_its_regime():
    story = Story().mark(10_000)
    story.metrics()
    bought(story, 1_000, 10_000)
    story.mark(8_499)
    found = story.metrics()
    assert found.drawdown_ppm == 15_010
    (breach,) = [
        one for one in LIMITS.verify(Regime.TREND, found, NOON) if one.measure == "drawdown_ppm"
    ]
    assert breach.found == 15_010
    kept = replace(found, drawdown_ppm=15_000)
    assert "drawdown_ppm" not in {one.measure for one in LIMITS.verify(Regime.TREND, kept, NOON)}
