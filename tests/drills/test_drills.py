"""Each drill on a real installation: real database, git, agent, service, controller (VAL-3)."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from swarm.cli.app import run as cli
from swarm.core.nouns import Risk
from swarm.runtime.background import start, stop
from swarm.runtime.drills import agents, policy
from swarm.runtime.drills.catalogue import DRILLS, drill_named, run
from swarm.runtime.drills.drill import Drill, Protocol, event_is
from swarm.runtime.drills.sandbox import Sandbox
from swarm.runtime.errors import DrillUnderWay, NoSuchDrill
from swarm.runtime.home import Home
from swarm.runtime.settings import load

OWN = """
[canary]
error_increase = 0.5
look_every = "10m"

[slo]
window = "1h"

[risk]
auto_execute = []

[[risk.rules]]
pattern = "src/**"
risk = "R2"
why = "it is what we sell"
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """An installation of somebody who asks to be asked, and waits long for a canary."""
    home = Home(tmp_path_factory.mktemp("installation"))
    home.file.write_text(OWN)
    return home


@pytest.mark.req("VAL-3")
def test_every_drill_of_the_contract_is_there():
    assert set(DRILLS) == {
        "ci-red-loop", "canary-fail", "sync-drift", "discovery-outage", "budget-breach",
        "database-restart", "agent-quota", "hostile-patch", "controller-killed",
    }  # fmt: skip


def test_an_unknown_drill_is_refused_with_the_names_of_the_known_ones():
    with pytest.raises(NoSuchDrill, match="canary-fail"):
        drill_named("canary-fial\x1b[31m")


def test_a_sandbox_has_the_installations_limits_and_shorter_pauses(installation, tmp_path):
    place = policy.Place(folder=tmp_path, source=tmp_path, notes=tmp_path, port=4711)
    (tmp_path / "swarm.toml").write_text(policy.settings(place, load(installation.file)))
    made = load(tmp_path / "swarm.toml")
    assert made.canary.error_increase == 0.5
    assert made.canary.look_every == policy.SOON
    assert made.slo.window.total_seconds() == 3
    assert [(rule.pattern, rule.risk) for rule in made.risk.rules] == [("src/**", Risk.R2)]
    assert made.risk.auto_execute is None  # there is nobody in a drill to ask
    assert list(made.repositories) == ["drill/orders"]  # nothing of the installation's own


def test_a_sandbox_gets_no_settings_from_the_environment(tmp_path, monkeypatch):
    """They win over its file: nothing would land, looks would be rare, a target be the user's."""
    monkeypatch.setenv("SWARM_RISK__AUTO_EXECUTE", "[]")
    monkeypatch.setenv("swarm_canary__look_every", "10m")
    monkeypatch.setenv("SWARM_TARGETS__SHOP__PORT", "8080")
    place = policy.Place(folder=tmp_path, source=tmp_path, notes=tmp_path, port=None)
    given = []
    monkeypatch.setattr("swarm.runtime.background.start", lambda _, words: given.append(words))
    Sandbox(Home(tmp_path), SimpleNamespace(dsn="postgresql://here"), place, "").start()
    (words,) = given
    ours = {name: value for name, value in words.items() if name.upper().startswith("SWARM_")}
    assert ours == {"SWARM_DATABASE__URL": "postgresql://here"}
    assert words["PATH"]


def test_a_protocol_without_a_finding_has_not_passed():
    assert not Protocol(lambda _: None).passed


class Nowhere:
    """A corner in which nothing ever happens."""

    seen = ()

    def wait(self, fits, seconds):
        return None

    def runs(self, rule):
        return []

    def commits_with(self, words):
        return 0

    def say(self, rule):
        pass

    kill = start = lambda self: None


def test_what_never_ended_has_not_recovered():
    protocol = Protocol(lambda _: None)
    DRILLS["controller-killed"].run(Nowhere(), protocol)
    assert not protocol.passed
    assert protocol.recovered is None


@pytest.mark.fast("DRILL-BROKEN", "DRILL-GOOD")
@pytest.mark.parametrize("rule", sorted(agents.BEHAVIOURS))
def test_the_drills_agent_changes_what_its_need_allows(rule, tmp_path):
    clone, notes = tmp_path / "clone", tmp_path / "notes"
    (clone / "orders").mkdir(parents=True)
    notes.mkdir()
    (clone / agents.SERVICE).write_text("            body = await answer(path)\n")
    command = [sys.executable, "-m", "swarm.runtime.drills.agents", rule, str(notes)]
    subprocess.run(command, cwd=clone, input="the task", text=True, check=True)
    _, path = agents.BEHAVIOURS[rule]
    assert (clone / path).is_file()
    (noted,) = (notes / agents.RUNS).read_text().splitlines()
    assert json.loads(noted) == {"rule": rule, "began": True, "task": "the task"}


@pytest.mark.req("VAL-3")
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(DRILLS))
def test_what_happens_is_what_the_contract_says(name, installation):
    protocol = run(DRILLS[name], installation, lambda _: None)
    assert protocol.passed, [finding for finding in protocol.findings if not finding.good]
    assert protocol.detected is not None
    assert protocol.recovered is not None
    assert not (installation.state / "drills" / "sandbox").exists()  # it cleans up


@pytest.mark.slow
def test_a_drill_beside_a_working_controller_leaves_it_alone_and_says_what_deviates(installation):
    """The installation's own controller works on; a promise that is not kept is a deviation."""
    start(installation)
    try:
        before = installation.read_note()

        def never(corner, protocol):
            protocol.inject("nothing at all")
            protocol.expect("a miracle", corner, event_is("miracle.seen"), 0.2)
            with pytest.raises(DrillUnderWay):
                run(odd, installation, lambda _: None)

        odd = Drill(name="odd", breaks="Nothing.", proves=("VAL-3",), run=never)
        protocol = run(odd, installation, lambda _: None)
        assert not protocol.passed
        assert protocol.findings[0].observed == "not seen within 0 s"
        assert installation.read_note() == before
    finally:
        stop(installation)


def test_the_verb_lists_them_and_asks_before_it_breaks_anything(installation, capsys, monkeypatch):
    drills = installation.state / "drills"
    before = sorted(drills.glob("*"))
    assert cli(["drill", "list", "-o", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {item["name"] for item in listed["items"]} == set(DRILLS)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert cli(["drill", "run", "canary-fail", "--home", str(installation.folder)]) == 2
    told = capsys.readouterr().err
    assert "Add --yes" in told
    assert cli(["drill", "run", "canary", "--home", str(installation.folder)]) == 5
    assert sorted(drills.glob("*")) == before
