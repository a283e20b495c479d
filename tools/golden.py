"""Store what this release keeps, so that the next one can be held to reading it.

    .venv/bin/python tools/golden.py

Lives through simulated days with the real controller and keeps, from what happened there, one
example of each stored shape and a snapshot for everything that was ever decided: an order's kind, a
record, a reason for waiting. Run at each release, and when a kind of fact or order is added.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from simulate import simulate
from swarm.adapters.postgres.store import shapes
from swarm.core.decide import decide
from swarm.core.decision import Plan, ReadCitation
from swarm.core.evidence import CitationRead, Excerpt
from swarm.core.ids import EvidenceId, MissionId, OrderKey, SignalId
from swarm.core.nouns import Cited, Signal
from swarm.core.snapshot import Mission, Snapshot
from swarm.runtime import controller
from swarm.runtime.status import status_of
from swarm.testing.simulation.simulation import Trial
from upgrade import DATA, told

SEEDS = range(12)
LASTS = timedelta(hours=24)
LARGEST = 40_000  #: characters of a snapshot; a larger one shows nothing that a smaller does not


class Harvest:
    """What the simulated days left. examples: JSON values by the shape's name."""

    def __init__(self) -> None:
        self.examples: dict[str, Any] = {}
        self.snapshots: list[str] = []
        self.decisions: list[list[str]] = []
        self._met: set[str] = set()

    def decide(self, snapshot: Snapshot) -> Plan:
        """Decide as always, and keep what is new in it."""
        plan = decide(snapshot)
        said = {f"order {order.kind}" for order in plan.orders}
        said |= {f"record {type(record).__name__}" for record in plan.records}
        said |= {f"standing {standing.reason}" for _, standing in plan.standings}
        said |= {f"fact {fact.kind}" for one in snapshot.missions for fact in one.facts}
        if not said <= self._met:
            self._keep(snapshot, plan, said)
        return plan

    def _keep(self, snapshot: Snapshot, plan: Plan, said: set[str]) -> None:
        text = TypeAdapter(Snapshot).dump_json(snapshot).decode()
        if len(text) > LARGEST:
            return
        self._met |= said
        self.snapshots.append(text)
        self.decisions.append(told(plan))
        for order in plan.orders:
            self._example(f"order/{order.kind}", shapes.dump(shapes.order_adapter(), order))
        for _, standing in plan.standings:
            self._example("standing", shapes.dump(shapes.standing_adapter(), standing))
        for mission in snapshot.missions:
            self._mission(mission)

    def _mission(self, mission: Mission) -> None:
        for fact in mission.facts:
            self._example(f"fact/{fact.kind}", shapes.dump(shapes.fact_adapter(), fact))
        self._example("contract", shapes.dump(shapes.contract_adapter(), mission.contract))
        for name, adapter, value in (
            ("verdicts", shapes.verdicts_adapter(), mission.verdicts),
            ("approvals", shapes.approvals_adapter(), mission.approvals),
            ("open-orders", shapes.open_orders_adapter(), mission.orders),
        ):
            if value:
                self._example(name, shapes.dump(adapter, value))

    def _example(self, name: str, text: str) -> None:
        if len(text) > len(json.dumps(self.examples.get(name, ""))):
            self.examples[name] = json.loads(text)  # the fullest one says the most

    def status(self, *given: Any) -> Mapping[str, Any]:
        """The status as always, and the fullest of each phase kept."""
        status = status_of(*given)
        self._example(f"status/{status.get('phase', '')}", json.dumps(status))
        return status

    def by_hand(self) -> None:
        """What no simulated day brings: what sources say, and the reading of it again."""
        cited = Cited(
            origin="python.org",
            citation="https://docs.python.org/3/whatsnew",
            source="feed",
            external=True,
            trust=0.8,
            title="What is new",
            body="datetime.utcnow is deprecated.",
        )
        at = datetime(2026, 3, 2, 12, tzinfo=UTC)
        read = CitationRead(
            id=EvidenceId("e-1"),
            at=at,
            citation=cited.citation,
            origin=cited.origin,
            gone=False,
            claims=True,
            where=cited.citation,
            excerpts=(Excerpt(start=10, end=40, sha256="ab" * 32),),
        )
        order = ReadCitation(
            key=OrderKey("m-1/cite/abc/0"),
            mission=MissionId("m-1"),
            mission_class="docs",
            policy_hash="p1",
            forward=False,
            cited=cited,
            repo="acme/shop-0",
        )
        said = Signal(
            id=SignalId("sg-1"),
            source="feed",
            external_id="42",
            title=cited.title,
            body=cited.body,
            citation=cited.citation,
            origin=cited.origin,
            author="someone",
            external=True,
            trust=0.8,
            observed_at=at,
            content_hash="cd" * 32,
            mission_class="docs",
            paths=("src/clock.py",),
        )
        self._example("fact/citation-read", shapes.dump(shapes.fact_adapter(), read))
        self._example("order/read-citation", shapes.dump(shapes.order_adapter(), order))
        self._example("signal", shapes.dump(shapes.signal_adapter(), said))


def main() -> int:
    """Live through the days and write the files."""
    harvest = Harvest()
    # The controller takes both from its own module, where a test would replace them as well.
    vars(controller).update(decide=harvest.decide, status_of=harvest.status)
    for seed in SEEDS:
        simulate(Trial(seed=seed, lasts=LASTS))
    harvest.by_hand()
    DATA.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in harvest.snapshots).encode()
    (DATA / "snapshots.jsonl.gz").write_bytes(gzip.compress(text, mtime=0))
    _write("decisions.json", harvest.decisions)
    _write("shapes.json", dict(sorted(harvest.examples.items())))
    print(f"{len(harvest.snapshots)} snapshots, {len(harvest.examples)} shapes in {DATA}")
    return 0


def _write(name: str, value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    (DATA / name).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
