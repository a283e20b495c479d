"""The order path as one thing: opened, asked, followed, stopped, and opened again after a crash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from swarm.contract.errors import Unavailable
from swarm.regime.controls.decision import GateDecision
from swarm.regime.controls.events import Doubted
from swarm.regime.controls.order import TradeOrder
from swarm.regime.controls.override import Override
from swarm.regime.controls.reconcile import Difference
from swarm.regime.controls.token import Token
from swarm.regime.limits.in_force import LimitsInForce
from swarm.runtime.trading.follow import agree, follow
from swarm.runtime.trading.kill import KillReport, KillStanding, confirm, kill
from swarm.runtime.trading.state import TradingState
from swarm.runtime.trading.submit import Submitting
from swarm.runtime.trading.undo import Undone, undo


class OrderPath:
    """What strategies, people and the controller talk to. Everything it knows is in `state`."""

    def __init__(self, state: TradingState) -> None:
        self.state = state
        self._submitting = Submitting(state)

    async def open(self) -> tuple[Difference, ...]:
        """Read every record, and agree with the venues. Nothing is sent before.

        Every order that was working is in doubt until its venue has spoken of it: whether a dying
        process still sent it is not written anywhere. Raises what `GateRecords.open` raises, and
        KillFileUnreadable.
        """
        state = self.state
        state.replay(await state.records.open())
        state.remember_kills()
        in_doubt: defaultdict[str, list[str]] = defaultdict(list)
        now = state.clock()
        for entry in state.ledger.working.values():
            in_doubt[entry.order.venue].append(entry.order.id)
            state.sent_ns[entry.order.id] = now  # it may have been sent this very moment
        for venue, orders in in_doubt.items():
            state.see(Doubted(venue=venue, orders=tuple(orders), at_ns=now))
        found = await agree(state)
        state.opened = True
        return found

    async def submit(self, order: TradeOrder, exception: Override | None = None) -> GateDecision:
        """Ask the gate, write the answer down, send the order if it may."""
        return await self._submitting.submit(order, exception)

    async def cancel(self, orders: Sequence[str]) -> tuple[str, ...]:
        """Ask for cancellations; gives those whose venue could not be asked."""
        return await self._submitting.cancel(orders)

    async def follow(self) -> tuple[str, ...]:
        """Take in what the venues report; gives those that do not answer."""
        return await follow(self.state)

    async def agree(self) -> tuple[Difference, ...]:
        """Compare with the venues' books; a difference stops everything but reducing."""
        return await agree(self.state)

    async def kill(self, *, scope: str, by: str, reason: str) -> KillReport:
        """Stop a scope now, database or not."""
        return await kill(self.state, scope=scope, by=by, reason=reason)

    async def confirm(self, scope: str) -> KillStanding:
        """See what became of a kill, and ask again for what still works."""
        return await confirm(self.state, scope)

    async def undo(self, token: Token, signature: str) -> Undone:
        """Switch on, lift or clear what a person's token names."""
        return await undo(self.state, token, signature)

    def put_in_force(self, limits: LimitsInForce) -> None:
        """Hold everything against other limits, from the next order on."""
        self.state.limits = limits
        self.state.ledger.hold_against(limits)

    async def close(self) -> bool:
        """Write what is still unwritten. False: the database does not let us."""
        self.state.opened = False
        try:
            await self.state.write()
        except Unavailable:
            return False
        return True
