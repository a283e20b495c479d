"""Fitting a Markov-switching model offline: many starts, EM on each, the best polished."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from swarm.regime.errors import BadSeries
from swarm.regime.markov.chain import ergodic
from swarm.regime.markov.emission import (
    Draft,
    Emission,
    Series,
    Shape,
    improved,
    log_density,
    with_best_nu,
)
from swarm.regime.markov.labels import Signature, signatures
from swarm.regime.markov.params import LAGS_MOST, STATES_MOST, MarkovParams
from swarm.regime.markov.passes import filter_series, smooth_series
from swarm.regime.markov.polish import RAREST, penalty, polished
from swarm.regime.markov.starts import guess, uniform
from swarm.regime.nouns import FloatArray

STARTS_LEAST = 10
#: EM steps for every start, and for those that are best after that.
EM_FIRST, EM_MORE = 20, 40
#: How many of the starts are followed to the end.
FOLLOWED = 3
POLISH_ROUNDS = 150
#: Drafts that are this near in nats, and in variances and chances to stay, climb the same hill.
SAME_LOGLIK, SAME_SHAPE = 0.2, 0.05
#: Every so many EM steps the degrees of freedom are looked for again.
NU_EVERY = 5
#: Seen ticks for each free parameter; with fewer a likelihood says nothing.
TICKS_PER_PARAMETER = 3
NU_FIRST = 7.0
#: What `choose` is usually given: four states, one for each regime, unless a fifth is evidently
#: better ahead. On the S&P 500 of 1999 to 2018 it is, by 0.016 nats a day.
CANDIDATES = tuple(Shape(states=k, emission=law) for k in (4, 5) for law in Emission)
#: The chance to stay that a start begins with. Regimes may last two ticks or two hundred.
STAY_LEAST, STAY_MOST = 0.5, 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fitted model and how it came about.

    loglik:     log-likelihood of the series, nats, in its own units.
    starts:     the same after the first EM steps of each start; shows whether starts agree.
    signatures: what each state was named by, in the order of the states.
    """

    params: MarkovParams
    loglik: float
    observed: int
    starts: tuple[float, ...]
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """How a series was standardised: x = centre + spread * z."""

    centre: float
    spread: float


def fit(
    values: FloatArray,
    shape: Shape,
    *,
    starts: int = 12,
    seed: int = 1,
    liquidity: FloatArray | None = None,
) -> Fitted:
    """The maximum-likelihood model of `values`, shape (T,), oldest first; NaN is a missing tick.

    starts:    guesses that EM begins from, at least 10: one alone lands on bad optima.
    seed:      which guesses; the same seed gives the same fit.
    liquidity: a composite in which higher is worse, shape (T,); without it no state can be told to
               be stressed liquidity.
    Refuses infinities, series that are too short for the shape, and series that do not vary.

    Source: EM of Hamilton 1990 (Journal of Econometrics 45), ECM for Student-t, then BFGS.
    Cost: about 0.1 s for 2,000 ticks, 3 states, Gaussian, where kernels are compiled.
    """
    if starts < STARTS_LEAST:
        raise BadSeries("starts", f"is {starts}", f"at least {STARTS_LEAST}")
    series, unit = standardised(values, shape)
    tried = [_begun(series, shape, seed, number) for number in range(starts)]
    tried.sort(key=lambda one: -one[1])
    followed: list[tuple[Draft, float]] = []
    for draft, _ in tried[:FOLLOWED]:
        climbed = _climbed(series, draft, shape, EM_MORE)
        if not any(_same_hill(climbed, other) for other in followed):
            followed.append(climbed)
    tops = [polished(series, draft, shape, POLISH_ROUNDS) for draft, _ in followed]
    draft, _ = max(tops, key=lambda one: one[1])
    return _made(values, series, unit, draft, [one for _, one in tried], liquidity)


def choose(
    values: FloatArray,
    shapes: Sequence[Shape],
    *,
    held_out: float = 0.25,
    seed: int = 1,
    liquidity: FloatArray | None = None,
) -> tuple[Fitted, Shape]:
    """Fit each shape to the older part, score it on the rest, and refit the best to everything.

    shapes:   in the order of preference. A later one is taken only if its lead, one tick ahead on
              what is held out, is more than one standard error. So fat tails, put first, stay
              unless the ticks speak against them: to believe in thin tails wrongly costs far more.
    held_out: the share of ticks, the newest ones, that decide.
    """
    cut = len(values) - int(held_out * len(values))
    if not 0 < cut < len(values):
        raise BadSeries("held_out", f"is {held_out}", "a share that leaves ticks on both sides")
    best: tuple[Fitted, Shape, FloatArray] | None = None
    for shape in shapes:
        fitted = fit(values[:cut], shape, seed=seed)
        scores = log_scores(fitted.params, values)[cut:]
        if best is None or _evident(scores - best[2]):
            best = fitted, shape, scores
    if best is None:
        raise BadSeries("shapes", "is empty", "at least one shape")
    # Begun anew: the best optimum of the older part can be a trap in the whole.
    return fit(values, best[1], seed=seed, liquidity=liquidity), best[1]


def _evident(lead: FloatArray) -> bool:
    """Whether the mean of these differences is more than its standard error above 0."""
    return bool(lead.mean() > lead.std() / len(lead) ** 0.5)


def log_scores(params: MarkovParams, values: FloatArray) -> FloatArray:
    """Log density of each tick under its past, nats, shape (T,); 0 where nothing was seen."""
    unit = Unit(0.0, 1.0)
    series = _regression(np.asarray(values, dtype=np.float64), params.lags)
    density = log_density(series, _drafted(params, unit))
    steps = filter_series(density, params.transition, params.resting)[2]
    return np.asarray(np.concatenate([np.zeros(params.lags), steps]))


def standardised(values: FloatArray, shape: Shape) -> tuple[Series, Unit]:
    """`values` as a regression in units of their spread."""
    if not (1 <= shape.states <= STATES_MOST and 0 <= shape.lags <= LAGS_MOST):
        raise BadSeries("shape", "has too few or many states or lags", f"1 to {STATES_MOST} states")
    raw = np.asarray(values, dtype=np.float64)
    if raw.ndim != 1:
        raise BadSeries("series", f"has {raw.ndim} dimensions", "one value for each tick")
    if np.isinf(raw).any():
        raise BadSeries("series", "has an infinity", "finite values, NaN where a tick is missing")
    seen = raw[~np.isnan(raw)]
    free = shape.states * (shape.states + shape.lags + 1) + 1
    _enough(len(seen), free)
    largest = float(np.abs(seen).max())
    spread = float((seen / largest).std()) * largest if largest > 0 else 0.0
    if not spread > 1e-13 * largest:
        raise BadSeries("series", "is constant", "a series that varies")
    unit = Unit(float((seen / largest).mean()) * largest, spread)
    series = _regression((raw - unit.centre) / unit.spread, shape.lags)
    # A tick whose lags are missing says nothing: between gaps there may be none that does.
    _enough(int(series.seen.sum()), free)
    return series, unit


def _enough(ticks: int, free: int) -> None:
    if ticks < TICKS_PER_PARAMETER * free:
        right = f"at least {TICKS_PER_PARAMETER * free} for this shape"
        raise BadSeries("series", f"has {ticks} ticks that are there", right)


def _regression(values: FloatArray, lags: int) -> Series:
    ticks = len(values) - lags
    columns = [values[lags - lag : lags - lag + ticks] for lag in range(lags + 1)]
    seen = ~np.isnan(np.stack(columns)).any(axis=0)
    held = [np.where(seen, column, 0.0) for column in columns]
    regress = np.stack([np.ones(ticks), *held[1:]]) * seen
    return Series(held[0], regress, np.where(seen, 1.0, 0.0))


def _begun(series: Series, shape: Shape, seed: int, number: int) -> tuple[Draft, float]:
    """One start after its first EM steps."""
    shares, count = guess(series, shape, seed, number), shape.states
    stay = STAY_LEAST + (STAY_MOST - STAY_LEAST) * uniform(seed, number, count)
    stays = np.full((count, count), (1 - stay) / max(count - 1, 1))
    np.fill_diagonal(stays, stay if count > 1 else 1.0)
    nu = NU_FIRST if shape.emission is Emission.STUDENT else np.inf
    zero = np.zeros((count, 1 + shape.lags))
    draft = Draft(stays, zero, np.ones(count), np.full(count, nu))
    return _climbed(series, improved(series, draft, shares, shape), shape, EM_FIRST)


def _same_hill(one: tuple[Draft, float], other: tuple[Draft, float]) -> bool:
    """Whether two drafts will be polished to one maximum, so that one polish is enough."""
    near = abs(one[1] - other[1]) < SAME_LOGLIK
    pairs = zip(
        (np.sort(one[0].variance), np.sort(np.diag(one[0].transition))),
        (np.sort(other[0].variance), np.sort(np.diag(other[0].transition))),
        strict=True,
    )
    return near and all(np.allclose(a, b, rtol=SAME_SHAPE) for a, b in pairs)


def _climbed(series: Series, draft: Draft, shape: Shape, steps: int) -> tuple[Draft, float]:
    """EM; each step lifts the likelihood, but for the ergodic start, which the polish settles."""
    before = -np.inf
    for step in range(steps):
        resting = ergodic(draft.transition)
        found = smooth_series(log_density(series, draft), draft.transition, resting)
        if found.loglik - before < 1e-6 * abs(found.loglik):
            break
        before = found.loglik
        counts = found.pairs + penalty(draft.transition, shape) + RAREST
        moved = counts / counts.sum(axis=1, keepdims=True)
        draft = replace(improved(series, draft, found.smoothed, shape), transition=moved)
        if shape.emission is Emission.STUDENT and step % NU_EVERY == NU_EVERY - 1:
            draft = with_best_nu(series, draft, found.smoothed, shape)
    return draft, before


def _made(
    values: FloatArray,
    series: Series,
    unit: Unit,
    draft: Draft,
    starts: list[float],
    liquidity: FloatArray | None,
) -> Fitted:
    """The draft in the units of the series, its states ordered by scale and named."""
    spread = unit.spread
    order = np.argsort(draft.variance, kind="stable")
    ar = draft.coefficients[order, 1:]
    # x = centre + spread z: the intercept takes the centre, less what the lags bring back of it.
    intercept = spread * draft.coefficients[order, 0] + unit.centre * (1 - ar.sum(axis=1))
    transition = draft.transition[np.ix_(order, order)]
    density = log_density(series, draft)[order]
    found = smooth_series(density, transition, ergodic(transition))
    observed = int(series.seen.sum())
    named = signatures(values[ar.shape[1] :], found.smoothed, liquidity)
    params = MarkovParams(
        transition=transition,
        intercept=intercept,
        ar=ar,
        scale=spread * np.sqrt(draft.variance[order]),
        nu=draft.nu[order],
        labels=tuple(one.label for one in named),
    )
    loglik = found.loglik - observed * math.log(spread)
    shifted = tuple(one - observed * math.log(spread) for one in starts)
    return Fitted(params=params, loglik=loglik, observed=observed, starts=shifted, signatures=named)


def _drafted(params: MarkovParams, unit: Unit) -> Draft:
    """Parameters in the units of a standardised series."""
    intercept = params.intercept - unit.centre * (1 - params.ar.sum(axis=1))
    coefficients = np.concatenate([intercept[:, None] / unit.spread, params.ar], axis=1)
    return Draft(params.transition, coefficients, (params.scale / unit.spread) ** 2, params.nu)
