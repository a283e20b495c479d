"""DBOS beside us: workflows of one durable step each, one after another, on a server that syncs.

python dbos_peer.py DSN COUNT      prints workflows per second
"""

import sys
import time
from urllib.parse import urlencode

from dbos import DBOS, DBOSConfig
from psycopg import conninfo


@DBOS.step()
def look() -> str:
    return "green"


@DBOS.workflow()
def transition() -> str:
    return look()


def url(dsn: str) -> str:
    parts = conninfo.conninfo_to_dict(dsn)
    user, name = parts.pop("user"), parts.pop("dbname")
    return f"postgresql://{user}@/{name}?{urlencode(parts)}"  # with the way to its password


def main() -> None:
    dsn, count = sys.argv[1], int(sys.argv[2])
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url(dsn),
        "log_level": "ERROR",
        "run_admin_server": False,
    }
    DBOS(config=config)
    DBOS.launch()
    for _ in range(20):
        transition()
    begun = time.perf_counter()
    for _ in range(count):
        transition()
    print(count / (time.perf_counter() - begun))
    DBOS.destroy()


main()
