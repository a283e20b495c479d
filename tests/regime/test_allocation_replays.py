"""Capital through real markets: twenty stocks over sixteen years, five factors over nine.

The regime is that of the index, by a model fitted on 1990 to 2006. What each day's shares should
be is asked of a solver that knows nothing of ours; that caution works is asked of the money.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from swarm.regime.capital.allocation import (
    Allocation,
    AllocationRule,
    Expert,
    Situation,
    allocate,
    nothing,
    targets,
)
from swarm.regime.engine.params import EngineParams
from swarm.regime.engine.record import record
from swarm.regime.engine.state import empty, restore
from swarm.regime.engine.step import Observation, advance
from swarm.regime.markov.emission import Emission, Shape
from swarm.regime.markov.fit import Fitted, fit, log_scores
from swarm.regime.memory.finding import MemoryFinding, MemoryVerdict
from swarm.regime.nouns import HIDDEN, Posture, Rung
from swarm.regime.transform.reference import fit_reference

pytestmark = [pytest.mark.slow, pytest.mark.req("REG-6")]
TREND, REVERT, HIGH_VOL, STRESSED = HIDDEN
SWITCHING = MemoryFinding(n=4000, verdict=MemoryVerdict.SWITCHING, critical=1.252, level=0.05)
SECTORS = {
    "tech": ("AAPL", "AMD", "MSFT"), "banks": ("BAC", "JPM"), "shops": ("BBY", "HD", "WMT"),
    "oil": ("CVX", "RRC", "XOM"), "health": ("JNJ", "LLY", "MRK", "PFE", "UNH"),
    "goods": ("KO", "PEP", "PG"), "industry": ("GE",),
}  # fmt: skip
CAPS = dict.fromkeys(SECTORS, 0.25)
TINY = 1e-9


def prices(name: str) -> tuple[list[str], list[str], np.ndarray]:
    """Dates, names and closes, (T, N), of a data set in the skfolio wheel."""
    folder = Path(importlib.util.find_spec("skfolio").origin).parent / "datasets/data"
    with gzip.open(folder / f"{name}.csv.gz", "rt") as file:
        heads, *rows = list(csv.reader(file))
    return [row[0] for row in rows], heads[1:], np.array([row[1:] for row in rows], dtype=float)


@dataclass(frozen=True)
class Market:
    """An index from the day on which the fit ends: its model, dates and daily returns, percent."""

    fitted: Fitted
    params: EngineParams
    dates: list[str]
    returns: np.ndarray
    score: float


@pytest.fixture(scope="module")
def market() -> Market:
    dates, _, closes = prices("sp500_index")
    returns = 100 * np.diff(np.log(closes[:, 0]))
    cut = len(returns) // 2
    fitted = fit(returns[:cut], Shape(states=4))
    params = EngineParams(
        markov=fitted.params,
        references=(fit_reference(returns[:cut]),),
        trusted=frozenset({fitted.params.hash()}),
    )
    score = float(log_scores(fitted.params, returns)[cut:].mean())
    return Market(fitted, params, dates[1 + cut :], returns[cut:], score)


def test_four_fat_tailed_states_foretell_the_index_as_well_as_is_known(market):
    assert len(market.returns) == 4_156
    assert market.score == pytest.approx(-1.3803, abs=0.01)


@pytest.mark.parametrize(
    ("shape", "known"),
    [
        pytest.param(Shape(states=3, emission=Emission.GAUSSIAN), -1.4041, id="three-gaussian"),
        pytest.param(Shape(states=1), -1.4961, id="at-rest"),
    ],
)
def test_plainer_laws_foretell_it_worse_by_as_much_as_is_known(shape, known):
    _, _, closes = prices("sp500_index")
    assert len(closes) == 8_313
    returns = 100 * np.diff(np.log(closes[:, 0]))
    cut = len(returns) // 2
    score = log_scores(fit(returns[:cut], shape).params, returns)[cut:].mean()
    assert score == pytest.approx(known, abs=0.01)


def experts(names: list[str]) -> list[Expert]:
    """Each wants the same where it is calm and half of it where it is not; none trades stress."""
    sector = {name: group for group, members in SECTORS.items() for name in members}
    want = 1.2 / len(names)
    return [
        Expert(
            name=name,
            wants={TREND: want, REVERT: want, HIGH_VOL: want / (2 + number % 3)},
            cap=0.9 * want if number % 4 else 0.5 * want,
            group=sector.get(name, ""),
        )
        for number, name in enumerate(names)
    ]


@dataclass
class Replayed:
    """Situations and what was allocated, day by day; the bytes that the engine ended with."""

    situations: list[Situation]
    made: list[Allocation]
    state: bytes

    @property
    def shares(self) -> np.ndarray:
        return np.array([one.capital_shares for one in self.made])

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.shares.tobytes() + self.state).hexdigest()


def replayed(market, held, rule, *, stops=()) -> Replayed:
    """Every day of the index through the engine and the allocation; saved and restored at stops."""
    state, before = empty(1, market.params), nothing(held)
    found = Replayed([], [], b"")
    for day, value in enumerate(market.returns):
        if day in stops:
            state = restore(state.to_bytes(market.params), market.params)
        seen = Observation(at=day + 1, values=np.array([value]))
        advance(state, seen, market.params)
        said = record(state, 0, market.params)
        now = Situation(
            posterior=[p / math.fsum(said.posterior) for p in said.posterior],
            posture=said.posture,
            # One of five still climbs: it stands on twenty percent for the first years.
            rungs={
                one.name: Rung.TWENTY if not n % 5 and day < 1_000 else Rung.FULL
                for n, one in enumerate(held)
            },
            memory=SWITCHING,
        )
        before = allocate(held, now, before, rule)
        found.situations.append(now)
        found.made.append(before)
    found.state = state.to_bytes(market.params)
    return found


RULE = AllocationRule(rise=0.005, group_caps=CAPS)
CASES = [
    pytest.param("sp500_dataset", id="twenty-stocks"),
    pytest.param("factors_dataset", id="five-factors"),
]


@pytest.fixture(scope="module")
def lives(market):
    """By data set: names, what was replayed, and each day's simple returns of each, (T, N)."""
    made = {}
    for case in CASES:
        (name,) = case.values
        dates, names, closes = prices(name)
        rows = dict(zip(dates[1:], closes[1:] / closes[:-1] - 1, strict=True))
        first = next(n for n, date in enumerate(market.dates) if date in rows)
        part = Market(
            market.fitted, market.params, market.dates[first:], market.returns[first:], 0.0
        )
        held = experts(names)
        earned = np.array([rows[date] for date in part.dates])
        made[name] = part, held, replayed(part, held, RULE), earned
    return made


@pytest.mark.parametrize("name", CASES)
def test_every_day_keeps_every_promise(lives, name):
    _, held, life, _ = lives[name]
    before = nothing(held)
    for now, made in zip(life.situations, life.made, strict=True):
        assert made.exposure == {Posture.NORMAL: 1.0, Posture.DEFENSIVE: 0.25}[now.posture]
        assert math.fsum(made.capital_shares) <= made.exposure + TINY
        pairs = list(zip(made.capital_shares, before.capital_shares, strict=True))
        for one, (share, was) in zip(held, pairs, strict=True):
            assert 0.0 <= share <= one.cap * now.rungs[one.name].capital_share + TINY
            assert share <= was + RULE.rise + TINY
        for group, cap in CAPS.items():
            members = zip(held, made.capital_shares, strict=True)
            assert math.fsum(share for one, share in members if one.group == group) <= cap + TINY
        if made.exposure < before.exposure:
            assert all(share <= was for share, was in pairs)
        before = made
    postures = {now.posture for now in life.situations}
    assert postures == {Posture.NORMAL, Posture.DEFENSIVE}, "caution was never tried"


@pytest.mark.parametrize("name", CASES)
def test_a_solver_finds_the_same_shares(lives, name):
    """The nearest shares under caps, groups and total by cvxpy, then the rise and the caution."""
    import cvxpy

    _, held, life, _ = lives[name]
    x, wanted, most = (cvxpy.Variable(len(held)), *(cvxpy.Parameter(len(held)) for _ in "wm"))
    total = cvxpy.Parameter()
    bounds = [x >= 0, x <= most, cvxpy.sum(x) <= total]
    for group, cap in CAPS.items():
        if places := [n for n, one in enumerate(held) if one.group == group]:
            bounds.append(cvxpy.sum(x[places]) <= cap)
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(x - wanted)), bounds)
    exact = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-12)
    for day in range(1, len(life.made), 61):
        now, made, before = life.situations[day], life.made[day], life.made[day - 1]
        wanted.value = np.array(targets(held, now.posterior, now.memory))
        most.value, total.value = np.array(made.most), made.exposure
        problem.solve(solver=cvxpy.CLARABEL, **exact)
        was = np.array(before.capital_shares)
        expected = np.minimum(x.value, was + RULE.rise)
        if any(a < b for a, b in zip(made.bounds(), before.bounds(), strict=True)):
            expected = np.minimum(expected, was)
        apart = np.abs(np.array(made.capital_shares) - expected).max()
        assert apart < 1e-6, (day, apart)


@pytest.mark.parametrize("name", CASES)
def test_the_replay_is_the_same_again_wherever_it_was_stopped(lives, name):
    part, held, life, _ = lives[name]
    again = replayed(part, held, RULE, stops={1, 130, 700, len(part.returns) - 1})
    assert again.digest == life.digest


@pytest.mark.parametrize("name", CASES)
def test_caution_saves_money_when_it_matters(lives, name):
    """The worst fall of the allocated capital, beside equal shares that are never lowered."""
    part, held, life, earned = lives[name]
    steady = np.full(earned.shape, 0.9 / len(held))
    # Shares of one day earn the next day's returns.
    worst = [fall((shares[:-1] * earned[1:]).sum(axis=1)) for shares in (life.shares, steady)]
    assert worst[0] < 0.75 * worst[1], worst
    normal = np.array([one.posture is Posture.NORMAL for one in life.situations])
    assert life.shares[normal].sum(axis=1).mean() > 2 * life.shares[~normal].sum(axis=1).mean()


def fall(earned: np.ndarray) -> float:
    """The greatest loss from a height, as a share of it."""
    worth = np.cumprod(1 + earned)
    return float((1 - worth / np.maximum.accumulate(worth)).max())
