"""The demo as a new user runs it, judged from outside: git, processes, exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def swarmctl(*arguments, **options):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
    return subprocess.run(
        [sys.executable, "-c", "from swarm.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        **options,
    )


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def processes_of(folder):
    """Command lines of living processes that name the folder, read from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                here = str((entry / "cwd").readlink())
            except OSError:
                continue
            if str(folder) in words or here.startswith(str(folder)):
                found.append(words)
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "here"
    done = swarmctl("demo", "--fast", "--headless", "--folder", str(folder), timeout=380)
    return folder, done


def main_of(folder):
    (clone,) = [path for path in (folder / ".swarm" / "clones").iterdir() if path.is_dir()]
    refs = git(clone, "for-each-ref", "--format=%(refname)").splitlines()
    main = next(ref for ref in refs if ref.endswith("heads/main"))
    return clone, main


def missions_of(folder):
    listed = swarmctl("get", "missions", "-o", "json", "--home", str(folder), timeout=60)
    return json.loads(listed.stdout)["items"]


@pytest.mark.req("GATE-5")
def test_the_demo_ends_as_promised(demo):
    _, done = demo
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as promised" in done.stdout
    assert "DELIVERED" in done.stdout
    assert "ROLLED-BACK" in done.stdout
    assert "waits for you" in done.stdout


@pytest.mark.req("LOOP-8")
def test_main_holds_the_good_change_and_the_bad_one_undone(demo):
    folder, _ = demo
    clone, main = main_of(folder)
    names = git(clone, "ls-tree", "-r", "--name-only", main).splitlines()
    assert "orders/render.py" in names
    assert "import os" not in git(clone, "show", f"{main}:orders/render.py")
    assert "asyncio.sleep" not in git(clone, "show", f"{main}:orders/service.py")
    history = git(clone, "log", "-p", "--format=%H", main, "--", "orders/service.py")
    assert history.count("+        await asyncio.sleep") == 1
    assert history.count("-        await asyncio.sleep") == 1


@pytest.mark.req("MODE-2")
def test_what_waits_for_a_person_did_not_land(demo):
    folder, _ = demo
    clone, main = main_of(folder)
    assert "utcnow" in git(clone, "show", f"{main}:orders/clock.py")


@pytest.mark.req("OWN-1")
def test_the_working_copy_and_the_remote_are_untouched(demo):
    folder, _ = demo
    assert git(folder / "orders", "status", "--porcelain") == ""
    assert git(folder / "orders", "rev-list", "--count", "--all") == "1"
    assert git(folder / "orders.git", "rev-list", "--count", "--all") == "1"


def test_nothing_is_left_running(demo):
    folder, _ = demo
    assert processes_of(folder) == []


@pytest.mark.req("VAL-6")
def test_one_command_says_why_each_happened(demo):
    folder, _ = demo
    missions = missions_of(folder)
    by_class = {m["mission_class"]: m for m in missions if m["mission_kind"] == "deliver"}
    assert by_class["tidiness"]["outcome"] == "delivered"
    assert by_class["speed"]["outcome"] == "rolled-back"
    assert by_class["deprecations"]["outcome"] == "open"
    repairs = [m for m in missions if m["mission_kind"] == "remediate"]
    assert [m["parent"] for m in repairs] == [by_class["speed"]["id"]]
    words = {
        "tidiness": "SloHeld",
        "speed": "slower than",
        "deprecations": "ApprovalNeeded",
    }
    for mission_class, word in words.items():
        said = swarmctl("why", by_class[mission_class]["id"], "--home", str(folder), timeout=60)
        assert said.returncode == 0
        assert word in said.stdout
    verified = swarmctl("audit", "verify", "--home", str(folder), timeout=60)
    assert verified.returncode == 0, verified.stdout


@pytest.mark.req("VAL-6", "OWN-3")
def test_what_happened_outside_kept_its_promises_and_a_doctored_outside_is_told(demo):
    """Last in this file: it changes what the demo left."""
    folder, _ = demo
    held = swarmctl("audit", "verify", "-o", "json", "--home", str(folder), timeout=60)
    assert held.returncode == 0, held.stdout + held.stderr
    told = json.loads(held.stdout)
    assert told["violations"] == []
    assert all(journal["entries"] for journal in told["journals"])
    for rule in ("once", "gates", "freeze", "fence", "rollback", "retries", "mode"):
        assert told["promises"][rule].startswith("kept")
        assert "judged" not in told["promises"][rule]

    clone, main = main_of(folder)
    landed = next(m for m in missions_of(folder) if m["outcome"] == "delivered")
    parent, tree = git(clone, "rev-parse", main), git(clone, "rev-parse", f"{main}^{{tree}}")
    again = ["-p", parent, "-m", "Once more", "-m", f"Swarm-Mission: {landed['id']}", tree]
    author = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    git(clone, "update-ref", main, git(clone, *author, "commit-tree", *again))
    channel = folder / ".swarm" / "logs" / "channel.jsonl"
    messages = channel.read_text().splitlines()
    assert any("rolled back" in message for message in messages)
    channel.write_text(channel.read_text() * 2)
    said = swarmctl("audit", "verify", "--home", str(folder), timeout=60)
    assert said.returncode == 3
    broken = [line for line in said.stdout.splitlines() if line.startswith("broken: ")]
    assert any("gates" in line and "land without an order" in line for line in broken)
    assert any("once" in line and "land of" in line and "after that of" in line for line in broken)
    assert any("rollback" in line and "it is unwatched" in line for line in broken)
    assert sum("once" in line and "notify happened" in line for line in broken) == len(messages)
    assert len(broken) == 3 + len(messages), "\n".join(broken)
