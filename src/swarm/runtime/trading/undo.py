"""Undoing what a control did, with a person's token and in no other way."""

from __future__ import annotations

from swarm.regime.controls.events import BreakCleared, KillLifted, ReEnabled
from swarm.regime.controls.token import Token, accept, statement
from swarm.regime.limits.people import Act
from swarm.runtime.trading.errors import NothingToUndo
from swarm.runtime.trading.signatures import signer_of
from swarm.runtime.trading.state import TradingState
from swarm.runtime.trading.taking_over import Taken, take_over

Undone = ReEnabled | KillLifted | BreakCleared


async def undo(state: TradingState, token: Token, signature: str) -> Undone:
    """Switch on, lift or clear what the token names. Raises TokenRefused, NothingToUndo.

    It holds only once it is written down: an undoing that nobody can prove did not happen. Who
    clears a break takes over what the venue's books say of it. Raises Unavailable when the database
    or those books do not answer.
    """
    ledger, now = state.ledger, state.clock()
    barred: set[str] = {state.limits.limits.author}
    event: Undone
    if token.act is Act.RE_ENABLE:
        latch = ledger.latches.get(token.subject)
        if latch is None:
            raise NothingToUndo(f"no latch {token.subject!r:.60}")
        barred |= {
            one.author for one in state.limits.limits.releases if one.strategy == latch.strategy
        }
        event = ReEnabled(latch=token.subject, nonce=token.nonce, by=token.by, at_ns=now)
    elif token.act is Act.LIFT_KILL:
        if token.subject not in ledger.kills:
            raise NothingToUndo(f"no kill {token.subject!r:.60}")
        barred = set()  # limits are not what a kill stopped
        event = KillLifted(kill=token.subject, nonce=token.nonce, by=token.by, at_ns=now)
    else:
        if token.subject not in ledger.breaks:
            raise NothingToUndo(f"no break {token.subject!r:.60}")
        event = BreakCleared(broken=token.subject, nonce=token.nonce, by=token.by, at_ns=now)
    accept(
        token,
        act=token.act if token.act in _ACTS else Act.CLEAR_BREAK,
        subject=token.subject,
        signer=signer_of(statement(token), signature, state.roster),
        roster=state.roster,
        barred=barred,
        used=ledger.nonces,
        now_ns=now,
    )
    taken: tuple[Taken, ...] = ()
    if isinstance(event, BreakCleared):
        taken = await take_over(state, ledger.breaks[event.broken])
    await state.write(*taken, event)
    for one in (*taken, event):
        state.see(one)
    if isinstance(event, KillLifted):
        state.kill_file.add(event)
    return event


_ACTS = frozenset({Act.RE_ENABLE, Act.LIFT_KILL, Act.CLEAR_BREAK})
