"""Where a running order path is spoken to: one JSON line for a request, one for the answer.

The socket lies in a folder that only this account may enter. Stopping does not need it: whoever
kills writes the kill file, and the order path reads that before each order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from swarm.contract import strict_json
from swarm.contract.errors import SwarmError
from swarm.regime.controls.order import TradeOrder
from swarm.regime.limits.people import Roster
from swarm.runtime.errors import BadSettings
from swarm.runtime.trading import statements
from swarm.runtime.trading.errors import NotOpen, StatementUnreadable
from swarm.runtime.trading.path import OrderPath
from swarm.runtime.trading.statements import SignedOverride, SignedToken

LINE_BYTES = 256 * 1024
PATH_MOST = 100  #: bytes that the kernel takes for a socket's path, with room for a temporary name


class Door:
    """The order path behind it may come and go. why: what keeps it closed, for people."""

    def __init__(self, socket: Path, roster: Roster, said: Callable[[], dict[str, Any]]) -> None:
        self._socket, self._roster, self._said = socket, roster, said
        self.path: OrderPath | None = None
        self.why = "the order path is being opened"

    def check(self) -> None:
        """Raises BadSettings for a folder that is too deep for a socket."""
        if len(str(self._socket).encode()) > PATH_MOST:
            raise BadSettings(
                f"{self._socket}: a socket's path has at most {PATH_MOST} bytes",
                remedy="Move the installation to a folder with a shorter path.",
            )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Answer until the block ends."""
        self._socket.unlink(missing_ok=True)
        clients: set[asyncio.Task[None]] = set()

        async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                clients.add(task)
                task.add_done_callback(clients.discard)
            with contextlib.suppress(ConnectionError, ValueError):  # gone, or a line without end
                while line := await reader.readline():
                    writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                    await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(attend, self._socket, limit=LINE_BYTES)
        self._socket.chmod(0o600)
        try:
            yield
        finally:
            server.close()
            for task in list(clients):
                task.cancel()
            self._socket.unlink(missing_ok=True)

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = strict_json.loads(line)
            if not isinstance(asked, dict) or not isinstance(asked.get("do"), str):
                raise StatementUnreadable("a request is an object with `do`")
            return {"ok": await self._do(asked["do"], asked.get("with"))}
        except (ValueError, RecursionError) as error:
            return _refusal(StatementUnreadable(f"no JSON: {error}"[:200]))
        except SwarmError as error:
            return _refusal(error)

    async def _do(self, what: str, given: Any) -> Any:
        if what == "status":
            return self._status()
        if self.path is None:
            raise NotOpen(f"the order path is not open: {self.why}")
        match what, given:
            case "submit", {"order": order, **rest}:
                return await self._submit(self.path, order, rest.get("override"))
            case "cancel", list():
                return {"failed": list(await self.path.cancel([str(one) for one in given]))}
            case "confirm", str():
                return asdict(await self.path.confirm(given))
            case "undo", dict():
                signed = statements.read(SignedToken, json.dumps(given).encode())
                return asdict(await self.path.undo(signed.token, signed.signature))
        raise StatementUnreadable(f"nothing is done by {what[:40]!r} with that")

    async def _submit(self, path: OrderPath, given: Any, signed: Any) -> Any:
        order = statements.read(TradeOrder, json.dumps(given).encode())
        exception = None
        if signed is not None:
            held = statements.read(SignedOverride, json.dumps(signed).encode())
            limits = path.state.limits
            exception = statements.verified(held, order, limits, self._roster, time.time_ns())
        decision = await path.submit(order, exception)
        return {
            "order": decision.order,
            "ruling": str(decision.ruling),
            "refusals": [
                {"control": one.control.value, "reason": one.reason, "detail": one.detail}
                for one in decision.refusals
            ],
            "flags": list(decision.flags),
            "overridden": decision.overridden.name if decision.overridden else "",
            "limits": decision.limits_hash,
            "at_ns": decision.at_ns,
        }

    def _status(self) -> dict[str, Any]:
        if self.path is None:
            return {"open": False, "why": self.why, **self._said()}
        state = self.path.state
        ledger, now = state.ledger, state.clock()
        regime = ledger.regime[0] if ledger.regime else None
        broken = state.limits.verify(regime, ledger.metrics, now) if regime else ()
        return {
            "open": True,
            "why": "",
            "limits": {
                "name": state.limits.limits.name,
                "version": state.limits.limits.version,
                "hash": state.limits.hash,
                "signer": state.limits.signer,
            },
            "regime": regime,
            "metrics": asdict(ledger.metrics) if ledger.metrics else None,
            "breaches": [one.sentence for one in broken] if regime else ["no regime is known"],
            "working": len(ledger.working),
            "positions": [
                {"account": account, "symbol": symbol, "lots": cell.held}
                for (account, symbol), cell in sorted(ledger.accounts.cells.items())
                if cell.held
            ],
            "kills": [asdict(one) for one in ledger.kills.values()],
            "latches": [asdict(one) for one in ledger.latches.values()],
            "breaks": [asdict(one) for one in ledger.breaks.values()],
            "doubts": {name: list(orders) for name, orders in ledger.doubts.items()},
            "unwritten": len(state.unwritten),
            **self._said(),
        }


def _refusal(error: SwarmError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "fix": error.fix}}
