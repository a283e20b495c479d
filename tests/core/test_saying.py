"""The words that all rooms share: what is kept once, when to look again, how an ending reads."""

from datetime import timedelta

import pytest

from swarm.contract.verdict import Answer, Verdict
from swarm.core.decision import AskApproval
from swarm.core.findings import Findings
from swarm.core.ids import FreezeId
from swarm.core.nouns import Brief, Freeze, OutcomeKind, Risk
from swarm.core.orders import Orders
from swarm.core.reasons import Reason
from swarm.core.saying import (
    Ending,
    Saying,
    frozen,
    lane_of,
    news,
    settled,
    soonest,
    verdict_record,
)
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, change, mission, snapshot

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("minutes", "soon"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([None, None], None, id="nothing-known"),
        pytest.param([3, None, 1, 2], 1, id="the-next-one"),
        pytest.param([-1, 2], 2, id="what-is-past-hides-no-later-one"),
        pytest.param([0, 2], 2, id="now-is-past"),
        pytest.param([0, -1], None, id="all-of-it-is-past"),
    ],
)
def test_the_next_time_is_the_soonest_that_is_still_to_come(minutes, soon):
    times = [None if at is None else NOON + at * MINUTE for at in minutes]
    assert soonest(NOON, *times) == (None if soon is None else NOON + soon * MINUTE)


@pytest.mark.req("LOOP-5")
def test_the_first_attempt_implements_and_every_other_one_fixes():
    assert [lane_of(n) for n in range(4)] == ["run:implement", *["run:verify"] * 3]


@pytest.mark.req("FRZ-4")
@pytest.mark.parametrize(
    ("detail", "until", "told"),
    [
        ("practice", NOON, ("Drill: practice", "held until 2026-03-02 12:00:00 UTC, then")),
        ("", None, ("Drill", "held until resumed, then")),
    ],
)
def test_what_is_frozen_says_by_what_and_until_when(detail, until, told):
    hold = Freeze(
        id=FreezeId("f-1"), mission_class="*", reason="Drill", detail=detail, cause="m-9",
        since=NOON, until=until,
    )  # fmt: skip
    word = frozen("deliver", hold)
    assert (word.detail, word.next_action) == (told[0], f"{told[1]} requalification")
    assert word.look_again == until


WAITS = Verdict(answer=Answer.WAIT, reason="ChecksPending", detail="lint")
ASKED = AskApproval(
    mission="m-1", commit="c0", policy_hash="p", risk=Risk.R2, question="?", at=NOON,
    expires_at=NOON + MINUTE,
)  # fmt: skip


@pytest.mark.req("GATE-2")
@pytest.mark.parametrize(
    ("gate", "subject", "verdict", "kept"),
    [
        pytest.param("code_quality", "c0", WAITS, False, id="known"),
        pytest.param(
            "code_quality", "c0", Verdict(answer=Answer.WAIT, reason="ChecksPending", detail="x"),
            False, id="known-in-other-words",
        ),
        pytest.param(
            "code_quality", "c0", Verdict(answer=Answer.FAIL, reason="ChecksPending"), True,
            id="another-answer",
        ),
        pytest.param(
            "code_quality", "c0", Verdict(answer=Answer.WAIT, reason="Other"), True,
            id="another-reason",
        ),
        pytest.param("code_quality", "c1", WAITS, True, id="another-commit"),
        pytest.param("merge_policy", "c0", WAITS, True, id="another-gate"),
    ],
)  # fmt: skip
def test_a_verdict_is_told_when_it_differs_from_the_last_one(gate, subject, verdict, kept):
    me = mission(1, verdicts=(("other", "c0", verdict), ("code_quality", "c0", WAITS)))
    record = verdict_record(me, gate, subject, verdict, NOON)
    assert (record.gate, record.subject, record.verdict, record.at) == (
        gate,
        subject,
        verdict,
        NOON,
    )
    word = Saying(room="verify", reason=Reason.CHECKS_PENDING, records=(record, ASKED))
    assert news(word, me, Findings()).records == ((record, ASKED) if kept else (ASKED,))


PASSED = Verdict(answer=Answer.PASS, reason="ChecksGreen", detail="2 checks green")
BRIEF = Brief(run="r", goal="g", facts=(), allowed_paths=(), checks=(), rule="")


@pytest.mark.req("GATE-2", "MODE-6")
@pytest.mark.parametrize(
    ("step", "rests"),
    [
        pytest.param(
            lambda o: o.start_run(0, BRIEF, base="", onto="", deadline=MINUTE), True,
            id="agent-work",
        ),
        pytest.param(lambda o: o.land(change(), Findings()), True, id="a-landing"),
        pytest.param(lambda o: o.set_traffic("shop", "c0", 1, 50, Findings()), True, id="traffic"),
        pytest.param(lambda o: o.promote("shop", "c0"), True, id="a-promotion"),
        pytest.param(lambda o: o.run_check("lint", "c0", "b"), False, id="a-check"),
        pytest.param(lambda o: o.revert("c0"), False, id="protection"),
    ],
)  # fmt: skip
def test_a_pass_is_told_once_more_when_a_step_is_decided_that_rests_on_it(step, rests):
    """So the trail shows when and under which policy its gates were asked; a wait is told once."""
    me = mission(1, verdicts=(("code_quality", "c0", PASSED), ("other", "c0", WAITS)))
    order = step(Orders(me, snapshot()))
    known = [verdict_record(me, gate, "c0", verdict, NOON) for gate, _, verdict in me.verdicts]
    word = Saying(room="r", reason=Reason.MERGE_ALLOWED, orders=(order,), records=(*known, ASKED))
    told = news(word, me, Findings()).records
    assert told == ((known[0], ASKED) if rests else (ASKED,))
    sent = OpenOrder(key=order.key, kind=order.kind, issued_at=NOON, begun=False)
    assert news(word, me, Findings(open_orders={order.key: sent})).records == (ASKED,)


@pytest.mark.parametrize("kind", OutcomeKind)
def test_only_what_was_delivered_satisfies_its_need(kind):
    word = settled("learn", mission(1), Findings(), NOON, Ending(kind=kind, reason="R"))
    (record,) = word.records
    assert record.need_done is (kind is OutcomeKind.DELIVERED)
