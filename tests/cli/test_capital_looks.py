"""`swarmctl capital tried|look`: a step is earned by a look that was announced."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.rungs import RungChange, Rungs
from swarm.adapters.postgres.store.regime.states import RegimeStates, SavedState
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.regime.nouns import Rung
from swarm.runtime.regime.promotion import LIMITS_SEEN

pytestmark = pytest.mark.req("REG-9")
IN = ("--regime", "trend")
STEP = ("capital", "step", "momentum", "--stream", "spx", "--reason", "r", "--to", "1")
SKILLED, UNSKILLED = 0.35, 0.0


def written(folder, excess, first=0, name="excess.csv"):
    rows = [f"{tick},{one!r}" for tick, one in enumerate(excess.tolist(), first)]
    path = folder / name
    path.write_text("\n".join(["tick,excess", *rows, ""]))
    return path


def shown(mean, ticks=300, seed=5):
    return np.random.default_rng(seed).normal(mean, 1.0, ticks)


def tried(place, path, what="window 20", *more):
    return place("capital", "tried", "momentum", str(path), *IN, "--what", what, *more)


def watched(place):
    """The regime and the word on its limits, as those who watch would have stored them."""

    async def work():
        async with Database(place.dsn) as database:
            state = SavedState(
                stream="spx", cycle="c-1", tick=400, at_ns=1, model_version="m", params_hash="p",
                state=b"s", record={"id": "trend"},
            )  # fmt: skip
            await RegimeStates(database).save(state)
            evidence = ControlEvidences(database)
            await evidence.add(LIMITS_SEEN, "momentum", time.time_ns(), {}, passed=True)

    asyncio.run(work())


@pytest.mark.slow
@pytest.mark.req("REG-7")
@pytest.mark.parametrize(
    ("mean", "verdict", "code"), [(SKILLED, "passed", 0), (UNSKILLED, "rejected", 6)]
)
def test_what_a_look_found_is_what_a_step_up_asks_for(place, tmp_path, mean, verdict, code):
    watched(place)
    assert place("capital", "look", "momentum", *IN, "--at", "299").code == 0
    assert "No look is due" in place("capital", "look", "momentum", *IN).err
    given_up = written(tmp_path, shown(UNSKILLED, seed=6), name="given-up.csv")
    assert tried(place, given_up, "window 10").code == 0
    assert tried(place, written(tmp_path, shown(mean))).code == 0
    found = place("capital", "look", "momentum", *IN, "-o", "json").json["items"]
    assert [one["look"] for one in found] == [1]
    assert place("capital", "look", "momentum", *IN, "-o", "json").json["items"] == []
    assert (found[0]["verdict"], place(*STEP).code) == (verdict, code)


def test_a_longer_file_adds_what_is_new_and_another_word_on_a_tick_is_refused_whole(
    place, tmp_path
):
    excess = shown(UNSKILLED, 100)
    assert "60 ticks added, 0 known" in tried(place, written(tmp_path, excess[:60])).out
    assert "0 ticks added, 60 known" in tried(place, written(tmp_path, excess[:60])).out
    assert "40 ticks added, 60 known" in tried(place, written(tmp_path, excess)).out
    longer = np.append(excess, 1.0)
    longer[3] += 1.0
    said = tried(place, written(tmp_path, longer))
    assert (said.code, "tick 3 showed" in said.err) == (7, True)
    assert "1 ticks added, 100 known" in tried(place, written(tmp_path, np.append(excess, 2.0))).out


def test_a_look_is_announced_before_its_tick_was_seen(place, tmp_path):
    assert tried(place, written(tmp_path, shown(UNSKILLED, 50))).code == 0
    late = place("capital", "look", "momentum", *IN, "--at", "49")
    assert (late.code, "tick 49 was seen already" in late.err) == (6, True)
    assert "look 1 is due" in place("capital", "look", "momentum", *IN, "--at", "80").out
    assert "look 1 is due" in place("capital", "look", "momentum", *IN, "--at", "80").out
    before = place("capital", "look", "momentum", *IN, "--at", "60")
    assert (before.code, "lies before look 1" in before.err) == (6, True)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tick,excess\n", "no row below its header"),
        ("tick,gain\n1,2\n", "no column named excess"),
        ("tick,excess\n2,0.1\n2,0.1\n", "line 3: tick is '2'; one behind 2"),
        ("tick,excess\n-1,0.1\n", "line 2: tick"),
        ("tick,excess\n9999999999999999999,0.1\n", "line 2: tick"),
        ("tick,excess\n1,nan\n", "line 2: excess"),
        ("tick,excess\n1,\n", "line 2: excess"),
        ("tick,excess\n1,1e999\n", "line 2: excess"),
    ],
)
def test_a_bad_file_is_refused_by_line(place, tmp_path, text, names):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    said = tried(place, path)
    assert (said.code, names in said.err) == (1, True), said.err


@pytest.mark.parametrize(
    "words",
    [
        ("look", "momentum", "--regime", "uncertain"),
        ("look", "", *IN),
        ("look", "momentum", *IN, "--at", "-1"),
    ],
)
def test_bad_words_are_refused(place, words):
    assert place("capital", *words).code == 2


def stands(place):
    return place("capital", "show", "-o", "json").json["strategies"][0]


def climbed(place, rung=Rung.FIVE, tick=99):
    async def work():
        async with Database(place.dsn) as database:
            change = RungChange(
                strategy="momentum", seq=1, at_ns=1, rung=rung, cause="test",
                evidence={"tick": tick, "tested": 90},
            )  # fmt: skip
            await Rungs(database).append(change)

    asyncio.run(work())


@pytest.mark.req("REG-6", "REG-7")
def test_whoever_turns_out_worse_than_its_baseline_falls_to_shadow_at_once_and_once(
    place, tmp_path
):
    """Whatever it was before it came to its rung; the way back begins behind what it lost by."""
    climbed(place)
    losing = np.concatenate([shown(SKILLED, 100), shown(-0.6, 120)])
    said = tried(place, written(tmp_path, losing[:115]))
    assert (said.code, "falls" in said.err) == (0, False), "fifteen are too few to say"
    assert stands(place)["rung"] == "5%"
    said = tried(place, written(tmp_path, losing))
    assert "momentum falls to shadow: worse-than-baseline: 120 observations in trend" in said.err
    assert stands(place)["rung"] == "shadow"
    assert stands(place)["cause"].startswith("worse-than-baseline")
    again = tried(place, written(tmp_path, losing))
    assert "falls" not in again.err
    watched(place)
    refused = place(*STEP)
    assert refused.code == 6
    assert "the bet that it is worse" not in refused.err
    assert "observations at this rung" in refused.err


@pytest.mark.req("REG-6")
def test_a_strategy_that_is_no_worse_keeps_its_rung_and_another_ledger_says_nothing_of_it(
    place, tmp_path
):
    climbed(place)
    assert tried(place, written(tmp_path, shown(UNSKILLED, 300))).code == 0
    other = written(tmp_path, shown(-0.6, 300), name="other.csv")
    words = ("--regime", "trend", "--what", "x", "--objective", "momentum")
    said = place("capital", "tried", "carry", str(other), *words)
    assert (said.code, "falls" in said.err) == (0, False), "carry is in shadow"
    assert stands(place)["rung"] == "5%"


@pytest.mark.req("REG-6")
def test_a_look_sees_it_too_when_the_trial_was_there_before_the_rung(place, tmp_path):
    """The bet is asked of every strategy of the ledger, also where no look is due."""
    losing = np.concatenate([shown(SKILLED, 100), shown(-0.6, 120)])
    assert tried(place, written(tmp_path, losing)).code == 0
    climbed(place)
    said = place("capital", "look", "momentum", *IN)
    assert "momentum falls to shadow" in said.err
    assert stands(place)["rung"] == "shadow"
