"""What the simulation found in the product, kept with the circumstances in which it showed."""

from __future__ import annotations

from datetime import timedelta

from simulate import simulate
from swarm.core.decide import decide
from swarm.runtime import controller
from swarm.testing.simulation import scene
from swarm.testing.simulation.simulation import Trial, size


def test_a_swarm_that_cannot_be_decided_for_holds_up_no_other(monkeypatch):
    """It raised in the tick, was due the longest for ever, and no order was claimed any more."""
    bad = scene.draw(5, 0).swarm
    seed = next(seed for seed in range(50) if size(seed).swarms > 1)
    good = scene.draw(seed, 1)

    def poisoned(snapshot):
        if snapshot.swarm == bad:
            raise ZeroDivisionError("a fault of ours")
        return decide(snapshot)

    monkeypatch.setattr(controller, "decide", poisoned)
    result = simulate(Trial(seed=seed, lasts=timedelta(hours=2), only=frozenset()))
    assert all("ZeroDivisionError" in fault for fault in result.faults)
    assert result.faults
    assert not result.judgement.violations
    done = {effect.where for effect in result.history.effects}
    assert good.repo in done
    assert scene.draw(seed, 0).repo not in done
