"""Cited lines, looked for at main on real repositories."""

from __future__ import annotations

import pytest

from swarm.adapters.local.git.cited import CitedFiles
from swarm.core.decision import ReadCitation
from swarm.core.ids import MissionId, OrderKey
from swarm.core.nouns import Cited
from swarm.ports.reply import Done, Later, No

pytestmark = pytest.mark.req("GATE-1")


def order(citation, repo="app"):
    cited = Cited(origin="ruff", citation=citation, source="ruff", external=False, trust=0.5)
    return ReadCitation(
        key=OrderKey("m-1/cite/x/1"), mission=MissionId("m-1"), mission_class="docs",
        policy_hash="p", forward=False, cited=cited, repo=repo,
    )  # fmt: skip


async def seen(world, citation, **over):
    reply = await CitedFiles(world.forge).read(order(citation, **over))
    assert isinstance(reply, Done), reply
    return reply.fact


def head(repo):
    return repo("rev-parse", "HEAD")


@pytest.mark.slow
async def test_a_line_that_stands_is_found_also_where_it_moved(world, repo):
    first = head(repo)
    fact = await seen(world, f"app.py:2@{first}")
    assert (fact.gone, fact.claims, fact.where) == (False, True, f"app.py:2@{first}")
    moved = repo.commit({"app.py": "# A page.\nimport os\n\nprint('hello')\n"})
    fact = await seen(world, f"app.py:2@{first}")
    assert (fact.claims, fact.where) == (True, f"app.py:4@{moved}")
    assert len(fact.excerpts) == 1


async def test_a_line_that_reads_otherwise_has_changed(world, repo):
    first = head(repo)
    repo.commit({"app.py": "import os\nprint('bye')\n"})
    fact = await seen(world, f"app.py:2@{first}")
    assert (fact.gone, fact.claims) == (False, False)
    assert "line 2 of app.py reads otherwise" in fact.detail


async def test_a_file_that_is_not_there_any_more_is_gone(world, repo):
    first = head(repo)
    repo.commit({"app.py": None, "other.py": "import os\n"})
    assert (await seen(world, f"app.py:2@{first}")).gone


@pytest.mark.fast("app.py:2-True", "app.py:99-False")
@pytest.mark.parametrize(
    ("citation", "claims"),
    [
        ("app.py:2", True),
        ("app.py:99", False),
        ("app.py:2@" + "0" * 40, False),
        ("app.py@" + "0" * 40, True),
    ],
)
async def test_what_cannot_be_compared_does_not_pass(world, repo, citation, claims):
    """A line beyond the end, and a commit that nobody knows; a file as a whole is only there."""
    assert (await seen(world, citation)).claims is claims


async def test_a_path_out_of_the_repository_is_no_file_of_it(world, repo):
    assert (await seen(world, f"../../etc/passwd:1@{head(repo)}")).gone
    assert (await seen(world, f"-c:1@{head(repo)}")).gone


async def test_what_is_no_place_is_refused_and_an_unknown_repository_waits(world):
    assert isinstance(await CitedFiles(world.forge).read(order("INC-9")), No)
    assert isinstance(await CitedFiles(world.forge).read(order("app.py:1", repo="who")), Later)
