"""Learning: what one ending changes in the next ranking, and how far it may go (LOOP-10, T20)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.core.decide import decide
from swarm.core.decision import Learn, OpenFreeze, OpenMission, Settle
from swarm.core.loop import learn
from swarm.core.nouns import MissionKind, Outcome, OutcomeKind
from swarm.core.policy import ranking
from swarm.core.snapshot import AgentBinding
from swarm.testing.builders import NOON, installation, mission, need, snapshot

HOUR = timedelta(hours=1)


def ending(kind=OutcomeKind.DELIVERED, reason="Delivered", *, counts=False):
    outcome = Outcome(
        kind=kind, reason=reason, detail="why", at=NOON, attempts=1, cost=0,
        counts_as_failure=counts,
    )  # fmt: skip
    return Settle(mission="m-1", outcome=outcome, need_done=kind is OutcomeKind.DELIVERED)


GOOD = ending()
BAD = ending(OutcomeKind.FAILED, "RetriesSpent", counts=True)
NEUTRAL = ending(OutcomeKind.REJECTED, "Rejected")


def lesson(settle, me=None, **over):
    return learn.from_ending(settle, me or mission(1, sources=("feed",)), snapshot(**over))


def numbers(settle, me=None, **over):
    found = [r for r in lesson(settle, me, **over).records if isinstance(r, Learn)]
    return (dict(found[0].class_bias), dict(found[0].source_trust)) if found else None


@pytest.mark.req("LOOP-10")
@pytest.mark.parametrize(
    ("settle", "bias", "trust"),
    [(GOOD, 0.2, 1.05), (BAD, -0.2, 0.85)],
    ids=["delivered", "failed"],
)
def test_one_outcome_moves_class_and_source_by_a_fifth_of_the_way(settle, bias, trust):
    assert numbers(settle) == ({"tidy": bias}, {"feed": trust})


@pytest.mark.req("FAIL-5")
def test_an_ending_says_what_a_run_that_it_cuts_off_is_charged():
    costly = installation(agents=(AgentBinding(name="tidy", cost=70), AgentBinding(name="other")))
    assert lesson(NEUTRAL, mission(1, agent="tidy"), installation=costly).settle.run_cost == 70
    assert lesson(NEUTRAL, mission(1, agent="gone"), installation=costly).settle.run_cost == 0


@pytest.mark.req("LOOP-10")
@pytest.mark.parametrize(
    "settle", [NEUTRAL, ending(OutcomeKind.FAILED, "MainIsRed")], ids=["a-persons-no", "uncounted"]
)
def test_what_is_nobodys_failure_teaches_nothing(settle):
    assert numbers(settle) is None


@pytest.mark.req("LOOP-10")
def test_a_requalification_teaches_nothing():
    assert numbers(GOOD, mission(1, kind=MissionKind.REQUALIFY)) is None


@pytest.mark.req("LOOP-10")
@settings(max_examples=50)
@given(goods=st.lists(st.booleans(), max_size=60))
def test_no_history_silences_a_class_or_a_source(goods):
    """T20: memory is clipped, whatever was written into it."""
    known = snapshot(class_bias=(("tidy", 0.0),), source_trust=(("feed", 1.0),))
    for good in goods:
        known = learn.from_ending(GOOD if good else BAD, mission(1, sources=("feed",)), known).known
    assert abs(dict(known.class_bias)["tidy"]) <= ranking.BIAS_MAX
    assert 0.25 <= dict(known.source_trust)["feed"] <= 1.25


@pytest.mark.req("LOOP-10")
def test_the_next_ranking_reflects_the_outcome():
    """Before, the older need leads; after its class failed, the other one does."""
    needs = (need(2, mission_class="tidy", first_seen=NOON - HOUR), need(3, mission_class="docs"))
    before = snapshot(needs=needs, installation=installation(max_missions=1))

    def first(snap):
        opened = [r for r in decide(snap).records if isinstance(r, OpenMission)]
        return opened[0].need, dict(opened[0].rank_terms)["learned"]

    assert first(before) == ("n-2", 0.0)
    bias, _ = numbers(BAD)
    after = replace(before, class_bias=tuple(bias.items()))
    assert first(after) == ("n-3", 0.0)


@pytest.mark.req("MODE-4")
@pytest.mark.parametrize(
    ("reason", "counts", "repairs"),
    [
        ("RetriesSpent", True, 1),
        ("ArtifactRefused", True, 1),
        ("ArtifactRefused", False, 0),
        ("CanaryFailed", True, 1),
        ("CanaryUndecided", True, 1),
        ("SyncFailed", True, 1),
        ("SloRegressed", True, 1),
        ("OrderRefused", True, 1),
        ("OrderRefused", False, 0),
        ("ChangeRefused", True, 0),
        ("RunProducedNothing", True, 0),
        ("MainIsRed", False, 0),
        ("Cancelled", False, 0),
    ],
)
def test_a_gate_failure_opens_one_repair_that_takes_the_need_over(reason, counts, repairs):
    found = lesson(ending(OutcomeKind.ROLLED_BACK, reason, counts=counts))
    opened = [r for r in found.records if isinstance(r, OpenMission)]
    assert len(opened) == repairs
    assert all(r.parent == "m-1" and r.need == "n-1" for r in opened)
    if repairs:
        assert found.settle.retry_need_at == NOON


@pytest.mark.req("GATE-6")
def test_a_regression_after_full_exposure_freezes_the_class_at_once():
    found = lesson(ending(OutcomeKind.ROLLED_BACK, "SloRegressed", counts=True))
    (frozen,) = (r.freeze for r in found.records if isinstance(r, OpenFreeze))
    assert (frozen.mission_class, frozen.reason) == ("tidy", "SloRegressed")
    assert frozen.until == NOON + HOUR


@pytest.mark.req("VAL-4")
def test_shadow_mode_writes_a_recommendation_down_and_reserves_nothing():
    snap = snapshot(needs=(need(1),), shadow=True)
    opened, settled = decide(snap).records
    assert isinstance(opened, OpenMission)
    assert opened.reserve == 0
    assert settled.outcome.kind is OutcomeKind.RECOMMENDED
    assert settled.retry_need_at == NOON + snap.installation.need_cooldown
    assert decide(snap).orders == ()
