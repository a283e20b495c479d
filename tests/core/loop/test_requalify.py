"""From two failures to the lift: frozen, window, proof, and the next mission (FRZ-1 to FRZ-3)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.core.decide import decide
from swarm.core.decision import (
    MarkRequalified,
    Notify,
    OpenMission,
    RunCheck,
    SeeLive,
    SeeMain,
    Settle,
    StartRun,
)
from swarm.core.evidence import (
    CheckEnded,
    CheckResult,
    LiveSeen,
    MainSeen,
    Notified,
    RunEnded,
    RunResult,
)
from swarm.core.ids import evidence_id
from swarm.core.nouns import MissionKind, OutcomeKind
from swarm.testing.builders import NOON, REPO, TARGET, installation, mission, need, snapshot, spec
from swarm.testing.half_way import HOUR, SECOND, hold
from swarm.testing.paper import PaperStore


class Story:
    """A swarm whose agent always fails; main and targets answer as they are told."""

    def __init__(self, *, red=False):
        bound = installation(max_missions=1, need_cooldown=10 * HOUR)
        self.store = PaperStore(world=snapshot(installation=bound), now=NOON, decide=decide)
        self.red = red
        self.asked = []

    def need(self, number):
        self.store.needs[f"n-{number}"] = need(number)
        self.store.woken = True

    def until(self, at):
        """Live on until `at`, each order answered at once."""
        for _ in range(2_000):
            while self.store.is_due():
                self.store.tick()
            rows = [row for row in self.store.claimable() if self.store.begin(row)]
            for row in rows:
                self.store.settle(row, self.answer(row.order))
            if not rows and not self.store.is_due():
                if self.store.due is None or self.store.due > at:
                    self.store.now = at
                    return self
                self.store.now = max(self.store.now, self.store.due)
        raise AssertionError("it never came to rest")

    def answer(self, order):
        self.asked.append(order)
        common = {"id": evidence_id(order.key), "at": self.store.now, "source": "story"}
        match order:
            case StartRun():
                return RunEnded(
                    **common, run=order.run, attempt=order.attempt, result=RunResult.FAILED
                )
            case SeeMain():
                return MainSeen(**common, repo=REPO, commit="main0001")
            case Notify():
                return Notified(**common, channel=order.channel)
            case RunCheck():
                result = CheckResult.RED if self.red else CheckResult.GREEN
                return CheckEnded(**common, check=order.check, commit=order.commit, result=result)
            case SeeLive():
                return LiveSeen(
                    **common, target=order.target, stable="main0001", canary="", healthy=True
                )
        raise AssertionError(order)

    def scopes(self):
        return {hold.mission_class for hold in self.store.world.freezes}


def frozen_class(**over):
    """A swarm whose class `tidy` is frozen after a mission and its repair failed."""
    story = Story(**over)
    story.need(1)
    story.until(NOON + timedelta(seconds=1))
    assert story.scopes() == {"tidy"}
    return story


@pytest.mark.req("FRZ-1")
@pytest.mark.req("FAIL-3")
def test_a_mission_and_its_repair_that_fail_freeze_their_class():
    story = frozen_class()
    kinds = [settle.outcome.counts_as_failure for settle in story.store.ended.values()]
    assert kinds == [True, True]
    runs = [order for order in story.asked if isinstance(order, StartRun)]
    assert len(runs) == 8


@pytest.mark.req("FRZ-2")
@pytest.mark.req("FRZ-3")
def test_the_freeze_lifts_after_its_window_and_its_proof_and_work_goes_on():
    story = frozen_class()
    story.need(2)
    story.until(NOON + HOUR - timedelta(seconds=1))
    assert story.store.missions == {}, "nothing is begun, nothing is proven before the window"
    story.asked.clear()
    story.until(NOON + HOUR + timedelta(seconds=1))
    asked = [type(order).__name__ for order in story.asked]
    assert asked[:5] == ["SeeMain", "RunCheck", "RunCheck", "SeeLive", "StartRun"]
    # And as it is the third failure in a row, with no delivery between, everything freezes.
    assert story.scopes() == {"*"}


@pytest.mark.req("FRZ-3")
def test_while_main_is_red_the_freeze_holds_and_is_tried_once_an_hour():
    story = frozen_class(red=True)
    story.asked.clear()
    story.until(NOON + 5 * HOUR + timedelta(minutes=1))
    assert story.scopes() == {"tidy"}
    tries = [order for order in story.asked if isinstance(order, SeeMain)]
    assert len(tries) == 5
    assert len({order.mission for order in tries}) == 5
    story.red = False
    story.until(NOON + 6 * HOUR + timedelta(minutes=1))
    assert story.scopes() == set()


@pytest.mark.req("FRZ-3")
def test_a_proof_that_a_new_failure_took_away_is_asked_for_again():
    """The freeze was extended; its id stays, and its first try must not stand in the way."""
    story = frozen_class(red=True)
    story.until(NOON + HOUR + timedelta(minutes=1))
    reasons = [settle.outcome.reason for settle in story.store.ended.values()]
    assert reasons[-1] == "RequiredCheckRed"
    (hold,) = story.store.world.freezes
    story.store.freeze(replace(hold, id="f-2", cause="alice", until=NOON + 3 * HOUR))
    story.red = False
    story.until(NOON + 3 * HOUR - timedelta(seconds=1))
    assert story.scopes() == {"tidy"}
    story.until(NOON + 3 * HOUR + timedelta(seconds=1))
    assert story.scopes() == set()
    *_, proof = story.store.ended.values()
    assert (proof.outcome.kind, proof.outcome.reason) == (OutcomeKind.DELIVERED, "Requalified")


def extend(story, until):
    """A person freezes the scope once more."""
    (hold,) = story.store.world.freezes
    story.store.freeze(replace(hold, id="f-2", cause="alice", until=until))


def under_way(until):
    """A frozen class whose requalification has begun and waits for main to be seen."""
    story = frozen_class()
    story.store.change(freezes=tuple(replace(h, until=until) for h in story.store.world.freezes))
    story.store.now = NOON + HOUR
    story.store.tick()
    (proof,) = story.store.missions.values()
    assert proof.kind is MissionKind.REQUALIFY
    story.store.now += timedelta(minutes=10)
    return story, proof


@pytest.mark.req("FRZ-3")
def test_a_proof_under_way_does_not_count_for_a_freeze_that_was_extended_meanwhile():
    """What it sees may be from before whatever froze the scope once more."""
    story, proof = under_way(NOON + HOUR)
    extend(story, NOON + 3 * HOUR)
    story.until(NOON + 3 * HOUR - timedelta(seconds=1))
    (hold,) = story.store.world.freezes
    assert hold.requalified is None
    outcome = story.store.ended[proof.id].outcome
    assert (outcome.kind, outcome.reason) == (OutcomeKind.FAILED, "Frozen")
    assert not outcome.counts_as_failure
    story.until(NOON + 3 * HOUR + timedelta(seconds=1))
    assert story.scopes() == set()


@pytest.mark.req("FRZ-3")
def test_an_open_ended_freeze_that_is_extended_is_proven_anew_at_once():
    """Its window says nothing of it; a person who wants to resume need not wait for a round."""
    story, proof = under_way(None)
    extend(story, None)
    story.store.now += timedelta(seconds=1)
    story.until(story.store.now + timedelta(seconds=1))
    (hold,) = story.store.world.freezes
    assert hold.requalified not in {None, proof.id}


@pytest.mark.req("FRZ-3")
def test_a_token_that_policy_asks_for_keeps_a_proven_freeze_closed():
    story = frozen_class()
    held = tuple(replace(hold, needs_token=True) for hold in story.store.world.freezes)
    story.store.change(freezes=held)
    story.until(NOON + 5 * HOUR)
    (hold,) = story.store.world.freezes
    assert hold.requalified is not None
    story.store.change(freezes=(replace(hold, needs_token=False),))
    story.until(NOON + 5 * HOUR + timedelta(seconds=1))
    assert story.scopes() == set()


@pytest.mark.req("LOOP-1")
@pytest.mark.req("API-7")
def test_a_frozen_swarm_with_nothing_to_do_is_quiet():
    """It wakes for the window and the rounds, and for nothing else."""
    story = frozen_class(red=True)
    before = story.store.ticks
    story.until(NOON + 5 * HOUR + timedelta(minutes=1))
    rounds = 5
    assert story.store.ticks - before <= rounds * 8
    kinds = {m.kind for m in story.store.missions.values()}
    assert kinds <= {MissionKind.REQUALIFY}
    assert not any(isinstance(record, OpenMission) for record, _ in story.store.refused)


def proving(*, healthy=True, freeze="f-1", **over):
    """A requalification whose checks are green and whose target answered."""
    facts = (
        MainSeen(id="e-0", at=NOON, repo=REPO, commit="main0001"),
        CheckEnded(
            id="e-1", at=NOON, check="lint", commit="main0001", result=CheckResult.GREEN
        ),
        LiveSeen(id="e-2", at=NOON, target=TARGET, stable="main0001", canary="", healthy=healthy),
    )  # fmt: skip
    me = mission(7, kind=MissionKind.REQUALIFY, need=None, freeze=freeze, facts=facts)
    delivery = {"repoAllowlist": [REPO], "requiredChecks": ["lint"], "deploymentTargets": [TARGET]}
    one = replace(me, contract=replace(me.contract, checks=("lint",)))
    return decide(snapshot(missions=(one,), spec=spec(delivery=delivery), **over))


@pytest.mark.req("FRZ-3")
@pytest.mark.parametrize(
    ("healthy", "kind", "marked"),
    [(True, OutcomeKind.DELIVERED, ["f-1"]), (False, OutcomeKind.FAILED, [])],
)
def test_a_target_that_is_not_healthy_proves_nothing(healthy, kind, marked):
    plan = proving(healthy=healthy)
    assert [r.outcome.kind for r in plan.records if isinstance(r, Settle)] == [kind]
    assert [r.freeze for r in plan.records if isinstance(r, MarkRequalified)] == marked


@pytest.mark.req("FRZ-3")
@pytest.mark.parametrize(
    ("frozen", "kind"),
    [
        pytest.param({"since": NOON + SECOND}, OutcomeKind.FAILED, id="frozen-anew-meanwhile"),
        pytest.param({"since": NOON}, OutcomeKind.DELIVERED, id="it-began-with-its-freeze"),
        pytest.param({"extended": NOON}, OutcomeKind.FAILED, id="extended-as-it-began"),
        pytest.param({"extended": NOON - SECOND}, OutcomeKind.DELIVERED, id="extended-before"),
    ],
)
def test_a_proof_counts_only_for_what_was_frozen_before_it_began(frozen, kind):
    """A freeze has begun before its own proof; an extension of the same instant may be newer."""
    plan = proving(freezes=(hold(**{"until": None, **frozen}),), now=NOON + 2 * SECOND)
    assert [r.outcome.kind for r in plan.records if isinstance(r, Settle)] == [kind]
    marked = [r for r in plan.records if isinstance(r, MarkRequalified)]
    assert bool(marked) is (kind is OutcomeKind.DELIVERED)


def test_a_proof_that_no_freeze_asked_for_marks_none():
    plan = proving(freeze=None)
    assert [r.outcome.kind for r in plan.records if isinstance(r, Settle)] == [
        OutcomeKind.DELIVERED
    ]
    assert [r for r in plan.records if isinstance(r, MarkRequalified)] == []
