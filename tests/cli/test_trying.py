"""Trying a source or an agent once: real commands on a real repository, and nothing is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

AGENT = """
[agents.writer]
run = ["{python}", "-c", {code}]
"""


@pytest.fixture
def workshop(place, tmp_path):
    """An installation with a real repository of one file with an unused import."""
    repository = tmp_path / "repository"
    repository.mkdir()
    identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    (repository / "a.py").write_text("import os\n\n\nprint(1)\n")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", repository, *identity, *words], check=True)
    text = place.home.file.read_text()
    place.home.file.write_text(text.replace("/nonexistent/shop", str(repository)))
    place.repository = repository
    return place


def agent(workshop, code):
    workshop.settings(AGENT.replace("{code}", json.dumps(code)))


def source(workshop, code, form="jsonl"):
    run = json.dumps([sys.executable, "-c", code])
    workshop.settings(
        f'[sources.finder]\nkind = "command"\nformat = "{form}"\nrepo = "acme/shop"\nrun = {run}\n'
    )


SAYS = """
import json
print(json.dumps({"title": "unused import os", "citation": "a.py:1", "path": "a.py"}))
print("this is no JSON")
"""


@pytest.mark.slow
def test_a_source_is_read_once_and_nothing_is_stored(workshop):
    source(workshop, SAYS)
    workshop.apply(discovery={"sources": [{"name": "finder"}], "minCitations": 1})
    said = workshop("source", "test", "source/finder")
    assert said.code == 0, said.err
    assert said.lines[0] == "unused import os"
    assert "cites a.py:1" in said.out
    assert any(line.startswith("refused: ") for line in said.lines)
    assert "1 signal (0 uncited), 1 refused" in said.err
    assert not workshop("get", "signals", "-o", "json").json["items"]
    assert not workshop("get", "needs", "-o", "json").json["items"]
    reading = workshop("source", "test", "finder", "-o", "json").json
    assert reading["signals"][0]["title"] == "unused import os"
    assert len(reading["refused"]) == 1


@pytest.mark.slow
def test_a_source_that_is_down_says_what_it_answered(workshop):
    source(workshop, "import sys; sys.stderr.write('the scanner is not licensed'); sys.exit(3)")
    said = workshop("source", "test", "finder")
    assert said.code == 1
    assert "the scanner is not licensed" in said.err
    assert "more: swarmctl explain" in said.err


@pytest.mark.slow
def test_what_a_hostile_source_says_is_shown_and_not_obeyed(workshop):
    source(
        workshop,
        r"""
import json
print(json.dumps({"title": "red \u001b[31m alarm \u202e", "citation": "a.py:1"}))
""",
    )
    said = workshop("source", "test", "finder")
    assert said.code == 0
    assert not set(said.out) & set("\x1b\u202e")


def test_sources_are_listed_with_health_and_who_names_them(workshop):
    source(workshop, SAYS)
    workshop.apply(discovery={"sources": [{"name": "finder"}, {"name": "ghost"}]})
    rows = {row["name"]: row for row in workshop("source", "list", "-o", "json").json["items"]}
    assert rows["finder"]["health"] == "not read yet"
    assert rows["finder"]["swarms"] == ["default/shop"]
    assert rows["ghost"]["health"] == "NOT BOUND"
    workshop.sql("update source set dark_since = now() - interval '3 hours', detail = 'gone'"
                 " where name = 'finder'")  # fmt: skip
    rows = {row["name"]: row for row in workshop("source", "list", "-o", "json").json["items"]}
    assert rows["finder"]["health"] == "dark since 3h"
    assert "R2 and R3 wait" in workshop("describe", "source", "finder").out


@pytest.mark.slow
def test_an_agent_works_on_a_scratch_clone_and_nothing_is_kept(workshop):
    agent(workshop, "import pathlib; pathlib.Path('a.py').write_text('print(1)\\n')")
    before = sorted(path.name for path in workshop.home.state.glob("*"))
    said = workshop("agent", "test", "agent/writer")
    assert said.code == 0, said.err
    assert "-import os" in said.out
    assert "change:  +0 -3 in 1 file" in said.out
    assert "cost:    0.00" in said.out
    assert (workshop.repository / "a.py").read_text().startswith("import os")
    assert not list(workshop.home.clones.glob("*"))
    assert not list(workshop.home.jobs.glob("tryout-*")), before
    record = workshop("agent", "test", "writer", "-o", "json").json
    assert record["fact"]["result"] == "changed"
    assert record["patch"].startswith("diff --git a/a.py")


def test_an_agent_that_works_by_rule_is_not_tried_without_one(workshop):
    workshop.settings('[agents.mender]\nrun = ["ruff", "--select", "{rule}"]\nrules = ["F401"]\n')
    said = workshop("agent", "test", "mender")
    assert said.code == 2
    assert (
        "the command of mender works on one {rule}; name it with --rule, such as F401" in said.err
    )


@pytest.mark.slow
def test_what_a_killed_trial_left_is_cleared_by_a_later_one_and_one_at_work_is_not(workshop):
    agent(workshop, "pass")
    killed, at_work = workshop.home.jobs / "tryout-killed", workshop.home.jobs / "tryout-at-work"
    for folder in (killed, at_work):
        (folder / "clones").mkdir(parents=True)
    two_days_ago = time.time() - 2 * 86_400
    os.utime(killed, (two_days_ago, two_days_ago))
    assert "nothing was committed" in workshop("agent", "test", "writer").err
    assert [path.name for path in workshop.home.jobs.glob("tryout-*")] == ["tryout-at-work"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "result", "named"),
    [
        pytest.param("pass", "nothing", "", id="changes-nothing"),
        pytest.param("print('I give up'); raise SystemExit(2)", "failed", "I give up", id="fails"),
        pytest.param(
            "import pathlib; p = pathlib.Path('.github/workflows'); p.mkdir(parents=True);"
            " (p / 'ci.yml').write_text('x')", "refused", "refused: ", id="touches-ci",
        ),
    ],
)  # fmt: skip
def test_what_would_not_be_taken_is_told(workshop, code, result, named):
    agent(workshop, code)
    said = workshop("agent", "test", "writer")
    assert said.code == 3
    assert f"result:  {result}" in said.out
    assert named in said.out


@pytest.mark.slow
def test_paths_limit_what_an_agent_may_change(workshop):
    agent(workshop, "import pathlib; pathlib.Path('a.py').write_text('x = 1\\n')")
    said = workshop("agent", "test", "writer", "--path", "docs")
    assert said.code == 3
    assert "refused: " in said.out
    assert "a.py" in said.out


def test_an_agent_that_is_not_installed_cannot_start(workshop):
    workshop.settings('[agents.ghost]\nrun = ["no-such-agent"]\n')
    said = workshop("agent", "test", "ghost")
    assert said.code == 1
    assert "error SWM608" in said.err
    assert "'no-such-agent' is not a program on PATH" in said.err
    rows = {row["name"]: row for row in workshop("agent", "list", "-o", "json").json["items"]}
    assert rows["ghost"]["ready"] is False
    assert rows["tidy"]["ready"] is True


@pytest.mark.req("LOOP-1", "API-9")
@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({}, "sources are read every 5m; events wake everything else"),
        ({"cadence": {"discoverEvery": "7m"}}, "sources are read every 7m; "),
        ({"execution": {"discover": {"every": "1h"}}}, "sources are read every 1h; "),
        ({"execution": {"discover": {"enabled": False}}}, "no source is read: spec.execution"),
    ],
)
def test_describe_swarm_says_when_its_sources_are_read(shop, spec, told):
    assert shop.apply(**spec).code == 0
    assert f"cadence:    {told}" in shop("describe", "swarm").out
