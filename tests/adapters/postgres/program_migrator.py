"""A replica that starts: connects, waits for a line of input, and migrates. DSN FOLDER."""

import sys
import time
from pathlib import Path

from swarm.adapters.postgres.migrate import migrate, read_migrations

files = read_migrations(Path(sys.argv[2]))
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
begun = time.perf_counter()
report = migrate(sys.argv[1], files)
sys.stdout.write(f"{len(report.applied)} {report.version} {time.perf_counter() - begun}\n")
