"""Signals in, needs out: texts that are alike, up to a million needs.

    python benchmarks/alike.py --quick         20,000 needs, half a minute
    python benchmarks/alike.py                 1,000,000 needs, some six minutes

28-word texts of a 30,000-word vocabulary with Zipf weights, of which 30 % are copies of an earlier
text with 1 to 4 words replaced; a copy counts for the recall when two thirds of its 5-grams are
left. Every reading has 1,000 signals and is one transaction on a disk that syncs. One source is
read in turns, as it has to be; two are read side by side, as a controller reads them, whose own
work then overlaps with the server's. Peer: datasketch in memory, same texts, same number of minima.
"""

import argparse
import bisect
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

from stand import (
    Spent,
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
from swarm.core import likeness
from swarm.core.ids import signal_id
from swarm.core.loop.normalize import normal
from swarm.core.nouns import Signal
from swarm.ports.sources import Reading

BATCH = 1_000
NOW = datetime.now(UTC)


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
            self.times.append(await read_in(intake, self.stood.swarm, readings))
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
        await stood.settle()
        for number in range(measured):  # in turns, so that checkpoints and the like fall upon both
            await run_.feed(number)
            await both.feed(number)
        note = (
            f"p99 of a reading {quantile(run_.times, 0.99) * 1e3:.0f} ms; "
            "the goal is a prototype's that kept signatures, and no need, citation or signal"
        )
        row(f"{size:,} texts, 30 % near copies", "5,000/s", run_.rate(), note)
        row("  a reading of 1,000 of these", "", "", run_.spent.note(measured, of=BATCH))
        row("  two sources side by side", "5,000/s", both.rate(),
            f"p99 of a pair {quantile(both.times, 0.99) * 1e3:.0f} ms")  # fmt: skip
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


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    size, measured = (20_000, 10) if given.quick else (1_000_000, 40)
    run(lambda: alike(size, measured))
