"""The trading controls: the gate, the kill switch, the monitor, and all of it without a database.

    python benchmarks/regime_controls.py            about two minutes
    python benchmarks/regime_controls.py --quick

There is no peer: no open gate with these controls was found to run beside it. So each figure stands
next to its goal, and beside a yardstick of the machine in the same run.

The goals are R13. Where other work shares the processor, the gate's p99 misses: 209 to 258 us in
six runs at a load of 9, four times its median. So does that of the yardstick, an order to JSON and
back: 26 to 42 us, four to six times its median. It is not the gate that has a tail there.

- gate: one order through all controls, the ledger holding 10,000 working orders of 200 instruments
  and 20 strategies; wall time of each call on its own, and CPU time of the whole.
- order: gate, durable record and dispatch, to a venue in this process and a database on a disk.
- kill: from the call to the last dispatched cancellation, for 10,000 open orders on a venue behind
  a socket in another process, with the database cut off.
- alert: from the venue's report of the breach to the monitor's line, both in other processes.
"""

import argparse
import asyncio
import base64
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter
from stand import head, median, missed, quantile, row, settle_memory, stand

from swarm.adapters.paper.client import SocketVenue
from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.server import serving
from swarm.adapters.paper.venue import PaperVenue
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.contract.errors import Unavailable
from swarm.ports.gate_records import GateRecord
from swarm.ports.venue import Venue
from swarm.regime.controls import events as happened
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import Side, TradeOrder
from swarm.regime.controls.pretrade import pretrade
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.limit_set import LimitSet, canonical_bytes
from swarm.regime.limits.people import Roster
from swarm.regime.nouns import Regime, Rung
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.monitor import Monitor
from swarm.runtime.trading.path import OrderPath
from swarm.runtime.trading.signatures import signed_bytes
from swarm.runtime.trading.state import TradingState
from swarm.testing.trading import (
    CENT,
    NOON,
    PEOPLE,
    in_force,
    instrument,
    ledger,
    limit_set,
    metrics,
    trade_order,
)

SYMBOLS = [f"S{number:03}" for number in range(200)]
STRATEGIES = [f"x{number:02}" for number in range(20)]


def wide() -> LimitSet:
    """200 instruments and 20 strategies."""
    plain = limit_set()
    release = plain.releases[0]
    everywhere = replace(plain.permissions[0], symbols=("*",))
    return limit_set(
        instruments=tuple(instrument(name) for name in SYMBOLS),
        permissions=(everywhere,),
        releases=tuple(replace(release, strategy=name) for name in STRATEGIES),
        repetition=replace(plain.repetition, most=100_000),
    )


def order(number: int) -> TradeOrder:
    return trade_order(
        f"o-{number}", symbol=SYMBOLS[number % len(SYMBOLS)], quantity=1 + number % 9,
        strategy=STRATEGIES[number % len(STRATEGIES)], price=9_960 + number % 80,
        side=Side.BUY if number % 3 else Side.SELL,
    )  # fmt: skip


def filled_ledger(held: LimitsInForce, working: int) -> Ledger:
    book = ledger(held)
    for strategy in STRATEGIES:
        book.apply(happened.RungSet(strategy=strategy, rung=Rung.FULL, at_ns=NOON))
    for number in range(working):
        made = order(number)
        # A millisecond apart, so that windows hold something and rates are not exhausted.
        book.apply(happened.Sent(order=made, at_ns=NOON - (working - number) * 1_000_000))
    return book


def gate(count: int) -> None:
    held = in_force(wide())
    book = filled_ledger(held, 10_000)
    asked = [order(10_000 + number) for number in range(count)]
    refused = [replace(one, sha="bad0", price=20_000) for one in asked]
    settle_memory()

    def judged(one: TradeOrder) -> Ruling:
        return pretrade(one, held, book, NOON).ruling

    kind = TypeAdapter(TradeOrder)

    def there_and_back(one: TradeOrder) -> Ruling:
        assert kind.validate_json(kind.dump_json(one)) == one
        return Ruling.ACCEPT

    for name, ask, orders, ruling in (
        ("R13: gate, accepted", judged, asked, Ruling.ACCEPT),
        ("R13: gate, refused by several controls", judged, refused, Ruling.REJECT),
        ("yardstick: an order to JSON and back", there_and_back, asked, Ruling.ACCEPT),
    ):
        took, cpu, wrong = [], [], 0
        begun = time.process_time()
        for one in orders:
            start, busy = time.perf_counter_ns(), time.thread_time_ns()
            found = ask(one)
            cpu.append((time.thread_time_ns() - busy) / 1e3)
            took.append((time.perf_counter_ns() - start) / 1e3)
            wrong += found is not ruling
        spent = (time.process_time() - begun) / count * 1e6
        assert not wrong, f"{wrong} of {count} were not {name}"
        row(
            f"{name}: CPU p50 / p99", "p99 200 us" if ask is judged else "",
            f"{median(cpu):.0f} / {quantile(cpu, 0.99):.0f} us",
            f"wall {median(took):.0f} / {quantile(took, 0.99):.0f} us, {spent:.0f} us CPU on "
            f"average, {count:,} orders{missed(quantile(cpu, 0.99), 200)}",
        )  # fmt: skip
    with_state = filled_ledger(held, 0)
    begun = time.process_time()
    for number in range(count):
        one = order(number)
        if pretrade(one, held, with_state, NOON + number * 1_000_000).ruling is Ruling.ACCEPT:
            with_state.apply(happened.Sent(order=one, at_ns=NOON + number * 1_000_000))
        if number % 1_000 == 0:
            refresh(with_state, NOON + number * 1_000_000)
    spent = (time.process_time() - begun) / count * 1e6
    row("gate and ledger together, growing", "", f"{spent:.0f} us CPU", f"{count:,} orders")


def refresh(book: Ledger, now: int) -> None:
    for symbol in SYMBOLS:
        book.apply(happened.Marked(symbol=symbol, price=10_000, at_ns=now))
        book.apply(
            happened.StatusSeen(
                venue="paper", symbol=symbol, in_session=True, halted=False, at_ns=now
            )
        )
    book.apply(happened.RegimeSeen(regime=Regime.TREND, at_ns=now))
    book.apply(happened.MetricsSeen(metrics=metrics(at_ns=now)))


class Cut:
    """Records until the database is cut off."""

    def __init__(self) -> None:
        self.cut = False

    async def open(self) -> tuple[GateRecord, ...]:
        return ()

    async def append(self, records: Sequence[tuple[int, GateRecord]]) -> None:
        if self.cut and records:
            raise Unavailable("the database was cut off")


def path_on(venue: Venue, folder: Path, records: object) -> OrderPath:
    state = TradingState(
        limits=in_force(wide()), roster=PEOPLE, venues={"paper": venue},
        records=records, clock=time.time_ns, kill_file=KillFile(folder / "kills"),  # type: ignore[arg-type]
    )  # fmt: skip
    return OrderPath(state)


async def fed(path: OrderPath) -> None:
    await path.open()
    for strategy in STRATEGIES:
        path.state.see(happened.RungSet(strategy=strategy, rung=Rung.FULL, at_ns=NOON))
    refresh(path.state.ledger, time.time_ns())


async def whole_order(count: int, folder: Path) -> None:
    async with stand() as stood:
        exchange = PaperExchange(SYMBOLS)
        chain = GateChain(stood.database, "bench", "bench")
        path = path_on(PaperVenue("paper", exchange, time.time_ns), folder, chain)
        await fed(path)
        commits = []
        await stood.sql("create table yardstick (number int)")
        async with stood.database.connection() as connection:
            for number in range(200):
                begun = time.perf_counter()
                await connection.execute("insert into yardstick values (%s)", (number,))
                commits.append((time.perf_counter() - begun) * 1e3)
        took = []
        for number in range(count):
            if number % 500 == 0:
                refresh(path.state.ledger, time.time_ns())
            begun = time.perf_counter()
            await path.submit(order(number))
            took.append((time.perf_counter() - begun) * 1e3)
        sent = len({report.order for report in exchange.reports})
        row(
            "order: gate, durable record, dispatch: p50 / p99", "",
            f"{median(took):.1f} / {quantile(took, 0.99):.1f} ms",
            f"{sent:,} of {count:,} sent; one durable commit takes {median(commits):.1f} ms",
        )  # fmt: skip
        begun = time.perf_counter()
        verified, fault = await chain.verify()
        assert fault is None
        spent = time.perf_counter() - begun
        row("records verified", "", f"{verified / spent:,.0f}/s", f"{verified:,} records")


SERVER = """
import asyncio, sys, time
from pathlib import Path
from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.server import serving
async def main():
    exchange = PaperExchange([f"S{number:03}" for number in range(200)])
    async with serving(exchange, Path(sys.argv[1]), time.time_ns):
        print("READY", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@asynccontextmanager
async def child(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def kill_switch(orders: int, rounds: int, folder: Path) -> None:
    took, gone, spent = [], [], []
    for number in range(rounds):
        place = folder / f"round-{number}"
        place.mkdir()
        async with child("-c", SERVER, str(place / "venue")) as server:
            assert server.stdout is not None
            await server.stdout.readline()
            records = Cut()
            path = path_on(SocketVenue("paper", place / "venue"), place, records)
            await fed(path)
            for one in map(order, range(orders)):
                # Straight to the venue: what is measured is the kill, not the way there. None of
                # these crosses another, so that all of them are open.
                plain = replace(one, side=Side.BUY)
                await path.state.venues["paper"].submit(plain)
                path.state.ledger.apply(happened.Sent(order=plain, at_ns=time.time_ns()))
            records.cut = True
            settle_memory()
            begun, called, busy = time.perf_counter(), time.time_ns(), time.process_time()
            report = await path.kill(scope="*", by="tom", reason="bench")
            took.append((report.dispatched_ns - called) / 1e6)
            spent.append((time.process_time() - busy) * 1e3)
            assert len(report.asked) == orders
            assert not report.failed
            while (await path.confirm("*")).working:
                pass
            gone.append((time.perf_counter() - begun) * 1e3)
            assert (await path.submit(order(orders))).ruling is Ruling.REJECT
    row(
        f"R13: kill to last cancellation dispatched, {orders:,} open orders", "100 ms",
        f"{median(took):.0f} ms",
        f"worst {max(took):.0f} of {rounds}, CPU {median(spent):.0f} ms; database cut off; "
        f"all acknowledged after {median(gone):.0f} ms{missed(median(took), 100)}",
    )  # fmt: skip


def signed_limits(folder: Path, limits: LimitSet) -> list[str]:
    """What tells a monitor of these limits, signed by a person whose key is made for it."""
    key = Ed25519PrivateKey.generate()
    line = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    roster = Roster(
        people=tuple(
            replace(one, keys=(line.decode(),) if one.id == "ben" else ()) for one in PEOPLE.people
        )
    )
    signature = base64.b64encode(key.sign(signed_bytes(canonical_bytes(limits)))).decode()
    (folder / "limits").write_bytes(canonical_bytes(limits))
    (folder / "signature").write_text(signature)
    (folder / "roster").write_bytes(TypeAdapter(Roster).dump_json(roster))
    names = ("limits", "signature", "roster")
    return [word for name in names for word in (f"--{name}", str(folder / name))]


async def alert(rounds: int, folder: Path) -> None:
    """The breach is a trade at the venue; the watcher runs alone. Its own clock says when."""
    limits = signed_limits(folder, limit_set(firm=15 * 10_050 * CENT))
    kind = tuple[happened.RegimeSeen, happened.MetricsSeen]
    lags, heard = [], []
    for number in range(rounds):
        place = folder / f"watch-{number}"
        place.mkdir()
        exchange = PaperExchange(["ACME"])
        async with serving(exchange, place / "venue", time.time_ns):
            now = time.time_ns()
            value = (
                happened.RegimeSeen(regime=Regime.TREND, at_ns=now),
                happened.MetricsSeen(metrics=metrics(at_ns=now)),
            )
            exchange.quote("ACME", Side.BUY, 9_999, 5, now)
            exchange.quote("ACME", Side.SELL, 10_001, 5_000, now)
            arguments = [
                *limits, "--measures", place / "measures", "--kill-file",
                place / "kills", "--venue", f"paper={place / 'venue'}",
            ]  # fmt: skip
            module = "swarm.runtime.trading.watcher"
            async with child("-m", module, *map(str, arguments)) as watcher:
                assert watcher.stdout is not None
                await watcher.stdout.readline()  # measures are missing: it runs
                (place / "measures.new").write_bytes(TypeAdapter(kind).dump_json(value))
                (place / "measures.new").rename(place / "measures")
                begun = time.time_ns()
                exchange.submit(trade_order("big", quantity=100, price=10_001), begun)
                while True:
                    said = json.loads(await watcher.stdout.readline())
                    if said["alert"]["subject"] == "capital:firm":
                        break
                lags.append(said["lag_ms"])
                heard.append((time.time_ns() - begun) / 1e6)
                assert not exchange.books_now().working
    row(
        "R13: breach at the venue to alert: p50 / worst", "1,000 ms",
        f"{median(lags):.0f} / {max(lags):.0f} ms",
        f"{rounds} runs, heard by its reader after {max(heard):.0f} ms at most; "
        f"{Monitor.__name__} looks every 50 ms{missed(max(lags), 1_000)}",
    )  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--gate", action="store_true", help="the gate alone")
    given = arguments.parse_args()
    quick = given.quick
    folder = Path(tempfile.mkdtemp(prefix="swarm-bench-", dir="/var/tmp"))
    os.chmod(folder, 0o711)  # noqa: PTH101
    print(__doc__)
    head("Trading controls")
    try:
        gate(2_000 if quick else 20_000)
        if given.gate:
            return
        asyncio.run(kill_switch(10_000, 2 if quick else 7, folder))
        asyncio.run(alert(2 if quick else 15, folder))
        asyncio.run(whole_order(300 if quick else 3_000, folder))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
