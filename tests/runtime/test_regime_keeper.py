"""A target that trades: what its looks bring along, and what freezes its Swarm at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.regime.states import RegimeStates, SavedState
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.contract.swarm import SwarmObject
from swarm.core.decision import TakeLook
from swarm.core.evidence import LookTaken
from swarm.core.ids import EvidenceId, MissionId, OrderKey
from swarm.core.rollout.counts import Absent, AbsentWhy
from swarm.core.rollout.counts import Look as Counted
from swarm.ports.reply import Done, Later
from swarm.runtime.regime.keeper import RegimeKeeper
from swarm.runtime.regime.promotion import LIMITS_SEEN
from swarm.runtime.regime.reading import RegimeReader, WithRegime
from swarm.runtime.regime.settings import RegimeSettings
from swarm.runtime.settings import Settings
from swarm.runtime.wiring import Specs

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NS = 10**9
BOUND = {"desk": RegimeSettings(stream="SPX", strategies=("momentum", "carry"))}
MANIFEST = {
    "apiVersion": "swarm.proompteng.ai/v1alpha1",
    "kind": "Swarm",
    "metadata": {"name": "quant"},
    "spec": {
        "owner": {"id": "ann", "channel": "swarm://owner/ann"},
        "domains": ["quant-strategy"],
        "objectives": ["steady returns"],
        "mode": "lights-out",
        "delivery": {"repoAllowlist": ["acme/desk"], "deploymentTargets": ["desk"]},
        "risk": {"freezeDuration": "30m"},
    },
}


@pytest.fixture
async def database(database_dsn):
    async with Database(database_dsn, size=2) as opened:
        yield opened


@pytest.fixture
async def swarm(database):
    found = SwarmObject.model_validate(MANIFEST)
    return (await SwarmDesk(database, "ann").apply(found)).swarm


def ns(at):
    return int(at.timestamp()) * NS


async def say(database, strategy, at, *, passed=True):
    words = ControlEvidences(database)
    return await words.add(LIMITS_SEEN, strategy, ns(at), {"regime": "trend"}, passed=passed)


async def know(database, at=NOW, posture="normal"):
    state = SavedState(
        stream="SPX", cycle=f"c-{at.timestamp()}", tick=7, at_ns=ns(at), model_version="hmm",
        params_hash="ab", state=b"s", record={"id": "trend", "posture": posture, "stateHash": "f0"},
    )  # fmt: skip
    await RegimeStates(database).save(state)


def reader(database, now=NOW):
    return RegimeReader(database, BOUND, lambda: now)


@pytest.mark.req("REG-8")
async def test_nothing_stored_is_said_as_lacking_and_never_as_fine(database):
    read = await reader(database).read("desk")
    assert read.lacking == ("the limits of momentum", "the limits of carry", "the regime of SPX")
    assert read.at is None


@pytest.mark.req("REG-8")
async def test_the_oldest_word_that_counts_is_how_old_all_of_it_is(database):
    await know(database, NOW - timedelta(minutes=1))
    await say(database, "momentum", NOW - timedelta(minutes=4))
    await say(database, "momentum", NOW - timedelta(minutes=2))
    await say(database, "carry", NOW - timedelta(minutes=3))
    await say(database, "somebody else", NOW - timedelta(minutes=4), passed=False)
    read = await reader(database).read("desk")
    assert (read.regime, read.posture, read.state) == ("trend", "normal", "f0")
    assert (read.at, read.breached, read.lacking) == (NOW - timedelta(minutes=3), (), ())


@pytest.mark.req("REG-8")
async def test_one_word_of_a_breach_outweighs_what_was_said_before_and_after(database):
    await know(database)
    for seconds, passed in ((90, True), (60, False), (30, True)):
        await say(database, "momentum", NOW - timedelta(seconds=seconds), passed=passed)
    (told,) = (await reader(database).read("desk")).breached
    assert told.startswith("momentum broke a limit at 2026-03-02 11:59:00")


class Counters:
    """A service whose counters cannot be read, or not yet."""

    def __init__(self, reply):
        self.reply = reply

    async def look(self, order):
        return self.reply


def order(target):
    return TakeLook(
        key=OrderKey("m-1/look/x"), mission=MissionId("m-1"), mission_class="tidy",
        policy_hash="p", forward=False, target=target, revision="abc", step=0,
        number=0,
    )  # fmt: skip


@pytest.mark.req("GATE-5", "REG-8")
async def test_a_look_at_a_target_that_trades_brings_its_regime_and_another_does_not(database):
    gone = Absent(why=AbsentWhy.NOT_REPORTED)
    counted = Counted(observed_at=NOW, traffic_percent=10, canary=gone, stable=gone)
    fact = LookTaken(
        id=EvidenceId("e-1"), at=NOW, source="x", target="desk", step=0, number=0, look=counted
    )
    looking = WithRegime(Counters(Done(fact=fact)), reader(database))
    assert (await looking.look(order("desk"))).fact.regime.lacking
    assert (await looking.look(order("orders"))).fact.regime is None
    later = Later(delay=timedelta(seconds=1), reason="Busy")
    assert await WithRegime(Counters(later), reader(database)).look(order("desk")) == later


def keeper(database, now=NOW):
    desk, specs = FreezeDesk(database, "c-1"), Specs(database)
    return RegimeKeeper(reader(database, now), desk, specs, lambda: now, needs_token=True)


async def frozen(database):
    return await Look(database).rows("freezes", state="open")


@pytest.mark.req("FRZ-5")
async def test_a_broken_limit_freezes_the_swarm_at_once_and_once(database, swarm):
    await say(database, "carry", NOW - timedelta(seconds=2))
    await keeper(database).look()
    assert await frozen(database) == []
    await say(database, "carry", NOW - timedelta(seconds=1), passed=False)
    await keeper(database).look()
    (hold,) = await frozen(database)
    assert (hold["mission_class"], hold["reason"]) == ("*", "LimitBreached")
    assert hold["needs_token"]
    await keeper(database).look()  # another controller, which has told nobody of it yet
    assert [one["id"] for one in await frozen(database)] == [hold["id"]]
    events = [event["kind"] for event in await Trails(database).newest(swarm)]
    assert events.count("freeze.opened") == 1


@pytest.mark.req("FRZ-5")
async def test_what_was_lifted_is_not_frozen_again_for_the_same_word(database, swarm):
    await say(database, "carry", NOW - timedelta(seconds=1), passed=False)
    await keeper(database).look()
    (hold,) = await frozen(database)

    async def lift(connection):
        await connection.execute("update frozen set lifted_at = now(), lifted_by = 'ann'")

    await database.run(lift)
    await keeper(database).look()
    assert await frozen(database) == []
    await say(database, "momentum", NOW, passed=False)
    await keeper(database).look()
    assert [one["id"] for one in await frozen(database)] != [hold["id"]]
    assert len(await frozen(database)) == 1


@pytest.mark.req("REG-8")
def test_a_regime_of_a_target_that_is_not_there_is_refused_by_name():
    with pytest.raises(ValueError, match=r"there is no target 'desk'; there are: none"):
        Settings(regimes={"desk": {"stream": "SPX", "strategies": ["momentum"]}})
