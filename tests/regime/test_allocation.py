"""Shares of capital: the nearest allowed ones, and no caution ever raises anybody."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.regime.capital.allocation import (
    AllocationRule,
    Expert,
    Situation,
    allocate,
    nothing,
    targets,
)
from swarm.regime.capital.projection import Group, project, project_grouped
from swarm.regime.errors import BadInput
from swarm.regime.memory.finding import MemoryFinding, MemoryVerdict
from swarm.regime.nouns import HIDDEN, LADDER, Posture, Regime, Rung

shares = st.floats(0.0, 1.0)
TINY = 1e-12  # rounding; a limit itself is kept to the last bit


@st.composite
def problems(draw):
    count = draw(st.integers(1, 8))
    many = st.lists(shares, min_size=count, max_size=count)
    return draw(many), draw(many), draw(st.floats(0.0, 2.0))


# --- the projection ------------------------------------------------------------------------------


@pytest.mark.req("REG-6")
@given(problems())
def test_the_projection_is_the_nearest_allowed_point(problem):
    """By the conditions of Karush, Kuhn and Tucker, which for this problem are also sufficient."""
    wanted, most, total = problem
    found = project(wanted, most, total)
    assert all(0.0 <= w <= cap for w, cap in zip(found, most, strict=True))
    assert math.fsum(found) <= total
    least, greatest = 0.0, math.inf  # of what is taken from everyone alike
    for want, w, cap in zip(wanted, found, most, strict=True):
        if cap > TINY and w < cap - TINY:
            least = max(least, want - w)
        if w > TINY:
            greatest = min(greatest, want - w)
    assert least <= greatest + 1e-9
    assert least <= 1e-9 or math.fsum(found) >= total - 1e-9, "nothing is taken while there is room"


@pytest.mark.req("REG-6")
@given(problems(), shares)
def test_a_lower_total_raises_nobody(problem, part):
    wanted, most, total = problem
    high, low = project(wanted, most, total), project(wanted, most, total * part)
    assert all(now <= was + TINY for now, was in zip(low, high, strict=True))


@pytest.mark.req("REG-6")
@given(problems(), st.integers(0, 7), shares)
def test_a_lower_bound_raises_neither_its_expert_nor_the_total(problem, which, part):
    wanted, most, total = problem
    which %= len(most)
    lower = [cap * (part if k == which else 1.0) for k, cap in enumerate(most)]
    before, after = project(wanted, most, total), project(wanted, lower, total)
    assert after[which] <= before[which] + TINY
    assert math.fsum(after) <= math.fsum(before) + TINY


@given(problems(), st.randoms())
def test_the_order_of_the_experts_changes_nothing(problem, random):
    wanted, most, total = problem
    order = list(range(len(wanted)))
    random.shuffle(order)
    plain = project(wanted, most, total)
    shuffled = project([wanted[k] for k in order], [most[k] for k in order], total)
    assert shuffled == [plain[k] for k in order]


@given(problems(), shares)
def test_a_group_keeps_its_cap_and_the_total_is_kept(problem, cap):
    wanted, most, total = problem
    members = tuple(range(0, len(wanted), 2))
    found = project_grouped(wanted, most, total, [Group(members, cap)])
    assert all(0.0 <= w <= c for w, c in zip(found, most, strict=True))
    assert math.fsum(found[k] for k in members) <= cap
    assert math.fsum(found) <= total
    wide = project_grouped(wanted, most, total, [Group(members, 99.0)])
    assert wide == pytest.approx(project(wanted, most, total), abs=1e-12)


@pytest.mark.slow  # cvxpy takes seconds to import
@pytest.mark.req("REG-6")
def test_the_projection_is_the_one_that_a_solver_finds():
    import cvxpy

    rng = np.random.default_rng(2)
    for _ in range(40):
        wanted, most = rng.random(6), rng.random(6)
        total, cap = rng.random() * 3, rng.random()
        members = (0, 2, 4)
        x = cvxpy.Variable(6)
        bounds = [x >= 0, x <= most, cvxpy.sum(x) <= total, x[0] + x[2] + x[4] <= cap]
        cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(x - wanted)), bounds).solve(
            solver=cvxpy.CLARABEL
        )
        found = project_grouped(list(wanted), list(most), total, [Group(members, cap)])
        assert found == pytest.approx(x.value, abs=1e-5)


@pytest.mark.parametrize("total", [0.0, 5e-324, 1e-300, 1e-17])
def test_hardly_any_capital_ends_and_is_kept(total):
    assert math.fsum(project([0.3, 0.1, 0.2], [1.0, 1.0, 0.05], total)) <= total


# --- the allocation ------------------------------------------------------------------------------

TREND, REVERT, HIGH_VOL, STRESSED = HIDDEN
EXPERTS = (
    Expert(name="follower", wants={TREND: 0.5, HIGH_VOL: 0.1}, cap=0.4),
    Expert(name="fader", wants={REVERT: 0.6}, cap=0.5, group="equity"),
    Expert(name="hedger", wants={HIGH_VOL: 0.3, STRESSED: 0.4}, cap=0.5, group="equity"),
)
RULE = AllocationRule(rise=1.0, group_caps={"equity": 0.7})
ALL_UP = {expert.name: Rung.FULL for expert in EXPERTS}
SWITCHING = MemoryFinding(n=2000, verdict=MemoryVerdict.SWITCHING, critical=1.252, level=0.05)
LONG = replace(SWITCHING, verdict=MemoryVerdict.LONG_MEMORY)


def situation(posterior=(1, 0, 0, 0), posture=Posture.NORMAL, rungs=None, memory=SWITCHING):
    return Situation(
        posterior=posterior, posture=posture, rungs=ALL_UP if rungs is None else rungs,
        memory=memory,
    )  # fmt: skip


def tick(now, before=None, rule=RULE, experts=EXPERTS):
    return allocate(experts, now, before or nothing(experts), rule)


@pytest.mark.req("REG-6")
def test_an_expert_gets_nothing_in_a_regime_that_it_does_not_declare():
    assert tick(situation((0, 1, 0, 0))).capital_shares == (0.0, 0.5, 0.0)
    assert tick(situation((1, 0, 0, 0))).capital_shares == (0.4, 0.0, 0.0)


@pytest.mark.req("REG-6")
def test_wants_are_weighted_by_the_posterior():
    wants = targets(EXPERTS, (0.5, 0.2, 0.3, 0.0), SWITCHING)
    assert wants == pytest.approx([0.28, 0.12, 0.09])


@pytest.mark.req("REG-7")
def test_a_rung_takes_its_part_of_the_cap():
    for rung in LADDER:
        rungs = {"follower": rung, "fader": Rung.FULL}
        made = tick(situation(rungs=rungs))
        assert made.capital_shares[0] == pytest.approx(0.4 * rung.capital_share)


@pytest.mark.req("REG-7")
def test_an_expert_without_a_rung_trades_on_paper():
    assert tick(situation(rungs={})).capital_shares == (0.0, 0.0, 0.0)


@pytest.mark.req("REG-4")
@pytest.mark.parametrize(
    ("posture", "most"), [(Posture.NORMAL, 1.0), (Posture.DEFENSIVE, 0.25), (Posture.FROZEN, 0.0)]
)
def test_a_posture_bounds_all_together(posture, most):
    made = tick(situation((0.3, 0.3, 0.2, 0.2), posture))
    assert math.fsum(made.capital_shares) <= most
    assert tick(situation(posture=posture)).capital_shares[0] == min(0.4, most)


def test_rising_is_slow_and_falling_is_not():
    slow = AllocationRule(rise=0.05, group_caps={"equity": 0.7})
    first = tick(situation(), rule=slow)
    assert first.capital_shares[0] == 0.05
    second = tick(situation(), first, slow)
    assert second.capital_shares[0] == 0.10
    assert tick(situation((0, 0, 0, 1)), second, slow).capital_shares[0] == 0.0


@pytest.mark.req("REG-6")
@pytest.mark.parametrize("what", ["posture", "rung", "cap", "group"])
def test_what_a_caution_frees_goes_to_nobody_in_the_same_tick(what):
    greedy = tuple(replace(e, wants=dict.fromkeys(HIDDEN, 0.5), cap=0.5) for e in EXPERTS)
    before = tick(situation((0.4, 0.3, 0.2, 0.1)), experts=greedy)
    assert 0 < before.capital_shares[2] < 0.5
    now, rule, experts = situation((0.4, 0.3, 0.2, 0.1)), RULE, greedy
    if what == "posture":
        now = replace(now, posture=Posture.DEFENSIVE)
    elif what == "rung":
        now = replace(now, rungs={**ALL_UP, "fader": Rung.ONE})
    elif what == "cap":
        experts = (greedy[0], replace(greedy[1], cap=0.1), greedy[2])
    else:
        rule = AllocationRule(rise=1.0, group_caps={"equity": 0.2})
    made = tick(now, before, rule, experts)
    assert made.held_back
    pairs = list(zip(made.capital_shares, before.capital_shares, strict=True))
    assert all(now <= was for now, was in pairs)
    after = tick(now, made, rule, experts)
    assert not after.held_back


@st.composite
def situations(draw):
    masses = draw(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4))
    total = math.fsum(masses)
    return situation(
        tuple(m / total for m in masses),
        draw(st.sampled_from(list(Posture))),
        {expert.name: draw(st.sampled_from(LADDER)) for expert in EXPERTS},
        draw(st.sampled_from([None, SWITCHING, LONG])),
    )


@pytest.mark.slow
@pytest.mark.req("REG-6", "REG-7")
@given(st.lists(situations(), min_size=1, max_size=6), shares)
def test_whatever_comes_every_bound_holds_and_no_caution_raises_anyone(ticks, rise):
    rule = AllocationRule(rise=rise, group_caps={"equity": 0.6})
    before = nothing(EXPERTS)
    for now in ticks:
        made = tick(now, before, rule)
        shares_now = made.capital_shares
        assert all(0 <= w <= m for w, m in zip(shares_now, made.most, strict=True))
        assert math.fsum(shares_now) <= made.exposure
        assert shares_now[1] + shares_now[2] <= 0.6 + TINY
        pairs = list(zip(shares_now, before.capital_shares, strict=True))
        assert all(w <= held + rise for w, held in pairs)
        fell = made.exposure < before.exposure or any(
            m < was for m, was in zip(made.most, before.most, strict=True)
        )
        assert made.held_back == fell
        assert not fell or all(w <= held for w, held in pairs)
        for stricter in (Posture.DEFENSIVE, Posture.FROZEN):
            if list(Posture).index(stricter) > list(Posture).index(now.posture):
                less = tick(replace(now, posture=stricter), before, rule)
                both = zip(less.capital_shares, shares_now, strict=True)
                assert all(low <= high + TINY for low, high in both)
        before = made


@pytest.mark.req("REG-5")
def test_long_memory_flattens_the_posterior_and_halves_the_spread_of_wants():
    # Square roots of .64 and .36 over their sum are .8/1.4 and .6/1.4; wants .5 and .1 become
    # .4 and .2 around their mean .3.
    wants = targets(EXPERTS[:1], (0.64, 0.0, 0.36, 0.0), LONG)
    assert wants == pytest.approx([0.4 * 0.8 / 1.4 + 0.2 * 0.6 / 1.4])
    assert wants[0] < targets(EXPERTS[:1], (0.64, 0.0, 0.36, 0.0), SWITCHING)[0]


@pytest.mark.req("REG-5")
def test_what_was_never_tested_is_tempered_too():
    posterior = (0.64, 0.0, 0.36, 0.0)
    assert targets(EXPERTS, posterior, None) == targets(EXPERTS, posterior, LONG)


@pytest.mark.parametrize(
    ("posterior", "match"),
    [
        ((1, 0, 0), "four"),
        ((0.5, 0.4, 0, 0), "sums to"),
        ((math.nan, 0, 0, 1), "four"),
        ((1.5, -0.5, 0, 0), "four"),
        ((math.inf, 0, 0, 0), "sums to"),
    ],
)
def test_a_posterior_that_is_none_is_refused(posterior, match):
    with pytest.raises(BadInput, match=match):
        tick(situation(posterior))


def test_other_experts_than_before_are_refused():
    with pytest.raises(BadInput, match="tick before"):
        allocate(EXPERTS[:2], situation(), nothing(EXPERTS), RULE)


def test_a_group_without_a_cap_is_refused_and_not_unbounded():
    with pytest.raises(BadInput, match="not configured"):
        tick(situation(), rule=AllocationRule(group_caps={}))


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Expert(name="x", wants={Regime.UNCERTAIN: 0.1}, cap=0.1),
        lambda: Expert(name="x", wants={TREND: math.nan}, cap=0.1),
        lambda: Expert(name="x", wants={TREND: 0.1}, cap=1.1),
        lambda: AllocationRule(rise=-0.1, group_caps={}),
        lambda: AllocationRule(group_caps={"g": math.inf}),
    ],
)
def test_claims_that_cannot_be_meant_are_refused(bad):
    with pytest.raises(BadInput):
        bad()
