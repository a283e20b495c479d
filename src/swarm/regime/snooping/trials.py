"""Every trial that was ever made counts, once: the universe that a test is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from swarm.regime.errors import BadSeries
from swarm.regime.nouns import FloatArray


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One candidate, one setting of one candidate, or one that failed and was abandoned.

    content: what was tried, to the letter (code, parameters, data), as a hash; two trials of equal
             content are one.
    excess:  shape (n,): net-of-cost return above the baseline of its regime, per observation, in
             one unit throughout. After it was abandoned a trial holds the baseline: excess 0.
    """

    content: str
    excess: FloatArray


@dataclass(frozen=True)
class Universe:
    """All trials of one objective in one regime over the same n observations.

    contents: their hashes, sorted, so that the order of trying changes nothing.
    excess:   shape (n, K), in that order.
    """

    contents: tuple[str, ...]
    excess: FloatArray

    @cached_property
    def hash(self) -> str:
        """Names the set of trials and their numbers."""
        digest = hashlib.sha256("\x00".join(self.contents).encode())
        digest.update(np.ascontiguousarray(self.excess, dtype="<f8").tobytes())
        return digest.hexdigest()

    @property
    def observations(self) -> int:
        """How many rows all trials share."""
        return len(self.excess)


def universe(trials: Iterable[Trial]) -> Universe:
    """The universe of these trials, each content once.

    Raises `BadSeries` when there is none, when lengths differ, when a number is missing or
    infinite, or when one content comes with two different results.
    """
    kept: dict[str, FloatArray] = {}
    for trial in trials:
        known = kept.setdefault(trial.content, trial.excess)
        if known is not trial.excess and not np.array_equal(known, trial.excess):
            name = f"trial {trial.content[:12]}"
            raise BadSeries(name, "was recorded twice with different results", "one result for one")
    if not kept:
        raise BadSeries("trials", "are none", "at least one")
    contents = tuple(sorted(kept))
    columns = [kept[content] for content in contents]
    _require_equal_lengths(contents, columns)
    excess = np.column_stack(columns)
    if not (finite := np.isfinite(excess).all(axis=0)).all():
        worst = contents[int(np.flatnonzero(~finite)[0])]
        raise BadSeries(f"trial {worst[:12]}", "has a gap or an infinity", "a number in each row")
    return Universe(contents, excess)


def _require_equal_lengths(contents: Sequence[str], columns: Sequence[FloatArray]) -> None:
    rows = max(len(column) for column in columns)
    for content, column in zip(contents, columns, strict=True):
        if column.shape != (rows,):
            wrong = f"has shape {column.shape}"
            raise BadSeries(f"trial {content[:12]}", wrong, f"({rows},), as the longest")
