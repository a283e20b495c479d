"""All detectors together: the same bits wherever they run, and numbers whatever comes."""

import os
import subprocess
import sys

import numpy as np
import pytest

from swarm.regime import changepoint, drift
from swarm.regime.changepoint import recursion
from swarm.regime.changepoint.params import prepare as prepare_changepoint
from swarm.regime.drift import window
from swarm.regime.drift.detector import prepare as prepare_drift
from swarm.regime.kernel import compiled
from swarm.regime.transform import lookup
from swarm.regime.transform.reference import Reference

pytestmark = pytest.mark.req("REG-2")
USUAL = Reference(degrees=4.0, location=0.0, scale=1.0)

REPLAY = """
import hashlib, sys
import numpy as np
from swarm.regime import changepoint, drift, microstructure
from swarm.regime.transform import lookup
from swarm.regime.transform.reference import Reference
ticks, hypotheses = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.Generator(np.random.PCG64(42))
x = rng.random(ticks) * 4 + rng.random(ticks) * 4 - 4
x[ticks // 3 :] *= 2.5
x[ticks // 2 :] += 1.5
x[::97] = np.nan
x[::501] = 1e6
usual = lookup.prepare([Reference(degrees=4.0, location=0.1, scale=1.3)])
run, window, market = (
    changepoint.Params(hypotheses=hypotheses, short=50), drift.Params(), microstructure.Params())
runs, windows = changepoint.empty(1, run), drift.empty(2, window)
liquidity = microstructure.empty(1, market)
told = hashlib.sha256()
for tick, value in enumerate(x):
    u, z = lookup.scores(np.array([value]), usual)
    out = changepoint.advance(runs, z, run)
    drift.advance(windows, np.array([u[0], abs(2 * u[0] - 1)]), window)
    for field in ("evidence", "score", "run_start", "map_mass"):
        told.update(getattr(out, field).tobytes())
    if tick < 400:
        one = np.array([abs(value) * 1e-3 + 1e-4])
        reading = microstructure.Reading(
            at=np.array([tick * 10**11]), spread=one, depth=1e3 / one, change=one - 1e-3,
            flow=one * 7 - 1e-2, variance=one * one, quote_age=np.array([10**9]),
            crossed=np.array([False]))
        told.update(microstructure.advance(liquidity, reading, market).score.tobytes())
told.update(changepoint.save(runs, run, ticks))
told.update(drift.save(windows, window, ticks))
told.update(microstructure.save(liquidity, market, ticks))
print(told.hexdigest())
"""


def replayed(ticks, hypotheses, folder, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REPLAY, str(ticks), str(hypotheses)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    return {size: replayed(*size, folder) for size in [(10_000, 24), (600, 128)]}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_replay_gives_the_same_bits_on_every_target(target, native, tmp_path):
    """10,000 ticks of all detectors, and 600 with all 128 hypotheses; state and every output."""
    for size, expected in native.items():
        assert replayed(*size, tmp_path, **target) == expected


# --- whatever comes ------------------------------------------------------------------------------


def hostile(ticks, seed=7):
    """Noise whose scale goes from 1e-12 to 1e12, with gaps, constants and outliers of 1e6 sigma."""
    rng = np.random.default_rng(seed)
    x = rng.standard_t(3, ticks) * 10.0 ** np.repeat(rng.integers(-12, 13, ticks // 500), 500)
    part = np.repeat(rng.integers(0, 8, ticks // 500), 500)
    x[part == 0] = 0.25
    x[(part == 1) & (rng.random(ticks) < 0.5)] = np.nan
    x[rng.random(ticks) < 1e-3] *= 1e6
    x[rng.random(ticks) < 1e-4] = np.inf
    x[rng.random(ticks) < 1e-4] = -1.7e308
    return x


@compiled
def through(x, place, table, runs, windows, out):
    """Every observation through transform, changepoint and two windows; the worst of each."""
    numbers, counts, run_settings, run_tables, spare, told = runs
    buckets, rows, totals, marks, settings, bounds = windows
    for value in x:
        u, z = lookup.rank_and_score(value, place, table)
        recursion.advance_one(numbers[0], counts[0], z, 0, run_settings, run_tables, spare, told)
        window.advance_one(buckets[0], rows[0], totals[0], marks[0], u, settings, bounds)
        window.advance_one(
            buckets[1], rows[1], totals[1], marks[1], abs(2.0 * u - 1.0), settings, bounds
        )
        mass = 0.0
        for j in range(counts[0, 0]):
            mass += spare[0, j]
        out[0] = max(out[0], abs(mass - 1.0))
        for told_number in told:
            if not abs(told_number) < np.inf:
                out[1] += 1.0
        if not (0.0 <= told[1] <= 1.0 and 0.0 <= told[2] <= 1.0):
            out[2] += 1.0
        if not (totals[0, 1] >= 0.0 and totals[1, 1] >= 0.0):
            out[3] += 1.0


def worst_of(x):
    params, window_params = changepoint.Params(), drift.Params()
    state, windows = changepoint.empty(1, params), drift.empty(2, window_params)
    prepared, bounds = prepare_changepoint(params), prepare_drift(window_params)
    usual, out = lookup.prepare([USUAL]), np.zeros(4)
    spare, told = np.empty((recursion.SPARE, params.hypotheses)), np.empty(recursion.TOLD)
    through(
        x,
        usual.place[0],
        usual.tables[0],
        (state.numbers, state.counts, prepared.settings, prepared.tables, spare, told),
        (
            windows.buckets,
            windows.rows,
            windows.totals,
            windows.marks,
            bounds.settings,
            bounds.bounds,
        ),
        out,
    )
    live = state.counts[0, recursion.LIVE]
    assert np.isfinite(state.numbers[0, :, :live]).all()
    assert np.isfinite(windows.buckets).all()
    assert np.isfinite(windows.totals).all()
    return out


@pytest.mark.parametrize(
    "ticks",
    [
        pytest.param(20_000, id="short"),
        pytest.param(1_000_000, id="a-million-ticks", marks=pytest.mark.slow),
    ],
)
def test_nothing_that_comes_makes_it_lose_its_numbers(ticks):
    mass_off, not_finite, no_probability, below_zero = worst_of(hostile(ticks))
    assert mass_off < 1e-9
    assert (not_finite, no_probability, below_zero) == (0.0, 0.0, 0.0)


@pytest.mark.slow
def test_a_run_of_a_million_observations_is_still_one_run():
    """Older than the table of constants is long, and no rounding has added up."""
    x = np.random.default_rng(3).standard_t(4, 1_000_000)
    assert worst_of(x)[0] < 1e-9


def test_a_state_stays_within_its_size():
    params = changepoint.Params()
    state = changepoint.empty(1, params)
    assert state.numbers.nbytes + state.counts.nbytes <= 6 * 1024
