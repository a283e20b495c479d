"""The parameters of a Markov-switching model: checked, versioned, hashed, and the same as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from swarm.regime.errors import BadModel
from swarm.regime.markov.chain import ergodic
from swarm.regime.markov.table import emission_table
from swarm.regime.nouns import HIDDEN, FloatArray, Regime
from swarm.regime.saved import params_hash

NAME, VERSION = "markov", 1
STATES_MOST, LAGS_MOST = 16, 16
#: How far rows may be from summing to 1: what is left of rounding in a JSON text.
ROUNDING = 1e-9
#: Below two degrees of freedom a law has no spread, and no table of its distribution here.
NU_LEAST = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkovParams:
    """K hidden states in the order of their scale, narrowest first.

    In state k: x_t = intercept_k + sum_i ar[k, i] x_{t-1-i} + scale_k e_t.

    transition:  P[i, j] = Pr(to j | from i), shape (K, K), each row sums to 1.
    intercept:   in units of x, shape (K,).
    ar:          lag coefficients, nearest lag first, shape (K, p); p may be 0.
    scale:       in units of x, shape (K,): a standard deviation only where nu is infinite.
    nu:          degrees of freedom of e_t, shape (K,); infinite is Gaussian.
    labels:      the regime that each state stands for; two states may stand for one.
    gap_most:    missing ticks in a row after which the filter knows nothing and rests.
    stale_after: missing ticks in a row after which it must not be trusted.
    resting:     the long-run share of each state, derived.
    table:       what the filter reads, derived; see `swarm.regime.markov.table`.
    """

    transition: FloatArray
    intercept: FloatArray
    ar: FloatArray
    scale: FloatArray
    nu: FloatArray
    labels: tuple[Regime, ...]
    gap_most: int = 100
    stale_after: int = 5
    resting: FloatArray = field(init=False)
    table: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        for name in ("transition", "intercept", "ar", "scale", "nu"):
            # A copy that nobody else holds: a frozen class with shared arrays would not be frozen.
            held = np.array(getattr(self, name), dtype=np.float64, order="C")
            held.setflags(write=False)
            object.__setattr__(self, name, held)
        _check_shapes(self)
        _check_values(self)
        resting = ergodic(self.transition)
        resting.setflags(write=False)
        object.__setattr__(self, "resting", resting)
        table = emission_table(self.intercept, self.ar, self.scale, self.nu, resting)
        object.__setattr__(self, "table", table)

    @property
    def states(self) -> int:
        """K."""
        return len(self.intercept)

    @property
    def lags(self) -> int:
        """P."""
        return int(self.ar.shape[1])

    def hash(self) -> str:
        """64 hexadecimal digits; equal for equal parameters, to the bit."""
        return params_hash(NAME, VERSION, self._fields())

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to the bit."""
        return json.dumps(
            {"kind": NAME, "version": VERSION, "hash": self.hash(), **self._fields()},
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> MarkovParams:
        """The parameters that `to_json` wrote. Refuses other kinds, versions and altered text."""
        try:
            read: dict[str, Any] = json.loads(text)
            kind, version = read.pop("kind"), read.pop("version")
            claimed = read.pop("hash")
            nu = np.array([math.inf if one is None else one for one in read.pop("nu")])
            labels = tuple(Regime(name) for name in read.pop("labels"))
            ar = np.reshape(np.array(read.pop("ar"), dtype=np.float64), (len(nu), -1))
            made = (kind, version) == (NAME, VERSION) and cls(nu=nu, labels=labels, ar=ar, **read)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise BadModel("model", f"is unreadable ({error})", "a text of to_json") from error
        if not made:
            raise BadModel("model", f"is {kind} {version}", f"{NAME} {VERSION}")
        if made.hash() != claimed:
            raise BadModel("model", "does not have the hash it claims", "an unaltered text")
        return made

    def _fields(self) -> dict[str, Any]:
        return {
            "transition": self.transition.tolist(),
            "intercept": self.intercept.tolist(),
            "ar": self.ar.tolist(),
            "scale": self.scale.tolist(),
            "nu": [None if math.isinf(one) else one for one in self.nu.tolist()],
            "labels": [str(label) for label in self.labels],
            "gap_most": self.gap_most,
            "stale_after": self.stale_after,
        }


def _check_shapes(params: MarkovParams) -> None:
    count = len(params.intercept) if params.intercept.ndim == 1 else 0
    if not 1 <= count <= STATES_MOST:
        raise BadModel("intercept", "has no state or too many", f"1 to {STATES_MOST} states")
    wanted: dict[str, tuple[int, ...]] = {"transition": (count, count)}
    wanted |= {"scale": (count,), "nu": (count,)}
    for name, shape in wanted.items():
        if (found := getattr(params, name).shape) != shape:
            raise BadModel(name, f"has shape {found}", f"shape {shape}")
    if params.ar.ndim != 2 or len(params.ar) != count or params.ar.shape[1] > LAGS_MOST:  # noqa: PLR2004
        raise BadModel("ar", f"has shape {params.ar.shape}", f"({count}, at most {LAGS_MOST})")
    if len(params.labels) != count or not set(params.labels) <= set(HIDDEN):
        raise BadModel("labels", "do not name each state", "one hidden regime for each state")


def _check_values(params: MarkovParams) -> None:
    if not ((params.transition >= 0).all() and (params.transition <= 1).all()):
        raise BadModel("transition", "has entries that are no probability", "entries from 0 to 1")
    if (np.abs(params.transition.sum(axis=1) - 1) > ROUNDING).any():
        raise BadModel("transition", "has rows that do not sum to 1", "rows that sum to 1")
    for name in ("intercept", "ar"):
        if not np.isfinite(getattr(params, name)).all():
            raise BadModel(name, "has an entry that is no number", "finite entries")
    # Squares and reciprocals of a scale must be numbers too.
    if not ((params.scale > 1e-150) & (params.scale < 1e150)).all():  # noqa: PLR2004
        raise BadModel("scale", "is not positive, or beyond 1e150", "scales in (1e-150, 1e150)")
    if not (params.nu >= NU_LEAST).all():
        raise BadModel("nu", f"is below {NU_LEAST} or no number", f"at least {NU_LEAST}")
    if not (params.gap_most >= params.stale_after >= 1):
        raise BadModel("stale_after", "is not in [1, gap_most]", "1 <= stale_after <= gap_most")


def regime_posterior(params: MarkovParams, posterior: FloatArray) -> FloatArray:
    """The posterior of the states, shape (K, S), as one of the four regimes in the order of HIDDEN.

    Shape (4, S). A regime that no state stands for has mass 0.
    """
    found = np.zeros((len(HIDDEN), *posterior.shape[1:]))
    for state, label in enumerate(params.labels):
        found[HIDDEN.index(label)] += posterior[state]
    return found
