"""The whole engine: what it says, that it can be stopped anywhere, and that nothing breaks it."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest

from swarm.regime.changepoint import recursion
from swarm.regime.changepoint.params import Params as ChangepointParams
from swarm.regime.drift import window
from swarm.regime.engine import tick
from swarm.regime.engine.params import EngineParams
from swarm.regime.engine.record import older_view, record
from swarm.regime.engine.state import empty, restore
from swarm.regime.engine.step import Observation, advance, step
from swarm.regime.engine.tick import DRIFT_LEVEL, DRIFT_SCALE
from swarm.regime.ensemble import DRIFT
from swarm.regime.errors import AlteredState, BadInput, BadObservation, BadParameters, ForeignState
from swarm.regime.hysteresis import rule
from swarm.regime.hysteresis.policy import Policy
from swarm.regime.hysteresis.reasons import RegimeReason
from swarm.regime.markov.params import MarkovParams
from swarm.regime.microstructure import Params as QuoteParams
from swarm.regime.microstructure import Reading
from swarm.regime.nouns import HIDDEN, Posture, Regime
from swarm.regime.transform.reference import Reference

SCALES = np.array([0.3, 0.6, 1.2, 3.0])


def model(**change):
    transition = np.full((4, 4), 0.01 / 3)
    np.fill_diagonal(transition, 0.99)
    fields = {
        "transition": transition, "intercept": np.zeros(4), "ar": np.zeros((4, 0)),
        "scale": SCALES, "nu": np.full(4, 6.0), "labels": HIDDEN,
    }  # fmt: skip
    return MarkovParams(**{**fields, **change})


def engine(**change):
    markov = change.pop("markov", model())
    fields = {
        "markov": markov,
        "references": (Reference(degrees=4.0, location=0.0, scale=0.7),),
        "changepoint": ChangepointParams(hazard=1 / 250, hypotheses=32, short=50),
        "trusted": frozenset({markov.hash()}),
    }
    return EngineParams(**{**fields, **change})


PARAMS = engine()


def returns(seed, ticks, streams=1):
    """Returns whose scale changes every hundred ticks or so."""
    rng = np.random.default_rng(seed)
    scale = np.repeat(rng.choice(SCALES, (ticks // 100 + 1, streams)), 100, axis=0)[:ticks]
    return rng.standard_t(6, (ticks, streams)) * scale


def fed(values, params=PARAMS, state=None, **more):
    """The state after these ticks, shape (T, S), and everything that was said."""
    state, said = state or empty(values.shape[1], params), []
    for row in values:
        said += advance(state, Observation(at=state.tick + 2, values=row, **more), params)
    return state, said


def settled(scale=0.3, ticks=120):
    rng = np.random.default_rng(9)
    return fed(rng.standard_normal((ticks, 1)) * scale)[0]


@pytest.mark.req("REG-1")
def test_the_record_holds_what_the_contract_names():
    state, _ = fed(returns(1, 150))
    told = json.loads(json.dumps(record(state, 0, PARAMS).to_json(), allow_nan=False))
    assert {
        *("id", "posterior", "changepointScore", "driftScore", "disagreement", "posture"),
        *("updatedAt", "minDwellUntil", "candidate", "runStart", "modelVersion", "stateHash"),
        "reasons",
    } <= set(told)
    assert set(told["posterior"]) == {"trend", "mean-revert", "high-vol", "stressed-liquidity"}
    assert sum(told["posterior"].values()) == pytest.approx(1.0, abs=1e-9)
    assert (told["tick"], told["updatedAt"]) == (149, 150)


@pytest.mark.req("REG-1", "REG-4")
def test_it_begins_uncertain_and_learns():
    state, said = fed(np.zeros((1, 1)))
    assert record(state, 0, PARAMS).id == Regime.UNCERTAIN
    assert record(state, 0, PARAMS).posture == Posture.DEFENSIVE
    calm = record(settled(), 0, PARAMS)
    assert (calm.id, calm.posture, calm.reasons) == (Regime.TREND, Posture.NORMAL, 0)


@pytest.mark.req("REG-3", "REG-4")
def test_stress_is_met_with_caution_within_a_few_ticks_and_then_by_name():
    state = settled()
    rng = np.random.default_rng(3)
    storm = rng.standard_normal((60, 1)) * 4.0
    postures = []
    for row in storm:
        fed(row[None], state=state)
        postures.append(record(state, 0, PARAMS).posture)
    assert Posture.DEFENSIVE in postures[:4]
    assert record(state, 0, PARAMS).active == Regime.STRESSED_LIQUIDITY


@pytest.mark.req("REG-3")
def test_what_is_said_is_what_the_records_show():
    values, state, seen = returns(4, 600), empty(1, PARAMS), []
    before = record(state, 0, PARAMS)
    for row in values:
        _, said = fed(row[None], state=state)
        now = record(state, 0, PARAMS)
        keys = [(r.id, r.active, r.posture, r.reasons) for r in (before, now)]
        assert bool(said) == (keys[0] != keys[1])
        for one in said:
            assert (one.before, one.said, one.active) == (before.id, now.id, now.active)
            assert (one.posture, one.reasons, one.tick) == (now.posture, now.reasons, now.tick)
        seen += said
        before = now
    assert len({one.active for one in seen}) >= 3


# --- failing detectors ---------------------------------------------------------------------------


@pytest.mark.req("REG-4")
def test_a_model_that_nobody_signed_is_heard_and_not_believed():
    params = engine(trusted=frozenset())
    state, _ = fed(np.zeros((200, 1)), params)
    told = record(state, 0, params)
    assert (told.id, told.posture) == (Regime.UNCERTAIN, Posture.DEFENSIVE)
    assert RegimeReason.DETECTOR_UNKNOWN in told.reasons


@pytest.mark.req("REG-4")
def test_silence_is_met_with_caution_once_it_is_stale():
    state = settled()
    silence = np.full((1, 1), np.nan)
    for missing in range(1, 9):
        fed(silence, state=state)
        told = record(state, 0, PARAMS)
        assert told.reasons & (RegimeReason.NOTHING_SEEN | RegimeReason.DETECTOR_STALE)
        if missing >= PARAMS.changepoint.stale:
            assert (told.id, told.posture) == (Regime.UNCERTAIN, Posture.DEFENSIVE)
            assert RegimeReason.DETECTOR_STALE in told.reasons


@pytest.mark.req("REG-4")
def test_after_hours_of_silence_one_fresh_tick_is_no_recovery():
    """It asks for several good ticks in a row, and then relaxes by itself."""
    state = settled()
    fed(np.full((500, 1), np.nan), state=state)
    rng = np.random.default_rng(5)
    fresh = 0
    while record(state, 0, PARAMS).posture != Posture.NORMAL:
        fed(rng.standard_normal((1, 1)) * 0.3, state=state)
        fresh += 1
        assert fresh < 99, "it never comes back"
    assert record(state, 0, PARAMS).id == Regime.TREND
    assert fresh > 5


@pytest.mark.req("REG-4")
@pytest.mark.parametrize("victim", [0, 4, 9, 14], ids=["markov", "changepoint", "drift", "run"])
def test_a_detector_that_is_killed_makes_us_defensive_within_the_tick(victim):
    state = settled()
    assert record(state, 0, PARAMS).posture == Posture.NORMAL
    state.arrays[victim][:] = np.nan
    fed(np.array([[0.1]]), state=state)
    told = record(state, 0, PARAMS)
    assert (told.id, told.posture) == (Regime.UNCERTAIN, Posture.DEFENSIVE)
    assert RegimeReason.DETECTOR_BROKEN in told.reasons


# --- quotes --------------------------------------------------------------------------------------


@pytest.mark.req("REG-2", "REG-4")
def test_quotes_have_their_vote_and_stress_is_believed_before_returns_show_it():
    state = settled()
    quiet, loud = np.array([0.01]), np.array([0.999])
    fed(np.array([[0.1]]), state=state, stress=quiet)
    assert record(state, 0, PARAMS).posture == Posture.NORMAL
    before = record(state, 0, PARAMS).posterior[3]
    for _ in range(3):
        fed(np.array([[0.1]]), state=state, stress=loud)
    told = record(state, 0, PARAMS)
    assert told.posterior[3] > before + 0.4
    assert told.posture == Posture.DEFENSIVE
    assert told.reasons & (RegimeReason.DISAGREEMENT | RegimeReason.DEFENSIVE_MASS)


@pytest.mark.req("REG-2", "REG-4")
def test_a_market_that_is_broken_is_believed_at_once():
    state = settled()
    fed(np.array([[0.1]]), state=state, trips=np.array([1]))
    told = record(state, 0, PARAMS)
    assert told.id == Regime.UNCERTAIN
    assert RegimeReason.HARD_TRIP in told.reasons


QUOTED = engine(quotes=QuoteParams(times=1, warm=20))
SECOND = 1_000_000_000


def reading(at, streams=1, *, wide=1.0, crossed=False):
    """Quotes as usual, or with a spread and an impact that many times wider, a thinner book."""
    rng = np.random.default_rng(at)
    noise = np.exp(rng.normal(0, 0.1, (5, streams)))
    return Reading(
        at=np.full(streams, at, dtype=np.int64),
        spread=2e-4 * wide * noise[0],
        depth=1e6 / wide * noise[1],
        change=1e-5 * wide * noise[2],
        flow=100.0 * noise[3],
        variance=1e-8 * wide * noise[4],
        quote_age=np.zeros(streams, dtype=np.int64),
        crossed=np.full(streams, crossed),
    )


def quoted(state, ticks, **how):
    rng = np.random.default_rng(state.tick + 2)
    for _ in range(ticks):
        at = (state.tick + 2) * SECOND
        seen = Observation(at=at, values=rng.standard_normal(1) * 0.3, reading=reading(at, **how))
        advance(state, seen, QUOTED)
    return state


@pytest.mark.req("REG-2", "REG-4")
def test_quotes_are_read_within_the_tick_and_kept_with_the_state():
    state = quoted(empty(1, QUOTED), 120)
    assert record(state, 0, QUOTED).posture == Posture.NORMAL
    again = restore(state.to_bytes(QUOTED), QUOTED)
    for one in (state, again, state.copy()):
        quoted(one, 4, wide=30.0)
        told = record(one, 0, QUOTED)
        assert told.posture == Posture.DEFENSIVE
        assert told.posterior[3] > 0.3
    assert state.to_bytes(QUOTED) == again.to_bytes(QUOTED)
    assert state.hash_of(0, QUOTED) == again.hash_of(0, QUOTED)


@pytest.mark.req("REG-2")
def test_quotes_of_more_streams_run_the_machine_code_that_is_there():
    """To compile another takes seconds, and the first tick with quotes would wait for them."""
    pytest.importorskip("numba")
    compiled = []
    for streams in (1, 3):
        at = SECOND
        seen = Observation(at=at, values=np.zeros(streams), reading=reading(at, streams))
        advance(empty(streams, QUOTED), seen, QUOTED)
        compiled.append(len(tick.advance_all.signatures))
    assert compiled[1] == compiled[0]


@pytest.mark.req("REG-4")
def test_a_crossed_book_is_believed_at_once():
    state = quoted(quoted(empty(1, QUOTED), 120), 1, crossed=True)
    assert RegimeReason.HARD_TRIP in record(state, 0, QUOTED).reasons
    assert record(state, 0, QUOTED).id == Regime.UNCERTAIN


@pytest.mark.parametrize(
    ("params", "more", "field"),
    [
        pytest.param(PARAMS, {}, "reading", id="no-quotes-expected"),
        pytest.param(QUOTED, {"stress": np.array([0.5])}, "stress", id="both"),
        pytest.param(QUOTED, {"reading": reading(3, streams=2)}, "reading", id="streams"),
    ],
)
def test_quotes_that_do_not_fit_are_refused_and_nothing_changes(params, more, field):
    state = empty(1, params)
    before = state.to_bytes(params)
    seen = Observation(**{"at": 5, "values": np.array([0.1]), "reading": reading(3), **more})
    with pytest.raises(BadObservation, match=field):
        advance(state, seen, params)
    assert state.to_bytes(params) == before


# --- stopped and gone on -------------------------------------------------------------------------


@pytest.mark.req("REG-2")
def test_it_may_be_stopped_and_restored_after_any_tick():
    values = returns(5, 150, 3)  # more than the run's ring holds
    values[20:30, 1] = np.nan
    whole, _ = fed(values, engine())
    parts = empty(3, PARAMS)
    for row in values:
        fed(row[None], state=parts)
        parts = restore(parts.to_bytes(PARAMS), PARAMS)
    assert parts.to_bytes(PARAMS) == whole.to_bytes(PARAMS)
    assert (parts.tick, parts.at) == (149, 150)


@pytest.mark.req("REG-2")
def test_a_step_leaves_the_state_that_it_was_given():
    state = settled()
    before = state.to_bytes(PARAMS)
    after, _ = step(state, Observation(at=10_000, values=np.array([1.0])), PARAMS)
    again, _ = step(state, Observation(at=10_000, values=np.array([1.0])), PARAMS)
    assert state.to_bytes(PARAMS) == before
    assert after.to_bytes(PARAMS) == again.to_bytes(PARAMS) != before


@pytest.mark.req("REG-2")
def test_streams_do_not_see_one_another():
    values = returns(6, 120, 5)
    together, _ = fed(values)
    for stream in range(5):
        alone, _ = fed(values[:, [stream]])
        assert together.hash_of(stream, PARAMS) == alone.hash_of(0, PARAMS)


TWIN = """
import sys, numpy as np
sys.path.insert(0, {tests!r})
from test_engine import PARAMS, fed, returns, tick
values = returns(7, {ticks}, 2); values[10:17, 0] = np.nan; values[30, 1] = 1e9
print(fed(values)[0].to_bytes(PARAMS)[-32:].hex())
if hasattr(tick.advance_all, "inspect_asm"):
    code = "".join(tick.advance_all.inspect_asm().values())
    print(*(one for one in ("xmm", "ymm", "zmm") if "%" + one in code))
"""


def in_another_process(ticks, **environment):
    """The hash at the end, and the registers of the machine code: 128, 256 and 512 bits."""
    code = TWIN.format(tests=str(Path(__file__).parent), ticks=ticks)
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.req("REG-2")
@pytest.mark.parametrize("ticks", [60, 10_000])
@pytest.mark.timeout(1800)  # plain Python takes some 7 ms for each tick and stream
def test_plain_python_in_another_process_gives_the_same_bits(ticks):
    values = returns(7, ticks, 2)
    values[10:17, 0], values[30, 1] = np.nan, 1e9
    here = fed(values)[0].to_bytes(PARAMS)[-32:].hex()
    assert in_another_process(ticks, NUMBA_DISABLE_JIT="1") == [here]


@pytest.mark.slow
@pytest.mark.req("REG-2")
@pytest.mark.parametrize(
    ("target", "widest", "wider"),
    [
        pytest.param("generic", "", "ymm", id="generic"),
        pytest.param("avx2", "ymm", "zmm", id="avx2"),
        pytest.param("avx512", "zmm", None, id="avx512"),
    ],
    indirect=["target"],
)
@pytest.mark.timeout(600)
def test_code_for_another_processor_gives_the_same_bits(target, widest, wider, tmp_path):
    """And it is code for that processor: its registers are used, and no wider ones."""
    found, registers = in_another_process(2_000, NUMBA_CACHE_DIR=str(tmp_path), **target)
    values = returns(7, 2_000, 2)
    values[10:17, 0], values[30, 1] = np.nan, 1e9
    assert found == fed(values)[0].to_bytes(PARAMS)[-32:].hex()
    assert widest in registers
    assert wider is None or wider not in registers


# --- nothing breaks it ---------------------------------------------------------------------------


def abuse(seed, ticks):
    """Eight streams: usual, outliers of 1e6, gaps, constant, tiny, huge, infinities, all of it."""
    rng = np.random.default_rng(seed)
    values = rng.standard_t(3, (ticks, 8))
    hit = rng.random((ticks, 8)) < 0.01
    values[:, 1] = np.where(hit[:, 1], values[:, 1] * 1e6, values[:, 1])
    values[:, 2] = np.where(rng.random(ticks) < 0.2, np.nan, values[:, 2])
    values[ticks // 3 : ticks // 2, 2] = np.nan
    values[:, 3] = 0.7
    values[:, 4] *= 1e-12
    values[:, 5] *= 1e12
    values[:, 6] = np.where(hit[:, 6], np.copysign(np.inf, values[:, 6]), values[:, 6])
    values[:, 7] = rng.choice([0.0, 1e-300, 1e300, -1e308, np.nan, np.inf, 5e-324, 1.0], ticks)
    return values


def abuse_quotes(seed, ticks):
    """Quotes of eight streams: usual, and in one of a hundred readings none, absurd or beyond."""
    rng = np.random.default_rng(seed)
    usual = np.array([2e-4, 1e6, 1e-5, 100.0, 1e-8])
    numbers = usual * np.exp(rng.normal(0, 0.1, (ticks, 8, 5)))
    bad = rng.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 5e-324], numbers.shape)
    numbers = np.where(rng.random(numbers.shape) < 0.01, bad, numbers)
    ages = rng.choice([0, SECOND, 2**62, -1], (ticks, 8), p=[0.9, 0.08, 0.01, 0.01])
    crossed = rng.random((ticks, 8)) < 0.001
    for n in range(ticks):
        spread, depth, change, flow, variance = numbers[n].T
        at = np.full(8, (seed + n + 1) * SECOND)
        yield Reading(
            at=at, spread=spread, depth=depth, change=change, flow=flow, variance=variance,
            quote_age=ages[n], crossed=crossed[n],
        )  # fmt: skip


def assert_mass_is_one(state):
    """Of the pooled opinion, of the states, and of the hypotheses about the run."""
    opinions, (posterior, numbers, counts) = state.opinions, itemgetter(0, 4, 5)(state.arrays)
    live = np.arange(numbers.shape[2]) < counts[:, [recursion.LIVE]]
    runs = np.where(live, np.exp(numbers[:, recursion.LOG_WEIGHT]), 0.0)
    for mass in (opinions[:, :4].sum(axis=1), posterior.sum(axis=0), runs.sum(axis=1)):
        assert np.abs(mass - 1).max() <= 1e-9
    assert (opinions >= 0).all()
    assert (opinions <= 1).all()


def resident():
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.req("REG-2")
@pytest.mark.parametrize(
    ("ticks", "block"),
    [
        pytest.param(1_500, 500, id="short"),
        pytest.param(1_000_000, 5_000, id="a-million", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(1800)
def test_whatever_comes_there_is_no_nan_the_mass_is_one_and_memory_is_flat(ticks, block):
    state, held = empty(8, QUOTED), []
    size = len(state.to_bytes(QUOTED))
    for first in range(0, ticks, block):
        quotes = abuse_quotes(first, block)
        for row, reading in zip(abuse(first, block), quotes, strict=True):
            at = (state.tick + 2) * SECOND
            advance(state, Observation(at=at, values=row, reading=reading), QUOTED)
            assert_mass_is_one(state)
        for array in (*state.arrays, state.quotes.bins, state.quotes.weights, state.quotes.sums):
            assert np.isfinite(array).all()
        held.append(resident())
    assert state.tick == ticks - 1
    assert abs(len(state.to_bytes(QUOTED)) - size) < 32, "only the digits of the tick grow"
    # The first fifth is for whatever is made once; eight bytes a tick would then be six million.
    begun = held[len(held) // 5 :]
    assert max(begun) - begun[0] < 4 * 2**20, [one - begun[0] for one in begun]


# --- refusals ------------------------------------------------------------------------------------

ONE = np.array([0.1])


@pytest.mark.parametrize(
    ("observation", "field"),
    [
        pytest.param(Observation(at=121, values=ONE), None, id="later"),
        pytest.param(Observation(at=120, values=ONE), "at", id="duplicate"),
        pytest.param(Observation(at=119, values=ONE), "at", id="late"),
        pytest.param(Observation(at=121.0, values=ONE), "at", id="no-integer"),
        pytest.param(Observation(at=2**63 - 1, values=ONE), None, id="the-last-time-there-is"),
        pytest.param(Observation(at=2**63, values=ONE), "at", id="no-such-time"),
        pytest.param(Observation(at=121, values=np.zeros(2)), "values", id="streams"),
        pytest.param(Observation(at=121, values=np.zeros((1, 1))), "values", id="columns"),
        pytest.param(Observation(at=121, values=ONE, stress=ONE + 1), "stress", id="stress"),
        pytest.param(Observation(at=121, values=ONE, stress=np.zeros(2)), "stress", id="quotes"),
        pytest.param(
            Observation(at=121, values=ONE, trips=np.zeros(2, dtype=np.int64)), "trips", id="trips"
        ),
    ],
)
def test_an_observation_that_does_not_fit_is_refused_and_nothing_changes(observation, field):
    state = settled()
    before = state.to_bytes(PARAMS)
    if field is None:
        advance(state, observation, PARAMS)
        assert state.to_bytes(PARAMS) != before
        return
    with pytest.raises(BadObservation, match=field):
        advance(state, observation, PARAMS)
    assert state.to_bytes(PARAMS) == before


def test_a_saved_state_is_bound_to_its_bytes_and_its_parameters():
    saved = settled().to_bytes(PARAMS)
    with pytest.raises(AlteredState):
        restore(saved[:-40] + b"\x01" + saved[-39:], PARAMS)
    with pytest.raises(AlteredState):
        restore(saved[:100], PARAMS)
    for other in (engine(policy=Policy(dwell=21)), engine(markov=model(nu=np.full(4, 7.0)))):
        with pytest.raises(ForeignState):
            restore(saved, other)


def test_every_parameter_is_part_of_the_models_version():
    others = [
        engine(markov=model(nu=np.full(4, 7.0))),
        engine(policy=Policy(dwell=21)),
        engine(changepoint=ChangepointParams(hazard=1 / 251, hypotheses=32, short=50)),
        engine(drift=replace(PARAMS.drift, delta=0.1)),
        engine(references=(Reference(degrees=5.0, location=0.0, scale=0.7),)),
    ]
    assert len({one.version for one in (PARAMS, engine(), *others)}) == 6


def test_references_and_streams_that_do_not_fit_are_refused():
    with pytest.raises(BadParameters, match="references"):
        empty(3, engine(references=PARAMS.references * 2))
    with pytest.raises(BadParameters, match="references"):
        engine(references=())
    with pytest.raises(BadInput, match="streams"):
        empty(0, PARAMS)


# --- the view for older readers ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.req("REG-1", "REG-4")
def test_the_older_view_says_why_whenever_it_falls_back():
    values = returns(8, 400)
    values[150:160] = np.nan
    state, bands, fell_back = empty(1, PARAMS), set(), 0
    for row in values:
        fed(row[None], state=state)
        view = older_view(state, 0, PARAMS)
        guard = view["guardrail"]
        assert bool(guard["reason"]) or not guard["fallback_to_defensive"]
        assert guard["fallback_to_defensive"] == (record(state, 0, PARAMS).posture != "normal")
        assert not guard["stale"] or "detector-stale" in guard["reason"]
        assert sum(map(float, view["posterior"].values())) == pytest.approx(1.0, abs=1e-8)
        bands.add(view["entropy_band"])
        fell_back += guard["fallback_to_defensive"]
    assert json.loads(json.dumps(view))["schema"] == "hmm_regime_context_v1"
    assert view["regime_id"] in {"R1", "R2", "R3", "R4", "R5"}
    assert {"low", "medium"} <= bands
    assert 0 < fell_back < 400


def test_the_length_of_a_regime_is_told_in_milliseconds():
    state = empty(1, PARAMS)
    rng = np.random.default_rng(9)
    for n in range(50):
        values = rng.standard_normal(1) * 0.3
        advance(state, Observation(at=(n + 1) * 60_000_000_000, values=values), PARAMS)
    since = record(state, 0, PARAMS).since_at
    assert older_view(state, 0, PARAMS)["duration_ms"] == (50 * 60_000_000_000 - since) // 10**6


# --- the design of the hysteresis, with the real detectors ---------------------------------------


@pytest.mark.slow
@pytest.mark.req("REG-3", "REG-4")
@pytest.mark.timeout(600)
def test_the_posture_is_hardly_ever_laxer_than_the_truth():
    """Three regimes of 0.6, 1.2 and 3 %, stays of 250, 150 and 100 ticks, 5 x 20,000 ticks."""
    from swarm.testing.regime_design import measure

    found = measure(streams=5, ticks=20_000)
    assert found.laxer <= 0.015
    assert found.laxer_in_stress <= 0.04
    assert found.switches <= 1.0
    assert found.label_right >= 0.75


@pytest.mark.req("REG-2", "REG-3")
def test_regimes_that_the_model_knows_are_no_drift():
    """The ranks are those under what the filter foretold: a regime comes and goes within them."""
    from swarm.testing.regime_design import run

    scores = []
    run(2, 3_000, lambda _, state: scores.append(state.opinions[:, DRIFT].max()))
    assert max(scores) < 0.5


@pytest.mark.req("REG-2", "REG-3")
@pytest.mark.parametrize(
    ("column", "change"),
    [
        pytest.param(DRIFT_SCALE, lambda x: x * 3, id="wilder-than-any-state"),
        pytest.param(DRIFT_LEVEL, lambda x: x + 3.0, id="another-mean"),
    ],
)
def test_a_law_that_the_model_does_not_know_is_drift(column, change):
    rng = np.random.default_rng(12)
    known = rng.standard_t(6, (400, 1)) * SCALES[-1]
    state, _ = fed(known)
    assert state.opinions[0, DRIFT] < 0.5
    ticks = 0
    while state.opinions[0, DRIFT] < 0.9:
        fed(change(rng.standard_t(6, (1, 1)) * SCALES[-1]), state=state)
        ticks += 1
        assert ticks < 150, "nobody asks for a new fit"
    assert state.notes[0, column] == state.tick


@pytest.mark.req("REG-2")
def test_a_tick_that_is_missing_has_no_rank():
    state, _ = fed(np.array([[0.1], [np.nan], [np.inf], [1e200], [0.2]]))
    seen = state.arrays[10][:, window.SEEN]
    assert seen.tolist() == [2, 2]


def test_the_places_of_the_detectors_in_the_state_are_where_the_tests_kill_them():
    state = empty(2, PARAMS)
    assert state.arrays[0].shape == (4, 2)
    assert state.arrays[4].shape == (2, 5, 32)
    assert state.arrays[9].shape == (2 * tick.WINDOWS, 3)
    assert state.arrays[14] is state.rings
    assert state.rows.shape == (2, rule.ROW)
    assert hashlib.sha256(state.to_bytes(PARAMS)[:-32]).digest() == state.to_bytes(PARAMS)[-32:]
