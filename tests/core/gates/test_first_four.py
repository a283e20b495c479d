"""Gates 1 to 4, each answer with its reason; absence of evidence is never a pass."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.verdict import Answer
from swarm.core.evidence import ArtifactJudged, ArtifactResult, CheckEnded, CheckResult
from swarm.core.findings import read
from swarm.core.gates import code_quality, discovery_quality, merge_policy, supply_chain
from swarm.core.ids import ApprovalId, EvidenceId, OrderKey
from swarm.core.nouns import Approval, Risk
from swarm.core.policy.approval import Permission, Ruling
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, REPO, change, installation, mission, need, snapshot, spec

MINUTE = timedelta(minutes=1)
HEAD = "head0001"
ASK = Ruling(permission=Permission.ASK, why="assisted mode asks for R2")
AUTOMATIC = Ruling(permission=Permission.AUTOMATIC, why="R1 runs by itself")


# --- Gate 1 ---------------------------------------------------------------------------------------


@pytest.mark.req("GATE-1")
@pytest.mark.parametrize(
    ("fields", "answer", "reason"),
    [
        ({}, Answer.PASS, "EnoughEvidence"),
        ({"citations": 2, "confidence": 0.75}, Answer.PASS, "EnoughEvidence"),
        ({"citations": 1}, Answer.FAIL, "TooFewCitations"),
        ({"citations": 0}, Answer.FAIL, "Uncited"),
        ({"cited": False}, Answer.FAIL, "Uncited"),
        ({"confidence": 0.7499}, Answer.FAIL, "LowConfidence"),
        ({"citations": 1, "confidence": 0.1}, Answer.FAIL, "TooFewCitations"),
        ({"external": True}, Answer.PASS, "EnoughEvidence"),
        ({"citations": 1, "heard": 2}, Answer.FAIL, "CitationsNotIndependent"),
        ({"citations": 1, "heard": 1}, Answer.FAIL, "TooFewCitations"),
        ({"risk": Risk.R2, "anchored": False}, Answer.FAIL, "NotAnchored"),
        ({"risk": Risk.R1, "anchored": False}, Answer.PASS, "EnoughEvidence"),
        ({"risk": Risk.R3}, Answer.PASS, "EnoughEvidence"),
    ],
)
def test_gate_1_asks_for_citations_and_confidence(fields, answer, reason):
    verdict = discovery_quality.judge(need(**fields), spec().discovery)
    assert (verdict.answer, verdict.reason) == (answer, reason)


@pytest.mark.req("FAIL-4")
def test_gate_1_lets_a_need_at_the_bar_wait_for_a_dark_source():
    at_the_bar = need(confidence=0.75)
    dark = discovery_quality.judge(at_the_bar, spec().discovery, 1, 2)
    assert (dark.answer, dark.reason) == (Answer.WAIT, "DiscoveryDegraded")
    assert discovery_quality.judge(at_the_bar, spec().discovery, 0, 2).answer is Answer.PASS


# --- Gate 2 ---------------------------------------------------------------------------------------


def ended(*results):
    """What lint and unit-tests answered on the head; None of one that did not."""
    return tuple(
        CheckEnded(id=EvidenceId(f"e-{check}"), at=NOON, check=check, commit=HEAD, result=result)
        for check, result in zip(("lint", "unit-tests"), results, strict=False)
        if result is not None
    )


def checked(*results, orders=(), **over):
    """What Gate 2 says when lint and unit-tests answered like this."""
    snap = snapshot(**over)
    found = read(mission(1, facts=ended(*results), orders=orders))
    return code_quality.judge(("lint", "unit-tests"), HEAD, found, snap)


def order(check, *, begun_for=timedelta(0), **over):
    key = OrderKey(f"m-1/check/{HEAD}/{check}")
    fields = {"kind": "run-check", "issued_at": NOON - begun_for, "begun": True}
    return OpenOrder(key=key, **{**fields, **over})


GREEN, RED = CheckResult.GREEN, CheckResult.RED


@pytest.mark.req("GATE-2")
@pytest.mark.parametrize(
    ("results", "answer", "reason"),
    [
        ((GREEN, GREEN), Answer.PASS, "ChecksGreen"),
        ((GREEN, RED), Answer.FAIL, "RequiredCheckRed"),
        ((GREEN, None), Answer.WAIT, "ChecksPending"),
        ((None, RED), Answer.FAIL, "RequiredCheckRed"),
        ((GREEN, CheckResult.NEVER_REPORTED), Answer.FAIL, "CheckNeverReported"),
        ((None, None), Answer.WAIT, "ChecksPending"),
    ],
)
def test_gate_2_joins_the_checks_and_the_worst_wins(results, answer, reason):
    verdict = checked(*results)
    assert (verdict.answer, verdict.reason) == (answer, reason)
    assert verdict.configured


@pytest.mark.req("GATE-2")
def test_gate_2_tells_which_check_decided_and_shows_the_evidence_of_all():
    assert checked(GREEN, GREEN).detail == "2 checks green"
    red = checked(GREEN, RED)
    assert red.detail == "unit-tests on head0001 is red"
    assert red.evidence == ("e-lint", "e-unit-tests")
    assert checked(GREEN, None).detail == "unit-tests is about to start"


@pytest.mark.req("GATE-2")
def test_gate_2_reads_the_exact_head_only():
    fact = CheckEnded(id=EvidenceId("e-1"), at=NOON, check="lint", commit="other000", result=GREEN)
    found = read(mission(1, facts=(fact,)))
    assert code_quality.judge(("lint",), HEAD, found, snapshot()).answer is Answer.WAIT


@pytest.mark.req("GATE-2")
@pytest.mark.parametrize(
    ("minutes", "answer"), [(44, Answer.WAIT), (45, Answer.FAIL), (600, Answer.FAIL)]
)
def test_gate_2_takes_silence_for_an_answer_after_the_deadline_and_a_half(minutes, answer):
    """The deadline is 30 minutes, and the check itself was to keep it."""
    silent = order("unit-tests", begun_for=minutes * MINUTE)
    assert checked(GREEN, orders=(silent,)).answer is answer


@pytest.mark.req("GATE-2")
def test_gate_2_says_when_silence_will_count_before_and_after_the_order_is_out():
    assert checked(GREEN).look_again == NOON + 45 * MINUTE
    running = checked(GREEN, orders=(order("unit-tests", begun_for=10 * MINUTE),))
    assert running.look_again == NOON + 35 * MINUTE
    assert running.detail == "unit-tests is running on head0001"


@pytest.mark.req("GATE-2")
def test_gate_2_never_fails_a_change_for_a_machine_without_capacity():
    waits = order("lint", begun_for=600 * MINUTE, waits_because="Quota", next_try=NOON + MINUTE)
    verdict = checked(None, GREEN, orders=(waits,))
    assert (verdict.answer, verdict.look_again) == (Answer.WAIT, NOON + MINUTE)
    assert "Quota" in verdict.detail
    lost = replace(waits, next_try=NOON - 45 * MINUTE)
    assert checked(None, GREEN, orders=(lost,)).reason == "CheckNeverReported"


@pytest.mark.req("GATE-2")
def test_gate_2_counts_silence_from_when_the_check_was_begun():
    """An order that stood in a line for hours was not silent; nobody had asked it yet."""
    stood = order("lint", begun_for=600 * MINUTE, begun=False)
    verdict = checked(None, GREEN, orders=(stood,))
    assert (verdict.answer, verdict.look_again) == (Answer.WAIT, NOON + 30 * MINUTE)
    begun = replace(stood, begun=True, begun_at=NOON - 44 * MINUTE)
    assert checked(None, GREEN, orders=(begun,)).answer is Answer.WAIT
    late = replace(begun, begun_at=NOON - 45 * MINUTE)
    assert checked(None, GREEN, orders=(late,)).answer is Answer.FAIL


@pytest.mark.req("GATE-2")
def test_a_time_that_is_past_does_not_hide_the_deadline_of_another_check():
    tried = order("lint", waits_because="Quota", next_try=NOON - MINUTE)
    running = order("unit-tests", begun_for=10 * MINUTE)
    assert checked(orders=(tried, running)).look_again == NOON + 35 * MINUTE


@pytest.mark.req("GATE-2")
def test_gate_2_waits_for_a_check_that_nobody_bound():
    unbound = installation(checks=frozenset({"unit-tests"}))
    for result in (None, CheckResult.NOT_CONFIGURED):
        verdict = checked(result, GREEN, installation=unbound)
        assert (verdict.answer, verdict.reason) == (Answer.WAIT, "CheckNotConfigured")
        assert "swarm.toml" in verdict.detail


@pytest.mark.req("GATE-2")
def test_gate_2_asks_again_once_the_check_is_bound():
    verdict = checked(CheckResult.NOT_CONFIGURED, GREEN)
    assert (verdict.answer, verdict.reason) == (Answer.WAIT, "ChecksPending")


@pytest.mark.req("GATE-2")
def test_gate_2_without_required_checks_reads_not_configured():
    verdict = code_quality.judge((), HEAD, read(mission(1)), snapshot())
    assert (verdict.answer, verdict.configured) == (Answer.PASS, False)


@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize(
    ("results", "shown"),
    [((GREEN, RED), "unit-tests"), ((RED, RED), "lint"), ((None, RED), "unit-tests"),
     ((GREEN, GREEN), None), ((GREEN, None), None)],
)  # fmt: skip
def test_a_fix_is_shown_the_first_required_check_that_failed_and_no_green_one(results, shown):
    me = mission(1, facts=ended(*results))
    bad = code_quality.first_bad(me, HEAD, read(me), snapshot())
    assert (None if bad is None else bad.check) == shown


@pytest.mark.req("LOOP-6")
@pytest.mark.req("MODE-6")
@pytest.mark.parametrize(
    ("now", "bound", "wanted"),
    [
        pytest.param(["lint"], {"lint"}, ("lint",), id="as-promised"),
        pytest.param(["lint", "new"], {"lint", "new"}, ("lint", "new"), id="policy-asks-for-more"),
        pytest.param([], {"lint"}, ("lint",), id="a-promise-outlives-the-policy"),
        pytest.param([], set(), (), id="a-promise-nobody-can-keep-any-more"),
        pytest.param(["lint"], set(), ("lint",), id="policy-asks-for-what-nobody-bound"),
    ],
)
def test_what_is_required_is_the_promise_and_todays_policy(now, bound, wanted):
    me = mission(1, contract=replace(mission(1).contract, checks=("lint",)))
    delivery = {"repoAllowlist": [REPO], "requiredChecks": now}
    snap = snapshot(
        spec=spec(delivery=delivery), installation=installation(checks=frozenset(bound))
    )
    assert code_quality.required(me, snap) == wanted


# --- Gate 3 ---------------------------------------------------------------------------------------


def said(*, granted=True):
    return Approval(
        id=ApprovalId("a-1"), mission="m-1", commit=HEAD, policy_hash="policy-1", approver="alice",
        reason="read it", granted=granted, at=NOON, expires_at=NOON + MINUTE,
    )  # fmt: skip


@pytest.mark.req("GATE-3")
@pytest.mark.parametrize(
    ("repo", "guarded", "ruling", "answer", "expected"),
    [
        (REPO, (), AUTOMATIC, None, (Answer.PASS, "MergeAllowed")),
        (REPO, (), ASK, None, (Answer.WAIT, "ApprovalNeeded")),
        (REPO, (), ASK, said(), (Answer.PASS, "MergeAllowed")),
        (REPO, (), ASK, said(granted=False), (Answer.FAIL, "ApprovalDenied")),
        (REPO, (), AUTOMATIC, said(granted=False), (Answer.FAIL, "ApprovalDenied")),
        (REPO, ("CODEOWNERS",), ASK, None, (Answer.WAIT, "GuardedPaths")),
        (REPO, ("CODEOWNERS",), ASK, said(), (Answer.PASS, "MergeAllowed")),
        (REPO, ("CODEOWNERS",), AUTOMATIC, None, (Answer.PASS, "MergeAllowed")),
        ("acme/secret", (), AUTOMATIC, said(), (Answer.FAIL, "RepositoryNotAllowed")),
    ],
)
def test_gate_3_asks_allowlist_guard_and_people(repo, guarded, ruling, answer, expected):
    me, made = mission(1, repo=repo), change(guarded=guarded)
    verdict = merge_policy.judge(me, made, snapshot(), ruling, answer)
    assert (verdict.answer, verdict.reason) == expected
    if answer is not None and repo == REPO:
        assert verdict.evidence == ("a-1",)


@pytest.mark.req("REG-10")
@pytest.mark.parametrize(
    "path",
    [
        "src/swarm/regime/controls/pretrade.py",
        "src/swarm/REGIME/limits/limit_set.py",
        "src/swarm/runtime/trading/kill.py",
        "desk/limit-set-7.json",
        "desk/limit-set.sig",
        "roster.json",
    ],
)
@pytest.mark.parametrize("where", ["paths", "guarded"])
def test_gate_3_lets_no_mission_touch_the_trading_controls(path, where):
    """Not in any mode, and not with an approval: control 25, direct and exclusive control."""
    made = change(**{where: (path,)})
    for ruling, answer in [(AUTOMATIC, None), (ASK, said())]:
        verdict = merge_policy.judge(mission(1), made, snapshot(), ruling, answer)
        assert (verdict.answer, verdict.reason) == (Answer.FAIL, "ExclusiveControl")


# --- Gate 4 ---------------------------------------------------------------------------------------


@pytest.mark.req("GATE-4")
@pytest.mark.parametrize(
    ("result", "attests", "answer", "reason", "configured"),
    [
        (None, False, Answer.PASS, "NotConfigured", False),
        (ArtifactResult.REFUSED, False, Answer.PASS, "NotConfigured", False),
        (None, True, Answer.WAIT, "ArtifactPending", True),
        (ArtifactResult.VERIFIED, True, Answer.PASS, "ArtifactVerified", True),
        (ArtifactResult.REFUSED, True, Answer.FAIL, "ArtifactRefused", True),
        (ArtifactResult.NOT_CONFIGURED, True, Answer.FAIL, "ArtifactRefused", True),
    ],
)
def test_gate_4_passes_on_proof_alone(result, attests, answer, reason, configured):
    facts = ()
    if result is not None:
        facts = (ArtifactJudged(id=EvidenceId("e-1"), at=NOON, commit=HEAD, result=result),)
    verdict = supply_chain.judge(HEAD, read(mission(1, facts=facts)), attests=attests)
    assert (verdict.answer, verdict.reason, verdict.configured) == (answer, reason, configured)


@pytest.mark.req("GATE-4")
@pytest.mark.parametrize(
    ("result", "identity", "reason", "detail"),
    [
        (ArtifactResult.VERIFIED, "builder@acme", "read", "signed by builder@acme"),
        (
            ArtifactResult.VERIFIED,
            "",
            "provenance alone is asked for",
            "provenance alone is asked for",
        ),
        (
            ArtifactResult.REFUSED,
            "builder@acme",
            "the signature is broken",
            "the signature is broken",
        ),
        (ArtifactResult.REFUSED, "", "", "refused"),
    ],
)
def test_gate_4_says_who_signed_or_what_is_wrong(result, identity, reason, detail):
    fact = ArtifactJudged(
        id=EvidenceId("e-1"), at=NOON, commit=HEAD, result=result, identity=identity, reason=reason
    )
    assert supply_chain.judge(HEAD, read(mission(1, facts=(fact,))), attests=True).detail == detail


@pytest.mark.req("GATE-4")
def test_gate_4_takes_no_proof_of_another_commit():
    result = ArtifactResult.VERIFIED
    fact = ArtifactJudged(id=EvidenceId("e-1"), at=NOON, commit="other000", result=result)
    verdict = supply_chain.judge(HEAD, read(mission(1, facts=(fact,))), attests=True)
    assert (verdict.answer, verdict.reason) == (Answer.WAIT, "ArtifactPending")
