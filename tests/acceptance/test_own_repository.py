"""`init` and `up` in repositories that Swarm has never seen, each in a different state."""

import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CLEAN = "def add(a, b):\n    return a + b\n"
UNTIDY = f"import os\n\n\n{CLEAN}"
TEST = (
    "import unittest\n\nfrom app.calc import add\n\n\nclass Calc(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(1, 2), {total})\n"
)


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "safe.directory=*",
         "-c", "protocol.file.allow=always", "-C", str(folder), *arguments],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def swarmctl(folder, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
    return subprocess.run(
        [sys.executable, "-P", "-c", "from swarm.cli import main; main()", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def repository(tmp_path):
    """A committed Python repository with one lint finding, a test, and a remote."""
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "app").mkdir()
    (folder / "tests").mkdir()
    (folder / "app" / "__init__.py").touch()
    (folder / "tests" / "__init__.py").touch()
    (folder / "app" / "calc.py").write_text(UNTIDY)
    (folder / "tests" / "test_calc.py").write_text(TEST.format(total=3))
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(folder, "remote", "add", "origin", str(remote))
    commit(folder)
    git(folder, "push", "-q", "origin", "trunk")
    yield folder
    swarmctl(folder, "down")


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "state")


def listed(folder, kind):
    shown = swarmctl(folder, "get", kind, "-o", "json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)["items"]


def until(folder, kind, ready, seconds=100):
    deadline = time.monotonic() + seconds
    while True:
        rows = listed(folder, kind)
        if ready(rows):
            return rows
        if time.monotonic() > deadline:
            raise AssertionError(f"{kind} after {seconds} s: {rows}")


def begin(folder):
    made = swarmctl(folder, "init")
    assert made.returncode == 0, made.stderr
    up = swarmctl(folder, "up")
    assert up.returncode == 0, up.stderr
    return made


@pytest.mark.req("LOOP-3")
def test_a_finding_becomes_a_cited_need_and_a_merged_change(repository):
    before = git(repository, "rev-parse", "HEAD")
    begin(repository)
    (mission,) = until(
        repository, "missions", lambda rows: [r for r in rows if r["outcome"] != "open"]
    )
    assert mission["outcome"] == "delivered", mission
    assert "it has no deployment target" in mission["detail"], "nobody saw it serve"
    looked = swarmctl(repository, "doctor")
    assert looked.returncode == 0, looked.stdout
    assert "never started" not in looked.stdout, "as root the data may lie elsewhere"
    (need,) = listed(repository, "needs")
    said = swarmctl(repository, "why", need["id"])
    assert "app/calc.py:1@" in said.stdout
    assert git(repository, "rev-parse", "HEAD") == before
    assert git(repository, "status", "--porcelain", "--untracked-files=no") == ""
    assert git(repository.parent / "remote.git", "rev-parse", "trunk") == before
    (clone,) = [path for path in (repository / ".swarm" / "clones").iterdir() if path.is_dir()]
    assert "import os" not in git(clone, "show", "trunk:app/calc.py")


def test_a_finding_that_no_linter_can_repair_fails_nothing_and_freezes_nothing(repository):
    """What a package hands on is unused in its `__init__`, and ruff leaves that alone."""
    (repository / "app" / "calc.py").write_text(CLEAN)
    (repository / "app" / "__init__.py").write_text("from app.calc import total\n")
    commit(repository)
    begin(repository)
    (need,) = until(repository, "needs", lambda rows: rows)
    deadline = time.monotonic() + 100
    while "no agent takes class" not in (why := swarmctl(repository, "why", need["id"]).stdout):
        assert time.monotonic() < deadline, why
    assert "app/__init__.py:1@" in why
    assert listed(repository, "missions") == listed(repository, "freezes") == []


def test_a_repository_without_findings_says_that_there_is_nothing_to_do(repository):
    (repository / "app" / "calc.py").write_text(CLEAN)
    commit(repository)
    begin(repository)
    until(repository, "swarms", lambda rows: rows and rows[0]["status"].get("phase") == "Idle")
    empty = swarmctl(repository, "get", "needs")
    assert empty.returncode == 0
    assert "No needs" in empty.stderr


def test_a_repository_with_a_module_of_a_known_name_is_not_run(repository):
    """Python looks into the working folder first, unless it is told not to."""
    (repository / "json.py").write_text("raise RuntimeError('imported from the repository')\n")
    commit(repository)
    begin(repository)
    assert not list(repository.rglob("__pycache__"))


def test_a_controller_whose_folder_is_removed_ends(repository):
    """`git clean -fdx` does it: nobody found that one any more, and `up` began another beside."""
    begin(repository)
    state = repository / ".swarm"
    note = json.loads((state / "controller.json").read_text())
    controller = os.pidfd_open(note["pid"])
    while state.exists():  # the controller writes meanwhile, and a folder that fills stays
        shutil.rmtree(state, ignore_errors=True)
    assert select.select([controller], [], [], 60)[0]
    os.close(controller)
    again = swarmctl(repository, "up")
    assert again.returncode == 0, again.stderr


def test_who_interrupts_the_start_has_started_nothing(repository):
    """Else the next `up` is refused because of a controller that nobody was told of."""
    assert swarmctl(repository, "init").returncode == 0
    begun = repository / ".swarm" / "controller.lock"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", "from swarm.cli import main; main()", "up"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stderr=subprocess.PIPE,
        text=True,
    ) as starting:
        deadline = time.monotonic() + 60
        while not begun.exists():
            assert time.monotonic() < deadline
        starting.send_signal(signal.SIGINT)
        assert "interrupted" in starting.communicate(timeout=60)[1]
    assert starting.returncode == 130
    assert swarmctl(repository, "down").stdout.startswith("nothing")
    assert swarmctl(repository, "up").returncode == 0


def test_down_ends_a_controller_that_is_still_starting(repository):
    """Else it says that nothing runs, and a moment later something does."""
    assert swarmctl(repository, "init").returncode == 0
    begun = repository / ".swarm" / "controller.starting"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", "from swarm.cli import main; main()", "up"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as starting:
        deadline = time.monotonic() + 60
        while not begun.exists() or not begun.read_text():
            assert time.monotonic() < deadline
        second = swarmctl(repository, "up")
        assert (second.returncode, "is starting" in second.stderr) == (7, True), second.stderr
        assert swarmctl(repository, "down").stdout.startswith("stopped")
        assert "it was stopped while it started" in starting.communicate(timeout=60)[1]
    assert starting.returncode == 1
    assert not begun.exists()
    assert swarmctl(repository, "down").stdout.startswith("nothing")


def test_a_dirty_tree_is_told_and_never_touched(repository):
    (repository / "app" / "calc.py").write_text(f"{UNTIDY}# half a thought\n")
    made = begin(repository)
    assert "uncommitted changes" in made.stderr
    until(repository, "missions", lambda rows: [r for r in rows if r["outcome"] == "delivered"])
    assert (repository / "app" / "calc.py").read_text().endswith("# half a thought\n")


def test_a_failing_main_is_named_and_no_attempt_is_burned(repository):
    (repository / "tests" / "test_calc.py").write_text(TEST.format(total=4))
    commit(repository)
    begin(repository)
    (mission,) = until(
        repository, "missions", lambda rows: [r for r in rows if r["outcome"] != "open"]
    )
    assert (mission["outcome"], mission["reason"], mission["attempts"]) == (
        "failed",
        "MainIsRed",
        1,
    )
    assert listed(repository, "freezes") == []


def test_without_checks_everything_waits_for_a_person(repository):
    made = swarmctl(repository, "init")
    assert made.returncode == 0
    manifest = repository / "swarm.yaml"
    text = manifest.read_text()
    line = next(line for line in text.splitlines() if "requiredChecks" in line)
    manifest.write_text(text.replace(line, "    requiredChecks: []"))
    assert swarmctl(repository, "up").returncode == 0
    (mission,) = until(
        repository, "missions", lambda rows: [r for r in rows if r["reason"] == "ApprovalNeeded"]
    )
    assert "no check is required" in mission["detail"]
    page = swarmctl(repository, "describe", "mission", mission["id"]).stdout
    (read,) = [line.partition("read it: ")[2] for line in page.splitlines() if "read it: " in line]
    told = subprocess.run(shlex.split(read), capture_output=True, text=True, check=True).stdout
    assert "-import os" in told, "who is asked to approve can read what"


def test_a_submodule_and_a_huge_file_are_in_nobodys_way(repository, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q", "-b", "main")
    git(inner, "commit", "-q", "--allow-empty", "-m", "inner")
    git(repository, "submodule", "add", "-q", str(inner), "vendor/inner")
    (repository / "huge.bin").write_bytes(os.urandom(1024) * 60_000)
    commit(repository)
    made = begin(repository)
    assert "submodules" in made.stderr
    missions = until(
        repository, "missions", lambda rows: [r for r in rows if r["outcome"] != "open"]
    )
    assert missions[0]["outcome"] == "delivered", missions


def test_a_detached_head_is_told_with_its_remedy(repository):
    git(repository, "checkout", "-q", "--detach")
    made = swarmctl(repository, "init")
    assert made.returncode == 0
    assert "HEAD is detached" in made.stderr
    assert "branch" in made.stderr
    up = swarmctl(repository, "up")
    assert up.returncode == 0
    assert "but it cannot follow" in up.stderr
    assert "is on no branch" in up.stderr
    assert "check a branch out" in up.stderr
    assert listed(repository, "missions") == []


def test_a_repository_without_a_commit_is_told_to_make_one(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "calc.py").write_text(UNTIDY)
    made = swarmctl(tmp_path, "init")
    assert made.returncode == 5
    assert "has no commit yet" in made.stderr
    assert "git commit" in made.stderr
    assert not (tmp_path / "swarm.toml").exists()


def test_a_bare_repository_is_told_to_be_cloned(tmp_path):
    git(tmp_path, "init", "-q", "--bare")
    made = swarmctl(tmp_path, "init")
    assert made.returncode == 5
    assert "is a bare repository" in made.stderr
    assert "git clone" in made.stderr


def test_a_repository_of_another_account_is_told_to_be_trusted(repository):
    """As in a container whose files somebody mounted; git calls it dubious, and so may they."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in (repository, repository / ".git"):
        os.chown(path, 1, 1)
    made = swarmctl(repository, "init")
    assert made.returncode == 5
    assert "belongs to another account" in made.stderr
    assert "safe.directory" in made.stderr


@pytest.mark.parametrize("name", ["n", "on", "12", "1e3", "null", "ü", "-", "a b: c #d"])
def test_a_folder_of_any_name_gives_a_manifest_that_is_taken(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    git(folder, "init", "-q")
    commit(folder)
    assert swarmctl(folder, "init").returncode == 0
    taken = swarmctl(folder, "validate", "-f", "swarm.yaml")
    assert taken.returncode == 0, taken.stderr


def test_outside_a_repository_init_names_the_way_in(tmp_path):
    made = swarmctl(tmp_path, "init")
    assert made.returncode == 5
    assert "not inside a git repository" in made.stderr
    assert "fix:" in made.stderr
