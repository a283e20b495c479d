"""Signals in, needs out: exact and alike, up to a million needs.

    python benchmarks/ingest.py --quick         20,000 needs, a minute
    python benchmarks/ingest.py                 1,000,000 needs, some ten minutes

Exact: findings of a linter, known by rule and path; half of the measured signals repeat a known
need, drawn uniformly. Alike: 28-word texts of a 30,000-word vocabulary with Zipf weights, of which
30 % are copies of an earlier text with 1 to 4 words replaced; a copy counts for the recall when two
thirds of its 5-grams are left. Every reading has 1,000 signals and is one transaction on a disk
that syncs. One source is read in turns, as it has to be; two are read side by side, as a controller
reads them, whose own work then overlaps with the server's. Peer for alike texts: datasketch in
memory, same texts, same number of minima.
"""

import argparse
import asyncio
import bisect
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

from stand import (
    Spent,
    Stand,
    head,
    median,
    quantile,
    row,
    run,
    settle_memory,
    stand,
    yardstick,
)

from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.core import likeness
from swarm.core.ids import signal_id
from swarm.core.loop.normalize import normal
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


class Texts:
    """Free texts, some of them near copies."""

    def __init__(self, swarm: str, seed: int = 1) -> None:
        self._swarm, self._said = swarm, 0
        self.rng = random.Random(seed)
        letters = random.Random(0)
        self.words = [
            "".join(letters.choices("etaoinshrdlcumwfgypbvk", k=letters.choice((3, 4, 5, 6, 7, 9))))
            for _ in range(30_000)
        ]
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(30_000)))

    def fresh(self) -> str:
        return " ".join(self._word() for _ in range(28))

    def copy(self, text: str) -> str:
        words = text.split()
        for place in self.rng.sample(range(len(words)), self.rng.randrange(1, 5)):
            words[place] = self._word()
        return " ".join(words)

    def signal(self, text: str, source: str = "feed") -> Signal:
        self._said += 1
        name = f"{self._said}"
        return Signal(
            id=signal_id(self._swarm, source, name), source=source, external_id=name, title=text,
            body="", citation=f"https://example.org/{name}", origin="example.org", author="",
            external=True, trust=0.6, observed_at=NOW, content_hash=name, mission_class="docs",
            repo="acme/shop",
        )  # fmt: skip

    def _word(self) -> str:
        return self.words[bisect.bisect(self._weights, self.rng.random() * self._weights[-1])]


def grams(text: str) -> set[str]:
    return {text[i : i + 5] for i in range(len(text) - 4)}


def kept(one: str, other: str) -> float:
    first, second = grams(one), grams(other)
    return len(first & second) / len(first | second)


async def feed(
    intake: PostgresIntake, stood: Stand, source: str, batches: Iterator[list[Signal]]
) -> list[float]:
    """Ingest; seconds per batch."""
    times = []
    for number, signals in enumerate(batches):
        begun = time.perf_counter()
        await intake.ingest(
            stood.swarm, source, Reading(signals=tuple(signals), cursor=str(number))
        )
        times.append(time.perf_counter() - begun)
    return times


async def exact(sizes: list[int], measured: int) -> None:
    head("Exact dedupe ingest")
    async with stand() as stood:
        await yardstick(stood)
        intake, findings, rng = (
            PostgresIntake(stood.database),
            Findings(stood.swarm),
            random.Random(1),
        )
        there, rates = 0, {}
        for size in sizes:
            begun = time.perf_counter()
            filled = size - there
            parts = (range(there + at, there + at + BATCH) for at in range(0, filled, BATCH))
            await feed(intake, stood, "ruff", ([findings.one(n) for n in part] for part in parts))
            fill = filled / (time.perf_counter() - begun)
            there = size
            batches = []
            for _ in range(measured):
                numbers = [rng.randrange(there) for _ in range(BATCH // 2)]
                numbers += [there + i for i in range(BATCH // 2)]
                there += BATCH // 2
                batches.append([findings.one(number) for number in numbers])
            settle_memory()
            spent = await stood.spent()
            with spent.more():
                times = await feed(intake, stood, "ruff", iter(batches))
            rates[size] = BATCH / median(times)
            best = BATCH / min(times)
            row(
                f"{size:,} needs, half of the signals repeat one",
                "20,000/s",
                f"{rates[size]:,.0f}/s",
                f"best {best:,.0f}/s, p99 of a reading "
                f"{quantile(times, 0.99) * 1e3:.0f} ms, filled at {fill:,.0f}/s",
            )
            row("  a reading of 1,000 of these", "", "", spent.note(measured, of=BATCH))
            row(
                "  two sources side by side",
                "20,000/s",
                f"{await side_by_side(stood, there, measured // 2):,.0f}/s",
            )
        if len(sizes) > 1:
            low, high = sizes[0], sizes[-1]
            slope = math.log(rates[high] / rates[low]) / math.log(high / low)
            row("exponent of N", ">= -0.1", f"{slope:+.3f}")
        single = []
        for number in range(200):
            begun = time.perf_counter()
            reading = Reading(signals=(findings.one(rng.randrange(there)),), cursor=f"s{number}")
            await intake.ingest(stood.swarm, "ruff", reading)
            single.append(time.perf_counter() - begun)
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


async def together(intake: PostgresIntake, swarm: str, readings: dict[str, Reading]) -> float:
    """Ingest the readings of these sources side by side; seconds."""
    begun = time.perf_counter()
    await asyncio.gather(*(intake.ingest(swarm, *of_one) for of_one in readings.items()))
    return time.perf_counter() - begun


async def side_by_side(stood: Stand, there: int, measured: int) -> float:
    """Signals per second of two linters; of each, half of the signals repeat a known need."""
    intake, rng = PostgresIntake(stood.database), random.Random(2)
    linters = {name: Findings(stood.swarm, name) for name in (f"left-{there}", f"right-{there}")}
    times, new = [], 10 * there  # no file that was there
    for number in range(measured):
        readings = {}
        for name, linter in linters.items():
            files = [*(rng.randrange(there) for _ in range(BATCH // 2)),
                     *range(new, new := new + BATCH // 2)]  # fmt: skip
            signals = tuple(linter.one(file) for file in files)
            readings[name] = Reading(signals=signals, cursor=str(number))
        times.append(await together(intake, stood.swarm, readings))
    return len(linters) * BATCH / median(times)


@dataclass
class Copies:
    """Readings of which three in ten signals are near copies, and what became of each.

    sources: read side by side.
    """

    sources: tuple[str, ...]
    stood: Stand
    texts: Texts
    known: list[str]
    spent: Spent
    times: list[float] = field(default_factory=list)
    copies: int = 0
    found: int = 0
    originals: int = 0
    wrong: int = 0

    async def feed(self, number: int) -> None:
        made = [(source, *self._one()) for source in self.sources for _ in range(BATCH)]
        signals = [self.texts.signal(text, source) for source, text, _ in made]
        readings = {
            source: Reading(
                signals=tuple(one for one in signals if one.source == source), cursor=f"m{number}"
            )
            for source in self.sources
        }
        intake = PostgresIntake(self.stood.database)
        with self.spent.more():
            self.times.append(await together(intake, self.stood.swarm, readings))
        rows = await self.stood.sql(
            "select s.id, n.title from signal s join need n on n.id = s.need where s.id = any(%s)",
            [signal.id for signal in signals],
        )
        titles = {str(id_): str(title) for id_, title in rows}
        for (_, text, source), signal in zip(made, signals, strict=True):
            self._count(text, source, titles[signal.id])

    def rate(self) -> str:
        return f"{len(self.sources) * BATCH / median(self.times):,.0f}/s"

    def _one(self) -> tuple[str, str | None]:
        if self.texts.rng.random() < 0.3:
            source = self.texts.rng.choice(self.known)
            return self.texts.copy(source), source
        return self.texts.fresh(), None

    def _count(self, text: str, source: str | None, title: str) -> None:
        if source is None:
            self.originals += 1
            self.wrong += title != text
        elif kept(normal(text), normal(source)) >= 2 / 3:
            self.copies += 1
            # A copy that was not found stands alone, under its own words.
            self.found += title == source or (title != text and kept(title, source) > 0.5)


async def alike(size: int, measured: int) -> None:
    head("Near-duplicate ingest")
    async with stand() as stood:
        await yardstick(stood)
        intake, texts = PostgresIntake(stood.database), Texts(stood.swarm)
        known: list[str] = []
        took = 0.0
        for start in range(0, size, BATCH):
            fresh = [texts.fresh() for _ in range(BATCH)]
            known += fresh
            reading = Reading(signals=tuple(map(texts.signal, fresh)), cursor=str(start))
            begun = time.perf_counter()
            await intake.ingest(stood.swarm, "feed", reading)
            took += time.perf_counter() - begun
        row(f"{size:,} texts filled", "", f"{size / took:,.0f}/s", "each one new and long")
        run_ = Copies(("feed",), stood, texts, known, await stood.spent())
        both = Copies(("feed", "forum"), stood, texts, known, await stood.spent())
        settle_memory()
        for number in range(measured):
            await run_.feed(number)
        for number in range(measured // 2):
            await both.feed(number)
        note = (
            f"p99 of a reading {quantile(run_.times, 0.99) * 1e3:.0f} ms; "
            "the goal is a prototype's that kept signatures, and no need, citation or signal"
        )
        row(f"{size:,} texts, 30 % near copies", "5,000/s", run_.rate(), note)
        row("  a reading of 1,000 of these", "", "", run_.spent.note(measured, of=BATCH))
        row("  two sources side by side", "5,000/s", both.rate())
        row("recall of copies with two thirds of their 5-grams", ">= 0.97",
            f"{(run_.found + both.found) / (run_.copies + both.copies):.3f}",
            f"{run_.copies + both.copies:,} copies")  # fmt: skip
        row("originals merged with something else", "<= 1e-4",
            f"{(run_.wrong + both.wrong) / (run_.originals + both.originals):.1e}",
            f"of {run_.originals + both.originals:,}")  # fmt: skip
        await look_up(stood, texts, known)
        sizes = await stood.sql(
            "select pg_relation_size('likeness'), pg_relation_size('likeness_bands'),"
            " (select count(*) from likeness)"
        )
        heap, index, count = sizes[0]
        row("bytes per text: signature / index", "", f"{heap // count} / {index // count}")
    peer(min(size, 70_000))


async def look_up(stood: Stand, texts: Texts, known: list[str]) -> None:
    rng, times = random.Random(3), []
    for _ in range(600):
        text = normal(texts.copy(rng.choice(known)))
        bands = likeness.bands(likeness.signatures([text]), [f"{stood.swarm}\0docs\0acme/shop\0"])
        begun = time.perf_counter()
        await stood.sql(
            "select need, signature from likeness where bands && %b::int[]", bands[0].tolist()
        )
        times.append(time.perf_counter() - begun)
    row(
        "one look-up",
        "p99 1 ms",
        f"{quantile(times[100:], 0.5) * 1e3:.2f} ms",
        f"p99 {quantile(times[100:], 0.99) * 1e3:.2f} ms",
    )


def peer(size: int) -> None:
    try:
        from datasketch import MinHash, MinHashLSH  # noqa: PLC0415
    except ImportError:
        row("peer: datasketch in memory", "", "not installed")
        return
    texts, rng = Texts("peer"), random.Random(9)
    index = MinHashLSH(num_perm=128, params=(21, 6))

    def signature(text: str) -> MinHash:
        made = MinHash(num_perm=128)
        made.update_batch([gram.encode() for gram in grams(text)])
        return made

    known = [texts.fresh() for _ in range(size)]
    begun = time.perf_counter()
    for number, text in enumerate(known):
        own = signature(normal(text))
        index.query(own)
        index.insert(number, own)
    rate = size / (time.perf_counter() - begun)
    copies = found = 0
    for _ in range(2_000):
        number = rng.randrange(size)
        text = texts.copy(known[number])
        if kept(text, known[number]) >= 2 / 3:
            copies += 1
            found += number in index.query(signature(normal(text)))
    row(
        f"peer: datasketch in memory, {size:,} texts",
        "",
        f"{rate:,.0f}/s",
        f"recall {found / copies:.3f}; nothing survives the process",
    )


async def measure(*, quick: bool) -> None:
    if quick:
        await exact([5_000, 20_000], 20)
        await alike(20_000, 10)
    else:
        await exact([100_000, 1_000_000], 60)
        await alike(1_000_000, 40)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    run(lambda: measure(quick=given.quick))
