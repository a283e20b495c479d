"""procrastinate beside us: jobs that do nothing, one worker, on a server that syncs.

python procrastinate_peer.py DSN COUNT      prints jobs per second
"""

import asyncio
import sys
import time
from contextlib import suppress

import procrastinate
from psycopg import errors


async def main() -> None:
    dsn, count = sys.argv[1], int(sys.argv[2])
    connector = procrastinate.PsycopgConnector(conninfo=dsn)
    app = procrastinate.App(connector=connector)
    done = 0

    @app.task(name="look")
    async def look(number: int) -> None:
        nonlocal done
        done += number >= 0

    async with app.open_async():
        with suppress(errors.Error, procrastinate.exceptions.ConnectorException):
            await app.schema_manager.apply_schema_async()  # an earlier round may have made it
        await look.batch_defer_async(*({"number": number} for number in range(count)))
        begun = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=1, install_signal_handlers=False)
        took = time.perf_counter() - begun
    assert done == count, done
    print(count / took)


asyncio.run(main())
