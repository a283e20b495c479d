"""The canary test: its error rates beside two other judges, and the cost of one look.

    python benchmarks/canary.py            300 runs per cell, some minutes
    python benchmarks/canary.py --full     2,000 runs per cell and the 60-minute rows

All three judges see the same simulated counters in the same run:

- ours: the sequential test, latency off, so that one metric has the whole alpha;
- naive: canary rate above 1.2 times the stable rate in one-minute windows, two in a row,
  looked at every 30 s (what "+20 %, two failed checks" means without a test);
- rank: once at the end, as Kayenta judges: Mann-Whitney on the per-look rates at 98 %, and the
  ratio of the means above 1.2.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from scipy import stats

from swarm.contract.verdict import Answer
from swarm.core.rollout import sequential
from swarm.core.rollout.canary import CanaryState, judge, observe
from swarm.core.rollout.counts import ArmCounts, increase
from swarm.core.rollout.remembered import RememberedJudge
from swarm.core.rollout.slo import judge_slo
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.testing.rollout_traffic import START, Traffic, looks

Counts = tuple[float, float, float, float]
"""Of one window: canary requests, bad ones, stable requests, bad ones."""
ERRORS = CanaryThresholds(error_floor=0.0, p95_increase=None, max_hold=timedelta(hours=3))
FLOOR = CanaryThresholds(error_floor=0.001, p95_increase=None, max_hold=timedelta(hours=3))
LATENCY = CanaryThresholds(error_floor=0.05, max_hold=timedelta(hours=3))


@dataclass(frozen=True)
class Cell:
    minutes: int
    traffic: Traffic
    limits: CanaryThresholds = ERRORS
    note: str = ""
    published: str = ""  # the method's own figures: naive, FAIL, PASS


def _traffic(rps: float, errors: float, risk: float, **more: float) -> Traffic:
    return Traffic(requests_per_second=rps, error_share=errors, relative_risk=risk, **more)


ERROR_CELLS = [
    Cell(10, _traffic(20, 0.01, 1.0), published="96.5  1.6  0.1"),
    Cell(10, _traffic(100, 0.01, 1.0), published="92.6  1.1 16.1"),
    Cell(10, _traffic(100, 0.01, 2.0), published=" 100  100    0"),
    Cell(10, _traffic(100, 0.01, 5.0), published=" 100  100    0"),
    Cell(10, _traffic(1000, 0.01, 1.0), published="32.4  0.4 94.3"),
    Cell(10, _traffic(1000, 0.01, 1.2), note="at the margin", published="99.3 71.4  2.2"),
    Cell(10, _traffic(1000, 0.001, 1.0), published="92.9  1.1 18.5"),
    Cell(10, _traffic(1000, 0.001, 1.0), FLOOR, "floor 0.1 pp", "       0.6 99.2"),
    Cell(10, _traffic(1000, 0.001, 2.0), FLOOR, "floor, at the margin", "        81  3.0"),
    Cell(10, _traffic(1000, 0.0, 1.0), FLOOR, "floor, no errors"),
    Cell(10, _traffic(100, 0.01, 1.0, arm_noise=0.6), note="arm noise 0.6", published="       3.5"),
    Cell(
        10,
        _traffic(100, 0.01, 1.0, arm_noise=0.6, common_noise=0.6),
        note="arm and common noise 0.6",
        published="        12",
    ),
]
LONG_CELLS = [
    Cell(60, _traffic(20, 0.01, 1.0), published=">89   <2.1"),
    Cell(60, _traffic(100, 0.01, 1.0), published=">89   <2.1"),
    Cell(60, _traffic(1000, 0.01, 1.0), published=">89   <2.1"),
]
LATENCY_CELLS = [
    Cell(10, _traffic(rps, 0.0, 1.0, p95_factor=factor), LATENCY, f"p95 x {factor}", published)
    for rps, factor, published in [
        (20, 1.0, "           95"),
        (20, 1.15, "         <= 4"),
        (20, 1.3, "      100"),
        (100, 1.0, "          100"),
        (100, 1.15, "         <= 4"),
        (100, 1.3, "      100"),
    ]
]


def naive(windows: list[Counts], look_every: float) -> bool:
    """Whether 'two one-minute windows in a row above +20 %' rolls back."""
    per_minute = max(1, round(60 / look_every))
    before = False
    for end in range(per_minute, len(windows) + 1):
        last = windows[end - per_minute : end]
        n_c, s_c, n_b, s_b = (sum(w[i] for w in last) for i in range(4))
        worse = n_c > 0 and n_b > 0 and s_c / n_c > 1.2 * s_b / n_b
        if worse and before:
            return True
        before = worse
    return False


def rank(windows: list[Counts]) -> bool:
    canary = [w[1] / w[0] for w in windows if w[0]]
    stable = [w[3] / w[2] for w in windows if w[2]]
    if len(canary) < 2 or not any(stable):
        return False
    p = stats.mannwhitneyu(canary, stable, alternative="two-sided").pvalue
    return p < 0.02 and float(np.mean(canary)) > 1.2 * float(np.mean(stable))


def run_cell(
    cell: Cell, runs: int, rng: np.random.Generator, *, peers: bool
) -> tuple[list[float], list[float], list[float]]:
    failed_look = rolled_back = passed = naive_backs = rank_backs = 0
    to_fail, to_pass = [], []
    for _ in range(runs):
        state, previous, windows, first, verdict = (
            CanaryState(thresholds=cell.limits),
            None,
            [],
            None,
            None,
        )
        for look in looks(cell.traffic, cell.minutes * 60, rng):
            if previous is not None and peers:
                c = increase(previous.canary, look.canary).counts
                s = increase(previous.stable, look.stable).counts
                windows.append((c.total, c.bad, s.total, s.bad))
            previous = look
            if verdict is None:
                state = observe(state, look)
                found = state.judgement
                minutes = (look.observed_at - START).total_seconds() / 60
                if first is None and found.consecutive_fails:
                    first = "fail"
                    to_fail.append(minutes)
                elif first is None and found.answer is Answer.PASS:
                    first = "pass"
                    to_pass.append(minutes)
                if found.answer in (Answer.PASS, Answer.FAIL):
                    verdict = found.answer
            if verdict is not None and not peers:
                break
        failed_look += first == "fail"
        passed += first == "pass"
        rolled_back += verdict is Answer.FAIL
        naive_backs += naive(windows, cell.traffic.look_every)
        rank_backs += rank(windows) if peers else False
    share = [100 * x / runs for x in (failed_look, rolled_back, passed, naive_backs, rank_backs)]
    return share, to_fail, to_pass


def print_table(title: str, cells: list[Cell], runs: int, *, peers: bool) -> None:
    print(f"\n{title} ({runs} runs per cell, 10 % canary, a look every 30 s; percent of runs)")
    print(
        f"{'min':>4} {'rps':>5} {'errors':>7} {'risk':>5} | {'naive':>6} {'rank':>6} |"
        f" {'1 fail':>6} {'rolled':>6} {'PASS':>6} {'HOLD':>6} | {'to fail':>7} {'to pass':>7} |"
        f" published: naive FAIL PASS"
    )
    for number, cell in enumerate(cells):
        rng = np.random.default_rng([2205, number])
        (fail, rolled, passed, by_naive, by_rank), to_fail, to_pass = run_cell(
            cell, runs, rng, peers=peers
        )
        t = cell.traffic
        minutes = [f"{statistics.median(x):.1f} m" if x else "-" for x in (to_fail, to_pass)]
        others = f"{by_naive:6.1f} {by_rank:6.1f}" if peers else f"{'-':>6} {'-':>6}"
        print(
            f"{cell.minutes:4d} {t.requests_per_second:5.0f} {t.error_share:7.2%}"
            f" {t.relative_risk:5.1f} | {others} | {fail:6.1f} {rolled:6.1f} {passed:6.1f}"
            f" {100 - fail - passed:6.1f} | {minutes[0]:>7} {minutes[1]:>7} |"
            f" {cell.published:16} {cell.note}",
            flush=True,
        )


def timed(call: Callable[[], object], repeat: int) -> tuple[float, float, float]:
    samples = []
    for _ in range(repeat):
        begin = time.perf_counter_ns()
        call()
        samples.append((time.perf_counter_ns() - begin) / 1000)
    return statistics.median(samples), float(np.percentile(samples, 95)), min(samples)


def print_costs() -> None:
    limits = CanaryThresholds()
    traffic = Traffic(requests_per_second=100, p95_factor=1.0)
    every = list(looks(traffic, 120 * 30, np.random.default_rng(1)))
    state = CanaryState(thresholds=limits)
    for look in every[:-1]:
        state = observe(state, look)
    window = sequential.Window(canary=300.0, stable=2700.0, canary_bad=3.0, stable_bad=27.0)
    readings = [look.serving() for look in every]
    canary = [float(i) for i, _ in enumerate(every)]
    baseline = ArmCounts(total=30_000, bad=300)
    slo = SloThresholds(error_objective=0.02, p95_increase=None)
    remembered = RememberedJudge()
    remembered.judge("r", every[:-1], limits)
    rows = [
        (
            "one metric, one look (add + evidence)",
            lambda: sequential.evidence(sequential.add(state.step.errors, window)),
            5000,
        ),
        ("one look, errors and latency, whole judgement", lambda: observe(state, every[-1]), 5000),
        ("121 looks from scratch", lambda: judge(every, limits), 30),
        (
            "121 looks, all remembered (asked again)",
            lambda: remembered.judge("r", every, limits),
            300,
        ),
        ("SLO, 121 readings from scratch", lambda: judge_slo(readings, slo, baseline), 10),
        ("peer: Mann-Whitney on 120 windows", lambda: stats.mannwhitneyu(canary, canary), 300),
    ]
    print("\nCost, microseconds (goal: one look <= 100)")
    print(f"{'':48} {'median':>9} {'p95':>9} {'least':>9}")
    for name, call, repeat in rows:
        median, p95, least = timed(call, repeat)
        print(f"{name:48} {median:9.1f} {p95:9.1f} {least:9.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="2,000 runs and the 60-minute rows")
    parser.add_argument("--runs", type=int, default=None, help="runs per cell")
    options = parser.parse_args()
    runs = options.runs or (2000 if options.full else 300)
    print_costs()
    print_table("Errors", ERROR_CELLS, runs, peers=True)
    if options.full:
        print_table("Errors, one hour", LONG_CELLS, runs // 4, peers=True)
    print_table("Latency", LATENCY_CELLS, max(runs // 4, 50), peers=False)


if __name__ == "__main__":
    main()
