"""A plain look is cheap: no driver, no models, no numerics; and both ways of reading agree."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys

import pytest

from swarm.adapters.postgres import layout, libpq
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.layout import lay_out
from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.adapters.postgres.store.desk.look import KINDS, Look
from swarm.cli.glance import glance, positional, where
from swarm.runtime.home import Home

#: What no plain look may load: each costs more than the look itself.
HEAVY = {
    "asyncio", "cryptography", "httpx", "numpy", "psycopg",
    "psycopg_binary", "pydantic", "pydantic_core", "pydantic_settings", "rich", "ssl", "structlog",
    "yaml", "swarm.contract.swarm", "swarm.runtime.database", "swarm.runtime.settings",
    "swarm.runtime.wiring", "swarm.adapters.postgres.database", "swarm.adapters.postgres.server",
}  # fmt: skip


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, database_server):
    """An installation with an embedded server of its own, as `up` leaves it, with some rows."""
    del database_server  # its template is made first: two first starts at once are slow
    home = Home(tmp_path_factory.mktemp("embedded"))
    home.file.write_text("")
    home.make()
    server = EmbeddedServer(home.database, server_options={"fsync": "off"})
    server.start()
    try:
        migrate(server.dsn)
        home.write_note({"pid": os.getpid(), "dsn": server.dsn})
        yield home, server.dsn
    finally:
        server.stop()


@pytest.fixture
def rows(embedded, place):
    """The same with a delivered mission, a freeze, an approval, a budget: rows of every kind."""
    home, dsn = embedded
    place.use(dsn)
    if not place("get", "outcomes", "-o", "jsonl").out:
        assert place.apply().code == 0
        with place.working():
            place.need("a harmless thing")
            place.need("a dangerous thing", risk="R2")
            place.wait_for("outcomes", lambda row: row["outcome"] == "delivered")
            place.wait_for("approvals", lambda row: row["state"] == "open")
        place("freeze", "--for", "1h", "--reason", "for the picture")
        place.sql(
            "insert into regime_state (stream, version, cycle, tick, at_ns, model_version,"
            " params_hash, state_sha256, state, record) values ('spx', 1, 'c', 7, 1, 'm', 'p',"
            """ sha256('s'), 's', '{"id": "trend", "posture": "normal"}')"""
        )
    return home, dsn


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
async def test_both_ways_of_reading_give_the_same_rows(rows, kind):
    """One gives JSON, the driver gives Python: instants, fractions and arrays must agree."""
    home, dsn = rows
    async with Database(dsn) as database:
        slow = await Look(database).rows(kind, limit=50)
    quick = glance(home.folder, kind, limit=50)
    assert quick == slow
    if kind not in {"rollouts", "spenders"}:
        assert quick, f"no {kind}, so nothing was compared"
    for one, other in zip(quick, slow, strict=True):
        assert {key: type(value) for key, value in one.items()} == {
            key: type(value) for key, value in other.items()
        }


@pytest.fixture(params=["embedded", "dsn"])
def at(request, rows, tmp_path):
    """An installation by each way of naming its database."""
    home, dsn = rows
    if request.param == "embedded":
        return home
    other = Home(tmp_path)
    other.file.write_text(f'[database]\nurl = "{dsn}"\n')
    return other


def test_only_one_swarm_is_read_where_one_is_named(rows):
    home, _ = rows
    assert glance(home.folder, "missions", swarm="shop")
    assert glance(home.folder, "missions", swarm="default/shop", state="delivered")


def measured(home, *words, options=()):
    environment = {**os.environ, "SWARM_HOME": str(home.folder), "PYTHONDONTWRITEBYTECODE": ""}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path.endswith("src"))
    code = "from swarm.cli import main; main()"
    return subprocess.run(
        [sys.executable, *options, "-c", code, *words],
        capture_output=True, text=True, env=environment, check=True, timeout=60,
    )  # fmt: skip


@pytest.mark.fast("get")
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("get", "missions"), id="get"),
        pytest.param(("get", "needs", "-o", "json"), id="get-json"),
        pytest.param(("get", "mission", "m-", "-s", "shop"), id="get-of-one-swarm"),
        pytest.param(("__complete", "approve", "m-"), id="completion"),
        pytest.param(("version",), id="version"),
    ],
)
def test_a_plain_look_loads_nothing_heavy(at, words):
    said = measured(at, *words, options=("-X", "importtime"))
    loaded = set(re.findall(r"\| +([\w.]+)$", said.stderr, re.MULTILINE))
    assert "swarm.cli.app" in loaded
    if words[0] == "get":
        assert "swarm.adapters.postgres.quick" in loaded, "the quick way was not taken"
        assert said.stdout
    assert not loaded & HEAVY


@pytest.mark.req("FRZ-3")
def test_a_freeze_waits_for_no_model_to_load(rows):
    """It is needed most when the machine is busiest; it has the driver, and nothing else heavy."""
    home, _ = rows
    said = measured(
        home, "freeze", "--class", "none", "--reason", "now", options=("-X", "importtime")
    )
    loaded = set(re.findall(r"\| +([\w.]+)$", said.stderr, re.MULTILINE))
    assert "frozen" in said.stdout
    driver = {"asyncio", "psycopg", "psycopg_binary", "ssl"}
    ours = {"swarm.runtime.database", "swarm.adapters.postgres.database"}
    assert not loaded & (HEAVY - driver - ours - {"swarm.adapters.postgres.server"})
    assert "swarm.core.snapshot" not in loaded


def test_a_look_falls_back_to_the_driver_when_no_server_listens(rows, place):
    """A note that outlived its controller must cost time, not the answer."""
    _, dsn = rows
    place.home.make()
    place.home.write_note({"pid": 1, "dsn": dsn})
    assert place("get", "swarms", "-o", "name").out == "swarm/shop\n"


def test_a_look_falls_back_to_the_driver_without_the_library(rows, place, monkeypatch):
    def missing():
        raise libpq.LibpqError("none")

    monkeypatch.setattr(libpq, "_library", missing)
    assert place("get", "swarms", "-o", "name").out == "swarm/shop\n"


OTHER = "host=/other dbname=other"


@pytest.mark.parametrize(
    ("url", "note", "found"),
    [
        pytest.param("embedded", "EMBEDDED", "EMBEDDED", id="embedded"),
        pytest.param("embedded", None, None, id="embedded-and-nobody-works"),
        pytest.param("embedded", OTHER, None, id="embedded-and-a-controller-works-elsewhere"),
        pytest.param(OTHER, None, OTHER, id="by-dsn"),
        pytest.param(OTHER, OTHER, OTHER, id="by-dsn-and-a-controller-works"),
        pytest.param(OTHER, "host=/third", None, id="by-dsn-and-a-controller-works-elsewhere"),
        pytest.param(OTHER, "EMBEDDED", None, id="by-dsn-and-an-older-note"),
        pytest.param(OTHER, ["x"], None, id="a-note-of-nonsense"),
        pytest.param("", None, None, id="no-database"),
    ],
)
def test_a_look_without_the_driver_goes_where_the_driver_would(tmp_path, url, note, found):
    home = Home(tmp_path)
    home.make()
    home.file.write_text(f'[database]\nurl = "{url}"\n')
    embedded = lay_out(home.database).dsn
    if note is not None:
        home.write_note({"dsn": embedded if note == "EMBEDDED" else note})
    assert where(home) == (embedded if found == "EMBEDDED" else found)


def test_a_database_by_dsn_asks_for_no_account_of_an_embedded_server(tmp_path, monkeypatch):
    """A container may run under a uid that has no name."""
    home = Home(tmp_path)
    home.file.write_text(f'[database]\nurl = "{OTHER}"\n')
    monkeypatch.setattr(layout, "server_account", lambda _: pytest.fail("asked for"))
    assert where(home) == OTHER


@pytest.mark.fast("one")
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        pytest.param("a = %(x)s", ("a = $1", ["1"]), id="one"),
        pytest.param("%(x)s %(y)s %(x)s", ("$1 $2 $1", ["1", None]), id="twice"),
        pytest.param("5 %% 2", ("5 % 2", []), id="percent"),
    ],
)
def test_named_values_become_numbered_ones(query, wanted):
    assert positional(query, {"x": 1, "y": None}) == wanted


@pytest.mark.slow
@pytest.mark.skipif(os.getloadavg()[0] > 1.5, reason="the machine is busy; see benchmarks/cli.py")
def test_get_costs_less_than_150_ms_of_processor_time(at):
    spent = []
    for _ in range(9):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured(at, "get", "missions")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(spent) < 0.150
