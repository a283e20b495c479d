"""Following what happened, and seeing when somebody changed it afterwards."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from swarm.adapters.local.attest.envelope import open_envelope
from swarm.adapters.local.notary import LocalNotary
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.errors import DatabaseUnavailable
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.seals import PostgresSeals

EXIT_BAD_OUTCOME, EXIT_TIMEOUT, EXIT_INTERRUPTED = 3, 124, 130


@pytest.fixture
def delivered(shop):
    """A shop with one delivered mission."""
    with shop.working():
        shop.need("drop an unused import")
        row = shop.wait_for("missions", lambda row: row["outcome"] == "delivered")
    shop.mission, shop.landed = row["id"], row["landed"]
    return shop


def test_a_long_proof_says_how_far_it_is(place, monkeypatch):
    """A year is a minute or two: that must not look like a proof that hangs."""
    monkeypatch.setattr("swarm.cli.audit.CHAINS_A_WORD", 1)
    place.apply()
    said = place("audit", "verify")
    assert said.code == 0
    assert "1 of 1 chains" in said.err
    assert "chains" not in place("audit", "verify", "--quiet").err


@pytest.mark.slow
@pytest.mark.req("VAL-6")
def test_trace_goes_from_signal_to_outcome_and_proves_it(delivered):
    said = delivered("trace", delivered.mission)
    assert said.code == 0
    kinds = [line.split()[2] for line in said.lines if line[:5].strip().isdigit()]
    assert kinds[0] == "mission.opened"
    assert kinds[-1] == "mission.settled"
    assert "signal  " in said.out
    assert said.lines[-1].endswith("events, unbroken")
    record = delivered("trace", delivered.mission, "-o", "json").json
    assert record["broken"] is None
    assert record["outcome"]["outcome"] == "delivered"
    assert [event["seq"] for event in record["trail"]] == list(range(1, record["events"] + 1))


@pytest.mark.slow
@pytest.mark.req("VAL-6")
def test_trace_takes_the_commit_that_landed(delivered):
    assert delivered("trace", delivered.landed[:16]).lines[0].startswith(delivered.mission)
    assert delivered("trace", f"swarm/{delivered.mission}").lines[0].startswith(delivered.mission)
    assert delivered("trace", "deadbeef").code == 5


@pytest.mark.fast("an-event-was-edited")
@pytest.mark.req("VAL-6")
@pytest.mark.parametrize(
    ("statement", "word"),
    [
        pytest.param(
            "update trail set body = replace(body, 'delivered', 'rejected') where chain = %s"
            " and kind = 'mission.settled'", "edited", id="an-event-was-edited",
        ),
        pytest.param("delete from trail where chain = %s and seq = 2", "removed", id="one-is-gone"),
        pytest.param(
            "update evidence set body = replace(body::text, 'green', 'red')::json"
            " where mission = %s and kind = 'check-ended'", "edited", id="a-fact-was-edited",
        ),
        pytest.param(
            "delete from trail where chain = %s and kind = 'mission.settled'", "cut",
            id="the-end-is-cut",
        ),
    ],
)  # fmt: skip
def test_a_later_change_shows(delivered, statement, word):
    assert delivered("audit", "verify", "-o", "json").json["faults"] == []
    assert delivered.sql(statement, delivered.mission)
    traced = delivered("trace", delivered.mission)
    assert traced.code == EXIT_BAD_OUTCOME
    assert "BROKEN" in traced.lines[-1]
    assert word in traced.lines[-1]
    assert delivered("trace", delivered.mission, "-o", "json").json["broken"]
    audited = delivered("audit", "verify", "-o", "json")
    assert audited.code == EXIT_BAD_OUTCOME
    assert len(audited.json["faults"]) == 1
    assert audited.json["faults"][0]["chain"] == delivered.mission
    assert audited.json["faults"][0]["kind"] == word


@pytest.mark.slow
def test_an_export_holds_every_event_with_its_hash(delivered):
    said = delivered("audit", "export")
    rows = [json.loads(line) for line in said.lines]
    assert len(rows) == delivered.sql("select count(*) from trail")[0][0]
    assert {"chain", "seq", "at", "kind", "actor", "body"} <= set(rows[0])
    assert delivered("audit", "export", "--to", "2020-01-01T00:00:00+00:00").out == ""
    assert delivered("audit", "export", "--from", "2030-01-01T00:00:00+00:00",
                     "--to", "2029-01-01T00:00:00+00:00").code == 2  # fmt: skip
    assert delivered("audit", "--from", "2020-01-01T00:00:00+00:00").out == said.out
    assert "verify" in delivered("audit").out, "without a span its verbs are shown"


def test_a_time_without_a_zone_is_one_in_utc(shop):
    """Beside one with a zone it ended as a fault of this program."""
    whole = shop("audit", "export").out
    assert whole
    begin, end = "2020-01-01", "2099-01-01T00:00:00+00:00"
    assert shop("audit", "export", "--from", begin, "--to", end).out == whole
    said = shop("audit", "export", "--from", end, "--to", begin)
    assert said.code == 2
    assert "--to 2020-01-01 00:00:00+00:00 is not after --from 2099" in said.err


def test_the_history_of_a_deleted_swarm_can_be_exported_and_proven(shop):
    shop("delete", "swarm", "shop", "--reason", "we move")
    rows = [json.loads(line) for line in shop("audit", "export", "-s", "shop").lines]
    assert [row["kind"] for row in rows] == ["swarm.applied", "swarm.deleted"]
    assert shop("audit", "verify", "-s", "default/shop").code == 0
    assert shop("audit", "export", "-s", "elsewhere/shop").code == 5


@pytest.mark.slow
def test_events_are_the_last_ones_oldest_first(delivered):
    rows = delivered("events", "--limit", "5", "-o", "json").json["items"]
    assert len(rows) == 5
    of_one = [row["seq"] for row in rows if row["chain"] == delivered.mission]
    assert of_one == sorted(of_one)
    every = delivered("events", "shop", "--limit", "1000", "-o", "jsonl").lines
    assert len(every) == delivered.sql("select count(*) from trail")[0][0]


@pytest.mark.slow
def test_following_shows_what_happens_next_and_ends_with_ctrl_c(delivered, start):
    command = start("events", "-f", "-o", "jsonl", "--limit", "1")
    first = json.loads(command.stdout.readline())
    assert first["kind"] == "Event"
    delivered("freeze", "--class", "docs", "--reason", "to be seen")
    fresh = json.loads(command.stdout.readline())
    assert fresh["event_kind"] == "freeze.opened"
    assert fresh["body"]["detail"] == "to be seen"
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=20)
    assert command.returncode == EXIT_INTERRUPTED
    assert err == b"interrupted\n"


def unanswered(monkeypatch, where, name, times):
    """The calls of these numbers, from 0, find no database, as while one is started anew."""
    asked, real = iter(range(1_000)), getattr(where, name)

    async def now_and_then(*words, **named):
        if next(asked) in times:
            raise DatabaseUnavailable("connection refused")
        return await real(*words, **named)

    monkeypatch.setattr(where, name, now_and_then)


def test_following_outlives_a_restart_of_the_database(shop, monkeypatch):
    """`kill -9` of the server ended `events -f` with an error, though the controller went on."""
    monkeypatch.setattr("swarm.cli.events.POLL_SECONDS", 0.01)
    unanswered(monkeypatch, Trails, "since", {1, 2, 3})
    real, looks = Trails.since, []

    async def for_a_while(self, swarm, *, after):
        looks.append(after)
        if len(looks) == 6:
            raise KeyboardInterrupt
        return await real(self, swarm, after=after)

    monkeypatch.setattr(Trails, "since", for_a_while)
    said = shop("events", "-f", "-o", "jsonl")
    assert said.code == EXIT_INTERRUPTED
    assert said.err.count("no answer from the database: connection refused; trying again") == 1
    assert len(said.lines) == len(set(said.lines)) > 0


@pytest.mark.slow
def test_waiting_outlives_a_restart_of_the_database_and_keeps_its_deadline(risky, monkeypatch):
    with monkeypatch.context() as patched:
        unanswered(patched, Look, "rows", {0, 1, 2})
        said = risky("wait", risky.mission, "--for", "held", "--timeout", "20s")
    assert said.code == 0
    assert said.err.count("trying again") == 1
    unanswered(monkeypatch, Look, "rows", range(1_000))
    said = risky("wait", risky.mission, "--for", "delivered", "--timeout", "300ms")
    assert said.code == EXIT_TIMEOUT
    assert "is not delivered after 300ms; the database does not answer" in said.err


@pytest.mark.slow
def test_watch_prints_one_line_per_change_when_piped(shop, start):
    command = start("watch")
    assert b"default/shop" in command.stdout.readline()
    with shop.working():
        shop.need("drop an unused import")
        lines = []
        while not lines or b"  delivered  " not in lines[-1]:
            lines.append(command.stdout.readline())
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=20)
    assert command.returncode == EXIT_INTERRUPTED
    assert err == b"interrupted\n"
    assert len(set(lines)) == len(lines), "a line without a change"
    assert any(b"(drop an unused import)" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("watch",), id="watch"),
        pytest.param(("watch", "-o", "jsonl"), id="watch-as-data"),
        pytest.param(("events", "-f", "--limit", "1"), id="events"),
    ],
)
def test_in_a_quiet_swarm_it_ends_when_its_reader_left(shop, start, words):
    command = start(*words)
    assert command.stdout.readline()
    command.stdout.close()
    assert command.wait(timeout=20) == 0
    assert command.stderr.read() == b""


# --- wait ----------------------------------------------------------------------------------------


@pytest.mark.fast("the-state")
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        pytest.param("delivered", 0, id="the-state"),
        pytest.param("ended", 0, id="any-end"),
        pytest.param("failed", EXIT_BAD_OUTCOME, id="another-state"),
        pytest.param("held", EXIT_BAD_OUTCOME, id="held-no-more"),
        pytest.param("gate=2", 0, id="a-gate-by-number"),
        pytest.param("gate=code_quality", 0, id="a-gate-by-name"),
        pytest.param("gate=supply_chain", EXIT_BAD_OUTCOME, id="a-gate-that-nobody-configured"),
        pytest.param("gate=7", 2, id="no-such-gate"),
        pytest.param("sunday", 2, id="no-such-state"),
    ],
)
def test_wait_ends_by_outcome(delivered, wanted, code):
    """The world here signs nothing for a mission without a target, so Gate 4 never passes."""
    delivered.sql("update verdict set configured = false where gate = 'supply_chain'")
    said = delivered("wait", delivered.mission[:10], "--for", wanted)
    assert said.code == code


@pytest.mark.slow
def test_wait_gives_up_in_time_and_says_what_it_stands_at(shop):
    with shop.working():
        shop.need("a dangerous thing", risk="R2")
        question = shop.wait_for("approvals", lambda row: row["state"] == "open")
        said = shop("wait", question["mission"], "--for", "delivered", "--timeout", "300ms")
    assert said.code == EXIT_TIMEOUT
    assert "waiting: ApprovalNeeded" in said.err
    assert "it stands at ApprovalNeeded" in said.err
    assert said.out == ""
    assert shop("wait", question["mission"], "--timeout", "soon").code == 2
    assert shop("wait", "m-nothing").code == 5


@pytest.mark.slow
def test_ctrl_c_ends_the_waiting_alone_and_says_how_to_go_on(risky, start):
    command = start("wait", risky.mission, "--for", "delivered")
    assert b"waiting: ApprovalNeeded" in command.stderr.readline()
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=20)
    assert command.returncode == EXIT_INTERRUPTED
    again = f"`swarmctl wait {risky.mission} --for delivered` waits for it again"
    assert err.decode().splitlines() == [f"the mission goes on; {again}", "interrupted"]


@pytest.fixture
def risky(shop):
    """A shop with one R2 mission whose citation was read again, and a person's yes waited for."""
    with shop.working():
        shop.need("close the leak", risk="R2")
        row = shop.wait_for("missions", lambda row: row["reason"] == "ApprovalNeeded")
    shop.mission = row["id"]
    return shop


@pytest.mark.slow
@pytest.mark.req("LOOP-2")
def test_readings_of_citations_are_in_toto_statements(risky):
    """The record of one fetch in a form that the tools of others read; signed on demand."""
    (line,) = risky("audit", "citations", risky.mission).lines
    said = json.loads(line)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://swarm.proompteng.ai/evidence/v1"
    assert said["subject"][0]["name"] == risky.sql("select citation from citation")[0][0]
    assert said["predicate"]["status"] == "claims"
    assert {"retrievedAt", "trustTier", "excerpts", "fetcher", "flags"} <= set(said["predicate"])
    (sealed,) = risky("audit", "citations", risky.mission, "--signed").lines
    public = load_pem_private_key(
        (risky.home.seals / "seal.key").read_bytes(), password=None
    ).public_key()
    opened = open_envelope(sealed.encode(), [public], [], 1)
    assert json.loads(opened.payload) == said
    assert risky("audit", "citations", "m-none").code == 5


@pytest.mark.slow
def test_the_seals_of_a_shop_are_verified_with_its_trail(delivered):
    """Another history with good hashes is found by the seal, and named by mission and event."""

    async def seal():
        async with Database(delivered.dsn) as database:
            seals = PostgresSeals(database, LocalNotary(delivered.home.seals))
            (swarm,) = await seals.unsealed()
            await seals.seal(swarm)

    asyncio.run(seal())
    assert delivered("audit", "verify", "-o", "json").json["seals"] == 1
    key, known = delivered.home.seals / "seal.key", delivered.home.folder / "known.pub"
    key.with_name("seal.key.pub").rename(known)
    key.unlink()  # as another installation on the same database sees it
    strange = delivered("audit", "verify")
    assert strange.code == EXIT_BAD_OUTCOME
    assert "unproven: seals of" in strange.out
    assert "broken" not in strange.out
    assert ".swarm/seals/seal.key.pub" in strange.err
    with delivered.home.file.open("a") as settings:
        settings.write('\n[seals]\nkeys = ["known.pub"]\n')
    assert delivered("audit", "verify").code == 0
    delivered.sql("update seal set body = replace(body, '\"heads\":', '\"head\":')")
    found = delivered("audit", "verify", "-o", "json")
    assert found.code == EXIT_BAD_OUTCOME
    (fault,) = found.json["faults"]
    assert (fault["seq"], fault["kind"]) == (1, "unsigned")


@pytest.mark.slow
@pytest.mark.req("VAL-6")
def test_a_landing_that_no_main_here_has_is_not_taken_for_one_that_was_kept(delivered):
    """Here main is a world in memory: no private clone has what the log says landed."""
    said = delivered("audit", "verify")
    assert said.code == EXIT_BAD_OUTCOME
    told = f"unread: lacks 1 landing of which the log tells, such as {delivered.landed[:12]}"
    assert f"outside: main of acme/shop: {told} of {delivered.mission}" in said.out
    # Where another installation works on the same database, it may lie with that one.
    with delivered.home.file.open("a") as settings:
        settings.write('\n[seals]\nkeys = ["known.pub"]\n')
    elsewhere = delivered("audit", "verify", "-o", "json")
    assert "1 could not be judged" in elsewhere.json["promises"]["gates"]
    assert not [one for one in elsewhere.json["journals"] if one["unread"]]
