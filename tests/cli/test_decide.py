"""People decide: approve, reject, freeze, resume, and what is refused to them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from swarm.ports.reply import Done
from swarm.testing.world import World

EXIT_NOT_ALLOWED, EXIT_NOT_FOUND, EXIT_REFUSED, EXIT_CONFLICT = 4, 5, 6, 7


def asked(shop, title="drop the old cipher", risk="R2"):
    """A mission that waits for a person, and its question."""
    shop.need(title, risk=risk)
    question = shop.wait_for("approvals", lambda row: row["state"] == "open")
    return question["mission"], question


@pytest.mark.slow
@pytest.mark.req("MODE-5")
def test_a_mission_goes_on_once_a_person_says_yes(shop):
    with shop.working():
        mission, _ = asked(shop)
        assert shop("wait", mission, "--for", "held", "--timeout", "20s").code == 0
        said = shop("approve", mission[:10], "--reason", "read the diff")
        assert said.code == 0
        assert f"{mission} approved by" in said.out
        assert "expires" in said.out
        assert shop("wait", mission, "--for", "delivered", "--timeout", "20s").code == 0
    used = shop("get", "approvals", "-o", "json").json["items"][0]
    assert (used["state"], used["reason"]) == ("used", "read the diff")


class Shortening(World):
    """A world whose agents delete a test each time."""

    async def run(self, order):
        fact = (await super().run(order)).fact
        return Done(fact=replace(fact, change=replace(fact.change, tests_removed=1)))


@pytest.mark.slow
@pytest.mark.req("MODE-1")
def test_a_mission_is_shown_as_the_class_that_its_change_made_it(shop):
    shop.world = Shortening()
    with shop.working():
        mission, question = asked(shop, risk="R1")
    assert question["question"].endswith("1 test removed: R2")
    shown = shop("get", "mission", mission, "-o", "json").json
    assert (shown["risk"], shown["declared_risk"]) == (2, 1)
    assert "\tR2\t" in shop("get", "missions").lines[1]
    assert "deliver, R2 (opened as R1), " in shop("why", mission).out


@pytest.mark.slow
@pytest.mark.req("MODE-5")
def test_a_yes_to_another_commit_is_refused(shop):
    with shop.working():
        mission, question = asked(shop)
    refused = shop("approve", mission, "--commit", "0000000", "--reason", "read it")
    assert refused.code == EXIT_CONFLICT
    assert f"asks about commit {question['commit'][:12]}" in refused.err
    assert shop("get", "approvals", "-o", "json").json["items"][0]["state"] == "open"
    right = shop("approve", mission, "--commit", question["commit"][:9], "--reason", "read it")
    assert right.code == 0


@pytest.mark.slow
@pytest.mark.req("MODE-5")
def test_a_yes_is_used_once(shop):
    with shop.working():
        mission, _ = asked(shop)
        shop("approve", mission, "--reason", "read the diff")
        shop("wait", mission, "--for", "ended", "--timeout", "20s")
        again = shop("approve", mission, "--reason", "once more")
    assert again.code == EXIT_CONFLICT
    assert "fix:" in again.err


@pytest.mark.slow
@pytest.mark.req("MODE-5", "MODE-6")
def test_a_yes_under_another_policy_does_not_count(shop):
    """The question is bound to the policy; a changed manifest asks anew."""
    with shop.working():
        mission, question = asked(shop)
    shop("approve", mission, "--reason", "read the diff")
    shop.apply(objectives=["something else"], mode="assisted",
               risk={"freezeAfterFailures": 5})  # fmt: skip
    with shop.working():
        shop.wait_for(
            "approvals",
            lambda row: row["state"] == "open" and row["policy_hash"] != question["policy_hash"],
        )
        assert shop("get", "mission", mission, "-o", "json").json["outcome"] == "open"


@pytest.mark.slow
@pytest.mark.req("MODE-5")
def test_only_an_approver_of_the_named_policy_may_answer(shop):
    shop.settings('[approvals.default-approval]\napprovers = ["nobody-here"]\n'
                  '[approvals.other]\napprovers = ["root"]\n')  # fmt: skip
    with shop.working():
        mission, _ = asked(shop)
    refused = shop("approve", mission, "--reason", "please")
    assert refused.code == EXIT_NOT_ALLOWED
    assert "nobody-here may" in refused.err


@pytest.mark.slow
@pytest.mark.req("MODE-5")
def test_an_environment_variable_is_no_identity(shop, monkeypatch):
    monkeypatch.setenv("USER", "nobody-here")
    monkeypatch.setenv("LOGNAME", "nobody-here")
    shop.settings('[approvals.default-approval]\napprovers = ["nobody-here"]\n')
    with shop.working():
        mission, _ = asked(shop)
    assert shop("approve", mission, "--reason", "please").code == EXIT_NOT_ALLOWED


@pytest.mark.slow
def test_a_mission_that_asks_nothing_cannot_be_approved(shop):
    with shop.working():
        shop.need("a harmless thing")
        mission = shop.wait_for("missions", lambda row: row["outcome"] == "delivered")["id"]
    said = shop("approve", mission, "--reason", "why not")
    assert said.code == EXIT_CONFLICT
    assert "more: swarmctl explain" in said.err


@pytest.mark.slow
def test_no_ends_a_mission_as_rejected(shop):
    with shop.working():
        mission, _ = asked(shop)
        assert shop("reject", mission, "--reason", "we delete it next week").code == 0
        assert shop("wait", mission, "--for", "rejected", "--timeout", "20s").code == 0
    told = shop("why", mission).out
    assert "outcome:  rejected" in told


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_reason_is_asked_for(shop, verb):
    said = shop(verb, "m-41c0")
    assert said.code == 2
    assert "--reason" in said.err
    assert shop(verb, "m-41c0", "--reason", "  ").code != 0


@pytest.mark.slow
@pytest.mark.req("FRZ-3")
def test_a_freeze_holds_at_once_and_is_lifted_only_with_its_checklist(shop):
    frozen = shop("freeze", "--for", "1h", "--reason", "the link checker is down")
    assert frozen.code == 0
    assert "everything until" in frozen.out
    shop.need("waits for the thaw")
    with shop.working():
        shop.wait_for("swarms", lambda row: (row["status"] or {}).get("phase") == "Frozen")
        refused = shop("resume", "--reason", "hurry")
        assert refused.code == EXIT_REFUSED
        assert "window: ends" in refused.err
        assert "requalification" in refused.err
        assert not shop("get", "missions", "-o", "json").json["items"]


@pytest.mark.req("FRZ-3")
def test_freezing_a_class_that_nobody_ever_saw_says_so_and_holds_all_the_same(shop):
    """At night a misspelt class would hold nothing, and nobody would know."""
    misspelt = shop("freeze", "--class", "dosc", "--reason", "links are broken")
    assert misspelt.code == 0
    assert "class 'dosc' was ever seen; seen: none yet" in misspelt.err
    shop.need("mend the links", "--class", "docs")
    assert "; seen: docs" in shop("freeze", "--class", "dosc", "--reason", "again").err
    assert "warning" not in shop("freeze", "--class", "docs", "--reason", "links").err
    listed = shop("get", "freezes", "-o", "json").json["items"]
    assert sorted(one["mission_class"] for one in listed) == ["docs", "dosc"]


@pytest.mark.req("FRZ-3", "FRZ-4")
def test_describe_freeze_shows_trigger_scope_end_and_what_is_left(shop):
    shop("freeze", "--class", "docs", "--for", "2h", "--reason", "links are broken")
    told = shop("describe", "freeze").out
    assert "FROZEN: mission class docs of default/shop" in told
    assert "trigger:  Person: links are broken" in told
    assert "(in 2h)" in told
    assert "[ ] window: ends" in told
    assert "[ ] requalification: required checks green on main" in told
    assert "requalification begins in 2h" in told
    listed = shop("describe", "freeze", "-o", "json").json
    assert [one["done"] for one in listed["checklist"]] == [False, False]


@pytest.mark.req("FRZ-5")
def test_a_swarm_that_trades_resumes_in_its_window_alone(shop):
    """Everything else is done; without a window the list says what to write, with one when."""
    shop.apply(domains=["quant-strategy"])
    shop("freeze", "--for", "1h", "--reason", "one violation")
    shop.sql("update frozen set until = now(), requalified = 'm-1'")
    said = shop("resume", "--reason", "the rule holds again")
    assert said.code == EXIT_REFUSED
    assert "resume window: none is set" in said.err
    told = shop("describe", "freeze").out
    assert "[ ] resume window: none is set; say one in swarm.toml" in told
    assert "next:     set a resume window in swarm.toml" in told
    text = shop.home.file.read_text()
    away = "13:00-14:00" if datetime.now(UTC).hour < 12 else "01:00-02:00"
    shop.home.file.write_text(text.replace("[loop]", f'[loop]\nresume_window = "{away}"'))
    assert shop("resume", "--reason", "now").code == EXIT_REFUSED
    told = shop("describe", "freeze").out
    assert f"[ ] resume window: each day {away} UTC" in told
    assert "next:     the resume window opens in" in told


@pytest.mark.slow
@pytest.mark.req("FRZ-3")
def test_a_freeze_without_end_waits_for_a_person_after_it_requalified(shop):
    shop("freeze", "--reason", "let me look")
    with shop.working():
        shop.wait_for("freezes", lambda row: row["requalified"])
        told = shop("describe", "freeze").out
        assert "[x] requalification" in told
        assert "lift it: `swarmctl resume" in told
        assert shop("resume", "--reason", "all is well").code == 0
    assert "Nothing is held" in shop("describe", "freeze").err
    assert shop("resume", "--reason", "again").code == EXIT_NOT_FOUND


@pytest.mark.slow
@pytest.mark.req("FRZ-3")
def test_a_freeze_that_asks_for_the_token_is_lifted_with_it_alone(shop):
    digest = hashlib.sha256(b"open sesame").hexdigest()
    text = shop.home.file.read_text()
    shop.home.file.write_text(text.replace("[loop]", f'[loop]\nresume_token_sha256 = "{digest}"'))
    shop("freeze", "--needs-token", "--reason", "a person decides")
    with shop.working():
        shop.wait_for("freezes", lambda row: row["requalified"])
    assert shop("resume", "--reason", "please").code == EXIT_REFUSED
    wrong = shop("resume", "--reason", "please", "--token", "sesame")
    assert wrong.code == EXIT_NOT_ALLOWED
    assert "sesame" not in wrong.err
    assert shop("resume", "--reason", "ok", "--token", "-", given="open sesame\n").code == 0


def test_a_token_that_nobody_could_give_is_not_asked_for(shop):
    said = shop("freeze", "--needs-token", "--reason", "careful")
    assert said.code == EXIT_REFUSED
    assert "resume_token_sha256" in said.err
    assert not shop("get", "freezes", "-o", "json").json["items"]


def test_freezing_a_frozen_scope_extends_it(shop):
    shop("freeze", "--for", "1h", "--reason", "first")
    assert "extended" in shop("freeze", "--for", "3h", "--reason", "second").out
    assert len(shop("get", "freezes", "-o", "json").json["items"]) == 1


def test_one_freeze_is_lifted_by_its_id_also_among_several_swarms(shop):
    other = shop.manifest().replace('"name": "shop"', '"name": "bank"')
    assert shop("apply", "-f", "-", given=other).code == 0
    id_ = shop("freeze", "shop", "--for", "1h", "--reason", "x").out.split()[0]
    said = shop("resume", id_[:12], "--reason", "y")
    assert said.code == EXIT_REFUSED
    assert id_ in said.err
