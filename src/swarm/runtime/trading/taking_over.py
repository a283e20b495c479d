"""Taking over what the venues' books say, where ours are wrong and a person accepts it (RTS 6 17).

Without it a break would come back with the next comparison, and nobody could ever trade again
after a venue lost a report, or its memory.
"""

from __future__ import annotations

from swarm.ports.venue import Unreachable, Venue
from swarm.regime.controls.events import Adopted, Broken, Closed
from swarm.regime.controls.reconcile import Difference, DifferenceKind
from swarm.runtime.trading.errors import BooksUnread
from swarm.runtime.trading.follow import WHOLE, differences
from swarm.runtime.trading.state import TradingState

Taken = Adopted | Closed


async def take_over(state: TradingState, broken: Broken) -> tuple[Taken, ...]:
    """What makes our books the venue's in what this break is about, and in nothing else.

    Nothing when they agree by now, or differ in another way: that is another break. Raises
    BooksUnread, and then the break stands.
    """
    for name, venue in state.venues.items():
        if broken.venue in {WHOLE, name}:
            await _begin_where_it_is(state, venue)
    for venue_name, one in await differences(state):
        if (venue_name, one.sentence[:500]) == (broken.venue, broken.detail):
            return (await _taken(state, venue_name, one),)
    return ()


async def _begin_where_it_is(state: TradingState, venue: Venue) -> None:
    """Go on behind reports that are lost, or begin anew with a venue that did."""
    after = state.cursors.get(venue.name, 0)
    reports, books = await venue.reports(after), await venue.books()
    if isinstance(reports, Unreachable) or isinstance(books, Unreachable):
        raise BooksUnread(f"{venue.name} does not answer")
    if books.seq < after or (reports and reports[0].seq != after + 1):
        state.cursors[venue.name] = books.seq


async def _taken(state: TradingState, venue: str, one: Difference) -> Taken:
    now = state.clock()
    if one.kind is not DifferenceKind.POSITION:
        # What is left of it there is cancelled: its lots are another number than ours.
        await state.venues[venue].cancel([one.subject])
        return Closed(order=one.subject, reason="cancelled", at_ns=now)
    account, symbol = one.subject.split(" ", 1)
    price = state.ledger.prices.get(symbol)
    if price is None:
        raise BooksUnread(f"no venue has told a price of {symbol} yet")
    return Adopted(
        account=account, symbol=symbol, position=one.theirs, price=price.ticks, at_ns=now
    )
