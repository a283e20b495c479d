"""A run of many seeds is counted as it goes, may be stopped, and goes on from where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import count

import pytest

import long_run
import simulate as tool
from long_run import ROOT, Kept, LongRun, OtherRun, seeds_of, stream
from swarm.runtime import controller
from swarm.testing.simulation.cast import size
from swarm.testing.simulation.simulation import Trial
from swarm.testing.simulation.tally import Sum

LASTS = timedelta(minutes=20)


def run(path, seeds, work=tool.work, workers=1):
    whole = LongRun(seeds, LASTS, Kept(path, LASTS))
    return whole.go(work, workers), whole.tally


def figures(tally):
    return tally.worlds, tally.swarm_days, tally.effects, tally.counts, tally.failed


def sum_of(trial):
    return Sum(
        seed=trial.seed, days=1.0, swarm_days=1.0, digest="", broken=(), counts={}, effects=0, cpu=0
    )


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_counts_every_seed_once(tmp_path):
    def stopped(trial):
        if trial.seed == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return tool.work(trial)

    kept = tmp_path / "years.jsonl"
    whole, tally = run(kept, range(5), stopped)
    assert (whole, tally.worlds) == (False, 3)
    kept.write_text(kept.read_text()[:-40])  # a machine that lost its power in the middle of a line
    done = []

    def counted(trial):
        done.append(trial.seed)
        return tool.work(trial)

    whole, tally = run(kept, range(5), counted)
    assert whole
    assert done == [2, 3, 4]
    assert figures(tally) == figures(run(None, range(5))[1])
    assert run(kept, range(5), counted)[1].worlds == 5
    assert done == [2, 3, 4]


def test_what_stands_there_twice_counts_once(tmp_path):
    """As two runs at a time had left it that read before they had the file to themselves."""
    kept = tmp_path / "years.jsonl"
    run(kept, range(2), sum_of)
    head, *lines = kept.read_text().splitlines()
    kept.write_text("\n".join([head, *lines, *lines, ""]))
    assert run(kept, range(3), sum_of)[1].worlds == 3


def test_what_ends_in_another_run_before_this_one_has_the_file_is_not_done_again(
    tmp_path, monkeypatch
):
    kept, done = tmp_path / "years.jsonl", []
    run(kept, range(1), sum_of)
    flock = long_run.fcntl.flock

    def late(file, how):
        monkeypatch.setattr(long_run.fcntl, "flock", flock)
        run(kept, range(3), sum_of)
        flock(file, how)

    monkeypatch.setattr(long_run.fcntl, "flock", late)
    whole, tally = run(kept, range(4), lambda trial: done.append(trial.seed) or sum_of(trial))
    assert (whole, tally.worlds, done) == (True, 4, [3])
    assert len(kept.read_text().splitlines()) == 5


def test_two_processes_count_what_one_counts():
    assert figures(run(None, range(3), workers=2)[1]) == figures(run(None, range(3))[1])


def killed(trial):
    os.kill(os.getpid(), signal.SIGKILL)
    return sum_of(trial)


def test_a_run_whose_worker_is_killed_says_so_and_may_go_on(tmp_path, capsys):
    kept = tmp_path / "years.jsonl"
    assert run(kept, range(3), killed, workers=2)[0] is False
    assert "was killed" in capsys.readouterr().err
    whole, tally = run(kept, range(3), sum_of)
    assert (whole, tally.worlds) == (True, 3)


def test_only_a_few_trials_are_under_way_however_many_there_are():
    asked = count()
    trials = (Trial(seed=next(asked), lasts=LASTS) for _ in range(1_000))
    ended = stream(trials, sum_of, 2)
    next(ended)
    assert next(asked) < 10
    ended.close()


def test_a_file_of_other_code_or_other_trials_is_refused_and_left_alone(tmp_path, capsys):
    kept = tmp_path / "years.jsonl"
    kept.write_text('{"code": "another", "seconds": 1200.0}\n')
    with pytest.raises(OtherRun):
        run(kept, range(2))
    before = kept.read_text()
    assert tool.main(["--seeds", "1", "--minutes", "20", "--keep", str(kept)]) == 2
    assert "other code" in capsys.readouterr().err
    assert kept.read_text() == before


def test_two_runs_do_not_keep_one_file(tmp_path, capsys):
    kept = tmp_path / "years.jsonl"
    first = Kept(kept, LASTS)
    first.open()
    before = kept.read_text()
    assert tool.main(["--seeds", "1", "--minutes", "20", "--keep", str(kept)]) == 2
    assert "under way" in capsys.readouterr().err
    assert kept.read_text() == before
    first.close()
    assert run(kept, range(1))[1].worlds == 1


@pytest.mark.parametrize("words", [("--seeds", "0"), ("--years", "0"), ("--days", "-1")])
def test_a_run_of_nothing_is_wrong_use_and_no_success(words, capsys):
    with pytest.raises(SystemExit) as ended:
        tool.main(words)
    assert ended.value.code == 2
    assert "nothing simulated is nothing shown" in capsys.readouterr().err


def test_years_are_counted_for_each_swarm():
    seeds = seeds_of(1.0, 10, timedelta(days=1))
    swarms = sum(size(seed).swarms for seed in seeds)
    assert seeds.start == 10
    assert swarms >= 365
    assert swarms - size(seeds[-1]).swarms < 365


def test_what_the_program_logs_in_a_process_of_a_batch_is_the_fault_of_its_own_seed(monkeypatch):
    """The loggers of such a process are made once, and outlive the world that they were made in."""

    def poisoned(snapshot):
        raise ZeroDivisionError(f"a fault of ours in {snapshot.installation.max_missions}")

    monkeypatch.setattr(controller, "decide", poisoned)  # its processes are forked from this one
    trials = [Trial(seed=seed, lasts=LASTS) for seed in range(6)]
    batch = {one.seed: one.broken for one in stream(trials, tool.work, 2)}
    assert batch == {trial.seed: tool.simulate(trial).what() for trial in trials}
    assert all("a fault of ours" in "\n".join(broken) for broken in batch.values())


def test_the_name_of_the_code_covers_all_that_a_trial_loads():
    """What a trial imports late would be missing in the name, and its sums be taken for others'."""
    told = (
        "import sys; sys.path.insert(0, 'tools')\n"
        "import simulate, long_run\n"
        "from datetime import timedelta\n"
        "before = long_run.code()\n"
        "simulate.work(simulate.Trial(seed=1, lasts=timedelta(hours=6)))\n"
        "print(before, long_run.code())"
    )
    ran = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True)
    before, after = ran.stdout.split()
    assert before == after
