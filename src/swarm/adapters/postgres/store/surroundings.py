"""What surrounds needs and missions in a snapshot: read as one row, made anew where it changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from swarm.core.nouns import Freeze, Settled
from swarm.core.phase import Figures
from swarm.core.snapshot import SourceState

from . import shapes

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """One row of `tick.surroundings`.

    next_due: when something of it changes by itself; None when nothing does.
    """

    queued: int
    freezes: tuple[Freeze, ...]
    settled: tuple[Settled, ...]
    sources: tuple[SourceState, ...]
    denied: Pairs
    drifted: Pairs
    class_bias: tuple[tuple[str, float], ...]
    source_trust: tuple[tuple[str, float], ...]
    next_due: datetime | None
    figures: Figures


class Texts:
    """What one swarm's texts said last: most of them say the same tick after tick."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, Any]] = {}

    def read(self, row: tuple[Any, ...]) -> Surroundings:
        """The surroundings from the columns of `tick.surroundings`."""
        queued, freezes, settled, sources, denied, drifted, bias, trust, due, *figures = row
        discoveries, missions, success, change, discovered = figures
        return Surroundings(
            queued=queued,
            freezes=self._known("freezes", freezes, _freezes),
            settled=self._known("settled", settled, _settled),
            sources=self._known("sources", sources, _sources),
            denied=self._known("denied", denied, _pairs),
            drifted=self._known("drifted", drifted, _pairs),
            class_bias=self._known("bias", bias, lambda: shapes.pairs),
            source_trust=self._known("trust", trust, lambda: shapes.pairs),
            next_due=due,
            figures=Figures(
                discoveries_24h=discoveries,
                missions_24h=missions,
                success_24h=success,
                last_production_change=change,
                last_discover_at=discovered,
            ),
        )

    def _known(
        self, name: str, text: str | None, reader: Callable[[], Callable[[str], Any]]
    ) -> Any:
        if not text:
            return ()
        said = self._said.get(name)
        if said is None or said[0] != text:
            said = self._said[name] = (text, reader()(text))
        return said[1]


@cache
def _freezes() -> Callable[[str], tuple[Freeze, ...]]:
    return TypeAdapter(tuple[Freeze, ...]).validate_json


@cache
def _settled() -> Callable[[str], tuple[Settled, ...]]:
    return TypeAdapter(tuple[Settled, ...]).validate_json


@cache
def _sources() -> Callable[[str], tuple[SourceState, ...]]:
    return TypeAdapter(tuple[SourceState, ...]).validate_json


@cache
def _pairs() -> Callable[[str], Pairs]:
    return TypeAdapter(Pairs).validate_json
