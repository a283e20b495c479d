"""Another user of the server: joins it, says so, waits for a line of input, and leaves."""

import sys
from pathlib import Path

import psycopg

from swarm.adapters.postgres.server import EmbeddedServer, LastOut


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


LAST_OUT = LastOut[sys.argv[2]] if len(sys.argv) > 2 else LastOut.STOP

server = EmbeddedServer(Path(sys.argv[1]), last_out=LAST_OUT)
with server:
    with psycopg.connect(server.dsn) as connection:
        found = connection.execute("select pg_postmaster_start_time()").fetchone()[0]
    say(found.timestamp(), server._process is not None)
    sys.stdin.readline()
say("left")
