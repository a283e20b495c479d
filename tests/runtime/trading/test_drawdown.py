"""From a loss at the venue to a Swarm that stands still: every part real, one process."""

from datetime import UTC, datetime

import pytest

from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.contract.swarm import SwarmObject
from swarm.regime.controls.measures import Measures
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import SECOND
from swarm.runtime.regime.keeper import RegimeKeeper
from swarm.runtime.regime.reading import RegimeReader
from swarm.runtime.regime.settings import RegimeSettings
from swarm.runtime.trading import telling
from swarm.runtime.trading.place import TradingPlace
from swarm.runtime.trading.proving import Proving
from swarm.runtime.wiring import Specs
from swarm.testing.trading import trade_order

CAPITAL = 10_000 * 1_000_000  #: the ten lots are a tenth of it, so 15 % of their price are 1.5 %
MANIFEST = {
    "apiVersion": "swarm.proompteng.ai/v1alpha1",
    "kind": "Swarm",
    "metadata": {"name": "quant"},
    "spec": {
        "owner": {"id": "ann", "channel": "swarm://owner/ann"},
        "domains": ["autonomous-trading"],
        "objectives": ["steady returns"],
        "mode": "lights-out",
        "delivery": {"repoAllowlist": ["acme/desk"], "deploymentTargets": ["desk"]},
    },
}


@pytest.mark.req("FRZ-5", "REG-8")
async def test_a_fall_of_one_and_a_half_percent_freezes_the_swarm(desk, database, tmp_path):
    await SwarmDesk(database, "ann").apply(SwarmObject.model_validate(MANIFEST))
    bound = {"desk": RegimeSettings(stream="spx", strategies=("drift", "mean"))}
    reader = RegimeReader(database, bound, lambda: datetime.now(UTC))
    keeper = RegimeKeeper(
        reader, FreezeDesk(database, "c-1"), Specs(database), lambda: datetime.now(UTC),
        needs_token=True,
    )  # fmt: skip
    path = await desk.opened()
    state, place, proving = path.state, TradingPlace(tmp_path), Proving(database, "test")
    state.measures = Measures(capital=CAPITAL)

    async def priced(mid):
        """The market at that price, what it makes of the books, and what follows from it."""
        desk.now += SECOND
        held = [
            desk.exchange.quote("ACME", side, mid + away, 1, desk.now)
            for side, away in ((Side.BUY, -5), (Side.SELL, 5))
        ]
        assert await telling.market(state) == ()
        telling.measures(state, place)
        await proving.limits(state)
        await keeper.look()
        for quote in held:
            desk.exchange.withdraw("ACME", quote, desk.now)
        return state.ledger.metrics.drawdown_ppm, await Look(database).rows("freezes", state="open")

    await path.submit(trade_order())
    desk.exchange.quote("ACME", Side.SELL, 10_000, 10, desk.now)
    await path.follow()
    assert await priced(10_000) == (0, [])
    assert await priced(8_501) == (14_990, [])
    fallen, (hold,) = await priced(8_500)
    assert fallen == 15_000
    assert (hold["mission_class"], hold["reason"], hold["needs_token"]) == (
        "*", "LimitBreached", True,
    )  # fmt: skip
    assert hold["detail"].startswith(("drift broke a limit", "mean broke a limit"))
    _, still = await priced(10_000)
    assert [one["id"] for one in still] == [hold["id"]], "a market that comes back lifts nothing"
