"""What becomes of agents at work when their budget's window is overdrawn (FAIL-5)."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from swarm.core.decide import decide
from swarm.core.decision import OpenFreeze, OpenMission, Settle
from swarm.core.nouns import OutcomeKind
from swarm.core.reasons import Reason
from swarm.core.snapshot import AgentBinding, Budget
from swarm.testing.builders import NOON, installation, need, snapshot
from swarm.testing.half_way import Evidence
from swarm.testing.paper import PaperStore
from swarm.testing.states import State, build, work

pytestmark = pytest.mark.req("FAIL-5")

ENDS = NOON + timedelta(hours=5)
WORK = [State(**stage) for stage in work()]
NOT_AT_WORK = [state for state in WORK if state.run != "open"]


def named(state):
    """A state by what makes it unlike the one that is about to land."""
    told = {f.name: getattr(state, f.name) for f in fields(state)}
    return ",".join(f"{k}={v}" for k, v in told.items() if v != getattr(State(), k)) or "green"


def window(when_spent, left=-1):
    return Budget(
        name="b", cap=100, reserved=0, spent=100 - left, window_ends=ENDS, when_spent=when_spent
    )


def within(snap, budget, cost=100):
    """The same, paid from this window by an agent of that cost."""
    bound = replace(snap.installation, agents=(AgentBinding(name="tidy", cost=cost),))
    return replace(snap, installation=bound, budget=budget)


def ended(snap):
    return [record for record in decide(snap).records if isinstance(record, Settle)]


@pytest.mark.parametrize("fixes", [0, 1, 3])
def test_a_mission_whose_agent_is_at_work_ends_uncounted_until_the_window_turns(fixes):
    snap = within(build(State(run="open", fixes=fixes)), window("stop", left=-7))
    (settle,) = ended(snap)
    outcome = settle.outcome
    assert (outcome.kind, outcome.reason, outcome.counts_as_failure, outcome.detail) == (
        OutcomeKind.REFUSED,
        Reason.BUDGET_EXHAUSTED,
        False,
        "stopped at work: b is overdrawn by 7 micro-units",
    )
    assert (settle.need_done, settle.retry_need_at, settle.deny) == (False, ENDS, ())
    assert settle.run_cost == 100, (
        "what the run was to cost is charged, though nobody hears its end"
    )
    assert decide(snap).orders == ()
    others = (record for record in decide(snap).records if record is not settle)
    assert not [r for r in others if isinstance(r, OpenFreeze | OpenMission)], (
        "no repair, no freeze"
    )


@pytest.mark.parametrize(
    ("budget", "cost"),
    [
        pytest.param(window("finish"), 100, id="the-budget-lets-it-finish"),
        pytest.param(window("stop", left=0), 100, id="spent-to-the-last"),
        pytest.param(None, 100, id="no-budget-is-bound"),
        pytest.param(window("stop"), 0, id="an-agent-that-costs-nothing"),
    ],
)
@pytest.mark.parametrize("frozen", ["no", "class"])
def test_it_is_let_finish_else(budget, cost, frozen):
    snap = within(build(State(run="open", frozen=frozen)), budget, cost)
    assert ended(snap) == []
    ((_, stands),) = decide(snap).standings
    assert stands.reason == Reason.RUN_PENDING


def test_a_budget_lets_finish_unless_it_is_told_otherwise():
    """Nobody's running work is ended by an update of the program alone."""
    told = {"name": "b", "cap": 1, "reserved": 0, "spent": 9, "window_ends": ENDS}
    assert Budget(**told).when_spent == "finish"


def test_an_agent_that_nobody_binds_any_more_is_stopped_as_well():
    """Nobody knows what it costs, and that is no permission to spend."""
    snap = build(State(run="open"))
    snap = replace(snap, installation=installation(agents=()), budget=window("stop"))
    assert [settle.outcome.reason for settle in ended(snap)] == [Reason.BUDGET_EXHAUSTED]


def test_an_agent_that_costs_anything_at_all_is_stopped():
    assert ended(within(build(State(run="open")), window("stop"), cost=1))


def test_what_has_landed_is_watched_to_its_end_though_an_agent_is_still_at_work():
    """However it came to that: its end would leave a commit on main that nobody takes back."""
    snap = within(build(State(run="open", fixes=1)), window("stop"))
    (me,) = snap.missions
    landed = replace(me, facts=(*me.facts, *Evidence().landed().facts), version=99)
    assert ended(snap)
    assert ended(replace(snap, missions=(landed,))) == []


@pytest.mark.parametrize("state", NOT_AT_WORK, ids=named)
def test_only_an_agent_at_work_is_stopped_and_never_what_has_landed(state):
    """Checks, landings, rollouts and rollbacks cost the budget nothing."""
    finish, stop = (within(build(state), window(word)) for word in ("finish", "stop"))
    assert (decide(stop).orders, decide(stop).records) == (
        decide(finish).orders,
        decide(finish).records,
    )


class Life:
    """One mission on paper whose agent is at work, and others who spend from the same budget."""

    def __init__(self, when_spent):
        bound = installation(agents=(AgentBinding(name="tidy", cost=10),), max_missions=1)
        budget = Budget(
            name="b", cap=100, reserved=0, spent=0, window_ends=ENDS, when_spent=when_spent
        )
        world = snapshot(installation=bound, budget=budget)
        self.store = PaperStore(world=world, now=NOON, decide=decide)
        self.store.needs["n-1"] = need(1)
        self.live()
        (self.row,) = self.store.claimable()
        assert self.store.begin(self.row)

    def live(self):
        self.store.woken = True
        while self.store.is_due():
            self.store.tick()

    def overdrawn(self):
        """Somebody else of the same budget spends more than there is."""
        window = self.store.world.budget
        self.store.world = replace(self.store.world, budget=replace(window, spent=90))
        self.live()


def test_a_stopped_run_is_charged_and_its_need_is_taken_up_in_the_next_window():
    life = Life("stop")
    life.overdrawn()
    (outcome,) = [settle.outcome for settle in life.store.ended.values()]
    assert (outcome.reason, outcome.cost) == (Reason.BUDGET_EXHAUSTED, 10)
    window = life.store.world.budget
    assert (window.reserved, window.spent) == (0, 100)
    assert life.store.orders == {}, "nobody waits for its answer"
    life.store.now = ENDS - timedelta(seconds=1)
    life.live()
    assert life.store.missions == {}
    life.store.now = ENDS
    fresh = replace(window, spent=0, window_ends=ENDS + timedelta(hours=5))
    life.store.turn_window(fresh)
    life.live()
    assert len(life.store.missions) == 1


def test_a_budget_may_be_told_to_stop_while_agents_are_at_work():
    life = Life("finish")
    life.overdrawn()
    assert life.store.ended == {}
    life.store.turn_window(replace(life.store.world.budget, when_spent="stop"))
    life.store.world = replace(life.store.world, policy_hash="with-other-terms")
    life.live()
    assert len(life.store.ended) == 1
