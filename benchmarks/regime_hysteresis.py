"""How lax, how cautious and how restless the engine is, beside the raw arg-max of its posterior.

    python benchmarks/regime_hysteresis.py            2 x 20,000 ticks
    python benchmarks/regime_hysteresis.py --full     5 x 20,000 ticks

Goals (R11): the posture laxer than the truth in at most 1.5 % of the ticks and 4 % of the stressed
ones, at most as many switches as there are. The engine is the real one: Markov filter, changepoint
and drift detectors, opinion, rule; of the model only the emissions are known.
"""

import argparse

from stand import head, row

from swarm.testing.regime_design import Found, compare

GOALS = {"switches": "<= 1", "laxer": "<= .015", "laxer_in_stress": "<= .04"}
#: What a prototype of the same rule, and the literal contract, were measured at.
KNOWN = {
    "switches": (0.81, 0.30),
    "label_right": (0.839, 0.550),
    "laxer": (0.013, 0.058),
    "laxer_in_stress": (0.032, 0.151),
    "over_defensive": (0.142, 0.391),
    "uncertain": (0.104, 0.0),
}


def show(ours: Found, raw: Found) -> None:
    for name, (prototype, literal) in KNOWN.items():
        note = f"raw {getattr(raw, name):.3f}; published: rule {prototype}, literal {literal}"
        what = f"R11: {name.replace('_', ' ')}"
        row(what, GOALS.get(name, ""), f"{getattr(ours, name):.4f}", note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    streams = 5 if parser.parse_args().full else 2
    head(f"regimes of 0.6, 1.2 and 3 %, stays of 250, 150, 100 ticks: {streams} x 20,000 ticks")
    show(*compare(streams, 20_000))
