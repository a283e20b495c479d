"""Where every decision of the trading gate is written down, before anything is sent.

Promises: what `append` returned from is there after any crash; records are never changed; whoever
opens a chain is the only one who can append to it from then on; an order id is accepted once and a
token is used once, whatever two processes do at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from swarm.regime.controls.decision import GateDecision
from swarm.regime.controls.events import LedgerEvent
from swarm.regime.controls.order import TradeOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the gate was asked and what it answered.

    order: None when it could not be read.    mid: the price in ticks; None when nobody knew it.
    """

    decision: GateDecision
    order: TradeOrder | None
    said: str = ""
    mid: int | None = None


GateRecord = Decided | LedgerEvent
"""What a chain holds, in its order."""


class GateRecords(Protocol):
    """One chain of records. Needed by: the order path. Any method may raise `Unavailable`."""

    async def open(self) -> tuple[GateRecord, ...]:
        """Take the chain over; gives all that it holds. Raises when it does not verify."""

    async def append(self, records: Sequence[tuple[int, GateRecord]]) -> None:
        """Write (time in nanoseconds, record) pairs, all or none, in their order."""
