"""What a shell, a service manager or an old locale puts around a verb changes no answer."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
def test_a_verb_works_with_its_standard_streams_closed(start, closed):
    def close():
        for number in closed:
            os.close(number)

    ran = start("version", preexec_fn=close)
    assert ran.communicate() == (b"", b"")
    assert ran.returncode == 0


def test_a_full_disk_is_named_with_what_mends_it(start):
    with Path("/dev/full").open("wb") as full:
        ran = start("version", preexec_fn=lambda: os.dup2(full.fileno(), 1))
        _, err = ran.communicate()
    assert ran.returncode == 1
    assert b"No space left on device\nfix:  Free space" in err


def test_names_are_utf8_in_a_locale_of_another_encoding(start):
    """As git has them; else every file with an umlaut looks as if an agent had touched it."""
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = start("explain", "größe".encode(), env=old)
    _, err = ran.communicate()
    assert "there is no field, code or reason 'größe'" in err.decode()


def test_the_exit_codes_of_others_are_heard_where_the_caller_ignored_those_of_its_children(
    start, tmp_path
):
    """Else every git call ends with 255, and every one that refuses with 0."""
    ran = start("init", tmp_path, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    _, err = ran.communicate()
    assert "is not inside a git repository" in err.decode()


def git(*arguments):
    subprocess.run(("git", *arguments), check=True, capture_output=True)


def committed(repo):
    """A repository with one file and one commit."""
    git("init", "-q", repo)
    (repo / "a.py").write_text("A = 1\n")
    git("-C", repo, "add", ".")
    who = ("-c", "user.name=ann", "-c", "user.email=ann@localhost")
    git("-C", repo, *who, "commit", "-qm", "first")
    return repo


def test_a_repository_is_looked_at_wherever_a_hook_of_another_points(start, tmp_path):
    empty = tmp_path / "empty"
    git("init", "-q", empty)
    repo = committed(tmp_path / "repo")
    ran = start("init", repo, env={"GIT_DIR": str(empty / ".git")})
    _, err = ran.communicate()
    assert ran.returncode == 0, err.decode()
    assert (repo / "swarm.toml").is_file()


@pytest.mark.parametrize("name", ["swarm.toml", "swarm.yaml"])
def test_a_link_in_place_of_a_first_file_is_not_followed(start, tmp_path, name):
    repo = committed(tmp_path / "repo")
    elsewhere = tmp_path / "elsewhere"
    (repo / name).symlink_to(elsewhere)
    ran = start("init", repo)
    _, err = ran.communicate()
    assert ran.returncode == 7
    assert f"{name} is there already" in err.decode()
    assert not elsewhere.exists()
    elsewhere.write_text("mine\n")
    ran = start("init", repo, "--force")
    _, err = ran.communicate()
    assert ran.returncode == 0, err.decode()
    assert elsewhere.read_text() == "mine\n"
    assert not (repo / name).is_symlink()


def test_state_that_an_unknown_repository_brings_is_taken_for_ours_only_when_one_says_so(
    start, tmp_path
):
    repo = committed(tmp_path / "repo")
    brought = repo / ".swarm" / "controller.json"
    brought.parent.mkdir()
    brought.write_text('{"dsn": "host=192.0.2.1"}')
    ran = start("init", repo)
    _, err = ran.communicate()
    assert ran.returncode == 7
    assert ".swarm is there already" in err.decode()
    assert "else move it" in err.decode()
    assert not (repo / "swarm.toml").exists()
    ran = start("init", repo, "--force")
    _, err = ran.communicate()
    assert ran.returncode == 0, err.decode()
    assert brought.exists()


@pytest.mark.parametrize("more", [(), ("--force",)])
def test_a_link_in_place_of_the_state_is_neither_followed_nor_removed(start, tmp_path, more):
    """It may be the repository's, and it may be somebody's own way to a larger disk."""
    repo = committed(tmp_path / "repo")
    (repo / ".swarm").symlink_to(tmp_path / "elsewhere")
    ran = start("init", repo, *more)
    _, err = ran.communicate()
    assert ran.returncode == 7
    assert ".swarm is a link" in err.decode()
    assert (repo / ".swarm").is_symlink()
    assert not (tmp_path / "elsewhere").exists()
    assert not (repo / "swarm.toml").exists()


def test_looking_at_a_repository_writes_nothing_of_it(start, tmp_path):
    """Not its index either: by root, it would be root's from then on."""
    repo = committed(tmp_path / "repo")
    os.utime(repo / "a.py", (1, 1))
    before = (repo / ".git" / "index").read_bytes()
    ran = start("init", repo)
    _, err = ran.communicate()
    assert ran.returncode == 0, err.decode()
    assert (repo / ".git" / "index").read_bytes() == before
