"""Planted bugs stay plantable, and the tool that hunts them tells found from not found."""

from __future__ import annotations

import ast
import shutil
from collections import Counter

import pytest

import mutants as tool
from mutants import ROOT, SURVIVED, Bug, Misplaced, Tree, bugs, copied

BUGS = bugs()
PACKAGE = ROOT / "src" / "swarm"


def test_there_are_enough_of_them_and_each_has_its_name():
    assert len(BUGS) >= 25
    assert max(Counter(bug.name for bug in BUGS).values()) == 1
    assert 5 <= sum(bug.short for bug in BUGS) <= 8
    assert sum(bug.simulated for bug in BUGS) >= 25


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_applies_and_changes_the_program(bug):
    """So that none can rot: text that moved on must be mended here."""
    text = (PACKAGE / bug.file).read_text(encoding="utf-8")
    planted = bug.planted(text)
    assert planted != text
    assert (ROOT / bug.by).exists()
    if bug.file.endswith(".py"):
        assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(text))


def test_a_bug_whose_text_is_gone_or_stands_twice_is_refused():
    bug = Bug(name="b", breaks="FRZ-2", file="f.py", old="x", new="y", by="tests")
    with pytest.raises(Misplaced, match="0 times"):
        bug.planted("a")
    with pytest.raises(Misplaced, match="2 times"):
        bug.planted("x x")


def test_a_bug_is_planted_in_a_copy_and_nowhere_else():
    bug = BUGS[0]
    before = (PACKAGE / bug.file).read_text(encoding="utf-8")
    with copied(bug) as tree:
        place = tree.folder
        assert (place / "src" / "swarm" / bug.file).read_text(encoding="utf-8") == bug.planted(
            before
        )
    assert (PACKAGE / bug.file).read_text(encoding="utf-8") == before
    assert not place.exists()


@pytest.mark.slow
def test_the_test_that_fails_is_named_whatever_pytest_is_told_to_print(tmp_path):
    """Else no bug is found any more, and each reads as never asked."""
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "test_one.py").write_text("def test_it():\n    assert False\n")
    assert Tree(tmp_path).failing(["test_one.py"]) == "test_one.py::test_it"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.req("VAL-2", "GATE-2", "FRZ-2", "FRZ-3", "FAIL-1", "FAIL-5", "MODE-5")
def test_the_suite_finds_a_handful_of_planted_bugs(capsys):
    """All of them: `python3 dev.py mutants`, in minutes."""
    assert tool.main(["--short"]) == 0, capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_no_bug_survives(monkeypatch, capsys):
    """The same program in other words: nothing may claim to have found it."""
    same = Bug(
        name="no-bug",
        breaks="FAIL-1",
        file="core/policy/retries.py",
        old="return runs_ended <= FIXES_MAX",
        new="return not runs_ended > FIXES_MAX",
        by="tests/core/policy/test_limits.py",
    )
    monkeypatch.setattr(tool, "bugs", lambda: [same])
    monkeypatch.setattr(tool, "SUITE", ())
    monkeypatch.setattr(tool, "SEEDS", 1)
    assert tool.main([]) == SURVIVED
    assert "no-bug (FAIL-1, core/policy/retries.py): survived" in capsys.readouterr().out
