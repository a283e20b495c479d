"""One event was told again at every reconcile and after every restart of a controller (P35).

The real channel writes to its log here; the store, the core and the act are the real ones.
"""

import json
from dataclasses import replace

import pytest

from swarm.adapters.local.channel import LocalChannel

pytestmark = pytest.mark.req("OWN-3")


def heard(folder):
    """Texts by key, as often as the owner got each."""
    lines = (folder / "channel.jsonl").read_text().splitlines()
    return [json.loads(line)["key"] for line in lines]


def asks(bind):
    """The same installation, but R1 asks: the owner is told of the question."""

    def made(swarm, spec):
        bound = bind(swarm, spec)
        return replace(bound, installation=replace(bound.installation, auto_execute=frozenset()))

    return made


async def test_one_question_is_told_once_whoever_dies_while_telling_it(place, tmp_path):
    """Each of four controllers tells it and is gone before it could say so; the fifth may."""
    place.bind = asks(place.bind)
    place.hands = replace(place.hands, channel=LocalChannel({}, tmp_path))
    swarm = await place.apply("shop", mode="assisted")
    await place.need(swarm, 1)
    deaths = 4

    async def carry_out(order):
        nonlocal deaths
        # A new process with a new adapter each time: nothing is remembered in memory.
        told = await LocalChannel({}, tmp_path).notify(order)
        if deaths:
            deaths -= 1
            await place.sql("update decision set due_at = now() where key = %s", order.key)
            return None
        return told

    await place.work(instead={"notify": carry_out})
    assert deaths == 0
    assert len(heard(tmp_path)) == 1
    for _ in range(20):
        await place.bell.ring(swarm)
        await place.work()
    assert len(heard(tmp_path)) == 1
    (mission,) = await place.look.rows("missions")
    assert mission["id"] in heard(tmp_path)[0]


async def test_another_question_is_told_as_well(place, tmp_path):
    """Once means once for each thing that is said, not once for ever."""
    place.bind = asks(place.bind)
    place.hands = replace(place.hands, channel=LocalChannel({}, tmp_path))
    swarm = await place.apply("shop", mode="assisted")
    await place.need(swarm, 1, 2)
    await place.work()
    keys = heard(tmp_path)
    assert len(keys) == len(set(keys)) == 2
    before = place.bind
    place.bind = lambda swarm, spec: replace(before(swarm, spec), policy_hash="policy-2")
    await place.bell.ring(swarm)
    await place.work()
    assert len(heard(tmp_path)) == len(set(heard(tmp_path))) == 4
