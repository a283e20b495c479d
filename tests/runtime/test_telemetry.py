"""The controller's log: whole lines, a bounded part of the disk, and never the end of the work."""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from swarm.runtime import telemetry
from swarm.runtime.events import Event

FULL = Path("/dev/full")  # every write says that there is no space left


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Other tests of this process log as they did."""
    before = structlog.get_config()
    lines = logging.getLogger("swarm")
    handlers, propagate, level = lines.handlers, lines.propagate, lines.level
    yield
    for handler in lines.handlers:
        with contextlib.suppress(OSError):  # of a full disk; only then its last words are lost
            handler.close()
    lines.handlers, lines.propagate = handlers, propagate
    lines.setLevel(level)
    structlog.configure(**before)


def test_a_log_of_years_takes_a_bounded_part_of_the_disk(tmp_path: Path) -> None:
    telemetry.configure(tmp_path / "controller.jsonl", largest=10_000)
    log = structlog.get_logger()
    for number in range(2_000):
        log.info(Event.MISSION_MOVED, mission=f"m-{number}", detail="100% of 3 checks are green")

    kept = sorted(tmp_path.iterdir())
    assert [file.name for file in kept] == [
        "controller.jsonl", "controller.jsonl.1", "controller.jsonl.2", "controller.jsonl.3",
    ]  # fmt: skip
    assert all(file.stat().st_size <= 10_000 for file in kept)
    told = [json.loads(line) for file in reversed(kept) for line in file.read_text().splitlines()]
    numbers = [int(one["mission"].removeprefix("m-")) for one in told]
    assert numbers == list(range(numbers[0], 2_000)), "the newest are there, whole and in order"
    assert told[-1]["event"] == "mission.moved"
    assert told[-1]["detail"] == "100% of 3 checks are green"


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_a_log_that_cannot_be_written_does_not_end_the_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A full disk must cost lines, not the controller that protects what is live."""
    telemetry.configure(FULL)
    log = structlog.get_logger()
    log.info(Event.MISSION_MOVED, mission="m-1")
    try:
        _ = {}["a fault of ours"]
    except KeyError:
        log.exception(Event.TICK_FAILED)

    assert "No space left on device" in capsys.readouterr().err
