"""dev.py makes its own environment: tried for real, in a small repository with two packages.

The small repository has what dev.py reads (locks, pyproject.toml, a package with a command) and
nothing of the product, so that a case takes seconds and no network: its one locked dependency is a
wheel in a local folder.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import environment
from tree import ROOT, text

WHEEL = "dependency-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
WHEEL_INFO = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

#: A build backend of the standard library, so that the small repository installs offline.
BACKEND = """
import os, zipfile
ROOT = os.path.dirname(os.path.abspath(__file__))
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "swarmctl-1.0-py3-none-any.whl"
    info = "swarmctl-1.0.dist-info/"
    files = {
        "swarmctl.pth": os.path.join(ROOT, "src") + "\\n",
        info + "METADATA": "Metadata-Version: 2.1\\nName: swarmctl\\nVersion: 1.0\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        info + "entry_points.txt": "[console_scripts]\\nswarmctl = sample:main\\n",
    }
    files[info + "RECORD"] = "".join(f"{path},,\\n" for path in [*files, info + "RECORD"])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, body in files.items():
            wheel.writestr(path, body)
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "swarmctl"
version = "1.0"
"""
#: `swarmctl demo 3` prints its arguments and what is installed, and ends with 3.
SAMPLE = """
import signal, sys
import dependency
def main():
    print("ran", sys.argv[1:], dependency.NAME, flush=True)
    if sys.argv[-1] == "wait":
        signal.pause()
    return int(sys.argv[-1])
"""


def make_wheel(folder: Path) -> str:
    """A wheel with one module in `folder`; returns its sha256."""
    folder.mkdir()
    info = "dependency-1.0.dist-info/"
    files = {
        "dependency.py": "NAME = 'the locked one'\n",
        info + "METADATA": METADATA.format(name="dependency"),
        info + "WHEEL": WHEEL_INFO,
    }
    record = info + "RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for path, body in files.items():
            wheel.writestr(path, body)
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


class House:
    """A small repository with dev.py in it, and a way to run it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "house"
        (self.root / "tools").mkdir(parents=True)
        (self.root / "src").mkdir()
        shutil.copy(ROOT / "dev.py", self.root)
        shutil.copy(ROOT / "tools" / "environment.py", self.root / "tools")
        self.wheels = root / "wheels"
        self.lock(make_wheel(self.wheels))
        for name, body in {"pyproject.toml": PYPROJECT, "backend.py": BACKEND}.items():
            (self.root / name).write_text(body)
        (self.root / "src" / "sample.py").write_text(SAMPLE)

    def lock(self, sha256: str, note: str = "") -> None:
        """Write all locks; the smallest one holds the only package."""
        for name in environment.ALL_LOCKS:
            (self.root / name).write_text(f"# {note}\n")
        pin = f"dependency==1.0 --hash=sha256:{sha256}\n"
        (self.root / "requirements.lock").write_text(f"# {note}\n{pin}")

    def surroundings(self, **more: str) -> dict[str, str]:
        """An environment in which pip knows the local folder only."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root.parent),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            **more,
        }

    def start(self, *arguments: str, python: tuple[str, ...] = ("dev.py",), **more: str):
        return subprocess.Popen(
            [sys.executable, *python, *arguments],
            cwd=self.root,
            env=self.surroundings(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **more) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A house whose environment is made; cases may use it but must leave it whole."""
    house = House(tmp_path_factory.mktemp("made"))
    result = house.run("demo", "0")
    assert result.returncode == 0, result.stderr
    house.first = result
    return house


@pytest.mark.slow
def test_the_first_run_makes_everything_and_says_so(made):
    assert made.first.stdout == "ran ['demo', '0'] the locked one\n"
    for told in ("made .venv", "locked packages: done", "swarmctl in place: done", "next:"):
        assert told in made.first.stderr


@pytest.mark.slow
def test_the_second_run_installs_nothing(made):
    result = made.run("demo", "0")
    assert result.returncode == 0
    assert "install" not in result.stderr


@pytest.mark.slow
def test_arguments_and_exit_codes_pass_through(made):
    result = made.run("demo", "--fast", "--headless", "3")
    assert result.returncode == 3
    assert "['demo', '--fast', '--headless', '3']" in result.stdout
    assert "ended with exit code 3" in result.stderr


@pytest.mark.slow
def test_an_edit_of_the_package_counts_at_once(made):
    sample = made.root / "src" / "sample.py"
    sample.write_text(SAMPLE.replace("ran", "edited"))
    try:
        assert made.run("demo", "0").stdout.startswith("edited")
    finally:
        sample.write_text(SAMPLE)


@pytest.mark.slow
def test_a_changed_lock_is_installed(made):
    sha256 = hashlib.sha256((made.wheels / WHEEL).read_bytes()).hexdigest()
    made.lock(sha256, note="newer")
    assert "locked packages: done" in made.run("demo", "0").stderr
    assert "locked packages" not in made.run("demo", "0").stderr


@pytest.mark.slow
def test_a_file_with_another_hash_is_refused(house):
    house.lock("0" * 64)
    result = house.run("demo", "0")
    assert result.returncode == 2
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in result.stderr
    assert "hint:" in result.stderr
    house.lock(hashlib.sha256((house.wheels / WHEEL).read_bytes()).hexdigest())
    assert house.run("demo", "0").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "to_group", "code"),
    [
        pytest.param(signal.SIGINT, True, 130, id="ctrl-c"),
        pytest.param(signal.SIGTERM, False, 143, id="sigterm-to-dev.py-alone"),
    ],
)
def test_a_signal_ends_what_runs(made, number, to_group, code):
    process = made.start("demo", "wait")
    assert process.stdout.readline().startswith("ran")
    (os.killpg if to_group else os.kill)(process.pid, number)
    _, talk = process.communicate(timeout=30)
    assert process.returncode == code
    assert f'{made.root / "dev.py"}", line' not in talk, "dev.py itself ended in a traceback"
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.slow
def test_a_killed_installation_is_noticed_and_made_anew(house):
    process = house.start("demo", "0")
    busy = house.root / ".venv" / ".dev" / "busy"
    while not busy.exists():
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    result = house.run("demo", "0")
    assert result.returncode == 0, result.stderr
    assert "interrupted; making it anew" in result.stderr


@pytest.mark.slow
def test_two_runs_at_once_take_turns(house):
    both = [house.start("demo", "0") for _ in range(2)]
    talks = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], talks
    assert sum("locked packages: done" in err for _, err in talks) == 1
    assert sum("waiting for it" in err for _, err in talks) == 1


def test_a_folder_that_is_not_ours_is_left_alone(house):
    (house.root / ".venv").mkdir()
    (house.root / ".venv" / "thesis.txt").write_text("years of work")
    result = house.run("demo", "0")
    assert result.returncode == 2
    assert "move" in result.stderr
    assert (house.root / ".venv" / "thesis.txt").read_text() == "years of work"


@pytest.mark.slow
def test_another_pythons_environment_is_left_alone(house):
    (house.root / ".venv").mkdir()
    (house.root / ".venv" / "pyvenv.cfg").write_text("version = 3.9.1\n")
    result = house.run("demo", "0")
    assert result.returncode == 0, result.stderr
    assert (house.root / f".venv-3.{sys.version_info.minor}" / "bin" / "swarmctl").exists()


WITHOUT_ENSUREPIP = """
import runpy, sys
sys.modules["ensurepip"] = None   # as on Debian without python3-venv: not to be found
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_a_python_without_pip_gets_ours(house):
    """No root and no apt-get: a fresh Debian has Python and git, and that is all."""
    (wheel,) = (ROOT / "tools").glob("pip-*.whl")
    shutil.copy(wheel, house.root / "tools")
    result = house.run("demo", "0", python=("-c", WITHOUT_ENSUREPIP, "dev.py"))
    assert result.returncode == 0, result.stderr
    assert "taking the one in tools/" in result.stderr


def test_a_copy_without_that_pip_is_told_how_to_have_it_again(house):
    result = house.run("demo", "0", python=("-c", WITHOUT_ENSUREPIP, "dev.py"))
    assert result.returncode == 2
    assert "the wheel of pip is not in tools/" in result.stderr
    assert "git checkout" in result.stderr


def test_a_machine_without_git_is_told_so(house, tmp_path):
    result = house.run("demo", "0", PATH=str(tmp_path))
    assert result.returncode == 2
    assert "git is needed" in result.stderr


def test_an_old_python_is_told_of_a_newer_one(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(environment.Trouble, match=r"3\.11 or newer"):
        environment.require_machine()


@pytest.mark.parametrize("path", ["dev.py", "tools/environment.py"])
def test_an_old_python_can_read_so_far_as_to_be_told(path):
    ast.parse(text(ROOT / path), feature_version=(3, 8))


@pytest.mark.parametrize("path", ["dev.py", "tools/environment.py"])
def test_the_standard_library_is_enough(path):
    tops = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(text(ROOT / path)))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert tops <= sys.stdlib_module_names | {"environment"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param([], "required", id="nothing"),
        pytest.param(["demos"], "invalid choice", id="unknown-verb"),
        pytest.param(["check", "--al"], "unknown argument: --al", id="unknown-option"),
        pytest.param(["bench", "nothing-such"], "no such benchmark", id="unknown-benchmark"),
    ],
)
def test_a_wrong_call_is_told_what_is_right(house, arguments, told):
    result = house.run(*arguments)
    assert result.returncode == 2
    assert told in result.stderr
    assert not (house.root / ".venv").exists()


def test_help_names_every_verb(house):
    result = house.run("--help")
    assert result.returncode == 0
    for verb in ("demo", "test", "check", "bench"):
        assert f"dev.py {verb}" in result.stdout
