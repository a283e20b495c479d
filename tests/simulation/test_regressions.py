"""What the simulation found in the product, kept with the circumstances in which it showed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulate import simulate
from swarm.contract.errors import Unavailable
from swarm.core.decide import decide
from swarm.runtime import controller
from swarm.runtime.target_keeper import BELIEVED, EVERY, TargetKeeper
from swarm.testing.simulation import scene
from swarm.testing.simulation.cast import size
from swarm.testing.simulation.simulation import Trial
from swarm.testing.simulation.story import tell


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


class _Watched:
    """A target that drifts, and then does not."""

    def __init__(self):
        self.healthy, self.drift = False, ("runs what nobody asked for",)

    async def seen(self, target):
        return self

    async def ensure(self, target, main):
        return self

    async def tip(self, repo):
        return "main0000"


class _Told:
    """A store that remembers what it was told of drift."""

    def __init__(self):
        self.drifted = {}

    async def ids(self):
        return ["s-1"]

    async def saw_drift(self, swarm, drifted):
        self.drifted = dict(drifted)
        return True


async def test_a_drift_that_a_killed_controller_told_is_over_when_its_heir_sees_none():
    """Seed 108: the heir knew of no drift and said nothing, so every rollout waited for ever."""
    target, store = _Watched(), _Told()
    await TargetKeeper({"orders": "acme/shop"}, target, target, store, store).look()
    assert store.drifted
    target.healthy, target.drift = True, ()
    await TargetKeeper({"orders": "acme/shop"}, target, target, store, store).look()
    assert store.drifted == {}


async def test_a_drift_that_another_controller_told_late_is_taken_back():
    """Seed 2599: the other died after its late word, and the living had nothing new to say."""
    target, store = _Watched(), _Told()
    target.healthy, target.drift = True, ()
    keeper = TargetKeeper({"orders": "acme/shop"}, target, target, store, store)
    await keeper.look()
    await store.saw_drift("s-1", {"orders": "runs what nobody asked for"})
    for _ in range(BELIEVED // EVERY):
        await keeper.look()
    assert store.drifted == {}


class _Unsure(_Told):
    """It hears everything, and can lose an answer."""

    answers = True

    async def saw_drift(self, swarm, drifted):
        await super().saw_drift(swarm, drifted)
        if not self.answers:
            self.answers = True
            raise Unavailable("the answer was lost")
        return True


async def test_a_drift_that_was_heard_and_not_answered_is_taken_back_at_the_next_look():
    """Seeds 32426 and 32894: nobody knew what the store had heard, and all believed the old."""
    target, store = _Watched(), _Unsure()
    target.healthy, target.drift = True, ()
    keeper = TargetKeeper({"orders": "acme/shop"}, target, target, store, store)
    await keeper.look()
    target.healthy, target.drift, store.answers = False, ("runs what nobody asked for",), False
    await keeper.look()
    assert store.drifted
    target.healthy, target.drift = True, ()
    await keeper.look()
    assert store.drifted == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed",
    [
        23,
        47,
        60,
        100,
        105,
        107,
        108,
        125,
        137,
        1062,
        1269,
        2011,
        2435,
        2599,
        2646,
        3463,
        10918,
        11032,
        12388,
        20626,
        22224,
        24335,
        32426,
        32894,
        34197,
        51426,
        180866,
    ],
)
def test_a_seed_that_once_failed_fails_no_more(seed):
    """In the same installations; their days are others since points got names that stay."""
    result = simulate(Trial(seed=seed))
    assert not result.what(), tell(result)
