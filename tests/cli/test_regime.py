"""`swarmctl regime` as a person uses it: real prices, real files, a real database, bad input."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import gzip
import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.rungs import RungChange, Rungs
from swarm.cli.app import run
from swarm.regime.nouns import Rung
from swarm.regime.saved import params_hash
from swarm.runtime.regime.model import KIND, VERSION, load

from .test_complete import offered


def written(path, prices, first=0, *, header="time,close"):
    """A file of daily closes; NaN is an empty cell."""
    days = np.datetime64("2000-01-03") + np.arange(first, first + len(prices))
    cells = ["" if np.isnan(one) else repr(one) for one in prices.tolist()]
    rows = [f"{day},{cell}" for day, cell in zip(days, cells, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def sp500():
    """Daily closes of the S&P 500, 1999 to 2018, from a package of the development environment."""
    folder = Path(importlib.util.find_spec("arch").origin).parent
    with gzip.open(folder / "data/sp500/sp500.csv.gz", "rt") as file:
        return np.array([float(row["Adj Close"]) for row in csv.DictReader(file)])


@pytest.fixture(scope="module")
def desk(tmp_path_factory, sp500):
    """A folder with 900 prices and a model that was fitted on the first 600 of them."""
    folder = tmp_path_factory.mktemp("desk")
    prices = sp500[2300:3200].copy()  # the storm of 2008 is in it
    prices[[100, 400]] = np.nan
    written(folder / "prices.csv", prices)
    model = folder / "model.json"
    code = run(
        ["regime", "fit", str(folder / "prices.csv"), "--out", str(model), "--states", "3",
         "--until", str(np.datetime64("2000-01-03") + 600)]
    )  # fmt: skip
    assert code == 0
    return folder


class Screen(io.StringIO):
    """A terminal, as far as a program can tell."""

    def isatty(self):
        return True


def replayed(verb, desk, *more, file="prices.csv"):
    said = verb("regime", "replay", desk / file, "--model", desk / "model.json", *more)
    assert said.code == 0, said.err
    return said


@pytest.mark.parametrize(
    ("more", "terminal", "told"),
    [
        pytest.param((), "xterm", "\rreplayed 0 of 899 ticks\rreplayed 899", id="drawn-anew"),
        pytest.param(("--progress=plain",), "xterm", "ticks\nreplayed 899 of", id="asked-for"),
        pytest.param((), "dumb", "ticks\nreplayed 899 of", id="dumb-terminal"),
        pytest.param(("--quiet",), "xterm", "", id="quiet"),
    ],
)
def test_progress_is_drawn_anew_where_that_may_be(desk, monkeypatch, more, terminal, told):
    monkeypatch.setenv("TERM", terminal)
    words = ["regime", "replay", str(desk / "prices.csv"), "-m", str(desk / "model.json"), *more]
    with contextlib.redirect_stderr(Screen()) as screen, contextlib.redirect_stdout(Screen()):
        assert run(words) == 0
    said = screen.getvalue()
    assert told in said
    assert ("\r" in said) == (told[:1] == "\r")
    assert bool(said) == bool(told)


@pytest.mark.parametrize("ready", [True, False])
def test_a_person_is_told_that_the_detectors_are_being_compiled(desk, monkeypatch, ready):
    monkeypatch.setattr("swarm.regime.kernel.is_ready", lambda kernel: ready)
    for words in (["replay"], ["explain", "2001-01-01"]):
        given = [words[0], str(desk / "prices.csv"), *words[1:], "-m", str(desk / "model.json")]
        for there in (Screen, io.StringIO):
            with contextlib.redirect_stderr(there()) as said, contextlib.redirect_stdout(Screen()):
                assert run(["regime", *given]) == 0
            assert ("compiling" in said.getvalue()) is (there is Screen and not ready)


@pytest.mark.slow
def test_a_threshold_that_was_not_reached_is_told_in_plain_english(verb, desk):
    told = ""
    for tick in (100, 250, 400, 480):
        day = str(np.datetime64("2000-01-03") + tick)
        told += verb("regime", "explain", desk / "prices.csv", day, "-m", desk / "model.json").out
    assert ": no change" in told
    assert ": no a " not in told


@pytest.mark.req("REG-1")
def test_a_model_says_what_it_was_made_of_and_is_never_replaced(verb, desk):
    told = verb("regime", "show", desk / "model.json", "-o", "json").json
    assert told["training"]["ticks"] == 599
    assert told["training"]["held_out"] == 149
    assert np.isfinite(told["training"]["score"])
    assert len(told["markov"]["labels"]) == 3
    assert (told["memory"]["verdict"], told["memory"]["n"]) == ("insufficient", 299)
    shown = verb("regime", "show", desk / "model.json").out
    assert "memory: insufficient: 299 ticks in a row tell nothing; regimes are tempered" in shown
    before = (desk / "model.json").read_bytes()
    again = verb("regime", "fit", desk / "prices.csv", "--out", desk / "model.json")
    assert again.code == 1
    assert "exists already" in again.err
    assert (desk / "model.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.req("REG-3", "REG-4")
def test_a_replay_shows_each_change_with_its_reasons(verb, desk):
    told = replayed(verb, desk, "-o", "json").json
    assert told["ticks"] == 899
    assert told["changes"], "the storm of 2008 went unnoticed"
    for before, after in pairwise(told["changes"]):
        assert before["tick"] < after["tick"]
        assert before["becomes"] == after["was"]
    shares = told["shares"]
    assert sum(share for name, share in shares.items() if name != "defensive") == pytest.approx(1)
    assert told["last"]["stateHash"] in replayed(verb, desk).out


@pytest.mark.fast("101")
@pytest.mark.req("REG-2")
@pytest.mark.parametrize("cut", [2, 101, 450, 899])
def test_in_parts_or_in_one_go_is_the_same_to_the_bit(verb, desk, tmp_path, cut):
    """Also cut at a missing price, and with a second file that begins where the first began."""
    lines = (desk / "prices.csv").read_text().splitlines(keepends=True)
    (tmp_path / "old.csv").write_text("".join(lines[: cut + 1]))
    model, state = desk / "model.json", tmp_path / "state"
    first = verb("regime", "replay", tmp_path / "old.csv", "-m", model, "--save", state)
    assert first.code == 0, first.err
    rest = replayed(verb, desk, "--resume", state, "-o", "json").json
    assert rest["last"] == replayed(verb, desk, "-o", "json").json["last"]
    assert rest["ticks"] == 900 - cut


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.req("REG-2")
def test_another_process_with_and_without_compiled_kernels_gives_the_same_state(verb, desk):
    here = replayed(verb, desk).lines[-1]
    assert here.startswith("state ")
    for more in ({}, {"NUMBA_DISABLE_JIT": "1"}):
        there = subprocess.run(
            [sys.executable, "-m", "swarm.cli", "regime", "replay", str(desk / "prices.csv"),
             "--model", str(desk / "model.json")],
            capture_output=True, text=True, check=True, env={**os.environ, **more},
        )  # fmt: skip
        assert there.stdout.splitlines()[-1] == here


def test_nothing_later_colours_an_explanation(verb, desk, tmp_path):
    day = str(np.datetime64("2000-01-03") + 500)
    said = verb("regime", "explain", desk / "prices.csv", day, "-m", desk / "model.json")
    assert said.code == 0, said.err
    assert said.out.startswith(day)
    assert "posterior:" in said.out
    lines = (desk / "prices.csv").read_text().splitlines(keepends=True)
    (tmp_path / "past.csv").write_text("".join(lines[:502]))
    alone = verb("regime", "explain", tmp_path / "past.csv", day, "-m", desk / "model.json")
    assert alone.out == said.out
    early = verb("regime", "explain", desk / "prices.csv", "1990-01-01", "-m", desk / "model.json")
    assert early.code == 5
    assert "Name a time within the file" in early.err


@pytest.mark.req("REG-1")
def test_only_ticks_behind_the_fit_are_scored(verb, desk, tmp_path):
    told = verb(
        "regime", "score", desk / "prices.csv", "-m", desk / "model.json", "-o", "json"
    ).json
    assert told["ticks"] == 300
    lines = (desk / "prices.csv").read_text().splitlines(keepends=True)
    (tmp_path / "old.csv").write_text("".join(lines[:601]))
    refused = verb("regime", "score", tmp_path / "old.csv", "-m", desk / "model.json")
    assert refused.code == 1
    assert "fitted on every tick" in refused.err


@pytest.mark.slow
@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_picture_names_everything_and_is_the_same_twice(verb, desk, tmp_path, form):
    made = []
    for name in ("one", "two"):
        replayed(verb, desk, "--picture", tmp_path / f"{name}.{form}")
        made.append((tmp_path / f"{name}.{form}").read_bytes())
    assert made[0] == made[1]
    if form == "svg":
        text = made[0].decode()
        for word in ("posterior", "published", "new run", "drift", "defensive", "capital"):
            assert word in text
    else:
        assert made[0].startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.req("REG-7")
def test_a_picture_shows_where_a_strategy_stood_meanwhile(place, desk, tmp_path):
    moves = [(1, Rung.ONE, "2001-01-01"), (2, Rung.FIVE, "2001-07-01"), (3, Rung.ONE, "2002-01-01")]

    async def climbed():
        async with Database(place.dsn) as database:
            for seq, rung, day in moves:
                at_ns = int(np.datetime64(day, "ns").astype(np.int64))
                change = RungChange(
                    strategy="momentum", seq=seq, at_ns=at_ns, rung=rung, cause="c", evidence={}
                )
                await Rungs(database).append(change)

    asyncio.run(climbed())
    file = tmp_path / "x.svg"
    words = ("regime", "replay", desk / "prices.csv", "-m", desk / "model.json", "--picture", file)
    unknown = place(*words, "--rungs", "carry")
    assert (unknown.code, "no rung of a strategy 'carry'" in unknown.err) == (5, True)
    assert not file.exists()
    said = place(*words, "--rungs", "momentum")
    assert said.code == 0, said.err
    text = file.read_text()
    for word in ("momentum", "ladder", *(rung.label for rung in Rung)):
        assert word in text
    alone = place("regime", "replay", desk / "prices.csv", "-m", desk / "model.json", *words[5:])
    assert alone.code == 0
    assert "ladder" not in file.read_text()


@pytest.mark.slow
@pytest.mark.req("REG-1")
def test_the_store_holds_a_version_for_each_cycle_and_goes_on_from_the_last(
    verb, place, desk, tmp_path
):
    lines = (desk / "prices.csv").read_text().splitlines(keepends=True)
    (tmp_path / "old.csv").write_text("".join(lines[:500]))
    model = desk / "model.json"
    first = place(
        "regime", "replay", tmp_path / "old.csv", "-m", model, "--store", "spx", "--cycle", "c-1"
    )
    assert first.code == 0, first.err
    assert "stored as version 1" in first.out
    second = place(
        "regime", "replay", desk / "prices.csv", "-m", model, "--store", "spx", "-o", "json"
    )
    assert second.code == 0, second.err
    assert second.json["stored"] == 2
    assert second.json["last"] == replayed(verb, desk, "-o", "json").json["last"]
    told = place("regime", "history", "spx", "--limit", "1000", "-o", "json").json
    assert [one["version"] for one in told["versions"]] == [2, 1]
    assert told["versions"][1]["cycle"] == "c-1"
    assert told["versions"][0]["record"]["stateHash"] == second.json["last"]["stateHash"]
    whole = replayed(verb, desk, "-o", "json").json["changes"]
    assert [one["tick"] for one in told["changes"]] == [one["tick"] for one in whole][::-1]
    priced = sum(bool(row.split(",")[1].strip()) for row in lines[1:])
    count = "select count(*), min(tick), max(tick) from observation where stream = 'spx'"
    assert place.sql(count) == [(priced - 1, 0, second.json["last"]["tick"])]
    stands = place("regime", "show", "spx", "-o", "json").json
    assert stands["stateHash"] == second.json["last"]["stateHash"]
    assert (stands["version"], stands["posterior"]) == (2, second.json["last"]["posterior"])
    said = place("regime", "show", "spx").out
    assert f"spx: {stands['id']} since" in said
    assert f"state {stands['stateHash'][:12]}" in said
    place.home.make()
    place.home.write_note({"pid": 1, "dsn": place.dsn})
    for words in (("history", ""), ("show", "sp"), ("replay", "x.csv", "--store", "s")):
        about = f"{stands['id']} {stands['posture']}"
        assert offered(place, "regime", *words) == {"spx": about}, words
    assert offered(place, "capital", "step", "m", "--stream", "") == {"spx": about}
    nothing_new = place("regime", "replay", desk / "prices.csv", "-m", model, "--store", "spx")
    assert nothing_new.code == 1
    assert "every tick of the file was seen" in nothing_new.err
    assert "Add what came since" in nothing_new.err
    for verb_ in ("history", "show"):
        unknown = place("regime", verb_, "nothing")
        assert (unknown.code, "SWM694" in unknown.err) == (5, True), unknown.err


# --- quotes and trades ---------------------------------------------------------------------------


def market(path, minutes=400, seed=4):
    """Ten quotes and two trades a minute; the last quarter is wide and thin."""
    rng = np.random.default_rng(seed)
    lines, mid = ["time,bid,bid_size,ask,ask_size,price,size"], 100.0
    begin = 1_700_000_000 // 60 * 60
    for minute in range(minutes):
        wild = minute >= minutes * 3 // 4
        for second in range(0, 60, 5):
            mid *= float(np.exp(rng.standard_normal() * (3e-3 if wild else 1e-4)))
            half = mid * (2e-3 if wild else 1e-4)
            at = (begin + minute * 60 + second) * 10**9
            size = 5 if wild else 500
            lines.append(f"{at},{mid - half:.6f},{size},{mid + half:.6f},{size},,")
            if second in {20, 40}:
                lines.append(f"{at},,,,,{mid + half:.6f},{1 + second}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
@pytest.mark.req("REG-2")
def test_quotes_and_trades_are_read_and_their_stress_is_met_with_caution(verb, tmp_path):
    file, model = market(tmp_path / "market.csv"), tmp_path / "model.json"
    made = verb("regime", "fit", file, "--out", model, "--states", "2")
    assert made.code == 0, made.err
    assert load(model).params.quotes is not None
    told = verb("regime", "replay", file, "-m", model, "-o", "json").json
    assert told["ticks"] == 398, "what came of the last minute may not be all of it"
    assert told["last"]["posture"] == "defensive"
    prices = written(tmp_path / "prices.csv", np.linspace(100, 110, 50))
    refused = verb("regime", "replay", prices, "-m", model)
    assert refused.code == 1
    assert "this model wants quotes and trades" in refused.err
    other = verb("regime", "replay", file, "-m", model, "--bar", "5m")
    assert other.code == 1
    assert "read in bars of 300s; this model wants --bar 60s" in other.err


@pytest.mark.slow
def test_bars_are_as_long_as_those_that_the_model_was_made_of(verb, tmp_path):
    file, model = market(tmp_path / "market.csv"), tmp_path / "model.json"
    made = verb("regime", "fit", file, "--out", model, "--states", "2", "--bar", "2m")
    assert made.code == 0, made.err
    assert verb("regime", "replay", file, "-m", model, "-o", "json").json["ticks"] == 199


@pytest.mark.slow
def test_a_file_that_ends_within_a_bar_loses_nothing_of_it(verb, tmp_path):
    """Fourteen rows make a minute: what a file holds of its last one may be half of it."""
    file, model = market(tmp_path / "market.csv"), tmp_path / "model.json"
    assert verb("regime", "fit", file, "--out", model, "--states", "2").code == 0
    part, state = tmp_path / "part.csv", tmp_path / "state.bin"
    replay = ("regime", "replay", file, "-m", model)
    whole = verb(*replay).lines[-1]
    for rows in (2_401, 2_405, 2_414):
        part.write_text("".join(file.read_text().splitlines(keepends=True)[:rows]))
        assert verb("regime", "replay", part, *replay[3:], "--save", state).code == 0
        assert verb(*replay, "--resume", state).lines[-1] == whole


@pytest.mark.slow
def test_parquet_says_the_same_as_csv(verb, desk, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    with (desk / "prices.csv").open() as file:
        rows = list(csv.DictReader(file))
    at = pa.array([np.datetime64(row["time"], "ns") for row in rows])
    close = pa.array([float(row["close"]) if row["close"] else None for row in rows])
    parquet.write_table(pa.table({"time": at, "close": close}), tmp_path / "prices.parquet")
    said = verb("regime", "replay", tmp_path / "prices.parquet", "-m", desk / "model.json")
    assert said.code == 0, said.err
    assert said.lines[-2:] == replayed(verb, desk).lines[-2:]


def test_parquet_without_the_extra_says_what_to_install(verb, desk, tmp_path, monkeypatch):
    (tmp_path / "prices.parquet").write_bytes(b"PAR1" + b"x" * 100)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = verb("regime", "replay", tmp_path / "prices.parquet", "-m", desk / "model.json")
    assert said.code == 1
    assert "SWM693" in said.err
    assert "pip install 'swarmctl[regime]'" in said.err


# --- what is refused -----------------------------------------------------------------------------

HEAD, QUOTES = "time,close\n2000-01-03,100\n", "time,bid,bid_size,ask,ask_size,price,size\n"
TORN = bytearray(gzip.compress(b"time,close\n" + b"2000-01-03,1\n" * 500))
TORN[30] ^= 0xFF
BAD = {
    "empty": ("", "is empty"),
    "header-alone": ("time,close\n", "no row below its header"),
    "one-price": (HEAD, "fewer than two prices"),
    "no-time-column": ("when,close\n1,2\n3,4\n", "no column named time"),
    "no-price-column": ("time,cost\n1,2\n3,4\n", "no column named close"),
    "a-column-twice": ("time,close,close\n1,2,3\n", "has column 'close' twice"),
    "unsorted": (f"{HEAD}2000-01-02,101\n", "line 3: time is '2000-01-02, before the row above'"),
    "a-time-twice": (f"{HEAD}2000-01-03,101\n", "line 3: time is '2000-01-03, again'"),
    "no-time": (f"{HEAD}tomorrow,101\n", "line 3: time is 'tomorrow'"),
    "american-time": (f"{HEAD}1/4/2000,101\n", "ISO 8601"),
    "nan": (f"{HEAD}2000-01-04,NaN\n", "line 3: close is 'NaN'"),
    "infinite": (f"{HEAD}2000-01-04,inf\n", "line 3: close is 'inf'"),
    "negative": (f"{HEAD}2000-01-04,-3\n", "line 3: close is '-3'"),
    "zero": (f"{HEAD}2000-01-04,0\n", "line 3: close is '0'"),
    "grouped-digits": (f"{HEAD}2000-01-04,1_000\n", "line 3: close is '1_000'"),
    "other-digits": (f"{HEAD}2000-01-04,\u0661\u0662\n", "line 3: close is"),
    "seconds": ("time,close\n1700000000,1\n1700000060,2\n", "line 2: time is '1700000000'"),
    "too-late": (f"{HEAD}3000-01-01,1\n", "line 3: time is '3000-01-01'"),
    "an-empty-line": (f"{HEAD}\n2000-01-04,2\n", "line 3 is empty"),
    "columns-alike": ("time,Close,close\n1,2,3\n4,5,6\n", "columns Close, close; one of them"),
    "semicolons": ("time;close\n2000-01-03;1\n", "parts its columns by ';'"),
    "decimal-commas": ("time;close\n2000-01-03;1,5\n", "a point in numbers"),
    "tabs": ("time\tclose\n2000-01-03\t1\n", r"parts its columns by '\t'"),
    "other-encoding": ("time,close\n2000-01-03,1\n".encode("utf-16"), "UTF-8 CSV is wanted"),
    "packed-and-torn": (TORN, "near line"),
    "a-word": (f"{HEAD}2000-01-04,dear\n", "line 3: close is 'dear'"),
    "too-wide": (f"{HEAD}2000-01-04,1,2\n", "line 3 has 3 columns; 2 are wanted"),
    "a-long-cell": (f"{HEAD}2000-01-04,{'9' * 200_000}\n", "near line 3"),
    "binary": ("time,close\n\x00\x01\n", "line 2"),
    "two-instruments": ("time,symbol,close\n2000-01-03,A,1\n2000-01-04,B,1\n", "several instrum"),
    "crossed": (f"{QUOTES}2000-01-03,10,1,9,1,,\n", "bid is '10 above the ask 9'"),
    "negative-size": (f"{QUOTES}2000-01-03,9,-1,10,1,,\n", "bid_size is '-1'"),
    "half-a-quote": (f"{QUOTES}2000-01-03,9,1,,,,\n", "row is ['bid', 'bid_size']"),
    "quote-and-trade": (f"{QUOTES}2000-01-03,9,1,10,1,9,1\n", "row is"),
    "late-quote": (
        f"{QUOTES}2000-01-03,9,1,10,1,,\n2000-01-02,9,1,10,1,,\n", "no earlier time than"
    ),
    "no-size": (f"{QUOTES}2000-01-03,9,0,10,1,,\n", "bid_size is '0'"),
    "nan-quote": (f"{QUOTES}2000-01-03,nan,1,10,1,,\n", "line 2: bid is 'nan'"),
    "nothing-in-a-row": (f"{QUOTES}2000-01-03,,,,,,\n", "line 2: row is []"),
    "quotes-without-sizes": ("time,bid,ask\n2000-01-03,9,10\n", "no column named bid_size"),
    "one-bar": (f"{QUOTES}2000-01-03,9,1,10,1,,\n", "ends before its third bar"),
}  # fmt: skip


@pytest.mark.fast("empty", "header-alone")
@pytest.mark.req("REG-2")
@pytest.mark.parametrize("case", BAD)
def test_a_bad_tape_is_refused_by_line_and_nothing_is_written(verb, desk, tmp_path, case):
    text, names = BAD[case]
    file, out = tmp_path / "bad.csv", tmp_path / "kept"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    before = sorted(tmp_path.iterdir())
    for words in (
        ("replay", file, "-m", desk / "model.json", "--save", out),
        ("fit", file, "--out", out),
        ("score", file, "-m", desk / "model.json"),
        ("explain", file, "2000-01-04", "-m", desk / "model.json"),
    ):
        said = verb("regime", *words)
        assert (said.code, said.out) == (1, ""), said.err
        assert "error SWM690" in said.err
        assert names in said.err
        assert len(said.err) < 2_000
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "code", "names"),
    [
        pytest.param(("--price", "open"), 1, "no column 'open'", id="no-such-column"),
        pytest.param(("--instrument", "X"), 1, "names no instrument", id="no-such-instrument"),
        pytest.param(("--bar", "1 fortnight"), 2, "--bar", id="bar"),
        pytest.param(("--bar", "0s"), 2, "more than nothing", id="no-bar"),
        pytest.param(("--picture", "x.gif"), 2, ".svg or .png", id="picture"),
        pytest.param(("--cycle", "c"), 2, "--store is wanted", id="cycle"),
        pytest.param(("--rungs", "m"), 2, "--picture is wanted", id="rungs-without-a-picture"),
        pytest.param(("--resume", "nowhere"), 1, "nowhere", id="no-state"),
    ],
)
def test_bad_options_of_a_replay_are_refused(verb, desk, words, code, names):
    said = verb("regime", "replay", desk / "prices.csv", "-m", desk / "model.json", *words)
    assert said.code == code, said.err
    assert names in said.err


def test_a_place_where_no_file_can_be_is_named_before_anything_long_begins(
    verb, desk, tmp_path, monkeypatch
):
    monkeypatch.setattr("swarm.runtime.regime.tape.read", None)
    os.mkfifo(tmp_path / "pipe.svg")
    (tmp_path / "taken.svg").mkdir()
    model = ("-m", desk / "model.json")
    for name in ("nowhere/x.svg", "pipe.svg", "taken.svg"):
        for words in (
            ("replay", desk / "prices.csv", *model, "--picture", tmp_path / name),
            ("replay", desk / "prices.csv", *model, "--save", tmp_path / name),
            ("fit", desk / "prices.csv", "--out", tmp_path / name),
        ):
            said = verb("regime", *words)
            assert said.code == 1
            assert str(tmp_path / name) in said.err
            assert "error SWM705" in said.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["pipe.svg", "taken.svg"]


@pytest.mark.slow
@pytest.mark.req("REG-1")
def test_what_the_store_refuses_leaves_files_and_store_as_they_were(place, desk, tmp_path):
    def asked(file, cycle):
        kept = ("--picture", tmp_path / "x.svg", "--save", tmp_path / "state.bin")
        words = ("--store", "spx", "--cycle", cycle)
        return place("regime", "replay", file, "-m", desk / "model.json", *kept, *words)

    lines = (desk / "prices.csv").read_text().splitlines(keepends=True)
    (tmp_path / "old.csv").write_text("".join(lines[:300]))
    first = asked(tmp_path / "old.csv", "c-1")
    assert first.code == 0, first.err
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    taken = asked(desk / "prices.csv", "c-1")
    assert (taken.code, "cycle c-1 has another state" in taken.err) == (7, True), taken.err
    columns = "observation (stream, tick, at_ns, value)"
    place.sql(f"insert into {columns} values ('spx', 500, 0, '{{1}}') returning 1")
    told = place.sql("select count(*) from observation")
    otherwise = asked(desk / "prices.csv", "c-2")
    assert (otherwise.code, "tick 500 was observed otherwise" in otherwise.err) == (7, True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert place.sql("select count(*) from observation") == told
    assert [row[0] for row in place.sql("select version from regime_state")] == [1]


@pytest.mark.slow
def test_an_unknown_instrument_and_one_of_another_model_are_refused(verb, desk, tmp_path):
    days = np.datetime64("2000-01-03") + np.arange(200)
    noise = 100 + np.random.default_rng(1).random(200)
    rows = [f"{day},{name},{one}" for day, one in zip(days, noise, strict=True) for name in "AB"]
    file, model = tmp_path / "two.csv", tmp_path / "a.json"
    file.write_text("time,symbol,close\n" + "\n".join(rows) + "\n")
    made = verb("regime", "fit", file, "--instrument", "A", "--states", "2", "--out", model)
    assert made.code == 0, made.err
    unknown = verb("regime", "replay", file, "--instrument", "C", "-m", model)
    assert (unknown.code, "has no instrument 'C'; it has A, B" in unknown.err) == (1, True)
    other = verb("regime", "replay", file, "--instrument", "B", "-m", model)
    assert (other.code, "the model is of 'A', the file of 'B'" in other.err) == (1, True)
    assert verb("regime", "replay", file, "--instrument", "A", "-m", model).code == 0


def altered(text):
    return text.replace('"enter": 0.9', '"enter": 0.5')


def resigned(change):
    """A model that was changed and given the hash of what it now says."""

    def work(text):
        held = json.loads(text)
        del held["kind"], held["version"], held["hash"]
        change(held)
        head = {"kind": KIND, "version": VERSION, "hash": params_hash(KIND, VERSION, held)}
        return json.dumps({**head, **held})

    return work


@pytest.mark.parametrize(
    ("mend", "names"),
    [
        pytest.param(lambda _: "", "is no regime model", id="empty"),
        pytest.param(lambda _: "[]", "is no regime model", id="a-list"),
        pytest.param(lambda _: "[" * 100_000, "is no regime model", id="deep"),
        pytest.param(lambda text: text[:500], "is no regime model", id="cut"),
        pytest.param(altered, "it was altered", id="altered"),
        pytest.param(
            lambda text: text.replace(f'"version": {VERSION},', '"version": 99,', 1),
            "99", id="version",
        ),
        pytest.param(resigned(lambda held: held["policy"].update(enter=7)), "enter", id="policy"),
        pytest.param(resigned(lambda held: held.pop("drift")), "drift", id="a-part-missing"),
        pytest.param(
            resigned(lambda held: held["memory"].update(verdict="sure")), "verdict", id="a-verdict",
        ),
        pytest.param(resigned(lambda held: held["memory"].update(d="much")), "d", id="a-memory"),
        pytest.param(
            resigned(lambda held: held["markov"].update(scale=[1.0, 2.0, 1e9])), "hash",
            id="another-markov-model",
        ),
    ],
)  # fmt: skip
def test_a_bad_model_is_refused_before_anything_runs(verb, desk, tmp_path, mend, names):
    model = tmp_path / "model.json"
    model.write_text(mend((desk / "model.json").read_text()))
    for words in (("show", model), ("replay", desk / "prices.csv", "-m", model)):
        said = verb("regime", *words)
        assert (said.code, said.out) == (1, ""), said.err
        assert "error SWM691" in said.err
        assert names in said.err


@pytest.mark.slow
def test_a_bad_state_is_refused_and_not_replaced(verb, desk, tmp_path):
    state = tmp_path / "state"
    replayed(verb, desk, "--save", state)
    whole = state.read_bytes()
    torn = bytearray(whole)
    torn[len(torn) // 2] ^= 1
    for content in (b"", b"nonsense", bytes(torn), whole[:-1], hashlib.sha256(whole).digest()):
        state.write_bytes(content)
        said = verb(
            "regime", "replay", desk / "prices.csv", "-m", desk / "model.json",
            "--resume", state, "--save", state,
        )  # fmt: skip
        assert (said.code, "SWM692" in said.err) == (1, True), said.err
        assert state.read_bytes() == content
    state.write_bytes(whole)
    said = verb(
        "regime", "replay", desk / "prices.csv", "-m", desk / "model.json", "--resume", state
    )
    assert (said.code, "every tick of the file was seen" in said.err) == (1, True)


def test_a_constant_series_cannot_be_fitted(verb, tmp_path):
    file = written(tmp_path / "flat.csv", np.full(500, 100.0))
    said = verb("regime", "fit", file, "--out", tmp_path / "model.json", "--states", "2")
    assert (said.code, "is constant" in said.err) == (1, True)
    assert not (tmp_path / "model.json").exists()


@pytest.mark.slow
@pytest.mark.req("REG-7")
def test_a_month_is_told_day_by_day_and_again_the_same(verb):
    told = verb("regime", "month", "--days", "2", "-o", "json")
    assert told.code == 0
    assert [day["day"] for day in told.json["days"]] == [1, 2]
    assert [one["kind"] for one in told.json["trace"][:2]] == ["memory", "regime"]
    table = verb("regime", "month", "--days", "2")
    assert table.lines[0].split()[:3] == ["DAY", "MARKET", "REGIME"]
    assert told.json["digest"][:16] in table.lines[-1]
    refused = verb("regime", "month", "--days", "0")
    assert refused.code == 2
    assert "1 to 250" in refused.err
