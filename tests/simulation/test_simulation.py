"""The real controller under simulated trouble: every promise holds, and its absence would show."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import simulate as tool
from simulate import simulate
from swarm.core.decide import decide
from swarm.core.evidence import LookTaken, Restaged
from swarm.core.history import log
from swarm.core.history.finding import Rule
from swarm.runtime import controller
from swarm.testing.simulation import marks
from swarm.testing.simulation.chance import Fault
from swarm.testing.simulation.shrink import kinds, shrink
from swarm.testing.simulation.simulation import BEGIN, DAY, Layers, Trial
from swarm.testing.simulation.story import command, tell

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ROOT = Path(tool.__file__).parents[1]


def trial(seed, hours=3.0, **more):
    return Trial(seed=seed, lasts=hours * HOUR, **more)


@pytest.mark.req("OWN-3", "OWN-4", "LOOP-11", "FRZ-2", "FAIL-5", "VAL-2")
@pytest.mark.parametrize("seed", range(4))
def test_a_few_hours_of_trouble_break_no_promise(seed):
    result = simulate(trial(seed))
    assert not result.what(), tell(result)
    assert result.injected
    assert result.history.entries


@pytest.mark.slow
@pytest.mark.req("OWN-3", "OWN-4", "LOOP-11", "FRZ-2", "FAIL-5", "VAL-2")
@pytest.mark.parametrize("seed", range(1_000, 1_008))
def test_a_day_of_trouble_breaks_no_promise(seed):
    result = simulate(trial(seed, 24))
    assert not result.what(), tell(result)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.req("VAL-2")
def test_a_hundred_seeds_give_the_same_history_twice_and_no_false_alarm():
    """The trace of all calls, faults, events and effects, hashed; and a clean verdict each."""
    first = {seed: simulate(trial(seed, 0.75)) for seed in range(100)}
    second = {seed: simulate(trial(seed, 0.75)).digest for seed in range(100)}
    assert {seed: result.digest for seed, result in first.items()} == second
    assert len(set(second.values())) == 100
    assert not [line for result in first.values() for line in result.what()]


@pytest.mark.slow
@pytest.mark.parametrize("hashing", ["1", "2"])
def test_another_process_lives_the_same_hours(hashing):
    """Also where texts hash differently, so that sets come in another order."""
    seeds = [3, 4]
    program = (
        "import json, sys; from datetime import timedelta; from simulate import simulate, Trial;"
        f"print(json.dumps([simulate(Trial(seed=s, lasts=timedelta(hours=1))).digest"
        f" for s in {seeds}]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hashing, "PYTHONPATH": str(ROOT / "tools")}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [simulate(trial(seed, 1)).digest for seed in seeds]


# --- each defence layer, with that layer off ------------------------------------------------------


def noticed(rules, seeds, layers, hours=24.0):
    """Whether one of these seeds breaks one of these rules; the first that does is the last.

    One in eight does, or so; with every change of the program others. So ranges are wide.
    """
    return any(
        one.rule in rules
        for seed in seeds
        for one in simulate(trial(seed, hours, layers=layers)).judgement.violations
    )


@pytest.mark.slow
@pytest.mark.req("OWN-3", "VAL-2")
def test_targets_without_keys_are_noticed():
    assert noticed({Rule.ONCE}, range(3), Layers(keyed=False), hours=2)


@pytest.mark.slow
@pytest.mark.req("OWN-4", "VAL-2")
def test_a_store_without_fences_is_noticed_although_keyed_targets_hide_the_harm():
    assert noticed({Rule.FENCE}, range(40), Layers(fenced=False))


@pytest.mark.slow
@pytest.mark.req("FRZ-2", "VAL-2")
def test_a_store_that_looks_at_freezes_only_when_it_hands_out_is_noticed():
    """Where nothing goes wrong but what people do: somebody has to come in that very moment."""
    alone = {"layers": Layers(held_back=False), "kinds": frozenset({Fault.PERSON})}
    found = (simulate(trial(seed, 24, **alone)).judgement.violations for seed in range(48, 100))
    assert any(one.rule in {Rule.FREEZE, Rule.MODE} for each in found for one in each)


# --- shrinking -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_failure_shrinks_within_a_minute_to_a_story_that_one_command_shows_again():
    unfenced = Layers(fenced=False)
    candidates = (simulate(trial(seed, 24, layers=unfenced)) for seed in range(60))
    failure = next(result for result in candidates if result.failed)
    began = time.process_time()  # a minute of a processor, however many others want it as well
    small = shrink(failure, simulate, time.process_time)
    assert time.process_time() - began <= 60
    assert len(failure.injected) > 100
    assert len(small.result.injected) <= 15
    again = simulate(small.result.trial)
    assert kinds(again) & kinds(failure)
    assert again.digest == small.result.digest
    story = tell(small.result)
    assert len(story.splitlines()) <= 80
    assert story.splitlines()[-1] == command(small.result.trial)
    assert f"--seed {failure.trial.seed}" in story
    first = small.result.judgement.violations[0]
    told = [line for line in story.splitlines() if f"{first.at:%d %H:%M:%S} broken: " in line]
    assert len(told) == 1, "the story ends where the promise was broken"
    after = story.splitlines()[story.splitlines().index(told[0]) + 1 :]
    assert not any(line.startswith(f"{first.at:%d }") for line in after)


def forgetful(snapshot):
    """A program that forgets a mission which was put on a moved main and watched after two."""
    plan = decide(snapshot)
    lost = {
        mission.id
        for mission in snapshot.missions
        if any(isinstance(fact, Restaged) for fact in mission.facts)
        and any(isinstance(fact, LookTaken) and fact.at.hour >= 14 for fact in mission.facts)
    }
    return replace(
        plan,
        orders=tuple(order for order in plan.orders if order.mission not in lost),
        records=tuple(one for one in plan.records if getattr(one, "mission", None) not in lost),
        standings=tuple(standing for standing in plan.standings if standing[0] not in lost),
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.req("VAL-2")
def test_a_mission_that_is_forgotten_late_in_a_day_shrinks_as_well(monkeypatch):
    """What comes late has a long past: by names alone, nothing of that could be left out."""
    monkeypatch.setattr(controller, "decide", forgetful)
    lived = timedelta()

    def simulated(wanted):
        nonlocal lived
        result = simulate(wanted)
        lived += result.history.until - BEGIN
        return result

    failure = simulate(trial(0, 24))
    assert failure.stuck
    assert len(failure.injected) > 100
    small = shrink(failure, simulated, lambda: lived / DAY / 1.25)  # days a second, when quiet
    assert len(small.result.injected) <= 15
    assert len(command(small.result.trial)) <= 400
    assert simulate(small.result.trial).stuck


def imagined(failure, stuck_if):
    """Of a trial in which 400 things go wrong and a mission is stuck, or not; every run counts."""
    faults = list(Fault)
    points = {f"p.{number}": faults[number % len(faults)] for number in range(400)}

    def simulated(wanted):
        happens = {
            point: fault
            for point, fault in points.items()
            if (wanted.only is None or point in wanted.only)
            and (wanted.kinds is None or fault in wanted.kinds)
            and int(point[2:]) < 400 * wanted.share
        }
        stuck = ("m-1 is open",) if stuck_if(happens) else ()
        return replace(failure, trial=wanted, injected=happens, stuck=stuck)

    return simulated


@pytest.mark.parametrize(
    ("needs", "names"),
    [
        pytest.param(
            lambda found: set(found.values()) >= {Fault.LOST, Fault.KILL, Fault.PERSON},
            3,
            id="three-kinds-of-all",
        ),
        pytest.param(lambda found: len(found) == 400, None, id="everything"),
    ],
)
def test_a_command_names_the_few_faults_that_it_takes_or_else_the_seed_alone(needs, names):
    short = simulate(trial(1, 0.1))
    ticks = itertools.count()
    simulated = imagined(short, needs)
    small = shrink(simulated(trial(1)), simulated, lambda: next(ticks) / 4)
    only = small.result.trial.only
    assert (only and len(only)) == names
    assert small.result.stuck
    if names is None:
        seed = f"python3 dev.py simulate --seed 1 --minutes {small.result.trial.lasts / MINUTE:g}"
        assert command(small.result.trial) == seed


def test_a_command_can_be_pasted_into_a_shell():
    """Unquoted, a terminal takes `!bad-check` for an earlier command and runs nothing."""
    told = command(trial(1, only=frozenset({"m-1/check/head/lint!bad-check", "push-a.1"})))
    ran = subprocess.run(
        ["bash", "--norc", "-i"],
        input=told.replace("python3 dev.py", "echo"),
        capture_output=True,
        text=True,
    )
    assert "--only m-1/check/head/lint!bad-check,push-a.1" in ran.stdout


def test_only_what_changed_an_answer_counts_as_a_stale_one():
    """Calls without an earlier answer were counted as well, twelve of thirteen."""
    stale = [
        point.split(".")[1]
        for point, fault in simulate(trial(5)).injected.items()
        if fault is Fault.STALE
    ]
    assert stale
    assert set(stale) <= {
        "agenda", "cursor", "read-linter", "read-tracker", "see-live", "see-main", "seen",
        "take-look", "tip",
    }  # fmt: skip


@pytest.mark.slow
def test_switching_one_decision_off_leaves_it_out():
    whole = simulate(trial(1, 1))
    point = min(whole.injected)
    without = simulate(trial(1, 1, off=frozenset({point})))
    assert point not in without.injected
    alone = simulate(trial(1, 1, only=frozenset({point})))
    assert set(alone.injected) <= {point}


# --- what a batch must have met -------------------------------------------------------------------


def test_a_batch_that_met_something_too_rarely_says_so():
    enough = Counter(dict.fromkeys(marks.SOMETIMES, 10))
    assert marks.missing(enough, 200) == ()
    enough["lease lost"] = 9
    assert marks.missing(enough, 200) == ("lease lost: 9 of 10",)


def test_more_seeds_must_meet_it_more_often():
    enough = Counter(dict.fromkeys(marks.SOMETIMES, 1_000))
    assert marks.missing(enough, 20_000) == ()
    enough["lease lost"] = 999
    assert marks.missing(enough, 20_000) == ("lease lost: 999 of 1000",)


@pytest.mark.req("VAL-2")
def test_a_batch_says_which_rule_looked_at_nothing(monkeypatch):
    result = simulate(trial(0, 1))
    assert marks.met(result)[f"examined {Rule.ONCE}"] == result.judgement.examined[Rule.ONCE] > 0
    assert {f"examined {rule}" for rule in Rule} <= set(marks.SOMETIMES)


@pytest.mark.req("VAL-2")
def test_a_log_that_does_not_say_what_a_rule_asks_fails_its_seed(monkeypatch):
    """Else a program that tells no policy any more would be asked about no gate any more."""
    monkeypatch.setattr(log, "terms_of", lambda _: None)
    result = simulate(trial(0, 3))
    assert result.failed
    assert "unjudged: the log does not say what mode asks" in "\n".join(result.what())
    assert "unjudged mode" in kinds(result)


def test_every_fault_is_among_the_marks():
    assert {f"fault {fault}" for fault in Fault} <= set(marks.SOMETIMES)


@pytest.mark.slow
def test_the_command_kept_its_promise(capsys):
    assert tool.main(["--seeds", "2", "--minutes", "30", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "0 seeds failed" in out
    assert "faults injected" in out
    assert tool.main(["--seed", "3", "--minutes", "30", "--story"]) == 0
    assert "python3 dev.py simulate --seed 3 --minutes 30" in capsys.readouterr().out
