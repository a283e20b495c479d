"""The source that settings describe."""

from __future__ import annotations

from swarm.adapters.local.sources.checkout import Checkouts
from swarm.adapters.local.sources.command import CommandSource
from swarm.adapters.local.sources.results import ResultsSource
from swarm.adapters.local.sources.settings import CommandSettings, ResultsSettings
from swarm.ports.source_settings import Place
from swarm.ports.sources import Source


def source(
    settings: CommandSettings | ResultsSettings, place: Place, checkouts: Checkouts | None = None
) -> Source:
    """A source on this machine. `checkouts` is needed by commands that look at a repository."""
    match settings:
        case CommandSettings():
            return CommandSource(settings, place, checkouts)
        case ResultsSettings():
            return ResultsSource(settings, place)
