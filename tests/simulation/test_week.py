"""A shadow week and a limited lights-out week of both profiles, judged by what really happened.

The reports are the product's own. What they must say is counted apart from them: the owner's list
of what he answered, and the journal of a world that knows nothing of missions' outcomes.
"""

from __future__ import annotations

from functools import cache

import pytest

import simulate as tool
from swarm.core.history.finding import Rule
from swarm.core.history.journal import Deed
from swarm.runtime.shadow_report import judge
from swarm.testing.simulation.week import PROFILES
from week import tell

fortnight = cache(tool.fortnight)
TAKEN_BACK = {Deed.ABORT, Deed.REVERT}


def reports(owner, kind):
    return [one for one in owner.reports if one.kind == kind]


def ended(owner):
    """Everything that the digests say ended, recommendations apart."""
    rows = [row for one in reports(owner, "daily") for row in one.rows["outcomes"]]
    return [row for row in rows if row["outcome"] != "recommended"]


def missions(result, *deeds):
    return {one.mission for one in result.history.effects if one.deed in deeds}


def shadow_did_nothing(owner, result):
    assert owner.acted_from is not None
    assert [one for one in result.history.effects if one.at < owner.acted_from] == []
    first = [one.rows for one in reports(owner, "daily") if one.shadow]
    assert len(first) == owner.days
    assert {row["outcome"] for rows in first for row in rows["outcomes"]} == {"recommended"}
    assert {row["cost"] for rows in first for row in rows["outcomes"]} == {0}


def digests_say_what_happened(owner, result):
    """Delivered is what was promoted and never taken back; the cost is what agents charged."""
    told = {row["mission"]: row for row in ended(owner)}
    assert len(told) == len(ended(owner)), "a mission ended twice"
    live = missions(result, Deed.PROMOTE) - missions(result, *TAKEN_BACK)
    good = {id_ for id_, row in told.items() if row["outcome"] == "delivered"}
    proofs = {id_ for id_ in good if told[id_]["title"].startswith("Requalify")}
    assert good - proofs == live & told.keys()
    back = {id_ for id_, row in told.items() if row["outcome"] == "rolled-back"}
    assert back == missions(result, *TAKEN_BACK) & told.keys()
    assert good
    runs = [one for one in result.history.effects if one.deed is Deed.RUN]
    for id_, row in told.items():
        charged = owner.costs.get(id_, [])
        if len(charged) == sum(one.mission == id_ for one in runs):
            assert row["cost"] == sum(charged)


def shadow_report_says_what_the_owner_said(owner):
    report = judge(reports(owner, "shadow")[0].rows)
    said = list(owner.agreed.values())
    assert sum(row["accepted"] for row in report["classes"]) == said.count(True)
    assert sum(row["turned_down"] for row in report["classes"]) == said.count(False)
    assert {row["need"] for row in report["missed"]} == owner.by_hand
    assert sum(band["answered"] for band in report["calibration"]) == len(said)
    assert said


def later_missions_answer_what_was_left_open(owner, result):
    """At the end a recommendation is accepted too if a mission carried it out."""
    first, last = (one.rows["recommended"] for one in reports(owner, "shadow"))
    assert {row["need"] for row in first} == {row["need"] for row in last}
    live = missions(result, Deed.PROMOTE) - missions(result, *TAKEN_BACK)
    done = {row["mission"] for row in ended(owner)} & live
    needs = {
        entry.body["need"]
        for entry in result.history.entries
        if entry.kind == "mission.opened" and entry.chain in done
    }
    wanted = {need for need, agreed in owner.agreed.items() if agreed}
    accepted = sum(row["accepted"] for row in judge(reports(owner, "shadow")[1].rows)["classes"])
    assert accepted == len({row["need"] for row in last} & (needs | wanted))


def lights_out_was_limited(owner, result):
    """One repository, one target; whatever was riskier than R1 landed with a person's yes."""
    where = {one.where for one in result.history.effects if one.deed is not Deed.NOTIFY}
    assert where == {owner.scene.repo, owner.scene.target}
    assert result.judgement.examined[Rule.MODE] > 0
    assert result.what() == ()


@pytest.mark.slow
@pytest.mark.req("VAL-4", "VAL-5")
@pytest.mark.parametrize(
    ("profile", "days"),
    [
        pytest.param("control-plane", 1, id="control-plane-a-day-each"),
        pytest.param("quant", 1, id="quant-a-day-each", marks=pytest.mark.slow),
        pytest.param("control-plane", 7, id="control-plane-a-week-each", marks=pytest.mark.slow),
        pytest.param("quant", 7, id="quant-a-week-each", marks=pytest.mark.slow),
    ],
)
def test_a_shadow_week_and_a_limited_week_read_as_they_were(profile, days):
    owner, result = fortnight(profile, 0, days)
    shadow_did_nothing(owner, result)
    digests_say_what_happened(owner, result)
    shadow_report_says_what_the_owner_said(owner)
    later_missions_answer_what_was_left_open(owner, result)
    lights_out_was_limited(owner, result)
    if days == 7:
        rare = {row["outcome"] for row in ended(owner)}
        assert {"delivered", "rolled-back", "rejected"} <= rare
        assert len(reports(owner, "daily")) == 14
        assert all(len(rows.rows["outcomes"]) >= 5 for rows in reports(owner, "daily"))
        assert missions(result, Deed.LAND)


@pytest.mark.slow
@pytest.mark.req("VAL-4")
def test_the_verdict_follows_the_precision_of_the_worst_class():
    """The control plane's sources are mostly right, those of the quant are not."""
    verdicts = {}
    for profile in PROFILES:
        owner, _ = fortnight(profile, 0, 7)
        report = judge(reports(owner, "shadow")[0].rows)
        worst = min(row["precision"] for row in report["classes"])
        least = min(row["accepted"] + row["turned_down"] for row in report["classes"])
        assert least >= 10
        assert ("lights-out: yes" in report["verdict"]) is (worst >= 0.9)
        verdicts[profile] = report["verdict"]
    assert verdicts["control-plane"] == "ready for limited lights-out: yes"
    assert verdicts["quant"].startswith("ready for limited lights-out: no, R0 precision 0.")


@pytest.mark.slow
def test_the_command_prints_both_reports_as_their_verbs_do(capsys):
    assert tool.main(["--week", "control-plane", "--days", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "day 1 (shadow)  $ swarmctl report daily" in lines
    assert "day 1 (shadow)  $ swarmctl shadow report --since 24h" in lines
    assert "day 2 (lights-out)  $ swarmctl report daily" in lines
    assert lines[-1] == "kept every promise"
    told = [line for line in lines if "recommended in shadow mode, and nothing done" in line]
    assert len(told) == 1
    assert any("  R1  Pin the base image of worker" in line for line in lines)
    assert any(line.startswith("ready for limited lights-out: no, R") for line in lines)
    assert any("  delivered  " in line and "is live and proven" in line for line in lines)
    says_no = "; its report advises against it, and here it is tried all the same"
    goes_on = f"now it acts by itself in acme/jangar, R0 and R1; what is riskier asks{says_no}"
    assert lines.index(goes_on) < lines.index("day 2 (lights-out)  $ swarmctl report daily")
    assert not [line for line in lines if line.endswith(":")], "it says why each of them ended"


@pytest.mark.slow
def test_the_same_seed_lives_the_same_fortnight():
    first, second = fortnight("control-plane", 0, 1), tool.fortnight("control-plane", 0, 1)
    assert first[1].digest == second[1].digest
    assert list(tell(*first)) == list(tell(*second))
