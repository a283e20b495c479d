"""The freeze of the quant profile: it comes at once and goes by steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.contract.profiles import profile
from swarm.regime.capital.freeze import (
    FreezeLatch,
    Health,
    ResumeProof,
    Trip,
    Unmet,
    resume,
    trip,
    tripped,
)
from swarm.regime.errors import BadInput
from swarm.regime.nouns import Posture, Rung

HOUR = 3_600_000_000_000
WELL = Health(drawdown_ppm=0)
QUANT = profile("quant").thresholds
HELD = trip(FreezeLatch(), [Trip.DRAWDOWN], now=HOUR, shortest=HOUR)
PROVEN = ResumeProof(window=(2 * HOUR, 4 * HOUR), shadow_passed=HOUR + 1)


@pytest.mark.req("FRZ-5")
@pytest.mark.parametrize(
    ("fallen", "freezes"),
    [
        pytest.param(14_999, False, id="one-unit-before-it"),
        pytest.param(15_000, True, id="at-minus-1.5-percent"),
        pytest.param(1_000_000, True, id="everything"),
        pytest.param(0, False, id="a-gain"),
    ],
)
def test_a_drawdown_freezes_at_its_limit(fallen, freezes):
    assert (Trip.DRAWDOWN in tripped(replace(WELL, drawdown_ppm=fallen), QUANT)) is freezes


def test_a_profile_that_limits_no_drawdown_freezes_at_none_and_a_broken_limit_still_does():
    platform = profile("control-plane").thresholds
    assert tripped(Health(drawdown_ppm=1_000_000), platform) == set()
    assert tripped(Health(drawdown_ppm=None), platform) == set()
    assert tripped(Health(drawdown_ppm=None, breaches=1), platform) == {Trip.HARD_LIMIT}


@pytest.mark.req("FRZ-5")
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"breaches": 1}, Trip.HARD_LIMIT),
        ({"throttled": True}, Trip.THROTTLE),
        ({"killed": True}, Trip.KILL),
        ({"drawdown_ppm": None}, Trip.EQUITY_UNKNOWN),
    ],
)
def test_each_of_these_freezes_alone(change, found):
    assert tripped(replace(WELL, **change), QUANT) == {found}


def test_what_is_well_trips_nothing():
    assert trip(FreezeLatch(), tripped(WELL, QUANT), now=1, shortest=HOUR) == FreezeLatch()


@pytest.mark.req("FRZ-5")
def test_a_freeze_is_lifted_in_two_steps():
    assert (HELD.ceiling, HELD.posture(Posture.NORMAL)) == (Rung.SHADOW, Posture.FROZEN)
    probing, unmet = resume(HELD, PROVEN, now=2 * HOUR)
    assert not unmet
    assert (probing.ceiling, probing.posture(Posture.NORMAL)) == (Rung.ONE, Posture.DEFENSIVE)
    same, unmet = resume(probing, PROVEN, now=3 * HOUR)
    assert (same, unmet) == (probing, (Unmet.NO_ONE_PERCENT_PROOF,))
    free, unmet = resume(probing, replace(PROVEN, one_percent_passed=3 * HOUR), now=3 * HOUR)
    assert (free, unmet) == (FreezeLatch(), ())
    assert (free.ceiling, free.posture(Posture.NORMAL)) == (Rung.FULL, Posture.NORMAL)


@pytest.mark.req("FRZ-3", "FRZ-5")
@pytest.mark.parametrize(
    ("change", "now", "unmet"),
    [
        pytest.param({"window": (0, 9 * HOUR)}, 2 * HOUR - 1, Unmet.NOT_OVER, id="too-early"),
        pytest.param({}, 4 * HOUR, Unmet.OUTSIDE_WINDOW, id="window-ends-exclusively"),
        pytest.param({"window": None}, 3 * HOUR, Unmet.OUTSIDE_WINDOW, id="no-window"),
        pytest.param({"shadow_passed": None}, 3 * HOUR, Unmet.NO_SHADOW_PROOF, id="no-shadow"),
        pytest.param({"shadow_passed": HOUR}, 3 * HOUR, Unmet.NO_SHADOW_PROOF, id="old-shadow"),
        pytest.param({"shadow_passed": 9 * HOUR}, 3 * HOUR, Unmet.NO_SHADOW_PROOF, id="future"),
    ],
)
def test_one_thing_missing_keeps_it_held(change, now, unmet):
    assert resume(HELD, replace(PROVEN, **change), now) == (HELD, (unmet,))


@pytest.mark.req("REG-10", "FRZ-3")
@pytest.mark.parametrize("cause", [Trip.THROTTLE, Trip.KILL])
def test_what_a_person_must_undo_no_timer_undoes(cause):
    held = trip(FreezeLatch(), [cause], now=HOUR, shortest=HOUR)
    assert resume(held, PROVEN, now=3 * HOUR) == (held, (Unmet.NO_TOKEN,))
    old = replace(PROVEN, token=HOUR)
    assert resume(held, old, now=3 * HOUR)[1] == (Unmet.NO_TOKEN,)
    assert not resume(held, replace(PROVEN, token=HOUR + 1), now=3 * HOUR)[1]


@pytest.mark.req("FRZ-5")
def test_a_new_trip_begins_all_of_it_again():
    probing, _ = resume(HELD, PROVEN, now=2 * HOUR)
    again = trip(probing, [Trip.HARD_LIMIT], now=3 * HOUR, shortest=HOUR)
    assert again.trips == (Trip.DRAWDOWN, Trip.HARD_LIMIT)
    assert (again.ceiling, again.until) == (Rung.SHADOW, 4 * HOUR)
    wide = replace(PROVEN, window=(0, 9 * HOUR))
    assert resume(again, wide, now=5 * HOUR)[1] == (Unmet.NO_SHADOW_PROOF,)


def test_a_frozen_posture_never_relaxes_what_the_detectors_say():
    assert FreezeLatch().posture(Posture.DEFENSIVE) == Posture.DEFENSIVE


some_trips = st.frozensets(st.sampled_from(list(Trip)), max_size=2)
times = st.one_of(st.none(), st.integers(0, 10 * HOUR))


@pytest.mark.req("FRZ-5")
@given(
    st.lists(
        st.tuples(st.frozensets(st.sampled_from(list(Trip)), max_size=2), times, times, times)
    ),
)
def test_however_it_goes_the_ceiling_rises_by_single_steps_and_only_with_proof(script):
    latch, now = FreezeLatch(), 0
    for trips, shadow, one_percent, token in script:
        now += HOUR // 2
        before = latch
        latch = trip(latch, trips, now, HOUR)
        assert not trips or latch.ceiling is Rung.SHADOW
        assert latch.until >= before.until
        held = latch
        proof = ResumeProof(
            window=(0, 99 * HOUR), shadow_passed=shadow, one_percent_passed=one_percent, token=token
        )
        latch, unmet = resume(latch, proof, now)
        if latch.ceiling > held.ceiling:
            assert not unmet
            assert (held.ceiling, latch.ceiling) in {
                (Rung.SHADOW, Rung.ONE),
                (Rung.ONE, Rung.FULL),
            }
            assert held.probing is not None or (now >= held.until and shadow > held.last)
            if held.ceiling is Rung.SHADOW and {Trip.KILL, Trip.THROTTLE} & set(held.trips):
                assert token > held.last
        else:
            assert latch == held


def test_a_freeze_of_no_length_is_refused():
    with pytest.raises(BadInput, match="shortest"):
        trip(FreezeLatch(), [Trip.KILL], now=0, shortest=0)
