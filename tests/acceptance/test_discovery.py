"""From a repository to needs: two real tools, a real store, one need per cause."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.adapters.local.sources.build import source
from swarm.adapters.local.sources.checkout import Checkouts
from swarm.adapters.local.sources.settings import CommandSettings
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.contract.swarm import SwarmObject
from swarm.ports.source_settings import Place
from swarm.testing.repository import ScratchRepository

MANIFEST = {
    "apiVersion": "swarm.proompteng.ai/v1alpha1",
    "kind": "Swarm",
    "metadata": {"name": "orders"},
    "spec": {
        "owner": {"id": "platform-owner", "channel": "swarm://owner/platform"},
        "domains": ["platform-reliability"],
        "objectives": ["keep the order service tidy"],
        "mode": "assisted",
    },
}
RUFF = "{python} -P -m ruff check --isolated --output-format=json --select=F401,DTZ003 ."
TOOLS = {
    "ruff": {"run": RUFF.split(), "format": "ruff"},
    "reference-search": {
        "run": ["{python}", "-P", "-m", "swarm.adapters.local.sources.references"]
    },
}
CODE = "import os\nimport re\nfrom datetime import datetime\n\nprint(datetime.utcnow())\n"


class Discovery:
    def __init__(self, database, tmp_path) -> None:
        self.database = database
        self.repository = ScratchRepository(tmp_path / "app")
        self.intake = PostgresIntake(database)
        forge = LocalForge({"app": RepositorySettings(path=self.repository.path)}, tmp_path / "d")
        self.checkouts = Checkouts(forge, tmp_path / "scratch")
        self.swarm = ""

    async def read(self, name: str):
        """One reading of one tool, stored as the controller stores it."""
        fields = {"kind": "command", "name": name, "repo": "app", "mission_class": "tidiness"}
        settings = CommandSettings(**fields, **TOOLS[name])
        place = Place(swarm=self.swarm, now=lambda: datetime.now(UTC))
        cursor = await self.intake.cursor(self.swarm, name)
        new = opened = readings = 0
        async for reading in source(settings, place, self.checkouts).read(cursor):
            assert reading.refused == ()
            report = await self.intake.ingest(self.swarm, name, reading, after=cursor)
            cursor, new, opened = reading.cursor, new + report.new, opened + len(report.opened)
            readings += 1
        return new, opened, readings

    async def needs(self):
        async with self.database.connection() as connection:
            found = await connection.execute(
                "select rule, paths, citations, round(confidence::numeric, 2)::float8, signals,"
                " origins, cited, external from need order by rule"
            )
            return await found.fetchall()


@pytest.fixture
async def discovery(database, tmp_path):
    made = Discovery(database, tmp_path)
    made.swarm = (
        await SwarmDesk(database, "ann").apply(SwarmObject.model_validate(MANIFEST))
    ).swarm
    return made


@pytest.mark.req("LOOP-2", "LOOP-3", "GATE-1")
async def test_two_tools_that_name_one_cause_make_one_need_with_two_citations(discovery):
    discovery.repository.commit({"pkg/a.py": CODE})
    assert await discovery.read("ruff") == (3, 2, 1)
    assert await discovery.read("reference-search") == (3, 0, 1)
    both = ["reference-search", "ruff"]
    assert await discovery.needs() == [
        ("DTZ003", ["pkg/a.py"], 2, 0.84, 2, both, True, False),
        ("F401", ["pkg/a.py"], 2, 0.84, 4, both, True, False),
    ]


@pytest.mark.req("LOOP-2", "API-7")
async def test_a_quiet_repository_is_read_without_a_word(discovery):
    discovery.repository.commit({"pkg/a.py": CODE})
    await discovery.read("ruff")
    assert await discovery.read("ruff") == (0, 0, 0)
    discovery.repository.commit({"docs.md": "words\n"})
    assert await discovery.read("ruff") == (0, 0, 1)  # the commit that was looked at, nothing else
    assert await discovery.read("ruff") == (0, 0, 0)
