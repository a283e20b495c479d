"""The order path as a strategy meets it, and a broken limit as a person hears of it.

    python benchmarks/regime_door.py            about two minutes
    python benchmarks/regime_door.py --quick

There is no peer: no open order path with these controls was found to run beside it. So each figure
stands next to its goal, where there is one, and beside a yardstick of the machine in the same run.

- door: one order from another process through the socket, the gate, the durable record and the
  dispatch, until the answer is there; and what a question costs that decides nothing.
- alert: from the moment at which a limit is broken in the measures to the line in the hands of who
  started the monitor, and from the end of the breach to the word that it is over.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter
from regime_controls import SYMBOLS, child, fed, order, path_on, refresh, signed_limits
from stand import head, median, quantile, row, stand

from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.server import serving
from swarm.adapters.paper.venue import PaperVenue
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.regime.controls import events as happened
from swarm.regime.nouns import Regime
from swarm.runtime.trading.door import Door
from swarm.testing.trading import PEOPLE, limit_set, metrics

#: A strategy's side: nothing but a socket and a clock. Prints milliseconds, then what was said.
CLIENT = """
import json, socket, sys, time
lines = open(sys.argv[2], "rb").read().splitlines(keepends=True)
took, said = [], {}
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    answers = connection.makefile("rb")
    for line in lines:
        begun = time.perf_counter()
        connection.sendall(line)
        answer = json.loads(answers.readline())
        took.append((time.perf_counter() - begun) * 1e3)
        word = answer["ok"].get("ruling", "status") if "ok" in answer else answer["error"]["code"]
        said[word] = said.get(word, 0) + 1
print(json.dumps([took, said]))
"""
Took = list[float]


def quantiles(took: Took) -> str:
    return f"{median(took):.1f} / {quantile(took, 0.99):.1f} ms"


async def client(door: Path, asked: Sequence[object], folder: Path) -> tuple[Took, dict[str, int]]:
    lines = folder / "asked"
    lines.write_bytes(b"".join(json.dumps(one).encode() + b"\n" for one in asked))
    async with child("-c", CLIENT, str(door), str(lines)) as process:
        assert process.stdout is not None
        took, said = json.loads(await process.stdout.read())
    return took, said


async def door(count: int, folder: Path) -> None:
    async with stand() as stood:
        chain = GateChain(stood.database, "bench", "bench")
        exchange = PaperExchange(SYMBOLS)
        path = path_on(PaperVenue("paper", exchange, time.time_ns), folder, chain)
        await fed(path)

        async def told() -> None:
            while True:
                refresh(path.state.ledger, time.time_ns())
                await asyncio.sleep(1)

        commits = []
        await stood.sql("create table yardstick (number int)")
        async with stood.database.connection() as connection:
            for number in range(200):
                begun = time.perf_counter()
                await connection.execute("insert into yardstick values (%s)", (number,))
                commits.append((time.perf_counter() - begun) * 1e3)
        opened = Door(folder / "door", PEOPLE, dict)
        opened.path = path
        telling = asyncio.create_task(told())
        async with opened.opened():
            asked = [{"do": "status"}] * (count // 3)
            took, _ = await client(folder / "door", asked, folder)
            row("door: a question, answered: p50 / p99", "", quantiles(took), f"{len(took):,}")
            orders = [asdict(order(number)) for number in range(count)]
            wanted = [{"do": "submit", "with": {"order": one}} for one in orders]
            took, said = await client(folder / "door", wanted, folder)
        telling.cancel()
        sent = len({report.order for report in exchange.reports})
        assert said == {"accept": count}, said
        assert sent == count
        row(
            "door: an order, until it is answered: p50 / p99", "", quantiles(took),
            f"{sent:,} of {count:,} sent; one durable commit takes {quantiles(commits)}",
        )  # fmt: skip


async def alerts(count: int, folder: Path) -> None:
    """One monitor, and a drawdown that comes and goes; the price of the market stands still."""
    arguments = signed_limits(folder, limit_set())
    measures = folder / "measures"
    kind = TypeAdapter(tuple[happened.RegimeSeen, happened.MetricsSeen])

    def write(drawdown: int) -> int:
        now = time.time_ns()
        value = (
            happened.RegimeSeen(regime=Regime.TREND, at_ns=now),
            happened.MetricsSeen(metrics=metrics(at_ns=now, drawdown_ppm=drawdown)),
        )
        (folder / "measures.new").write_bytes(kind.dump_json(value))
        (folder / "measures.new").rename(measures)
        return now

    exchange = PaperExchange(["ACME"])
    async with serving(exchange, folder / "venue", time.time_ns):
        arguments += ["--measures", str(measures), "--kill-file", str(folder / "kills-watched")]
        arguments += ["--venue", f"paper={folder / 'venue'}"]
        write(0)
        module = "swarm.runtime.trading.watcher"
        async with child("-m", module, *arguments, "--beat", "1") as watcher:
            lines = watcher.stdout
            assert lines is not None

            async def heard(*, over: bool) -> None:
                while line := await lines.readline():
                    said = json.loads(line)
                    subject = said.get("alert", {}).get("subject")
                    if subject == "limit:drawdown_ppm" and said["over"] is over:
                        return
                raise AssertionError("the monitor ended")

            await lines.readline()  # its first beat: it has begun to look
            begun, ended = [], []
            for _ in range(count):
                for drawdown, took in ((20_000, begun), (0, ended)):
                    at_ns = write(drawdown)
                    await heard(over=not drawdown)
                    took.append((time.time_ns() - at_ns) / 1e6)
    row("a limit broken, until it is heard: p50 / p99", "1,000 ms", quantiles(begun),
        f"worst {max(begun):.0f} ms of {count:,}; the monitor looks every 50 ms")  # fmt: skip
    row("a breach over, until it is heard: p50 / p99", "1,000 ms", quantiles(ended),
        f"worst {max(ended):.0f} ms of {count:,}")  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    quick = arguments.parse_args().quick
    folder = Path(tempfile.mkdtemp(prefix="swarm-bench-", dir="/var/tmp"))
    os.chmod(folder, 0o711)  # noqa: PTH101
    print(__doc__)
    head("The order path's door, and its alerts")
    try:
        asyncio.run(door(300 if quick else 3_000, folder))
        asyncio.run(alerts(20 if quick else 500, folder))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
