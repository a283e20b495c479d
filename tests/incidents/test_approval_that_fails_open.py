"""An approval that nobody gave let work through: its policy was missing, and missing meant yes.

Here the real core and store reach the question; whatever is not a fresh yes of somebody who may
give it, to exactly this commit under exactly this policy, lands nothing.
"""

from dataclasses import replace

import pytest

from swarm.adapters.postgres.store.desk.people import People
from swarm.adapters.postgres.store.errors import NotAnApprover
from swarm.cli.approve import approvers_under

pytestmark = pytest.mark.req("MODE-2", "MODE-5", "MODE-6")


def stricter(bind, policy="policy-1"):
    """The same installation, but R1 asks, too."""

    def asks(swarm, spec):
        bound = bind(swarm, spec)
        installation = replace(bound.installation, auto_execute=frozenset())
        return replace(bound, installation=installation, policy_hash=policy)

    return asks


async def asked(place):
    """A mission that waits for a yes."""
    place.bind = stricter(place.bind)
    swarm = await place.apply("shop", mode="assisted")
    await place.need(swarm, 1)
    await place.work()
    (mission,) = await place.look.rows("missions")
    assert mission["reason"] == "ApprovalNeeded"
    return mission["id"]


def landed(place):
    return [fact for fact in place.world.facts.values() if getattr(fact, "landed", False)]


async def yes(place, mission, approvers=None):
    await People(place.database, "ann").answer(
        mission, granted=True, reason="read it", approvers=approvers
    )


async def test_a_fresh_yes_lands_what_was_asked_about(place):
    """So that the others can fail."""
    await yes(place, await asked(place))
    await place.work()
    assert len(landed(place)) == 1


async def nobody_answers(place, mission):
    del place, mission


async def a_no(place, mission):
    await People(place.database, "ann").answer(mission, granted=False, reason="not like this")


async def a_yes_that_has_run_out(place, mission):
    await yes(place, mission)
    await place.sql("update approval set expires_at = now() - interval '1 second'")


async def a_yes_under_the_policy_of_before(place, mission):
    await yes(place, mission)
    place.bind = stricter(place.bind, "policy-2")


async def a_yes_to_the_commit_of_before(place, mission):
    await yes(place, mission)
    place.world.main["acme/shop"] = "somebody-else-landed"


async def a_yes_of_somebody_who_may_not(place, mission):
    with pytest.raises(NotAnApprover):
        await yes(place, mission, approvers=("bob",))


async def a_yes_that_no_policy_stands_behind(place, mission):
    with pytest.raises(NotAnApprover, match=r"no \[approvals.gone\]"):
        await yes(place, mission, approvers_under("gone", {}))


@pytest.mark.parametrize(
    "no_approval",
    [
        nobody_answers,
        a_no,
        a_yes_that_has_run_out,
        a_yes_under_the_policy_of_before,
        a_yes_to_the_commit_of_before,
        a_yes_of_somebody_who_may_not,
        a_yes_that_no_policy_stands_behind,
    ],
    ids=lambda case: case.__name__.replace("_", "-"),
)
async def test_what_is_no_approval_lands_nothing(place, no_approval):
    mission = await asked(place)
    await no_approval(place, mission)
    for _ in range(3):
        await place.bell.ring((await place.look.rows("swarms"))[0]["id"])
        await place.work()
    assert landed(place) == []


@pytest.mark.parametrize(
    ("ref", "policies", "who"),
    [
        pytest.param("strict", {"strict": ("ann",)}, ("ann",), id="bound"),
        pytest.param("open", {"open": ()}, None, id="bound-to-everybody"),
        pytest.param("default-approval", {}, None, id="nobody-ever-set-one-up"),
    ],
)
def test_a_policy_that_is_bound_says_who_may(ref, policies, who):
    assert approvers_under(ref, policies) == who


@pytest.mark.parametrize(
    ("ref", "policies"),
    [
        pytest.param("strict", {}, id="named-and-never-bound"),
        pytest.param("strct", {"strict": ("ann",)}, id="misspelt"),
        pytest.param("default-approval", {"strict": ("ann",)}, id="removed"),
        pytest.param("", {}, id="no-name-at-all"),
    ],
)
def test_a_policy_that_is_missing_lets_nobody_approve(ref, policies):
    with pytest.raises(NotAnApprover) as refused:
        approvers_under(ref, policies)
    assert f"[approvals.{ref}]" in refused.value.message
