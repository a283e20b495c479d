"""TAB offers kinds, ids with their titles, and names; and never fails or starts anything."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def offered(place, *words):
    """What a shell would be offered for the last word."""
    said = place("__complete", *words)
    assert said.code == 0
    assert said.err == ""
    body = said.out.partition("\x1fbegin\n")[2]
    records = (one.partition("\t") for one in body.splitlines())
    return {value: about for value, _, about in records}


@pytest.fixture
def busy(shop):
    """A shop with a note of a running controller, one waiting mission and one delivered."""
    with shop.working():
        shop.need("drop an unused import", "--path", "src/a.py")
        shop.wait_for("missions", lambda row: row["outcome"] == "delivered")
        shop.need("replace the broken cipher", "--path", "src/tls.py", risk="R2")
        shop.wait_for("approvals", lambda row: row["state"] == "open")
    shop.home.make()
    shop.home.write_note({"pid": 1, "dsn": shop.dsn})
    return shop


@pytest.mark.slow
def test_kinds_names_and_ids_are_offered(busy):
    assert "missions" in offered(busy, "get", "")
    missions = busy("get", "missions", "-o", "json").json["items"]
    assert offered(busy, "describe", "mission", "m-") == {
        row["id"]: f"{row['outcome']} {row['title']}" for row in missions
    }
    assert offered(busy, "freeze", "") == {"shop": ""}


@pytest.mark.slow
def test_approve_offers_what_waits_for_a_person_alone(busy):
    waiting = busy("get", "approvals", "--state", "open", "-o", "json").json["items"]
    assert list(offered(busy, "approve", "")) == [row["mission"] for row in waiting]
    assert list(offered(busy, "mission", "cancel", "")) == [waiting[0]["mission"]]


def test_names_of_the_installation_file_are_offered_without_a_database(place):
    assert offered(place, "agent", "test", "") == {"tidy": "['true']"}
    assert list(offered(place, "need", "add", "x", "--repo", "")) == ["acme/shop"]


def test_with_nothing_running_nothing_is_offered_and_nothing_started(place):
    assert offered(place, "approve", "") == {}
    assert not place.home.state.exists()


def test_a_broken_installation_offers_nothing_and_stays_quiet(place):
    place.home.file.write_text("[broken")
    assert offered(place, "agent", "test", "") == {}


@pytest.mark.fast("bash")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_script_is_printed_for_each_shell(verb, shell):
    said = verb("completion", shell)
    assert said.code == 0
    assert "swarmctl" in said.out
    assert "describe" in said.out


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_a_verb_with_the_script(verb, tmp_path):
    script = tmp_path / "completion.bash"
    script.write_text(verb("completion", "bash").out)
    ask = (
        f"source {script}; COMP_WORDS=(swarmctl desc); COMP_CWORD=1; COMP_LINE='swarmctl desc';"
        " COMP_POINT=13; $(complete -p swarmctl | sed 's/.*-F \\([^ ]*\\).*/\\1/');"
        ' echo "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["describe"], ran.stderr


@pytest.mark.slow
def test_the_console_scripts_are_one_program():
    """`swarmctl` and `kubectl-swarm` are installed side by side and lead to the same tree."""
    beside = Path(sys.executable).parent
    for name in ("swarmctl", "kubectl-swarm"):
        program = beside / name
        if not program.exists():
            pytest.skip("this package is not installed here")
        said = subprocess.run([program, "version"], capture_output=True, text=True, check=True)
        assert said.stdout.startswith("swarmctl ")
