"""The controller's side of the proxy process: keeps one running and asks what it routes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import swarm
from swarm.adapters.local.service import detached
from swarm.adapters.local.service.asking import Said, ask, borne, parse_object
from swarm.adapters.local.service.detached import Process
from swarm.adapters.local.service.errors import PortTaken, ProxyDown
from swarm.adapters.local.service.state import PROXY_FILE

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from swarm.adapters.local.service.proxy import main; main()"
)
_START_WITHIN = 30.0
_TAKES_UP_WITHIN = 5.0
_POLL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What the running proxy does, as it says itself.

    revisions, ports: by arm (`stable`, `canary`), as far as there are any.
    in_flight: open requests by the port of the version.
    """

    generation: int
    percent: int
    revisions: Mapping[str, str]
    ports: Mapping[str, int]
    in_flight: Mapping[int, int]


class Front:
    """The proxy of one target."""

    def __init__(self, folder: Path, port: int, silence: float) -> None:
        self._folder = folder
        self._port = port
        self._silence = silence
        self._mark = f"{folder}#proxy"

    async def ensure(self) -> None:
        """Have a proxy running. Raises PortTaken or ProxyDown."""
        if await borne(self.routing, lambda: bool(self._living())) is not None:
            return
        await self.stop(within=1.0)
        log = self._folder / "proxy.log"
        log.unlink(missing_ok=True)
        root = str(Path(swarm.__file__).parent.parent)
        arguments = [root, str(self._folder), str(self._port), str(self._silence)]
        process = await asyncio.to_thread(
            detached.spawn,
            [sys.executable, "-I", "-c", _BOOT, *arguments],
            cwd=Path("/"),
            env={"LANG": "C.UTF-8"},
            log=log,
            mark=self._mark,
        )
        until = time.monotonic() + _START_WITHIN
        while time.monotonic() < until:
            if await self.routing() is not None:
                return
            if not detached.alive(process.pid, process.started):
                words = detached.tail(log)
                if f"port {self._port}:" in words:
                    raise PortTaken(f"port {self._port} belongs to another program ({words})")
                raise ProxyDown(f"the proxy on port {self._port} ended: {words}")
            await asyncio.sleep(_POLL)
        raise ProxyDown(f"the proxy on port {self._port} did not come up in {_START_WITHIN:g} s")

    async def routing(self) -> Routing | None:
        """What the proxy routes now; None when it does not run or does not answer."""
        data = parse_object(await self._admin("/state"))
        if data is None:
            return None
        return Routing(
            generation=int(data["generation"]),
            percent=int(data["percent"]),
            revisions=data["revisions"],
            ports=data["ports"],
            in_flight={int(port): int(n) for port, n in data["in_flight"].items()},
        )

    async def in_force(self, generation: int) -> Routing:
        """Wait until the proxy has taken up a generation of the state. Raises ProxyDown."""
        until = time.monotonic() + _TAKES_UP_WITHIN
        while time.monotonic() < until:
            routing = await self.routing()
            if routing is not None and routing.generation >= generation:
                return routing
            await asyncio.sleep(_POLL)
        raise ProxyDown(f"the proxy on port {self._port} did not take up the new split")

    async def drained(self, port: int, within: float) -> None:
        """Wait until no request to a version's port is open, but no longer than `within` s."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            routing = await self.routing()
            if routing is None or not routing.in_flight.get(port):
                return
            await asyncio.sleep(_POLL)

    async def metrics(self) -> str:
        """The exposition of the counters. Raises ProxyDown."""
        said = await self._admin("/metrics")
        if said is None or not said.ok:
            raise ProxyDown(f"the proxy on port {self._port} does not answer /metrics")
        return said.body.decode("utf-8", "replace")

    async def through(self, path: str) -> Said | None:
        """GET through the public port, as a client does."""
        return await ask(self._port, path)

    async def stop(self, within: float = 12.0) -> None:
        """End the proxy, open requests first. Stopping what is gone is success."""
        record = self._record()
        pid, started = int(record.get("pid", 0)), str(record.get("started", ""))
        await detached.end(Process(pid=pid, started=started, mark=self._mark), within)
        (self._folder / PROXY_FILE).unlink(missing_ok=True)

    def _record(self) -> dict[str, Any]:
        try:
            data = json.loads((self._folder / PROXY_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def _living(self) -> dict[str, Any]:
        """The record of a proxy that is known to live; empty without one."""
        record = self._record()
        pid, started = int(record.get("pid", 0)), str(record.get("started", ""))
        lives = detached.alive(pid, started) and record.get("port") == self._port
        return record if lives else {}

    async def _admin(self, path: str) -> Said | None:
        # Its admin port may belong to a stranger by now: ask only a proxy that is known to live.
        record = self._living()
        return await ask(int(record["admin_port"]), path) if record else None
