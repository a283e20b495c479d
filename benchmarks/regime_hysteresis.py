"""How lax, how cautious and how restless the engine is, beside the raw arg-max of its posterior.

    python benchmarks/regime_hysteresis.py            2 x 20,000 ticks
    python benchmarks/regime_hysteresis.py --full     5 x 20,000 ticks

Goals (R11): the posture laxer than the truth in at most 1.5 % of the ticks and 4 % of the stressed
ones, at most as many switches as there are, and a defensive posture at the tick after any detector
breaks. The engine is the real one: Markov filter, changepoint and drift detectors, opinion, rule;
of the model only the emissions are known. The peer is the raw arg-max of the same run.
"""

import argparse

import numpy as np
from stand import head, missed, row

from swarm.regime.engine.state import empty
from swarm.regime.engine.step import Observation, advance
from swarm.regime.hysteresis import rule
from swarm.testing.regime_design import Found, compare, params, simulate

GOALS = {"switches": 1.0, "laxer": 0.015, "laxer_in_stress": 0.04}
#: What a prototype of the same rule, and the literal contract, were measured at.
KNOWN = {
    "switches": (0.81, 0.30),
    "label_right": (0.839, 0.550),
    "laxer": (0.013, 0.058),
    "laxer_in_stress": (0.032, 0.151),
    "over_defensive": (0.142, 0.391),
    "uncertain": (0.104, 0.0),
}
#: The first array of each in the state; see `swarm.regime.engine.tick`.
DETECTORS = {"Markov filter": 0, "changepoint": 4, "drift": 9, "run": 14}
MOST_TICKS = 99


def show(ours: Found, raw: Found) -> None:
    for name, (prototype, literal) in KNOWN.items():
        found, most = getattr(ours, name), GOALS.get(name)
        note = f"raw {getattr(raw, name):.3f}; published: rule {prototype}, literal {literal}"
        note += "" if most is None else missed(found, most)
        goal = "" if most is None else f"<= {most}"
        row(f"R11: {name.replace('_', ' ')}", goal, f"{found:.4f}", note)


def killed() -> None:
    """Each detector breaks while all is calm; what it kept is no number any more."""
    set_to = params()
    ticks = {}
    for name, place in DETECTORS.items():
        state = empty(1, set_to)
        for value in simulate(3, 400)[1]:
            advance(state, Observation(at=state.tick + 2, values=np.array([value])), set_to)
        while state.rows[0, rule.POSTURE] == 1:  # until it dares again
            advance(state, Observation(at=state.tick + 2, values=np.array([0.3])), set_to)
        state.arrays[place][:] = np.nan
        ticks[name] = 0
        while state.rows[0, rule.POSTURE] == 0 and ticks[name] < MOST_TICKS:
            ticks[name] += 1
            advance(state, Observation(at=state.tick + 2, values=np.array([0.3])), set_to)
    worst = max(ticks.values())
    row("R11: ticks from a killed detector to a defensive posture", "<= 1", str(worst),
        f"{', '.join(ticks)}{missed(worst, 1)}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    print(__doc__)
    streams = 5 if parser.parse_args().full else 2
    head(f"regimes of 0.6, 1.2 and 3 %, stays of 250, 150, 100 ticks: {streams} x 20,000 ticks")
    show(*compare(streams, 20_000))
    killed()
