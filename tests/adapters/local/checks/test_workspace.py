"""A check judges the commit, also where a package manager or Go leads it to the working copy."""

from __future__ import annotations

import os

import pytest

from swarm.adapters.local.process.editable import led_to
from swarm.adapters.local.process.workspace import link_packages
from swarm.core.evidence import CheckResult
from swarm.testing.contracts.asking import fact

pytestmark = pytest.mark.req("GATE-2")


@pytest.fixture
def repo(tmp_path):
    """A workspace after `npm install`: two packages of its own, one of others with a program."""
    made = tmp_path / "repo"
    for folder in ("packages/a", "packages/b", "node_modules/@w", "node_modules/.bin",
                   "node_modules/dep"):  # fmt: skip
        (made / folder).mkdir(parents=True)
    (made / "packages" / "b" / "cli.js").touch()
    (made / "node_modules" / "dep" / "cli.js").touch()
    for link, target in (
        ("@w/a", "../../packages/a"),
        ("b", "../packages/b"),
        ("outside", "../../elsewhere"),
        (".bin/b", "../b/cli.js"),
        (".bin/dep", "../dep/cli.js"),
    ):
        (made / "node_modules" / link).symlink_to(target)
    return made


def checkout_of(repo, *packages):
    checkout = repo / ".swarm" / "work"
    for name in packages:
        (checkout / "packages" / name).mkdir(parents=True)
        (checkout / "packages" / name / "cli.js").touch()
    return checkout


def links(checkout):
    top = checkout / "node_modules"
    found = [path for path in top.rglob("*") if path.is_symlink()]
    return {str(path.relative_to(top)): os.path.relpath(path.resolve(), checkout) for path in found}


def test_packages_of_the_workspace_are_those_of_the_checkout(repo):
    checkout = checkout_of(repo, "a", "b")
    link_packages(checkout, repo)
    assert links(checkout) == {
        "@w/a": "packages/a", "b": "packages/b", ".bin/b": "packages/b/cli.js"
    }  # fmt: skip


def test_a_package_that_the_commit_lacks_is_left_out(repo):
    checkout = checkout_of(repo, "a")
    link_packages(checkout, repo)
    assert set(links(checkout)) == {"@w/a"}


def test_what_the_commit_brings_itself_is_left_alone(repo):
    checkout = checkout_of(repo, "a")
    (checkout / "node_modules").symlink_to(repo)
    link_packages(checkout, repo)
    assert not (repo / "@w").exists()


@pytest.mark.parametrize("name", ["packages/a", "gone"])
def test_a_repository_without_such_a_folder_gets_none(repo, name):
    checkout = checkout_of(repo, "a")
    link_packages(checkout, repo / name)
    link_packages(checkout, None)
    assert not (checkout / "node_modules").exists()


async def test_what_its_user_has_not_committed_is_not_what_is_judged(world):
    """The check looked for the package above its checkout, as Node does."""
    held = world.repo.path / "packages" / "a" / "price"
    broken = world.repo.commit({"packages/a/price": "2\n"})
    (world.repo.path / "node_modules").mkdir()
    (world.repo.path / "node_modules" / "a").symlink_to("../packages/a")
    held.write_text("1\n")
    node = f"f=node_modules/a/price; test -f $f || f={world.repo.path}/$f; grep -q 1 $f"
    world.define("unit", node, reruns=0, confine="off")
    ended = await fact(world.port().check, world.order("unit", broken))
    assert ended.result is CheckResult.RED


@pytest.mark.parametrize(
    ("above", "inside", "theirs", "wanted"),
    [
        pytest.param(True, False, {}, "off", id="ignored-by-git"),
        pytest.param(True, True, {}, None, id="committed"),
        pytest.param(False, False, {}, None, id="none"),
        pytest.param(True, False, {"GOWORK": "/mine"}, "/mine", id="asked-for"),
    ],
)
def test_a_go_workspace_above_the_checkout_is_none_of_its(tmp_path, above, inside, theirs, wanted):
    """Go refused every package: the checkout is no module of that workspace."""
    checkout = tmp_path / "repo" / ".swarm" / "work"
    checkout.mkdir(parents=True)
    for folder, there in ((tmp_path / "repo", above), (checkout, inside)):
        if there:
            (folder / "go.work").touch()
    assert led_to(checkout, tmp_path / "repo", {"PATH": "", **theirs}).get("GOWORK") == wanted
