"""The source that settings describe."""

from __future__ import annotations

from swarm.adapters.feeds.alertmanager import AlertmanagerSource
from swarm.adapters.feeds.feed import FeedSource
from swarm.adapters.feeds.json_items import JsonSource
from swarm.adapters.feeds.network import Resolver
from swarm.adapters.feeds.settings import AlertmanagerSettings, FeedSettings, JsonSettings
from swarm.ports.source_settings import Place
from swarm.ports.sources import Source


def source(
    settings: FeedSettings | JsonSettings | AlertmanagerSettings,
    place: Place,
    resolver: Resolver | None = None,
) -> Source:
    """A source on the network. `resolver` is the machine's own, unless a test brings one."""
    match settings:
        case FeedSettings():
            return FeedSource(settings, place, resolver)
        case JsonSettings():
            return JsonSource(settings, place, resolver)
        case AlertmanagerSettings():
            return AlertmanagerSource(settings, place, resolver)
