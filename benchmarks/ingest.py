"""Signals in, needs out: equal ones, up to a million needs.

    python benchmarks/ingest.py --quick         50,000 needs, half a minute
    python benchmarks/ingest.py                 1,000,000 needs, some three minutes

Findings of a linter, known by rule and path; half of the measured signals repeat a known need,
drawn uniformly. Every reading has 1,000 signals and is one transaction on a disk that syncs. One
source is read in turns, as it has to be; two are read side by side, as a controller reads them,
whose own work then overlaps with the server's. Texts that are only alike: `alike.py`.
"""

import argparse
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stand import (
    Stand,
    head,
    median,
    quantile,
    read_in,
    row,
    run,
    stand,
    yardstick,
)

from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.core.ids import signal_id
from swarm.core.nouns import Signal
from swarm.ports.sources import Reading

BATCH = 1_000
NOW = datetime.now(UTC)


class Findings:
    """Findings of a linter; each number is another file."""

    def __init__(self, swarm: str, source: str = "ruff") -> None:
        self._swarm, self._source, self._said = swarm, source, 0

    def one(self, number: int) -> Signal:
        self._said += 1
        text = f"{self._said}"
        return Signal(
            id=signal_id(self._swarm, self._source, text), source=self._source, external_id=text,
            title="`os` imported but unused", body="remove the import",
            citation=f"src/p{number % 997}/m{number}.py:{self._said % 400}@9f31c2a", origin="ruff",
            author="", external=False, trust=0.6, observed_at=NOW, content_hash=text,
            mission_class=f"class-{number % 5}", repo="acme/shop", rule="F401",
            paths=(f"src/p{number % 997}/m{number}.py",),
        )  # fmt: skip

    def said(self) -> str:
        """How far it is, as a cursor."""
        return f"{self._said}"


@dataclass
class Linters:
    """Linters by name, and how many files have a finding in the store.

    No two report the same finding: each has rules of its own, which here are every nth file.
    """

    swarm: str
    of: dict[str, Findings]
    there: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def fresh(self) -> tuple[str, Reading]:
        """A reading of new findings alone."""
        return self.read("ruff", range(self.there, self.there + BATCH))

    def half_known(self, *names: str) -> dict[str, Reading]:
        """A reading of each; half of its signals repeat a known need, drawn uniformly."""
        half, there = BATCH // 2, self.there
        return dict(
            self.read(
                name,
                [
                    *(self.rng.randrange(nth, there, len(names)) for _ in range(half)),
                    *range(self.there, self.there + half),
                ],
            )
            for nth, name in enumerate(names)
        )

    def read(self, name: str, files: Sequence[int]) -> tuple[str, Reading]:
        """A reading of this linter; it names these files."""
        linter = self.of[name]
        self.there = max(self.there, files[-1] + 1)
        return name, Reading(signals=tuple(map(linter.one, files)), cursor=linter.said())


async def half_known(
    stood: Stand, linters: Linters, measured: int, fill: float
) -> tuple[float, float, float]:
    """How many needs were there in the middle; signals per second of one source, and of two."""
    intake, start = PostgresIntake(stood.database), linters.there
    await stood.settle()
    spent = await stood.spent()
    times, pairs = [], []
    # In turns, so that checkpoints and the like fall upon both.
    for _ in range(measured):
        reading = linters.half_known("ruff")
        with spent.more():
            times.append(await read_in(intake, stood.swarm, reading))
        pairs.append(await read_in(intake, stood.swarm, linters.half_known("left", "right")))
    rate, beside = BATCH / median(times), 2 * BATCH / median(pairs)
    row(
        f"from {start:,} needs on, half of the signals repeat one",
        "20,000/s",
        f"{rate:,.0f}/s",
        f"best {BATCH / min(times):,.0f}/s, p99 of a reading "
        f"{quantile(times, 0.99) * 1e3:.0f} ms, filled at {fill:,.0f}/s",
    )
    row("  a reading of 1,000 of these", "", "", spent.note(measured, of=BATCH))
    row(
        "  two sources side by side",
        "20,000/s",
        f"{beside:,.0f}/s",
        f"best {2 * BATCH / min(pairs):,.0f}/s, p99 of a pair {quantile(pairs, 0.99) * 1e3:.0f} ms",
    )
    return (start + linters.there) / 2, rate, beside


async def exact(sizes: list[int], measured: int) -> None:
    head("Exact dedupe ingest")
    async with stand() as stood:
        await yardstick(stood)
        intake = PostgresIntake(stood.database)
        linters = Linters(
            stood.swarm, {name: Findings(stood.swarm, name) for name in ("ruff", "left", "right")}
        )
        found = []
        for size in sizes:
            begun, before = time.perf_counter(), linters.there
            while linters.there < size:
                await read_in(intake, stood.swarm, dict([linters.fresh()]))
            fill = (linters.there - before) / (time.perf_counter() - begun)
            found.append(await half_known(stood, linters, measured, fill))
        if len(sizes) > 1:
            (few, *at_first), (many, *at_last) = found[0], found[-1]
            slopes = [
                math.log(last / first) / math.log(many / few)
                for first, last in zip(at_first, at_last, strict=True)
            ]
            row("exponent of N, one source", ">= -0.1", f"{slopes[0]:+.3f}")
            row("  two sources side by side", ">= -0.1", f"{slopes[1]:+.3f}")
        single = []
        for _ in range(200):
            known = linters.rng.randrange(linters.there)
            single.append(await read_in(intake, stood.swarm, dict([linters.read("ruff", [known])])))
        row(
            "one signal alone",
            "",
            f"{quantile(single, 0.5) * 1e3:.2f} ms",
            f"p99 {quantile(single, 0.99) * 1e3:.2f} ms",
        )
        bytes_ = await stood.sql(
            "select pg_total_relation_size('need') + pg_total_relation_size('citation'),"
            " pg_total_relation_size('signal'), (select count(*) from need),"
            " (select count(*) from signal)"
        )
        need, signal, needs, signals = bytes_[0]
        row(
            "bytes per need with citation / per signal",
            "",
            f"{need // needs} / {signal // signals}",
            "379 per need, and 1,000 signals in 33 ms, in the prototype that set the goal",
        )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    sizes, measured = ([5_000, 50_000], 20) if given.quick else ([100_000, 1_000_000], 100)
    run(lambda: exact(sizes, measured))
