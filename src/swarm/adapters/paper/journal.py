"""A paper exchange that outlives its process: what it was asked is written, and replayed.

The same requests at the same times give the same books, reports and numbers, so that nothing else
needs to be kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from swarm.adapters.paper import wire
from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.rules import PaperRules
from swarm.regime.controls.order import Side, TradeOrder


class JournalledExchange(PaperExchange):
    """One writer for each file. A half line of a crash was answered to nobody, and is cut off.

    Raises ValueError for a line that cannot be replayed, and touches nothing then.
    """

    def __init__(self, symbols: Iterable[str], path: Path, rules: PaperRules | None = None) -> None:
        super().__init__(symbols, rules)
        self._file = None
        whole = path.read_bytes() if path.exists() else b""
        kept, _, _ = whole.rpartition(b"\n")
        for number, line in enumerate(kept.splitlines(), 1):
            try:
                now, what, *given = json.loads(line)
                self._again(what, given, now)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}, line {number}: {error}"[:300]) from error
        path.write_bytes(kept + b"\n" if kept else b"")
        self._file = path.open("ab", buffering=0)

    def close(self) -> None:
        """Nothing is taken any more."""
        if self._file is not None:
            self._file.close()

    def submit(self, order: TradeOrder, now_ns: int) -> bool:
        """Send an order; False when the sender hears nothing back."""
        self._write(now_ns, "submit", json.loads(wire.write(wire.ORDER, order)))
        return super().submit(order, now_ns)

    def cancel(self, order_id: str, now_ns: int) -> bool:
        """Ask for a cancellation; False when the sender hears nothing back."""
        self._write(now_ns, "cancel", order_id)
        return super().cancel(order_id, now_ns)

    def cancel_all(self, now_ns: int) -> bool:
        """Ask for everything to be cancelled; False when the sender hears nothing back."""
        self._write(now_ns, "cancel-all")
        return super().cancel_all(now_ns)

    def quote(self, symbol: str, side: Side, price: int, quantity: int, now_ns: int) -> str:
        """Somebody else's order; gives its id."""
        self._write(now_ns, "quote", symbol, side, price, quantity)
        return super().quote(symbol, side, price, quantity, now_ns)

    def withdraw(self, symbol: str, quote: str, now_ns: int) -> None:
        """Somebody else's order is gone."""
        self._write(now_ns, "withdraw", symbol, quote)
        super().withdraw(symbol, quote, now_ns)

    def _again(self, what: str, given: list[Any], now: int) -> None:
        match what, given:
            case "submit", [body]:
                order = wire.read(wire.ORDER, json.dumps(body).encode())
                if order is None:
                    raise ValueError("no order")
                super().submit(order, now)
            case "cancel", [str(id_)]:
                super().cancel(id_, now)
            case "cancel-all", []:
                super().cancel_all(now)
            case "quote", [str(symbol), str(side), int(price), int(quantity)]:
                super().quote(symbol, Side(side), price, quantity, now)
            case "withdraw", [str(symbol), str(quote)]:
                super().withdraw(symbol, quote, now)
            case _:
                raise ValueError(f"nothing is done by {what!r:.40}")

    def _write(self, now_ns: int, *words: Any) -> None:
        if self._file is not None:
            self._file.write(json.dumps([now_ns, *words]).encode() + b"\n")
