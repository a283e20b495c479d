"""The LimitSet: one text, one hash, nothing half-defined, and in force only under a signature."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.regime.limits.by_regime import Measure, breaches
from swarm.regime.limits.caps import CapitalCap, Permission, Release, RungCaps
from swarm.regime.limits.errors import LimitsInvalid, LimitsNotInForce, RosterInvalid
from swarm.regime.limits.in_force import put_in_force
from swarm.regime.limits.instrument import SECOND, Collar, MessageRate
from swarm.regime.limits.limit_set import canonical_bytes, content_hash
from swarm.regime.limits.people import MATRIX, Act, Person, Role, Roster
from swarm.regime.nouns import LADDER, Regime, Rung
from swarm.testing.trading import (
    NOON,
    PEOPLE,
    collar,
    in_force,
    instrument,
    limit_set,
    metrics,
    regime_limits,
    rung_caps,
)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: limit_set(name=""), "name"),
        (lambda: limit_set(author="a\x1b[0m"), "author"),
        (lambda: limit_set(version=0), "version"),
        (lambda: limit_set(firm=-1), "firm"),
        (lambda: limit_set(firm=1.0), "firm"),
        (lambda: limit_set(firm=math.nan), "firm"),
        (lambda: limit_set(firm=2**63), "firm"),
        (lambda: limit_set(max_age_ns=0), "max_age_ns"),
        (lambda: limit_set(instruments=(instrument(), instrument())), "instruments"),
        (lambda: limit_set(instruments=[instrument()]), "instruments"),
        (lambda: limit_set(instruments=(instrument(sector="none"),)), "instrument[ACME].sector"),
        (lambda: limit_set(accounts=()), "permission[main, tom].account"),
        (lambda: limit_set(restricted=("A", "A")), "restricted"),
        (lambda: limit_set(regimes=()), "regimes"),
        (lambda: limit_set(regimes=tuple(regime_limits(one) for one in list(Regime)[:4])),
         "regimes"),
        (lambda: limit_set(regimes=tuple(
            regime_limits(one, slippage_ppm=501 if one is Regime.UNCERTAIN else 500)
            for one in Regime)), "regimes[uncertain].slippage_ppm"),
        (lambda: limit_set(rungs=tuple(rung_caps(one) for one in LADDER[1:])), "rungs"),
        (lambda: limit_set(rungs=tuple(
            rung_caps(one, positions=9 if one is Rung.ONE else 5) for one in LADDER)),
         "rungs[5%].positions"),
        (lambda: instrument(tick_value=0), "instrument[ACME].tick_value"),
        (lambda: instrument(max_quantity=True), "instrument[ACME].max_quantity"),
        (lambda: collar(ticks=0), "collar.ticks"),
        (lambda: collar(window_ns=0), "collar.window_ns"),
        (lambda: MessageRate(count=0, window_ns=1), "messages.count"),
        (lambda: CapitalCap(name="a", capital=None), "cap[a].capital"),
        (lambda: Permission(account="a", trader="t", venues=(), symbols=("*",)),
         "permission[a, t].venues"),
        (lambda: replace(regime_limits(Regime.TREND), regime="trend-ish"), "regimes.regime"),
        (lambda: RungCaps(rung=5.5, symbols=1, venues=1, positions=1, capital=1), "rungs.rung"),
        (lambda: Release(strategy="s", sha="f", author="eve", tested_in="p", approved_by="eve",
                         approved_ns=1, nature="n"), "release[s].approved_by"),
    ],
)  # fmt: skip
@pytest.mark.req("REG-8")
def test_a_set_that_bounds_nothing_somewhere_is_refused_by_its_field(made, field):
    with pytest.raises(LimitsInvalid) as refused:
        made()
    assert refused.value.field == field
    assert "; " in refused.value.message


@pytest.mark.req("REG-10")
def test_one_set_has_one_text_and_one_hash():
    text = canonical_bytes(limit_set())
    assert text == canonical_bytes(limit_set())
    assert json.loads(text)["schema"] == 1
    assert content_hash(limit_set()) != content_hash(limit_set(firm=1))
    assert len(content_hash(limit_set())) == 64


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"signer": None}, "nobody", id="nobody-signed"),
        pytest.param({"signer": "mallory"}, "may not", id="not-listed"),
        pytest.param({"signer": "tom"}, "may not", id="a-trader"),
        pytest.param({"signer": "bot"}, "may not", id="an-agent"),
        pytest.param({"signer": "ada"}, "wrote", id="its-author"),
        pytest.param({"signed_hash": content_hash(limit_set(firm=1))}, "hashes", id="altered"),
    ],
)
@pytest.mark.req("REG-10")
def test_a_set_comes_into_force_only_as_somebody_else_signed_it(change, why):
    """Control 25: direct and exclusive control of the firm."""
    limits = limit_set()
    given_ = {"signed_hash": content_hash(limits), "signer": "ben", "roster": PEOPLE, **change}
    with pytest.raises(LimitsNotInForce, match=why):
        put_in_force(limits, **given_)


@pytest.mark.req("REG-10")
def test_an_older_set_never_replaces_a_newer_one():
    held = in_force(limit_set(version=3))
    for limits, why in [(limit_set(version=2), "older"), (limit_set(version=3, firm=1), "two")]:
        with pytest.raises(LimitsNotInForce, match=why):
            put_in_force(
                limits, signed_hash=content_hash(limits), signer="ben", roster=PEOPLE, held=held
            )


@pytest.mark.req("REG-10")
def test_a_release_that_nobody_could_approve_keeps_the_set_out():
    """Control 20."""
    bad = tuple(replace(one, approved_by="tom") for one in limit_set().releases)
    limits = limit_set(releases=bad)
    with pytest.raises(LimitsNotInForce, match="may not approve"):
        put_in_force(limits, signed_hash=content_hash(limits), signer="ben", roster=PEOPLE)


@pytest.mark.req("REG-8")
@pytest.mark.parametrize("measure", list(Measure))
def test_each_limit_is_held_to_the_unit(measure):
    limits = regime_limits(Regime.HIGH_VOL)
    most = getattr(limits, measure)
    assert breaches(limits, metrics(**{measure: most})) == ()
    for bad in (most + 1, None, -1, float(most), math.nan, True):
        (one,) = breaches(limits, metrics(**{measure: bad}))
        assert one.measure is measure
        assert one.found == (most + 1 if bad == most + 1 and type(bad) is int else None)
        assert str(one.limit) in one.sentence


@pytest.mark.req("REG-8")
def test_what_was_never_measured_breaches_everything():
    assert len(breaches(regime_limits(Regime.TREND), None)) == len(Measure)
    held = in_force()
    assert held.verify(Regime.TREND, metrics(), NOON + 60 * SECOND) == ()
    assert len(held.verify(Regime.TREND, metrics(), NOON + 60 * SECOND + 1)) == len(Measure)


@pytest.mark.req("REG-10")
@given(st.integers(-(10**9), 10**9).filter(bool), st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_collar_is_never_wider_than_its_ticks_and_never_nothing(reference, ticks, share):
    rule = Collar(ticks=ticks, share_ppm=share, window_ticks=1, window_ns=1, max_age_ns=1)
    assert 1 <= rule.width(reference) <= ticks


# --- people --------------------------------------------------------------------------------------

#: Control 24, written out: who may do what. Everything that is not here is forbidden.
MAY = {
    "ada": {"sign-limits", "sign-release", "re-enable", "lift-kill", "clear-break",
            "verify-override", "kill", "sign-assessment"},
    "sol": {"sign-release", "re-enable", "lift-kill", "authorise-override", "kill"},
    "tom": {"kill"},
    "eve": {"kill"},
    "cas": {"kill", "sign-assessment"},
    "cho": {"kill", "certify"},
    "watch": {"kill"},
    "bot": set(),
    "mallory": set(),
}  # fmt: skip


@pytest.mark.req("REG-10")
@pytest.mark.parametrize("who", MAY)
def test_the_role_matrix(who):
    assert {act.value for act in Act if PEOPLE.may(who, act)} == MAY[who]


@pytest.mark.req("REG-10")
def test_every_act_has_a_row_and_no_row_lets_an_agent():
    assert set(MATRIX) == set(Act)
    assert not any(Role.AGENT in roles for roles in MATRIX.values())


@pytest.mark.parametrize(
    "people",
    [
        (Person(id="a", roles=frozenset()), Person(id="a", roles=frozenset())),
        (Person(id=" ", roles=frozenset()),),
        (Person(id="a", roles=frozenset({Role.AGENT, Role.RISK})),),
        tuple(Person(id=id_, roles=frozenset(), keys=("k",)) for id_ in "ab"),
    ],
)  # fmt: skip
@pytest.mark.req("REG-10")
def test_a_roster_that_contradicts_itself_is_refused(people):
    with pytest.raises(RosterInvalid):
        Roster(people=people)


def test_a_key_speaks_for_one_person():
    assert PEOPLE.holder("SHA256:ada").id == "ada"
    assert PEOPLE.holder("SHA256:other") is None
