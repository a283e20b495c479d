"""The Markov-switching filter and its fit, beside hmmlearn, statsmodels and arch in the same run.

    python benchmarks/regime_markov.py            3 replicates of each design, some minutes
    python benchmarks/regime_markov.py --full     10 replicates, statsmodels on three of them

Goals: 7 to 10 ns per stream and tick in batches; excess log-loss of the posterior over the filter
that knows the truth of at most .003 (A2), .012 (B3) and .03 (C3) with a fit of at most .6 s; on
four real series a one-step log score .005 above hmmlearn's best of ten starts and within .02 of
GARCH(1,1)-t. CPU time, one core.

These are R6 and R7. What chooses the emission makes three fits, each law on the older part and the
better one on the whole, and so may take longer than .6 s where one fit does not: .80 s in place of
.26 for C3, at a load of 11. To go on from the fit of the older part was tried and is no way out:
it may end 20 nats lower (`tests/regime/test_markov_fit.py`). Three replicates are few: of A2 they
lost .0031, the ten of the goal keep within .003.
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded

import csv
import gzip
import importlib.util
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from arch import arch_model
from hmmlearn.hmm import GaussianHMM
from scipy import stats
from stand import head, median, missed, row
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from swarm.regime.markov.emission import Emission, Shape
from swarm.regime.markov.fit import CANDIDATES, Fitted, choose, fit, log_scores
from swarm.regime.markov.params import MarkovParams
from swarm.regime.markov.predictive import ranks
from swarm.regime.markov.streams import MarkovState, step, step_many
from swarm.regime.nouns import HIDDEN, Regime

THREE = [[0.98, 0.015, 0.005], [0.02, 0.97, 0.01], [0.01, 0.04, 0.95]]
DESIGNS = {
    "A2": ([[0.99, 0.01], [0.03, 0.97]], [0.7, 2.0], np.inf, 0.003),
    "B3": (THREE, [0.5, 1.2, 3.0], np.inf, 0.012),
    "C3": (THREE, [0.5, 1.2, 3.0], 5.0, 0.03),
}
SERIES = {
    "S&P 500 1999-2018": ("arch", "data/sp500/sp500.csv.gz", "Adj Close"),
    "Nasdaq 1999-2018": ("arch", "data/nasdaq/nasdaq.csv.gz", "Adj Close"),
    "WTI 1986-2019": ("arch", "data/wti/wti.csv.gz", "DCOILWTICO"),
    "S&P 500 1990-2022": ("skfolio", "datasets/data/sp500_index.csv.gz", "SP500"),
}
LEARNT, SCORED = 2_000, 20_000
ROUNDS = 5


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call: the median of some."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return median(found)


def params(transition: object, scales: object, nu: float, lags: int = 0) -> MarkovParams:
    count = len(np.asarray(scales))
    return MarkovParams(
        transition=np.array(transition),
        intercept=np.zeros(count),
        ar=np.full((count, lags), 0.1),
        scale=np.array(scales),
        nu=np.full(count, nu),
        labels=(Regime.TREND,) * count if count > len(HIDDEN) else HIDDEN[:count],
    )


def sticky(count: int, nu: float, lags: int = 0) -> MarkovParams:
    moves = np.full((count, count), 0.02 / (count - 1))
    np.fill_diagonal(moves, 0.98)
    return params(moves, 0.5 * 2.0 ** np.arange(count), nu, lags)


# --- cost ----------------------------------------------------------------------------------------


def throughput() -> None:
    head("Filter, K = 4: CPU time per stream and tick")
    rng = np.random.default_rng(0)
    for name, held in (
        ("Gaussian", sticky(4, np.inf)),
        ("Student-t", sticky(4, 5.0)),
        ("Gaussian, AR(1)", sticky(4, np.inf, 1)),
    ):
        for streams in (1_000, 20_000):
            ticks = rng.standard_normal((400_000 // streams, streams))
            begun = MarkovState.empty(streams, held)
            step_many(begun, ticks[:2], held)
            spent = cpu(lambda b=begun, t=ticks, p=held: step_many(b, t, p)) / ticks.size
            goal = "7-10 ns" if name == "Gaussian" else ""
            row(f"ours, {name}, {streams:,} streams batched", goal, f"{spent * 1e9:.1f} ns")
    yardstick(rng.standard_normal((400, 1_000)), sticky(4, np.inf))
    held, series = sticky(4, np.inf), rng.standard_normal((20_000, 1))
    one = MarkovState.empty(1, held)
    step_many(one, series[:2], held)
    spent = cpu(lambda: step_many(one, series, held)) / len(series)
    row("ours, one stream, loop inside", "", f"{spent * 1e9:.0f} ns")
    each = series[:2_000]
    step(one, each[0], held)
    spent = cpu(lambda: [step(one, x, held) for x in each]) / len(each)
    row("ours, one stream, one Python call per tick", "10 us", f"{spent * 1e6:.1f} us")
    many = MarkovState.empty(1_000, held)
    ticks = rng.standard_normal((20, 1_000))
    ranks(many, ticks[0], held)
    spent = cpu(lambda: [ranks(many, x, held) for x in ticks]) / ticks.size
    row("ours, rank under the prediction, 1,000 streams", "", f"{spent * 1e9:.0f} ns")
    peers_throughput(held, series[:1_000, 0])


def yardstick(ticks: np.ndarray, held: MarkovParams) -> None:
    """The same in numpy, to read the other figures by on a machine that is not quiet."""

    def run() -> None:
        shares = np.repeat(held.resting[:, None], ticks.shape[1], axis=1)
        moves, constant, per_scale = held.transition.T.copy(), held.table[:, :1], held.table[:, 2:3]
        for x in ticks:
            density = constant - 0.5 * (x * per_scale) ** 2
            shares = (moves @ shares) * np.exp(density - density.max(axis=0))
            shares /= shares.sum(axis=0)

    row("yardstick: numpy alone, 1,000 streams", "", f"{cpu(run) / ticks.size * 1e9:.1f} ns")


def peers_throughput(held: MarkovParams, series: np.ndarray) -> None:
    learner = hmm(held)
    spent = cpu(lambda: learner.predict_proba(series[:250, None]))
    row("hmmlearn, run again over a window of 250", "", f"{spent * 1e6:,.0f} us")
    model = MarkovRegression(series, k_regimes=4, switching_variance=True)
    numbers = np.concatenate([held.transition[:, :3].T.ravel(), np.zeros(4), held.scale**2])
    spent = cpu(lambda: model.filter(numbers))
    row("statsmodels, filter run again over 1,000", "", f"{spent * 1e6:,.0f} us")


def hmm(held: MarkovParams) -> GaussianHMM:
    made = GaussianHMM(held.states, covariance_type="diag")
    made.startprob_, made.transmat_ = held.resting, held.transition
    made.means_, made.covars_ = held.intercept[:, None], held.scale[:, None] ** 2
    return made


# --- what peers fit ------------------------------------------------------------------------------


def learnt(x: np.ndarray, count: int, starts: int) -> MarkovParams:
    """hmmlearn's model from the best of so many starts, as ours; its own default stopping rule."""
    best, best_score = None, -np.inf
    for seed in range(starts):
        made = GaussianHMM(count, covariance_type="diag", n_iter=200, random_state=seed)
        made.fit(x[:, None])
        if (score := made.score(x[:, None])) > best_score:
            best, best_score = made, score
    return ordered(best.transmat_, best.means_[:, 0], best.covars_[:, 0, 0])


def regressed(x: np.ndarray, count: int) -> MarkovParams:
    """statsmodels' default fit, as ours."""
    made = MarkovRegression(x, k_regimes=count, switching_variance=True)
    found = made.fit(disp=False)
    moves = made.regime_transition_matrix(found.params)[:, :, 0].T
    return ordered(moves, found.params[-2 * count : -count], found.params[-count:])


def ordered(moves: np.ndarray, means: np.ndarray, variances: np.ndarray) -> MarkovParams:
    order = np.argsort(variances)
    count, kept = len(order), np.maximum(moves[np.ix_(order, order)], 1e-12)
    return MarkovParams(
        transition=kept / kept.sum(axis=1, keepdims=True),
        intercept=means[order],
        ar=np.zeros((count, 0)),
        scale=np.sqrt(variances[order]),
        nu=np.full(count, np.inf),
        labels=(Regime.TREND,) * count,
    )


# --- posterior -----------------------------------------------------------------------------------


def simulated(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    transition, scales, nu, _ = DESIGNS[name]
    rng, ticks = np.random.default_rng(seed), LEARNT + SCORED
    bounds, hidden = np.cumsum(transition, axis=1), np.zeros(ticks, dtype=int)
    for t, u in enumerate(rng.random(ticks - 1), start=1):
        hidden[t] = np.searchsorted(bounds[hidden[t - 1]], u)
    noise = rng.standard_normal(ticks) if np.isinf(nu) else rng.standard_t(nu, ticks)
    return hidden, np.array(scales)[hidden] * noise


def log_loss(held: MarkovParams, x: np.ndarray, hidden: np.ndarray) -> float:
    """Nats lost on the true state, per tick, by the filter that never looks ahead."""
    state, lost = MarkovState.empty(1, held), 0.0
    for t in range(len(x)):
        state, _ = step_many(state, x[t : t + 1, None], held)
        lost -= np.log(max(state.posterior[hidden[t], 0], 1e-300))
    return lost / len(x)


def posterior(replicates: int, slow_ones: int) -> None:
    head(f"Posterior log-loss over the truth's, nats per tick; {replicates} replicates")
    for name, (transition, scales, nu, goal) in DESIGNS.items():
        truth, count = params(transition, scales, nu), len(scales)
        student = Shape(states=count)
        gaussian = Shape(states=count, emission=Emission.GAUSSIAN)
        ways: dict[str, Callable[[np.ndarray], MarkovParams]] = {
            "ours, emission by held-out score": lambda x, s=(student, gaussian): (
                choose(x, s)[0].params
            ),
            "ours, Student-t": lambda x, s=student: fit(x, s).params,
            "ours, Gaussian": lambda x, s=gaussian: fit(x, s).params,
            "hmmlearn, one start": lambda x, k=count: learnt(x, k, 1),
            "hmmlearn, best of ten": lambda x, k=count: learnt(x, k, 10),
            "statsmodels, default": lambda x, k=count: regressed(x, k),
        }
        for way, made in ways.items():
            runs = slow_ones if way.startswith("statsmodels") else replicates
            excess, spent, chosen = [], [], "held-out" in way
            for seed in range(100, 100 + runs):
                hidden, x = simulated(name, seed)
                begun = time.process_time()
                found = made(x[:LEARNT])
                spent.append(time.process_time() - begun)
                losses = [log_loss(one, x[LEARNT:], hidden[LEARNT:]) for one in (found, truth)]
                excess.append(losses[0] - losses[1])
            row(
                f"R6: {name}: {way}",
                f"{goal} / .6 s" if chosen else "",
                f"{np.mean(excess):.4f}",
                f"worst {max(excess):.4f}{missed(np.mean(excess), goal) * chosen}; "
                f"fit {median(spent):.2f} s{missed(median(spent), 0.6) * chosen}",
            )


# --- real series ---------------------------------------------------------------------------------


def returns(name: str) -> np.ndarray:
    """Daily log returns in percent."""
    package, inside, column = SERIES[name]
    with gzip.open(Path(importlib.util.find_spec(package).origin).parent / inside, "rt") as file:
        found = [line[column] for line in csv.DictReader(file)]
    return 100 * np.diff(np.log([float(text) for text in found if text not in {"", "."}]))


def garch(x: np.ndarray, cut: int) -> float:
    """GARCH(1,1) with Student-t noise, fitted to the first half, its score on the second."""
    model = arch_model(x, mean="Constant", vol="GARCH", p=1, q=1, dist="t", rescale=False)
    numbers = model.fit(last_obs=cut, disp="off").params
    spread = model.fix(numbers).conditional_volatility
    nu = numbers["nu"]
    unit = spread * np.sqrt((nu - 2) / nu)
    return float((stats.t(nu).logpdf((x - numbers["mu"]) / unit) - np.log(unit))[cut:].mean())


def real() -> None:
    head("One-step log score on the second half of real returns, fitted to the first; nats per day")
    for name in SERIES:
        x = returns(name)
        cut = len(x) // 2
        peer = float(log_scores(learnt(x[:cut], 3, 10), x)[cut:].mean())
        arched = garch(x, cut)
        row(f"R7: {name}: hmmlearn K = 3, best of ten", "", f"{peer:.4f}")
        row(f"R7: {name}: GARCH(1,1)-t of arch", "", f"{arched:.4f}")
        for way, shapes in (
            ("K = 4", CANDIDATES[:2]),
            ("K = 4 or 5 by held-out score", CANDIDATES),
        ):
            begun = time.process_time()
            found, shape = choose(x[:cut], shapes)
            spent = time.process_time() - begun
            score = float(log_scores(found.params, x)[cut:].mean())
            # What is held to the goal is what a user gets: the number of states is chosen too.
            held = shapes is CANDIDATES
            least = max(peer + 0.005, arched - 0.02)
            behind = f", MISSED by {least - score:.4f}: see above" if score < least else ""
            row(
                f"R7: {name}: ours, {way}",
                "+.005 -.02" if held else "",
                f"{score:.4f}",
                f"{score - peer:+.4f} hmmlearn, {score - arched:+.4f} GARCH-t{behind * held}; "
                f"{shape.states} {shape.emission}, {described(found)}; {spent:.2f} s",
            )


def described(found: Fitted) -> str:
    return "nu " + "/".join(f"{one:.0f}" for one in sorted(set(found.params.nu.round().tolist())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    print(__doc__)
    throughput()
    real()
    posterior(10 if options.full else 3, 3 if options.full else 1)


if __name__ == "__main__":
    main()
