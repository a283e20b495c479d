"""Who must be asked, and which answers count (MODE-2, MODE-3, MODE-5, MODE-6)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.core.ids import ApprovalId
from swarm.core.nouns import Approval, Risk
from swarm.core.policy import approval
from swarm.core.policy.approval import Permission
from swarm.testing.builders import NOON, REPO, TARGET, installation, mission, snapshot, spec

HOUR = timedelta(hours=1)
DELIVERY = {"repoAllowlist": [REPO], "requiredChecks": ["lint"], "deploymentTargets": [TARGET]}
EVERYWHERE = frozenset({REPO, TARGET})


def answer(**over):
    fields = {
        "id": ApprovalId("a-1"), "mission": "m-1", "commit": "head0001", "policy_hash": "policy-1",
        "approver": "alice", "reason": "read it", "granted": True, "at": NOON - HOUR,
        "expires_at": NOON + HOUR,
    }  # fmt: skip
    return Approval(**{**fields, **over})


def automatic(risk, snap, me=None):
    return approval.ruling(snap, me or mission(1), risk).permission is Permission.AUTOMATIC


def in_mode(mode, **bound):
    return snapshot(spec=spec(mode=mode, delivery=DELIVERY), installation=installation(**bound))


@pytest.mark.req("MODE-2")
@pytest.mark.req("MODE-3")
@pytest.mark.parametrize(
    ("mode", "risk", "bound", "runs"),
    [
        ("assisted", Risk.R0, {}, True),
        ("assisted", Risk.R1, {}, True),
        ("assisted", Risk.R2, {}, False),
        ("assisted", Risk.R3, {"r3_allowed": EVERYWHERE}, False),
        ("lights-out", Risk.R0, {}, True),
        ("lights-out", Risk.R1, {}, True),
        ("lights-out", Risk.R2, {}, True),
        ("lights-out", Risk.R3, {}, False),
        ("lights-out", Risk.R3, {"r3_allowed": frozenset({REPO})}, False),
        ("lights-out", Risk.R3, {"r3_allowed": frozenset({TARGET})}, False),
        ("lights-out", Risk.R3, {"r3_allowed": EVERYWHERE}, True),
        ("lights-out", Risk.R2, {"attests": frozenset()}, False),
        ("lights-out", Risk.R2, {"auto_execute": frozenset({Risk.R0, Risk.R1})}, False),
        ("lights-out", Risk.R1, {"auto_execute": frozenset({Risk.R0})}, False),
        ("assisted", Risk.R2, {"auto_execute": frozenset(Risk)}, False),
        ("assisted", Risk.R1, {"auto_execute": frozenset(Risk)}, True),
        ("lights-out", Risk.R2, {"auto_execute": frozenset({Risk.R0, Risk.R2})}, True),
    ],
)
def test_mode_risk_and_installation_decide_who_is_asked(mode, risk, bound, runs):
    assert automatic(risk, in_mode(mode, **bound)) is runs


@pytest.mark.req("MODE-3")
@pytest.mark.parametrize(
    ("over", "lacks"),
    [
        pytest.param({"budget": None}, "budgetRef", id="no-budget-bound"),
        pytest.param(
            {"spec": spec(delivery={**DELIVERY, "repoAllowlist": []})},
            "repoAllowlist",
            id="no-repo",
        ),
        pytest.param(
            {"spec": spec(delivery={**DELIVERY, "requiredChecks": []})},
            "requiredChecks",
            id="no-check",
        ),
    ],
)
def test_lights_out_with_an_incomplete_policy_acts_as_assisted(over, lacks):
    snap = replace(in_mode("lights-out"), **over)
    assert lacks in approval.missing_policy(snap)[0]
    assert not automatic(Risk.R2, snap)


@pytest.mark.req("MODE-3")
def test_without_a_required_check_nothing_runs_by_itself():
    snap = snapshot(spec=spec(delivery={**DELIVERY, "requiredChecks": []}))
    assert not automatic(Risk.R0, snap)


@pytest.mark.req("MODE-3")
def test_what_could_not_be_watched_after_landing_is_asked_about():
    me = mission(1, contract=replace(mission(1).contract, targets=()))
    assert not automatic(Risk.R2, in_mode("lights-out"), me)
    assert automatic(Risk.R1, in_mode("lights-out"), me)


@pytest.mark.req("MODE-3")
@pytest.mark.parametrize("mode", ["assisted", "lights-out"])
def test_permission_is_monotone_in_risk(mode):
    """What runs by itself at one risk class runs by itself at every lower one."""
    for bound in ({}, {"r3_allowed": EVERYWHERE}, {"attests": frozenset()}):
        runs = [automatic(risk, in_mode(mode, **bound)) for risk in Risk]
        assert runs == sorted(runs, reverse=True)


@pytest.mark.req("MODE-5")
@pytest.mark.req("MODE-6")
@pytest.mark.parametrize(
    ("answers", "valid"),
    [
        pytest.param([], None, id="nobody-answered"),
        pytest.param([answer()], True, id="granted"),
        pytest.param([answer(granted=False)], False, id="denied"),
        pytest.param([answer(commit="other000")], None, id="another-commit"),
        pytest.param([answer(policy_hash="policy-0")], None, id="another-policy"),
        pytest.param([answer(expires_at=NOON)], None, id="expired-this-instant"),
        pytest.param([answer(granted=False, expires_at=NOON)], False, id="a-no-does-not-expire"),
        pytest.param([answer(), answer(granted=False)], False, id="the-newest-counts"),
        pytest.param(
            [answer(), answer(commit="other000", granted=False)], True, id="no-for-another"
        ),
    ],
)
def test_only_a_live_answer_to_this_very_question_counts(answers, valid):
    found = approval.valid(mission(1, approvals=tuple(answers)), "head0001", "policy-1", NOON)
    assert (found.granted if found else None) is valid
