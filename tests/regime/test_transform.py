"""Ranks and normal scores against scipy, at every size of unit, and what is no reference."""

import numpy as np
import pytest
from scipy import stats

from swarm.regime.errors import BadParameters, BadSeries
from swarm.regime.transform import lookup, normal
from swarm.regime.transform.reference import Reference, fit_reference

pytestmark = pytest.mark.req("REG-2")


def scores(x, reference):
    prepared = lookup.prepare([reference] * len(x))
    return lookup.scores(np.asarray(x, dtype=float), prepared)


def test_the_normal_law_is_as_exact_as_promised():
    x = np.linspace(-9, 9, 721)
    found = np.array([normal.distribution(one) for one in x])
    assert np.max(np.abs(found - stats.norm.cdf(x))) < 1e-15


def test_its_quantiles_are_as_exact_as_promised_and_clipped():
    p = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 501), [0.0, 1.0, 4e-5, 1 - 4e-5]])
    found = np.array([normal.score(one, 4.0) for one in p])
    assert np.max(np.abs(found - np.clip(stats.norm.ppf(p), -4, 4))) < 1e-11


@pytest.mark.parametrize("degrees", [2.0, 2.5, 4.0, 7.0, 30.0, 1e6])
def test_ranks_and_scores_follow_the_student_law(degrees):
    y = np.concatenate([np.linspace(-8, 8, 801), np.geomspace(1e-9, 120, 200)])
    u, z = scores(3.0 + 0.5 * y, Reference(degrees=degrees, location=3.0, scale=0.5))
    exact = np.where(
        y > 0, -stats.norm.ppf(stats.t.sf(y, degrees)), stats.norm.ppf(stats.t.cdf(y, degrees))
    )
    assert np.max(np.abs(u - stats.t.cdf(y, degrees))) < 5e-9
    assert u.min() >= 0.0
    assert u.max() <= 1.0, "a rank that its reader refuses"
    assert np.max(np.abs(z - np.clip(exact, -4, 4))) < 2e-6


def test_an_outlier_is_clipped_and_what_is_not_finite_is_missing():
    reference = Reference(degrees=4.0, location=0.0, scale=1e-12)
    u, z = scores([1e300, -1e300, np.inf, -np.inf, np.nan, 0.0], reference)
    assert z[:2].tolist() == [4.0, -4.0]
    assert u[:2].tolist() == [1.0, 0.0]
    assert np.isnan(u[2:5]).all()
    assert np.isnan(z[2:5]).all()
    assert (u[5], z[5]) == (0.5, 0.0)


def test_streams_have_their_own_references():
    prepared = lookup.prepare(
        [
            Reference(degrees=4.0, location=0.0, scale=1.0),
            Reference(degrees=30.0, location=10.0, scale=2.0),
            Reference(degrees=4.0, location=0.0, scale=2.0),
        ]
    )
    assert prepared.tables.shape[0] == 2, "equal degrees of freedom share a table"
    _, z = lookup.scores(np.array([1.0, 12.0, 2.0]), prepared)
    assert z[0] == z[2]
    assert z[1] == pytest.approx(stats.norm.ppf(stats.t.cdf(1.0, 30)), abs=1e-7)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_a_reference_is_found_again_in_any_unit(unit):
    x = stats.t.rvs(4, loc=1.0, scale=2.0, size=4_000, random_state=7) * unit
    found = fit_reference(x)
    assert found.degrees in {3.5, 4.0, 5.0}
    assert found.location == pytest.approx(1.0 * unit, abs=0.15 * unit)
    assert found.scale == pytest.approx(2.0 * unit, rel=0.06)


def test_the_fit_is_no_worse_than_scipys():
    x = stats.t.rvs(5, size=1_500, random_state=11)
    ours = fit_reference(x)
    theirs = stats.t.logpdf(x, *stats.t.fit(x)).sum()
    assert stats.t.logpdf(x, ours.degrees, ours.location, ours.scale).sum() > theirs - 0.3


def test_gaps_and_outliers_do_not_move_the_fit():
    x = stats.t.rvs(4, size=2_000, random_state=3)
    spoiled = np.concatenate([x, [np.nan, np.inf, -np.inf]])
    assert fit_reference(spoiled) == fit_reference(x)
    assert fit_reference(np.append(x, 1e6)).scale == pytest.approx(fit_reference(x).scale, rel=0.1)


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(np.zeros(0), id="empty"),
        pytest.param(np.full(500, 3.0), id="constant"),
        pytest.param(np.full(500, np.nan), id="nothing-there"),
        pytest.param(np.arange(59.0), id="too-short"),
    ],
)
def test_what_is_no_reference_period_is_refused(x):
    with pytest.raises(BadSeries):
        fit_reference(x)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("degrees", 1.5),
        ("degrees", np.nan),
        ("location", np.inf),
        ("scale", 0.0),
        ("scale", -1.0),
        ("scale", np.nan),
    ],
)
def test_a_reference_out_of_range_is_refused_by_name(field, value):
    given = {"degrees": 4.0, "location": 0.0, "scale": 1.0} | {field: value}
    with pytest.raises(BadParameters) as refused:
        Reference(**given)
    assert refused.value.field == field


def test_the_hash_tells_references_apart():
    one = Reference(degrees=4.0, location=0.0, scale=1.0)
    assert one.hash() != Reference(degrees=4.0, location=0.0, scale=np.nextafter(1.0, 2)).hash()
