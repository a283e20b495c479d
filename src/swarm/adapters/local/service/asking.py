"""Asks running processes over HTTP: is it healthy, which revision is it, what does it route."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpcore

LOOPBACK = "127.0.0.1"
REVISION_HEADER = "x-swarm-revision"
_MOST = 16 * 1024 * 1024
_SHORT_REVISION = 7
_BORNE = 10.0  #: seconds that a process which lives may be silent
_POLL = 0.05
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An HTTP answer: status, header names in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP


async def ask(port: int, path: str, seconds: float = 2.0) -> Said | None:
    """GET from a loopback port; None when nobody answers properly in time."""
    limits = {"connect": seconds, "read": seconds, "write": seconds, "pool": seconds}
    try:
        async with asyncio.timeout(seconds), httpcore.AsyncConnectionPool() as pool:
            url = f"http://{LOOPBACK}:{port}{path}"
            async with pool.stream("GET", url, extensions={"timeout": limits}) as response:
                body = bytearray()
                async for chunk in response.aiter_stream():
                    body += chunk
                    if len(body) > _MOST:
                        return None
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in response.headers
                }
                return Said(status=response.status, headers=headers, body=bytes(body))
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        return None
    except (TimeoutError, OSError):
        return None


async def borne(look: Callable[[], Awaitable[T | None]], lives: Callable[[], bool]) -> T | None:
    """What a look finds; None where the process ended, or lived and was silent for ten seconds.

    Under load a process is slow. Whoever takes it for dead cuts its open requests, and gives those
    that wait a process that has yet to warm up.
    """
    until = time.monotonic() + _BORNE
    while True:
        found = await look()
        if found is not None or not lives() or time.monotonic() >= until:
            return found
        await asyncio.sleep(_POLL)


def parse_object(said: Said | None) -> dict[str, Any] | None:
    """The JSON object of a 2xx answer; None for anything else."""
    if said is None or not said.ok:
        return None
    try:
        data = json.loads(said.body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def revision_in(said: Said | None) -> str:
    """The revision that a version's own answer names; "" when it names none."""
    if said is None or not said.ok:
        return ""
    data = parse_object(said)
    text = (
        str(data.get("revision", "")) if data is not None else said.body.decode("utf-8", "replace")
    )
    text = text.strip()
    return text if re.fullmatch(r"[\w.+-]{1,200}", text) else ""


def is_revision(named: str, wanted: str) -> bool:
    """Whether an answer names this revision; a service may print it shortened."""
    return named == wanted or (len(named) >= _SHORT_REVISION and wanted.startswith(named))
