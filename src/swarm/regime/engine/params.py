"""What an engine is set to: one artefact from a fit, one name for all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from swarm.regime.changepoint.params import Params as ChangepointParams
from swarm.regime.drift import Params as DriftParams
from swarm.regime.elementary import dlog
from swarm.regime.errors import BadParameters
from swarm.regime.hysteresis.policy import Policy
from swarm.regime.markov.params import MarkovParams
from swarm.regime.microstructure import Params as QuoteParams
from swarm.regime.nouns import HIDDEN, FloatArray, IntArray
from swarm.regime.saved import params_hash
from swarm.regime.transform.lookup import Lookup, prepare
from swarm.regime.transform.reference import Reference

NAME, VERSION = "engine", 6


@dataclass(frozen=True, kw_only=True)
class EngineParams:
    """All streams share one model; each may have a reference of its own.

    references: one for all streams, or one for each.
    quotes:     of the microstructure detector; None where there are no quotes to read.
    trusted:    hashes of the models that somebody signed. A model that is not among them is
                listened to, and makes every stream uncertain.
    """

    markov: MarkovParams
    references: tuple[Reference, ...]
    changepoint: ChangepointParams = field(default_factory=ChangepointParams)
    drift: DriftParams = field(default_factory=DriftParams)
    quotes: QuoteParams | None = None
    policy: Policy = field(default_factory=Policy)
    trusted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.policy.checked()
        if not self.references:
            raise BadParameters("references", "are none", "one, or one for each stream")

    @cached_property
    def version(self) -> str:
        """The hash of everything that decides, 64 hexadecimal digits: the model's version."""
        return params_hash(
            NAME,
            VERSION,
            {
                "markov": self.markov.hash(),
                "references": [one.hash() for one in self.references],
                "changepoint": self.changepoint.hash(),
                "drift": self.drift.hash(),
                "quotes": self.quotes.hash() if self.quotes else None,
                "policy": self.policy.hash(),
            },
        )

    @property
    def is_trusted(self) -> bool:
        """Whether somebody signed this model."""
        return self.markov.hash() in self.trusted

    @cached_property
    def regime_of(self) -> IntArray:
        """The place in HIDDEN of each state's regime, shape (K,)."""
        return np.array([HIDDEN.index(label) for label in self.markov.labels], dtype=np.int64)

    @cached_property
    def log_resting(self) -> FloatArray:
        """What a run is before any of it is seen: log of each state's long-run share, (K,)."""
        return np.array([dlog(float(one)) for one in self.markov.resting])

    def lookup(self, streams: int) -> Lookup:
        """The references of that many streams, prepared; refuses a count that does not fit."""
        given = self.references * streams if len(self.references) == 1 else self.references
        if len(given) != streams:
            right = f"1 or {streams}"
            raise BadParameters("references", f"are {len(given)} for {streams} streams", right)
        return prepare(given)
