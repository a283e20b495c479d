"""A gate that lies is noticed by whoever had answered it."""

from datetime import timedelta

import pytest

from swarm.core.evidence import ArtifactJudged, ArtifactResult, CheckEnded, CheckResult
from swarm.core.history.finding import Rule
from swarm.core.history.journal import Deed, Effect, Entry
from swarm.core.ids import evidence_id
from swarm.core.trail import EventKind
from swarm.testing.builders import NOON
from swarm.testing.simulation.truth import REQUIRED, landed, served

GREEN = [(name, CheckResult.GREEN) for name in REQUIRED]


def effect(deed, subject="c-1"):
    return Effect(at=NOON, deed=deed, mission="m-1", key=f"m-1/{deed}", subject=subject)


def facts(said, commit="c-1"):
    """Answers of checks by name, or of whoever judges signatures, in their order."""
    for number, (name, result) in enumerate(said):
        plain = {
            "id": evidence_id(f"m-1/{number}"), "source": "world", "commit": commit,
            "at": NOON + timedelta(seconds=number), "result": result,
        }  # fmt: skip
        signed = isinstance(result, ArtifactResult)
        yield ArtifactJudged(**plain) if signed else CheckEnded(**plain, check=name)


@pytest.mark.req("GATE-2", "GATE-4")
@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        pytest.param(GREEN, [], id="green"),
        pytest.param([*GREEN, ("", ArtifactResult.VERIFIED)], [], id="and-signed"),
        pytest.param([("lint", CheckResult.RED), *GREEN], [], id="green-at-last"),
        pytest.param([*GREEN, ("lint", CheckResult.RED)], ["lint said red"], id="red-at-last"),
        pytest.param(GREEN[:1], ["unit-tests said None"], id="nobody-asked"),
        pytest.param(
            [*GREEN[:1], (REQUIRED[1], CheckResult.NEVER_REPORTED)],
            ["unit-tests said never-reported"],
            id="silence",
        ),
        pytest.param(
            [*GREEN, ("", ArtifactResult.REFUSED)], ["signatures were refused"], id="unsigned"
        ),
    ],
)
def test_what_lands_was_green_and_signed_as_the_world_had_said(said, wrong):
    found = [one.detail for one in landed(effect(Deed.LAND), facts(said))]
    assert len(found) == len(wrong)
    assert all(text in detail for text, detail in zip(wrong, found, strict=True))


@pytest.mark.req("GATE-2")
def test_what_was_said_of_another_commit_is_no_word_on_this_one():
    assert len(list(landed(effect(Deed.LAND), facts(GREEN, commit="c-2")))) == len(REQUIRED)


def entries(outcome=None, said=None):
    if said is not None:
        yield Entry(NOON, "s-1", "m-1", EventKind.EVIDENCE_SEEN, {"said": said})
    if outcome is not None:
        yield Entry(NOON, "s-1", "m-1", EventKind.MISSION_SETTLED, {"outcome": outcome})


@pytest.mark.req("GATE-5", "GATE-6")
@pytest.mark.parametrize(
    ("errs_from", "outcome", "said", "noticed"),
    [
        pytest.param(1, "rolled-back", None, True, id="promoted-although-the-canary-erred"),
        pytest.param(100, "rolled-back", None, False, id="taken-back-when-it-showed"),
        pytest.param(100, "delivered", None, True, id="delivered-although-it-showed"),
        pytest.param(100, "delivered", "promote", False, id="a-person-wanted-it"),
        pytest.param(1, None, "promote", False, id="a-person-promoted-it"),
        pytest.param(1, None, "retry", True, id="another-word"),
        pytest.param(None, "delivered", None, False, id="good"),
    ],
)
def test_nothing_worse_is_promoted_or_delivered(errs_from, outcome, said, noticed):
    bad = {} if errs_from is None else {"c-1": errs_from}
    done = [effect(Deed.SYNC), effect(Deed.PROMOTE)]
    found = list(served(done, entries(outcome, said), bad))
    assert [one.rule for one in found] == [Rule.GATES] * noticed
