"""What `init` proposes for the tests of a repository: a command that runs them all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from swarm.contract.validate import load_swarms
from swarm.runtime.detect import look
from swarm.runtime.first_files import manifest

CASE = (
    "import unittest\n\n\nclass T(unittest.TestCase):\n"
    "    def test_it(self):\n        self.assertTrue({good})\n"
)
FUNCTION = "def test_it():\n    assert {good}\n"


@pytest.fixture
def repo(tmp_path):
    """A function that commits files, given as text by path, as a new repository."""

    def made(**files):
        git = ("git", "-c", "user.name=ann", "-c", "user.email=ann@localhost", "-C", tmp_path)
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        for name, text in {"app.py": "A = 1\n", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(good=False))
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "first"], check=True)
        return tmp_path

    return made


def proposed(folder):
    return next((c.run for c in look(folder).checks if c.name == "unit-tests"), None)


LAYOUTS = {
    "a package": {"tests/__init__.py": "", "tests/test_a.py": CASE},
    "no package": {"tests/test_a.py": CASE},
    "another name": {"test/test_a.py": CASE},
    "umlauts": {"tests/test_größe.py": CASE},
    "a package in no package": {"tests/unit/__init__.py": "", "tests/unit/test_a.py": CASE},
    "a folder in a package": {"tests/__init__.py": "", "tests/unit/test_a.py": CASE},
    "functions": {"tests/test_a.py": FUNCTION},
    "functions beside classes": {
        "tests/test_a.py": CASE.replace("{good}", "True"),
        "tests/test_b.py": FUNCTION,
    },
    "a name that only pytest knows": {
        "tests/test_a.py": CASE.replace("{good}", "True"),
        "tests/a_test.py": CASE,
    },
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.req("GATE-2")
def test_a_failing_test_is_red_however_the_tests_are_laid_out(repo, files):
    """`python -m unittest` goes into packages alone, and finding nothing is green for it."""
    folder = repo(**files)
    run = [word.replace("{python}", sys.executable) for word in proposed(folder)]
    ended = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "1 fail" in ended.stdout or "failures=1" in ended.stderr


def test_unittest_runs_what_it_can_find_all_of(repo):
    """It is always there; pytest may not be."""
    folder = repo(**{"tests/test_a.py": CASE, "tests/test_helper.py": "B = 2\n"})
    assert proposed(folder) == ("{python}", "-m", "unittest", "discover", "-q", "-s", "tests")


def test_no_command_is_proposed_where_there_is_no_test(repo):
    assert proposed(repo(**{"tests/data.py": "ROWS = []\n"})) is None


def test_a_test_runner_that_is_not_here_is_told_at_once(repo, monkeypatch):
    """Else each mission learns anew that main is red, of which nothing but that runner is why."""
    folder = repo(**{"tests/test_a.py": FUNCTION})
    assert not [note for note in look(folder).notes if "pytest" in note]
    monkeypatch.setattr("swarm.runtime.detect.find_spec", lambda name: None)
    assert [note for note in look(folder).notes if "pytest is not beside Swarm" in note]
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").touch()
    assert not [note for note in look(folder).notes if "pytest" in note]


def test_packages_that_are_not_here_are_told_at_once(repo, monkeypatch):
    """A checkout gets the node_modules of this folder, so without them each script is red."""
    package = '{{"scripts": {{"test": "vitest"}}, "devDependencies": {{"vitest": "3"}}}}'
    folder = repo(**{"package.json": package})
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert [note for note in look(folder).notes if "node_modules" in note and "unit-tests" in note]
    (folder / "node_modules").mkdir()
    assert not [note for note in look(folder).notes if "node_modules" in note]
    monkeypatch.setattr("shutil.which", lambda name: None if name == "npm" else f"/bin/{name}")
    assert [note for note in look(folder).notes if note.startswith("npm is not installed")]


def test_what_npm_writes_where_there_are_no_tests_is_no_check(repo):
    """It is red on every commit, so that nothing would ever be delivered."""
    said = 'echo \\"Error: no test specified\\" && exit 1'
    left = f'{{{{"scripts": {{{{"test": "{said}", "lint": "eslint"}}}}}}}}'
    assert [check.name for check in look(repo(**{"package.json": left, "app.py": ""})).checks] == [
        "syntax",
        "lint",
    ]


@pytest.mark.parametrize(
    ("name", "text"), [("package.json", "[" * 100_000), ("pyproject.toml", f"x = {'[' * 100_000}")]
)
def test_a_file_that_nests_without_end_says_nothing(repo, name, text):
    """It is the repository's: `init` called it a fault of its own."""
    assert [check.name for check in look(repo(**{name: text})).checks] == ["syntax"]


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ("git@github.com:acme/shop.git", "acme/shop"),
        ("/home/jörg/Übungen/shop.git", "local/"),
        ("git@host:acme/ö.git", "local/"),
    ],
)
def test_a_repository_gets_a_name_that_a_manifest_may_hold(repo, remote, name):
    """`up` refused the manifest that `init` had written."""
    folder = repo()
    subprocess.run(["git", "-C", folder, "remote", "add", "origin", remote], check=True)
    found = look(folder)
    assert found.name.startswith(name)
    load_swarms(manifest(found).encode(), source="swarm.yaml")
