"""Signals in, needs out, on paper: by equal text only, with the real growth of a need."""

from __future__ import annotations

from collections.abc import Mapping

from swarm.core.ids import NeedId, need_id
from swarm.core.loop.normalize import fingerprint
from swarm.core.nouns import Cited, Signal
from swarm.core.policy.backlog import Circumstances, Citation, Known, grow
from swarm.core.snapshot import SourceState
from swarm.ports.sources import Reading
from swarm.ports.store import IngestReport
from swarm.testing.paper import PaperStore


class PaperBacklog:
    """What one swarm was told, and what it knows of its sources and targets.

    cursors: by source, where its next reading begins.
    """

    def __init__(self, paper: PaperStore) -> None:
        self._paper = paper
        self._seen: set[str] = set()
        self._cited: dict[NeedId, dict[str, Citation]] = {}
        self.cursors: dict[str, str] = {}

    def ingest(self, source: str, reading: Reading) -> IngestReport:
        """Keep one reading: its new signals, the needs they make, and the cursor."""
        said: dict[NeedId, list[Signal]] = {}
        fresh = {signal.id: signal for signal in reading.signals if signal.id not in self._seen}
        for signal in fresh.values():
            said.setdefault(need_id(self._paper.world.swarm, fingerprint(signal)), []).append(
                signal
            )
        self._seen.update(fresh)
        opened, cited = [], 0
        trust = dict(self._paper.world.source_trust)
        for id_, signals in said.items():
            seen = Circumstances(now=self._paper.now, trust=trust)
            growth = grow(id_, self._known(id_), signals, seen)
            self._paper.needs[id_] = growth.need
            self._cited.setdefault(id_, {}).update({c.origin: c for c in growth.citations})
            self._paper.cited[id_] = tuple(_cited(c) for c in self._cited[id_].values())
            cited += growth.cited_anew
            if growth.opened:
                opened.append(id_)
                self._paper.moved_at[id_] = self._paper.now
        self.cursors[source] = reading.cursor
        if fresh:
            self._paper.woken = True
        return IngestReport(
            new=len(fresh),
            repeated=len(reading.signals) - len(fresh),
            opened=tuple(opened),
            cited=cited,
        )

    def stand(self, source: str, dark: str | None) -> bool:
        """Note that a source is dark, with the reason, or answers; True when that is new."""
        known = {state.name: state for state in self._paper.world.sources}
        was = known.get(source)
        if (was is not None and was.dark_since is not None) is (dark is not None):
            return False
        since = self._paper.now if dark is not None else None
        known[source] = SourceState(
            name=source,
            answered=dark is None or (was is not None and was.answered),
            dark_since=since,
            detail=dark or "",
        )
        self._paper.change(sources=tuple(known[name] for name in sorted(known)))
        return True

    def drift(self, drifted: Mapping[str, str]) -> bool:
        """Note which targets drifted; True when that is new."""
        seen = tuple(sorted(drifted.items()))
        if seen == self._paper.world.drifted:
            return False
        self._paper.change(drifted=seen)
        return True

    def _known(self, id_: NeedId) -> Known | None:
        need = self._paper.needs.get(id_)
        if need is None:
            return None
        moved = self._paper.moved_at.get(id_, need.first_seen)
        return Known(need, moved, self._cited.get(id_, {}))


def _cited(one: Citation) -> Cited:
    return Cited(
        origin=one.origin,
        citation=one.citation,
        source=one.source,
        external=one.external,
        trust=one.trust,
    )
