"""What the tests of the command line share: an installation on a real database, a runner, a loop.

Verbs run in this process for speed, and as a process of their own where exit codes, pipes, signals
and terminals matter. The controller is the real one; the world that it acts on answers at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import structlog

import swarm
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.cli.app import run
from swarm.ports.reply import Done
from swarm.runtime.binding import Bindings
from swarm.runtime.controller import Controller, Store
from swarm.runtime.hands import Hands
from swarm.runtime.home import Home
from swarm.runtime.settings import load
from swarm.testing.world import World, WorldForge

REPO = "acme/shop"
SETTINGS = """
[database]
url = {dsn}

[repositories."acme/shop"]
path = "/nonexistent/shop"

[checks.lint]
run = ["true"]

[agents.tidy]
run = ["true"]

[budgets.default-budget]
cap = "1.00"

[loop]
need_cooldown = "1s"
"""
MANIFEST = {
    "apiVersion": "swarm.proompteng.ai/v1alpha1",
    "kind": "Swarm",
    "metadata": {"name": "shop"},
    "spec": {
        "owner": {"id": "ann", "channel": "swarm://owner/ann"},
        "domains": ["platform"],
        "objectives": ["fewer defects"],
        "mode": "assisted",
        "discovery": {"minCitations": 1, "minConfidence": 0.5},
        "delivery": {"repoAllowlist": [REPO], "requiredChecks": ["lint"]},
    },
}


@dataclass(frozen=True)
class Ran:
    """What one call of a verb came to."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return self.out.splitlines()


class Asking(io.StringIO):
    """Standard input with a byte side, as a real one has."""

    @property
    def buffer(self):
        return io.BytesIO(self.getvalue().encode())


def call(*arguments, given="") -> Ran:
    """Run a verb in this process."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.stdin = sys.stdin, Asking(given)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(one) for one in arguments])
    finally:
        sys.stdin = before
    return Ran(code=code, out=out.getvalue(), err=err.getvalue())


def process(*arguments, **given) -> subprocess.Popen:
    """Start a verb as a process of its own."""
    command = [sys.executable, "-m", "swarm.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": _source(), **given.pop("env", {})}
    defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, **{**defaults, **given})


def _source() -> str:
    return str(Path(swarm.__file__).parent.parent)


@dataclass
class Place:
    """An installation whose database is real and whose world is in memory."""

    home: Home
    dsn: str
    world: World = field(default_factory=World)

    def __call__(self, *arguments, given="") -> Ran:
        return call(*arguments, given=given)

    def use(self, dsn: str) -> None:
        """Look at another database from now on."""
        self.dsn = dsn
        self.home.file.write_text(SETTINGS.format(dsn=json.dumps(dsn)))

    def apply(self, **changed) -> Ran:
        """Apply the manifest with these parts of its spec changed."""
        return call("apply", "-f", "-", given=self.manifest(**changed))

    def manifest(self, **changed) -> str:
        spec = {**MANIFEST["spec"], **changed}
        return json.dumps({**MANIFEST, "spec": spec})

    def settings(self, more: str) -> None:
        """Add to the installation file."""
        self.home.file.write_text(self.home.file.read_text() + more)

    def sql(self, text, *values):
        """One statement on the store itself."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("set search_path = swarm")
            found = connection.execute(text, values or None)
            return found.fetchall() if found.description else found.rowcount

    def need(self, title, *more, risk="R1") -> str:
        """Say by hand that something should change; the id of the need."""
        cite = f"src/{abs(hash(title)) % 1000}.py:1"
        said = call("need", "add", title, "--repo", REPO, "--cite", cite, "--risk", risk, *more)
        assert said.code == 0, said.err
        return said.lines[0]

    def wait_for(self, kind, matches, seconds=20.0) -> dict:
        """The first row of a kind that matches, once there is one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            rows = call("get", kind, "-o", "json").json["items"]
            found = [row for row in rows if matches(row)]
            if found:
                return found[0]
        raise AssertionError(f"no such {kind} after {seconds} s: {rows}")

    def wait_until_told(self, word, *verb, seconds=20.0) -> str:
        """What a verb prints, once the word is in it."""
        until = time.monotonic() + seconds
        while word not in (told := call(*verb).out):
            assert time.monotonic() < until, f"no {word} after {seconds} s: {told}"
        return told

    @contextlib.contextmanager
    def working(self):
        """The real controller at work on this store, in a thread of its own."""
        ready, stopped = threading.Event(), []
        faults: list[BaseException] = []

        async def serve():
            stop = asyncio.Event()
            stopped.append((asyncio.get_running_loop(), stop))
            async with Database(self.dsn) as database:
                world = self.world
                hands = Hands(
                    runs=world, checks=world, forge=WorldForge(world), attestations=world,
                    targets=world, metrics=world, channel=world, pages=world, files=world,
                )  # fmt: skip
                store = Store(
                    ticks=PostgresTicks(database),
                    orders=PostgresOrders(database, "c1"),
                    bell=PostgresBell(database),
                )
                bound = Bindings(load(self.home.file)).of
                controller = Controller(store, hands, bound, "c1", now=lambda: datetime.now(UTC))
                ready.set()
                await controller.run(stop)

        def work():
            try:
                asyncio.run(serve())
            except BaseException as error:
                faults.append(error)
                ready.set()

        thread = threading.Thread(target=work)
        thread.start()
        ready.wait(20)
        try:
            yield self
        finally:
            if stopped:
                loop, stop = stopped[0]
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(stop.set)
            thread.join(30)
        assert not faults, faults


class CostlyWorld(World):
    """A world whose agents cost money."""

    def __init__(self, cost: int) -> None:
        super().__init__()
        self.cost = cost

    async def run(self, order):
        done = await super().run(order)
        return Done(fact=dataclasses.replace(done.fact, cost=self.cost))


@pytest.fixture(autouse=True, scope="module")
def quiet_controller():
    """What a controller logs does not belong to the output of a verb in the same process."""
    with Path(os.devnull).open("w") as nowhere:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=nowhere))
        yield
        structlog.reset_defaults()


@pytest.fixture
def place(tmp_path, database_dsn, monkeypatch):
    """An installation on a fresh database, found by every verb; nothing is applied yet."""
    monkeypatch.setenv("SWARM_HOME", str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)
    made = Place(home=Home(tmp_path), dsn=database_dsn)
    made.use(database_dsn)
    return made


@pytest.fixture(scope="module")
def lasting_shop(tmp_path_factory, databases):
    """An installation with one Swarm applied, for all tests of a module that leave it as it is."""
    folder = tmp_path_factory.mktemp("lasting")
    with (
        databases.prepared() as dsn,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("SWARM_HOME", str(folder))
        environment.delenv("NO_COLOR", raising=False)
        made = Place(home=Home(folder), dsn=dsn)
        made.use(dsn)
        assert made.apply().code == 0
        yield made


@pytest.fixture
def shop(place):
    """The same with one Swarm applied."""
    assert place.apply().code == 0
    return place


@pytest.fixture
def verb():
    """Runs a verb in this process, without an installation."""
    return call


@pytest.fixture
def start():
    """Starts a verb as a process of its own; what still runs at the end is killed."""
    started = []

    def begin(*arguments, **given):
        started.append(process(*arguments, **given))
        return started[-1]

    yield begin
    for one in started:
        if one.poll() is None:
            one.kill()
        one.communicate()


@pytest.fixture
def costly_world():
    return CostlyWorld
