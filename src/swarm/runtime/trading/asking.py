"""Speaking with a running order path through its door."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swarm.contract.errors import Refused, SwarmError
from swarm.runtime.trading.errors import NobodyTrades

PATIENCE = 10.0  #: seconds; a decision is written before it is answered, and a database may be slow


def ask(door: Path, what: str, given: Any = None, *, patience: float = PATIENCE) -> Any:
    """The answer to one request. Raises what the order path raised, or NobodyTrades."""
    line = json.dumps({"do": what, "with": given}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(patience)
            connection.connect(str(door))
            connection.sendall(line)
            with connection.makefile("rb") as answers:
                said = json.loads(answers.readline())
    except (OSError, ValueError) as error:
        raise NobodyTrades(f"{door}: {error}") from error
    if "error" in said:
        raise _error(said["error"])
    return said["ok"]


def _error(said: dict[str, str]) -> SwarmError:
    """The same error as on the other side, with its exit code."""
    kind = next((one for one in _below(SwarmError) if one.code == said["code"]), None)
    if kind is None or kind.__init__ is not SwarmError.__init__:
        return Refused(f"{said['code']}: {said['message']}", remedy=said["fix"])
    return kind(said["message"], remedy=said["fix"])


def _below(kind: type[SwarmError]) -> Iterator[type[SwarmError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
