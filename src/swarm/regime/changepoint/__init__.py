"""How long the present run has lasted: Bayesian online changepoint detection, bounded in memory.

Source: Adams and MacKay 2007, arXiv:0710.3742, with the Normal-Gamma model. It is fed with the
clipped normal scores of `swarm.regime.transform`: on raw fat-tailed data it never alarms.
"""

from swarm.regime.changepoint.detector import (
    Changepoint,
    State,
    advance,
    empty,
    restore,
    save,
    step,
    step_many,
)
from swarm.regime.changepoint.params import Params

__all__ = [
    "Changepoint",
    "Params",
    "State",
    "advance",
    "empty",
    "restore",
    "save",
    "step",
    "step_many",
]
