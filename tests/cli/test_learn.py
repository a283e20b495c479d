"""What was spent, what shadow mode would have done, and the daily review."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from swarm.cli.describe_rest import teller_of
from swarm.cli.kinds import KINDS


@pytest.mark.slow
def test_the_budget_says_what_was_spent_and_by_whom(shop, costly_world):
    shop.world = costly_world(250_000)
    text = shop.home.file.read_text()
    shop.home.file.write_text(
        text.replace("[agents.tidy]", "[agents.tidy]\nexpected_cost = 100000")
    )
    with shop.working():
        shop.need("drop an unused import")
        mission = shop.wait_for("missions", lambda row: row["outcome"] == "delivered")["id"]
    window = shop("budget", "-o", "json").json["windows"][0]
    assert (window["cap"], window["spent"], window["reserved"]) == (1_000_000, 250_000, 0)
    assert window["left"] == 750_000
    told = shop("budget").out
    assert "default-budget\t1.00\t0.25\t0.00\t0.75" in told
    assert "blocked: no" in told
    assert f"{mission[:10]}      0.25  tidy  drop an unused import" in told
    assert shop("budget", "show").out.splitlines()[:2] == told.splitlines()[:2]
    (spender,) = shop("budget", "top", "-o", "json").json["items"]
    assert (spender["name"], spender["spent"]) == (mission, 250_000)
    assert shop("budget", "top").lines[1].split("\t")[:4] == [mission[:10], "0.25", "0.00", "tidy"]
    assert "dispatch goes on" in shop("describe", "budget").out
    assert spent_says(shop) == "finish"
    text = shop.home.file.read_text()
    stops = text.replace('cap = "1.00"', 'cap = "1.00"\nwhen_spent = "stop"')
    shop.home.file.write_text(stops)
    assert spent_says(shop) == "stop"
    shop.home.file.write_text(text.replace("budgets.default-budget", "budgets.other"))
    assert spent_says(shop).startswith("nothing: swarm.toml does not bind it")
    shop.home.file.write_text(f"{stops}\n[nosuch]\n")
    assert spent_says(shop).startswith("unknown: swarm.toml cannot be read")


def spent_says(shop):
    """What `describe budget` says becomes of agents at work when it is spent."""
    told = shop("describe", "budget")
    (said,) = (one for one in told.lines if one.startswith("when spent:"))
    return said.removeprefix("when spent:").strip()


@pytest.mark.slow
@pytest.mark.req("FAIL-5")
def test_a_spent_budget_reads_as_blocked(shop, costly_world):
    shop.world = costly_world(1_000_000)
    text = shop.home.file.read_text()
    shop.home.file.write_text(
        text.replace("[agents.tidy]", "[agents.tidy]\nexpected_cost = 100000")
    )
    with shop.working():
        shop.need("drop an unused import")
        shop.wait_for("missions", lambda row: row["outcome"] == "delivered")
        shop.need("sweep the yard of old scripts")
        off = shop.wait_for("swarms", lambda row: "BudgetExhausted" in str(row["status"]))
        # The first mission alone spends it all; the second need is looked at in a later tick.
        shop.wait_until_told("BudgetExhausted", "why")
    assert "blocked: yes" in shop("budget").out
    told = shop("describe", "swarm").out
    assert "BudgetAvailable   False   BudgetExhausted" in told
    assert "fix: raise its cap in swarm.toml" in told
    assert off["metadata"]["name"] == "shop"


@pytest.mark.slow
@pytest.mark.req("VAL-4")
def test_the_shadow_report_counts_what_people_made_of_it(shop):
    """One recommendation is delivered afterwards, one turned down, and one is done by hand."""
    assert "in shadow mode" in shop("shadow", "start").out
    assert "already" in shop("shadow", "start").out
    titles = ("drop the old cipher", "sweep the yard of scripts", "rename the billing table")
    with shop.working():
        needs = [shop.need(title) for title in titles]
        recommended = lambda: [  # noqa: E731 - read again at each look
            row for row in shop("get", "outcomes", "-o", "json").json["items"]
            if row["outcome"] == "recommended"
        ]  # fmt: skip
        shop.wait_for("outcomes", lambda _row: len(recommended()) == 3)
        assert shop.sql("select count(*) from mission where not shadow") == [(0,)]
        assert not shop.world.journal, "shadow mode acted"
    shop("need", "reopen", needs[1], "--reason", "decide now")
    assert shop("need", "reject", needs[1], "--reason", "not worth it").code == 0
    shop("shadow", "stop")
    shop.sql("update need set not_before = now() + interval '1 hour' where id = %s", needs[2])
    shop("need", "reopen", needs[0], "--reason", "do it")
    with shop.working():
        shop.wait_for("missions", lambda row: row["outcome"] == "delivered")
    by_hand = shop.need("throw the old fax number out")
    for need in (needs[2], by_hand):
        assert f"{need} done, says" in shop("need", "done", need, "--reason", "did it").out
    report = shop("shadow", "report", "-o", "json").json
    (row,) = report["classes"]
    assert (row["risk"], row["recommended"], row["accepted"], row["turned_down"], row["open"]) == (
        1, 3, 2, 1, 0,
    )  # fmt: skip
    assert row["precision"] == 2 / 3
    assert report["verdict"].startswith("ready for limited lights-out: no, R1 has 3 of 10 answers")
    assert [row["need"] for row in report["missed"]] == [by_hand]
    told = shop("shadow", "report").out
    assert "recommended 3, accepted 2, turned down 1, open 0; precision 0.67" in told
    assert "throw the old fax number out" in told
    assert "1 need missed: done by hand, and never recommended" in told
    assert shop("need", "done", by_hand, "--reason", "again").code == 7
    digest = shop("report").lines
    assert "3 recommended in shadow mode, and nothing done" in digest
    assert "1 mission ended, 0.00 spent" in digest
    assert [words for words in digest if "delivered" in words and "drop the old cipher: " in words]
    assert [words for words in digest if words.endswith("R1  sweep the yard of scripts")]


@pytest.mark.slow
def test_the_daily_report_begins_with_what_only_a_person_can_move(shop):
    with shop.working():
        shop.need("replace the broken cipher", "--path", "src/tls.py", risk="R2")
        shop.need("drop an unused import", "--path", "src/a.py")
        shop.wait_for("approvals", lambda row: row["state"] == "open")
        shop.wait_for("outcomes", lambda row: row["outcome"] == "delivered")
    shop("freeze", "--class", "docs", "--reason", "links are broken")
    told = shop("report").lines
    assert told[0].startswith("needs you: approve m-")
    assert told[1].startswith("frozen:    docs until resumed: Person: links are broken")
    assert "1 mission ended, 0.00 spent" in told
    assert "1 mission open" in told
    assert shop("report", "-o", "json").json["outcomes"][0]["outcome"] == "delivered"


@pytest.mark.req("VAL-5", "FRZ-4")
def test_the_daily_report_tells_a_freeze_that_is_over(shop):
    """In the morning nothing is frozen, and nobody would ask what held the night's work back."""
    shop("freeze", "--class", "docs", "--reason", "links are broken")
    shop.sql(
        "update frozen set since = since - interval '3 hours', requalified_at = now(),"
        " requalified = 'm-1', lifted_at = now() - interval '1 hour', lifted_by = 'policy'"
    )
    told = shop("report").lines
    assert told[0] == "lifted:    docs after 2h, by policy: Person: links are broken"
    (row,) = shop("report", "-o", "json").json["lifted"]
    assert row["mission_class"] == "docs"
    assert not [words for words in shop("report", "--since", "30m").lines if "docs" in words]
    shop("freeze", "--class", "docs", "--reason", "again")
    shop.sql("update frozen set mission_class = E'do\x1b[2Jcs'")  # as an older release took it
    said = shop("report").out
    assert "\x1b" not in said
    assert said.count(r"do\x1b[2Jcs") == 2


@pytest.mark.req("VAL-5")
def test_limited_lights_out_does_one_low_risk_repository_and_digests_the_day(shop):
    """Lights-out where only R0 runs by itself: what is riskier waits, and the digest says both."""
    shop.settings('\n[risk]\nauto_execute = ["R0"]\n')
    shop.apply(mode="lights-out")
    with shop.working():
        shop.need("drop an unused import", "--path", "docs/a.md", risk="R0")
        shop.need("replace the broken cipher", "--path", "src/tls.py", risk="R2")
        other = ("--repo", "acme/other", "--cite", "a.py:1", "--risk", "R0")
        assert shop("need", "add", "elsewhere", *other).code == 0
        shop.wait_for("outcomes", lambda row: row["outcome"] == "delivered")
        waits = shop.wait_for("approvals", lambda row: row["state"] == "open")
        passed = shop.wait_for("needs", lambda row: row["title"] == "elsewhere")
    assert passed["state"] == "open"
    digest = shop("report", "--since", "24h").lines
    assert digest[0].startswith(f"needs you: approve {waits['mission'][:8]}")
    ended = [words for words in digest if "delivered" in words]
    assert len(ended) == 1
    told = shop("trace", ended[0].split()[0])
    assert told.lines[-1].endswith("events, unbroken")


def test_a_span_that_is_none_is_refused_by_name(shop):
    for verb in (("report",), ("shadow", "report")):
        said = shop(*verb, "--since", "a while")
        assert said.code == 2
        assert "--since 'a while'" in said.err
    assert shop("report", "--since", "99999999h").code == 2


@pytest.mark.slow
@pytest.mark.req("LOOP-4")
def test_why_of_an_idle_swarm_names_what_holds_each_need(shop):
    """Nobody has to read the source to learn why nothing happens."""
    with shop.working():
        assert "no need is open" in shop.wait_for(
            "swarms", lambda row: "NothingToDo" in str(row["status"]))["status"]["conditions"][1][
            "message"]  # fmt: skip
    shop.apply(discovery={"minCitations": 3})
    need = shop.need("drop an unused import")
    with shop.working():
        shop.wait_for("needs", lambda row: row["state_reason"])
    assert "TooFewCitations" in shop("why", need).out
    assert shop("why").code == 0
    assert "idle:" in shop("why", "shop").out
    assert shop("why", "nowhere").code == 5


@pytest.mark.slow
@pytest.mark.req("LOOP-4")
def test_a_need_that_rests_is_not_told_as_no_need(shop):
    """After a mission that failed without its fault it is open, and nothing looks at it."""
    with shop.working():
        shop.wait_for("swarms", lambda row: "NothingToDo" in str(row["status"]))
    need = shop.need("drop an unused import")
    until = "2099-01-02 03:04:05+00"
    shop.sql("update need set not_before = %s where id = %s", until, need)
    told = "2099-01-02 03:04:05 UTC"
    assert f"not chosen:  it rests until {told}" in shop("why", need).out
    for verb in (("why",), ("describe", "swarm")):
        said = shop(*verb).out
        assert f"each open need rests: 1 need, the first until {told}" in said
        assert "idle:       NothingToDo" not in said


def test_days_are_told_by_the_clock_of_the_store(shop):
    begin = datetime.now(UTC) - timedelta(hours=1)
    assert shop("report", "-o", "json").json["since"] < begin.isoformat()


@pytest.mark.req("FAIL-5")
@pytest.mark.parametrize(
    ("spent", "reserved", "told"),
    [
        (300, 0, "dispatch goes on; the window turns in 2h"),
        (400, 0, "nothing is dispatched until the window turns in 2h"),
        (0, 400, "nothing is dispatched until a mission gives back what it reserves; the window"),
    ],
)
def test_a_budget_that_is_only_reserved_comes_back_before_its_window_turns(spent, reserved, told):
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    row = {
        "name": "b", "cap": 400, "spent": spent, "reserved": reserved,
        "left": 400 - spent - reserved, "window_end": now + timedelta(hours=2),
    }  # fmt: skip
    (kind,) = (kind for kind in KINDS if kind.name == "budgets")
    assert teller_of(kind)(row, now)[-1].startswith(f"next: {told}")


def test_a_verdict_is_told_as_a_word_and_never_as_its_number():
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    (kind,) = (kind for kind in KINDS if kind.name == "gates")
    row = {"mission": "m-1", "gate": "canary", "answer": 0, "configured": False, "at": at}
    said = "\n".join(teller_of(kind)(kind.row(row), at))
    assert "answer" not in said
    assert "not configured" in said
