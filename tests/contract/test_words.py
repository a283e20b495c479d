"""Phases, conditions and errors; and what may be imported without paying for pydantic."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import swarm.contract.errors as errors_module
from swarm.contract.conditions import ConditionType
from swarm.contract.errors import Problem, SwarmError
from swarm.contract.status import Phase

CONTRACT = Path(errors_module.__file__).parent


@pytest.mark.req("API-6")
def test_the_phases_are_those_of_the_document():
    assert [phase.value for phase in Phase] == [
        *("Idle", "Discovering", "Planning", "Implementing", "Verifying", "Frozen", "Degraded")
    ]


@pytest.mark.req("API-6")
def test_the_conditions_are_those_of_the_requirement():
    assert {condition.value for condition in ConditionType} >= {
        *("Ready", "Progressing", "Stalled", "DiscoveryHealthy", "BudgetAvailable"),
        *("Frozen", "Degraded", "DependenciesReady"),
    }


@pytest.mark.parametrize("name", ["status.py", "conditions.py", "choices.py"])
def test_every_member_of_a_closed_list_has_its_sentence(name):
    source = (CONTRACT / name).read_text("utf-8")
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            members = [part for part in node.body if isinstance(part, ast.Assign)]
            assert members
            assert all("  #: " in lines[member.lineno - 1] for member in members)


def test_errors_of_the_contract_have_their_own_codes_and_a_remedy():
    own = [
        kind
        for kind in vars(errors_module).values()
        if isinstance(kind, type) and issubclass(kind, SwarmError)
    ]
    codes = [kind.code for kind in own]
    assert len(codes) == len(set(codes))
    assert all(kind.remedy.endswith(".") for kind in own)
    assert all(code.startswith(("SWM00", "SWM1")) for code in codes)


def test_a_problem_reads_as_where_what_and_remedy():
    problem = Problem(path="spec.mode", wrong="it is missing", right="write it", line=7)
    assert str(problem) == "spec.mode (line 7): it is missing; write it"
    assert str(Problem(path="", wrong="a", right="b")) == "the document: a; b"


@pytest.mark.parametrize(
    "module", ["status", "conditions", "choices", "duration", "errors", "verdict", "tree"]
)
def test_a_verb_that_only_reads_does_not_pay_for_pydantic(module):
    """`swarmctl get` has 150 ms of processor time in all, and pydantic alone takes most of it."""
    program = (
        f"import sys, swarm.contract.{module};"
        "sys.exit(bool({'pydantic', 'yaml', 'jsonschema'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_manifest_is_checked_without_the_words_for_errors():
    program = (
        "import sys; from swarm.contract.validate import load_swarms;"
        "print(*sorted(m for m in sys.modules if m in {'difflib', 'yaml', 'pydantic_settings',"
        " 'swarm.contract.problems', 'swarm.contract.schema', 'swarm.contract.crd'}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert shown.stdout.split() == []
