"""Result files of tests: read when they changed, and never green because they are missing."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from swarm.adapters.local.sources.errors import (
    OutputTooLarge,
    ResultsMissing,
    ResultsUnreadable,
)

pytestmark = pytest.mark.req("LOOP-2", "GATE-1")
RED = '<testsuite><testcase classname="t" name="a"><failure message="no"/></testcase></testsuite>'
GREEN = '<testsuite><testcase classname="t" name="a"/></testsuite>'


async def test_a_failure_is_told_once_per_result(world):
    file = world.tmp / "r.xml"
    file.write_text(RED)
    source = world.results("r.xml", mission_class="repair")
    (signal,), refused, cursor = await world.read(source)
    assert refused == []
    assert (signal.title, signal.rule) == ("t::a fails: no", "failing-test:t::a")
    assert (signal.citation, signal.mission_class) == ("test:t::a", "repair")
    assert (signal.origin, signal.trust) == ("tests", 0.9)
    file.write_text(RED)
    assert [r async for r in source.read(cursor)] == []
    file.write_text(RED.replace("<testsuite>", '<testsuite timestamp="later">'))
    (again,), _, _ = await world.read(source, cursor)
    assert again.id != signal.id


async def test_green_results_are_no_news(world):
    (world.tmp / "r.xml").write_text(GREEN)
    assert (await world.read(world.results("r.xml")))[0] == []


async def test_missing_results_are_no_green_ones(world):
    with pytest.raises(ResultsMissing, match=r"r\.xml"):
        await world.read(world.results("r.xml"))


async def test_results_that_stopped_coming_are_told(world):
    file = world.tmp / "r.xml"
    file.write_text(GREEN)
    written = (world.now - timedelta(hours=3)).timestamp()
    os.utime(file, (written, written))
    await world.read(world.results("r.xml", max_age="4h"))
    with pytest.raises(ResultsMissing, match="3:00:00 old"):
        await world.read(world.results("r.xml", max_age="2h"))


async def test_one_broken_file_does_not_hide_the_others(world):
    (world.tmp / "a.xml").write_text(RED)
    (world.tmp / "b.xml").write_text("<testsuite><testc")
    signals, refused, _ = await world.read(world.results("*.xml"))
    assert len(signals) == 1
    assert refused[0].startswith("b.xml is no whole XML")


async def test_only_broken_files_are_a_source_that_is_down(world):
    (world.tmp / "b.xml").write_text("<testsuite><testc")
    with pytest.raises(ResultsUnreadable):
        await world.read(world.results("*.xml"))


async def test_a_huge_file_is_not_read(world):
    (world.tmp / "r.xml").write_bytes(b"<testsuite>" + b" " * 5_000)
    with pytest.raises(OutputTooLarge, match="1024 bytes"):
        await world.read(world.results("r.xml", max_bytes=1024))


async def test_a_pipe_in_its_place_holds_nothing_up(world):
    os.mkfifo(world.tmp / "r.xml")
    with pytest.raises(ResultsUnreadable, match="plain file"):
        await world.read(world.results("r.xml"))


async def test_more_failures_than_a_reading_may_bring_are_counted(world):
    case = '<testcase classname="t" name="a{}"><failure message="no"/></testcase>'
    cases = "".join(case.format(n) for n in range(1_200))
    (world.tmp / "r.xml").write_text(f"<testsuite>{cases}</testsuite>")
    signals, refused, _ = await world.read(world.results("r.xml", max_signals=1_100))
    assert len(signals) == 1_100
    assert refused == ["r.xml: 100 more failures than `max_signals` allows"]
