"""Freezes fail closed: what opens one, whom it holds, and the little that lifts it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.decision import LiftFreeze, OpenMission
from swarm.core.ids import FreezeId, MissionId, SwarmId
from swarm.core.nouns import Freeze, MissionKind, OutcomeKind, ResumeRule, Settled
from swarm.core.policy import freeze, lifting
from swarm.core.policy.freeze import EVERYTHING, Limits
from swarm.testing.builders import NOON, REPO, mission, snapshot, spec

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LIMITS = Limits(swarm_after=3, class_after=2, duration=HOUR, needs_token=False)
SWARM = SwarmId("s-1")
ALWAYS = ResumeRule()
classes = st.sampled_from(["tidy", "docs", "deps"])
endings = st.builds(
    Settled,
    mission=st.just(MissionId("m-1")),
    mission_class=st.sampled_from(["tidy", "docs"]),
    kind=st.sampled_from(MissionKind),
    outcome=st.sampled_from(OutcomeKind),
    counts_as_failure=st.booleans(),
    at=st.just(NOON),
) | st.just(
    Settled(
        mission=MissionId("m-2"),
        mission_class=EVERYTHING,
        kind=MissionKind.REQUALIFY,
        outcome=OutcomeKind.DELIVERED,
        counts_as_failure=False,
        at=NOON,
    )
)
holds = st.builds(
    Freeze,
    id=st.integers(0, 99).map(lambda number: FreezeId(f"f-{number}")),
    mission_class=st.sampled_from(["tidy", "docs", EVERYTHING]),
    reason=st.just("Drill"),
    detail=st.just(""),
    cause=st.just("m-1"),
    since=st.just(NOON),
    until=st.none() | st.timedeltas(timedelta(0), 3 * HOUR).map(lambda span: NOON + span),
    requalified=st.none() | st.just("m-proof"),
    needs_token=st.booleans(),
)


def hold(**over):
    fields = {
        "id": FreezeId("f-1"), "mission_class": "tidy", "reason": "Drill", "detail": "",
        "cause": "m-1", "since": NOON, "until": NOON + HOUR,
    }  # fmt: skip
    return Freeze(**{**fields, **over})


def ended(number, *, failed=True, mission_class="tidy", **over):
    kind = OutcomeKind.FAILED if failed else OutcomeKind.DELIVERED
    fields = {
        "mission": MissionId(f"m-{number}"), "mission_class": mission_class, "outcome": kind,
        "kind": MissionKind.DELIVER, "counts_as_failure": failed, "at": NOON,
    }  # fmt: skip
    return Settled(**{**fields, **over})


def opened(*history, limits=LIMITS):
    *before, last = history
    return {item.mission_class for item in freeze.opened_by(last, before, SWARM, limits)}


@pytest.mark.req("FRZ-2")
@given(frozen=st.lists(holds, max_size=5), mission_class=classes)
def test_a_class_is_held_exactly_when_an_open_freeze_covers_it(frozen, mission_class):
    """Also one whose window has passed: it ends by being lifted, not by the clock."""
    covering = [one for one in frozen if one.mission_class in {mission_class, "*"}]
    held = freeze.holding(frozen, mission_class)
    assert (held is not None) is bool(covering)
    assert held is None or held in covering


@pytest.mark.req("FRZ-2")
def test_the_freeze_that_lasts_longest_is_the_one_that_is_told():
    frozen = [hold(), hold(id="f-2", mission_class="*", until=None), hold(id="f-3", until=NOON)]
    assert freeze.holding(frozen, "tidy").id == "f-2"
    assert freeze.holding(frozen[:1], "docs") is None


@pytest.mark.req("FRZ-1")
@given(history=st.lists(endings, max_size=12), mission_class=classes)
def test_consecutive_failures_are_those_since_the_last_success_of_the_scope(history, mission_class):
    """Written again, from the front."""
    row = 0
    for item in history:
        if item.mission_class not in {mission_class, "*"}:
            continue
        if item.outcome is OutcomeKind.DELIVERED:
            row = 0
        elif item.counts_as_failure and item.kind is not MissionKind.REQUALIFY:
            row += 1
    assert freeze.consecutive_failures(history, mission_class) == row


@pytest.mark.req("FRZ-1")
def test_neutral_endings_neither_count_nor_break_the_row():
    neutral = ended(2, failed=False, outcome=OutcomeKind.REJECTED)
    assert freeze.consecutive_failures([ended(1), neutral, ended(3)]) == 2


@pytest.mark.req("FRZ-1")
def test_a_class_that_proved_itself_says_nothing_about_the_swarm():
    proof = ended(3, failed=False, kind=MissionKind.REQUALIFY)
    rows = [ended(1), ended(2), proof]
    assert freeze.consecutive_failures(rows, "tidy") == 0
    assert freeze.consecutive_failures(rows) == 2
    whole = replace(proof, mission_class=EVERYTHING)
    assert freeze.consecutive_failures([ended(1), whole]) == 0


@pytest.mark.req("FRZ-1")
@pytest.mark.req("FAIL-3")
@pytest.mark.parametrize(
    ("history", "scopes"),
    [
        pytest.param([ended(1)], set(), id="one-failure"),
        pytest.param([ended(1), ended(2)], {"tidy"}, id="two-of-a-class"),
        pytest.param([ended(1), ended(2, mission_class="docs")], set(), id="one-of-each"),
        pytest.param(
            [ended(1), ended(2, mission_class="docs"), ended(3, mission_class="deps")],
            {"*"},
            id="three-in-all",
        ),
        pytest.param([ended(1), ended(2), ended(3)], {"tidy", "*"}, id="three-of-a-class"),
        pytest.param([ended(1), ended(2, failed=False), ended(3)], set(), id="a-delivery-between"),
        pytest.param([ended(1), ended(2), ended(3, failed=False)], set(), id="a-delivery-last"),
    ],
)
def test_what_failures_freeze(history, scopes):
    assert opened(*history) == scopes


@pytest.mark.req("FRZ-1")
@given(history=st.lists(endings, min_size=1, max_size=8))
def test_only_a_counted_mission_failure_opens_a_freeze_and_never_below_its_limit(history):
    *before, last = history
    found = freeze.opened_by(last, before, SWARM, LIMITS)
    if found:
        assert last.counts_as_failure
        assert last.kind is not MissionKind.REQUALIFY
    for one in found:
        least = LIMITS.swarm_after if one.mission_class == "*" else 1
        assert freeze.consecutive_failures(history, one.mission_class) >= least
        assert one.until == last.at + HOUR


@pytest.mark.req("FRZ-1")
@given(history=st.lists(endings, min_size=2, max_size=8))
def test_every_ending_opens_freezes_of_its_own(history):
    """An id is opened once for ever: the second freeze under it would never hold."""
    found = [
        one.id
        for number, last in enumerate(history)
        for one in freeze.opened_by(
            replace(last, mission=f"m-{number}"), history[:number], SWARM, LIMITS
        )
    ]
    assert len(set(found)) == len(found)


@pytest.mark.req("FRZ-3")
@given(frozen=holds, later=st.timedeltas(timedelta(0), 5 * HOUR))
def test_nothing_lifts_by_itself_before_its_window_and_its_proof(frozen, later):
    now = NOON + later
    if freeze.lifts_by_itself(frozen, now, ALWAYS):
        assert frozen.until is not None
        assert now >= frozen.until
        assert frozen.requalified is not None
        assert not frozen.needs_token
    left = [item for item in freeze.checklist(frozen, now, ALWAYS) if not item.done]
    assert freeze.lifts_by_itself(frozen, now, ALWAYS) is (frozen.until is not None and not left)


@pytest.mark.req("FRZ-3")
@given(
    frozen=st.lists(holds, max_size=4, unique_by=lambda one: one.id),
    later=st.timedeltas(timedelta(0), 5 * HOUR),
)
def test_a_tick_lifts_exactly_what_may_be_lifted(frozen, later):
    snap = snapshot(freezes=tuple(frozen), now=NOON + later)
    lifted = {one.freeze for one in lifting.records(snap) if isinstance(one, LiftFreeze)}
    assert lifted == {one.id for one in frozen if freeze.lifts_by_itself(one, snap.now, ALWAYS)}


@pytest.mark.req("FRZ-3")
def test_the_end_of_a_window_is_exclusive():
    proven = hold(requalified="m-proof")
    assert not freeze.lifts_by_itself(proven, NOON + HOUR - timedelta(microseconds=1), ALWAYS)
    assert freeze.lifts_by_itself(proven, NOON + HOUR, ALWAYS)


@pytest.mark.req("FRZ-4")
def test_the_checklist_names_window_proof_and_token():
    texts = [item.text for item in freeze.checklist(hold(needs_token=True), NOON, ALWAYS)]
    assert [text.split(":")[0] for text in texts[:2]] == ["window", "requalification"]
    assert "--token" in texts[2]


@pytest.mark.req("FRZ-4")
def test_where_no_repository_is_listed_the_checklist_says_what_the_proof_lacks():
    """No proof is tried then, however long anybody waits."""
    nowhere = snapshot(freezes=(hold(),), now=NOON + HOUR, spec=spec(delivery={}))
    assert tries(nowhere) == []
    listed = snapshot(freezes=(hold(),), now=NOON + HOUR)
    for snap, told in ((nowhere, True), (listed, False)):
        (_, proof) = freeze.checklist(hold(), snap.now, snap.resuming)
        assert not proof.done
        assert ("spec.delivery.repoAllowlist names a repository" in proof.text) is told
    (_, proof) = freeze.checklist(hold(requalified="m-proof"), NOON, nowhere.resuming)
    assert "repoAllowlist" not in proof.text


def tries(snap):
    return [one for one in lifting.records(snap) if isinstance(one, OpenMission)]


@pytest.mark.req("FRZ-3")
def test_a_try_that_failed_is_not_repeated_before_the_next_round():
    snap = snapshot(freezes=(hold(),), now=NOON + HOUR)
    (first,) = tries(snap)
    failed = ended(0, mission=first.id, kind=MissionKind.REQUALIFY, counts_as_failure=False)
    after = replace(snap, settled=(failed,), now=snap.now + timedelta(minutes=59))
    assert tries(after) == []
    assert lifting.look_again(after) == NOON + 2 * HOUR
    (second,) = tries(replace(after, now=NOON + 2 * HOUR))
    assert second.id != first.id


@pytest.mark.req("FRZ-3")
def test_an_extended_freeze_asks_for_new_proof_under_a_new_id():
    """The store keeps the id of a freeze that is extended; its old tries have ended."""
    (first,) = tries(snapshot(freezes=(hold(),), now=NOON + HOUR))
    longer = hold(until=NOON + 3 * HOUR)
    assert tries(snapshot(freezes=(longer,), now=NOON + 2 * HOUR)) == []
    (again,) = tries(snapshot(freezes=(longer,), now=NOON + 3 * HOUR))
    assert again.id != first.id


@pytest.mark.req("FRZ-3")
def test_an_open_ended_freeze_that_is_extended_forgets_the_try_before():
    """Else its proof would wait for a round, though nothing was tried since."""
    (first,) = tries(snapshot(freezes=(hold(until=None),)))
    failed = ended(0, mission=first.id, kind=MissionKind.REQUALIFY, counts_as_failure=False)
    longer = hold(until=None, extended=NOON + MINUTE)
    (again,) = tries(snapshot(freezes=(longer,), settled=(failed,), now=NOON + 2 * MINUTE))
    assert again.id != first.id


@pytest.mark.req("FRZ-3")
@pytest.mark.parametrize(
    ("over", "begin"),
    [
        pytest.param({"until": None}, NOON, id="open-ended"),
        pytest.param(
            {"until": None, "extended": NOON + MINUTE}, NOON + MINUTE, id="open-ended-and-extended"
        ),
        pytest.param({"until": NOON + 2 * MINUTE}, NOON + 2 * MINUTE, id="with-a-window"),
        pytest.param(
            {"until": NOON + 2 * MINUTE, "extended": NOON + MINUTE}, NOON + 2 * MINUTE,
            id="with-a-window-and-extended",
        ),
    ],
)  # fmt: skip
def test_each_round_is_one_freeze_duration_after_the_window_or_the_last_word(over, begin):
    snap = snapshot(freezes=(hold(**over),), now=begin + 59 * MINUTE)
    (first,) = tries(snap)
    assert lifting.look_again(snap) == begin + HOUR
    failed = ended(0, mission=first.id, kind=MissionKind.REQUALIFY, counts_as_failure=False)
    assert tries(replace(snap, settled=(failed,))) == []
    assert len(tries(replace(snap, settled=(failed,), now=begin + HOUR))) == 1


@pytest.mark.req("FRZ-3")
def test_the_repository_that_caused_the_freeze_is_the_one_that_is_proven():
    delivery = {"repoAllowlist": ["acme/docs", REPO], "requiredChecks": ["lint"]}
    cause = ended(1, repo=REPO)
    snap = snapshot(
        freezes=(hold(),), now=NOON + HOUR, spec=spec(delivery=delivery), settled=(cause,)
    )
    assert tries(snap)[0].repo == REPO
    assert tries(replace(snap, settled=()))[0].repo == "acme/docs"


@pytest.mark.req("FRZ-3")
def test_an_open_ended_freeze_is_proven_at_once_and_lifted_by_a_person_alone():
    endless = hold(until=None)
    assert len(tries(snapshot(freezes=(endless,)))) == 1
    proven = replace(endless, requalified="m-proof")
    assert lifting.records(snapshot(freezes=(proven,), now=NOON + 99 * HOUR)) == ()


@pytest.mark.req("FRZ-3", "GATE-6")
def test_nothing_is_proven_while_what_opened_the_freeze_is_not_taken_back():
    """Main is green with it, and a target that cannot be asked is no proof of anything."""
    over = hold(until=NOON - HOUR, cause="m-1")
    cause = mission(1)
    assert tries(snapshot(freezes=(over,), missions=(cause,))) == []
    assert len(tries(snapshot(freezes=(over,), missions=(mission(2),)))) == 1


@pytest.mark.req("FRZ-1")
@pytest.mark.parametrize(
    "last",
    [
        pytest.param({"failed": False, "outcome": OutcomeKind.REJECTED}, id="a-rejection"),
        pytest.param({"kind": MissionKind.REQUALIFY}, id="a-proof-that-failed"),
    ],
)
def test_a_row_that_froze_already_freezes_no_second_time_at_what_is_no_failure(last):
    row = [ended(1), ended(2), ended(3)]
    assert opened(*row)
    assert opened(*row, ended(4, **last)) == set()


@pytest.mark.req("FRZ-3")
def test_a_proof_is_an_errand_of_its_own_and_costs_nothing():
    (proof,) = tries(snapshot(freezes=(hold(),), now=NOON + HOUR))
    assert (proof.kind, proof.depth, proof.reserve) == (MissionKind.REQUALIFY, 0, 0)


@pytest.mark.req("FRZ-3")
def test_without_any_repository_there_is_nothing_to_prove_and_the_freeze_stays():
    nowhere = spec(delivery={"repoAllowlist": [], "requiredChecks": ["lint"]})
    assert lifting.records(snapshot(freezes=(hold(),), now=NOON + HOUR, spec=nowhere)) == ()


@pytest.mark.req("FRZ-3")
def test_of_several_freezes_the_one_that_ends_first_is_looked_at_next():
    both = (hold(until=NOON + 2 * HOUR), hold(id=FreezeId("f-2"), mission_class="docs"))
    assert lifting.look_again(snapshot(freezes=both)) == NOON + HOUR


@pytest.mark.req("FRZ-3")
def test_the_repository_to_prove_is_found_behind_later_endings():
    delivery = {"repoAllowlist": ["acme/docs", REPO], "requiredChecks": ["lint"]}
    endings = (ended(1, repo=REPO), ended(2, mission_class="docs", repo="acme/docs"))
    snap = snapshot(
        freezes=(hold(),), now=NOON + HOUR, spec=spec(delivery=delivery), settled=endings
    )
    assert tries(snap)[0].repo == REPO
