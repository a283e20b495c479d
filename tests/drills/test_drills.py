"""Each drill on a real installation: real database, git, agent, service, controller (VAL-3)."""

import io
import json
import subprocess
import sys
from contextlib import nullcontext
from itertools import count
from types import SimpleNamespace

import pytest

from swarm.cli.app import run as cli
from swarm.core.nouns import Risk
from swarm.runtime.background import start, stop
from swarm.runtime.drills import agents, catalogue, policy, production
from swarm.runtime.drills.catalogue import DRILLS, drill_named, run
from swarm.runtime.drills.drill import Drill, Protocol, event_is
from swarm.runtime.drills.sandbox import Sandbox
from swarm.runtime.errors import ControllerFailed, DrillUnderWay, NoSuchDrill
from swarm.runtime.home import Home
from swarm.runtime.settings import load
from swarm.testing.repository import ScratchRepository

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

    def events(self):
        return []

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


class Written(Sandbox):
    """A corner whose controller's log a test writes; nobody waits, and to wait is `passed`."""

    def write(self, event, **fields):
        self.home.logs.mkdir(parents=True, exist_ok=True)
        with (self.home.logs / "controller.jsonl").open("a") as log:
            log.write(json.dumps({"event": event, "mission": "m-1", **fields}) + "\n")

    def wait(self, fits, seconds):
        return super().wait(fits, 0)

    def until(self, holds, seconds):
        self.passed()
        return super().until(holds, 0)

    passed = kill = start = lambda self: None
    say = budget = lambda self, what: None

    def runs(self, rule):
        return []

    def commits_with(self, words):
        return 0

    def condition(self, name):
        return {"status": "False"}


@pytest.fixture
def written(tmp_path):
    place = policy.Place(folder=tmp_path, source=tmp_path, notes=tmp_path, port=1)
    return Written(Home(tmp_path), SimpleNamespace(), place, "c0")


def said_of(name, corner, expected):
    """Whether a drill that is carried out there says that this is as expected."""
    protocol = Protocol(lambda _: None)
    DRILLS[name].run(corner, protocol)
    return next(one.good for one in protocol.findings if one.expected == expected)


@pytest.mark.req("LOOP-11")
@pytest.mark.parametrize("again", [False, True])
def test_the_last_words_of_a_killed_controller_are_no_sign_of_a_new_one(
    written, monkeypatch, again
):
    def done():
        written.write("order.done")

    written.write("order.begun", kind="start-run")
    monkeypatch.setattr(Written, "kill", lambda _: done())
    monkeypatch.setattr(Written, "start", lambda _: done() if again else None)
    expected = "a new one takes the mission up"
    assert said_of("controller-killed", written, expected) is again


@pytest.mark.req("FAIL-5")
@pytest.mark.parametrize("dispatched", [False, True])
def test_a_mission_that_no_budget_carries_is_seen_when_it_begins(written, monkeypatch, dispatched):
    """Also when that is a tick after the condition turned."""
    waited = count(1)

    def say(_, rule):
        if rule == "DRILL-GOOD":
            written.write("mission.opened")
            written.write("mission.ended", outcome="delivered")

    def passed(_):
        if dispatched and next(waited) == 2:
            written.write("mission.opened")

    monkeypatch.setattr(Written, "say", say)
    monkeypatch.setattr(Written, "passed", passed)
    expected = "no further mission was dispatched"
    assert said_of("budget-breach", written, expected) is not dispatched


@pytest.mark.req("FAIL-6")
@pytest.mark.parametrize("ends", [False, True])
def test_a_mission_that_ends_one_tick_after_it_had_no_quota_is_seen(written, monkeypatch, ends):
    def passed(_):
        if ends:
            written.write("mission.ended", outcome="failed")

    monkeypatch.setattr(Written, "passed", passed)
    assert said_of("agent-quota", written, "it counts for no failure") is not ends


@pytest.mark.req("FAIL-4")
@pytest.mark.parametrize("begins", [False, True])
def test_what_begins_one_tick_later_was_not_held_back(written, monkeypatch, begins):
    def passed(_):
        if begins:
            written.write("mission.opened", mission_class="drill-high")

    (written.place.folder / "third.jsonl").touch()
    written.write("mission.ended", outcome="delivered")
    monkeypatch.setattr(Written, "passed", passed)
    expected = "a mission of class R2 is held back"
    assert said_of("discovery-outage", written, expected) is not begins


def test_nothing_but_its_risk_holds_back_what_an_outage_must():
    """Else it would wait for the other mission of the drill, whatever the contract says."""
    paths = [path for rule, (_, path) in agents.BEHAVIOURS.items() if rule != "DRILL-HIGH"]
    assert agents.BEHAVIOURS["DRILL-HIGH"][1] not in paths


@pytest.mark.req("FAIL-7")
@pytest.mark.parametrize("again", [False, True])
def test_what_was_healed_at_the_start_is_not_the_drift_of_the_drill(written, monkeypatch, again):
    """A controller has main serve first, and says so in the same words."""
    serves = iter(["c0", production.WRONG])
    monkeypatch.setattr(Written, "serves", lambda _: next(serves, "c0"))
    written.write("target.healed")

    def impostor(corner):
        before = len(corner.events())
        if again:
            written.write("target.healed")
        return SimpleNamespace(kill=lambda: None, wait=lambda: None), before

    monkeypatch.setattr(production, "_impostor", impostor)
    assert said_of("sync-drift", written, "the drift is seen, put right and told") is again


def test_an_impostor_of_a_drill_that_is_broken_off_is_ended(written, monkeypatch):
    """It binds for some seconds, and until then only the drill knows of it."""
    stable = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(production, "serving", lambda *_: (stable.pid, 1))
    begun = []

    class Begun(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            begun.append(self)

    def broken_off(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Begun)
    monkeypatch.setattr(Written, "passed", broken_off)
    with pytest.raises(KeyboardInterrupt):
        production._impostor(written)
    stable.wait()
    (impostor,) = begun
    assert impostor.returncode is not None


def test_what_a_controller_left_that_was_killed_while_it_cloned_is_not_taken_for_the_clone(written):
    written.home.clones.mkdir(parents=True)
    for number in range(8):
        (written.home.clones / f".new-{number}").mkdir()
    repo = ScratchRepository(written.home.clones / "drill%2Forders.git")
    head = repo.commit({"NOTES.md": "A drill wrote this line\n"})
    assert written.main() == head


def test_a_drill_that_cannot_go_on_deviates_and_says_what_it_found(tmp_path, monkeypatch):
    """Such as one whose controller does not start any more: that is an answer, no wrong use."""
    monkeypatch.setattr(catalogue, "sandbox", lambda *_, **__: nullcontext(None))
    monkeypatch.setattr(catalogue, "_log", lambda *_: "kept")

    def begin(_, protocol):
        protocol.check("one thing", "so it is", good=True)
        raise ControllerFailed("it ended at once")

    protocol = run(
        Drill(name="odd", breaks="Nothing.", proves=("VAL-3",), run=begin),
        Home(tmp_path),
        lambda _: None,
    )
    assert not protocol.passed
    assert [one.good for one in protocol.findings] == [True, False]
    assert protocol.findings[1].observed == "it ended at once"


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
    assert cli(["drill", "run", "drill/canary-fail", "--home", str(installation.folder)]) == 2
    told = capsys.readouterr().err
    assert "Add --yes" in told
    assert cli(["drill", "run", "canary", "--home", str(installation.folder)]) == 5
    assert sorted(drills.glob("*")) == before
