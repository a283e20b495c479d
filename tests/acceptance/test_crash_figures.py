"""The crash run's own figures: when the first order is claimed, and whether enough happened."""

from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import psycopg
import pytest

import crash
import crash_journals
import crash_proof
from swarm.core.history.finding import Judgement, Rule

pytestmark = pytest.mark.req("FAIL-6")
NOW = 1_800_000_000.0


@pytest.fixture
def told(monkeypatch):
    """A database that answers what a test says, and a clock that it turns."""
    told = SimpleNamespace(fence=None, due=True, at=NOW, fails=None)

    @contextmanager
    def connect(*_, **__):
        if told.fails:
            raise told.fails
        row = SimpleNamespace(fetchone=lambda: (told.fence, told.due))
        yield SimpleNamespace(execute=lambda *_: row)

    monkeypatch.setattr(crash.psycopg, "connect", connect)
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


def test_a_database_that_never_answered_is_not_one_where_nothing_was_due(told):
    told.fails = psycopg.OperationalError("the database system is starting up")
    tally = recovered(told, after=9.0)
    assert (tally.back, tally.alive, tally.quiet, tally.silent) == ([], [], 0, 1)


def test_what_this_tool_asks_wrongly_is_no_outage(told):
    told.fails = psycopg.errors.UndefinedColumn("no column due_at")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        recovered(told, after=9.0)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        crash.ended(SimpleNamespace(dsn=""))


def test_a_target_that_keeps_its_orders_elsewhere_is_no_target_without_orders(tmp_path):
    services = tmp_path / crash_journals.TARGET / "service"
    watcher = crash_journals.Watcher(SimpleNamespace(home=SimpleNamespace(services=tmp_path)))
    assert watcher.done() == []
    services.mkdir(parents=True)
    (services / "state.json").write_text('{"carried_out": []}')
    with pytest.raises(KeyError):
        watcher.done()


KILLED = {"asked": (50, 5), "kills": 40, "pauses": 1, "database_kills": 5}
OUTSIDE = Counter({"run": 30, "land": 30, "sync": 6, "promote": 6})


@pytest.mark.parametrize(
    ("killed", "outcomes", "outside", "said"),
    [
        pytest.param(KILLED, ["delivered"] * 19 + ["failed"], OUTSIDE, [], id="enough"),
        pytest.param({**KILLED, "kills": 29}, ["delivered"], OUTSIDE,
                     ["29 controllers were killed, and 30 is the least"], id="few-killed"),
        pytest.param({**KILLED, "pauses": 0}, ["delivered"], OUTSIDE,
                     ["no controller was paused beyond its lease"], id="nobody-paused"),
        pytest.param({**KILLED, "database_kills": 2}, ["delivered"], OUTSIDE,
                     ["the database was killed 2 times, and 3 is the least"],
                     id="database-left-alone"),
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


@pytest.mark.parametrize(
    ("minutes", "every", "asked", "least"),
    [
        pytest.param(10, (1.0, 10.0), (500, 50), (300, 30), id="the-goals"),
        pytest.param(1, (1.0, 10.0), (50, 5), (30, 3), id="a-minute"),
        pytest.param(10, (5.0, 60.0), (100, 8), (60, 4), id="slower-on-purpose"),
        pytest.param(0.01, (1.0, 10.0), (1, 1), (1, 1), id="never-none"),
    ],
)
def test_kills_are_asked_for_in_proportion_to_the_minutes(minutes, every, asked, least):
    assert crash_proof.asked(minutes, every) == asked
    assert crash_proof.slowly(asked) == least


LOOKED = {rule: 9 for rule in Rule if rule is not Rule.RISK}  # nobody there does R3


@pytest.mark.parametrize(
    ("claimed", "examined", "unjudged", "unseen", "said"),
    [
        pytest.param(3, LOOKED, {}, [], [], id="enough"),
        pytest.param(2, LOOKED, {}, [],
                     ["a first order was seen to be claimed after 2 of 5 kills of the database"],
                     id="recoveries-unseen"),
        pytest.param(3, {**LOOKED, Rule.GATES: 0}, {}, [],
                     ["nothing was there to be examined for gates"], id="gates-unexamined"),
        pytest.param(3, LOOKED, {Rule.MODE: 7}, [],
                     ["the log does not say what mode asks, 7 times"], id="mode-unjudged"),
        pytest.param(3, LOOKED, {}, ["m-1/land/c1"],
                     ["nobody saw when 1 things happened, such as m-1/land/c1"], id="no-watch"),
    ],
)  # fmt: skip
def test_a_run_whose_checks_saw_nothing_is_not_green(claimed, examined, unjudged, unseen, said):
    tally = crash.Tally(**KILLED, alive=[0.5] * claimed, unseen=unseen)
    judgement = Judgement(violations=(), examined=examined, unjudged=unjudged)
    assert list(crash_proof.blind(tally, judgement)) == said


def test_somebody_is_paused_however_short_a_run_is():
    """Drawn alone, one in ten runs of a minute would pause nobody."""
    sent = []
    site = SimpleNamespace(send=lambda _, number: sent.append(number) or True)
    dice = SimpleNamespace(choice=lambda seats: seats[0], random=lambda: 0.9, uniform=lambda *_: 9)
    harm = crash.Harm(site, crash.Tally(), dice, (1.0, 10.0))
    for _ in range(crash.FIRST_PAUSE + 5):
        harm._somebody(NOW)
    assert sent.count(crash.signal.SIGSTOP) == 1
    assert sent.index(crash.signal.SIGSTOP) == crash.FIRST_PAUSE
