"""Small faults: each kind is found, reaches the running program, and is told from no fault."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

import core_mutants as tool
from core_mutants import SURVIVED, equivalents, faults
from mutations import made_from, mutations, remembered_from

TEXT = '''
"""A file of a program."""

LIMIT = 3


def allowed(level, *, granted=False):
    if level < 0:
        raise ValueError(f"{level + 1} is not {level < 2}")
    if granted and not level > LIMIT:
        return True
    found = []
    for one in (1, max(level, 2)):
        if one == 1:
            continue
        found.append(one)
    return found


class Judge:
    patience = 3 + 4

    def judge(self):
        return Answer.PASS
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def program(file):
    made = importlib.util.spec_from_file_location("program", file)
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    return module


def test_every_kind_of_fault_is_found_and_words_and_defaults_are_left_alone(file):
    names = [fault.name.removeprefix("p ") for fault in mutations(file, "p")]
    assert names == [
        "allowed: if level < 0: ... => pass",
        "allowed: level < 0 => level <= 0",
        "allowed: level < 0 => level >= 0",
        "allowed: 0 => 1",
        "allowed: raise ValueError(f'{level + 1} is not {level < 2}') => pass",
        "allowed: if granted and (not level > LIMIT): ... => pass",
        "allowed: granted and (not level > LIMIT) => granted or not level > LIMIT",
        "allowed: granted and (not level > LIMIT) => not level > LIMIT",
        "allowed: granted and (not level > LIMIT) => granted",
        "allowed: not level > LIMIT => level > LIMIT",
        "allowed: level > LIMIT => level >= LIMIT",
        "allowed: level > LIMIT => level <= LIMIT",
        "allowed: True => False",
        "allowed: 1 => 2",
        "allowed: max(level, 2) => min(level, 2)",
        "allowed: 2 => 3",
        "allowed: if one == 1: ... => pass",
        "allowed: one == 1 => one != 1",
        "allowed: 1 => 2 (2)",
        "allowed: continue => pass",
        "allowed: found.append(one) => pass",
        "Judge.judge: Answer.PASS => Answer.WAIT",
        "Judge.judge: Answer.PASS => Answer.FAIL",
    ]


def test_a_fault_reaches_the_function_wherever_it_was_imported_to(file, program):
    imported, method = program.allowed, program.Judge.judge
    before = method.__code__
    (fault,) = (
        f for f in mutations(file, "p") if f.name.endswith("max(level, 2) => min(level, 2)")
    )
    assert imported(5) == [5]
    assert fault.plant(made_from({str(file)})) == 1
    assert imported(5) == [2]
    assert method.__code__ is before
    assert file.read_text(encoding="utf-8") == TEXT


def test_what_a_program_remembers_is_found_so_that_it_can_be_forgotten(file):
    file.write_text("from functools import cache\n\n@cache\ndef f(n):\n    return n\n")
    made = importlib.util.spec_from_file_location("program", file)
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    assert module.f(7) == 7
    assert remembered_from({str(file)}) == [module.f]
    assert remembered_from({"other.py"}) == []


@pytest.mark.slow
def test_a_child_that_runs_away_has_noticed_and_the_parent_goes_on():
    def for_ever():
        tool._limit(0.1)
        while True:
            pass

    assert tool._in_child(for_ever) == b"(hung or died)"
    assert tool._in_child(lambda: os._exit(3)) == b"(hung or died)"
    assert tool._in_child(lambda: b"test_it") == b"test_it"


def test_a_hunt_that_fails_itself_has_noticed_nothing():
    with pytest.raises(RuntimeError, match="the hunt itself failed"):
        tool._in_child(lambda: b"" + None)


def test_each_reason_names_a_fault_that_is_there():
    """So that none can rot: a fault whose text moved on must be looked at again."""
    there = {fault.name for fault in faults()}
    assert sorted(set(equivalents()) - there) == []


def test_a_file_that_is_not_there_is_wrong_use(capsys):
    assert tool.main(["core/nothing.py"]) == tool.USAGE
    assert "core/nothing.py does not exist" in capsys.readouterr().err


def test_a_hunt_since_a_commit_looks_at_the_lines_changed_since_then(tmp_path, monkeypatch):
    package = tmp_path / "src" / "swarm"
    package.mkdir(parents=True)
    old, new = package / "old.py", package / "new.py"
    old.write_text("a = 1\nb = 2\nc = 3\n", encoding="utf-8")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "PACKAGE", package)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    assert tool.changed_since("HEAD") == set()
    old.write_text("a = 1\nb = 4\n", encoding="utf-8")
    new.write_text("d = 5\n", encoding="utf-8")
    subprocess.run([*git, "add", "-N", "."], check=True)
    assert tool.changed_since("HEAD") == {(old, 2), (new, 1)}
    with pytest.raises(ValueError, match="nosuch"):
        tool.changed_since("nosuch")


def test_a_known_report_leaves_out_what_was_noticed_and_nothing_else(tmp_path):
    report = tmp_path / "last.tsv"
    report.write_text(
        "a f: 0 => 1\t3\ttests/test_a.py::test_f\n"
        "a f: 1 => 2\t4\tsurvived\n"
        "a g: 0 => 1\t9\tequivalent\n"
        "a g: 1 => 2\t9\t(hung or died)\n",
        encoding="utf-8",
    )
    assert tool.noticed_in(report) == {"a f: 0 => 1", "a g: 1 => 2"}


HUNT = """
import sys
import core_mutants
if sys.argv[1] == "blind":
    core_mutants._passes = lambda item: core_mutants.runtestprotocol(item, log=False) and True
sys.exit(core_mutants.main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.req("VAL-2")
@pytest.mark.parametrize(("eyes", "code"), [("open", 0), ("blind", SURVIVED)])
def test_no_fault_of_a_sample_survives_and_all_would_if_no_test_could_fail(eyes, code):
    """The whole: `python3 dev.py mutants --core`."""

    words = [
        "core/policy/retries.py",
        "core/gates",
        "--sample",
        "40",
        "--tests",
        "tests/core/gates",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", HUNT, eyes, *words],
        cwd=tool.ROOT,
        env={**os.environ, "PYTHONPATH": str(tool.ROOT / "tools")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
