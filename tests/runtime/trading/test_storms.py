"""Random weather over the whole order path: losses, silence, outages, deaths, kills, moving caps.

The venue is the judge: what it has traded and has working, at the worst, is never above the cap, no
order is there twice, and when the weather is over both books agree without a single break.
"""

import random

import pytest

from swarm.adapters.paper.rules import PaperRules
from swarm.ports.venue import ReportKind
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import SECOND
from swarm.testing.trading import CENT, in_force, limit_set, trade_order

LOT = 10_050 * CENT
CAP = 60
HORIZON = SECOND // 4  #: latency and jitter together are less


def worst_at(exchange):
    """Lots at worst by the venue's own books: every working order is one day filled, or none is."""
    books = exchange.books_now()
    total = 0
    for account in ("main", "spare"):
        held = sum(one.position for one in books.positions if one.account == account)
        mine = [one for one in books.working if one.account == account]
        buys = sum(one.remaining for one in mine if one.side is Side.BUY)
        sells = sum(one.remaining for one in mine if one.side is Side.SELL)
        total += max(held + buys, sells - held)
    return total


class Weather:
    """One random story."""

    def __init__(self, desk, seed):
        self.chance = random.Random(seed)
        self.desk = desk
        self.number = 0
        self.path = None
        self.kills = []

    async def step(self):
        act = self.chance.choices(
            [self.order, self.trade, self.follow, self.cancel, self.weather, self.die, self.kill],
            [40, 20, 15, 8, 8, 4, 2],
        )[0]
        self.desk.now += self.chance.randrange(1, SECOND // 15)
        await act()

    async def order(self):
        self.number += 1
        order = trade_order(
            f"o-{self.number}", account=self.chance.choice(["main", "spare"]),
            side=self.chance.choice(list(Side)), quantity=self.chance.randrange(1, 15),
            price=self.chance.randrange(9_990, 10_011),
        )  # fmt: skip
        self.desk.market(self.path)
        await self.path.submit(order)

    async def trade(self):
        side = self.chance.choice(list(Side))
        price = self.chance.randrange(9_990, 10_011)
        self.desk.exchange.quote("ACME", side, price, self.chance.randrange(1, 9), self.desk.now)

    async def follow(self):
        await self.path.follow()
        if self.chance.random() < 0.5:
            await self.path.agree()

    async def cancel(self):
        working = sorted(self.path.state.ledger.working)
        if working:
            await self.path.cancel([self.chance.choice(working)])

    async def weather(self):
        self.desk.exchange.rules = PaperRules(
            seed=self.chance.randrange(10**6),
            latency_ns=self.chance.randrange(SECOND // 10),
            jitter_ns=self.chance.randrange(SECOND // 10),
            reject_ppm=self.chance.choice([0, 0, 200_000]),
            lost_ppm=self.chance.choice([0, 0, 300_000]),
            unheard_ppm=self.chance.choice([0, 0, 300_000]),
            outages=self.chance.choice([(), (), ((self.desk.now, self.desk.now + SECOND // 2),)]),
        )

    async def die(self):
        self.path = await self.desk.opened(horizon_ns=HORIZON)

    async def kill(self):
        await self.path.kill(scope="*", by="tom", reason="storm")
        kill = next(iter(self.path.state.ledger.kills))
        await self.path.undo(*self.desk.token("lift-kill", kill))

    async def calm(self):
        self.desk.exchange.rules = PaperRules()
        self.desk.now += 20 * SECOND
        self.desk.market(self.path)
        await self.path.follow()
        return await self.path.agree()


@pytest.mark.slow
@pytest.mark.req("REG-10")
@pytest.mark.parametrize("seed", range(12))
async def test_in_any_weather_the_venue_stays_below_the_cap_and_agrees_afterwards(desk, seed):
    desk.limits = in_force(limit_set(firm=CAP * LOT))
    storm = Weather(desk, seed)
    await storm.die()
    for _ in range(250):
        await storm.step()
        assert worst_at(desk.exchange) <= CAP
    assert await storm.calm() == ()
    ledger = storm.path.state.ledger
    assert ledger.breaks == {}
    assert ledger.doubts == {}
    accepted = [one.order for one in desk.exchange.reports if one.kind is ReportKind.ACCEPTED]
    assert len(accepted) == len(set(accepted)) > 5
    working = {one.order: one.remaining for one in desk.exchange.books_now().working}
    assert {id_: entry.remaining for id_, entry in ledger.working.items()} == working
    assert (await desk.chain().verify())[1] is None
    quiet = await storm.path.submit(trade_order("last", quantity=1))
    assert quiet.ruling is Ruling.ACCEPT or "CapitalExceeded" in {
        one.reason for one in quiet.refusals
    }
