"""An order path in a process of its own: sends the same intents from the first one on, for ever.

Arguments: DSN, socket of the venue, folder. Prints `READY`, then one line for each decision.
"""

import asyncio
import sys
import time
from pathlib import Path

from swarm.adapters.paper.client import SocketVenue
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.regime.controls import events as happened
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import SECOND
from swarm.regime.nouns import Regime, Rung
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.path import OrderPath
from swarm.runtime.trading.state import TradingState
from swarm.testing.trading import PEOPLE, in_force, metrics, trade_order


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def told(path):
    now = time.time_ns()
    path.state.see(happened.Marked(symbol="ACME", price=10_000, at_ns=now))
    path.state.see(
        happened.StatusSeen(venue="paper", symbol="ACME", in_session=True, halted=False, at_ns=now)
    )
    path.state.see(happened.RegimeSeen(regime=Regime.TREND, at_ns=now))
    path.state.see(happened.MetricsSeen(metrics=metrics(at_ns=now)))
    path.state.see(happened.RungSet(strategy="drift", rung=Rung.FULL, at_ns=now))


async def main(dsn, socket, folder):
    async with Database(dsn) as database:
        path = OrderPath(
            TradingState(
                limits=in_force(), roster=PEOPLE, venues={"paper": SocketVenue("paper", socket)},
                records=GateChain(database, "desk", "program"), clock=time.time_ns,
                kill_file=KillFile(folder / "kills"), horizon_ns=SECOND // 10,
            )
        )  # fmt: skip
        await path.open()
        while path.state.ledger.doubts:
            await path.agree()
            await asyncio.sleep(0.01)
        say("READY")
        for number in range(1_000_000):
            told(path)
            side = Side.BUY if number % 2 else Side.SELL
            # The same intent is the same order: only then is a repetition one.
            order = trade_order(f"o-{number}", side=side, price=10_000 + number % 5)
            decision = await path.submit(order)
            say(f"{order.id} {decision.ruling}")
            if number % 7 == 0:
                await path.follow()


asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
