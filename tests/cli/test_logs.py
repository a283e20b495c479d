"""What agents and checks printed: from the jobs' folders, and from evidence once they are gone."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.local.process.folder import JobFolder, lock_handle
from swarm.runtime.job_output import Tail, starts

LINT = "{mission}/check/abc123/lint"


def job(place, room, key, out="", err="", *, ended=True, minutes=0):
    """A job as its supervisor leaves it; returns the folder of its only start."""
    folder = JobFolder(place.home.jobs / room / "jobs", key)
    folder.create()
    start = folder.fresh(1)
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    (start / "supervisor.json").write_text(json.dumps({"pid": 1, "at": at.isoformat()}))
    (start / "stdout").write_text(out)
    (start / "stderr").write_text(err)
    if ended:
        result = {"ended": "exited", "exit_code": 0, "started_at": at.isoformat(),
                  "ended_at": at.isoformat(), "seconds": 1.5}  # fmt: skip
        (start / "result.json").write_text(json.dumps(result))
    return start


@pytest.fixture
def mission(shop):
    """A delivered mission's id; its jobs are what the tests lay down."""
    with shop.working():
        shop.need("drop an unused import")
        return shop.wait_for("missions", lambda row: row["outcome"] == "delivered")["id"]


@pytest.mark.slow
def test_output_is_printed_in_order_with_where_it_came_from(shop, mission):
    job(shop, "runs", f"{mission}-run-0", out="I changed a.py\n", err="warming up\n")
    job(shop, "checks", LINT.format(mission=mission), out="all green", minutes=1)
    job(shop, "runs", "m-other-run-0", out="not this one\n")
    job(shop, "checks", "base/lint/x/y", out="nor this\n")
    said = shop("logs", mission[:10])
    assert said.code == 0
    heads = [line for line in said.lines if line.startswith("==>")]
    assert [head[4:].split(",")[0].split(":")[0] for head in heads] == [
        "run 0", "run 0", "run 0", "check lint", "check lint",
    ]  # fmt: skip
    assert "I changed a.py" in said.lines
    assert "all green" in said.lines
    assert "==> run 0: exited 0 after 1.5 s <==" in said.lines
    assert "not this one" not in said.out
    assert "nor this" not in said.out


@pytest.mark.slow
def test_one_run_or_one_check_alone(shop, mission):
    job(shop, "runs", f"{mission}-run-0", out="first\n")
    job(shop, "runs", f"{mission}-run-1", out="repair\n")
    job(shop, "checks", LINT.format(mission=mission), out="green\n")
    assert "repair" in shop("logs", mission, "--run", "1").out
    assert "first" not in shop("logs", mission, "--run", "1").out
    only = [json.loads(one) for one in shop("logs", mission, "--check", "lint", "-o",
                                            "jsonl").lines]  # fmt: skip
    assert [(one["name"], one["stream"], one["text"]) for one in only] == [
        ("check lint", "stdout", "green")
    ]


@pytest.mark.slow
def test_nothing_printed_is_obeyed_and_no_secret_is_shown(shop, mission):
    token = "ghp_" + "a" * 36
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"
    job(shop, "runs", f"{mission}-run-0", out=f"\x1b[2Jcleared \u202e\n{token}\n{key}\nlast\n")
    said = shop("logs", mission)
    assert not set(said.out) & set("\x1b\u202e")
    assert token not in said.out
    assert "b3BlbnNzaC1rZXk" not in said.out
    assert "last" in said.lines


@pytest.mark.slow
def test_what_is_gone_is_told_from_the_evidence(shop, mission):
    said = shop("logs", mission)
    assert "from the evidence" in said.out
    assert "seen" in said.lines


def test_a_mission_that_printed_nothing_says_why(shop, mission):
    """It is open, and what it waits for is all that there is to tell."""
    shop.sql("update mission set ended_at = null, standing = jsonb_set(standing::jsonb, '{reason}',"
             " '\"RunPending\"')")  # fmt: skip
    shop.sql("delete from outcome")
    shop.sql("delete from evidence")
    said = shop("logs", mission)
    assert said.out == ""
    assert "has printed nothing here yet. RunPending: " in said.err


@pytest.mark.slow
def test_following_shows_new_lines_and_ends_with_the_mission(shop, mission, start):
    shop.sql("update mission set ended_at = null where id = %s", mission)
    shop.sql("create table kept as select * from outcome")
    shop.sql("delete from outcome")
    folder = job(shop, "runs", f"{mission}-run-0", out="one\n", ended=False)
    held = lock_handle(folder / "alive")
    assert held is not None
    command = start("logs", mission, "-f")
    assert b"run 0, stdout" in command.stdout.readline()
    assert command.stdout.readline() == b"one\n"
    with (folder / "stdout").open("a") as out:
        out.write("two\nhalf a li")
        out.flush()
        assert command.stdout.readline() == b"two\n"
        out.write("ne\n")
    assert command.stdout.readline() == b"half a line\n"
    at = datetime.now(UTC).isoformat()
    (folder / "result.json").write_text(json.dumps(
        {"ended": "timed-out", "started_at": at, "ended_at": at, "seconds": 9.0}))  # fmt: skip
    assert command.stdout.readline() == b"==> run 0: timed-out after 9.0 s <==\n"
    shop.sql("insert into outcome select * from kept")
    shop.sql("update mission set ended_at = now() where id = %s", mission)
    assert command.wait(20) == 0


def test_a_key_in_the_middle_is_never_told_from_base64(tmp_path):
    """Half a key that is printed now must not be shown because its end comes later."""
    path = tmp_path / "stdout"
    path.write_text("hello\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n")
    tail = Tail(path)
    assert tail.lines(to_the_end=False) == ["hello"]
    with path.open("a") as out:
        out.write("IBAAKC\n-----END RSA PRIVATE KEY-----\nbye\n")
    found = tail.lines(to_the_end=False)
    assert found[-1] == "bye"
    assert not any("MIIE" in line or "IBAA" in line for line in found)
    path.write_text("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n")
    assert "MIIEow" not in "\n".join(Tail(path).lines(to_the_end=True))


def test_reading_while_a_job_appears_is_safe(place):
    """Folders come and go under the reader's feet."""
    place.home.make()
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            start = job(place, "runs", "m-1-run-0", out="x\n")
            (start.parent / "key").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(50):
            assert {one.what for one in starts(place.home.jobs, "m-1")} <= {"run 0"}
    finally:
        stop.set()
        thread.join()
