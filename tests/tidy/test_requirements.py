"""Every numbered requirement has a test that carries its number; no test carries a number of none.

`python tests/tidy/test_requirements.py` prints the table of requirements and their tests.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

TESTS = Path(__file__).parents[1]
_MARK = re.compile(r"mark\.req\(\s*\"([A-Z]+-\d+)\"")

#: How many requirements each family has.
FAMILIES = {
    "API": 10, "OWN": 4, "LOOP": 11, "MODE": 6, "GATE": 6, "FRZ": 5, "FAIL": 7, "VAL": 6, "REG": 10,
}  # fmt: skip
#: Families whose rooms are still being built: their tests are looked at, not asked for.
BUILDING = {"REG"}


def known() -> list[str]:
    """Every requirement's number."""
    return [f"{family}-{one}" for family, most in FAMILIES.items() for one in range(1, most + 1)]


def proofs(folder: Path) -> Mapping[str, Sequence[str]]:
    """Requirement -> the test files that carry its number."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for number in sorted(set(_MARK.findall(path.read_text(encoding="utf-8")))):
            found[number].append(str(path.relative_to(folder)))
    return found


def unproven(folder: Path) -> list[str]:
    """Requirements that no test carries."""
    there = proofs(folder)
    asked = (number for number in known() if number.partition("-")[0] not in BUILDING)
    return [number for number in asked if number not in there]


def invented(folder: Path) -> list[str]:
    """Numbers that tests carry and no requirement has."""
    return sorted(set(proofs(folder)) - set(known()))


def test_every_requirement_has_a_test():
    assert unproven(TESTS) == []


def test_no_test_proves_a_requirement_that_is_none():
    assert invented(TESTS) == []


def test_a_hole_and_an_invention_are_seen(tmp_path):
    said = "".join(f'@pytest.mark.req("{number}")\n' for number in ("GATE-1", "GATE-9"))
    (tmp_path / "test_some.py").write_text(said)
    assert "GATE-1" not in unproven(tmp_path)
    assert "GATE-2" in unproven(tmp_path)
    assert invented(tmp_path) == ["GATE-9"]


if __name__ == "__main__":
    table = proofs(TESTS)
    for number in known():
        print(f"{number:<8} {', '.join(table.get(number, ())) or '-'}")  # noqa: T201
