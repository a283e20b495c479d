"""The crash run's own figures: when the first order is claimed, and whether enough happened."""

from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

import crash

pytestmark = pytest.mark.req("FAIL-6")
NOW = 1_800_000_000.0


@pytest.fixture
def told(monkeypatch):
    """A database that answers what a test says, and a clock that it turns."""
    told = SimpleNamespace(fence=None, due=True, at=NOW)

    @contextmanager
    def connect(*_, **__):
        row = SimpleNamespace(fetchone=lambda: (told.fence, told.due))
        yield SimpleNamespace(execute=lambda *_: row)

    monkeypatch.setattr(crash, "psycopg", SimpleNamespace(connect=connect, Error=OSError))
    monkeypatch.setattr(crash, "time", SimpleNamespace(time=lambda: told.at))
    return told


def recovered(told, *, after, alone=NOW):
    """A tally after a kill, a first answer at once, and another look so much later."""
    tally = crash.Tally()
    recovery = crash.Recovery(SimpleNamespace(dsn=""), tally)
    recovery.begin()
    recovery.look(alone)
    told.at += after
    recovery.look(alone)
    recovery.begin()
    return tally


def test_an_order_that_was_due_and_never_claimed_until_the_next_kill_is_late(told):
    tally = recovered(told, after=9.0)
    assert (tally.alive, tally.quiet) == ([9.0], 0)
    assert tally.late == ["9.00 s with a controller, and none was claimed"]


@pytest.mark.parametrize(
    ("due", "after", "alone"),
    [
        pytest.param(False, 9.0, NOW, id="nothing-was-due"),
        pytest.param(True, 4.0, NOW, id="killed-again-too-soon"),
        pytest.param(True, 9.0, NOW + 5, id="no-controller-was-left-alone"),
    ],
)
def test_what_could_not_have_been_claimed_in_time_is_no_figure(told, due, after, alone):
    told.due = due
    tally = recovered(told, after=after, alone=alone)
    assert (tally.alive, tally.late, tally.quiet) == ([], [], 1)


def test_a_claim_is_counted_once(told):
    told.fence = int((NOW + 0.5) * 1e6)
    tally = recovered(told, after=9.0)
    assert (tally.alive, tally.late, tally.quiet) == ([0.5], [], 0)


KILLED = {"kills": 40, "database_kills": 5}
OUTSIDE = Counter({"run": 30, "land": 30, "sync": 6, "promote": 6})


@pytest.mark.parametrize(
    ("killed", "outcomes", "outside", "said"),
    [
        pytest.param(KILLED, ["delivered"] * 19 + ["failed"], OUTSIDE, [], id="enough"),
        pytest.param({**KILLED, "kills": 0}, ["delivered"], OUTSIDE, ["no controller was killed"],
                     id="nobody-killed"),
        pytest.param({**KILLED, "database_kills": 0}, ["delivered"], OUTSIDE,
                     ["the database was never killed"], id="database-left-alone"),
        pytest.param(KILLED, [], OUTSIDE, ["0 of 0 needs were delivered"], id="nothing-asked"),
        pytest.param(KILLED, ["failed"] * 20, OUTSIDE, ["0 of 20 needs were delivered"],
                     id="all-failed"),
        pytest.param(KILLED, ["delivered"], Counter({"run": 1, "land": 1}),
                     ["outside nobody saw any sync, promote"], id="journal-unread"),
    ],
)  # fmt: skip
def test_a_run_in_which_too_little_happened_is_not_green(killed, outcomes, outside, said):
    known = {f"C-{number}": outcome for number, outcome in enumerate(outcomes)}
    assert list(crash.unproved(crash.Tally(**killed), known, outside)) == said
