"""Taking in what the venues report, in its order and once, and agreeing with their books."""

from __future__ import annotations

from collections import defaultdict

from swarm.ports.venue import Report, ReportKind, Unreachable, Venue, VenueBooks
from swarm.regime.controls import reconcile
from swarm.regime.controls.errors import LedgerContradiction
from swarm.regime.controls.events import Closed, Doubted, Filled
from swarm.regime.controls.reconcile import Difference, DifferenceKind
from swarm.runtime.trading.state import TradingState

_CLOSED = {
    ReportKind.CANCELLED: "cancelled",
    ReportKind.REJECTED: "refused",
    ReportKind.REPLACED: "replaced",
}
WHOLE = "*"  #: the venue of a break that concerns them all
_TRIES = 5  #: reports go on while books are read; so often both are read until they fit


async def follow(state: TradingState) -> tuple[str, ...]:
    """Take in every new report of every venue; gives the venues that could not be asked."""
    silent = [name for name, venue in state.venues.items() if not await _follow(state, venue)]
    await state.catch_up()
    return tuple(silent)


async def _follow(state: TradingState, venue: Venue) -> bool:
    while True:
        after = state.cursors.get(venue.name, 0)
        reports = await venue.reports(after)
        if isinstance(reports, Unreachable):
            return False
        for report in reports:
            if report.seq != after + 1:
                state.break_books(venue.name, f"report {after + 1} is missing")
                return True
            after = report.seq
            _take_in(state, venue.name, report)
            state.cursors[venue.name] = after
        if not reports:
            return True


def _take_in(state: TradingState, venue: str, report: Report) -> None:
    known = state.ledger.orders.get(report.order)
    if known is None:
        state.break_books(venue, f"{report.order} works there and was never sent by us")
        return
    event: Filled | Closed | None = None
    if report.kind is ReportKind.FILLED:
        event = Filled(
            order=report.order, execution=report.execution, quantity=report.quantity,
            price=report.price, at_ns=report.at_ns,
        )  # fmt: skip
    elif report.kind in _CLOSED:
        event = Closed(order=report.order, reason=_CLOSED[report.kind], at_ns=report.at_ns)
    # That there was nothing to cancel does not say that the order will not come yet.
    if report.kind is not ReportKind.CANCEL_REJECTED:
        _known_again(state, venue, report.order)
    if event is None or _seen(state, event):
        return
    try:
        state.hold(event)
    except LedgerContradiction as error:
        state.break_books(venue, str(error))


def _seen(state: TradingState, event: Filled | Closed) -> bool:
    """Whether the ledger has it already: after a restart every report comes again."""
    if isinstance(event, Filled):
        return state.ledger.has_execution(event.order, event.execution)
    return bool(state.ledger.orders[event.order].closed)


def _known_again(state: TradingState, venue: str, order: str) -> None:
    state.sent_ns.pop(order, None)
    doubted = state.ledger.doubts.get(venue, ())
    if order in doubted:
        left = tuple(one for one in doubted if one != order)
        state.see(Doubted(venue=venue, orders=left, at_ns=state.clock()))


async def agree(state: TradingState) -> tuple[Difference, ...]:
    """Compare with the books of every venue, which are the truth; what differs is a break.

    One that we never sent is cancelled there.
    """
    found = await differences(state)
    for name, difference in found:
        state.break_books(name, difference.sentence)
        if difference.kind is DifferenceKind.UNKNOWN:
            await state.venues[name].cancel([difference.subject])
    await state.catch_up()
    return tuple(one for _, one in found)


async def differences(state: TradingState) -> list[tuple[str, Difference]]:
    """What differs now, with the venue, or `*` for a position.

    An order of ours that a venue does not know is closed once it cannot be on its way any more.
    Positions are compared when every venue answers.
    """
    books = await _books(state)
    found: list[tuple[str, Difference]] = []
    gone: dict[str, list[str]] = {}
    # Nothing is waited for until all is compared: what is sent or reported meanwhile is in no book.
    for name, (since, said) in books.items():
        working = {one.order: one.remaining for one in said.working}
        gone[name] = _settle_doubts(state, name, working, since)
        differing = reconcile.orders(state.ledger, name, working, _in_flight(state, name, since))
        found += [(name, one) for one in differing]
    if len(books) == len(state.venues):
        answered = [said for _, said in books.values()]
        held = reconcile.positions(state.ledger, _positions(answered))
        found += [(WHOLE, one) for one in held]
    for name, orders in gone.items():
        if orders:
            await state.venues[name].cancel(orders)
    return found


async def _books(state: TradingState) -> dict[str, tuple[int, VenueBooks]]:
    """Books that fit the reports taken in, by venue; none of one that is silent, or never still.

    With each the time (ns): what was sent before it had arrived when the books were asked for.
    """
    books: dict[str, tuple[int, VenueBooks]] = {}

    def fits(name: str) -> bool:
        return name in books and books[name][1].seq == state.cursors.get(name, 0)

    for _ in range(_TRIES):
        for name, venue in state.venues.items():
            if fits(name) or not await _follow(state, venue):
                continue
            seen, since = state.cursors.get(name, 0), state.clock() - state.horizon_ns
            said = await venue.books()
            if isinstance(said, Unreachable):
                continue
            if said.seq < seen:
                state.break_books(name, f"it has {said.seq} reports, and told us {seen}")
            books[name] = since, said
        if all(map(fits, state.venues)):
            break
    return {name: held for name, held in books.items() if fits(name)}


def _in_flight(state: TradingState, venue: str, since: int) -> set[str]:
    """Orders that may have been on their way to this venue."""
    young = {id_ for id_, at_ns in state.sent_ns.items() if at_ns > since}
    return young | set(state.ledger.doubts.get(venue, ()))


def _settle_doubts(
    state: TradingState, venue: str, working: dict[str, int], since: int
) -> list[str]:
    """What is known again; gives the orders that never came, to be cancelled all the same."""
    left, gone = [], []
    for order in state.ledger.doubts.get(venue, ()):
        if order in working or state.ledger.orders[order].closed:
            continue
        if state.sent_ns.get(order, 0) > since:
            left.append(order)
            continue
        # It cannot come any more. Should it do so all the same, its report is a break.
        state.hold(Closed(order=order, reason="never-arrived", at_ns=state.clock()))
        state.sent_ns.pop(order, None)
        gone.append(order)
    if venue in state.ledger.doubts:
        state.see(Doubted(venue=venue, orders=tuple(left), at_ns=state.clock()))
    return gone


def _positions(books: list[VenueBooks]) -> dict[tuple[str, str], int]:
    total: defaultdict[tuple[str, str], int] = defaultdict(int)
    for said in books:
        for one in said.positions:
            total[one.account, one.symbol] += one.position
    return {key: lots for key, lots in total.items() if lots}
