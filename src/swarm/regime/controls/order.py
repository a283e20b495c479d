"""An order to trade, as the strategy hands it to the gate."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from enum import StrEnum


class Side(StrEnum):
    """Which way."""

    BUY = "buy"  #: adds to the position
    SELL = "sell"  #: takes from it

    @property
    def sign(self) -> int:
        """Plus one for a purchase, minus one for a sale."""
        return 1 if self is Side.BUY else -1

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.SELL if self is Side.BUY else Side.BUY


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOrder:
    """One order. Nothing is checked here: the gate is where it is looked at, and it fails closed.

    id:       the client order id, derived and never drawn: the venue takes each id once.
    strategy, sha: which algorithm, and which revision of it.
    trader, client, account: who is behind it (RTS 6 Article 12 wants all three for each order).
    quantity: lots, above zero; the side is told by `side` alone.
    price:    limit in ticks, at, above or below zero. An order without a price does not exist
              here: no collar could hold it.
    replaces: the id of a working order that this one takes the place of; empty is none.
    locate:   the reference of a located quantity, for a short sale.
    made_ns:  when the strategy decided, integer nanoseconds UTC.
    """

    id: str
    strategy: str
    sha: str
    trader: str
    client: str
    account: str
    venue: str
    symbol: str
    side: Side
    quantity: int
    price: int
    made_ns: int
    replaces: str = ""
    locate: str = ""


def order_id(strategy: str, account: str, intent: str) -> str:
    """The client order id of one intent of a strategy; the same intent gives the same id."""
    text = f"{strategy}\0{account}\0{intent}"
    return f"o-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


#: In the order of the class; the hash is over their values in this order.
_FIELDS = tuple(field.name for field in fields(TradeOrder))


def order_hash(order: TradeOrder) -> str:
    """SHA-256 over every field; what an override is bound to. 64 hexadecimal digits."""
    text = json.dumps([getattr(order, name) for name in _FIELDS], default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
