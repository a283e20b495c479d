"""One controller in a process of its own, for the drills: claims, acts on files, settles.

Its outside world is a folder: carrying out an order makes the file named after the order's key,
once. So a doubled effect, or one that a stale holder settled, can be seen from outside.

    python replica.py DSN FOLDER NAME LEASE_SECONDS
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.errors import OrderHeld, StaleFence
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.core.evidence import CheckEnded, CheckResult
from swarm.core.ids import evidence_id


async def main(dsn: str, folder: Path, name: str, lease: timedelta) -> None:
    async with Database(dsn, size=2) as database:
        orders = PostgresOrders(database, name)
        while True:
            claims = await orders.claim(name, 4, lease)
            if not claims:
                await asyncio.sleep(0.02)
            for claim in claims:
                try:
                    await orders.begin(claim)
                    await act(orders, claim, folder, name)
                except (StaleFence, OrderHeld):
                    with (folder / f"stale-{name}").open("a") as log:
                        log.write(f"{claim.order.key}\n")


async def act(orders: PostgresOrders, claim, folder: Path, name: str) -> None:
    order = claim.order
    target = folder / order.key.replace("/", "_")
    with (folder / f"tries-{name}").open("a") as log:
        log.write(f"{order.key}\n")
    try:
        target.touch(exist_ok=False)  # the target-side key: create if absent
    except FileExistsError:
        with (folder / f"absorbed-{name}").open("a") as log:
            log.write(f"{order.key}\n")
    fact = CheckEnded(
        id=evidence_id(order.key), at=datetime.now(UTC), check=order.check, commit=order.commit,
        result=CheckResult.GREEN, source=name,
    )  # fmt: skip
    await orders.settle(claim, fact)


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], timedelta(seconds=float(sys.argv[4])))
    )
