"""What the regime runtime remembers: appended, read back to the bit, and never changed."""

import asyncio
import math
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from swarm.adapters.postgres.store.regime.errors import (
    ObservationRefused,
    StateDamaged,
    ToldOtherwise,
    TrialUnknown,
)
from swarm.adapters.postgres.store.regime.observations import Observation, Observations
from swarm.adapters.postgres.store.regime.rungs import RungChange, Rungs
from swarm.adapters.postgres.store.regime.states import RegimeStates, SavedState, SavedTransition
from swarm.adapters.postgres.store.regime.trials import Trials, trial_id
from swarm.adapters.postgres.store.retain import retain
from swarm.regime.nouns import Rung

ODD = (0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, -1 / 3)


def ticks(*numbers, value=(1.0,)):
    return [Observation(tick=tick, at_ns=tick * 10**9, value=value) for tick in numbers]


@pytest.mark.req("REG-2")
async def test_observations_come_back_to_the_bit(database):
    store = Observations(database)
    assert await store.append("spx", ticks(0, 1, 5, value=ODD)) == 3
    found = await store.since("spx", -1)
    assert found == ticks(0, 1, 5, value=ODD)
    assert math.copysign(1, found[0].value[1]) == -1
    assert [one.tick for one in await store.since("spx", 0, limit=1)] == [1]
    assert await store.newest("spx") == 5
    assert await store.newest("other") is None


@pytest.mark.req("REG-2")
async def test_an_observation_told_twice_is_one_and_told_otherwise_is_refused_whole(database):
    store = Observations(database)
    await store.append("spx", ticks(1, 2))
    assert await store.append("spx", ticks(2, 3)) == 1
    with pytest.raises(ToldOtherwise):
        await store.append("spx", [*ticks(2, value=(9.0,)), *ticks(4)])
    assert [one.tick for one in await store.since("spx", -1)] == [1, 2, 3]


@pytest.mark.req("REG-2")
@pytest.mark.parametrize(
    "bad",
    [
        ticks(2, 1), ticks(1, 1), ticks(1, value=()), ticks(1, value=(math.nan,)),
        ticks(1, value=(math.inf,)), ticks(-1),
    ],
)  # fmt: skip
async def test_observations_that_make_no_sense_are_refused(database, bad):
    with pytest.raises(ObservationRefused):
        await Observations(database).append("spx", bad)
    assert await Observations(database).append("spx", []) == 0


STATE = SavedState(
    stream="spx", cycle="m-1", tick=7, at_ns=7 * 10**9, model_version="hmm-3", params_hash="ab",
    state=bytes(range(256)), record={"id": "spx", "posterior": [0.1, 0.2, 0.3, 0.4]},
)  # fmt: skip


@pytest.mark.req("REG-1")
async def test_a_state_has_a_version_for_each_cycle(database):
    store = RegimeStates(database)
    assert await store.save(STATE) == 1
    assert await store.save(STATE) == 1
    assert await store.save(replace(STATE, cycle="m-2", tick=9)) == 2
    with pytest.raises(ToldOtherwise):
        await store.save(replace(STATE, state=b"other"))
    assert await store.load("spx", 1) == replace(STATE, version=1)
    assert (await store.load("spx")).cycle == "m-2"
    assert await store.load("spx", 3) is None
    assert await store.load("other") is None
    assert [one.version for one in await store.history("spx")] == [2, 1]


@pytest.mark.req("REG-1")
async def test_savers_at_once_count_on(database):
    stores = [RegimeStates(database) for _ in range(6)]
    saved = [replace(STATE, cycle=f"m-{number}") for number in range(6)]
    pairs = zip(stores, saved, strict=True)
    versions = await asyncio.gather(*(store.save(one) for store, one in pairs))
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]


@pytest.mark.req("REG-1")
async def test_a_damaged_state_is_not_loaded(database):
    store = RegimeStates(database)
    await store.save(STATE)
    async with database.connection() as connection:
        await connection.execute("alter table regime_state disable trigger all")
        await connection.execute("update regime_state set state = set_byte(state, 3, 77)")
    with pytest.raises(StateDamaged):
        await store.load("spx")


@pytest.mark.req("REG-4")
async def test_transitions_are_kept_with_their_reasons(database):
    store = RegimeStates(database)
    change = SavedTransition(
        tick=7, at_ns=7, was="trend", becomes="uncertain", posture="defensive",
        reasons=("detectors disagree", "HMM stale"),
    )  # fmt: skip
    for _ in range(2):
        assert await store.save(STATE, changes=[change]) == 1
    assert await store.transitions("spx") == [change]


@pytest.mark.req("REG-1")
async def test_a_state_whose_observations_are_refused_is_not_there(database):
    """Who goes on from it would never say again what is missing."""
    store = RegimeStates(database)
    seen = [Observation(tick=7, at_ns=7, value=(1.0,))]
    change = SavedTransition(
        tick=8, at_ns=8, was="trend", becomes="uncertain", posture="defensive", reasons=("doubt",)
    )
    await store.save(STATE, seen=seen)
    others = [Observation(tick=6, at_ns=6, value=(1.0,)), replace(seen[0], value=(2.0,))]
    with pytest.raises(ToldOtherwise):
        await store.save(replace(STATE, cycle="m-2", tick=9), seen=others, changes=[change])
    assert (await store.load("spx")).cycle == "m-1"
    assert await store.transitions("spx") == []
    assert await Observations(database).since("spx", -1) == seen


# --- trials --------------------------------------------------------------------------------------


@pytest.mark.req("REG-9")
async def test_the_universe_holds_every_trial_once_whatever_became_of_it(database):
    trials = Trials(database, "sharpe", "trend")
    one = await trials.register("drift", {"sha": "a", "window": 20})
    assert await trials.register("drift", {"window": 20, "sha": "a"}, parent="m-9") == one
    two = await trials.register("drift", {"sha": "a", "window": 21})
    await Trials(database, "sharpe", "high-vol").register("drift", {"sha": "a", "window": 20})
    await trials.add_excess(one, 0, ODD)
    await trials.add_excess(one, 5, [1.0])
    found = await trials.universe()
    assert [item.id for item in found] == [one, two]
    assert found[0].excess == ((0, ODD), (5, (1.0,)))
    assert found[1].excess == ()
    assert one == trial_id({"sha": "a", "window": 20})


@pytest.mark.req("REG-9")
@pytest.mark.parametrize(("first", "excess"), [(0, [9.0]), (2, [1.0, 2.0]), (1, [2.0])])
async def test_a_tick_of_a_trial_has_one_result(database, first, excess):
    trials = Trials(database, "sharpe", "trend")
    one = await trials.register("drift", {"sha": "a"})
    await trials.add_excess(one, 0, [1.0, 2.0, 3.0])
    await trials.add_excess(one, 0, [1.0, 2.0, 3.0])
    with pytest.raises(ToldOtherwise):
        await trials.add_excess(one, first, excess)


@pytest.mark.req("REG-9")
async def test_results_cannot_come_before_what_was_announced(database):
    trials = Trials(database, "sharpe", "trend")
    with pytest.raises(TrialUnknown):
        await trials.add_excess("f" * 64, 0, [1.0])
    with pytest.raises(ObservationRefused):
        await trials.add_excess("f" * 64, 0, [math.nan])
    with pytest.raises(TrialUnknown):
        await trials.conclude(1, [], {})
    await trials.register_look(1, 500)
    await trials.register_look(1, 500)
    with pytest.raises(ToldOtherwise):
        await trials.register_look(1, 400)
    await trials.conclude(1, ["a"], {"p": 0.04})
    await trials.conclude(1, ["a"], {"p": 0.04})
    with pytest.raises(ToldOtherwise):
        await trials.conclude(1, ["a"], {"p": 0.01})
    (look,) = await trials.looks()
    assert (look.due_tick, look.trials, look.result) == (500, ("a",), {"p": 0.04})


# --- rungs ---------------------------------------------------------------------------------------


def rung(seq, step, cause="proof"):
    return RungChange(
        strategy="drift", seq=seq, at_ns=seq, rung=step, cause=cause, evidence={"p": 0.01}
    )


@pytest.mark.req("REG-7")
async def test_the_ladder_has_a_history(database):
    store = Rungs(database)
    for change in (rung(1, Rung.SHADOW), rung(2, Rung.ONE), rung(2, Rung.ONE)):
        await store.append(change)
    assert await store.history("drift") == [rung(2, Rung.ONE), rung(1, Rung.SHADOW)]
    assert await store.now() == {"drift": Rung.ONE}
    for bad in (rung(2, Rung.FIVE), rung(4, Rung.FIVE), rung(1, Rung.ONE)):
        with pytest.raises(ToldOtherwise):
            await store.append(bad)


# --- append only ---------------------------------------------------------------------------------

KEPT = ["observation", "regime_state", "regime_transition", "trial", "trial_excess", "trial_look",
        "trial_result", "rung_change", "limit_set", "gate_record", "control_evidence",
        "assessment"]  # fmt: skip


@pytest.mark.req("REG-10")
@pytest.mark.parametrize("table", KEPT)
async def test_the_database_itself_lets_nothing_be_taken_back(database, table):
    async with database.connection() as connection:
        found = await connection.execute(
            "select tgname from pg_trigger where tgrelid = %s::regclass and not tgisinternal",
            [table],
        )
        names = {row[0] for row in await found.fetchall()}
        assert {f"{table}_kept", f"{table}_whole"} <= names
        with pytest.raises(psycopg.errors.RestrictViolation):
            await connection.execute(f"truncate {table} cascade".encode())


@pytest.mark.req("REG-10")
async def test_a_row_goes_only_once_its_retention_is_over(database):
    store = Observations(database)
    await store.append("spx", ticks(1, 2))
    async with database.connection() as connection:
        with pytest.raises(psycopg.errors.RestrictViolation):
            await connection.execute("delete from observation")
        with pytest.raises(psycopg.errors.RestrictViolation):
            await connection.execute("update observation set at = now() - interval '9 years'")
        await connection.execute(
            "insert into observation (stream, tick, at_ns, at, value) values ('spx', 3, 3, %s, %s)",
            [(await (await connection.execute("select now()")).fetchone())[0]
             - timedelta(days=400), [1.0]],
        )  # fmt: skip
    assert (await retain(database)).observations == 1
    assert (await retain(database)).observations == 0
    assert await store.newest("spx") == 2
