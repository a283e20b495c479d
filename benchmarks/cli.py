"""The command line: processor time and wall time of what people and shells call most.

    python benchmarks/cli.py            about a minute
    python benchmarks/cli.py --rounds 9

Every call is a process of its own, with byte code compiled. A real embedded server holds 100 open
missions, as `up` leaves it. The first rows are the floor: the interpreter alone, and with each
library that could stand on the path of a plain look. The driver's row alone is beyond the goal:
therefore a look speaks to libpq itself, whichever way the database is named.
"""

import argparse
import asyncio
import compileall
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import stand

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.reach import orphans
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.contract.validate import load_swarms
from swarm.runtime.home import Home

SOURCE = Path(__file__).parents[1] / "src"
ROUNDS = 15
MISSIONS = 100
MANIFEST = b"""
apiVersion: swarm.proompteng.ai/v1alpha1
kind: Swarm
metadata: {name: bench}
spec:
  owner: {id: ann, channel: "swarm://owner/ann"}
  domains: [platform]
  objectives: [be fast]
  mode: assisted
"""
FILL = """
insert into mission (id, swarm, kind, depth, mission_class, risk, repo, title, body, rule, agent,
  contract, rank_terms, generation, policy_hash, shadow, opened_at, standing)
select 'm-' || lpad(to_hex(n * 7919), 20, '0'), (select id from swarm), 'deliver', 0, 'tidiness', 1,
  'acme/shop', 'drop unused import number ' || n, '', 'F401', 'tidy', '{}', '[]', 1, 'p', false,
  now() - n * interval '1 minute',
  '{"reason": "ChecksPending", "detail": "lint is about to start", "room": "verify"}'
from generate_series(1, %s) n
"""
CALL = "from swarm.cli import main; main()"


@dataclass(frozen=True)
class Call:
    """One row of the table: a program of Python, its words, and the installation it reads."""

    what: str
    goal: str
    code: str
    words: list[str]
    home: Path

    def once(self) -> tuple[float, float]:
        """Seconds of processor and of the clock."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("SWARM")
        }
        environment |= {"PYTHONPATH": str(SOURCE), "SWARM_HOME": str(self.home)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-c", self.code, *self.words]
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cpu, ended - begun


async def fill(dsn: str) -> None:
    async with Database(dsn) as database:
        for swarm in load_swarms(MANIFEST, source="bench"):
            await SwarmDesk(database, "bench").apply(swarm)
        async with database.connection() as connection:
            await connection.execute(FILL.encode(), (MISSIONS,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = max(9, parser.parse_args().rounds)
    compileall.compile_dir(SOURCE, quiet=2, workers=1)
    with tempfile.TemporaryDirectory(prefix="swarm-bench-cli-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - the server's account has to get there
        embedded, by_dsn = Home(Path(name) / "embedded"), Home(Path(name) / "dsn")
        for home in (embedded, by_dsn):
            home.folder.mkdir()
            home.file.write_text("")
        embedded.make()
        with EmbeddedServer(embedded.database) as server:
            migrate(server.dsn)
            asyncio.run(fill(server.dsn))
            embedded.write_note({"pid": os.getpid(), "dsn": server.dsn})
            by_dsn.file.write_text(f'[database]\nurl = "{server.dsn}"\n')
            measure(embedded.folder, by_dsn.folder, rounds)
    for left in orphans(below=Path(name).resolve()):  # root's data lies elsewhere
        shutil.rmtree(left)


def measure(embedded: Path, by_dsn: Path, rounds: int) -> None:
    stand.head(f"command line, processor time of one call, medians of {rounds}, in turns")
    floor = {
        "python alone": "pass",
        "python + argparse": "import argparse",
        "python + cyclopts": "import cyclopts",
        "python + cyclopts + psycopg": "import cyclopts, psycopg",
        "python + cyclopts + pydantic": "import cyclopts, pydantic",
    }
    verbs = [
        (f"swarmctl get missions ({MISSIONS} rows)", "< 150 ms", ["get", "missions"], embedded),
        ("swarmctl get missions -o json", "< 150 ms", ["get", "missions", "-o", "json"], embedded),
        ("swarmctl get mission PREFIX", "< 150 ms", ["get", "mission", "m-0000"], embedded),
        ("swarmctl get missions, database by DSN", "< 150 ms", ["get", "missions"], by_dsn),
        ("TAB behind `swarmctl describe mission`", "-",
         ["__complete", "describe", "mission", "m-"], embedded),
        ("swarmctl version", "-", ["version"], embedded),
        ("swarmctl --help", "-", ["--help"], embedded),
        ("swarmctl get --help", "-", ["get", "--help"], embedded),
        ("swarmctl describe swarm", "-", ["describe", "swarm"], embedded),
    ]  # fmt: skip
    calls = [Call(f"  floor: {what}", "-", code, [], embedded) for what, code in floor.items()]
    calls += [Call(what, goal, CALL, words, home) for what, goal, words, home in verbs]
    spent: dict[str, list[tuple[float, float]]] = {call.what: [] for call in calls}
    for _ in range(rounds + 1):
        for call in calls:
            spent[call.what].append(call.once())
    for call in calls:
        times = spent[call.what][1:]  # the first one fills caches and does not count
        cpu = stand.median(cpu for cpu, _ in times) * 1e3
        wall = stand.median(wall for _, wall in times) * 1e3
        stand.row(call.what, call.goal, f"{cpu:.0f} ms", f"{wall:.0f} ms wall")


if __name__ == "__main__":
    main()
