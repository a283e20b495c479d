"""The keeper of the store notices a clock that was set back, whatever else it looks after."""

import pytest

from swarm.contract.errors import Unavailable
from swarm.runtime.store_keeper import StoreKeeper

HOUR = 3_600.0


class Store:
    """A store that counts, and that can be away."""

    def __init__(self):
        self.hurried, self.away = 0, False

    async def tidy(self):
        pass

    async def set_back(self):
        if self.away:
            raise Unavailable("the store is away")
        self.hurried += 1


@pytest.fixture
def store():
    return Store()


@pytest.mark.parametrize(
    ("moves", "hurried"),
    [
        pytest.param([0.0, 0.0], 0, id="nobody-sets-it"),
        pytest.param([-1.0, -2.0], 0, id="it-is-corrected-by-a-second"),
        pytest.param([HOUR, HOUR], 0, id="it-is-set-forward"),
        pytest.param([-HOUR, -HOUR, -HOUR], 1, id="it-is-set-back-once"),
        pytest.param([HOUR, 0.0], 1, id="it-is-set-forward-and-back"),
    ],
)
async def test_what_waits_is_looked_at_when_the_clock_was_set_back(store, moves, hurried):
    readings = iter([0.0, *moves])
    keeper = StoreKeeper(None, store.tidy, store.set_back, lambda: next(readings))
    for _ in moves:
        await keeper.look()
    assert store.hurried == hurried


async def test_a_store_that_is_away_is_told_at_the_next_look(store):
    readings = iter([0.0, -HOUR, -HOUR])
    keeper = StoreKeeper(None, store.tidy, store.set_back, lambda: next(readings))
    store.away = True
    with pytest.raises(Unavailable):
        await keeper.look()
    store.away = False
    await keeper.look()
    assert store.hurried == 1
