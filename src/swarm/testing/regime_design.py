"""Three regimes that change at random, as the hysteresis was designed for, and how a rule does.

Regimes of 0.6, 1.2 and 3 % standard deviation with mean stays of 250, 150 and 100 ticks. The model
knows the emissions; the reference of the changepoint detector is fitted on another history.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from swarm.regime.changepoint.params import Params as ChangepointParams
from swarm.regime.engine.params import EngineParams
from swarm.regime.engine.state import EngineState, empty
from swarm.regime.engine.step import Observation, advance
from swarm.regime.hysteresis import rule
from swarm.regime.markov.params import MarkovParams
from swarm.regime.nouns import DEFENSIVENESS, HIDDEN, FloatArray, IntArray, Regime
from swarm.regime.transform.reference import fit_reference

#: Percent, and ticks.
SCALES, STAYS = np.array([0.6, 1.2, 3.0]), np.array([250.0, 150.0, 100.0])
LABELS = (Regime.TREND, Regime.HIGH_VOL, Regime.STRESSED_LIQUIDITY)
PLACES = np.array([HIDDEN.index(label) for label in LABELS])
LEVELS = np.array([*(DEFENSIVENESS[regime] for regime in HIDDEN), DEFENSIVENESS[Regime.UNCERTAIN]])
DEFENSIVE_LEVEL, UNCERTAIN = 2, len(HIDDEN)


@dataclass(frozen=True)
class Found:
    """Shares of all ticks, but `laxer_in_stress` of the stressed ones; switches per true switch."""

    switches: float
    label_right: float
    laxer: float
    laxer_in_stress: float
    over_defensive: float
    uncertain: float


def simulate(seed: int, ticks: int) -> tuple[IntArray, FloatArray]:
    """The true state and the return of each tick."""
    rng = np.random.default_rng(seed)
    leave, other = rng.random(ticks), rng.integers(1, 3, ticks)
    states, state = np.zeros(ticks, dtype=int), 0
    for t in range(ticks):
        state = (state + other[t]) % 3 if leave[t] < 1 / STAYS[state] else state
        states[t] = state
    return states, rng.standard_normal(ticks) * SCALES[states]


def params() -> EngineParams:
    """A model that knows the emissions, with a reference from another history."""
    transition = np.diag(1 - 1 / STAYS) + (1 - np.eye(3)) * (0.5 / STAYS)[:, None]
    markov = MarkovParams(
        transition=transition, intercept=np.zeros(3), ar=np.zeros((3, 0)), scale=SCALES,
        nu=np.full(3, np.inf), labels=LABELS,
    )  # fmt: skip
    return EngineParams(
        markov=markov,
        references=(fit_reference(simulate(1, 20_000)[1]),),
        changepoint=ChangepointParams(hazard=1 / 250, short=50),
        trusted=frozenset({markov.hash()}),
    )


def judged(truth: IntArray, label: IntArray, said: IntArray, level: IntArray) -> Found:
    """How labels, what was said and the level of caution, each (T, S), compare to the truth."""
    true_level = LEVELS[PLACES[truth]]
    stressed = true_level == DEFENSIVE_LEVEL
    certain = said != UNCERTAIN
    return Found(
        switches=np.count_nonzero(np.diff(label, axis=0))
        / np.count_nonzero(np.diff(truth, axis=0)),
        label_right=float(((label == PLACES[truth]) & certain).mean()),
        laxer=float((level < true_level).mean()),
        laxer_in_stress=float((level < true_level)[stressed].mean()),
        over_defensive=float((level > true_level).mean()),
        uncertain=float(1 - certain.mean()),
    )


def run(streams: int, ticks: int, watch: Callable[[int, EngineState], None]) -> IntArray:
    """The true states, shape (T, S); `watch` sees the engine after each tick."""
    pairs = [simulate(100 + seed, ticks) for seed in range(streams)]
    values = np.ascontiguousarray(np.array([returns for _, returns in pairs]).T)
    set_to = params()
    state = empty(streams, set_to)
    for t, row in enumerate(values):
        advance(state, Observation(at=t + 1, values=row), set_to)
        watch(t, state)
    return np.array([states for states, _ in pairs]).T


def compare(streams: int, ticks: int) -> tuple[Found, Found]:
    """What the engine says, and what the raw arg-max of its posterior would say."""
    rows = np.empty((ticks, streams, rule.ROW), dtype=np.int64)
    greatest = np.empty((ticks, streams), dtype=np.int64)

    def watch(t: int, state: EngineState) -> None:
        rows[t] = state.rows
        greatest[t] = state.opinions[:, : len(HIDDEN)].argmax(axis=1)

    truth = run(streams, ticks, watch)
    said = rows[:, :, rule.SAID]
    level = np.where(rows[:, :, rule.POSTURE] == 1, DEFENSIVE_LEVEL, LEVELS[said])
    raw = judged(truth, greatest, greatest, LEVELS[greatest])
    return judged(truth, rows[:, :, rule.ACTIVE], said, level), raw


def measure(streams: int, ticks: int) -> Found:
    """What the engine says."""
    return compare(streams, ticks)[0]
