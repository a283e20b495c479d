"""Main of a repository is kept in one folder: another one on the same database is told so."""

import asyncio
import shutil

import pytest

from swarm.runtime.errors import MainElsewhere
from swarm.runtime.home import Home
from swarm.runtime.supervise import serve

pytestmark = [pytest.mark.slow, pytest.mark.req("OWN-3", "LOOP-11")]


async def test_a_folder_without_what_was_landed_is_refused_until_it_has_it(installation):
    installation.agent("maker", "echo 'MADE = 1' >src/made.py", rules=["F401"])
    installation.check("tests", "true")
    installation.say(paths=["src/made.py"])
    async with installation.serving():
        (mission,) = await installation.until(
            "missions", lambda rows: [row for row in rows if row["outcome"] != "open"]
        )
    assert mission["outcome"] == "delivered", mission
    other = Home(installation.folder / "elsewhere")
    other.folder.mkdir()
    for file in (installation.home.file, installation.home.manifest):
        shutil.copy(file, other.folder)
    with pytest.raises(MainElsewhere, match="acme/shop, and is not here"):
        await serve(other, asyncio.Event())
    (clone,) = installation.home.clones.glob("*.git")
    installation.repo.git("pull", "-q", str(clone), "main")  # now it can be had from there
    stop = asyncio.Event()
    stop.set()
    await serve(other, stop)
    await serve(installation.home, stop)
