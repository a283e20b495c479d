"""The page that lists the controls, held against the code: each row is true, none is missing."""

import re

import pytest

from swarm.regime.controls.decision import Control
from swarm.regime.limits.people import MATRIX
from tree import ROOT, files, text

ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
ROWS = ROW.findall(text(ROOT / "docs" / "CONTROLS.md"))
TESTS = {path.name: text(path) for path in files("tests", ending=".py")}
ROOMS = ("src/swarm", "src/swarm/regime", "src/swarm/adapters/postgres")


@pytest.mark.req("REG-10")
def test_there_are_25_controls_and_the_gate_knows_no_other():
    numbers = [int(number) for number, *_ in ROWS]
    assert numbers == list(range(1, 26))
    assert {one.value for one in Control} - {0} <= set(numbers)


@pytest.mark.req("REG-10")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1][:24].strip()}")
def test_a_control_is_where_the_page_says_and_has_a_test_of_that_name(row):
    _, _, places, proofs = row
    for place in re.findall(r"`([^`]+)`", places):
        assert any((ROOT / room / place).exists() for room in ROOMS), place
    named = re.findall(r"`(\w+\.py)::(\w+)`", proofs)
    assert named
    for file, name in named:
        made = rf"^(async )?def {name}\(|^{name} = |^class {name}\b"
        assert re.search(made, TESTS[file], re.MULTILINE), name


@pytest.mark.req("REG-10")
def test_the_page_says_who_may_do_what():
    page = text(ROOT / "docs" / "CONTROLS.md")
    said = re.findall(r"^\| `([a-z-]+)`: .+ \| ([a-z, ]+) \|$", page, re.MULTILINE)
    found = {act: set(roles.split(", ")) for act, roles in said}
    assert found == {str(act): {str(role) for role in roles} for act, roles in MATRIX.items()}
