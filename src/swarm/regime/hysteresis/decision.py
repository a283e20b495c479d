"""The rule of one tick in the words of the contract: values in, values out, nothing changed."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from swarm.regime.ensemble import OPINION
from swarm.regime.errors import BadInput
from swarm.regime.hysteresis import rule
from swarm.regime.hysteresis.policy import Policy
from swarm.regime.hysteresis.reasons import REFUSALS, RegimeReason
from swarm.regime.nouns import HIDDEN, FloatArray, IntArray, Posture, Regime

POSTURES = (Posture.NORMAL, Posture.DEFENSIVE)
"""By the number in column POSTURE. A freeze is laid on top elsewhere; no detector causes one."""
_PUBLISHED = (*HIDDEN, Regime.UNCERTAIN)
"""By the number in columns SAID and BEFORE."""


class Transition(NamedTuple):
    """What one tick of one stream said, when it is not what the tick before said.

    A named tuple and no dataclass, which would take three times as long to make; among a thousand
    streams some fifty are made at every tick.

    said, before:       the published regime now and before.
    active:             the label beneath, which doubt does not change; None before the first.
    candidate, waiting: what may become active next, and for how many ticks it has held.
    refused:            True when a candidate was held back at this tick.
    """

    stream: int
    tick: int
    before: Regime
    said: Regime
    active: Regime | None
    posture: Posture
    candidate: Regime | None
    waiting: int
    reasons: RegimeReason

    @property
    def refused(self) -> bool:
        """Whether a candidate was held back at this tick."""
        return bool(self.reasons & REFUSALS)


def begin(streams: int) -> IntArray:
    """Rows for that many streams of which nothing is known: uncertain, defensive, no label."""
    rows = np.zeros((streams, rule.ROW), dtype=np.int64)
    rows[:, rule.ACTIVE] = rows[:, rule.CANDIDATE] = rule.NONE
    rows[:, rule.RUN_START] = rule.NO_RUN
    rows[:, rule.SAID] = rows[:, rule.BEFORE] = rule.UNCERTAIN
    rows[:, rule.POSTURE] = 1
    rows[:, rule.REASONS] = RegimeReason.NEVER_ACTIVE
    return rows


def regime_at(index: int) -> Regime | None:
    """The regime of a column's number; None for none."""
    if index < 0:
        return None
    return HIDDEN[index] if index < len(HIDDEN) else Regime.UNCERTAIN


def decide(
    rows: IntArray,
    opinions: FloatArray,
    faults: IntArray,
    episodes: IntArray,
    map_starts: IntArray,
    tick: int,
    policy: Policy,
) -> tuple[IntArray, list[Transition]]:
    """New rows after one tick of S streams, and what changed; the arguments stay as they are.

    The arguments are those of `rule.advance_one`, with a leading axis of S streams.
    Raises `BadInput` when shapes do not fit together or the policy cannot be meant.
    """
    policy.checked()
    _require_shapes(rows, opinions, (faults, episodes, map_starts))
    after = rows.copy()
    rule.advance(after, opinions, faults, episodes, map_starts, tick, policy)
    return after, changed(after, tick)


def changed(rows: IntArray, tick: int) -> list[Transition]:
    """What S streams said at this tick that they did not say at the tick before.

    Cost: 2 us for each that did, which among many streams is some at every tick.
    """
    found = np.flatnonzero(rows[:, rule.CHANGED])
    return [
        Transition(
            stream=stream,
            tick=tick,
            before=_PUBLISHED[row[rule.BEFORE]],
            said=_PUBLISHED[row[rule.SAID]],
            active=regime_at(row[rule.ACTIVE]),
            posture=POSTURES[row[rule.POSTURE]],
            candidate=regime_at(row[rule.CANDIDATE]),
            waiting=row[rule.COUNT],
            reasons=_reasons(row[rule.REASONS]),
        )
        for stream, row in zip(found.tolist(), rows[found].tolist(), strict=True)
    ]


@lru_cache(maxsize=4096)
def _reasons(bits: int) -> RegimeReason:
    # A flag of several bits takes longer to make than all the rest of a transition.
    return RegimeReason(bits)


def _require_shapes(rows: IntArray, opinions: FloatArray, each: tuple[IntArray, ...]) -> None:
    streams = len(rows)
    if rows.shape != (streams, rule.ROW):
        raise BadInput("rows", f"have shape {rows.shape}", f"(streams, {rule.ROW})")
    if opinions.shape != (streams, OPINION):
        raise BadInput("opinions", f"have shape {opinions.shape}", f"({streams}, {OPINION})")
    for name, array in zip(("faults", "episodes", "map_starts"), each, strict=True):
        if array.shape != (streams,):
            raise BadInput(name, f"has shape {array.shape}", f"({streams},)")
