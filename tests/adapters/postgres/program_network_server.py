"""A server on a network address, run inside a network namespace: DATA ADDRESS."""

import sys
from pathlib import Path

from swarm.adapters.postgres.server import EmbeddedServer

with EmbeddedServer(Path(sys.argv[1]), server_options={"listen_addresses": sys.argv[2]}):
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
