"""A short crash run, judged by the history checker over what the outside recorded."""

import ast
from collections import Counter

import pytest

import crash

pytestmark = [
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.timeout(590),
    pytest.mark.req("OWN-3", "OWN-4", "LOOP-11", "FAIL-5"),
]


def test_a_minute_of_kills_loses_and_doubles_nothing(capsys):
    code = crash.main(["--minutes", "1", "--seed", "11"])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "0 lost, 0 doubled, 0 promises broken" in said
    kills = int(said.partition(" controller kills")[0].rpartition("\n")[2])
    database_kills = int(said.partition(" database kills")[0].rpartition(" ")[2])
    assert kills >= 20, said
    assert database_kills >= 3, said
    assert "never" not in said, said
    assert "not examined: risk\n" in said, said  # nobody there does R3
    outcomes = Counter(ast.literal_eval(said.partition(" needs told: ")[2].partition(";")[0]))
    assert outcomes["delivered"] >= 0.9 * outcomes.total() > 10, said
