"""The status said Frozen for nine days; new runs went on failing, and the gate said "allow"."""

from datetime import timedelta

import pytest

from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.adapters.postgres.store.errors import OrderHeld
from swarm.core.nouns import MissionKind

pytestmark = pytest.mark.req("FRZ-2")


async def said(place):
    """What status, command line and the claim of an order say: whether it is frozen."""
    status = (await place.condition("shop", "Frozen"))["status"] == "True"
    phase = (await place.status("shop"))["phase"] == "Frozen"
    listed = bool(await place.look.rows("freezes", state="open"))
    claims = await place.claim(16)
    held = not [claim for claim in claims if claim.order.forward]
    await place.orders.release(claims)
    return status, phase, listed, held


async def test_status_list_and_gate_read_one_record(place):
    swarm = await place.apply("shop")
    await place.need(swarm, 1)
    await place.tick()
    assert await said(place) == (False, False, False, False)
    (claim,) = await place.claim(1)
    await FreezeDesk(place.database, "ann").freeze(swarm, "look first")
    with pytest.raises(OrderHeld):
        await place.orders.begin(claim)
    await place.tick()
    assert await said(place) == (True, True, True, True)


async def test_an_expired_freeze_is_worked_on_at_once_and_says_what_is_missing(place):
    swarm = await place.apply("shop")
    await FreezeDesk(place.database, "ann").freeze(swarm, "wait", lasts=timedelta(hours=1))
    await place.tick()
    assert not await place.look.rows("missions")
    await place.sql("update frozen set until = now() - interval '1 second'")
    await place.bell.ring(swarm)
    (tick, *_) = await place.tick()
    (mission,) = await place.look.rows("missions")
    assert mission["kind"] == MissionKind.REQUALIFY
    assert tick.due is not None, "an expired freeze must not linger until somebody looks"
    assert "requalification" in (await place.status("shop"))["freeze"]["reason"]
    assert (await said(place))[:3] == (True, True, True)
