"""A kernel that gives other bits than it did is noticed, and which part of the engine it is.

Two machines of one release give the same bits; two releases do so only while nobody changes what
a kernel computes. A change that means to raises the VERSION of what it changed, so that states
saved before are refused by name, and stores anew: `python tests/upgrade/test_regime_bits.py`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from swarm.regime import changepoint, microstructure
from swarm.regime.engine.params import VERSION, EngineParams
from swarm.regime.engine.state import empty
from swarm.regime.engine.step import Observation, advance
from swarm.regime.hysteresis import rule
from swarm.regime.markov.params import MarkovParams
from swarm.regime.nouns import HIDDEN
from swarm.regime.transform.reference import Reference

STORED = Path(__file__).parent / "data/regime-bits.json"
TICKS, STREAMS, SECOND = 450, 3, 1_000_000_000
LOOKS = (0, 1, 20, 130, 200, 300, 449)
PARTS = {
    "markov": ("posterior", "lags", "missing", "density"),
    "changepoint": ("numbers", "counts", "told"),
    "drift": ("buckets", "sizes", "totals", "marks"),
    "run": ("rings",),
    "opinion": ("opinions",),
    "rule": ("rows", "notes"),
    "quotes": ("quotes.bins", "quotes.weights", "quotes.sums", "quotes.marks"),
}


def params() -> EngineParams:
    """Fat tails and a lag, runs enough to be merged, quotes: every branch that has bits."""
    markov = MarkovParams(
        transition=np.full((4, 4), 0.01) + 0.96 * np.eye(4),
        intercept=np.array([0.05, -0.05, 0.0, 0.0]),
        ar=np.array([[0.4], [-0.4], [0.0], [0.0]]),
        scale=np.array([0.4, 0.5, 1.5, 3.5]),
        nu=np.array([4.0, 5.0, 7.0, np.inf]),
        labels=HIDDEN,
    )
    return EngineParams(
        markov=markov,
        references=(Reference(degrees=4.5, location=0.01, scale=0.9),),
        changepoint=changepoint.Params(hazard=1 / 100, hypotheses=24, short=50),
        quotes=microstructure.Params(times=2, warm=20),
        trusted=frozenset({markov.hash()}),
    )


def uniform(number: int, *shape: int) -> np.ndarray:
    """Numbers in (0, 1) from integers alone: the same with every version of numpy."""
    count = int(np.prod(shape))
    raw = np.random.PCG64(number).random_raw(count)
    return ((raw >> np.uint64(12)).astype(np.float64) + 0.5).reshape(shape) / 2.0**52


def observations():
    """Scales that change, gaps, a print of 1e9, one beyond numbers, quotes that widen."""
    values = (uniform(1, 6, TICKS, STREAMS) - 0.5).sum(axis=0)
    values *= np.repeat([0.5, 3.0, 1.0, 6.0, 0.5], TICKS // 5)[:, None]
    values[60:67, 0], values[200, 1], values[310, 2], values[::83, 2] = np.nan, 1e9, np.inf, -1e200
    spread = 1e-4 * (1.0 + uniform(2, TICKS, STREAMS))
    spread[300:330] *= 40.0
    for tick, row in enumerate(values):
        at = (tick + 1) * 1_800 * SECOND
        reading = microstructure.Reading(
            at=np.full(STREAMS, at), spread=spread[tick], depth=1e2 / spread[tick],
            change=spread[tick] - 1.5e-4, flow=100.0 * (row > 0) - 50.0,
            variance=spread[tick] * spread[tick], quote_age=np.full(STREAMS, SECOND),
            crossed=np.full(STREAMS, tick == 400),
        )  # fmt: skip
        yield Observation(at=at, values=row, reading=reading)


def lived() -> dict[str, list[str]]:
    """The hash of each part after each of some ticks."""
    set_to, found = params(), {name: [] for name in PARTS}
    state, said = empty(STREAMS, set_to), set()
    for tick, seen in enumerate(observations()):
        advance(state, seen, set_to)
        said |= set(state.rows[:, rule.SAID].tolist())
        if tick in LOOKS:
            held = state._named()
            for part, names in PARTS.items():
                digest = hashlib.sha256()
                for name in names:
                    array = held[name]
                    digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
                found[part].append(digest.hexdigest()[:24])
    assert {name for names in PARTS.values() for name in names} == set(held)
    assert len(said) > 2, "too little happened"
    return found


@pytest.fixture(scope="module")
def now() -> dict[str, list[str]]:
    return lived()


@pytest.mark.req("REG-2")
@pytest.mark.parametrize("part", PARTS)
def test_the_bits_of_every_part_are_those_that_were_stored(part, now):
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    assert stored["version"] == VERSION, "another version: store its bits, as the page's head says"
    assert now[part] == stored["parts"][part]


def test_one_bit_in_one_kernel_would_be_noticed(now, monkeypatch):
    """The check can fail: the last bit of the rate of one hypothesis of one stream is enough."""
    begin = changepoint.empty

    def off_by_a_bit(streams, chosen):
        state = begin(streams, chosen)
        state.numbers[0, 2, 0] = np.nextafter(state.numbers[0, 2, 0], 9.0)
        return state

    monkeypatch.setattr("swarm.regime.engine.state.changepoint.empty", off_by_a_bit)
    assert lived()["changepoint"] != now["changepoint"]


if __name__ == "__main__":
    text = json.dumps({"version": VERSION, "parts": lived()}, indent=1)
    STORED.write_text(text + "\n", encoding="utf-8")
