"""The keeper of seals: what it tells whom, and that a seal that fails stops nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import timedelta

import pytest
import structlog

from swarm.adapters.local.channel import LocalChannel
from swarm.adapters.local.notary import LocalNotary
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.seals import PostgresSeals
from swarm.contract.errors import Unavailable
from swarm.contract.swarm import SwarmObject
from swarm.runtime.seal_keeper import SealKeeper

MANIFEST = {
    "apiVersion": "swarm.proompteng.ai/v1alpha1",
    "kind": "Swarm",
    "metadata": {"name": "orders"},
    "spec": {
        "owner": {"id": "platform-owner", "channel": "swarm://owner/platform"},
        "domains": ["platform-reliability"],
        "objectives": ["keep the order service fast"],
        "mode": "assisted",
    },
}
SOON = timedelta(milliseconds=20)


@pytest.fixture
async def database(database_dsn):
    async with Database(database_dsn, size=2) as opened:
        yield opened


@pytest.fixture
async def swarm(database):
    found = SwarmObject.model_validate(MANIFEST)
    return (await SwarmDesk(database, "ann").apply(found)).swarm


def keeper(database, folder, channel=""):
    seals = PostgresSeals(database, LocalNotary(folder / "seals"))
    return SealKeeper(seals, SOON, LocalChannel({}, folder / "logs"), channel), seals


async def until(true, patience=10.0):
    async with asyncio.timeout(patience):
        while not true():  # noqa: ASYNC110 - a file has no event to wait for
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(kept):
    task = asyncio.create_task(kept.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.req("VAL-6")
async def test_what_happens_is_sealed_and_published_by_itself(database, swarm, tmp_path):
    kept, seals = keeper(database, tmp_path, "owner")
    published = tmp_path / "seals" / f"{swarm}.jsonl"
    told = tmp_path / "logs" / "channel.jsonl"
    async with running(kept):
        await until(lambda: published.exists() and told.exists() and told.read_text())
    assert await seals.verify(swarm) == (1, ())
    (said,) = told.read_text().splitlines()
    body = json.loads(published.read_text())["body"]
    assert json.loads(said)["text"].startswith(body)


@pytest.mark.req("VAL-6")
async def test_stopping_seals_what_is_not_sealed_yet(database, swarm, tmp_path):
    seals = PostgresSeals(database, LocalNotary(tmp_path / "seals"))
    kept = SealKeeper(seals, timedelta(hours=1), LocalChannel({}, tmp_path / "logs"), "")
    async with running(kept):
        await asyncio.sleep(0)
    assert (await seals.verify(swarm))[0] == 1


@pytest.mark.req("VAL-6")
async def test_a_refused_seal_is_told_once_and_the_controller_goes_on(database, swarm, tmp_path):
    kept, seals = keeper(database, tmp_path)
    await seals.seal(swarm)
    async with database.connection() as connection:
        await connection.execute("delete from seal")
    with structlog.testing.capture_logs() as lines:
        await kept.turn()
        await kept.turn()
    assert [(line["event"], line["code"]) for line in lines] == [("seal.refused", "SWM342")]


@pytest.mark.req("FAIL-6")
async def test_a_store_that_cannot_be_asked_is_asked_again(tmp_path):
    class Gone:
        asked = 0

        async def unsealed(self):
            self.asked += 1
            raise Unavailable("gone")

    gone = Gone()
    kept = SealKeeper(gone, SOON, LocalChannel({}, tmp_path), "")
    async with running(kept):
        await until(lambda: gone.asked >= 3)


@pytest.mark.req("VAL-6")
async def test_a_folder_that_cannot_be_written_loses_no_seal(database, swarm, tmp_path):
    """The seal is in the database; it is published as soon as the folder allows it."""
    (tmp_path / "seals").mkdir(mode=0o700)
    blocked = tmp_path / "seals" / f"{swarm}.jsonl"
    blocked.mkdir()
    kept, seals = keeper(database, tmp_path)
    with structlog.testing.capture_logs() as lines:
        await kept.turn()
    assert [line["code"] for line in lines] == ["SWM405"]
    blocked.rmdir()
    await kept.turn()
    await seals.seal(swarm)
    assert await seals.verify(swarm) == (1, ())
    assert LocalNotary(tmp_path / "seals").last(swarm).seq == 1
