"""What a version runs."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from swarm.adapters.local.service.settings import ServiceSettings
from swarm.adapters.local.service.versions import Versions

OLD = "a" * 40


@pytest.mark.req("GATE-5")
async def test_a_version_runs_its_commit_and_not_what_its_user_has_there(tmp_path, monkeypatch):
    """Where its packages were installed editable, every canary was his working copy."""
    for name in ("theirs", "checkout"):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src" / "shop.py").write_text(f"print('{name}', flush=True)\n")
    packages = tmp_path / f"env/lib/python3.{sys.version_info.minor}/site-packages"
    packages.mkdir(parents=True)
    (packages / "_shop.pth").write_text(f"{tmp_path / 'theirs' / 'src'}\n")
    (tmp_path / "env/pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
    (tmp_path / "env/bin").mkdir()
    (tmp_path / "env/bin/python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path / 'env/bin'}{os.pathsep}{os.environ['PATH']}")
    settings = ServiceSettings(name="orders", port=1, run=("python", "-c", "import shop"))
    versions = Versions(settings, tmp_path, tmp_path / "theirs")
    version = await versions.start(OLD, tmp_path / "checkout")
    async with asyncio.timeout(20):
        while versions.alive(version):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)
    assert versions.log(OLD).read_text() == "checkout\n"
