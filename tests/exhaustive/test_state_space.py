"""Every state of a mission under every policy, against what the document says comes next.

`expected` is written from the document alone. It imports nothing of the core but the words.
"""

from collections import Counter
from functools import cache

import pytest

from swarm.core.decide import decide
from swarm.core.decision import AskApproval, Settle
from swarm.core.nouns import Risk
from swarm.testing.states import build, every_state

states = cache(every_state)
FORWARD = {"start-run", "land", "sync", "set-traffic", "promote"}


def expected(state):  # noqa: C901 - the document as one list of questions
    """The next move: an order's kind, `ask`, `wait`, `held`, or `ends:OUTCOME:counts`."""
    held = state.shadow or state.frozen in {"class", "swarm"}

    def forward(word):
        if word == "start-run" and state.off == "implement":
            return "off"
        return "held" if held else word

    if state.run == "none":
        return forward("start-run")
    if state.run == "open":
        return "wait"
    if state.run == "nothing":
        return "ends:failed:free"
    if state.run == "refused":
        return "ends:refused:counts"
    if state.run in {"failed", "timed-out"}:
        return forward("start-run") if state.fixes < 3 else "ends:failed:counts"
    if state.rollout != "not-landed":
        return rollout(state, forward)  # what has landed is watched whatever is off
    if state.off == "verify":
        return forward("start-run") if state.main == "conflict" else "off"
    if state.checks == "unasked":
        return "run-check"
    if state.checks in {"pending", "unbound"}:
        return "wait"
    if state.checks in {"red", "never"}:
        return red(state, forward)
    if state.main == "conflict":
        return forward("start-run")
    return deliver(state, forward)


def red(state, forward):
    if state.base == "unknown":
        return "run-check"
    if state.base == "red":
        return "ends:failed:free"
    return forward("start-run") if state.fixes < 3 else "ends:failed:counts"


def deliver(state, forward):
    if state.approval == "denied":
        return "ends:rejected:free"
    if state.main == "moved":
        return "restage"  # nobody is asked about a commit that cannot land
    if asks(state) and state.approval != "granted":
        return "ask"
    if state.attested:
        if state.artifact == "none":
            return "judge-artifact"
        if state.artifact == "refused":
            return "ends:failed:counts"
    return forward("land")


def asks(state):
    if state.checks == "none-required":
        return True
    if state.risk <= Risk.R1:
        return False
    if state.mode == "assisted":
        return True
    if not state.attested:
        return True
    return state.risk is Risk.R3 and not state.r3_allowed


def rollout(state, forward):
    return {
        "landed": forward("sync"),
        "unhealthy": "abort",
        "synced": forward("set-traffic"),
        "watching": "take-look",
        # Assisted asks a person, and goes on watching what is exposed until that person answers.
        "undecided": "take-look" if state.mode == "assisted" else "abort",
        "failing": "abort",
        "passed": forward("set-traffic"),
        "last": forward("set-traffic"),
        "slo-watching": "take-look",
        "slo-failing": "abort",
        "slo-held": forward("promote"),
        "promoted": "ends:delivered:free",
        "aborting": "abort",
        "aborted": "revert",
        "reverted": "ends:rolled-back:counts",
    }[state.rollout]


PARTS = [(mode, risk) for mode in ("assisted", "lights-out") for risk in Risk]


@pytest.mark.req("FRZ-2")
@pytest.mark.req("MODE-2")
@pytest.mark.req("MODE-3")
@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize(
    "stride", [11, pytest.param(1, marks=pytest.mark.slow)], ids=["one-in-eleven", "every-one"]
)
@pytest.mark.parametrize(("mode", "risk"), PARTS, ids=str)
def test_every_state_moves_as_the_document_says(mode, risk, stride):
    """And law 9: whatever waits says why and what happens next by itself.

    The fast form begins at another state in each part; 11 divides no dimension of the space, so
    that it meets every value of each.
    """
    part = [s for s in states() if (s.mode, s.risk) == (mode, risk)]
    assert len(part) == 35 * 109
    part = part[PARTS.index((mode, risk)) :: stride] if stride > 1 else part
    wrong, example, silent = Counter(), {}, []
    for state in part:
        plan = decide(build(state))
        should, does = expected(state), move(plan)
        if should != does:
            wrong[should, does] += 1
            example.setdefault((should, does), state)
        silent += [state for _, standing in plan.standings if not explained(plan, standing)]
    lines = [f"{n} x should {s}, does {d}: {example[s, d]}" for (s, d), n in wrong.items()]
    assert not wrong, "\n".join(lines)
    assert not silent, silent[:3]


def move(plan):
    """What decide really does, in the same words."""
    settled = [record for record in plan.records if isinstance(record, Settle)]
    if settled:
        outcome = settled[0].outcome
        return f"ends:{outcome.kind}:{'counts' if outcome.counts_as_failure else 'free'}"
    if any(isinstance(record, AskApproval) for record in plan.records):
        return "ask"
    kinds = {order.kind for order in plan.orders if order.kind != "notify"}
    standing = dict(plan.standings)["m-1"]
    if standing.reason == "StageOff":
        return "off" if not kinds else f"moved although off: {kinds}"
    if standing.reason in {"Frozen", "Shadow"}:
        return "held" if not kinds & FORWARD else f"moved although held: {kinds}"
    return kinds.pop() if len(kinds) == 1 else ("wait" if not kinds else str(sorted(kinds)))


def explained(plan, standing):
    ended = any(isinstance(record, Settle) for record in plan.records)
    return ended or (standing.reason and standing.next_action)
