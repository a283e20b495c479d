"""A check judges the commit, also in an environment that was installed from a working copy."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from swarm.adapters.local.process.editable import led_to
from swarm.core.evidence import CheckResult
from swarm.testing.contracts.asking import fact

pytestmark = pytest.mark.req("GATE-2")

TEST = "from shop import price; assert price() == 1"


@pytest.fixture
def packages(tmp_path):
    """The site-packages of a virtual environment."""
    made = tmp_path / "env" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    made.mkdir(parents=True)
    (tmp_path / "env" / "bin").mkdir()
    (tmp_path / "env" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "env" / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
    return made


def programs(packages):
    return packages.parents[2] / "bin"


async def test_what_its_user_has_not_committed_is_not_what_is_judged(world, packages):
    """His repair made the broken commit green, and any change of an agent would have been."""
    held, price = world.repo.path / "src" / "shop.py", "def price():\n    return {}\n"
    broken = world.repo.commit({"src/shop.py": price.format(2)})
    mended = world.repo.commit({"src/shop.py": price.format(1)})
    (packages / "_shop.pth").write_text(f"{held.parent}\n")
    path = (programs(packages),)
    world.define("unit", f'python -c "{TEST}"', path=path, reruns=0, confine="off")
    for commit, theirs, result in ((broken, 1, CheckResult.RED), (mended, 2, CheckResult.GREEN)):
        held.write_text(price.format(theirs))
        ended = await fact(world.port().check, world.order("unit", commit))
        assert ended.result is result


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        pytest.param("_shop.pth", "{repo}/src\n", ["src"], id="src-layout"),
        pytest.param("easy-install.pth", "{repo}\n/elsewhere/x\n", ["."], id="develop"),
        pytest.param("two.pth", "{repo}/a/src\n{repo}/b/src\n", ["a/src", "b/src"], id="many"),
        pytest.param("__editable___shop_1_finder.py",
                     "MAPPING: dict[str, str] = {{'shop': '{repo}/a/src/shop'}}\n", ["a/src"],
                     id="finder"),
        pytest.param("x.pth", "{repo}/gone\n{repo}/../other\n{repo}-too/src\nimport os\n", [],
                     id="not-in-the-checkout"),
    ],
)  # fmt: skip
def test_every_kind_of_editable_install_is_led_to_the_checkout(
    tmp_path, packages, name, text, wanted
):
    repo, checkout = tmp_path / "repo", tmp_path / "checkout"
    for folder in ("src", "a/src", "b/src"):
        (checkout / folder).mkdir(parents=True)
    (packages / name).write_text(text.format(repo=repo))
    env = {"PATH": os.pathsep.join(("/usr/bin", str(programs(packages)))), "PYTHONPATH": "/mine"}
    found = led_to(checkout, repo, env)["PYTHONPATH"].split(os.pathsep)
    assert found == [*(str(checkout / one) for one in wanted), "/mine"]
