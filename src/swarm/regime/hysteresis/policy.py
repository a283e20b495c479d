"""The numbers of the hysteresis, each with its reason; checked before they decide anything."""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import numpy as np

from swarm.regime.errors import BadInput
from swarm.regime.kernel import inner
from swarm.regime.nouns import FloatArray

VERSION = 1
"""Counts up when a number changes its meaning, so that an old hash never passes for a new one."""
_SHARES = (
    *("enter", "forget", "change", "override"),
    *("disagreement_enters", "disagreement_leaves", "ambiguity_enters", "ambiguity_leaves"),
)
_TICKS = ("confirm", "patience", "doubt_ticks")
_MOST_TICKS = 1 << 40


class Policy(NamedTuple):
    """Thresholds in [0, 1] and spans in ticks (never wall time: a market closes).

    A named tuple and no dataclass, because compiled kernels read it as it is.

    enter:      posterior at which the greatest regime becomes, or supports, a candidate.
    forget:     posterior below which a candidate is dropped.
    change:     probability of a new run since the active regime was justified that a change needs.
    override:   mass on more defensive regimes above which posture follows before the label does.
    run_slack:  a run start is uncertain by about two ticks, so only later ones are new runs.
    confirm:    ticks that a less defensive candidate must be the greatest; a third of them,
                rounded up, for a more defensive one, because being late there is what costs.
    dwell:      ticks that a regime holds before a less defensive one may follow.
    patience:   ticks that a confirmed candidate may wait for its change before we say `uncertain`.
    disagreement_*, ambiguity_*: where doubt begins and where it ends (see `ensemble`).
    doubt_ticks: ticks in a row before doubt begins; it ends after `confirm` calm ones.
    """

    enter: float = 0.9
    forget: float = 0.6
    change: float = 0.5
    override: float = 0.5
    run_slack: int = 2
    confirm: int = 6
    dwell: int = 20
    patience: int = 3
    disagreement_enters: float = 0.5
    disagreement_leaves: float = 0.3
    ambiguity_enters: float = 0.8
    ambiguity_leaves: float = 0.6
    doubt_ticks: int = 3

    def checked(self) -> Policy:
        """The policy itself; raises `BadInput` for the first number that cannot be meant."""
        for name in _SHARES:
            value = getattr(self, name)
            if not (math.isfinite(value) and 0.0 <= value <= 1.0):
                raise BadInput(name, f"is {value}", "a share between 0 and 1")
        for name in (*_TICKS, "dwell", "run_slack"):
            value, least = getattr(self, name), 1 if name in _TICKS else 0
            if not isinstance(value, int) or not least <= value <= _MOST_TICKS:
                right = f"a whole number of ticks, at least {least} and at most {_MOST_TICKS}"
                raise BadInput(name, f"is {value}", right)
        for low, high in (
            ("forget", "enter"),
            ("disagreement_leaves", "disagreement_enters"),
            ("ambiguity_leaves", "ambiguity_enters"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise BadInput(low, f"lies above {high}", "at most the same, or it would flutter")
        return self

    def hash(self) -> str:
        """Sixteen hex digits that name these numbers; equal numbers, equal name."""
        said = ",".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return hashlib.sha256(f"hysteresis/{VERSION}:{said}".encode()).hexdigest()[:16]

    def numbers(self) -> FloatArray:
        """As a kernel takes them in a fifth of the time, shape (13,); `policy_of` reads them."""
        return np.array(self, dtype=np.float64)


@inner
def policy_of(numbers: FloatArray) -> Policy:
    """The policy whose numbers these are; up to the most ticks, every whole number is a float."""
    return Policy(
        numbers[0],
        numbers[1],
        numbers[2],
        numbers[3],
        int(numbers[4]),
        int(numbers[5]),
        int(numbers[6]),
        int(numbers[7]),
        numbers[8],
        numbers[9],
        numbers[10],
        numbers[11],
        int(numbers[12]),
    )
