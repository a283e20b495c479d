"""The venues of an installation, bound by name; what stops trading needs no more than this."""

from __future__ import annotations

from pathlib import Path

from swarm.adapters.paper.client import SocketVenue
from swarm.ports.venue import Venue
from swarm.runtime.trading.settings import TradingSettings


def sockets(settings: TradingSettings) -> dict[str, Path]:
    """Where each venue is reached."""
    return {name: one.socket.resolve() for name, one in settings.venues.items()}


def bound(settings: TradingSettings) -> dict[str, Venue]:
    """Every venue by its name."""
    return {name: SocketVenue(name, at) for name, at in sockets(settings).items()}
