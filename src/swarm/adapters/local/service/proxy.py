"""The proxy process: splits the traffic of one service, and outlives every controller.

It reads its orders from the target's state file and nothing else. Its public socket forwards;
its admin socket, on a port of the kernel's choice, answers /metrics and /state.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST

from swarm.adapters.local.process import kernel
from swarm.adapters.local.service import state
from swarm.adapters.local.service.asking import LOOPBACK
from swarm.adapters.local.service.exposition import Counters
from swarm.adapters.local.service.forward import Forwarder, Receive, Send
from swarm.adapters.local.service.routing import Routes

PORT_TAKEN = 98  # the exit status; errno EADDRINUSE on Linux
# How often the state file is looked at: a change is in force within 0.1 s, at 10 stats a second.
_REFRESH = 0.1
_GRACE_SECONDS = 10


class Proxy:
    """Both sides of the proxy in one ASGI application, told apart by the socket's port."""

    def __init__(self, folder: Path, silence: float, admin_port: int) -> None:
        self._admin_port = admin_port
        self.routes = Routes(folder)
        self._counters = Counters(f"{os.getpid()}@{kernel.start_time(os.getpid())}")
        self._forwarder = Forwarder(self.routes, self._counters, silence)
        self.refresh()

    def refresh(self) -> None:
        """Take up a new generation of the state, if there is one."""
        if self.routes.refresh():
            self._counters.follow(self.routes)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request of either side."""
        if scope["server"][1] != self._admin_port:
            await self._forwarder(scope, receive, send)
        elif scope["path"] == "/metrics":
            await _answer(send, b"".join(self._counters.text()), CONTENT_TYPE_LATEST)
        elif scope["path"] == "/state":
            await _answer(send, json.dumps(self._state()).encode(), "application/json")
        else:
            await _answer(send, b"/metrics and /state\n", "text/plain", 404)

    def _state(self) -> dict[str, Any]:
        arms = {route.arm: route for route in self.routes.routes()}
        return {
            "pid": os.getpid(),
            "generation": self.routes.generation,
            "percent": self.routes.percent,
            "revisions": {arm: route.revision for arm, route in arms.items()},
            "ports": {arm: route.port for arm, route in arms.items()},
            "in_flight": {str(port): n for port, n in self._forwarder.in_flight.items()},
        }


async def _answer(send: Send, body: bytes, kind: str, status: int = 200) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def listen(port: int) -> socket.socket:
    """A listening loopback socket; port 0 takes any. Raises OSError when it is taken."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((LOOPBACK, port))
        found.listen(2048)
    except OSError:
        found.close()
        raise
    return found


async def _serve(folder: Path, silence: float, public: socket.socket) -> None:
    admin = listen(0)
    admin_port = admin.getsockname()[1]
    proxy = Proxy(folder, silence, admin_port)
    server = uvicorn.Server(
        uvicorn.Config(
            proxy,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    state.write_json(
        folder / state.PROXY_FILE,
        {
            "pid": os.getpid(),
            "started": kernel.start_time(os.getpid()),
            "port": public.getsockname()[1],
            "admin_port": admin_port,
        },
    )
    watching = asyncio.create_task(_watch(proxy, server))
    try:
        await server.serve(sockets=[public, admin])
    finally:
        watching.cancel()


async def _watch(proxy: Proxy, server: uvicorn.Server) -> None:
    while True:
        await asyncio.sleep(_REFRESH)
        proxy.refresh()
        if proxy.routes.orphaned():
            server.should_exit = True


def main() -> None:
    """`proxy FOLDER PORT SILENCE`: serve until SIGTERM."""
    folder, port, silence = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        public = listen(port)
    except OSError as error:
        sys.stderr.write(f"port {port}: {error.strerror}\n")
        sys.exit(PORT_TAKEN)
    asyncio.run(_serve(folder, silence, public))


if __name__ == "__main__":
    main()
