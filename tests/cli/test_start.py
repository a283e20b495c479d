"""`mission start`: a person asks for a mission for one need, and nothing is forced."""

from __future__ import annotations

import pytest

from swarm.cli.desk import me


def start(shop, need, *more):
    return shop("mission", "start", need, "--reason", "needed today", *more)


@pytest.mark.slow
def test_a_need_that_was_rejected_begins_when_a_person_asks_for_it(shop):
    need = shop.need("drop the old cipher")
    shop("need", "reject", need, "--reason", "not now")
    with shop.working():
        said = start(shop, need, "-o", "json")
    assert said.code == 0, said.err
    assert (said.json["kind"], said.json["need"]) == ("Mission", need)
    told = shop.sql("select actor, body::jsonb ->> 'need' from trail where kind = 'need.reopened'")
    assert told == [(me(), need)]


@pytest.mark.slow
def test_what_is_open_already_is_shown_and_nothing_is_written(shop):
    with shop.working():
        need = shop.need("drop the old cipher", risk="R2")
        mission = shop.wait_for("approvals", lambda row: row["state"] == "open")["mission"]
    before = shop.sql("select count(*) from trail")
    said = start(shop, need[:9])
    assert (said.code, said.out.split()[0]) == (0, mission)
    assert shop.sql("select count(*) from trail") == before


@pytest.mark.slow
@pytest.mark.req("FRZ-2")
def test_a_freeze_holds_it_back_with_exit_6(shop):
    shop("freeze", "--reason", "link checker is down")
    need = shop.need("drop the old cipher")
    with shop.working():
        said = start(shop, need)
    assert said.code == 6
    assert "error SWM711: no mission began for" in said.err
    assert "Frozen" in said.err
    assert "fix:" in said.err
    assert all(row["need"] is None for row in shop("get", "missions", "-o", "json").json["items"])


@pytest.mark.slow
@pytest.mark.req("VAL-4")
def test_in_shadow_mode_nothing_begins_and_it_says_so(shop):
    need = shop.need("drop the old cipher")
    shop("shadow", "start")
    with shop.working():
        said = start(shop, need)
    assert (said.code, "Shadow: " in said.err) == (6, True)


@pytest.mark.slow
@pytest.mark.req("GATE-1")
def test_what_gate_1_turns_down_again_is_told_with_its_reason(shop):
    shop.apply(discovery={"minCitations": 3, "minConfidence": 0.5})
    need = shop.need("drop the old cipher")
    with shop.working():
        said = start(shop, need)
    assert said.code == 6
    assert "TooFewCitations" in said.err


@pytest.mark.slow
def test_without_a_controller_it_waits_no_longer_than_asked_and_keeps_the_word(shop):
    need = shop.need("drop the old cipher")
    shop("need", "reject", need, "--reason", "not now")
    said = start(shop, need, "--timeout", "1s")
    assert said.code == 124
    assert "`swarmctl up`" in said.err
    assert shop("get", "need", need, "-o", "json").json["state"] == "open"
