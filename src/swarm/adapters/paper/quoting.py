"""The rest of the market on a paper venue: somebody who always quotes both sides of a price."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from swarm.adapters.paper.exchange import PaperExchange
from swarm.regime.controls.order import Side

EVERY = 0.02  #: seconds between two looks at what was taken


def quote(
    exchange: PaperExchange, prices: Mapping[str, int], spread: int, lots: int, now_ns: int
) -> None:
    """Put back what is missing: `lots` at `spread` ticks above and below each price, in ticks."""
    for symbol, price in prices.items():
        book = exchange.books[symbol]
        for side, at in ((Side.BUY, price - spread), (Side.SELL, price + spread)):
            there = sum(
                one.remaining
                for one in book.orders.values()
                if not one.ours and one.side is side and one.price == at
            )
            # Only when half is gone: each quote is a line in the journal.
            if there <= lots // 2:
                exchange.quote(symbol, side, at, lots - there, now_ns)


async def quoting(
    exchange: PaperExchange,
    prices: Mapping[str, int],
    clock: Callable[[], int],
    *,
    spread: int,
    lots: int,
) -> None:
    """Quote until cancelled."""
    while True:
        quote(exchange, prices, spread, lots, clock())
        await asyncio.sleep(EVERY)
