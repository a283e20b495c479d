"""One request or answer a line, as JSON, between the paper venue's process and its clients."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from swarm.ports.venue import MarketSeen, Report, VenueBooks
from swarm.regime.controls.order import TradeOrder

T = TypeVar("T")

LINE_BYTES = 32 * 1024 * 1024  #: books of a hundred thousand orders fit
REPORTS_MOST = 5_000  #: of one answer; whoever wants more asks again


ORDER = TradeOrder
REPORTS = tuple[Report, ...]
BOOKS = VenueBooks
MARKET = tuple[MarketSeen, ...]
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (ORDER, REPORTS, BOOKS, MARKET)
}


def write(kind: Any, value: Any) -> bytes:
    """The JSON of a value, without the line's end."""
    return _ADAPTERS[kind].dump_json(value)


def read(kind: type[T], text: bytes) -> T | None:
    """The value of a JSON text; None when it is none of this type."""
    try:
        found: T = _ADAPTERS[kind].validate_json(text, strict=True)
    except ValidationError:
        return None
    return found
