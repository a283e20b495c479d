"""A restart of the order path hides nothing: what was too much before it is too much behind it."""

import pytest

from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.rules import PaperRules
from swarm.regime.controls import events as happened
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.measures import LATEST, Measures
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import SECOND
from swarm.regime.nouns import Regime, Rung
from swarm.runtime.trading import telling
from swarm.runtime.trading.place import TradingPlace
from swarm.testing.trading import CENT, NOON, trade_order

pytestmark = pytest.mark.req("REG-10")
CAPITAL = 1_000_000 * 1_000_000


async def started(desk):
    """As the keeper starts it: from the records alone, and with the venue's newest prices."""
    path = desk.path(measures=Measures(capital=CAPITAL))
    await path.open()
    await told(desk, path)
    return path


async def told(desk, path):
    await telling.market(path.state)
    path.state.see(happened.RegimeSeen(regime=Regime.TREND, at_ns=desk.now))
    for strategy in ("drift", "mean"):
        path.state.see(happened.RungSet(strategy=strategy, rung=Rung.FULL, at_ns=desk.now))
    telling.measures(path.state, TradingPlace(desk.folder))


def broken(desk, path):
    found = path.state.limits.verify(Regime.TREND, path.state.ledger.metrics, desk.now)
    return {str(one.measure) for one in found}


def quotes(desk, bid, ask, lots=50):
    book = desk.exchange.books["ACME"]
    for one in [one for one in book.orders.values() if not one.ours]:
        desk.exchange.withdraw("ACME", one.id, desk.now)
    desk.exchange.quote("ACME", Side.BUY, bid, lots, desk.now)
    desk.exchange.quote("ACME", Side.SELL, ask, lots, desk.now)


async def slippage(desk, path):
    """Decided at 10,000, filled 40 ticks above."""
    quotes(desk, 9_960, 10_040)
    await told(desk, path)
    assert (await path.submit(trade_order(price=10_040))).ruling is Ruling.ACCEPT
    await path.follow()


async def impact(desk, path):
    """Filled where it was decided; five seconds later the price is 40 ticks higher."""
    await path.submit(trade_order(price=10_000))
    desk.exchange.quote("ACME", Side.SELL, 10_000, 10, desk.now)
    await path.follow()
    desk.now += 5 * SECOND
    quotes(desk, 10_039, 10_041)
    await told(desk, path)


async def refusals(desk, path):
    desk.exchange.halt("ACME", desk.now)
    for number in range(3):
        await path.submit(trade_order(f"o-{number}"))
    await path.follow()
    desk.exchange.halt("ACME", desk.now, halted=False)


async def silence(desk, path):
    """Three cancellations that nobody answers."""
    await path.submit(trade_order())
    desk.exchange.rules = PaperRules(outages=((desk.now, desk.now + SECOND),))
    for _ in range(3):
        assert await path.cancel(["o-1"]) == ("o-1",)
    desk.exchange.rules = PaperRules()


@pytest.mark.parametrize(
    ("story", "measure"),
    [
        pytest.param(slippage, "slippage_ppm", id="slippage"),
        pytest.param(impact, "impact_ppm", id="impact"),
        pytest.param(refusals, "rejects_ppm", id="refusals"),
        pytest.param(silence, "errors_ppm", id="unanswered"),
    ],
)
async def test_what_was_breached_is_breached_after_a_restart(desk, story, measure):
    quotes(desk, 9_999, 10_001)
    path = await started(desk)
    assert broken(desk, path) == set()
    await story(desk, path)
    await told(desk, path)
    assert measure in broken(desk, path)
    assert await path.close()
    before = getattr(path.state.ledger.metrics, measure)
    for _ in range(2):
        again = await started(desk)
        assert getattr(again.state.ledger.metrics, measure) == before
        refused = await again.submit(trade_order(f"late-{again.state.records._epoch}"))
        assert measure in " ".join(one.detail for one in refused.refusals)
    # As before the restart, it leaves the window an hour later and no sooner.
    desk.now += 3_590 * SECOND
    quotes(desk, 9_999, 10_001)
    assert measure in broken(desk, await started(desk))
    desk.now += 20 * SECOND
    quotes(desk, 9_999, 10_001)
    assert broken(desk, await started(desk)) == set()


async def test_a_trade_that_was_under_way_is_measured_by_who_comes_after(desk):
    quotes(desk, 9_999, 10_001)
    path = await started(desk)
    await path.submit(trade_order(price=10_000))
    desk.exchange.quote("ACME", Side.SELL, 10_000, 10, desk.now)
    await path.follow()
    again = await started(desk)
    assert again.state.ledger.metrics.impact_ppm == 0
    desk.now += 6 * SECOND
    quotes(desk, 10_039, 10_041)
    await told(desk, again)
    assert again.state.ledger.metrics.impact_ppm == 4_000


async def test_a_price_long_after_a_trade_is_not_what_the_trade_left(desk):
    quotes(desk, 9_999, 10_001)
    path = await started(desk)
    await path.submit(trade_order(price=10_000))
    desk.exchange.quote("ACME", Side.SELL, 10_000, 10, desk.now)
    await path.follow()
    desk.now += 5 * SECOND + LATEST + 1
    quotes(desk, 11_999, 12_001)
    again = await started(desk)
    assert again.state.ledger.metrics.impact_ppm == 0


# --- books that a person accepts ------------------------------------------------------------------


def lost(desk):
    """The venue begins anew: nothing of what it did is in its books."""
    desk.exchange = PaperExchange(["ACME", "CRUDE"])
    quotes(desk, 9_969, 9_971)


async def held(desk, lots=10):
    """A path whose strategy holds so many lots, and has lost thirty ticks on each."""
    quotes(desk, 9_999, 10_000, lots)
    path = await started(desk)
    await path.submit(trade_order(quantity=lots, price=10_000))
    await path.follow()
    assert path.state.ledger.accounts.cell("main", "ACME").held == lots
    quotes(desk, 9_969, 9_971)
    await told(desk, path)
    return path


async def cleared(desk, path):
    """Every break, by a person's token; gives how often books had to be compared for it."""
    for turn in range(5):
        await path.agree()
        if not path.state.ledger.breaks:
            return turn
        for one in list(path.state.ledger.breaks):
            await path.undo(*desk.token("clear-break", one, by="ben"))
    raise AssertionError(path.state.ledger.breaks)


@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "running"])
async def test_the_books_of_a_venue_that_lost_its_memory_are_accepted_once(desk, restarted):
    path = await held(desk)
    await path.submit(trade_order("rests", price=9_960))
    equity = CAPITAL - 10 * 30 * CENT
    lost(desk)
    path = await started(desk) if restarted else path
    if not restarted:
        path.state.venues = desk.path().state.venues
    desk.now += 6 * SECOND
    await told(desk, path)
    await path.agree()
    refused = await path.submit(trade_order("o-2"))
    assert "BooksDiffer" in {one.reason for one in refused.refusals}
    assert await cleared(desk, path) <= 2
    assert path.state.ledger.working == {}
    for again in (path, await started(desk)):
        assert await again.agree() == ()
        ledger = again.state.ledger
        assert ledger.breaks == {}
        assert ledger.accounts.cell("main", "ACME").held == 0
        assert ledger.strategies.cell("drift", "ACME").held == 0, "it alone had traded there"
        # Accepting neither wins nor loses: what the position was worth stays in the equity.
        assert again.state.measures.equity(again.state.limits) == equity
    assert (await again.submit(trade_order("o-3"))).ruling is Ruling.ACCEPT


async def test_a_report_that_was_lost_is_got_over(desk):
    path = await held(desk)
    await path.submit(trade_order("o-2", price=9_960))
    quotes(desk, 9_950, 9_960, lots=4)
    del desk.exchange.reports[-1]
    await path.agree()
    assert path.state.ledger.breaks
    await cleared(desk, path)
    assert path.state.ledger.accounts.cell("main", "ACME").held == 14
    assert (path.state.ledger.working, desk.exchange.books_now().working) == ({}, ())


async def test_without_the_venues_books_there_is_nothing_to_accept(desk):
    path = await held(desk)
    lost(desk)
    path = await started(desk)
    (broke,) = path.state.ledger.breaks
    desk.exchange.rules = PaperRules(outages=((0, 2**62),))
    given = desk.token("clear-break", broke, by="ben")
    with pytest.raises(Exception, match="paper does not answer") as said:
        await path.undo(*given)
    assert said.value.code == "SWM679"
    assert broke in path.state.ledger.breaks
    desk.exchange.rules = PaperRules()
    await path.undo(*given)  # the token was not used up
    assert path.state.ledger.breaks == {}


async def test_several_strategies_keep_what_each_says_it_holds(desk):
    """Whose lots the venue lost, nobody knows."""
    path = await held(desk, 10)
    desk.exchange.quote("ACME", Side.SELL, 10_000, 5, desk.now)
    await path.submit(trade_order("m-1", strategy="mean", quantity=5, price=10_000))
    await path.follow()
    lost(desk)
    path = await started(desk)
    await cleared(desk, path)
    books = path.state.ledger
    assert books.accounts.cell("main", "ACME").held == 0
    assert [books.strategies.cell(one, "ACME").held for one in ("drift", "mean")] == [10, 5]
    assert desk.now == NOON
