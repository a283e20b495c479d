"""Two controllers of one installation on one database: real agents, checks and git, each once."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.contract.validate import load_swarms
from swarm.runtime.controller import Controller
from swarm.runtime.settings import load
from swarm.runtime.wiring import wire

pytestmark = [pytest.mark.slow, pytest.mark.req("OWN-3", "OWN-4")]
NEEDS = 4


@asynccontextmanager
async def controller(installation, name):
    """Wired as `up` does it, but beside another one, which the lock of a folder would refuse."""
    home, stop = installation.home, asyncio.Event()
    async with Database(installation.url) as database:
        parts = wire(load(home.file), home, database, name)
        made = Controller(
            parts.store, parts.hands, parts.binding_of, name,
            now=lambda: datetime.now(UTC), keepers=parts.keepers,
        )  # fmt: skip
        parts.on_news(made.kick)
        task = asyncio.create_task(made.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task


async def owners(url):
    """Who carried orders out, as the trail says."""

    async def read(connection):
        rows = await connection.execute(
            "select distinct actor from trail where kind = 'evidence.seen'"
        )
        return {actor for (actor,) in await rows.fetchall()}

    async with Database(url, size=1) as database:
        return await database.run(read)


async def test_one_beside_the_other_and_then_alone_nothing_happens_twice(installation):
    for number in range(NEEDS):
        path = f"src/made{number}.py"
        work = f"sleep 0.3; echo 'MADE = {number}' > {path}"
        installation.agent(f"maker{number}", work, rules=[f"R{number}"])
        installation.say(number, rule=f"R{number}", paths=[path], citation=f"{path}:1")
    installation.check("tests", "sleep 0.2")
    installation.home.make()
    installation.write()
    (swarm,) = load_swarms(installation.home.manifest.read_bytes(), source="swarm.yaml")
    async with Database(installation.url) as database:
        await SwarmDesk(database, "alice").apply(swarm)
    async with controller(installation, "c2"):
        async with controller(installation, "c1"):
            # Side by side until agents are at work; then one leaves, and the other goes on alone.
            await installation.wait_for(
                lambda: sum(installation.started(f"maker{n}") for n in range(NEEDS)) > 0
            )
        rows = await installation.until(
            "missions",
            lambda rows: len(rows) == NEEDS and all(row["outcome"] != "open" for row in rows),
            seconds=90,
        )
    assert [row["outcome"] for row in rows] == ["delivered"] * NEEDS
    assert [installation.started(f"maker{number}") for number in range(NEEDS)] == [1] * NEEDS
    clone = next(installation.home.clones.glob("*.git"))
    main = installation.repo.git("--git-dir", str(clone), "log", "--format=%s", "main")
    assert len(main.splitlines()) == 1 + NEEDS
    assert "c2" in await owners(installation.url)
