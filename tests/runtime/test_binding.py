"""What an installation file makes of a spec, as the core is told it."""

from __future__ import annotations

from datetime import time

import pytest
from pydantic import ValidationError

from swarm.core.ids import SwarmId
from swarm.core.nouns import ResumeWindow
from swarm.ports.store import BudgetTerms
from swarm.runtime.binding import Bindings, terms_of
from swarm.runtime.settings import Settings
from swarm.testing.builders import spec

pytestmark = pytest.mark.req("FRZ-5")


def bound(window):
    settings = Settings(loop={"resume_window": window})
    return Bindings(settings).of(SwarmId("s-1"), spec())


def test_a_resume_window_is_part_of_the_policy():
    held = bound("08:00-08:30")
    assert held.installation.resume_window == ResumeWindow(opens=time(8), closes=time(8, 30))
    assert bound("").installation.resume_window is None
    assert len({held.policy_hash, bound("").policy_hash, bound("08:00-09:00").policy_hash}) == 3


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("08:30-08:00", "ends before it begins"),
        ("08:00-08:00", "ends before it begins"),
        ("22:00-02:00", "ends before it begins"),
        ("8:00-9:00", "pattern"),
        ("08:00-24:00", "pattern"),
        ("08:00", "pattern"),
        ("always", "pattern"),
        ("08:00-09:00\n", "pattern"),
    ],
)
def test_a_window_that_is_none_is_refused(text, word):
    with pytest.raises(ValidationError, match=word):
        Settings(loop={"resume_window": text})


@pytest.mark.req("API-9")
def test_a_stage_that_is_switched_off_or_on_makes_another_policy():
    """So what was ordered before and has not begun is taken back, and all is judged anew."""
    told = [{}, {"verify": {"enabled": False}}, {"implement": {"enabled": False}}]
    bindings = Bindings(Settings())
    bound = [bindings.of(SwarmId("s-1"), spec(execution=execution)) for execution in told]
    assert len({one.policy_hash for one in bound}) == len(told)


@pytest.mark.req("FAIL-5")
def test_what_becomes_of_agents_at_work_when_the_money_is_spent_is_part_of_the_policy():
    told = [{"cap": 2}, {"cap": 2, "when_spent": "finish"}, {"cap": 2, "when_spent": "stop"}]
    bound = [
        Bindings(Settings(budgets={"default-budget": one})).of(SwarmId("s-1"), spec())
        for one in told
    ]
    assert [one.budget.when_spent for one in bound] == ["finish", "finish", "stop"]
    assert bound[0].policy_hash == bound[1].policy_hash != bound[2].policy_hash
    with pytest.raises(ValidationError, match="finish"):
        Settings(budgets={"default-budget": {"cap": 2, "when_spent": "pause"}})


@pytest.mark.req("MODE-6")
def test_a_budget_that_says_nothing_new_is_the_policy_that_it_was():
    """Else an upgrade alone would void every approval, and two releases each other's orders."""
    assert terms_of(BudgetTerms(name="b", cap=2)).keys() == {"name", "cap", "window"}
    assert terms_of(BudgetTerms(name="b", cap=2, when_spent="stop"))["when_spent"] == "stop"
