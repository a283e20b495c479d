"""The engine: what one tick of everything costs, for a thousand streams and for one, beside peers.

    python benchmarks/regime_engine.py            peers at t = 2,000
    python benchmarks/regime_engine.py --full     peers at t = 5,000

Goals: a thousand streams of Markov filter (4 states), changepoint detector (128 hypotheses), two
drift windows examined at every tick, opinion and rule at 1.0 million stream-updates a second on one
core (R1); and 10 us for one stream through the Python API (R2). CPU time, the median of several
rounds. That replays agree to the bit and that no tick breaks anything is in `regime_replay.py`.

R1 is missed by 46 % on one machine, .54 M, and by 70 % on another, .30 M, that takes 1.8 times as
long for everything. On the first, of 2 us the changepoint detector takes one: a live run costs 8
ns, of which its logarithm takes 1.8, its exponential 1.4, the table at its age .8, and its law .7;
merging one run a tick and telling what the posterior says take 300 ns more a stream. The drift
windows take .2 us, the ranks for them .03, the run's vote .2, the opinion .3. A pass for each
detector in place of one for everything won 15 %. Tried without gain: the share 1/(kappa + 1) from a
table in place of a division, rows filled up to whole registers, a search for ages without branches,
the run's votes of all streams with their exponentials in one loop (1 %). Left alone: densities are
worked out twice a tick, for the filter and for the run's vote (14 ns). Fewer hypotheses would not
do either: without the changepoint detector a stream takes .8 us.

R2 is missed by a twentieth on the first, 10.5 us, and by nine tenths on the second, 18.9: of the
former 3 us hand some thirty arrays to compiled code, whatever it does, and 2 us are Python's. To
hand over two buffers instead and cut the arrays from them there takes 1.2 us and 2.7 more, since
each `reshape` of numba takes 90 ns; in all a tenth less, which is not worth a layout of our own.

Peers, together: river's ADWIN twice, the Rust package `changepoint`, hmmlearn on the last 250.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from stand import fell_short, head, median, missed, row

from swarm.regime.changepoint import recursion
from swarm.regime.drift import window
from swarm.regime.engine.params import EngineParams
from swarm.regime.engine.record import record
from swarm.regime.engine.state import EngineState, empty, restore
from swarm.regime.engine.step import Observation, advance
from swarm.regime.hysteresis import rule
from swarm.regime.markov import filter as markov
from swarm.regime.markov.params import MarkovParams
from swarm.regime.nouns import HIDDEN
from swarm.regime.transform.reference import Reference

SCALES = np.array([0.3, 0.6, 1.2, 3.0])
WARM, ROUNDS = 1_500, 7


def params() -> EngineParams:
    transition = np.full((4, 4), 0.01 / 3)
    np.fill_diagonal(transition, 0.99)
    model = MarkovParams(
        transition=transition, intercept=np.zeros(4), ar=np.zeros((4, 0)), scale=SCALES,
        nu=np.full(4, 6.0), labels=HIDDEN,
    )  # fmt: skip
    reference = Reference(degrees=4.0, location=0.0, scale=0.7)
    return EngineParams(markov=model, references=(reference,), trusted=frozenset({model.hash()}))


def returns(ticks: int, streams: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    scale = np.repeat(rng.choice(SCALES, (ticks // 100 + 1, streams)), 100, axis=0)[:ticks]
    return rng.standard_t(6, (ticks, streams)) * scale


def each(call: Callable[[int], object], count: int) -> float:
    """CPU seconds of one call: the median of the rounds."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for n in range(count):
            call(n)
        taken.append((time.process_time() - begun) / count)
    return median(taken)


def warmed(streams: int, set_to: EngineParams) -> tuple[EngineState, Callable[[int], object]]:
    values = returns(WARM + 100, streams)
    state = empty(streams, set_to)

    def tick(n: int) -> object:
        seen = Observation(at=state.tick + 2, values=values[WARM + n % 100])
        return advance(state, seen, set_to)

    for line in values[:WARM]:
        advance(state, Observation(at=state.tick + 2, values=line), set_to)
    return state, tick


def thousand(set_to: EngineParams) -> None:
    streams = 1_000
    state, tick = warmed(streams, set_to)
    head(f"{streams} streams after {WARM} ticks, CPU time")
    spent = each(tick, 60) / streams
    row("R1: stream-updates each second, everything", ">= 1.0 M", f"{1e-6 / spent:.2f} M",
        f"{spent * 1e9:.0f} ns each{fell_short(1e-6 / spent, 1.0)}; peers: see below")  # fmt: skip
    moving, standing = state.copy().arrays, state.standing
    x = returns(100, streams)
    z, none = np.clip(x, -4, 4), np.zeros(streams, dtype=np.int64)
    u = np.random.default_rng(2).random((100, 2 * streams))
    parts: dict[str, Callable[[int], object]] = {
        "Markov filter, 4 states": lambda n: markov.advance(
            x[n], *moving[:3], standing[0], standing[1], 100, moving[3]
        ),
        "changepoint detector, 128 hypotheses": lambda n: recursion.advance_all(
            moving[4], moving[5], z[n], none, standing[3], standing[4], moving[6]
        ),
        "two drift windows": lambda n: window.advance_all(
            *moving[7:11], u[n], standing[5], standing[6]
        ),
        "rule": lambda n: rule.advance(
            moving[12], moving[11], none, none - 1, none, n, set_to.policy
        ),
    }
    for name, call in parts.items():
        call(0)
        row(f"  of that: {name}", "", f"{each(call, 60) / streams * 1e9:.0f} ns")
    size = len(state.to_bytes(set_to)) / streams
    row("state of one stream", "", f"{size:,.0f} B", f"{int(moving[5][:, 0].mean())} live runs")
    begun = time.process_time()
    restore(state.to_bytes(set_to), set_to)
    row("save and restore a thousand", "", f"{(time.process_time() - begun) * 1e3:.0f} ms")


def single(set_to: EngineParams) -> float:
    state, tick = warmed(1, set_to)
    head(f"one stream after {WARM} ticks, through the Python API")
    spent = each(tick, 2_000)
    walls = []
    for n in range(4_000):
        begun = time.perf_counter()
        tick(n)
        walls.append((time.perf_counter() - begun) * 1e6)
    p50, p99 = np.quantile(walls, [0.5, 0.99])
    row("R2: one tick", "<= 10 us", f"{spent * 1e6:.1f} us CPU",
        f"wall p50 {p50:.1f}, p99 {p99:.1f}{missed(spent, 1e-5)}")  # fmt: skip
    recorded = each(lambda _: record(state, 0, set_to), 300)
    row("its record, with the hash of its state", "", f"{recorded * 1e6:.0f} us")
    return spent


def peers(ticks: int, ours: float) -> None:
    """What a user would put together today for the same answers."""
    from changepoint import Bocpd, NormalGamma  # noqa: PLC0415 - only in the bench environment
    from hmmlearn.hmm import GaussianHMM  # noqa: PLC0415 - slow to import
    from river.drift import ADWIN  # noqa: PLC0415

    values = returns(ticks + 50, 1)[:, 0]
    runs = Bocpd(NormalGamma(0, 1, 1, 1), 250.0)
    windows = [ADWIN(delta=0.05, clock=1), ADWIN(delta=0.05, clock=1)]
    hidden = GaussianHMM(4, covariance_type="diag", init_params="")
    hidden.startprob_, hidden.transmat_ = np.full(4, 0.25), params().markov.transition
    hidden.means_, hidden.covars_ = np.zeros((4, 1)), (SCALES**2)[:, None]

    def tick(x: float, t: int) -> None:
        runs.step(x)
        for which in windows:
            which.update(abs(x))
        if t >= ticks:
            hidden.predict_proba(values[t - 249 : t + 1, None])

    for t in range(ticks):
        tick(float(values[t]), t)
    begun = time.process_time()
    for t in range(ticks, ticks + 50):
        tick(float(values[t]), t)
    spent = (time.process_time() - begun) / 50
    row(f"R1, R2: peers, one stream at t = {ticks}", "", f"{spent * 1e6:.0f} us CPU",
        f"{spent / ours:.0f} times ours")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    print(__doc__)
    chosen = params()
    thousand(chosen)
    one = single(chosen)
    try:
        peers(5_000 if options.full else 2_000, one)
    except ImportError as missing:
        row("peers", "", "not run", f"{missing.name} is in the bench environment only")
