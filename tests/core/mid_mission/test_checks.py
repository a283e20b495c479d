"""What checks say while a mission waits for them."""

from dataclasses import replace

import pytest

from swarm.core.decision import Land, RunCheck, StartRun
from swarm.core.evidence import CheckResult, RunResult
from swarm.core.nouns import OutcomeKind
from swarm.testing.builders import change, installation, spec
from swarm.testing.half_way import DELIVERY, HEAD, Evidence, orders, outcome, standing


@pytest.mark.req("GATE-2")
def test_a_check_that_was_bound_later_is_asked_once_more_per_policy():
    unbound = (
        Evidence()
        .ran()
        .checked(CheckResult.NOT_CONFIGURED)
        .snapshot(installation=installation(checks=frozenset()))
    )
    said = standing(unbound)
    assert (said.reason, said.next_action) == (
        "CheckNotConfigured", "goes on when swarm.toml binds it",
    )  # fmt: skip
    assert orders(unbound, RunCheck) == []
    bound = replace(unbound, installation=installation(), policy_hash="policy-2")
    (again,) = orders(bound, RunCheck)
    assert again.key != f"m-1/check/{HEAD}/lint"
    (other,) = orders(replace(bound, policy_hash="policy-3"), RunCheck)
    assert len({again.key, other.key, *(o.key for o in orders(bound, RunCheck))}) == 2


@pytest.mark.req("GATE-2")
def test_a_red_check_that_nobody_binds_any_more_says_so():
    """Main cannot be asked either, and who reads the status must learn what to mend."""
    red = Evidence().ran().checked(CheckResult.RED)
    said = standing(red.snapshot(installation=installation(checks=frozenset())))
    assert said.reason == "CheckNotConfigured"
    assert said.next_action == "goes on when swarm.toml binds it"
    assert "is red; no check is bound to 'lint'" in said.detail
    assert "asking whether main is red" in standing(red.snapshot()).detail


@pytest.mark.req("FAIL-1")
def test_a_main_that_moves_again_and_again_is_no_failure_of_the_class():
    busy = Evidence()
    for number in range(4):
        main = f"main000{number + 2}"
        busy.ran(made=change(head=f"{number}{HEAD[1:]}")).restaged(onto=main)
    assert outcome(busy.snapshot()) == (OutcomeKind.FAILED, "RetriesSpent", False)
    spent = Evidence()
    for _ in range(4):
        spent.ran(RunResult.FAILED)
    assert outcome(spent.snapshot()) == (OutcomeKind.FAILED, "RetriesSpent", True)


@pytest.mark.req("MODE-6")
def test_a_check_that_policy_adds_binds_a_mission_in_flight():
    more = {**DELIVERY, "requiredChecks": ["lint", "unit-tests"]}
    snap = Evidence().green().snapshot(spec=spec(delivery=more))
    (order,) = orders(snap, RunCheck)
    assert order.check == "unit-tests"
    assert orders(snap, Land) == []


@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(RunResult.REFUSED, (OutcomeKind.REFUSED, "ChangeRefused", True), id="hostile"),
        pytest.param(
            RunResult.NOTHING, (OutcomeKind.FAILED, "RunProducedNothing", False), id="there-already"
        ),
    ],
)
def test_after_a_conflict_the_next_runs_own_result_counts(result, expected):
    assert outcome(Evidence().green().restaged().ran(result).snapshot()) == expected


@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize("result", [None, RunResult.FAILED])
def test_after_a_conflict_every_attempt_starts_from_the_main_that_moved(result):
    evidence = Evidence().green().restaged()
    if result is not None:
        evidence.ran(result)
    (order,) = orders(evidence.snapshot(), StartRun)
    assert (order.base, order.attempt) == ("main0002", len(evidence.facts) - 3)
