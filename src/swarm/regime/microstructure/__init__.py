"""Whether a market can still be traded in: spread, depth, impact, variance, against their usual.

`trades` splits the cost of trades, `tape` measures one bar of quotes and trades, `histogram` keeps
what is usual at a time of day, `detector` says how stressed the market is and what trips at once.
"""

from swarm.regime.microstructure.detector import (
    Params,
    Reading,
    State,
    Stress,
    advance,
    empty,
    restore,
    save,
    step,
    vote,
)
from swarm.regime.microstructure.tape import Bar, Measures, measure

__all__ = [
    "Bar",
    "Measures",
    "Params",
    "Reading",
    "State",
    "Stress",
    "advance",
    "empty",
    "measure",
    "restore",
    "save",
    "step",
    "vote",
]
