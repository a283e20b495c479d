"""`swarmctl capital` on a real database: a step is earned, and what is missing is said."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.states import RegimeStates, SavedState
from swarm.adapters.postgres.store.regime.trials import Trials
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.regime.controls.events import Killed, Tripped
from swarm.runtime.regime.promotion import LIMITS_SEEN


def stored(place, work):
    async def run():
        async with Database(place.dsn) as database:
            return await work(database)

    return asyncio.run(run())


async def proven(database, *, passed=True, clean=True, regime="trend", observations=300, minutes=0):
    """All that a step from shadow asks for, as those who watch would have stored it."""
    state = SavedState(
        stream="spx", cycle="c-1", tick=400, at_ns=1, model_version="m", params_hash="p",
        state=b"s", record={"id": regime},
    )  # fmt: skip
    await RegimeStates(database).save(state)
    trials = Trials(database, "alpha", regime)
    trial = await trials.register("momentum", {"window": 20})
    excess = np.random.default_rng(1).normal(0.05, 1.0, observations)
    await trials.add_excess(trial, 0, excess.tolist())
    await trials.register_look(1, observations)
    finding = {
        "verdict": "passed" if passed else "rejected", "why": "w", "observations": observations,
        "trials": 1, "universe": "u",
    }  # fmt: skip
    await trials.conclude(1, [trial], {"findings": {"momentum": finding}})
    seen = ControlEvidences(database)
    at_ns = time.time_ns() - minutes * 60_000_000_000
    await seen.add(LIMITS_SEEN, "momentum", at_ns, {}, passed=clean)


STEP = ("capital", "step", "momentum", "--stream", "spx", "--objective", "alpha", "--reason", "r")


@pytest.mark.slow
@pytest.mark.req("REG-7")
def test_nothing_known_is_a_no_and_each_missing_thing_is_said(place):
    said = place(*STEP, "--to", "1")
    assert (said.code, said.out) == (6, "")
    for missing in ("a regime that is known", "a fresh word", "a registered look"):
        assert missing in said.err
    shown = place("capital", "show", "-o", "json").json
    assert shown["strategies"] == []
    assert "no limit set is stored" in shown["left_to_do"][0]


@pytest.mark.req("REG-7")
def test_a_step_that_was_earned_is_made_once_and_the_next_begins_anew(place):
    stored(place, proven)
    assert place(*STEP, "--to", "1").code == 0
    again = place(*STEP, "--to", "1")
    assert (again.code, "already" in again.err) == (6, True)
    next_ = place(*STEP, "--to", "5")
    assert next_.code == 6
    assert "observations at this rung" in next_.err
    assert "a registered look since the last step" in next_.err
    assert place("capital", "show", "-o", "json").json["strategies"][0]["rung"] == "1%"
    assert place(*STEP, "--to", "shadow").code == 0

    async def more(database):
        trials = Trials(database, "alpha", "trend")
        (trial,) = await trials.universe()
        excess = np.random.default_rng(2).normal(0.05, 1.0, 300)
        await trials.add_excess(trial.id, 401, excess.tolist())

    stored(place, more)
    used = place(*STEP, "--to", "1")
    assert used.code == 6
    assert "observations" not in used.err
    assert "a registered look since the last step" in used.err, "a look justifies one step"


@pytest.mark.req("REG-7")
@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"passed": False}, "a look that finds it better"),
        ({"clean": False}, "no limit of the regime may be breached"),
        ({"observations": 100}, "observations at this rung"),
    ],
)
def test_one_missing_thing_is_enough_for_a_no(place, change, missing):
    stored(place, lambda database: proven(database, **change))
    said = place(*STEP, "--to", "1")
    assert said.code == 6, said.out
    assert missing in said.err


@pytest.mark.req("REG-7")
@pytest.mark.parametrize(
    ("lasts", "minutes", "code"),
    [
        pytest.param("", 4, 0, id="five-minutes-where-nobody-says"),
        pytest.param("", 6, 6, id="and-no-longer"),
        pytest.param('word_lasts = "3m"', 4, 6, id="less-where-a-target-says"),
        pytest.param('word_lasts = "1h"', 50, 0, id="more-where-a-target-says"),
    ],
)
def test_a_word_is_as_old_for_a_step_as_it_is_for_the_gates(place, lasts, minutes, code):
    place.settings(
        '\n[targets.desk]\nrepo = "acme/shop"\nport = 8123\nrun = ["true"]\n'
        f'[regimes.desk]\nstream = "spx"\nstrategies = ["momentum"]\n{lasts}\n'
    )
    stored(place, lambda database: proven(database, minutes=minutes))
    said = place(*STEP, "--to", "1")
    assert said.code == code, said.err
    assert ("a fresh word" in said.err) is (code > 0)


@pytest.mark.parametrize(
    ("table", "names"),
    [
        pytest.param('stream = "s"', "regimes.desk.strategies: it is missing", id="none"),
        pytest.param('stream = "s"\nstrategies = []', "regimes.desk.strategies", id="no-strategy"),
        pytest.param('stream = ""\nstrategies = ["a"]', "regimes.desk.stream", id="no-stream"),
        pytest.param('stream = "  "\nstrategies = ["a"]', "regimes.desk.stream", id="blank"),
        pytest.param(
            'stream = "a\\u0007"\nstrategies = ["a"]', "regimes.desk.stream", id="unprintable"
        ),
        pytest.param(
            'stream = "s"\nstrategies = ["a", "a"]', "strategies: 'a' already stands", id="twice"
        ),
        pytest.param(
            'stream = "s"\nstrategies = ["a"]\nword_lasts = "1s"', "desk.word_lasts: 1s is shorter",
            id="a-short-word",
        ),
        pytest.param(
            'stream = "s"\nstrategies = ["a"]\nlimits = 1', "regimes.desk.limits: there is no",
            id="more",
        ),
    ],
)  # fmt: skip
def test_a_table_of_a_target_that_trades_is_refused_by_its_field(place, table, names):
    place.settings(
        '\n[targets.desk]\nrepo = "acme/shop"\nport = 8123\nrun = ["true"]\n'
        f"[regimes.desk]\n{table}\n"
    )
    said = place(*STEP, "--to", "1")
    assert (said.code, names in said.err) == (1, True), said.err
    assert "error SWM601" in said.err


@pytest.mark.req("REG-7")
def test_a_rung_is_never_skipped(place):
    stored(place, proven)
    said = place(*STEP, "--to", "5")
    assert (said.code, "a rung is never skipped" in said.err) == (6, True)


@pytest.mark.req("REG-10")
def test_what_is_switched_off_is_shown_holds_every_step_and_stays_with_its_writer(place):
    async def stop(database):
        await proven(database)
        chain = GateChain(database, "trading", "gate")
        await chain.open()
        off = [
            Killed(kill="k-1", scope="*", by="tom", reason="storm", at_ns=1),
            Tripped(latch="l-1", strategy="momentum", cause="repeated", at_ns=2),
        ]
        await chain.append([(1, off[0]), (2, off[1])])
        return chain

    async def go_on(database):
        chain = await stop(database)
        told = await asyncio.to_thread(place, "capital", "show", "-o", "json")
        # Looking took nothing over: the gate can still write.
        await chain.append([(3, Killed(kill="k-2", scope="*", by="tom", reason="r", at_ns=3))])
        return told

    shown = stored(place, go_on).json
    assert [one["id"] for one in shown["kills"]] == ["k-1"]
    assert any("lift-kill token" in one for one in shown["left_to_do"])
    assert any("re-enable token" in one for one in shown["left_to_do"])
    said = place(*STEP, "--to", "1")
    assert (said.code, "nothing frozen, latched, killed" in said.err) == (6, True)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--to", "7"), "--to is '7'"),
        (("--to", "1", "--chain", ""), "is no name"),
    ],
)
def test_bad_words_are_refused(place, words, names):
    said = place(*STEP, *words)
    assert (said.code, names in said.err) == (2, True), said.err
