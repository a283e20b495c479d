"""An installation that trades: people with keys, signed limits, a paper venue on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import tempfile
import threading
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.server import serving
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.rungs import RungChange, Rungs
from swarm.cli.desk import me
from swarm.regime.controls.order import Side
from swarm.regime.limits.caps import Release
from swarm.regime.limits.limit_set import canonical_bytes
from swarm.regime.nouns import Rung
from swarm.runtime import background
from swarm.runtime.home import Home
from swarm.testing.trading import PEOPLE, limit_set, trade_order


class Market:
    """A paper venue on a socket, in a thread; quotes are made from outside."""

    def __init__(self, socket):
        self.socket = socket
        self.exchange = PaperExchange(["ACME", "CRUDE"])
        self._ready, self._loop = threading.Event(), None

    async def _serve(self):
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with serving(self.exchange, self.socket, time.time_ns):
            self._ready.set()
            await self._ended.wait()

    def __enter__(self):
        self._ready.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    @contextlib.contextmanager
    def away(self):
        """Nobody is reached there; its books stay."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def do(self, act):
        """Something with the exchange, in its own thread."""

        async def work():
            return act(self.exchange)

        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(10)

    def quote(self, bid, ask, lots=500, symbol="ACME"):
        """Only these two quotes are left of the market."""

        def act(exchange):
            book, now = exchange.books[symbol], time.time_ns()
            for one in [one for one in book.orders.values() if not one.ours]:
                exchange.withdraw(symbol, one.id, now)
            exchange.quote(symbol, Side.BUY, bid, lots, now)
            exchange.quote(symbol, Side.SELL, ask, lots, now)

        self.do(act)


class Firm:
    """An installation with people, limits and a market."""

    def __init__(self, folder, dsn, verb):
        self.home, self.dsn, self.verb = Home(folder), dsn, verb
        self.keys, self.account = {}, me()
        self.market = Market(folder / "venue")

    def __call__(self, *words):
        return self.verb("trading", *words, "--home", self.home.folder)

    def write(self):
        people = "".join(self.person(one) for one in PEOPLE.people)
        self.home.file.write_text(
            f'[database]\nurl = "{self.dsn}"\n\n[channels.owner]\n\n[trading]\n'
            'capital = "1000000"\nchannel = "owner"\n'
            f'agree_every = "200ms"\n[trading.venues.paper]\nsocket = "venue"\n{people}'
        )

    def person(self, one):
        key = Ed25519PrivateKey.generate()
        path = self.keys[one.id] = self.home.folder / f"{one.id}.key"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        account = self.account if one.id == "tom" else one.id
        roles = json.dumps(sorted(str(role) for role in one.roles))
        return (
            f'[trading.people.{one.id}]\nroles = {roles}\nkeys = ["{line} {one.id}"]\n'
            f'account = "{account}"\n'
        )

    def limits(self, version=1, **given):
        """A limit set in a file; sol approved what eve wrote, ada wrote the limits."""
        releases = tuple(
            Release(
                strategy=strategy, sha="f00d", author="eve", tested_in="paper", approved_by="sol",
                approved_ns=1, nature="first release",
            )
            for strategy in ("drift", "mean")
        )  # fmt: skip
        made = limit_set(name="firm", version=version, releases=releases, **given)
        path = self.home.folder / f"limits-{version}.json"
        path.write_bytes(canonical_bytes(made))
        return path

    def in_force(self, version=1, **given):
        file = self.limits(version, **given)
        assert self("limits", "sign", file, "--key", self.keys["ben"]).code == 0
        said = self("limits", "load", file)
        assert said.code == 0, said.err
        return said

    def on_the_ladder(self, *strategies):
        async def work():
            async with Database(self.dsn) as database:
                for one in strategies:
                    await Rungs(database).append(
                        RungChange(
                            strategy=one, seq=1, at_ns=time.time_ns(), rung=Rung.FULL,
                            cause="test", evidence={},
                        )
                    )  # fmt: skip

        asyncio.run(work())

    def order(self, id_, **given):
        path = self.home.folder / f"{id_}.json"
        made = trade_order(id_, **{"made_ns": time.time_ns(), **given})
        path.write_text(json.dumps(asdict(made)))
        return path

    def send(self, id_, *more, **given):
        return self("send", self.order(id_, **given), "-o", "json", *more).json

    def status(self):
        said = self("status", "-o", "json")
        return said.json if said.out else {"open": False, "held_back": [], "said": said.err}

    def wait_for(self, what, seconds=30):
        until = time.monotonic() + seconds
        while not what(status := self.status()):
            assert time.monotonic() < until, status
        return status

    def events(self, name):
        lines = (self.home.logs / "controller.jsonl").read_text().splitlines()
        return [one for line in lines if (one := json.loads(line))["event"] == name]

    def wait_for_event(self, name, seconds=20, **fields):
        until = time.monotonic() + seconds
        while True:
            for one in self.events(name):
                if all(one.get(field) == value for field, value in fields.items()):
                    return one
            assert time.monotonic() < until, (name, self.status())

    def channel(self):
        """What the owner was told."""
        log = self.home.logs / "channel.jsonl"
        return log.read_text() if log.exists() else ""

    def words(self, strategy="drift"):
        """The stored words on the limits of a strategy, oldest first, each when it changed."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "select subject, passed from swarm.control_evidence"
                " where kind = 'regime-limits' and subject = %s order by at",
                [strategy],
            )
            return [list(row) for row, _ in itertools.groupby(rows.fetchall())]

    def wait_for_words(self, *wanted, seconds=20):
        until = time.monotonic() + seconds
        while self.words() != list(wanted):
            assert time.monotonic() < until, self.words()

    def monitor(self):
        """The pid of the monitor's process; None while there is none."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if (
                    b"swarm.runtime.trading.watcher" in words
                    and str(self.home.trading / "kills").encode() in words
                ):
                    return int(folder.name)
        return None

    @contextlib.contextmanager
    def database_down(self):
        """Nobody gets into the database, and whoever was in is out."""
        name = conninfo_to_dict(self.dsn)["dbname"]
        outside = make_conninfo(self.dsn, dbname="postgres")

        def allow(word):
            with psycopg.connect(outside, autocommit=True) as connection:
                connection.execute(f'alter database "{name}" allow_connections {word}')
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                    [name],
                )

        allow("false")
        try:
            yield
        finally:
            allow("true")

    @contextlib.contextmanager
    def trading(self):
        """`up`, once orders may grow; `down` at the end."""
        background.start(self.home)
        try:
            self.wait_for(lambda one: one["open"] and not one["held_back"])
            yield self
        finally:
            background.stop(self.home)


@pytest.fixture
def firm(database_dsn, verb):
    folder = Path(tempfile.mkdtemp(prefix="swarm-firm-"))
    made = Firm(folder, database_dsn, verb)
    made.write()
    yield made
    shutil.rmtree(folder)


def at_ns(event):
    """When a line of the log was written."""
    return int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1e9)


def token(firm, subject, name, by="sol"):
    """A signed token's file."""
    out = firm.home.folder / f"{name}.json"
    said = firm("token", subject, "--key", firm.keys[by], "--out", out)
    assert said.code == 0, said.err
    return out
