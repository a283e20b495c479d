"""The regime detectors: what they cost, and how soon they see a change at equal false alarms.

    python benchmarks/regime_detectors.py            some fifteen minutes
    python benchmarks/regime_detectors.py --quick    fewer streams, about five

Peers in the same run: river's ADWIN, and the Rust package `changepoint` where it is installed
(dependency group `bench`). CPU time of one core. Delays are mean ticks after a change that comes
after 500 clean ticks, every threshold set so that 39.3 % of streams without a change alarm within
2,500 ticks, which is one false alarm in 5,000. The oracle is a CUSUM that knows both laws. The peer
of each delay is the exact likelihood ratio of a mean or a deviation, which packages like FOCuS
compute; it is told which of the two will change, and what stays, and ours is not.

These are R3, R4 and R5. One of R4 is missed: a shift of half a deviation takes 1.62 times the
oracle's delay in place of 1.35 (65.6 ticks to 40.5; other streams gave 1.57 to 1.64). Who is told
more misses it too: the exact likelihood ratio, which knows the variance, takes 1.40, and who knows
each law that may come, 1.47. A prototype was reported at 1.28 with a prior of kappa .1, alpha 2 and
beta 2, which takes 1.63 to 1.77 here. That could not be reproduced: not by thresholds from the
first 2,500 ticks, of which the score is masked for 400 (1.57 to 1.74), nor by no transform, nor by
a score of 200 or 300 ticks; and river's ADWIN, reported beside it at 53.8 ticks, takes 60 here. A
prior of kappa 1 and alpha 4 takes 1.43 to 1.52, and then two deviations or volatility by 3 miss.

R3 stands at the edge of its goal, 1.04 to 1.05, with young and old in turns: one after the other
on a machine at load 8, whose other work came and went, said 1.56.

Beta 3 is what meets 1.6 at volatility by 1.5: 1.42 to 1.57 in place of 1.50 to 1.73. For it a fall
to half the volatility is seen later, in 40 ticks in place of 34, which is late to dare more.
"""

import argparse
import importlib.util
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from river.drift import ADWIN
from scipy import stats
from stand import head, median, missed, row

from swarm.regime import changepoint, drift
from swarm.regime.changepoint import recursion
from swarm.regime.changepoint.params import prepare as prepare_runs
from swarm.regime.drift import window
from swarm.regime.drift.detector import prepare as prepare_windows
from swarm.regime.transform import lookup
from swarm.regime.transform.reference import Reference, fit_reference

CLEAN, WATCHED = 500, 2_500
MEANS = (-2.0, -1.4, -1.0, -0.7, -0.5, 0.0, 0.5, 0.7, 1.0, 1.4, 2.0)
SCALES = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
ALARMED = 1 - np.exp(-0.5)
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Law = Callable[[Array], Array]


def per_item(work: Callable[[], object], items: int, rounds: int = 5) -> float:
    """CPU seconds an item: the median of some rounds, after one that compiles and warms."""
    work()
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        found.append((time.process_time() - begun) / items)
    return median(found)


# --- cost ----------------------------------------------------------------------------------------


def batched_runs(streams: int, hypotheses: int, x: Array) -> tuple[float, changepoint.State]:
    """Seconds for one stream and tick, once all hypotheses are in use."""
    params = changepoint.Params(hypotheses=hypotheses)
    prepared, state = prepare_runs(params), changepoint.empty(streams, params)
    since, told = np.zeros(streams, np.int64), np.empty((streams, recursion.TOLD))

    def work() -> None:
        for tick in x:
            recursion.advance_all(
                state.numbers, state.counts, tick, since, prepared.settings, prepared.tables, told
            )

    return per_item(work, x.size), state


def batched_windows(streams: int, clock: int, x: Array) -> float:
    params = drift.Params(clock=clock)
    prepared, state = prepare_windows(params), drift.empty(streams, params)

    def work() -> None:
        for tick in x:
            window.advance_all(
                state.buckets, state.rows, state.totals, state.marks, tick,
                prepared.settings, prepared.bounds,
            )  # fmt: skip

    return per_item(work, x.size)


def rust_changepoint(x: Array) -> list[float]:
    """Seconds an update of the Rust package at t = 500, 2,000 and 5,000; its cost grows with t."""
    import changepoint as rust  # noqa: PLC0415 - only where it is installed

    peer = rust.Bocpd(prior=rust.NormalGamma(), lam=250)
    found, marks = [], {500, 2_000, 5_000}
    for tick, value in enumerate(x[:5_050]):
        if any(mark <= tick < mark + 50 for mark in marks):
            begun = time.process_time()
            peer.step(float(value))
            found.append(time.process_time() - begun)
        else:
            peer.step(float(value))
    return [median(found[i : i + 50]) for i in (0, 50, 100)]


def costs(rng: np.random.Generator, *, quick: bool) -> None:
    streams, ticks = 1_000, 100 if quick else 200
    x = rng.normal(0, 1, (ticks, streams))
    for hypotheses in (64, 128, 256, 512):
        took, state = batched_runs(streams, hypotheses, x)
        size = (state.numbers.nbytes + state.counts.nbytes) / streams / 1024
        goal = "6 KB" if hypotheses == 128 else ""
        row(
            f"BOCPD, {hypotheses} runs, 1,000 streams",
            goal,
            f"{took * 1e6:.2f} us",
            f"R3: {size:.1f} KB" if goal else f"{size:.1f} KB",
        )
    flat(rng, quick=quick)
    u = rng.random((ticks * 5, streams))
    for clock in (32, 1):
        row(
            f"ADWIN, clock {clock}, 1,000 streams",
            "",
            f"{batched_windows(streams, clock, u) * 1e9:.0f} ns",
        )
        peer = ADWIN(clock=clock)
        values = [float(value) for value in u[:, :50].ravel()]
        took = per_item(lambda p=peer, v=values: [p.update(one) for one in v], len(values))
        row(f"peer: river ADWIN, clock {clock}, one by one", "", f"{took * 1e9:.0f} ns")
    if importlib.util.find_spec("changepoint"):
        took_at = rust_changepoint(rng.normal(0, 1, 5_050))
        row(
            "peer: changepoint (Rust) at t = 500/2,000/5,000",
            "",
            "/".join(f"{t * 1e6:.0f}" for t in took_at),
            "us",
        )
    else:
        row("peer: changepoint (Rust)", "", "not installed")


def flat(rng: np.random.Generator, *, quick: bool) -> None:
    """Whether the cost at t = 1e6 is that at t = 1e3."""
    params = changepoint.Params()
    prepared, state = prepare_runs(params), changepoint.empty(1, params)
    since, told = np.zeros(1, np.int64), np.empty((1, recursion.TOLD))
    x = rng.normal(0, 1, (1_000_000 if not quick else 200_000, 1))

    def through(state: changepoint.State, part: Array) -> float:
        begun = time.process_time()
        for tick in part:
            recursion.advance_all(
                *(state.numbers, state.counts, tick, since),
                *(prepared.settings, prepared.tables, told),
            )
        return (time.process_time() - begun) / len(part)

    through(state, x[:1_000])
    young = changepoint.restore(changepoint.save(state, params, 1_000), params)
    through(state, x[1_000:])
    # In turns, so that what else the machine does is the same for both.
    early, late = [], []
    for turn in range(200):
        part = x[1_000 + 50 * turn : 1_050 + 50 * turn]
        early.append(through(young, part))
        late.append(through(state, part))
    young_took, old_took = median(early), median(late)
    row(
        f"R3: BOCPD at t = {len(x):,} against t = 1,000",
        "1.05x",
        f"{old_took / young_took:.2f}x",
        f"{young_took * 1e6:.2f} us, one call each{missed(old_took / young_took, 1.05)}",
    )


# --- delay ---------------------------------------------------------------------------------------


def design(name: str, rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Law, Law, Array]:
    """Log densities before and after, and streams that change after 500 ticks; shape (T, S)."""
    kind, _, size = name.partition(" ")
    fat = kind.startswith("t4")
    base = stats.t(4) if fat else stats.norm()
    by = float(size)
    scale = by if kind.endswith("vol") else 1.0
    shift = 0.0 if kind.endswith("vol") else by * (np.sqrt(2.0) if fat else 1.0)
    x = base.rvs(size=shape, random_state=rng)
    x[CLEAN:] = x[CLEAN:] * scale + shift
    return base.logpdf, lambda v: base.logpdf((v - shift) / scale) - np.log(scale), x


def cusum(before: Law, after: Law, x: Array) -> Array:
    gain = after(x) - before(x)
    total, found = np.zeros(x.shape[1]), np.empty_like(x)
    for tick in range(len(x)):
        total = np.maximum(total + gain[tick], 0.0)
        found[tick] = total
    return found


def likelihood_ratio(x: Array, reach: int = 500) -> Array:
    """The exact test of a mean that moved at any of the last ticks: it knows the variance."""
    summed = np.vstack([np.zeros(x.shape[1]), np.cumsum(x, axis=0)])
    found = np.empty_like(x)
    for tick in range(len(x)):
        since = summed[max(tick + 1 - reach, 0) : tick + 1]
        items = np.arange(len(since), 0, -1.0)[:, None]
        found[tick] = ((summed[tick + 1] - since) ** 2 / items).max(axis=0)
    return found


def scale_ratio(x: Array, reach: int = 200) -> Array:
    """The exact test of a deviation that grew at any of the last ticks: it knows the mean."""
    summed = np.vstack([np.zeros(x.shape[1]), np.cumsum(x * x, axis=0)])
    found = np.empty_like(x)
    for tick in range(len(x)):
        since = summed[max(tick + 1 - reach, 0) : tick + 1]
        items = np.arange(len(since), 0, -1.0)[:, None]
        variance = np.maximum((summed[tick + 1] - since) / items, 1.0)
        found[tick] = (0.5 * items * (variance - 1.0 - np.log(variance))).max(axis=0)
    return found


def any_of_many(x: Array) -> Array:
    """The log of what speaks for a change, at any tick, to any of 65 known laws.

    The statistic of Shiryaev and Roberts, all laws mixed alike: at as many false alarms hardly
    anything sees a change sooner that is not told which. Source: Pollak 1985 (Ann. Stat. 13).
    """
    pairs = np.array([pair for pair in itertools.product(MEANS, SCALES) if pair != (0.0, 1.0)])
    mean, scale = pairs[:, :1], pairs[:, 1:]
    total, found = np.zeros((len(pairs), x.shape[1])), np.empty_like(x)
    for tick, value in enumerate(x):
        gain = 0.5 * value**2 - 0.5 * ((value - mean) / scale) ** 2
        # Both bounds are far beyond every threshold; without them the totals overflow.
        total = np.minimum((1.0 + total) * np.exp(np.minimum(gain, 500.0)) / scale, 1e200)
        found[tick] = np.log(total.mean(axis=0))
    return found


def run_scores(z: Array) -> Array:
    """The changepoint score as log odds, so that thresholds near 1 are still told apart."""
    params = changepoint.Params()
    state = changepoint.empty(z.shape[1], params)
    scores = np.array([changepoint.advance(state, row, params).score for row in z])
    return np.log(np.maximum(scores, 1e-300)) - np.log(np.maximum(1.0 - scores, 1e-16))


def first_after(crossed: Array, start: int) -> Array:
    """Ticks from `start` to the first crossing; the end where there is none."""
    watched = crossed[start:]
    return np.where(watched.any(axis=0), watched.argmax(axis=0) + 1, len(watched))


def threshold(null: Array) -> float:
    """What the statistic of clean streams crosses as often as wanted."""
    return float(np.quantile(null[CLEAN : CLEAN + WATCHED].max(axis=0), 1 - ALARMED))


def delay(crossed: Array) -> float:
    """The mean ticks from the change to the alarm, of streams that were silent before it."""
    silent = ~crossed[:CLEAN].any(axis=0)
    return float(first_after(crossed, CLEAN)[silent].mean())


def ours_alarms(u: Array, delta: float) -> Array:
    params = drift.Params(delta=delta)
    state = drift.empty(u.shape[1], params)
    return np.array([drift.advance(state, row, params).alarm for row in u])


def rivers_alarms(u: Array, delta: float) -> Array:
    found = np.zeros(u.shape, dtype=bool)
    for stream in range(u.shape[1]):
        peer = ADWIN(delta=delta, clock=1)
        for tick, value in enumerate(u[:, stream].tolist()):
            peer.update(value)
            if peer.drift_detected:
                found[tick, stream] = True
                if tick >= CLEAN:
                    break
    return found


def delta_of(alarms: Callable[[Array, float], Array], null: Array) -> float:
    """The delta at which ADWIN alarms on clean streams as often as wanted."""
    low, high = 0.01, 0.999
    for _ in range(7):
        delta = 0.5 * (low + high)
        share = alarms(null, delta)[CLEAN : CLEAN + WATCHED].any(axis=0).mean()
        low, high = (delta, high) if share < ALARMED else (low, delta)
    return 0.5 * (low + high)


MEAN_GOALS = dict.fromkeys(("mean 0.5", "mean 1", "mean 2"), 1.35)
GOALS = MEAN_GOALS | dict.fromkeys(("vol 1.5", "vol 2", "vol 3"), 1.6)
FAT_GOALS = {"t4-mean 1": 16.0, "t4-vol 2": 33.0}
RATIOS = {"mean": likelihood_ratio, "vol": scale_ratio}
WINDOWS = {"mean 1": 0.92, "mean 2": 0.85}


def ranked(x: Array, reference: Reference) -> tuple[Array, Array]:
    """Ranks and normal scores of every tick of streams that share a reference, (T, S)."""
    usual = lookup.prepare([reference] * x.shape[1])
    pairs = [lookup.scores(tick, usual) for tick in x]
    return np.array([u for u, _ in pairs]), np.array([z for _, z in pairs])


def delays(rng: np.random.Generator, *, quick: bool) -> None:
    """Thresholds come from four times the streams, once: they are what makes figures uncertain."""
    streams = 150 if quick else 400
    for base, goals in ((stats.norm(), GOALS), (stats.t(4), FAT_GOALS)):
        null = base.rvs(size=(CLEAN + WATCHED, 4 * streams), random_state=rng)
        reference = fit_reference(base.rvs(size=5_000, random_state=rng))
        u, z = ranked(null, reference)
        at = threshold(run_scores(z))
        exact = {kind: threshold(ratio(null / base.std())) for kind, ratio in RATIOS.items()}
        others = Others.of(null, u) if goals is GOALS else None
        for name in goals:
            before, after, changed = design(name, rng, (CLEAN + 1_000, streams))
            oracle = delay(cusum(before, after, changed) > threshold(cusum(before, after, null)))
            u, z = ranked(changed, reference)
            found = delay(run_scores(z) > at)
            goal = goals[name] * (1.0 if others is None else oracle)
            row(
                f"R4: delay, {name}: BOCPD on normal scores",
                f"{goal:.1f}",
                f"{found:.1f}",
                f"oracle {oracle:.1f}, {found / oracle:.2f}x{missed(found, goal)}",
            )
            kind = "vol" if "vol" in name else "mean"
            late = delay(RATIOS[kind](changed / base.std()) > exact[kind])
            row(f"peer: likelihood ratio of a {kind}", "", f"{late:.1f}", f"{late / oracle:.2f}x")
            if others:
                others.show(name, oracle, changed, u)


@dataclass(frozen=True, slots=True)
class Others:
    """What else watches the same streams, set to as many false alarms."""

    many: float
    deltas: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, null: Array, u: Array) -> "Others":
        watched = {"mean": u, "vol": drift.spread(u)}
        return cls(
            many=threshold(any_of_many(null)),
            deltas={
                kind: (delta_of(ours_alarms, ranks), delta_of(rivers_alarms, ranks))
                for kind, ranks in watched.items()
            },
        )

    def show(self, name: str, oracle: float, changed: Array, u: Array) -> None:
        kind = name.split(maxsplit=1)[0]
        least = delay(any_of_many(changed) > self.many)
        what = "told all laws, not which: the least on average"
        row(what, "", f"{least:.1f}", f"{least / oracle:.2f}x")
        watched = u if kind == "mean" else drift.spread(u)
        ours, theirs = (
            delay(alarms(watched, delta))
            for alarms, delta in zip((ours_alarms, rivers_alarms), self.deltas[kind], strict=True)
        )
        row(
            f"R5: delay, {name}: ADWIN clock 1, river {theirs:.1f}",
            f"{WINDOWS[name]:.2f}x" if name in WINDOWS else "",
            f"{ours / theirs:.2f}x",
            f"{ours:.1f}{missed(ours, WINDOWS.get(name, np.inf) * theirs)}",
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    quick = arguments.parse_args().quick
    print(__doc__)
    head("The regime detectors: cost")
    costs(np.random.default_rng(2_023), quick=quick)
    head("The regime detectors: delay at one false alarm in 5,000")
    delays(np.random.default_rng(2_024), quick=quick)


if __name__ == "__main__":
    main()
