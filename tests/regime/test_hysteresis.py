"""When the label changes, when it does not, and what the posture does meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.regime.ensemble import AMBIGUITY, CHANGE, DISAGREEMENT, OPINION
from swarm.regime.errors import BadInput
from swarm.regime.hysteresis import rule
from swarm.regime.hysteresis.decision import begin, decide
from swarm.regime.hysteresis.policy import Policy
from swarm.regime.hysteresis.reasons import FAULTS, RegimeReason
from swarm.regime.nouns import HIDDEN, Posture, Regime

TREND, REVERT, HIGH_VOL, STRESSED = range(4)
FAULT_BITS = [one for one in RegimeReason if one in FAULTS]


def opinion(regime, mass=0.95, *, change=0.0, disagreement=0.0, ambiguity=0.0):
    """One opinion that gives `mass` to a regime and the rest to the others in equal parts."""
    made = np.zeros(OPINION)
    made[:4] = (1 - mass) / 3
    made[regime] = mass
    made[CHANGE], made[DISAGREEMENT], made[AMBIGUITY] = change, disagreement, ambiguity
    return made


class Stream:
    """One stream that is told an opinion per tick and remembers what was said last."""

    def __init__(self, policy=None):
        self.policy, self.rows, self.tick, self.said = policy or Policy(), begin(1), 0, []

    def tell(self, opinion, *, ticks=1, fault=0, episode=-1, run=0):
        for _ in range(ticks):
            self.rows, found = decide(
                self.rows,
                opinion[None],
                np.array([int(fault)]),
                np.array([episode]),
                np.array([run]),
                self.tick,
                self.policy,
            )
            self.said += found
            self.tick += 1
        return self

    @property
    def row(self):
        return self.rows[0]

    @property
    def regime(self):
        return [*HIDDEN, Regime.UNCERTAIN][self.row[rule.SAID]]

    @property
    def label(self):
        return HIDDEN[self.row[rule.ACTIVE]]

    @property
    def posture(self):
        return (Posture.NORMAL, Posture.DEFENSIVE)[self.row[rule.POSTURE]]

    @property
    def reasons(self):
        return RegimeReason(int(self.row[rule.REASONS]))


def settled(regime=TREND, policy=None):
    """A stream whose regime was justified by the run that began at tick 0, its dwell passed."""
    stream = Stream(policy).tell(opinion(regime), ticks=40)
    assert stream.label == HIDDEN[regime]
    return stream


@pytest.mark.req("REG-4")
def test_before_anything_is_known_we_say_so_and_hold_back():
    stream = Stream().tell(opinion(TREND))
    assert (stream.regime, stream.posture) == (Regime.UNCERTAIN, Posture.DEFENSIVE)
    assert RegimeReason.NEVER_ACTIVE in stream.reasons


@pytest.mark.req("REG-3")
def test_the_first_regime_needs_its_confirmation_and_nothing_to_have_changed():
    stream = Stream().tell(opinion(TREND), ticks=5)
    assert stream.regime == Regime.UNCERTAIN
    assert stream.reasons & RegimeReason.CONFIRMING
    assert stream.tell(opinion(TREND)).regime == Regime.TREND
    assert stream.posture == Posture.NORMAL


@pytest.mark.req("REG-3")
@pytest.mark.parametrize(
    ("start", "to", "ticks"),
    [
        pytest.param(TREND, HIGH_VOL, 2, id="more-defensive-a-third"),
        pytest.param(HIGH_VOL, STRESSED, 2, id="most-defensive-a-third"),
        pytest.param(HIGH_VOL, TREND, 6, id="less-defensive-all"),
        pytest.param(TREND, REVERT, 6, id="equally-defensive-all"),
    ],
)
def test_a_change_needs_the_confirmation_of_its_direction(start, to, ticks):
    stream = settled(start).tell(opinion(to, change=0.9), ticks=ticks - 1, run=40)
    assert stream.label == HIDDEN[start]
    stream.tell(opinion(to, change=0.9), run=40)
    assert (stream.label, stream.row[rule.RUN_START]) == (HIDDEN[to], 40)
    assert stream.reasons & RegimeReason.PROMOTED


@pytest.mark.req("REG-3")
@pytest.mark.parametrize("mass", [0.6, 0.899])
def test_a_posterior_below_its_threshold_is_no_candidate(mass):
    stream = settled().tell(opinion(HIGH_VOL, mass, change=1.0), ticks=50, run=40)
    assert stream.label == Regime.TREND


@pytest.mark.req("REG-3")
def test_a_posterior_without_a_new_run_promotes_nothing_and_ends_in_uncertain():
    stream = settled().tell(opinion(HIGH_VOL, change=0.49), ticks=3, run=40)
    assert stream.reasons & RegimeReason.NO_NEW_RUN
    assert stream.regime == Regime.TREND
    stream.tell(opinion(HIGH_VOL, change=0.49), run=40)
    assert (stream.regime, stream.label) == (Regime.UNCERTAIN, Regime.TREND)
    assert stream.posture == Posture.DEFENSIVE
    assert stream.reasons & RegimeReason.WAITED_TOO_LONG


@pytest.mark.req("REG-3")
def test_a_candidate_that_waited_too_long_is_promoted_once_its_run_is_seen():
    stream = settled().tell(opinion(HIGH_VOL, change=0.4), ticks=10, run=40)
    assert stream.tell(opinion(HIGH_VOL, change=0.5), run=40).regime == Regime.HIGH_VOL


def test_uncertainty_from_waiting_ends_with_its_candidate():
    stream = settled().tell(opinion(HIGH_VOL), ticks=10)
    assert stream.regime == Regime.UNCERTAIN
    assert stream.tell(opinion(TREND)).regime == Regime.TREND
    assert stream.reasons & RegimeReason.CANDIDATE_DROPPED


@pytest.mark.req("REG-3")
def test_a_candidate_in_the_middle_is_neither_counted_nor_dropped():
    stream = settled().tell(opinion(HIGH_VOL, change=1.0), run=40)
    stream.tell(opinion(HIGH_VOL, 0.61, change=1.0), ticks=9, run=40)
    assert (stream.label, stream.row[rule.COUNT]) == (Regime.TREND, 1)
    assert stream.tell(opinion(HIGH_VOL, change=1.0), run=40).label == Regime.HIGH_VOL


def test_another_candidate_begins_its_own_count():
    stream = settled().tell(opinion(HIGH_VOL, change=1.0), run=40)
    stream.tell(opinion(STRESSED, change=1.0), run=40)
    assert (stream.label, stream.row[rule.COUNT]) == (Regime.TREND, 1)


@pytest.mark.req("REG-3")
def test_the_dwell_binds_towards_less_defensive_only():
    stream = settled().tell(opinion(HIGH_VOL, change=1.0), ticks=2, run=40)
    assert stream.row[rule.DWELL_UNTIL] == 41 + 20
    stream.tell(opinion(TREND, change=1.0), ticks=19, run=50)
    assert (stream.label, stream.tick) == (Regime.HIGH_VOL, 61)
    assert stream.reasons & RegimeReason.DWELLING
    assert stream.tell(opinion(TREND, change=1.0), run=50).label == Regime.TREND
    stream.tell(opinion(STRESSED, change=1.0), ticks=2, run=60)
    assert stream.label == Regime.STRESSED_LIQUIDITY


@pytest.mark.req("REG-3")
def test_reversion_has_no_shortcut():
    """Back to the regime before is the same path: its own run, its own confirmation."""
    stream = settled().tell(opinion(HIGH_VOL, change=1.0), ticks=2, run=40)
    stream.tell(opinion(TREND, change=0.0), ticks=200, run=40)
    assert stream.label == Regime.HIGH_VOL
    assert stream.regime == Regime.UNCERTAIN


@pytest.mark.req("REG-3")
def test_an_open_drift_episode_counts_when_it_is_newer_than_the_regime():
    old = settled().tell(opinion(HIGH_VOL), ticks=2, episode=5, run=40)
    assert old.label == Regime.TREND
    new = settled().tell(opinion(HIGH_VOL), ticks=2, episode=39, run=40)
    assert new.label == Regime.HIGH_VOL
    assert new.said[-1].reasons & RegimeReason.DRIFT_COUNTS


@pytest.mark.req("REG-4")
def test_the_posture_follows_the_mass_before_the_label_does():
    stream = settled().tell(opinion(HIGH_VOL, 0.55))
    assert (stream.regime, stream.posture) == (Regime.TREND, Posture.DEFENSIVE)
    assert stream.reasons & RegimeReason.DEFENSIVE_MASS
    assert stream.tell(opinion(TREND)).posture == Posture.NORMAL


@pytest.mark.req("REG-4")
@pytest.mark.parametrize(
    "worry",
    [
        pytest.param([opinion(HIGH_VOL, 0.55)], id="mass"),
        pytest.param([opinion(TREND, disagreement=0.6)] * 3 + [opinion(TREND)] * 5, id="doubt"),
    ],
)
def test_no_change_is_without_a_reason_the_end_of_caution_neither(worry):
    stream = settled()
    for one in worry:
        stream.tell(one)
    assert stream.posture == Posture.DEFENSIVE
    assert stream.tell(opinion(TREND)).posture == Posture.NORMAL
    assert stream.said[-1].reasons == RegimeReason.CLEARED


@pytest.mark.req("REG-4")
def test_stress_is_always_defensive():
    assert settled(STRESSED).posture == Posture.DEFENSIVE


@pytest.mark.req("REG-4")
def test_high_volatility_that_is_certain_is_a_regime_like_others():
    """Its experts are capped for it; the defensive profile is for doubt and for stress."""
    stream = settled(HIGH_VOL)
    assert (stream.regime, stream.posture) == (Regime.HIGH_VOL, Posture.NORMAL)


@pytest.mark.req("REG-4")
@pytest.mark.parametrize("what", ["disagreement", "ambiguity"])
def test_doubt_begins_after_three_ticks_and_ends_after_six_calm_ones(what):
    limits = {"disagreement": (0.5, 0.3), "ambiguity": (0.8, 0.6)}[what]
    stream = settled().tell(opinion(TREND, **{what: limits[0]}), ticks=2)
    assert stream.regime == Regime.TREND
    stream.tell(opinion(TREND, **{what: limits[0]}))
    assert (stream.regime, stream.label) == (Regime.UNCERTAIN, Regime.TREND)
    assert stream.reasons & (RegimeReason.DISAGREEMENT | RegimeReason.AMBIGUITY)
    stream.tell(opinion(TREND, **{what: limits[1]}), ticks=50)
    assert stream.regime == Regime.UNCERTAIN, "the end lies below, not at, the lower threshold"
    stream.tell(opinion(TREND), ticks=5)
    assert stream.regime == Regime.UNCERTAIN
    assert stream.tell(opinion(TREND)).regime == Regime.TREND


@pytest.mark.req("REG-4")
@pytest.mark.parametrize("fault", FAULT_BITS)
def test_a_detector_that_fails_makes_us_uncertain_within_the_tick(fault):
    stream = settled().tell(opinion(TREND), fault=fault)
    assert (stream.regime, stream.posture) == (Regime.UNCERTAIN, Posture.DEFENSIVE)
    assert fault in stream.reasons
    assert stream.label == Regime.TREND
    stream.tell(opinion(TREND), ticks=5)
    assert stream.regime == Regime.UNCERTAIN, "a detector is believed again after six calm ticks"
    assert stream.tell(opinion(TREND)).regime == Regime.TREND


@pytest.mark.req("REG-3")
def test_a_tick_without_an_observation_counts_for_nothing():
    stream = settled().tell(opinion(HIGH_VOL, change=1.0), run=40)
    stream.tell(opinion(HIGH_VOL, change=1.0), ticks=50, fault=RegimeReason.NOTHING_SEEN, run=40)
    assert (stream.label, stream.row[rule.COUNT]) == (Regime.TREND, 1)
    assert stream.posture == Posture.DEFENSIVE, "the mass is believed even so"
    assert stream.tell(opinion(HIGH_VOL, change=1.0), run=40).label == Regime.HIGH_VOL


def test_what_was_counted_on_a_failing_detectors_word_counts_for_nothing():
    stream = settled().tell(opinion(HIGH_VOL, change=1.0), run=40)
    stream.tell(opinion(HIGH_VOL, change=1.0), fault=RegimeReason.DETECTOR_STALE, run=40)
    assert stream.row[rule.COUNT] == 0


@pytest.mark.parametrize("column", range(OPINION))
def test_a_number_that_is_none_never_promotes_and_never_relaxes(column):
    """The faults of the detectors are one line of defence; here is the other."""
    broken = opinion(REVERT, change=1.0)
    broken[column] = np.nan
    stream = settled().tell(broken, ticks=2, run=40)
    assert stream.label == Regime.TREND
    if column in {DISAGREEMENT, AMBIGUITY}:
        assert stream.tell(broken, run=40).posture == Posture.DEFENSIVE


@st.composite
def scripts(draw):
    """A few dozen ticks of anything: opinions, faults, episodes, runs."""
    told = []
    for tick in range(draw(st.integers(1, 60))):
        made = opinion(
            draw(st.integers(0, 3)),
            draw(st.sampled_from([0.4, 0.59, 0.7, 0.9, 0.95, 1.0])),
            change=draw(st.sampled_from([0.0, 0.49, 0.5, 1.0, np.nan])),
            disagreement=draw(st.sampled_from([0.0, 0.0, 0.0, 0.4, 0.6])),
            ambiguity=draw(st.sampled_from([0.0, 0.0, 0.0, 0.7, 0.9])),
        )
        fault = draw(st.sampled_from([0] * 12 + [int(one) for one in FAULT_BITS]))
        told.append((made, fault, draw(st.integers(-1, tick)), draw(st.integers(0, tick))))
    return told


@pytest.mark.slow
@pytest.mark.req("REG-3", "REG-4")
@given(scripts(), st.integers(1, 9), st.integers(0, 30))
def test_whatever_comes_the_promises_hold(script, confirm, dwell):
    stream = Stream(Policy(confirm=confirm, dwell=dwell))
    promoted_at, supported = None, 0
    for made, fault, episode, run in script:
        before = stream.row.copy()
        stream.tell(made, fault=fault, episode=episode, run=run)
        row, now = stream.row, stream.tick - 1
        levels = [rule.level(int(one)) for one in (before[rule.ACTIVE], row[rule.ACTIVE])]
        supported += int(np.nanargmax(made[:4]) != before[rule.ACTIVE] and made[:4].max() >= 0.9)
        if row[rule.ACTIVE] != before[rule.ACTIVE]:
            first = before[rule.ACTIVE] == rule.NONE
            stricter = levels[1] > levels[0]
            assert not fault
            assert first or made[CHANGE] >= 0.5 or episode > before[rule.SINCE]
            assert supported >= (-(-confirm // 3) if stricter else confirm)
            assert stricter or promoted_at is None or now - promoted_at >= dwell
            promoted_at, supported = now, 0
        if row[rule.POSTURE] == 0:
            worse = sum(made[k] for k in range(4) if rule.level(k) > levels[1])
            assert not fault
            assert worse <= 0.5
            assert row[rule.SAID] == row[rule.ACTIVE] != STRESSED
        assert (row[rule.SAID] == rule.UNCERTAIN) <= (row[rule.POSTURE] == 1)
        assert row[rule.REASONS] or stream.regime != Regime.UNCERTAIN
        columns = [rule.ACTIVE, rule.SAID, rule.POSTURE]
        assert row[rule.REASONS] or np.array_equal(row[columns], before[columns])
        assert row[rule.BEFORE] == before[rule.SAID]
        if row[rule.SAID] != before[rule.SAID] or row[rule.POSTURE] != before[rule.POSTURE]:
            assert stream.said[-1].tick == now


@pytest.mark.slow
@given(scripts())
def test_equal_inputs_give_equal_outputs_and_stay_as_they_were(script):
    rows = begin(3)
    for tick, (made, fault, episode, run) in enumerate(script):
        args = (
            np.tile(made, (3, 1)), np.full(3, fault), np.full(3, episode), np.full(3, run),
            tick, Policy(),
        )  # fmt: skip
        kept = rows.copy()
        one, _ = decide(rows, *args)
        other, _ = decide(rows, *args)
        assert np.array_equal(rows, kept)
        assert np.array_equal(one, other)
        assert np.array_equal(one[0], one[2]), "streams do not see one another"
        rows = one


def test_the_plain_function_says_what_the_compiled_one_says():
    plain = getattr(rule.weigh_candidate, "py_func", rule.weigh_candidate)
    for count, tick, change in ((1, 9, 1.0), (6, 9, 1.0), (6, 30, 1.0), (6, 30, 0.1)):
        row = begin(1)[0]
        row[[rule.ACTIVE, rule.CANDIDATE, rule.COUNT, rule.DWELL_UNTIL]] = 2, 0, count, 20
        twin = row.copy()
        arguments = (change, 8, tick, Policy())
        assert plain(twin, *arguments) == rule.weigh_candidate(row, *arguments)
        assert np.array_equal(row, twin)


def test_a_transition_tells_what_a_person_asks():
    stream = settled().tell(opinion(HIGH_VOL, change=0.2), run=40)
    told = stream.said[-1]
    assert (told.before, told.said, told.active) == (Regime.TREND,) * 3
    assert (told.candidate, told.waiting, told.refused) == (Regime.HIGH_VOL, 1, True)
    assert told.reasons.names == ("confirming", "defensive-mass")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("enter", 1.1),
        ("enter", float("nan")),
        ("forget", 0.95),
        ("confirm", 0),
        ("confirm", 2.5),
        ("dwell", -1),
        ("dwell", 2**40 + 1),
        ("patience", 0),
        ("disagreement_leaves", 0.6),
        ("ambiguity_leaves", 0.9),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(field, value):
    with pytest.raises(BadInput, match=field):
        Policy(**{field: value}).checked()


def test_a_policy_is_named_by_its_numbers():
    assert Policy().hash() == Policy().hash()
    assert len({Policy().hash(), Policy(dwell=21).hash(), Policy(enter=0.91).hash()}) == 3


def test_shapes_that_do_not_fit_are_refused():
    none = np.zeros(2, dtype=np.int64)
    with pytest.raises(BadInput, match="opinions"):
        decide(begin(2), np.zeros((1, 8)), none, none, none, 0, Policy())
    with pytest.raises(BadInput, match="episodes"):
        decide(begin(2), np.zeros((2, 8)), none, none[:1], none, 0, Policy())
