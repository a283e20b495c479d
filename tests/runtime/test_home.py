"""An installation inside a repository: git sees nothing of it, and its checks see everything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from swarm.runtime.home import Home, find


@pytest.fixture
def place(tmp_path):
    """An installation in a repository; as the user may have it, its folder is ignored twice."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(".swarm/\n")
    made = Home(tmp_path)
    made.make()
    return made


@pytest.mark.req("GATE-2")
def test_a_linter_finds_the_files_of_a_checkout_below_the_ignored_folder(place):
    work = place.jobs / "checks" / "jobs" / "one" / "1" / "work"
    work.mkdir(parents=True)
    (work / "broken.py").write_text("def broken(:\n")
    ruff = [sys.executable, "-P", "-m", "ruff", "check", "--isolated", "--select", "E9", "."]
    assert subprocess.run(ruff, cwd=work, capture_output=True, check=False).returncode == 1
    (work / ".gitignore").write_text("broken.py\n")
    assert subprocess.run(ruff, cwd=work, capture_output=True, check=False).returncode == 0


def test_the_repository_around_it_shows_nothing_of_it(place):
    (place.folder / ".gitignore").unlink()
    (place.jobs / "one").touch()
    said = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=place.folder, capture_output=True, check=True,
    )  # fmt: skip
    assert said.stdout == b""


def test_an_installation_whose_file_is_gone_is_found_while_a_controller_works(place, monkeypatch):
    """`git stash -u` takes swarm.toml away, and whoever says `down` must be heard."""
    monkeypatch.delenv("SWARM_HOME", raising=False)
    below = place.folder / "src"
    below.mkdir()
    assert find(below) is None
    place.write_note({"pid": 1})
    assert find(below) == Home(place.folder.resolve())
