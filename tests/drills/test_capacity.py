"""What the provider or the machine lacks backs off, is told, and counts against nobody."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.req("FAIL-1")]
WORK = "echo 'VALUE = 2' > src/value.py"


def waits(rows):
    return rows and rows[0]["reason"] == "Capacity"


def settled(rows):
    return rows and rows[0]["outcome"] != "open"


async def went_on(installation):
    """The mission is delivered by its first attempt, and nothing was frozen on the way."""
    (mission,) = await installation.until("missions", settled, seconds=60)
    runs = await installation.until("runs", lambda rows: rows)
    freezes = await installation.until("freezes", lambda _rows: True)
    assert (mission["outcome"], mission["attempts"]) == ("delivered", 1)
    assert [(run["attempt"], run["result"]) for run in runs] == [(0, "changed")]
    assert freezes == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param("exit 75", "exit code 75", id="busy"),
        pytest.param(
            """echo '{"type":"result","subtype":"success","is_error":true,"""
            """"result":"Claude AI usage limit reached|1790000000"}'; exit 1""",
            "usage limit reached",
            id="quota-as-claude-tells-it",
        ),
        pytest.param(
            """echo '{"type":"turn.failed","error":{"message":"stream error: 429 Too Many"""
            """ Requests: rate limit reached"}}'; exit 1""",
            "429",
            id="quota-as-codex-tells-it",
        ),
    ],
)
async def test_an_agent_without_quota_waits_and_then_goes_on(installation, said, told):
    kind = "codex-jsonl" if "turn.failed" in said else "claude-json"
    mark = installation.folder / "quota-is-back"
    installation.agent("quota", f"test -e {mark} || {{ {said}; }}; {WORK}", result=kind)
    installation.check("tests", "true")
    installation.say()
    async with installation.serving():
        (mission,) = await installation.until("missions", waits)
        assert told in mission["detail"]
        assert mission["look_again"] is not None
        mark.touch()
        await went_on(installation)
    assert installation.started("quota") == 2


async def test_an_agent_that_is_not_installed_waits_until_it_is(installation):
    programs = installation.folder / "bin"
    programs.mkdir()
    installation.table("agents.tool", run=["new-tool", "--fix"], path=[str(programs)])
    installation.check("tests", "true")
    installation.say()
    async with installation.serving():
        (mission,) = await installation.until("missions", waits)
        assert "'new-tool' is not a program on PATH" in mission["detail"]
        tool = programs / "new-tool"
        tool.write_text(f"#!/bin/sh\n{WORK}\n")
        tool.chmod(0o755)
        await went_on(installation)


async def test_a_check_that_is_not_installed_waits_and_is_not_red(installation):
    programs = installation.folder / "bin"
    programs.mkdir()
    installation.agent("quick", WORK)
    installation.table("checks.tests", run=["new-checker"], path=[str(programs)])
    installation.say()
    async with installation.serving():
        rows = await installation.until(
            "missions", lambda rows: rows and "new-checker" in (rows[0]["detail"] or "")
        )
        assert rows[0]["outcome"] == "open"
        tool = programs / "new-checker"
        tool.write_text("#!/bin/sh\nexit 0\n")
        tool.chmod(0o755)
        await went_on(installation)
    assert installation.started("quick") == 1
