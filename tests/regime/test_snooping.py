"""Whether the best of many is better than chance makes it: the parts, the tests, the verdict."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.regime.errors import BadInput, BadSeries
from swarm.regime.snooping.against_the_best import (
    better_than_baseline,
    reality_check,
    superior_predictive_ability,
)
from swarm.regime.snooping.block_length import block_length, common_block
from swarm.regime.snooping.draws import Draws, philox
from swarm.regime.snooping.resampling import studentise
from swarm.regime.snooping.trials import Trial, universe
from swarm.regime.snooping.verdict import SnoopingRule, SnoopingVerdict, judge

N, K = 250, 20


def noise(seed, n=N, k=K):
    return np.random.default_rng(seed).standard_normal((n, k))


def trials_of(excess):
    return universe(Trial(content=f"{k:04}", excess=excess[:, k]) for k in range(excess.shape[1]))


RULE = SnoopingRule(looks=(N,), resamples=500)


# --- draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        pytest.param(
            "00000000 00000000 00000000 00000000",
            "00000000 00000000",
            "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
            id="zeros",
        ),
        pytest.param(
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
            id="ones",
        ),
        pytest.param(
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
            id="digits-of-pi",
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, expected):
    """The known answers that its authors publish with Random123."""
    words = [np.array([int(word, 16)], dtype=np.uint64) for word in counter.split()]
    first, second = (int(word, 16) for word in key.split())
    assert (
        " ".join(f"{word:08x}" for word in np.concatenate(philox(words, (first, second))))
        == expected
    )


def test_equal_names_give_equal_draws_and_others_do_not():
    one, same, other = Draws("a", 1), Draws("a", 1), Draws("a", 2)
    first = one.below(1000, 50)
    assert np.array_equal(first, same.below(1000, 50))
    assert not np.array_equal(first, other.below(1000, 50))
    assert not np.array_equal(first, one.below(1000, 50)), "a stream goes on, it does not repeat"


def test_draws_are_spread_evenly():
    counted = np.bincount(Draws("even").below(10, 100_000), minlength=10)
    # Chi-squared with 9 degrees of freedom: 27.9 is passed once in a thousand times.
    assert ((counted - 10_000) ** 2 / 10_000).sum() < 27.9
    values = Draws("even").uniform(100_000)
    assert values.min() >= 0
    assert values.max() < 1
    assert abs(values.mean() - 0.5) < 0.003


# --- the length of a block -----------------------------------------------------------------------


def autoregressive(seed, coefficient, n):
    shocks = noise(seed, n, 1)[:, 0]
    for t in range(1, n):
        shocks[t] += coefficient * shocks[t - 1]
    return shocks


@pytest.mark.slow  # arch takes seconds to import
@pytest.mark.parametrize("coefficient", [0.0, 0.3, 0.7, -0.5])
@pytest.mark.parametrize("n", [250, 2000])
def test_the_block_length_is_the_one_that_arch_finds(coefficient, n):
    from arch.bootstrap import optimal_block_length

    series = autoregressive(5, coefficient, n)
    theirs = optimal_block_length(series)
    ours = block_length(series)
    assert ours.stationary == pytest.approx(float(theirs["stationary"].iloc[0]), rel=1e-9)
    assert ours.circular == pytest.approx(float(theirs["circular"].iloc[0]), rel=1e-9)


def test_a_constant_series_has_blocks_of_one():
    assert block_length(np.full(100, 3.0)) == (1.0, 1.0)


def test_blocks_are_never_longer_than_a_tenth():
    walks = np.cumsum(noise(1, 200, 3), axis=0)
    assert common_block(walks) == 20


# --- resampling ----------------------------------------------------------------------------------


def by_hand(excess, block, starts):
    """The statistic of one resample, from its rows and not from any product."""
    n, centred = len(excess), excess - excess.mean()
    sums = np.array([centred[(s + np.arange(block)) % n].sum() for s in starts])
    m = len(starts)
    mean = sums.sum() / (m * block)
    variance = sums.var(ddof=1) / block
    return math.sqrt(m * block) * mean / math.sqrt(variance)


def test_a_resample_is_what_its_blocks_give_by_hand():
    excess, block, resamples = noise(3, 60, 4), 5, 7
    found = studentise(excess, block, resamples, Draws("x"))
    starts = Draws("x").below(60, resamples * 12).reshape(resamples, 12)
    for b in range(resamples):
        for k in range(4):
            expected = by_hand(excess[:, k], block, starts[b])
            assert found.resamples[b, k] == pytest.approx(expected, rel=1e-9)


def test_a_block_of_one_is_the_plain_t_statistic():
    excess = noise(4, 100, 3)
    found = studentise(excess, 1, 10, Draws("x"))
    plain = 10 * excess.mean(axis=0) / excess.std(axis=0, ddof=1)
    assert found.t == pytest.approx(plain, rel=1e-9)


@pytest.mark.slow
@pytest.mark.req("REG-9")
@given(st.integers(0, K - 1), st.sampled_from([1e-9, 0.01, 100.0, 1e9]))
def test_the_unit_of_one_trial_changes_nothing(which, scale):
    """Ground truth, row 20: multiplying one trial by 100 must leave the p-value as it is."""
    excess = noise(6) + 0.05
    scaled = excess.copy()
    scaled[:, which] *= scale
    values = []
    for one in (excess, scaled):
        found = studentise(one, 4, 200, Draws("scale"))
        marks = better_than_baseline(found, N, 0.05)
        values.append((superior_predictive_ability(found, N), list(marks)))
    assert values[0] == values[1]


@pytest.mark.req("REG-9")
def test_a_trial_that_does_not_vary_is_refused_and_nothing_is_divided_by():
    excess = noise(7)
    excess[:, 3], excess[:, 5] = 0.0, 0.1
    excess[:, 8] = np.where(np.arange(N) % 2, 1.0, -1.0)  # blocks of two sum to nothing
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        found = studentise(excess, 2, 100, Draws("x"))
        p = superior_predictive_ability(found, N)
        better = better_than_baseline(found, N, 0.05)
    assert list(np.flatnonzero(~found.usable)) == [3, 5, 8]
    assert not better[[3, 5, 8]].any()
    assert all(0 < value <= 1 for value in p)


# --- the three tests -----------------------------------------------------------------------------


class EveryDraw:
    """Not chance but all there is: one after the other, every choice of `blocks` starts of n."""

    def __init__(self, n, blocks):
        self.left = np.array(list(itertools.product(range(n), repeat=blocks)))

    def below(self, _bound, count):
        rows = count // self.left.shape[1]
        taken, self.left = self.left[:rows], self.left[rows:]
        return taken.ravel()


@pytest.mark.req("REG-9")
@pytest.mark.parametrize(
    ("n", "block"),
    [
        pytest.param(5, 1, id="single-rows"),
        pytest.param(8, 2, id="pairs"),
        pytest.param(10, 3, id="not-a-divisor"),
    ],
)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_p_values_are_those_of_every_resample_there_is(n, block, seed):
    """Nothing left to chance: Hansen's three and Romano and Wolf's steps as they define them."""
    rng = np.random.default_rng(seed)
    excess = rng.standard_t(4, (n, 4)) + rng.choice([0.0, 0.9, -2.0], 4)
    size, blocks = n ** (n // block), n // block
    centred = excess - excess.mean(axis=0)
    around = (np.arange(n)[:, None] + np.arange(block)) % n
    sums = centred[around].sum(axis=1)
    t = math.sqrt(n) * excess.mean(axis=0)
    t /= np.sqrt((sums**2).mean(axis=0) / block / (1 - block / n))
    chosen = sums[np.array(list(itertools.product(range(n), repeat=blocks)))]
    totals, spread = chosen.sum(axis=1), np.sqrt(blocks * chosen.var(axis=1, ddof=1))
    # The same block again and again has no spread: as great as its sign says.
    z = np.divide(totals, spread, out=np.sign(totals) * 1e99, where=spread > 1e-9)
    poor = np.where(t < -math.sqrt(2 * math.log(math.log(n))), t, 0.0)

    def p_of(shift):
        greatest = np.maximum((z + shift).max(axis=1), 0.0)
        return (1 + (greatest >= max(t.max(), 0.0)).sum()) / (size + 1)

    found = studentise(excess, block, size, EveryDraw(n, blocks))
    assert found.t == pytest.approx(t, rel=1e-12)
    expected = p_of(np.minimum(t, 0.0)), p_of(poor), p_of(0.0)
    assert superior_predictive_ability(found, n) == pytest.approx(expected, abs=1e-12)
    for alpha in (0.05, 0.2, 0.5):
        held = []
        while len(held) < 4:
            rest = [k for k in range(4) if k not in held]
            greatest = np.sort((z + poor)[:, rest].max(axis=1))
            bar = max(greatest[math.ceil((1 - alpha) * (size + 1)) - 1], 0.0)
            if not (more := [k for k in rest if t[k] > bar]):
                break
            held += more
        assert list(np.flatnonzero(better_than_baseline(found, n, alpha))) == sorted(held)


@pytest.mark.slow
def test_the_p_values_are_in_order_and_a_poor_best_has_one_of_one():
    found = studentise(noise(8) - 1.0, 3, 300, Draws("x"))
    assert superior_predictive_ability(found, N) == (1.0, 1.0, 1.0)
    for seed in range(20):
        found = studentise(noise(seed) - np.linspace(0, 0.5, K), 3, 300, Draws("x"))
        lower, consistent, upper = superior_predictive_ability(found, N)
        assert lower <= consistent <= upper


def test_a_real_one_is_found_among_unequal_volatilities():
    """Where an unstudentised test sees only the wildest trial."""
    excess = noise(9) * np.geomspace(1, 100, K)
    excess[:, 0] += 0.3
    found = studentise(excess, 1, 999, Draws("x"))
    assert superior_predictive_ability(found, N).consistent <= 0.01
    assert list(np.flatnonzero(better_than_baseline(found, N, 0.05))) == [0]
    assert reality_check(excess, 1, 999, Draws("x")) > 0.2


def test_stepping_finds_more_than_the_first_round_does():
    """Once the strongest are taken out, the bar is lower for the next."""
    excess = noise(10, N, 60)
    excess[:, :40] += 1.0
    excess[:, 40] += 3.35 / math.sqrt(N) - excess[:, 40].mean()
    found = studentise(excess, 1, 999, Draws("x"))
    bar_of_all = np.sort(found.resamples.max(axis=1))[949]
    bar_of_rest = np.sort(found.resamples[:, 40:].max(axis=1))[949]
    better = better_than_baseline(found, N, 0.05)
    assert better[:40].all()
    assert better[40] == (found.t[40] > bar_of_rest)
    assert bar_of_rest < bar_of_all


@given(st.integers(0, 1000), st.integers(1, 8), st.sampled_from([1, 2, 10]))
def test_stepping_never_raises(seed, k, block):
    rng = np.random.default_rng(seed)
    excess = rng.standard_t(2, (40, k)) * rng.choice([0.0, 1e-8, 1.0, 1e8], k) + rng.normal(0, 2, k)
    found = studentise(excess, block, 50, Draws("x", seed))
    better = better_than_baseline(found, 40, 0.05)
    assert better.shape == (k,)
    assert not better[~found.usable].any()


@pytest.mark.slow
def test_the_reality_check_agrees_with_arch_on_equal_volatilities():
    from arch.bootstrap import SPA

    for seed, skill in ((11, 0.0), (12, 0.1), (13, 0.2)):
        excess = noise(seed)
        excess[:, 0] += skill
        theirs = SPA(
            np.zeros(N), -excess, block_size=5, reps=4000, studentize=False, seed=1, nested=False
        )
        theirs.compute()
        ours = reality_check(excess, 5, 4000, Draws("x", seed))
        assert ours == pytest.approx(float(theirs.pvalues["upper"]), abs=0.035)


# --- the ledger and the verdict ------------------------------------------------------------------


@pytest.mark.req("REG-9")
def test_a_trial_counts_once_whoever_made_it_and_in_whatever_order():
    one, two = (Trial(content=c, excess=noise(k, 50, 1)[:, 0]) for k, c in enumerate("ab"))
    again = Trial(content="a", excess=one.excess.copy())
    assert universe([one, two, again]).contents == ("a", "b")
    assert universe([one, two]).hash == universe([two, again, one]).hash
    assert universe([one, two]).hash != universe([one]).hash


@pytest.mark.parametrize(
    ("trials", "match"),
    [
        pytest.param([], "are none", id="none"),
        pytest.param([("a", [1.0, 2.0]), ("a", [1.0, 3.0])], "twice", id="two-results"),
        pytest.param([("a", [1.0, 2.0]), ("b", [1.0])], "shape", id="lengths"),
        pytest.param([("a", [1.0, np.nan])], "gap", id="gap"),
        pytest.param([("a", [1.0, np.inf])], "infinity", id="infinity"),
    ],
)
def test_a_ledger_that_cannot_be_tested_is_refused(trials, match):
    with pytest.raises(BadSeries, match=match):
        universe(Trial(content=c, excess=np.array(x)) for c, x in trials)


@pytest.mark.req("REG-9")
def test_skill_passes_and_luck_is_rejected():
    excess = noise(14)
    excess[:, 2] += 0.5
    trials = trials_of(excess)
    skilled, lucky = judge("0002", trials, RULE), judge("0003", trials, RULE)
    assert skilled.verdict == SnoopingVerdict.PASSED
    assert lucky.verdict == SnoopingVerdict.REJECTED
    assert "0002" in skilled.better
    assert "0003" not in skilled.better
    assert (skilled.trials, skilled.observations, skilled.universe) == (K, N, trials.hash)
    assert judge("0002", trials, RULE) == skilled, "a look can be repeated"


@pytest.mark.slow
@pytest.mark.req("REG-9")
def test_the_same_result_is_luck_once_every_trial_counts():
    """Alone it would pass; as the best of two thousand it does not."""
    excess = noise(15, N, 2_000)
    best = int(np.argmax(excess.mean(axis=0) / excess.std(axis=0)))
    alone, all_ = trials_of(excess[:, [best]]), trials_of(excess)
    assert judge("0000", alone, RULE).verdict == SnoopingVerdict.PASSED
    assert judge(f"{best:04}", all_, RULE).verdict == SnoopingVerdict.REJECTED


@pytest.mark.req("REG-9")
@pytest.mark.parametrize(
    ("candidate", "rule", "why"),
    [
        pytest.param("0001", SnoopingRule(looks=(500,)), "no registered look", id="peeking"),
        pytest.param("none", RULE, "not in the ledger", id="unrecorded"),
        pytest.param("0004", RULE, "does not vary", id="constant"),
        pytest.param("0001", SnoopingRule(looks=(N,), least_blocks=251), "blocks", id="few"),
    ],
)
def test_what_cannot_be_tested_is_insufficient_before_it_is_anything_else(candidate, rule, why):
    excess = noise(16) + 1.0
    excess[:, 4] = 1.0
    found = judge(candidate, trials_of(excess), rule)
    assert found.verdict == SnoopingVerdict.INSUFFICIENT
    assert why in found.why
    assert found.p is None


@pytest.mark.req("REG-9")
@pytest.mark.parametrize("n", range(1, 10))
def test_a_look_at_hardly_anything_is_insufficient_and_not_an_error(n):
    """Whoever registers a look at tick 3 must be able to take it."""
    rule = SnoopingRule(looks=(n,))
    found = judge("0001", trials_of(noise(17, n, 3)), rule)
    assert found.verdict == SnoopingVerdict.INSUFFICIENT
    assert f"{n} blocks of 1" in found.why


@pytest.mark.parametrize(
    ("field", "value"),
    [("looks", ()), ("looks", (5, 5)), ("looks", (9, 3)), ("alpha", 0.0), ("resamples", 10)],
)
def test_a_rule_that_cannot_be_meant_is_refused(field, value):
    with pytest.raises(BadInput, match=field):
        SnoopingRule(**{"looks": (100,), field: value})


def test_every_look_spends_its_part_of_the_error():
    assert SnoopingRule(looks=(100, 200, 300, 400), alpha=0.04).level == pytest.approx(0.01)


def test_a_finding_names_the_trials_that_it_counted():
    excess = noise(17)
    one, more = (
        judge("0000", trials_of(excess[:, :10]), RULE),
        judge("0000", trials_of(excess), RULE),
    )
    assert one.universe != more.universe
