"""Real processes: an order path that is killed again and again, and a monitor that watches it."""

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from swarm.adapters.paper.client import SocketVenue
from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.server import serving
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.contract.errors import SwarmError
from swarm.ports.venue import ReportKind
from swarm.regime.controls import events as happened
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.order import Side
from swarm.regime.limits.limit_set import canonical_bytes
from swarm.regime.limits.people import Roster
from swarm.regime.nouns import Regime
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.path import OrderPath
from swarm.runtime.trading.state import TradingState
from swarm.runtime.trading.watcher import line_of, main
from swarm.testing.trading import CENT, PEOPLE, in_force, limit_set, metrics, trade_order

from .conftest import ROSTER, sign

HERE = Path(__file__).parent


@pytest.fixture
async def venue():
    """A paper venue on a socket, and its folder."""
    folder = Path(tempfile.mkdtemp(prefix="swarm-desk-"))
    exchange = PaperExchange(["ACME"])
    async with serving(exchange, folder / "venue", time.time_ns):
        yield exchange, folder
    shutil.rmtree(folder)


@asynccontextmanager
async def program(*arguments):
    child = await asyncio.create_subprocess_exec(
        sys.executable, *map(str, arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@pytest.mark.slow
@pytest.mark.req("REG-10")
async def test_an_order_path_that_is_killed_again_and_again_sends_everything_once(
    venue, database_dsn
):
    """Control 8, and exactly once: wherever the process dies, the venue has each order once, the
    records have each order that the venue has, and the next process agrees with its books."""
    exchange, folder = venue
    chance = random.Random(7)
    kills, most = 8, 0
    for _ in range(kills):
        script = HERE / "program_order_path.py"
        async with program(script, database_dsn, folder / "venue", folder) as child:
            async with asyncio.timeout(60):
                assert await child.stdout.readline() == b"READY\n"
                for _ in range(most + chance.randrange(1, 30)):
                    said = (await child.stdout.readline()).split()
                    assert said[1] in {b"accept", b"repeat"}, said
                    most = max(most, int(said[0][2:]) + 1)
            child.kill()  # at whatever it is doing
    accepted = Counter(one.order for one in exchange.reports if one.kind is ReportKind.ACCEPTED)
    assert set(accepted.values()) == {1}
    async with Database(database_dsn) as database:
        chain = GateChain(database, "desk", "test")
        path = OrderPath(
            TradingState(
                limits=in_force(), roster=PEOPLE, records=chain, clock=time.time_ns,
                venues={"paper": SocketVenue("paper", folder / "venue")},
                kill_file=KillFile(folder / "kills"), horizon_ns=0,
            )
        )  # fmt: skip
        assert await path.open() == ()
        assert await path.agree() == ()
        ledger = path.state.ledger
        assert ledger.breaks == {}
        assert set(accepted) <= set(ledger.orders)
        missing = [one for one in ledger.orders if one not in accepted]
        assert {ledger.orders[one].closed for one in missing} <= {"never-arrived"}
        assert len(ledger.orders) >= most > kills
        assert (await chain.verify())[1] is None


def measured(folder, **given):
    kind = tuple[happened.RegimeSeen, happened.MetricsSeen]
    now = time.time_ns()
    value = (
        happened.RegimeSeen(regime=Regime.TREND, at_ns=now),
        happened.MetricsSeen(metrics=metrics(at_ns=now, **given)),
    )
    (folder / "measures.new").write_bytes(TypeAdapter(kind).dump_json(value))
    (folder / "measures.new").rename(folder / "measures")


def arguments_of(folder, limits):
    (folder / "limits").write_bytes(canonical_bytes(limits))
    (folder / "signature").write_text(sign("ben", canonical_bytes(limits)))
    (folder / "roster").write_bytes(TypeAdapter(Roster).dump_json(ROSTER))
    return [
        "--limits", folder / "limits", "--signature", folder / "signature",
        "--roster", folder / "roster", "--measures", folder / "measures",
        "--kill-file", folder / "kills", "--venue", f"paper={folder / 'venue'}",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.req("REG-10")
async def test_a_breach_is_alerted_within_a_second_and_trading_stops(venue, tmp_path):
    """Controls 15 and 17: by another process that hears the venue's drop copies, without any
    database. The order path sees the stop before its next order."""
    exchange, folder = venue
    limits = limit_set(firm=15 * 10_050 * CENT)
    measured(folder)
    exchange.quote("ACME", Side.BUY, 9_999, 5, time.time_ns())
    exchange.quote("ACME", Side.SELL, 10_001, 500, time.time_ns())
    arguments = arguments_of(folder, limits)
    async with program("-m", "swarm.runtime.trading.watcher", *arguments) as watcher:
        # What the gate never saw: somebody sends past it.
        exchange.submit(trade_order("ok", quantity=10, price=10_001), time.time_ns())
        exchange.submit(trade_order("rest", quantity=1, price=9_000), time.time_ns())
        begun = time.time_ns()
        exchange.submit(trade_order("too-much", quantity=90, price=10_001), begun)
        async with asyncio.timeout(30):
            alert = json.loads(await watcher.stdout.readline())
        assert alert["alert"]["subject"] == "capital:firm"
        assert not alert["over"]
        if alert["event_ns"] >= begun:
            assert alert["lag_ms"] < 30_000  # the process was still starting
        # Now that it runs: a loss is heard of within a second.
        measured(folder, drawdown_ppm=15_001)
        async with asyncio.timeout(10):
            while alert["alert"]["subject"] != "limit:drawdown_ppm":
                alert = json.loads(await watcher.stdout.readline())
        assert alert["lag_ms"] < 1_000
        watcher.stdin.close()
        assert await asyncio.wait_for(watcher.wait(), 10) == 0
    kills = KillFile(folder / "kills").read()
    assert [one.by for one in kills] == ["monitor"]
    assert exchange.books_now().working == ()


@pytest.mark.req("REG-10")
async def test_a_stop_by_somebody_else_holds_before_the_next_order(desk):
    path = await desk.opened()
    assert (await path.submit(trade_order())).ruling is Ruling.ACCEPT
    other = KillFile(desk.folder / "kills")
    other.add(
        happened.Killed(kill="k-m", scope="*", by="monitor", reason="capital", at_ns=desk.now)
    )
    refused = await path.submit(trade_order("o-2"))
    assert [one.reason for one in refused.refusals] == ["Killed"]


@pytest.mark.req("REG-10")
@pytest.mark.parametrize("spoil", ["signature", "limits", "roster"])
async def test_a_monitor_that_would_be_blind_does_not_start(venue, spoil):
    _, folder = venue
    arguments = arguments_of(folder, limit_set())
    (folder / spoil).write_bytes(b"AAAA")
    with pytest.raises((SwarmError, ValidationError)):
        main([str(one) for one in arguments])


@pytest.mark.req("REG-10")
async def test_what_the_monitor_cannot_know_is_loud(desk):
    """A venue that is away, measures that stopped, a report that is missing; and the end of it."""
    from swarm.adapters.paper.rules import PaperRules
    from swarm.adapters.paper.venue import PaperVenue
    from swarm.runtime.trading.monitor import Monitor

    told = [()]
    monitor = Monitor(
        limits=desk.limits, clock=desk.clock, kill_file=desk.kill_file,
        measures=lambda: told[0],
        venues={"paper": PaperVenue("paper", desk.exchange, desk.clock)},
    )  # fmt: skip
    first = {one.alert.subject for one in await monitor.look()}
    assert len([one for one in first if one.startswith("limit:")]) == 7
    assert await monitor.look() == ()
    told[0] = (
        happened.RegimeSeen(regime=Regime.TREND, at_ns=desk.now),
        happened.MetricsSeen(metrics=metrics()),
    )
    over = await monitor.look()
    assert {one.alert.subject for one in over} == first
    assert all(one.over for one in over)
    desk.exchange.rules = PaperRules(outages=((0, 2**62),))
    (away,) = await monitor.look()
    assert away.alert.subject == "venue:paper"
    assert json.loads(line_of(away))["lag_ms"] == 0
    desk.exchange.rules = PaperRules()
    for number in range(2):
        desk.exchange.submit(trade_order(f"o-{number}"), desk.now)
    del desk.exchange.reports[0]
    # The order behind the missing report is heard, and nobody has told a price of it.
    assert [one.alert.subject for one in await monitor.look()] == ["value:ACME"]
    assert monitor.standing["venue:paper"]
    assert desk.kill_file.read() == ()


@pytest.mark.req("REG-10")
async def test_what_a_venue_contradicted_once_hides_no_breach_behind_it(desk):
    """A lost report, and a fill of an order that was never heard of: said, and gone on behind."""
    from swarm.adapters.paper.venue import PaperVenue
    from swarm.runtime.trading.monitor import Monitor

    class Lossy(PaperVenue):
        async def reports(self, after):
            return tuple(one for one in await super().reports(after) if one.seq != 1)

    monitor = Monitor(
        limits=in_force(limit_set(firm=15 * 10_050 * CENT)), clock=desk.clock,
        kill_file=desk.kill_file, measures=tuple,
        venues={"paper": Lossy("paper", desk.exchange, desk.clock)},
    )  # fmt: skip
    desk.exchange.quote("ACME", Side.BUY, 9_999, 5, desk.now)
    desk.exchange.quote("ACME", Side.SELL, 10_001, 500, desk.now)
    desk.exchange.submit(trade_order("o-0", quantity=1, price=10_001), desk.now)
    await monitor.look()
    assert monitor.standing["venue:paper"].alert.detail == "report 1 is missing"
    desk.exchange.submit(trade_order("too-much", quantity=90, price=10_001), desk.now)
    assert "capital:firm" in {one.alert.subject for one in await monitor.look()}
    assert monitor.standing["venue:paper"]
    assert [one.by for one in desk.kill_file.read()] == ["monitor"]
