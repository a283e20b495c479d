"""The freezes of the quant profile, as a live Swarm has them: by domain, and lifted by a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from swarm.contract.profiles import profile
from swarm.core.decide import decide
from swarm.core.decision import LiftFreeze, OpenFreeze, Settle
from swarm.core.ids import FreezeId
from swarm.core.loop import learn
from swarm.core.nouns import (
    Freeze,
    MissionKind,
    Outcome,
    OutcomeKind,
    ResumeRule,
    ResumeWindow,
    Settled,
)
from swarm.core.phase import Figures, report
from swarm.core.policy import freeze, lifting
from swarm.testing.builders import NOON, installation, mission, snapshot, spec

pytestmark = pytest.mark.req("FRZ-5")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TRADES = spec(domains=["quant-strategy"])
AFTERNOON = ResumeWindow(opens=time(14), closes=time(14, 30))
WINDOW = ResumeRule(required=True, window=AFTERNOON)
OPENS, CLOSES = NOON + 2 * HOUR, NOON + 2 * HOUR + 30 * MINUTE


def ending(kind, reason, *, counts):
    outcome = Outcome(
        kind=kind, reason=reason, detail="why", at=NOON, attempts=1, cost=0,
        counts_as_failure=counts,
    )  # fmt: skip
    return Settle(mission="m-1", outcome=outcome, need_done=False)


HOSTILE = ending(OutcomeKind.REFUSED, "ChangeRefused", counts=True)
REACHED = ending(OutcomeKind.REFUSED, "ExclusiveControl", counts=False)
FAILED = ending(OutcomeKind.FAILED, "RetriesSpent", counts=True)


def before(reason="RetriesSpent", mission_class="docs", **over):
    fields = {
        "mission": "m-0", "mission_class": mission_class, "kind": MissionKind.DELIVER, "at": NOON,
        "outcome": OutcomeKind.FAILED, "counts_as_failure": True, "reason": reason,
    }  # fmt: skip
    return Settled(**{**fields, **over})


def opened(settle, *settled, **over):
    snap = snapshot(**{"spec": TRADES, "settled": settled, **over})
    found = learn.from_ending(settle, mission(1), snap).records
    return [(r.freeze.mission_class, r.freeze.reason) for r in found if isinstance(r, OpenFreeze)]


@pytest.mark.parametrize(
    "violation", [HOSTILE, REACHED], ids=["refused-change", "trading-controls"]
)
def test_one_violation_of_policy_freezes_everything_at_once(violation):
    assert opened(violation) == [("*", "PolicyViolation")]
    assert opened(violation, spec=spec()) == [], "another Swarm is not held to it"
    told = learn.from_ending(violation, mission(1), snapshot(spec=TRADES)).records
    (hold,) = [record.freeze for record in told if isinstance(record, OpenFreeze)]
    assert hold.detail == f"m-1 ended as {violation.outcome.reason}, 1 in a row"


def test_what_a_port_or_a_person_refused_is_no_violation():
    for reason in ("OrderRefused", "CitationContentChanged", "ApprovalDenied"):
        assert opened(ending(OutcomeKind.REFUSED, reason, counts=False)) == []


def test_an_ending_that_is_none_freezes_nothing_behind_one_that_was():
    """What froze once and was lifted is not frozen again by whatever comes next."""
    row = before("ChangeRefused", outcome=OutcomeKind.REFUSED, counts_as_failure=False)
    nothing = ending(OutcomeKind.FAILED, "RunProducedNothing", counts=False)
    assert opened(nothing, row) == []


def test_a_profile_that_allows_more_counts_them_in_a_row():
    two = replace(profile("quant").thresholds, policy_violations=2)
    assert opened(HOSTILE, held_to=two) == []
    row = before("ChangeRefused", outcome=OutcomeKind.REFUSED)
    assert opened(HOSTILE, row, held_to=two) == [("*", "PolicyViolation")]
    proven = before("Requalified", "*", kind=MissionKind.REQUALIFY, outcome=OutcomeKind.DELIVERED)
    assert opened(HOSTILE, row, proven, held_to=two) == []


def test_the_second_failed_mission_in_a_row_freezes_whatever_the_spec_says():
    lax = spec(domains=["quant-strategy"], risk={"freezeAfterFailures": 50})
    assert opened(FAILED, spec=lax) == []
    assert opened(FAILED, before(), spec=lax) == [("*", "RepeatedMissionFailure")]
    assert opened(FAILED, before(), spec=spec()) == [], "three, where the profile does not say"
    strict = spec(domains=["quant-strategy"], risk={"freezeAfterFailures": 1})
    assert ("*", "RepeatedMissionFailure") in opened(FAILED, spec=strict), "a spec may be stricter"


def hold(**over):
    fields = {
        "id": FreezeId("f-1"), "mission_class": "*", "reason": "PolicyViolation", "detail": "",
        "cause": "m-1", "since": NOON, "until": NOON + HOUR, "requalified": "m-proof",
    }  # fmt: skip
    return Freeze(**{**fields, **over})


def lifts(now, window=AFTERNOON, **over):
    bound = installation(resume_window=window)
    snap = snapshot(now=now, spec=TRADES, installation=bound, freezes=(hold(**over),))
    return any(isinstance(record, LiftFreeze) for record in decide(snap).records)


@pytest.mark.req("FRZ-3")
@pytest.mark.parametrize(
    ("now", "over", "lifted"),
    [
        pytest.param(NOON + HOUR, {}, False, id="all-but-the-window"),
        pytest.param(OPENS - MINUTE, {}, False, id="a-minute-early"),
        pytest.param(OPENS, {}, True, id="as-it-opens"),
        pytest.param(CLOSES - MINUTE, {}, True, id="a-minute-left"),
        pytest.param(CLOSES, {}, False, id="as-it-closes"),
        pytest.param(OPENS + 24 * HOUR, {}, True, id="the-next-day"),
        pytest.param(OPENS, {"until": OPENS + MINUTE}, False, id="open-and-not-over"),
        pytest.param(OPENS, {"requalified": None}, False, id="open-and-not-proven"),
        pytest.param(OPENS, {"needs_token": True}, False, id="open-and-no-token"),
        pytest.param(OPENS, {"until": None}, False, id="open-and-a-person-froze-it"),
    ],
)
def test_a_freeze_is_lifted_in_the_window_with_all_the_rest_and_never_else(now, over, lifted):
    assert lifts(now, **over) is lifted


def test_without_a_window_nothing_is_lifted_and_the_list_says_what_to_set():
    assert not any(lifts(NOON + hours * HOUR, window=None) for hours in range(1, 49))
    (*_, last) = freeze.checklist(hold(), OPENS, ResumeRule(required=True))
    assert "resume_window" in last.text
    assert not last.done


def test_where_the_profile_asks_for_none_a_window_that_is_set_binds_nobody():
    bound = installation(resume_window=AFTERNOON)
    snap = snapshot(now=NOON + HOUR, installation=bound, freezes=(hold(),))
    assert [type(record) for record in lifting.records(snap)] == [LiftFreeze]
    told = [item.text for item in freeze.checklist(hold(), NOON, ResumeRule(window=AFTERNOON))]
    assert not any("resume window" in text for text in told)


def test_it_is_looked_at_again_when_the_window_opens():
    bound = installation(resume_window=AFTERNOON)

    def again(now, **over):
        return lifting.look_again(
            snapshot(now=now, spec=TRADES, installation=bound, freezes=(hold(**over),))
        )

    assert again(NOON + HOUR) == OPENS
    assert again(CLOSES) == OPENS + 24 * HOUR
    assert again(CLOSES, until=None) is None, "a person ends it"
    assert again(CLOSES, needs_token=True) is None, "a person must give the token first"
    none_set = snapshot(now=CLOSES, spec=TRADES, freezes=(hold(),))
    assert lifting.look_again(none_set) is None


def test_the_window_is_of_utc_wherever_the_clock_is():
    east = datetime.fromisoformat("2026-03-02T19:45:00+05:30")  # 14:15 UTC
    assert WINDOW.allows(east)
    assert not WINDOW.allows(east + 15 * MINUTE)
    assert WINDOW.next_opening(east) == OPENS + 24 * HOUR


def test_where_no_window_is_required_nobody_waits_for_one():
    for rule in (ResumeRule(), ResumeRule(window=AFTERNOON)):
        assert rule.allows(NOON)
        assert rule.next_opening(NOON) is None
    nobody_set_it = ResumeRule(required=True)
    assert not nobody_set_it.allows(NOON)
    assert nobody_set_it.next_opening(NOON) is None


def test_the_instant_of_opening_is_in_the_window_already():
    assert WINDOW.allows(OPENS)
    assert WINDOW.next_opening(OPENS) == OPENS + 24 * HOUR


def test_status_says_which_window_it_waits_for():
    bound = installation(resume_window=AFTERNOON)
    snap = snapshot(now=NOON + HOUR, spec=TRADES, installation=bound, freezes=(hold(),))
    none = Figures(
        discoveries_24h=0, missions_24h=0, success_24h=None, last_production_change=None,
        last_discover_at=None,
    )  # fmt: skip
    told = report(snap, decide(snap), none, None).freeze.reason
    assert "resume window: each day 14:00-14:30 UTC" in told
