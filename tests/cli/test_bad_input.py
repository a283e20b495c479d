"""Every verb against words that make no sense: an exit code, a named fault, a fix, no traceback."""

from __future__ import annotations

import pytest

LONG = "m-" + "f" * 100_000

#: (words, exit code, what the message names)
BAD = [
    (("get", "nonsense"), 2, "there is no kind 'nonsense'. There are: swarms, "),
    (("get", "missions", "m-nothing"), 5, "no mission whose name begins with 'm-nothing'"),
    (("get", "missions", LONG), 5, "no mission"),
    (("get", "missions", "--limit", "0"), 2, "--limit is 0"),
    (("get", "missions", "--limit", "99999999999999999999"), 2, "--limit is 99999999999999999999"),
    (("get", "missions", "--limit", "many"), 2, "many"),
    (("get", "missions", "--limit", "1.5"), 2, "'1.5' is no whole number"),
    (("capital", "look", "m", "--regime", "trend", "--at", "299.5"), 2, "'299.5' is no whole"),
    (("regime", "month", "--days", "0x10"), 2, "'0x10' is no whole number"),
    (("regime", "month", "--days", "-1"), 2, "--days is -1"),
    (("regime", "month", "--days", "9" * 30), 2, "1 to 250 is wanted"),
    (("regime", "month", "--seed", "-1"), 2, "--seed is -1"),
    (("regime", "month", "--days", "9" * 5_000), 2, "--days"),
    (("get", "missions", "--state", "opne"), 2, "never in a state 'opne'"),
    (("get", "swarms", "--state", "open"), 2, "it has none"),
    (("get", "missions", "-s", "nowhere"), 5, "there is no Swarm 'nowhere'"),
    (("get", "missions", "a", "b"), 2, "b"),
    (("get", "-o"), 2, "-o"),
    (("describe",), 2, "KIND"),
    (("describe", "mission"), 2, "which mission?"),
    (("describe", "mission", "m-nothing"), 5, "m-nothing"),
    (("describe", "need", "n-nothing"), 5, "n-nothing"),
    (("describe", "freeze", "f-nothing"), 5, "f-nothing"),
    (("describe", "swarm", "nowhere"), 5, "nowhere"),
    (("describe", "run", "m-x-run-0"), 5, "m-x-run-0"),
    (("describe", "spaceship", "x"), 2, "spaceship"),
    (("why", "m-nothing"), 5, "m-nothing"),
    (("why", "n-nothing"), 5, "n-nothing"),
    (("why", LONG), 5, "no mission"),
    (("trace", "m-nothing"), 5, "m-nothing"),
    (("trace", "abc"), 5, "abc"),
    (("trace",), 2, "WHAT"),
    (("logs", "m-nothing"), 5, "m-nothing"),
    (("logs", "m-x", "--run", "one"), 2, "one"),
    (("wait", "m-nothing"), 5, "m-nothing"),
    (("wait", "m-x", "--timeout", "-5m"), 2, "--timeout"),
    (("wait", "m-x", "--for", "gate=" + "9" * 5_000), 2, "or gate=1 to gate=6"),
    (("watch", "nowhere"), 5, "nowhere"),
    (("events", "nowhere"), 5, "nowhere"),
    (("events", "--limit", "-1"), 2, "--limit is -1"),
    (("approve",), 2, "MISSION"),
    (("approve", "m-nothing", "--reason", "x"), 5, "m-nothing"),
    (("reject", "m-nothing", "--reason", "x"), 5, "m-nothing"),
    (("reject", "n-nothing", "--reason", "x"), 5, "n-nothing"),
    (("freeze",), 2, "--reason"),
    (("freeze", "--reason", "x", "--for", "1 fortnight"), 2, "--for '1 fortnight'"),
    (("freeze", "--reason", "x", "--for", "999999h"), 2, "days"),
    (("freeze", "--reason", "x", "--for", "0s"), 2, "no time at all"),
    (("freeze", "nowhere", "--reason", "x"), 5, "nowhere"),
    (("freeze", "--reason", "x", "--class", ""), 2, "--class ''"),
    (("freeze", "--reason", "x", "--class", "\x1b[2J"), 2, "use a-z, 0-9 and dashes"),
    (("freeze", "--reason", "x", "--class", "x" * 5_000), 2, "at most 63"),
    (("freeze", "--reason", "x" * 3_000), 1, "3000 characters"),
    (("resume", "--reason", "x"), 5, "no freeze is open"),
    (("resume", "f-nothing", "--reason", "x"), 5, "f-nothing"),
    (("mission",), 0, ""),
    (("mission", "explode", "m-1"), 2, "there is no command `mission explode`"),
    (("mission", "cancel", "m-nothing", "--reason", "x"), 5, "m-nothing"),
    (("mission", "promote", "m-nothing", "--reason", "x"), 5, "m-nothing"),
    (("need", "add", "x", "--repo", "r"), 2, "--cite"),
    (("need", "add", "x", "--repo", "r", "--cite", "a", "--risk", "R9"), 2, "--risk 'R9'"),
    (("need", "add", "x", "--repo", "r", "--cite", "a", "--value", "nan"), 2, "--value is nan"),
    (("need", "add", "x", "--repo", "r", "--cite", "a", "--value", "-1"), 2, "--value is -1"),
    (("need", "add", "x", "--repo", "r", "--cite", "a", "--class", "A B"), 2, "--class 'A B'"),
    (("need", "add", " ", "--repo", "r", "--cite", "a"), 2, "a title has 1 to"),
    (("need", "add", "x" * 400, "--repo", "r", "--cite", "a"), 2, "a title has 1 to"),
    (("need", "add", "a\x1bb", "--repo", "r", "--cite", "a"), 2, "invisible characters"),
    (("need", "add", "x", "--repo", "r", "--cite", "a\u202eb"), 2, "invisible characters"),
    (("need", "add", "x", "--repo", "r", "--cite", " "), 2, "--cite is empty"),
    (("need", "add", "x", "--repo", "r", "--empty-cite"), 2, "--empty-cite"),
    (("need", "add", "x", "--repo", "r", "--cite", "http://[x"), 2, "'http://[x' is no URL"),
    (("need", "add", "x", "--repo", "r", "--cite", "a", "--path", ""), 2, "outside the repository"),
    (("need", "add", "x", "--repo", "r", "--cite", "a", "--path", "../a"), 2, "'../a' is outside"),
    (("need", "add", "x", "--repo", "r", "--cite", "a", "--path", LONG), 2, "--path: holds"),
    (("need", "reject", "n-nothing", "--reason", "x"), 5, "n-nothing"),
    (("shadow", "start", "nowhere"), 5, "nowhere"),
    (("budget", "--top", "0"), 2, "--top is 0"),
    (("budget", "top", "--limit", "0"), 2, "--limit is 0"),
    (("budget", "tpo"), 2, "tpo"),
    (("mission", "start", "n-nothing", "--reason", "x"), 5, "n-nothing"),
    (("mission", "start", "n-1"), 2, "--reason"),
    (("mission", "start", "n-1", "--reason", "x", "--timeout", "soon"), 2, "--timeout 'soon'"),
    (("audit", "--from", "yesterday"), 2, "yesterday"),
    (("get", "agents"), 2, "`swarmctl agent list` shows them"),
    (("get", "--progress=live"), 2, "--progress=live"),
    (("report", "--since", "yesterday"), 2, "--since 'yesterday'"),
    (("audit", "export", "--from", "yesterday"), 2, "yesterday"),
    (("audit", "verify", "-s", "nowhere"), 5, "nowhere"),
    (("source", "test", "nothing"), 5, "no source 'nothing' is bound"),
    (("source", "explode"), 2, "source explode"),
    (("agent", "test", "nothing"), 5, "no agent 'nothing' is bound"),
    (("agent", "test", "tidy", "--repo", "nothing"), 5, "no repository 'nothing' is bound"),
    (("agent", "test", "tidy", "--goal", " "), 2, "--goal is empty"),
    (("explain",), 2, "give a field"),
    (("explain", "SWM999"), 5, "SWM999"),
    (("explain", "spec.nothing"), 5, "spec.nothing"),
    (("explain", "Nonsense"), 5, "'Nonsense'"),
    (("completion", "tcsh"), 2, "tcsh"),
    (("delete", "swarm"), 2, "NAME"),
    (("delete", "swarm", "here", "now"), 2, "`swarmctl delete` does not take 'now'"),
    (("need", "add", "a title"), 2, "`swarmctl need add --help`"),
    (("delete", "need", "n-1"), 2, "cannot delete 'need'"),
    (("apply",), 2, "--file"),
    (("down", "--bogus"), 2, "--bogus"),
    (("up", "--bogus"), 2, "--bogus"),
    (("init", "/nonexistent/folder"), 5, "/nonexistent/folder"),
    (("doctor", "extra"), 2, "extra"),
    (("version", "-o", "xml"), 2, "xml"),
    (("crd", "--bogus"), 2, "--bogus"),
]


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [pytest.param(*row, id=" ".join(row[0])[:60].replace("\x1b", "ESC")) for row in BAD],
)
def test_bad_input_is_refused_by_name(lasting_shop, words, code, named):
    said = lasting_shop(*words)
    assert said.code == code, said.err
    if not code:
        return
    told = said.err.splitlines()
    assert said.out == ""
    assert told[0].startswith("error SWM")
    assert named in said.err
    assert any(line.startswith("fix:  ") for line in told)
    assert told[-1] == f"more: swarmctl explain {told[0].split()[1][:-1]}"
    assert "Traceback" not in said.err
    assert len(said.err) < 3_000, "a wrong word is quoted, not repeated"


def test_several_swarms_have_to_be_named(shop):
    other = shop.manifest().replace('"name": "shop"', '"name": "bank"')
    shop("apply", "-f", "-", given=other)
    for words in (("why",), ("freeze", "--reason", "x"), ("describe", "swarm"), ("report",)):
        said = shop(*words)
        assert said.code == 2
        assert "default/bank, default/shop" in said.err
    assert shop("why", "bank").code == 0
    assert shop("why", "default/bank").code == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("[loop]\nmax_mission = 3\n", "max_mission", id="unknown-field"),
        pytest.param("[loop\n", "swarm.toml", id="not-toml"),
        pytest.param("[risk]\nauto_execute = ['R9']\n", "risk.auto_execute", id="no-such-risk"),
    ],
)
def test_a_bad_installation_file_is_refused_by_field(shop, text, named):
    shop.home.file.write_text(text)
    for words in (("approve", "m-1", "--reason", "x"), ("agent", "list"), ("source", "list")):
        said = shop(*words)
        assert said.code == 1
        assert named in said.err


def test_a_database_that_does_not_answer_is_told_as_such(place):
    place.use("host=/nonexistent port=5432 user=swarm dbname=postgres")
    said = place("get", "missions")
    assert said.code == 1
    assert "error SWM314" in said.err
    assert "Traceback" not in said.err


def test_a_schema_that_needs_a_newer_program_is_refused_beside_a_controller_too(shop):
    """Its controller may be of a newer release than the command in another environment."""
    shop.home.make()
    shop.home.write_note({"dsn": shop.dsn})
    assert shop("freeze", "--reason", "x").code == 0
    shop.sql("insert into migration select 99, '0099_contract', 99, sha256, now(), 1"
             " from migration where version = 1")  # fmt: skip
    said = shop("freeze", "--reason", "x")
    assert said.code == 1
    assert "error SWM323: the database has 0099_contract, which needs" in said.err


@pytest.mark.slow
def test_a_folder_without_rights_is_named(place, monkeypatch, tmp_path):
    def locked(self, *_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.write_text", locked)
    said = place("completion", "bash")
    assert said.code == 0
    monkeypatch.setattr("swarm.cli.completion.emit", lambda _: locked(tmp_path / "x"))
    said = place("completion", "bash")
    assert said.code == 1
    assert f"{tmp_path}/x: Permission denied" in said.err
