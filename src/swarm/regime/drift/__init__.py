"""Whether what was usual is so no longer: ADWIN2 over ranks, told in episodes.

Source: Bifet and Gavalda 2007, "Learning from time-changing data with adaptive windowing". Its
bound holds for values in [0, 1], so it is fed with ranks: u for a change of mean, |2u - 1| for a
change of scale. Fed with returns, its alarms would depend on whether they come in percent. The
engine feeds ranks under what the filter foretold, so that drift is of the model.
"""

from swarm.regime.drift.detector import (
    Drift,
    Params,
    State,
    advance,
    empty,
    restore,
    save,
    spread,
    step,
    step_many,
)

__all__ = [
    "Drift",
    "Params",
    "State",
    "advance",
    "empty",
    "restore",
    "save",
    "spread",
    "step",
    "step_many",
]
