"""An application: starts or joins the server, then commits numbers and prints each it may rely on.

The first line printed is the process id of its own backend.
"""

import sys
from pathlib import Path

import psycopg

from swarm.adapters.postgres.server import EmbeddedServer


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


with EmbeddedServer(Path(sys.argv[1])) as server, psycopg.connect(server.dsn) as connection:
    connection.execute("create table if not exists acknowledged (n bigint primary key)")
    row = connection.execute("select coalesce(max(n), 0) from acknowledged").fetchone()
    connection.commit()
    say(connection.info.backend_pid)
    number = row[0]
    while True:
        number += 1
        connection.execute("insert into acknowledged values (%s)", [number])
        connection.commit()
        say(number)
