"""The kill switch: halt first, then cancel everywhere, and say what did not answer.

Source: RTS 6 Article 12. It needs no database: the halt holds in memory and on this machine's disk
before the first cancellation goes out, and the records follow when they can. It sells nothing:
giving positions back is another decision (Article 14(3)).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from swarm.contract.errors import Unavailable
from swarm.ports.venue import Unreachable, Venue
from swarm.regime.controls import stop_checks
from swarm.regime.controls.errors import TokenRefused
from swarm.regime.controls.events import Killed
from swarm.regime.controls.order import TradeOrder
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.people import Act
from swarm.runtime.trading.follow import follow
from swarm.runtime.trading.state import TradingState

COUNTED_EVERY = 60 * SECOND
"""How often asking again for one and the same kill counts, and so is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillReport:
    """What a kill did.

    halted_ns, dispatched_ns: when nothing could go out any more; when the last cancellation had.
    asked:   orders whose cancellation was dispatched.
    failed:  venues that could not be asked, with why. Loud: somebody must telephone them.
    unfiled: why the halt is not on this disk; empty when it is.
    """

    kill: str
    scope: str
    halted_ns: int
    dispatched_ns: int
    asked: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    unfiled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillStanding:
    """How far a kill has come: orders in its scope that are gone, and those that still work."""

    acknowledged: tuple[str, ...]
    working: tuple[str, ...]
    silent: tuple[str, ...]  #: venues that do not answer


async def kill(state: TradingState, *, scope: str, by: str, reason: str) -> KillReport:
    """Stop a scope (`*`, or `account:`, `strategy:`, `venue:`, `trader:` and a name) now.

    Raises TokenRefused when `by` may not; everybody listed may, but agents.
    """
    if not state.roster.may(by, Act.KILL):
        raise TokenRefused(f"{by} may not stop trading")
    event = killed(scope, by, reason, state.clock())
    state.hold(event)
    # Started first: the disk must not delay the cancellations, nor they the disk.
    cancelling = asyncio.ensure_future(carry_out(state, event))
    unfiled = await _file(state, event)
    return replace(await cancelling, unfiled=unfiled)


async def insist(state: TradingState, event: Killed) -> KillReport:
    """Carry out again a kill that left something working; counted once a minute.

    A venue that stays dark is asked several times a second. Counted each time, that would fill the
    records for as long as it lasts, and the share of unanswered requests with one request.
    """
    now = state.clock()
    if now - state.insisted_ns.get(event.kill, event.at_ns) < COUNTED_EVERY:
        return await carry_out(state, event, state.uncounted)
    state.insisted_ns[event.kill] = now
    return await carry_out(state, event)


async def carry_out(
    state: TradingState, event: Killed, venues: Mapping[str, Venue] | None = None
) -> KillReport:
    """Cancel everything in the scope of a kill that holds, whoever made it. Asks no database.

    venues: those to ask; the state's, which count, when left out.
    """
    venues = state.venues if venues is None else venues
    scope, halted = event.scope, state.clock()
    orders: defaultdict[str, list[str]] = defaultdict(list)
    for entry in state.ledger.working.values():
        if scope in stop_checks.scopes(entry.order):
            orders[entry.order.venue].append(entry.order.id)
    names = [name for name in venues if scope in {stop_checks.WHOLE, f"venue:{name}"}]
    said = await asyncio.gather(
        *(
            _cancel(venue, orders.get(name, []), everything=name in names)
            for name, venue in venues.items()
            if name in names or name in orders
        )
    )
    dispatched = state.clock()
    failed = tuple((name, why) for name, why in said if why)
    failed += tuple((name, "no such venue") for name in orders if name not in venues)
    deaf = {name for name, _ in failed}
    asked = tuple(id_ for name, ids in orders.items() if name not in deaf for id_ in ids)
    return KillReport(
        kill=event.kill, scope=scope, halted_ns=halted, dispatched_ns=dispatched, asked=asked,
        failed=failed,
    )  # fmt: skip


def working(state: TradingState, scope: str) -> tuple[str, ...]:
    """Orders of a scope that still work, by our books."""
    return tuple(
        id_ for id_, entry in state.ledger.working.items() if _in_scope(entry.order, scope)
    )


async def confirm(state: TradingState, scope: str) -> KillStanding:
    """See what became of a kill, and ask again for what still works. Until `working` is empty."""
    silent = await follow(state)
    acknowledged, left = [], defaultdict(list)
    for entry in state.ledger.orders.values():
        if not _in_scope(entry.order, scope):
            continue
        if entry.closed:
            acknowledged.append(entry.order.id)
        else:
            left[entry.order.venue].append(entry.order.id)
    for name, ids in left.items():
        if name in state.venues and name not in silent:
            await state.venues[name].cancel(ids)
    return KillStanding(
        acknowledged=tuple(acknowledged),
        working=tuple(id_ for ids in left.values() for id_ in ids),
        silent=silent,
    )


async def _file(state: TradingState, event: Killed) -> str:
    """Put the halt on this machine's disk; why that was not possible, or nothing."""
    try:
        await asyncio.to_thread(state.kill_file.add, event)
    except Unavailable as error:
        return str(error)
    return ""


def _in_scope(order: TradeOrder, scope: str) -> bool:
    return scope in stop_checks.scopes(order)


def killed(scope: str, by: str, reason: str, now_ns: int) -> Killed:
    """The event of a kill, with its derived id."""
    digest = hashlib.sha256(f"{scope}\0{by}\0{now_ns}".encode()).hexdigest()
    return Killed(kill=f"k-{digest[:20]}", scope=scope, by=by, reason=reason[:500], at_ns=now_ns)


async def _cancel(venue: Venue, orders: list[str], *, everything: bool) -> tuple[str, str]:
    """(venue, why it could not be asked). Both ways are tried: by order, and everything at once."""
    failed = ""
    if orders and isinstance(said := await venue.cancel(orders), Unreachable):
        failed = said.detail
    if everything:
        # Also what we do not know of: an order of a process that died a moment ago.
        said = await venue.cancel_all()
        failed = said.detail if isinstance(said, Unreachable) else ""
    return venue.name, failed
