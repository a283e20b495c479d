"""Learning: what one ending changes in the next ranking, and how far it may go (LOOP-10, T20)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.core.decide import decide
from swarm.core.decision import Learn, OpenMission, Settle
from swarm.core.evidence import Landed, Promoted, Synced
from swarm.core.findings import read
from swarm.core.holds import Holds
from swarm.core.ids import EvidenceId
from swarm.core.loop import learn
from swarm.core.nouns import MissionKind, Outcome, OutcomeKind, Settled
from swarm.core.policy import ranking
from swarm.core.snapshot import AgentBinding, Budget
from swarm.testing.builders import NOON, REPO, TARGET, installation, mission, need, snapshot

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


@pytest.mark.req("VAL-4")
def test_shadow_mode_writes_a_recommendation_down_and_reserves_nothing():
    snap = snapshot(needs=(need(1),), shadow=True)
    opened, settled, gate = decide(snap).records
    assert isinstance(opened, OpenMission)
    assert opened.reserve == 0
    assert settled.outcome.kind is OutcomeKind.RECOMMENDED
    assert settled.retry_need_at == NOON + snap.installation.need_cooldown
    assert (gate.mission, gate.gate, gate.verdict.reason) == (
        opened.id, "discovery_quality", "EnoughEvidence",
    )  # fmt: skip
    assert decide(snap).orders == ()


@pytest.mark.req("VAL-4")
def test_a_recommendation_cost_nothing_and_tried_nothing():
    plan = decide(snapshot(needs=(need(1),), shadow=True))
    (opened,) = (r for r in plan.records if isinstance(r, OpenMission))
    (settle,) = (r for r in plan.records if isinstance(r, Settle))
    assert opened.reserve == 0
    told = settle.outcome
    assert (told.kind, told.attempts, told.cost) == (OutcomeKind.RECOMMENDED, 0, 0)
    assert (settle.need_done, told.counts_as_failure) == (False, False)
    assert settle.retry_need_at == NOON + 6 * HOUR


@pytest.mark.req("LOOP-10")
def test_what_was_learned_fades_towards_the_last_outcomes_and_is_kept_to_six_digits():
    before = {"class_bias": (("tidy", 0.1234567),), "source_trust": (("feed", 0.7654321),)}
    assert numbers(GOOD, **before) == ({"tidy": 0.298765}, {"feed": 0.862346})


@pytest.mark.req("FAIL-5")
@pytest.mark.parametrize(
    ("cost", "reserved", "left", "repaired"),
    [
        pytest.param(10, 0, 40, True, id="the-window-carries-four-runs"),
        pytest.param(10, 0, 39, False, id="the-window-does-not"),
        pytest.param(10, 30, 10, True, id="what-the-failed-one-held-comes-free"),
        pytest.param(10, 30, 9, False, id="and-no-more-than-that"),
        pytest.param(0, 0, -1, True, id="it-costs-nothing"),
    ],
)
def test_a_repair_is_paid_for_from_what_the_window_has_left(cost, reserved, left, repaired):
    me = mission(1, agent="tidy", reserved=reserved)
    bound = installation(agents=(AgentBinding(name="tidy", cost=cost),))
    window = Budget(name="b", cap=1_000, reserved=1_000 - left, spent=0, window_ends=NOON + HOUR)
    found = lesson(BAD, me, installation=bound, budget=window)
    (repair,) = [r for r in found.records if isinstance(r, OpenMission)] or (None,)
    assert (repair is not None) is repaired
    if repair is not None:
        assert repair.reserve == 4 * cost
        assert found.known.budget.reserved == window.reserved + 4 * cost - reserved


@pytest.mark.req("FAIL-5")
def test_a_repair_for_an_agent_that_is_gone_reserves_nothing():
    gone = lesson(BAD, mission(1, agent="gone"))
    assert [r.reserve for r in gone.records if isinstance(r, OpenMission)] == [0]


@pytest.mark.req("FRZ-4", "FAIL-2")
def test_the_owner_hears_at_once_what_was_taken_back_and_what_is_frozen():
    """At three in the morning nobody looks; a channel may wake somebody."""
    back = ending(OutcomeKind.ROLLED_BACK, "CanaryFailed", counts=True)
    row = tuple(
        Settled(
            mission=f"m-{n}", mission_class="tidy", kind=MissionKind.DELIVER, at=NOON, repo=REPO,
            outcome=OutcomeKind.FAILED, counts_as_failure=True,
        )
        for n in (7, 8)
    )  # fmt: skip
    first, second, *_ = lesson(back, settled=row).orders
    assert first.channel == snapshot().spec.owner.channel
    assert first.text.endswith(": rolled back: CanaryFailed: why")
    assert second.text.startswith("class tidy is frozen until 20")
    assert "RepeatedClassFailure: 3 in a row" in second.text
    assert not any(order.forward for order in (first, second)), "a freeze holds no word back"
    assert not lesson(GOOD).orders
    assert not lesson(BAD).orders


@pytest.mark.req("LOOP-4")
@pytest.mark.parametrize(
    ("promoted", "synced", "shown"),
    [
        (True, True, "c0ffee01 is live and proven"),
        (False, True, "c0ffee01 is what the target ran already; nothing was exposed or observed"),
        (False, False, "c0ffee01 is on main; it has no deployment target"),
    ],
)
def test_a_delivered_mission_says_what_is_where(promoted, synced, shown):
    commit = "c0ffee0123456789"
    common = {"id": EvidenceId("e-1"), "at": NOON}
    facts = [Landed(**common, repo=REPO, commit=commit, landed=True, main=commit)]
    if synced:
        where = {**common, "target": TARGET, "revision": commit}
        facts.append(Synced(**where, healthy=True, stable="c0ffee00" if promoted else commit))
    if promoted:
        facts.append(Promoted(**common, target=TARGET, revision=commit))
    me = mission(1, facts=tuple(facts))
    view = Holds((me,), "").view(snapshot())
    assert learn.delivered(me, read(me), view).detail == shown
