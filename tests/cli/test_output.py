"""Data on stdout in the asked form, talk on stderr, nothing that a terminal would obey."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
import yaml

from swarm.cli.output import API_VERSION, line, visible
from swarm.contract.swarm import API_VERSION as OBJECTS

HOSTILE = "evil\x1b[31m red \u202etxet\u202c \u200bhidden\u2066 \x07 end"

#: Every reading verb, as it is called on an installation with one mission.
READING = [
    ("get", "swarms"),
    ("get", "needs"),
    ("get", "missions"),
    ("get", "gates"),
    ("get", "orders"),
    ("get", "signals"),
    ("describe", "swarm"),
    ("describe", "mission", "{mission}"),
    ("describe", "need", "{need}"),
    ("describe", "freeze"),
    ("events",),
    ("logs", "{mission}"),
    ("why", "{mission}"),
    ("why", "{need}"),
    ("why",),
    ("trace", "{mission}"),
    ("budget",),
    ("budget", "top"),
    ("report",),
    ("shadow", "report"),
    ("audit", "verify"),
    ("agent", "list"),
    ("source", "list"),
    ("explain", "SWM333"),
    ("explain", "spec.mode"),
    ("explain", "Frozen"),
    ("doctor",),
    ("version",),
]


@pytest.fixture(scope="module")
def story(lasting_shop):
    """A shop with a delivered mission, a freeze and an event log; only its titles are changed."""
    shop = lasting_shop
    with shop.working():
        shop.need("drop an unused import")
        shop.wait_for("missions", lambda row: row["outcome"] == "delivered")
    shop("freeze", "--for", "1h", "--reason", "for the picture")
    shop.mission = shop("get", "missions", "-o", "json").json["items"][0]["id"]
    shop.of_need = shop("get", "needs", "-o", "json").json["items"][0]["id"]
    return shop


def filled(words, story):
    return [word.format(mission=story.mission, need=story.of_need) for word in words]


@pytest.mark.slow
def test_every_reading_verb_speaks_every_form(story):
    """One installation for all of them: making it takes longer than asking."""
    for words in READING:
        asked = filled(words, story)
        document = story(*asked, "-o", "json")
        # The world of this shop lands nothing in Git, and an audit says that main lacks it.
        good = {3} if words == ("audit", "verify") else {0, 1}
        assert document.code in good, (asked, document.err)
        assert document.json["apiVersion"] == API_VERSION, asked
        assert document.json["kind"][0].isupper(), asked
        text = story(*asked, "-o", "yaml")
        assert yaml.safe_load(text.out)["kind"] == document.json["kind"], asked
        for one in story(*asked, "-o", "jsonl").lines:
            assert json.loads(one)["kind"], asked
        for one in story(*asked, "-o", "name").lines:
            assert "/" in one, asked
        assert story(*asked, "-o", "wide").code == story(*asked).code, asked


@pytest.mark.slow
def test_what_name_prints_is_taken_by_every_verb_that_takes_an_id(story):
    """So that `swarmctl get ... -o name | xargs -n1 swarmctl ...` works."""
    for kind in ("swarms", "needs", "missions", "freezes", "signals", "orders", "outcomes"):
        named = story("get", kind, "-o", "name").lines[0]
        for words in ((kind, named), (named,)):
            found = story("get", *words, "-o", "name")
            assert (found.code, found.lines) == (0, [named]), words
            assert story("describe", *words).code == 0, words
    for words in (("why",), ("trace",), ("logs",), ("wait", "--for", "delivered")):
        for one in (f"mission/{story.mission}", f"mission/{story.mission[:10]}"):
            assert story(*words, one).code == 0, (words, one)
    assert story("why", f"need/{story.of_need}").code == 0
    assert story("get", "mission/m-1", "m-2").code == 2
    # Not pending, and frozen: the verb found what was meant, and says why not.
    assert story("approve", f"mission/{story.mission}", "--reason", "x").code == 7
    assert story("reject", f"mission/{story.mission}", "--reason", "x").code == 7
    freeze = story("get", "freezes", "-o", "name").lines[0]
    assert story("resume", freeze, "--reason", "x").code == 6


def test_the_version_is_that_of_the_object(verb):
    assert OBJECTS == API_VERSION


def test_errors_leave_stdout_empty_whatever_the_form(place):
    for form in ("table", "json", "jsonl", "yaml", "name"):
        said = place("get", "mission", "m-nothing", "-o", form)
        assert said.code == 5
        assert said.out == ""
        assert said.err.splitlines()[-1] == "more: swarmctl explain SWM333"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b[2J", "\\x1b[2J", id="escape"),
        pytest.param("a\u202eb", "a\\u202eb", id="turned-around"),
        pytest.param("a\u200bb", "a\\u200bb", id="no-width"),
        pytest.param("a\ufeffb", "a\\ufeffb", id="byte-order-mark"),
        pytest.param("a\U000e0041b", "a\\ue0041b", id="tag"),
        pytest.param("a\x9bb", "a\\x9bb", id="one-byte-escape"),
        pytest.param("\udcff", "\\udcff", id="half-a-character"),
        pytest.param("Grüße 你好 ✓", "Grüße 你好 ✓", id="real-text"),
    ],
)
def test_what_no_eye_sees_is_shown(text, shown):
    assert visible(text) == shown


def test_a_text_of_many_lines_is_one_line_in_a_table():
    assert line("a\nb\t c\r\n") == "a b c\\x0d"


@pytest.mark.slow
@pytest.mark.req("LOOP-4")
def test_hostile_titles_are_escaped_by_every_verb(story):
    story.sql("update mission set title = %s", HOSTILE)
    story.sql("update need set title = %s, state_reason = %s", HOSTILE, HOSTILE)
    for words in READING:
        asked = filled(words, story)
        for form in ("table", "wide", "json", "jsonl", "name"):
            said = story(*asked, "-o", form)
            assert not set(said.out + said.err) & set("\x1b\x07\u202e\u200b\u2066"), (asked, form)


def test_piped_tables_have_tabs_and_whole_ids(story):
    head, row = story("get", "missions").lines
    assert head.split("\t")[:3] == ["NAME", "OUTCOME", "RISK"]
    assert row.split("\t")[:3] == [story.mission, "delivered", "R1"]


def test_quiet_leaves_out_talk_and_keeps_warnings_and_errors(shop):
    loud, quiet = shop("get", "needs"), shop("get", "needs", "--quiet")
    assert (loud.out, bool(loud.err)) == (quiet.out, True)
    assert quiet.err == ""
    assert shop("get", "needs").err == loud.err, "it binds one call"
    assert "error SWM701" in shop("--quiet", "get", "nonsense").err
    added = shop("need", "add", "x", "--repo", "acme/other", "--cite", "a.py:1", "--quiet")
    assert "warning: 'acme/other'" in added.err
    assert shop("need", "add", "x", "--repo", "r", "--cite", "a", "--", "--quiet").code == 2


def test_an_empty_list_says_what_would_fill_it(place):
    for kind in ("swarms", "needs", "missions", "runs", "freezes", "approvals", "budgets"):
        said = place("get", kind)
        assert said.code == 0
        assert said.out == ""
        assert said.err.startswith(f"No {kind}. ")
        assert place("get", kind, "-o", "json").json["items"] == []
        assert place("get", kind, "-o", "jsonl").out == ""


# --- as a process of its own -----------------------------------------------------------------


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error(story, start):
    command = start("events", "--limit", "1000", "-o", "jsonl")
    command.stdout.close()
    err = command.stderr.read().decode()
    assert command.wait(30) == 0
    assert err == ""


def test_a_head_that_closes_leaves_no_trace(story):
    script = f"{sys.executable} -m swarm.cli get orders -o jsonl | head -1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.splitlines()[-1] == "0"
    assert ran.stderr == ""


def test_an_argument_that_is_no_text_is_refused(place, start):
    command = start("get", "missions", b"m-\xff\xfe")
    _, err = command.communicate(timeout=60)
    assert command.returncode == 2
    assert b"argument 3 is no UTF-8 text" in err


@pytest.mark.slow
def test_a_terminal_without_unicode_gets_numbers(story, start):
    story.sql("update mission set title = %s", "Grüße ✓")
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    command = start("why", story.mission, env=environment)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    assert b"Gr\\xfc\\xdfe \\u2713" in out
    assert b"+ code" in out  # the plain glyph of `passed`


def seen_on_a_terminal(arguments, until=None, **environment):
    """(exit code, everything a terminal of 100 columns got); SIGINT once `until` has appeared."""
    leader, follower = pty.openpty()
    os.set_blocking(leader, False)
    command = subprocess.Popen(
        [sys.executable, "-m", "swarm.cli", *arguments],
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"} | environment,
    )  # fmt: skip
    os.close(follower)
    got, deadline, told = b"", time.monotonic() + 60, False
    while time.monotonic() < deadline:
        select.select([leader], [], [], 0.05)
        try:
            got += os.read(leader, 65536)
        except BlockingIOError:
            pass
        except OSError:
            break
        if until is not None and not told and until in got:
            command.send_signal(signal.SIGINT)
            told = True
    os.close(leader)
    return command.wait(10), got.decode()


@pytest.mark.slow
def test_a_terminal_gets_aligned_columns_that_fit(story):
    story.sql("update mission set title = %s", "long " * 60)
    code, got = seen_on_a_terminal(["get", "missions"])
    assert code == 0
    assert "\x1b[1mNAME" in got
    assert story.mission[:10] in got
    assert story.mission not in got
    assert max(len(text.replace("\x1b[1m", "").replace("\x1b[0m", "")) for text in
               got.splitlines()) <= 100  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "plain",
    [
        pytest.param({"NO_COLOR": "1"}, id="no-color"),
        pytest.param({"TERM": "dumb"}, id="dumb-terminal"),
    ],
)
def test_plain_output_where_it_is_asked_for(story, plain):
    for words in (["get", "missions"], ["get", "--help"], ["describe", "swarm"]):
        code, got = seen_on_a_terminal(words, **plain)
        assert code == 0
        assert "\x1b" not in got, words


@pytest.mark.slow
def test_watch_draws_live_and_ends_cleanly(story):
    code, got = seen_on_a_terminal(["watch"], until=b"Ctrl-C ends watching")
    assert code == 130
    assert "default/shop" in got
    assert "Traceback" not in got
    assert got.rfind("\x1b[?25h") > got.rfind("\x1b[?25l"), "the cursor stays hidden"


@pytest.mark.slow
def test_watch_without_colour_has_no_styles(story):
    code, got = seen_on_a_terminal(["watch"], until=b"Ctrl-C ends watching", NO_COLOR="1")
    assert code == 130
    assert "\x1b[1m" not in got
    assert "\x1b[2m" not in got


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "terminal"),
    [
        pytest.param(["watch"], {"TERM": "dumb"}, id="dumb-terminal"),
        pytest.param(["watch", "--progress=plain"], {}, id="asked-for"),
    ],
)
def test_watch_prints_lines_where_nothing_is_to_be_drawn_anew(story, words, terminal):
    code, got = seen_on_a_terminal(words, until=b"is frozen", **terminal)
    assert code == 130
    assert "\x1b" not in got


QUICK = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from swarm.cli import main

class Quick:
    def find_spec(self, name, *_):
        if name == "swarm.cli.app":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Quick())
main(["version"])
"""


def test_ctrl_c_before_anything_is_loaded_shows_no_traceback():
    """The shell says 130 for it; half a second of loading is long enough to change one's mind."""
    ended = subprocess.run(
        [sys.executable, "-c", QUICK],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")
