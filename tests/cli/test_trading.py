"""Trading from end to end: `up` with a table [trading], a paper venue in another process's place,
people with keys, and every verb. Only the market is ours."""

from __future__ import annotations

import asyncio
import contextlib
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
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.limit_set import canonical_bytes
from swarm.regime.nouns import Rung
from swarm.runtime import background
from swarm.runtime.home import Home
from swarm.testing.trading import PEOPLE, collar, instrument, limit_set, trade_order

pytestmark = pytest.mark.req("REG-10")


class Market:
    """A paper venue on a socket, in a thread; quotes are made from outside."""

    def __init__(self, socket):
        self.socket = socket
        self.exchange = PaperExchange(["ACME", "CRUDE"])
        self._ready, self._loop = threading.Event(), None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self):
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with serving(self.exchange, self.socket, time.time_ns):
            self._ready.set()
            await self._ended.wait()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

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
        self.keys = {}
        self.market = Market(folder / "venue")

    def __call__(self, *words):
        return self.verb("trading", *words, "--home", self.home.folder)

    def write(self):
        people = "".join(self.person(one) for one in PEOPLE.people)
        self.home.file.write_text(
            f'[database]\nurl = "{self.dsn}"\n\n[trading]\ncapital = "1000000"\n'
            f'agree_every = "200ms"\n[trading.venues.paper]\nsocket = "venue"\n{people}'
        )

    def person(self, one):
        key = Ed25519PrivateKey.generate()
        path = self.keys[one.id] = self.home.folder / f"{one.id}.key"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        account = me() if one.id == "tom" else one.id
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


@pytest.mark.slow
def test_orders_go_out_and_a_loss_is_alerted_within_a_second_and_nothing_may_grow(firm):
    wide = instrument(collar=collar(window_ticks=100_000))
    with firm.market as market:
        market.quote(9_999, 10_001)
        firm.in_force(instruments=(wide, instrument("CRUDE", sector="oil")))
        firm.on_the_ladder("drift")
        with firm.trading():
            # An order goes out, fills, and is sent once.
            first = firm.send("o-1", quantity=100, price=10_001)
            assert first["ruling"] == "accept", first
            again = firm("send", firm.home.folder / "o-1.json")
            assert (again.code, again.out) == (0, "o-1: repeat\n")
            other = firm.send("o-1", quantity=99, price=10_001)
            assert [one["reason"] for one in other["refusals"]] == ["IdReused"]
            held = firm.wait_for(lambda one: one["positions"])["positions"]
            assert held == [{"account": "main", "symbol": "ACME", "lots": 100}]
            assert firm.send("o-3", quantity=300, price=10_001)["ruling"] == "accept"
            firm.wait_for(lambda one: one["positions"][0]["lots"] == 400)
            assert firm.events("alert.raised") == []
            # 400 lots lose 5,000 ticks of a cent: 2 % of the capital, where 1.5 % are allowed.
            begun = time.time_ns()
            market.quote(4_999, 5_001)
            alert = firm.wait_for_event("alert.raised", subject="limit:drawdown_ppm")
            assert alert["lag_ms"] < 1_000
            assert (at_ns(alert) - begun) < SECOND
            refused = firm.send("o-9", quantity=1, price=5_000)
            assert "LimitBreached" in {one["reason"] for one in refused["refusals"]}
            less = firm.send("o-10", quantity=10, price=4_999, side="sell")
            assert less["ruling"] == "accept", "reducing is let through"


@pytest.mark.slow
def test_a_kill_works_with_the_database_down_and_only_a_token_lifts_it(firm):
    with firm.market as market:
        market.quote(9_999, 10_001)
        firm.in_force()
        firm.on_the_ladder("drift")
        with firm.trading():
            for number in range(3):
                rests = firm.send(f"o-{number}", quantity=1, price=9_960 + number)
                assert rests["ruling"] == "accept"
            firm.wait_for(lambda one: one["working"] == 3)
            with firm.database_down():
                said = firm("kill", "--reason", "odd fills", "-o", "json")
                assert said.code == 0, said.err
                assert said.json["silent"] == {}
                assert market.do(lambda exchange: exchange.books_now().working) == ()
            kill = said.json["kill"]
            firm.wait_for(lambda one: one["open"] and not one["unwritten"])
            refused = firm.send("o-9", quantity=1)
            assert [one["reason"] for one in refused["refusals"]] == ["Killed"]
            # Only a token, and only the right one.
            stranger = firm("token", kill, "--key", firm.keys["eve"], "--out", "/nonexistent/x")
            assert stranger.code == 4
            good = token(firm, kill, "good")
            assert firm("undo", "k-other", "--token", good).code == 1
            forged = firm.home.folder / "forged.json"
            forged.write_text(good.read_text().replace('"sol"', '"ben"'))
            assert "nobody listed signed it" in firm("undo", kill, "--token", forged).err
            lifted = firm("undo", kill, "--token", good)
            assert lifted.code == 0, lifted.err
            assert firm.send("o-10", quantity=1)["ruling"] == "accept"
            again = firm("kill", "--scope", "strategy:drift", "--reason", "again", "-o", "json")
            assert again.code == 0
            assert "SWM" in firm("undo", again.json["kill"], "--token", good).err
            # A restart keeps what is stopped.
            background.stop(firm.home)
            background.start(firm.home)
            held = firm.wait_for(lambda one: one["open"] and one["monitored"])
            assert [one["scope"] for one in held["kills"]] == ["strategy:drift"]
        # And with nobody there at all.
        said = firm("kill", "--reason", "nobody is there", "-o", "json")
        assert said.code == 0
        assert said.json["unseen"]


@pytest.mark.slow
def test_limits_come_into_force_only_as_somebody_else_signed_them(firm):
    file = firm.limits()
    assert "SWM861" in firm("limits", "show").err
    for by, code in (("ada", 4), ("sol", 4), ("bot", 4), ("tom", 4)):
        said = firm("limits", "sign", file, "--key", firm.keys[by])
        assert said.code == code, said.err
        assert "SWM689" in said.err
    unsigned = firm("limits", "load", file)
    assert unsigned.code == 1
    assert firm.in_force().code == 0
    assert firm("limits", "show", "-o", "json").json["signer"] == "ben"
